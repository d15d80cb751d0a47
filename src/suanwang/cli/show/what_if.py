"""A day before and after: one table, what moved, and why."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import Places, carbon, instant, money, span
from suanwang.cli.words import known, t
from suanwang.model.grid import Grid
from suanwang.model.units import MIB, show_bytes
from suanwang.model.what_if import MetricRow, Said, Unit, WhatIf

FLOWS = 8
REASONS = 8
HOUR_S = 3_600
# Metrics of which more is no good news, and less none the worse.
BETTER_LESS = frozenset(
    {"refused", "failed", "expired", "unended", "wait_p50", "wait_p95", "wait_max", "cost", "carbon"}
)
BETTER_MORE = frozenset({"succeeded"})


def whole(found: WhatIf, grid: Grid) -> Iterator[RenderableType]:
    """Everything, from what was changed to how long it took."""
    places = Places(grid)
    yield Text(t("cli.what_if.title", source=found.source, grid=found.grid), "bold")
    yield Text(t("cli.what_if.when", start=instant(found.start_us), span=span(found.span_us)), "dim")
    yield from _said("cli.what_if.changes", found.changes, "cli.what_if.no_change")
    yield _rows(found, places)
    yield from _flows(found, places)
    yield from _reasons(found)
    yield from _said("cli.what_if.notes", found.notes)
    yield Text(t("cli.what_if.limits"), "dim")
    timing = found.timing
    words = t(
        "cli.what_if.timing",
        seconds=f"{timing.wall_s:.1f}",
        rate=f"{timing.tasks_per_s:,.0f}",
        plan=f"{1000 * (timing.plan_before_s + timing.plan_after_s) / max(1, found.before.tasks + found.after.tasks):.2f}",
    )
    yield Text(words, "dim")


def _said(title: str, said: tuple[Said, ...], none: str = "") -> Iterator[RenderableType]:
    if not said:
        if none:
            yield Text(t(none))
        return
    yield Text(t(title), "bold")
    for one in said:
        params = dict(one.params)
        if "preference" in params:
            params["preference"] = t(f"preference.{params['preference']}")
        yield Text("  " + t(f"whatif.{one.code}", **params))


def _rows(found: WhatIf, places: Places) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.what_if.col.metric"))
    for head in ("before", "after", "difference", "percent"):
        table.add_column(t(f"cli.what_if.col.{head}"), justify="right")
    for row in found.rows:
        table.add_row(
            _name(row, places), _amount(row, row.before), _amount(row, row.after), _difference(row), _share(row)
        )
    return table


def _name(row: MetricRow, places: Places) -> str:
    name = t(f"whatif.metric.{row.metric}")
    if not row.of:
        return name
    of = places.name(row.of) if row.metric == "site_use" else row.of
    link = next((one for one in places.grid.links if one.id == row.of), None) if row.metric == "link_use" else None
    if link is not None:
        of = f"{places.name(link.a)} – {places.name(link.b)}"
    if row.metric == "revenue" and known(f"whatif.owner.{row.of}"):
        of = t(f"whatif.owner.{row.of}")
    return f"{name} · {of}"


def _amount(row: MetricRow, value: int) -> str:
    sign, value = ("-" if value < 0 else ""), abs(value)
    match row.unit:
        case Unit.US:
            return sign + (span(value) if value else "0")
        case Unit.MICRO_YUAN:
            return sign + money(value - value % 10_000 if value >= 10_000 else value)
        case Unit.MG:
            return sign + (carbon(value) if value else "0")
        case Unit.CORE_S | Unit.CARD_S:
            return f"{sign}{value / HOUR_S:,.1f}"
        case Unit.BYTES:
            return sign + show_bytes(value - value % MIB if value >= MIB else value)
        case Unit.PPM:
            return f"{sign}{value / 10_000:.3g} %"
        case Unit.COUNT:
            return f"{sign}{value:,}"


def _difference(row: MetricRow) -> Text:
    if not row.difference:
        return Text("=", "dim")
    words = ("+" if row.difference > 0 else "") + _amount(row, row.difference)
    return Text(words, _style(row))


def _share(row: MetricRow) -> Text:
    if not row.difference or row.unit is Unit.PPM:
        return Text("")
    if row.change_permille is None:
        return Text(t("cli.what_if.new"), _style(row))
    return Text(f"{row.change_permille / 10:+,.1f} %", _style(row))


def _style(row: MetricRow) -> str:
    if row.metric in BETTER_LESS:
        return "red" if row.difference > 0 else "green"
    if row.metric in BETTER_MORE:
        return "green" if row.difference > 0 else "red"
    return ""


def _flows(found: WhatIf, places: Places) -> Iterator[RenderableType]:
    if not found.flows:
        return
    yield Text(t("cli.what_if.flows", moved=f"{found.moved:,}", shown=min(FLOWS, len(found.flows))), "bold")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in ("from", "to"):
        table.add_column(t(f"cli.what_if.col.{head}"))
    for head in ("tasks", "core_hours"):
        table.add_column(t(f"cli.what_if.col.{head}"), justify="right")
    nowhere = t("cli.what_if.nowhere")
    for flow in found.flows[:FLOWS]:
        ways = (places.name(site) if site is not None else nowhere for site in (flow.before, flow.after))
        table.add_row(*ways, f"{flow.tasks:,}", f"{flow.core_s / HOUR_S:,.1f}")
    yield table


def _reasons(found: WhatIf) -> Iterator[RenderableType]:
    changed = [one for one in found.reasons if one.before != one.after][:REASONS]
    if not changed:
        yield Text(t("cli.what_if.no_reasons"), "dim")
        return
    yield Text(t("cli.what_if.why"), "bold")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.what_if.col.reason"))
    for head in ("before", "after", "difference"):
        table.add_column(t(f"cli.what_if.col.{head}"), justify="right")
    for one in changed:
        words = reason_text(one.kind, one.reason, one.clause)
        table.add_row(words, f"{one.before:,}", f"{one.after:,}", f"{one.after - one.before:+,}")
    yield table


def reason_text(kind: str, reason: str, clause: str) -> str:
    """`refused: no pool could take it (accelerator)`."""
    prefix = {"refused": "refusal", "waited": "wait", "failed": "failure"}[kind]
    keys = (f"whatif.reason.{reason}", f"{prefix}.{reason}")
    words = next((t(key) for key in keys if known(key)), reason)
    found = f"{t(f'whatif.kind.{kind}')}: {words}"
    return f"{found} ({t(f'pool_reason.{clause}')})" if clause and known(f"pool_reason.{clause}") else found
