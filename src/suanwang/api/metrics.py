"""What `/metrics` shows, in one table. `docs/guide/api.md` describes each; a test holds the two together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Metric:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


METRICS: tuple[Metric, ...] = (
    Metric("suanwang_http_requests", "counter", ("method", "route", "status"), "HTTP requests answered"),
    Metric("suanwang_http_seconds", "histogram", ("route",), "Seconds from the request to the end of its answer"),
    Metric("suanwang_streams_open", "gauge", ("kind",), "Server-sent event streams that are open"),
    Metric("suanwang_tasks", "gauge", ("phase",), "Tasks by phase, ended ones included"),
    Metric("suanwang_log_position", "gauge", (), "The newest position of the one log"),
    Metric("suanwang_projections_behind", "gauge", (), "Rows of the log that the tables do not reflect yet"),
    Metric("suanwang_sites", "gauge", ("state",), "Sites by state: live or down"),
    Metric("suanwang_links_down", "gauge", (), "Links that an operator or a fault took out"),
    Metric("suanwang_security_pools_down", "gauge", (), "Security pools that an operator or an agent took out"),
    Metric("suanwang_leases", "gauge", (), "Leases held now or planned"),
    Metric(
        "suanwang_plan_faults",
        "gauge",
        ("kind",),
        "Plans since the start that the checker refused, or the planner broke on",
    ),
    Metric(
        "suanwang_round_gap",
        "gauge",
        (),
        "Part of the cost of the last proven round of planning that could have been saved, at most; NaN before the first",
    ),
    Metric("suanwang_round_gap_age_seconds", "gauge", (), "Seconds since the round of suanwang_round_gap was planned"),
    Metric("suanwang_rounds", "gauge", ("kind",), "Rounds of planning since the start: planned, and proven"),
    Metric(
        "suanwang_improved",
        "gauge",
        ("kind",),
        "Since the start: plans made again better, waiting tasks let in that way, proposals that no longer held",
    ),
    Metric("suanwang_improved_saved_yuan", "gauge", (), "Yuan that plans made again cost less, since the start"),
    Metric(
        "suanwang_improved_sooner_seconds", "gauge", (), "Seconds that plans made again end sooner, since the start"
    ),
    Metric("suanwang_held_cores", "gauge", (), "CPU cores held by leases"),
    Metric("suanwang_held_accelerators", "gauge", (), "Accelerators held by leases"),
)


class Meters:
    """The metrics of one application; two in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}
        for one in METRICS:
            if one.kind == "gauge":
                self._gauges[one.name] = Gauge(one.name, one.help, one.labels, registry=self.registry)
        table = {one.name: one for one in METRICS}
        requests, seconds = table["suanwang_http_requests"], table["suanwang_http_seconds"]
        self.requests = Counter(requests.name, requests.help, requests.labels, registry=self.registry)
        self.seconds = Histogram(seconds.name, seconds.help, seconds.labels, registry=self.registry, buckets=BUCKETS_S)

    def set(self, name: str, value: float, **labels: str) -> None:
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def set_all(self, name: str, label: str, values: Mapping[str, float]) -> None:
        """Replace every value of a gauge with one label."""
        self._gauges[name].clear()
        for key, value in values.items():
            self._gauges[name].labels(**{label: key}).set(value)

    def opened(self, kind: str, by: int) -> None:
        """A stream opened (1) or closed (-1)."""
        self._gauges["suanwang_streams_open"].labels(kind=kind).inc(by)

    def text(self) -> bytes:
        return generate_latest(self.registry)
