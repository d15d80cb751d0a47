"""Alibaba's GPU cluster trace of 2023 (`openb_pod_list_*.csv`): pods with what they ask for and when they came and went."""

from collections.abc import Iterable
from typing import Final

from suanwang.model.ids import TenantId
from suanwang.model.task import Resources, TaskRequest
from suanwang.model.trace import Arrival, Note, Run, Trace
from suanwang.model.units import MIB, US_PER_S
from suanwang.traces.columns import rows, whole
from suanwang.traces.rules import Reader, Rules, span_us

MARK: Final = "gpu_milli"
TIMES: Final = ("creation_time", "deletion_time", "scheduled_time")
NUMBERS: Final = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
NEED: Final = ("name", *NUMBERS, *TIMES)
WHOLE_CARD_MILLI: Final = 1000


def read_openb(lines: Iterable[str], source: str, rules: Rules) -> Trace:
    """The pods as tasks. Raises FaultsError with every bad line."""
    reader = Reader(rules, source)
    for line, row in rows(lines, NEED, reader):
        before = len(reader.faults)
        numbers = {name: whole(row, name, line, reader) for name in NUMBERS}
        came_s = whole(row, "creation_time", line, reader)
        if len(reader.faults) > before or came_s is None:
            continue
        if not row["scheduled_time"].strip() or not row["deletion_time"].strip():
            reader.counts["never_ran"] += 1
            continue
        began_s, ended_s = whole(row, "scheduled_time", line, reader), whole(row, "deletion_time", line, reader)
        if began_s is None or ended_s is None:
            continue
        if ended_s < began_s:
            reader.bad("trace_backwards", line, "deletion_time", row["deletion_time"], start=row["scheduled_time"])
            continue
        known = {name: value or 0 for name, value in numbers.items()}
        key = f"{line}:{row['name']}"
        reader.arrivals.append(_arrival(key, row, known, came_s, ended_s - began_s, reader))
    reader.notes.append(Note("no_date"))
    reader.counts["no_wall_time"] = len(reader.arrivals)
    return reader.done()


def _arrival(
    key: str, row: dict[str, str], numbers: dict[str, int], came_s: int, ran_s: int, reader: Reader
) -> Arrival:
    cards = numbers["num_gpu"]
    if cards and numbers["gpu_milli"] < WHOLE_CARD_MILLI:
        reader.counts["card_shares"] += 1
    run = Run(span_us(ran_s), "exit:1" if row.get("pod_phase") == "Failed" else "ok")
    quality = (row.get("qos") or "").strip().lower()
    request = TaskRequest(
        name=row["name"][:200] or "pod",
        run="true",
        resources=Resources(
            cpu=-(-numbers["cpu_milli"] // 1000),
            memory=numbers["memory_mib"] * MIB,
            accelerator=_model(row.get("gpu_spec") or "", reader) if cards else None,
            accelerators=cards,
            wall_time=span_us(ran_s),
        ),
        origin=reader.origin(),
        retries=0,
    )
    tenant = TenantId(f"qos-{quality}" if quality.isalnum() else "trace")
    return Arrival(key, reader.rules.start_us + came_s * US_PER_S, tenant, request, (run,))


def _model(spec: str, reader: Reader) -> str:
    """The first model asked for that the grid has; else any."""
    if not spec:
        return "any"
    known = next((one.lower() for one in spec.split("|") if one.lower() in reader.models), None)
    if known is None:
        reader.counts["models_unknown"] += 1
    return known or "any"
