"""The proven gap of each batch in a grid that is full: prices are solved once, and prove something of the batches after.

Arrivals and ends go on; each batch is decided by the kernel, and its cost is held against the bound that the prices at
hand give for this very batch and the room that was free before it. The age of the prices is counted in batches.
"""

import time
from typing import Any

import numpy as np

from suanwang.guide import Optimiser, room_of
from suanwang.guide.batch import BatchProver, cost_of
from suanwang.plan.kernel.types import I64

from .growth import Steady
from .worlds import make_world


def proven(
    servers: int, batch: int, batches: int, classes: int = 2_000, sites: int = 300, seed: int = 1
) -> dict[str, Any]:
    """Gap and milliseconds of the proof of each batch, by the age of its prices in batches."""
    world = make_world(seed, sites=sites, servers=servers, classes=classes)
    steady = Steady(world, batch * batches, batch)
    prover, optimiser = BatchProver(world.fabric, world.classes), Optimiser(world.fabric, world.classes)
    rows, solve_s = [], 0.0
    for turn in range(batches):
        steady.release_before_next()
        before = _room(steady)
        decided = steady.one_batch()
        cost, tasks = cost_of(world.classes, decided)
        if turn == 0:
            pool = steady.state.arrays.free.pool
            begun = time.perf_counter()
            bound = optimiser.prove(before[: pool.size].reshape(3, -1).T, before[pool.size :], tasks, made_us=0)
            solve_s = time.perf_counter() - begun
            assert optimiser.last is not None
            begun = time.perf_counter()
            prover.hold(optimiser.last.price, made_us=0)
            hold_ms = 1e3 * (time.perf_counter() - begun)
            best = bound.gap(cost)
        begun = time.perf_counter()
        proof = prover.prove(tasks, before, _room(steady), cost, now_us=turn)
        rows.append({"age_batches": proof.age_us, "gap": proof.gap, "prices_used": proof.prices_used,
                     "ms": 1e3 * (time.perf_counter() - begun), "work": proof.work})  # fmt: skip
    return {
        "nodes": int(world.fabric.node_first[-1]),
        "batch": batch,
        "gap_by_solving": best,
        "solve_s": solve_s,
        "hold_ms": hold_ms,
        "gap_median": float(np.median([row["gap"] for row in rows])),
        "ms_median": float(np.median([row["ms"] for row in rows])),
        "batches": rows,
    }


def _room(steady: Steady) -> I64:
    free = steady.state.arrays.free
    return room_of(free.pool, free.shared)
