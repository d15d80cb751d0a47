"""From a snapshot and the tasks that want a place in it to the view of what is scarce, where, and worth how much."""

from collections.abc import Sequence

import numpy as np

from suanwang.guide.bound import PRICE_BITS
from suanwang.guide.program import Budget, Solution, solve
from suanwang.guide.rounds import Prices, prices_of
from suanwang.guide.scarcity import Scarce, ScarceKind, scarce
from suanwang.guide.snapshot import BY_NODES, Taken, problem_of
from suanwang.model.scarcity import ScarceResource, ScarceRow, Scarcity, ScarcityState
from suanwang.model.snapshot import Snapshot
from suanwang.plan.ask import PlanAsk

BUDGET = Budget(gap=1e-3, seconds=2.0)
ROWS_MAX = 100
MBPS_A_GBPS = 1000
# Amount of a row of the problem -> amount of the view, by kind of row: (multiplied by, divided by).
AMOUNTS = {
    ScarceKind.CPU: (1, 1000),
    ScarceKind.MEMORY: (1 << 20, 1),
    ScarceKind.CARD: (1, 1000),
    ScarceKind.SHARED: (1_000_000, 1),
}


def scarcity_of(
    snapshot: Snapshot,
    waiting: Sequence[PlanAsk],
    came: Sequence[PlanAsk],
    now_us: int,
    budget: Budget = BUDGET,
) -> Scarcity:
    """The view at this moment. The same arguments give the same rows, unless the budget ends the solving."""
    return priced_scarcity(snapshot, waiting, came, now_us, budget)[0]


def priced_scarcity(
    snapshot: Snapshot,
    waiting: Sequence[PlanAsk],
    came: Sequence[PlanAsk],
    now_us: int,
    budget: Budget = BUDGET,
) -> tuple[Scarcity, Prices | None]:
    """The same, with the prices of the pools behind it; None where there are none."""
    if not waiting and not came:
        return Scarcity(state=ScarcityState.IDLE, made_us=now_us), None
    taken = problem_of(snapshot, [*waiting, *came], now_us)
    classes, tasks = taken.problem.classes, taken.problem.tasks
    view = Scarcity(
        state=ScarcityState.NOWHERE,
        made_us=now_us,
        waiting=len(waiting),
        came=len(came),
        unread=taken.left_out,
        hold_us=_mean_hold_us(taken),
        classes=len(tasks),
        candidates=len(classes.cand_pool),
        resources=len(taken.whole),
    )
    if not len(classes.cand_pool):
        return view, None
    if not classes.reject_cost.any():
        return view.model_copy(update={"state": ScarcityState.UNPRICED}), None
    solution = solve(taken.problem, budget)
    return _with_prices(view, taken, solution), prices_of(taken.layout, solution.price, now_us)


def _mean_hold_us(taken: Taken) -> int:
    tasks = taken.problem.tasks.tolist()
    whole_us = sum(need.wall_us * int(many) for need, many in zip(taken.needs, tasks, strict=True))
    return whole_us // max(int(taken.problem.tasks.sum()), 1)


def _with_prices(view: Scarcity, taken: Taken, solution: Solution) -> Scarcity:
    fabric, room = taken.problem.fabric, taken.problem.room
    found = scarce(fabric, solution.price, taken.whole)
    rows = tuple(row for one in found if (row := _row(taken, one, room, solution)).micro_yuan > 0)[:ROWS_MAX]
    state = ScarcityState.SCARCE if rows else ScarcityState.ENOUGH
    return view.model_copy(
        update={
            "state": state if solution.rounds else ScarcityState.LATE,
            "placed": int(np.round(solution.amount.sum())),
            "columns": solution.made,
            "value_micro_yuan": solution.value,
            "bound_micro_yuan": solution.bound,
            "rows": rows,
        }
    )


def _row(taken: Taken, one: Scarce, room: np.ndarray[tuple[int], np.dtype[np.int64]], solution: Solution) -> ScarceRow:
    layout, pools = taken.layout, len(taken.layout.pools)
    part = list(ScarceKind).index(one.kind)
    at = part * pools + one.number
    times, by = AMOUNTS[one.kind]
    given = {
        "free": int(room[at]) * times // by,
        "whole": int(taken.whole[at]) * times // by,
        "micro_yuan": one.micro_yuan,
        "whole_micro_yuan": one.worth,
    }
    if one.kind is not ScarceKind.SHARED:
        pool, site = layout.pools[one.number]
        resource = {
            ScarceKind.CPU: ScarceResource.NODE if pool.kind in BY_NODES else ScarceResource.CORE,
            ScarceKind.MEMORY: ScarceResource.MEMORY,
            ScarceKind.CARD: ScarceResource.CARD,
        }[one.kind]
        model = pool.accelerator_model if resource is ScarceResource.CARD else None
        return ScarceRow(resource=resource, id=pool.id, site=site.id, model=model, **given)
    given["micro_yuan"] = int(solution.price[at]) * MBPS_A_GBPS >> PRICE_BITS
    links = len(layout.network.to)
    if one.number >= links:
        security, site = list(layout.index.security_pools.values())[one.number - links]
        return ScarceRow(resource=ScarceResource.SECURITY, id=security.id, site=site.id, **given)
    link, back = layout.index.grid.links[one.number // 2], one.number % 2
    ends = (link.b, link.a) if back else (link.a, link.b)
    name = f"{link.id}:{'ba' if back else 'ab'}"
    return ScarceRow(resource=ScarceResource.LINK, id=name, site=ends[0], to=ends[1], **given)
