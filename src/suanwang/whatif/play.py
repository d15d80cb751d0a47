"""Play a day, and put two of them beside each other."""

from collections.abc import Callable
from dataclasses import dataclass

from suanwang.model.change import Changes
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import TenantId
from suanwang.model.snapshot import index_grid
from suanwang.model.trace import Arrival, Trace
from suanwang.model.units import US_PER_HOUR
from suanwang.model.what_if import Said, Timing, WhatIf
from suanwang.twin.day import Day
from suanwang.whatif.compare import flows, reasons, rows
from suanwang.whatif.day_after import arrivals_after, tenants_after
from suanwang.whatif.figures import edges, figures
from suanwang.whatif.grid_after import grid_after
from suanwang.whatif.measure import Measure
from suanwang.whatif.said import said


@dataclass(frozen=True)
class Case:
    """One side: everything that a day is made of."""

    grid: Grid
    tenants: tuple[Tenant, ...]
    arrivals: tuple[Arrival, ...]
    seed: int

    def after(self, changes: Changes) -> "Case":
        """The other side. The same values where nothing changes."""
        return Case(
            grid=grid_after(self.grid, changes),
            tenants=tenants_after(self.tenants, changes),
            arrivals=arrivals_after(self.arrivals, changes, self.seed),
            seed=self.seed,
        )


@dataclass
class Played:
    """What one side gave. `run_s` and `plan_s` are of the timer that was given."""

    measure: Measure
    run_s: float
    plan_s: float


def with_tenants(grid: Grid, arrivals: tuple[Arrival, ...], given: tuple[Tenant, ...] = ()) -> tuple[Tenant, ...]:
    """The tenants of a day: those that were given, those of the grid, and one without limits for each other name."""
    known = {one.id: one for one in (*grid.tenants, *given)}
    for name in sorted({one.tenant for one in arrivals} - known.keys()):
        known[name] = Tenant(id=TenantId(name), name=name, priority_max=100)
    return tuple(known.values())


def play(
    case: Case,
    timer: Callable[[], float] = lambda: 0.0,
    say: Callable[[int], None] = lambda _: None,
    checked: bool = False,
) -> Played:
    """Play one side to its end. `say` is told how many tasks have ended."""
    measure, began_s = Measure(index_grid(case.grid)), timer()
    day = Day(case.grid, case.seed, case.tenants, case.arrivals, measure.take, timer, checked)
    day.run(say)
    return Played(measure, timer() - began_s, day.plan_s)


def answer(
    case: Case, changes: Changes, before: Played, after: Played, trace: Trace, source: str, wall_s: float = 0.0
) -> WhatIf:
    """Both sides beside each other. Each is seen over the time in which its own tasks arrived."""
    shift_us = changes.later - changes.earlier
    start_us, end_us = case.arrivals[0].at_us, case.arrivals[-1].at_us + 1
    ends = [*(one.end_us for one in before.measure.held), *(one.end_us - shift_us for one in after.measure.held)]
    # A few long runs would press the whole day into one slice: no more than a day as long again is shown after it.
    last_us = max(end_us, min(max(ends, default=end_us), end_us + max(US_PER_HOUR, end_us - start_us)))
    cuts = edges(start_us, last_us)
    one = figures(before.measure, (start_us, end_us), cuts)
    two = figures(after.measure, (start_us + shift_us, end_us + shift_us), [at + shift_us for at in cuts])
    found, moved = flows(before.measure, after.measure)
    return WhatIf(
        seed=case.seed,
        grid=case.grid.id,
        source=source,
        start_us=start_us,
        span_us=end_us - start_us,
        notes=tuple(Said(code=f"note.{note.code}", params=note.params) for note in trace.notes),
        changes=tuple(said(changes)),
        rows=tuple(rows(one, two)),
        before=one,
        after=two,
        flows=found,
        moved=moved,
        reasons=tuple(reasons(before.measure, after.measure)),
        timing=Timing(
            wall_s=wall_s,
            before_s=before.run_s,
            after_s=after.run_s,
            plan_before_s=before.plan_s,
            plan_after_s=after.plan_s,
            tasks_per_s=(one.tasks + two.tasks) / wall_s if wall_s else 0.0,
        ),
    )
