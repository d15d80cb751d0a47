"""Two days beside each other: the table, what moved, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from suanwang.model.ids import SiteId
from suanwang.model.units import US_PER_S
from suanwang.model.what_if import Figures, Flow, MetricRow, ReasonRow, Unit
from suanwang.whatif.measure import Measure, TaskRow

BUSIEST = 5
FLOWS_SHOWN = 20

TOTALS: tuple[tuple[str, Unit], ...] = (
    ("tasks", Unit.COUNT),
    ("succeeded", Unit.COUNT),
    ("failed", Unit.COUNT),
    ("refused", Unit.COUNT),
    ("expired", Unit.COUNT),
    ("cancelled", Unit.COUNT),
    ("unended", Unit.COUNT),
    ("wait_p50_us", Unit.US),
    ("wait_p95_us", Unit.US),
    ("wait_max_us", Unit.US),
    ("cost_micro_yuan", Unit.MICRO_YUAN),
    ("carbon_mg", Unit.MG),
    ("core_s", Unit.CORE_S),
    ("card_s", Unit.CARD_S),
    ("moved_bytes", Unit.BYTES),
)
# Shown only where there are some on either side.
IF_ANY = frozenset({"failed", "expired", "cancelled", "unended", "card_s", "moved_bytes"})


def rows(before: Figures, after: Figures) -> Iterator[MetricRow]:
    """The table: totals, revenue by owner, use of the busiest sites and links of either side."""
    for name, unit in TOTALS:
        one, two = getattr(before, name), getattr(after, name)
        if one or two or name not in IF_ANY:
            yield _row(name.removesuffix("_us").removesuffix("_micro_yuan").removesuffix("_mg"), "", unit, one, two)
    for owner in sorted(before.revenue_by_owner.keys() | after.revenue_by_owner.keys()):
        pair = before.revenue_by_owner.get(owner, 0), after.revenue_by_owner.get(owner, 0)
        yield _row("revenue", owner, Unit.MICRO_YUAN, *pair)
    yield from _busiest(
        "site_use",
        {one.site: one.use_ppm for one in before.sites},
        {one.site: one.use_ppm for one in after.sites},
    )
    yield from _busiest(
        "link_use",
        {one.link: one.use_ppm for one in before.links},
        {one.link: one.use_ppm for one in after.links},
    )


def _busiest(metric: str, before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[MetricRow]:
    def busy(name: str) -> tuple[int, str]:
        return -max(before.get(name, 0), after.get(name, 0)), name

    used = [name for name in before.keys() | after.keys() if before.get(name) or after.get(name)]
    for name in sorted(used, key=busy)[:BUSIEST]:
        yield _row(metric, name, Unit.PPM, before.get(name, 0), after.get(name, 0))


def _row(metric: str, of: str, unit: Unit, before: int, after: int) -> MetricRow:
    change = round((after - before) * 1000 / before) if before else (0 if after == before else None)
    return MetricRow(
        metric=metric, of=of, unit=unit, before=before, after=after, difference=after - before, change_permille=change
    )


def flows(before: Measure, after: Measure) -> tuple[tuple[Flow, ...], int]:
    """Where work went that ran elsewhere, or not at all, the most tasks first; and how many tasks that is in all."""
    then = {row.key: row for row in before.tasks.values()}
    tasks: Counter[tuple[SiteId | None, SiteId | None]] = Counter()
    core_us: Counter[tuple[SiteId | None, SiteId | None]] = Counter()
    for row in after.tasks.values():
        old = then.get(row.key)
        if old is not None and old.site != row.site:
            tasks[old.site, row.site] += 1
            core_us[old.site, row.site] += row.core_us if row.site is not None else old.core_us
    ordered = sorted(tasks, key=lambda way: (-tasks[way], -core_us[way], way[0] or "", way[1] or ""))
    found = tuple(
        Flow(before=way[0], after=way[1], tasks=tasks[way], core_s=core_us[way] // US_PER_S)
        for way in ordered[:FLOWS_SHOWN]
    )
    return found, sum(tasks.values())


def reasons(before: Measure, after: Measure) -> Iterator[ReasonRow]:
    """Every reason that a task met on either side, those that changed the most first."""
    found: list[ReasonRow] = []
    sides = _met(before.tasks.values()), _met(after.tasks.values())
    for kind, reason, clause in sorted(sides[0].keys() | sides[1].keys()):
        key = (kind, reason, clause)
        found.append(ReasonRow(kind=kind, reason=reason, clause=clause, before=sides[0][key], after=sides[1][key]))
    yield from sorted(found, key=lambda one: -abs(one.after - one.before))


def _met(rows: Iterable[TaskRow]) -> Counter[tuple[Literal["refused", "waited", "failed"], str, str]]:
    met: Counter[tuple[Literal["refused", "waited", "failed"], str, str]] = Counter()
    for row in rows:
        for reason, clause in row.refused:
            met["refused", reason, clause] += 1
        for reason, clause in row.waited:
            met["waited", reason, clause] += 1
        if row.failed:
            met["failed", row.failed, ""] += 1
    return met
