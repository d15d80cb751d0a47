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

from suanwang.guide import Optimiser, remaining, room_of, scarce
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


def guided(world: World, day: Day, solves: int, optimiser: Optimiser, batch: int = BATCH) -> dict[str, Any]:
    """The day decided with guidance that is made anew `solves` times; the solver's time stands apart."""
    state = State(world.fabric, world.classes)
    rows: list[Decisions] = []
    edges = np.searchsorted(day.at, np.arange(solves + 1) / solves)
    optimise_s, guide_s, decide_s = [], 0.0, 0.0
    for turn, (first, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        seen = np.bincount(day.task_class[:first], minlength=len(world.classes.cpu)).astype(np.int64)
        begun = time.perf_counter()
        free = state.arrays.free
        guidance = optimiser.advise(free.pool, free.shared, remaining(day.past, seen, turn / solves))
        optimise_s.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        state.guide(guidance)
        guide_s += time.perf_counter() - begun
        begun = time.perf_counter()
        rows += _decide(state, day.task_class[first:end], first, Policy.CHEAPEST, batch)
        decide_s += time.perf_counter() - begun
    return _sum(world, rows) | {
        "decide_s": decide_s,
        "take_guidance_s": guide_s,
        "optimise_s": sum(optimise_s),
        "optimise_first_s": optimise_s[0],
        "optimise_again_s": float(np.median(optimise_s[1:])) if solves > 1 else 0.0,
    }


def case(world: World, seed: int, load: float, solves: int, batch: int = BATCH) -> dict[str, Any]:
    """One day of one world: the bound, and how far above it ours and each baseline are."""
    day = make_day(world, seed, load)
    fabric = world.fabric
    optimiser = Optimiser(fabric, world.classes)
    runs = {"ours": guided(world, day, solves, optimiser, batch)}
    runs |= {policy.name.lower(): baseline(world, day, policy, batch) for policy in BASELINES}
    # Only now: what was served, in hindsight, on the columns that the day left behind and all that they miss.
    served = np.bincount(day.task_class, minlength=len(world.classes.cpu)).astype(np.int64)
    whole = np.stack([fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli], axis=1)
    begun = time.perf_counter()
    bound = optimiser.prove(whole, fabric.capacity, served, made_us=0)
    assert optimiser.last is not None
    room = room_of(whole, fabric.capacity)
    return {
        "load": load,
        "solves": solves,
        "tasks": bound.tasks,
        "candidates": len(world.classes.cand_pool),
        "columns": optimiser.last.made,
        "bound_micro_yuan": bound.micro_yuan,
        "bound_slack": optimiser.last.value / max(bound.micro_yuan, 1) - 1,
        "bound_s": time.perf_counter() - begun,
        "links_with_a_price": int((optimiser.last.price[3 * len(whole) :][: world.link_count] > 0).sum()),
        "scarcest": [row._asdict() for row in scarce(fabric, optimiser.last.price, room, 5)],
        "runs": {name: {"gap": bound.gap(one["cost_micro_yuan"])} | one for name, one in runs.items()},
    }


SIZES = {"sites": (3, 25), "servers": (40, 600), "classes": (10, 120)}
TINY = {"sites": (2, 12), "servers": (10, 200), "classes": (5, 80)}  # a task may be a third of all that a day costs


def instance(number: int, sizes: dict[str, tuple[int, int]] = SIZES) -> tuple[World, float]:
    """A small random world and its load."""
    draw = np.random.default_rng([number, 103])
    drawn = {name: int(draw.integers(*limits)) for name, limits in sizes.items()}
    load, scarce_links = float(draw.uniform(0.4, 1.2)), bool(draw.random() < 0.4)
    return make_world(10_000 + number, **drawn, scarce_links=scarce_links), load


def compare(count: int, solves: int = 10, first: int = 0, tiny: bool = True) -> dict[str, Any]:
    """Ours against each baseline on random worlds: cost of ours over cost of theirs, less one.

    `tiny`: every fourth world is a tiny one; their figures stand apart too. `first`: where the numbers of the worlds
    begin, so that others may be drawn than those that anything was tried on.
    """
    above: dict[str, list[float]] = {policy.name.lower(): [] for policy in BASELINES}
    gaps, small, numbers = [], [], []
    for number in range(first, first + count):
        is_tiny = tiny and number % 4 == 3
        world, load = instance(number, TINY if is_tiny else SIZES)
        runs = case(world, number, load, solves, batch=256)["runs"]
        gaps.append(runs["ours"]["gap"])
        small.append(is_tiny)
        numbers.append(number)
        for name, rest in above.items():
            rest.append(runs["ours"]["cost_micro_yuan"] / max(runs[name]["cost_micro_yuan"], 1) - 1)
    worst = np.max(np.array(list(above.values())), axis=0)  # of each world: against the best of the baselines
    few = np.array(small, bool)
    return {
        "instances": count,
        "first": first,
        "our_gap_mean": float(np.mean(gaps)),
        "against": {
            name: {"mean": float(np.mean(rest)), "worst": max(rest), "over_half_percent": sum(x > 0.005 for x in rest)}
            for name, rest in above.items()
        },
        "against_the_best": {
            name: _spread(worst[which])
            for name, which in (("all", few | True), ("usual", ~few), ("tiny", few))
            if which.any()
        },
        "worse_by_half_a_percent": [number for number, one in zip(numbers, worst.tolist(), strict=True) if one > 0.005],
    }


def _spread(rest: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, Any]:
    over = int((rest > 0.005).sum())
    return {"worlds": len(rest), "mean": float(rest.mean()), "worst": float(rest.max()), "over_half_percent": over}


def measure(quick: bool = False, seed: int = 1, solves: int = 10, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """The three cases and the comparison. Quick: 1,500 servers, 200 classes, 8 instances."""
    size = {"servers": 1_500, "classes": 200, "sites": 60} if quick else {}
    out: dict[str, Any] = {"quick": quick, "seed": seed, "cases": {}}
    for name, load, scarce_links in CASES:
        if names and name not in names:
            continue
        out["cases"][name] = case(make_world(seed, scarce_links=scarce_links, **size), seed, load, solves)
        out[name] = out["cases"][name]["runs"]["ours"]["gap"]
    if not names:
        out["instances"] = compare(8 if quick else 200)
    return out


def main() -> None:
    """Print the measured figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--quick", action="store_true", help="small worlds, under a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--solves", type=int, default=10, help="how often a day's guidance is made")
    parser.add_argument("--instances", type=int, help="only the comparison, on so many worlds")
    parser.add_argument("--first", type=int, default=0, help="number of the first of these worlds")
    parser.add_argument("--case", action="append", default=[], choices=[name for name, *_ in CASES])
    asked = parser.parse_args()
    if asked.instances:
        print(json.dumps(compare(asked.instances, asked.solves, asked.first), indent=None if asked.json else 2))
        return
    out = measure(asked.quick, asked.seed, asked.solves, tuple(asked.case))
    if asked.json:
        print(json.dumps(out))
        return
    for name, one in out["cases"].items():
        print(
            f"{name}: {one['tasks']:,} tasks, bound {one['bound_micro_yuan'] / 1e6:,.0f} yuan ({one['bound_s']:.1f} s)"
        )
        for policy, run in one["runs"].items():
            spent = f", solving {run['optimise_s']:.1f} s" if "optimise_s" in run else ""
            print(
                f"  {policy:14}{run['gap']:8.2%}  {run['refused']:7,} refused, deciding {run['decide_s']:.2f} s{spent}"
            )
    for name, one in out.get("instances", {}).get("against", {}).items():
        print(
            f"{out['instances']['instances']} worlds, ours over {name:14} {one['mean']:+.2%}, worst {one['worst']:+.2%}"
        )
    for name, one in out.get("instances", {}).get("against_the_best", {}).items():
        print(
            f"{one['worlds']} {name} worlds, ours over the best of the baselines: mean {one['mean']:+.2%}, "
            f"worst {one['worst']:+.2%}, {one['over_half_percent']} beyond half a percent"
        )


if __name__ == "__main__":
    main()
