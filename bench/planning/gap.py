"""How far decisions lie above the linear program's bound, for our guidance and for each baseline.

    python -m bench.planning.gap            # three cases of the full world, then 200 small instances; --json, --quick

Cost = cost of the candidates taken + refusals at twice the class's median cost. One day of arrivals without releases is
decided by the kernel in micro-batches. The guidance sees counts of earlier days and what came today so far, nothing
else; it is made anew at even times of the day. The bound is of the very arrivals that were served, over all candidates
and exact classes, certified in integers. Solving is timed apart from deciding.
"""

import argparse
import json
import time
from typing import Any, NamedTuple

import numpy as np

from suanwang.guide import Budget, Optimiser, remaining, solve, whole_fabric
from suanwang.plan.kernel import Decisions, Policy, State, Tasks, decide
from suanwang.plan.kernel.types import I32, I64, take

from .worlds import World, batch_stream, make_world

BATCH = 8_192  # tasks of a micro-batch
PAST_DAYS = 5
DRIFT = 0.1  # from day to day each class's rate is off by exp(normal(0, DRIFT))
BASELINES = (Policy.CHEAPEST, Policy.BEST_FIT, Policy.FIRST_FIT, Policy.CHEAPEST_SITE, Policy.NEAREST_SITE)
CASES = (("gap_load_090", 0.90, False), ("gap_load_105", 1.05, False), ("gap_scarce_links", 0.90, True))


class Day(NamedTuple):
    """Arrivals of one day in order, the time of each in parts of the day, and the counts of the days before."""

    task_class: I32
    at: np.ndarray[tuple[int], np.dtype[np.float64]]
    past: I64  # [days, C]


def make_day(world: World, seed: int, load: float) -> Day:
    """Today and the days before it: the same rates, each day off by its own drift."""
    classes = len(world.classes.cpu)
    today = batch_stream(world, seed, load, DRIFT).task_class
    past = [batch_stream(world, 1_000 + 100 * seed + day, load, DRIFT).task_class for day in range(PAST_DAYS)]
    at = np.sort(np.random.default_rng([seed, 102]).random(len(today)))
    return Day(today, at, np.stack([np.bincount(one, minlength=classes) for one in past]).astype(np.int64))


def cost_of(world: World, rows: Decisions) -> tuple[int, int]:
    """(total cost in micro-yuan, refusals)."""
    refused = rows.candidate < 0
    return int(rows.cost.sum()) + int(world.classes.reject_cost[rows.task_class[refused]].sum()), int(refused.sum())


def _decide(state: State, task_class: I32, first: int, policy: Policy, batch: int) -> list[Decisions]:
    out = []
    for at in range(0, len(task_class), batch):
        part = task_class[at : at + batch]
        tasks = Tasks(np.arange(first + at, first + at + len(part)), part, np.zeros(len(part), np.uint8))
        rows = decide(state, tasks, policy)
        out.append(take(rows, slice(None)))
    return out


def _sum(world: World, rows: list[Decisions]) -> dict[str, Any]:
    parts = [cost_of(world, one) for one in rows]
    return {"cost_micro_yuan": sum(one[0] for one in parts), "refused": sum(one[1] for one in parts)}


def baseline(world: World, day: Day, policy: Policy, batch: int = BATCH) -> dict[str, Any]:
    """The day decided by one policy."""
    state = State(world.fabric, world.classes)
    start = time.perf_counter()
    rows = _decide(state, day.task_class, 0, policy, batch)
    return _sum(world, rows) | {"decide_s": time.perf_counter() - start}


def guided(world: World, day: Day, solves: int, batch: int = BATCH, gap: float = 1e-3) -> dict[str, Any]:
    """The day decided with guidance that is made anew `solves` times."""
    state = State(world.fabric, world.classes)
    start = time.perf_counter()
    optimiser = Optimiser(world.fabric, world.classes, Budget(gap=gap))
    solver_s = [0.0] * solves
    rows: list[Decisions] = []
    edges = np.searchsorted(day.at, np.arange(solves + 1) / solves)
    deciding = 0.0
    for turn in range(solves):
        seen = np.bincount(day.task_class[: edges[turn]], minlength=len(world.classes.cpu)).astype(np.int64)
        begun = time.perf_counter()
        count = remaining(day.past, seen, turn / solves)
        free = state.arrays.free
        guidance = optimiser.advise(free.pool, free.shared, count)
        solver_s[turn] = time.perf_counter() - begun
        begun = time.perf_counter()
        state.guide(guidance)
        rows += _decide(state, day.task_class[edges[turn] : edges[turn + 1]], int(edges[turn]), Policy.CHEAPEST, batch)
        deciding += time.perf_counter() - begun
    return _sum(world, rows) | {
        "decide_s": deciding,
        "optimise_s": sum(solver_s),
        "optimise_first_s": solver_s[0],
        "optimise_last_s": solver_s[-1],
        "wall_s": time.perf_counter() - start,
    }


def case(
    load: float, scarce: bool, seed: int = 1, servers: int = 30_000, solves: int = 20, **world_of: int
) -> dict[str, Any]:
    """One world: the bound, our gap and the gap of each baseline."""
    world = make_world(seed, servers=servers, scarce_links=scarce, **world_of)
    day = make_day(world, seed, load)
    count = np.bincount(day.task_class, minlength=len(world.classes.cpu)).astype(np.int64)
    begun = time.perf_counter()
    proof = solve(whole_fabric(world.fabric, world.classes, count))
    bound_s = time.perf_counter() - begun
    out: dict[str, Any] = {
        "tasks": len(day.task_class),
        "candidates": len(world.classes.cand_pool),
        "bound_micro_yuan": proof.bound,
        "bound_slack": proof.value / proof.bound - 1,
        "bound_s": bound_s,
        "columns": proof.made,
    }
    for name, one in [("ours", guided(world, day, solves))] + [
        (policy.name.lower(), baseline(world, day, policy)) for policy in BASELINES
    ]:
        out[name] = one | {"gap": one["cost_micro_yuan"] / proof.bound - 1}
    return out
