"""The same batch by a solver: HiGHS' own time for it beside the kernel's, in one run.

HiGHS is given far less to do: the linear relaxation, tasks merged into classes, pools as sums without nodes and cards,
and only the columns that pay (`suanwang.guide.program`). The kernel decides every task, with its node and cards.
"""

import time
from typing import Any

import numpy as np

from suanwang.guide.bound import Bound
from suanwang.guide.problem import whole_fabric
from suanwang.guide.program import solve
from suanwang.plan.kernel import State, Tasks, decide
from suanwang.plan.kernel.warm import warm

from .gap import cost_of
from .worlds import batch_stream, make_world


def beside_highs(sites: int, servers: int, classes: int = 2_000, load: float = 0.9, seed: int = 1) -> dict[str, Any]:
    """One batch, nothing held before it, decided by the kernel and solved by HiGHS, one thread each."""
    warm()
    world = make_world(seed, sites=sites, servers=servers, classes=classes)
    task_class = batch_stream(world, seed, load).task_class
    state = State(world.fabric, world.classes)
    tasks = Tasks(np.arange(len(task_class)), task_class, np.zeros(len(task_class), np.uint8))
    core, wall = time.thread_time(), time.perf_counter()
    rows = decide(state, tasks)
    core, wall = time.thread_time() - core, time.perf_counter() - wall
    cost, refused = cost_of(world, rows)
    count = np.bincount(task_class, minlength=len(world.classes.cpu)).astype(np.int64)
    whole_s = time.thread_time()
    solution = solve(whole_fabric(world.fabric, world.classes, count))
    whole_s = time.thread_time() - whole_s
    return {
        "tasks": len(task_class),
        "nodes": int(world.fabric.node_first[-1]),
        "kernel_s": wall,
        "kernel_core_s": core,
        "highs_s": solution.seconds,
        "highs_with_columns_core_s": whole_s,
        "highs_over_kernel": solution.seconds / wall,  # wall seconds both: HiGHS tells no others
        "highs_scope": "linear relaxation of merged classes over pools; no nodes, no cards",
        "cost_micro_yuan": cost,
        "refused": refused,
        "bound_micro_yuan": solution.bound,
        "gap_without_guidance": Bound(solution.bound, len(task_class), 0).gap(cost),
    }
