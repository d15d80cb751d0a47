"""Tiny problems by seed, and what is true of them by the plainest means."""

import itertools

import highspy
import numpy as np

from suanwang.guide import Problem, whole_fabric
from suanwang.plan.kernel.types import I64, WHOLE, Classes, Fabric, pool_sums


def problem(seed: int, classes: int = 3, tasks: int = 2) -> Problem:
    """Up to three pools of up to two nodes, three shared resources, four routes, a floating licence, some gangs."""
    draw = np.random.default_rng(seed)
    pools = int(draw.integers(1, 4))
    nodes = draw.integers(1, 3, pools)
    shape = [draw.integers(low, high, pools).astype(np.int32) for low, high in ((2_000, 8_001), (4, 17), (0, 3))]
    first = np.concatenate(([0], np.cumsum(nodes))).astype(np.int32)
    size = np.concatenate(([0], draw.integers(1, 4, 3)))  # the first route crosses nothing
    fabric = Fabric(
        np.arange(pools, dtype=np.int32),
        np.full(pools, -1, np.int32),
        np.ones(pools, np.int64),
        *pool_sums(first, *shape),
        first,
        *shape,
        np.concatenate((draw.integers(0, 300, 2), draw.integers(0, 4, 1))).astype(np.int64),
        np.concatenate(([0], np.cumsum(size))).astype(np.int32),
        draw.integers(0, 2, size.sum()).astype(np.int32),  # a link may be crossed twice
        np.arange(4, dtype=np.int64),
    )
    milli = draw.choice([0, 0, 250, WHOLE, 2 * WHOLE], classes).astype(np.int32)
    parts = []
    for _ in range(classes):
        choice = sorted(set(zip(draw.integers(0, pools, 4).tolist(), draw.integers(-1, 4, 4).tolist(), strict=True)))
        parts.append(sorted((int(draw.integers(1, 1_000)), *one) for one in choice[: int(draw.integers(0, 5))]))
    flat = [one for part in parts for one in part]
    floats = draw.integers(0, 2, classes)
    made = Classes(
        draw.integers(1, 5_000, classes).astype(np.int32),
        draw.integers(1, 9, classes).astype(np.int32),
        (-(-milli // WHOLE)).astype(np.int32),
        milli,
        draw.integers(0, 200, classes).astype(np.int64),
        draw.choice([1, 1, 1, 2], classes).astype(np.int32),
        np.full(classes, 1_000, np.int64),
        draw.integers(1, 1_500, classes).astype(np.int64),
        np.cumsum([0] + [len(part) for part in parts]).astype(np.int32),
        np.array([one[1] for one in flat], np.int32),
        np.array([one[2] for one in flat], np.int32),
        np.array([one[0] for one in flat], np.int64),
        np.concatenate(([0], np.cumsum(floats))).astype(np.int32),
        np.full(floats.sum(), 2, np.int32),
        np.ones(floats.sum(), np.int64),
    )
    return whole_fabric(fabric, made, draw.integers(0, tasks + 1, classes))


def takes(problem: Problem, task_class: int, candidate: int) -> I64:
    """What one task takes of every row, by the words of the data model."""
    fabric, classes = problem.fabric, problem.classes
    pools = len(fabric.pool_site)
    out = np.zeros(len(problem.room), np.int64)
    for part, need in enumerate((classes.cpu, classes.mem, classes.milli)):
        out[part * pools + classes.cand_pool[candidate]] = int(need[task_class]) * int(classes.nodes[task_class])
    route = int(classes.cand_route[candidate])
    if route >= 0:
        for at in range(fabric.route_first[route], fabric.route_first[route + 1]):
            out[3 * pools + fabric.route_use[at]] += classes.mbps[task_class]
    for at in range(classes.float_first[task_class], classes.float_first[task_class + 1]):
        out[3 * pools + classes.float_use[at]] += classes.float_amount[at]
    return out


def best_by_trying(problem: Problem) -> int:
    """The least cost over every way to place or refuse each task; pools as one big node."""
    classes = problem.classes
    who = np.repeat(np.arange(len(classes.cpu)), problem.tasks).tolist()
    choices = [[-1, *range(classes.cand_first[one], classes.cand_first[one + 1])] for one in who]
    best = None
    for picked in itertools.product(*choices):
        used = sum((takes(problem, one, x) for one, x in zip(who, picked, strict=True) if x >= 0), 0 * problem.room)
        if (used > problem.room).any():
            continue
        cost = sum(
            int(classes.reject_cost[one] if x < 0 else classes.cand_cost[x]) for one, x in zip(who, picked, strict=True)
        )
        best = cost if best is None else min(best, cost)
    assert best is not None
    return best


def relaxed_value(problem: Problem) -> float:
    """The linear program with all its columns and refusals written out, solved at once."""
    classes, model = problem.classes, highspy.Highs()
    model.silent()
    where = [
        [model.addVariable(0, highspy.kHighsInf, float(classes.reject_cost[one]))] for one in range(len(classes.cpu))
    ]
    load: dict[int, list[tuple[float, object]]] = {}
    for one in range(len(classes.cpu)):
        for x in range(classes.cand_first[one], classes.cand_first[one + 1]):
            column = model.addVariable(0, highspy.kHighsInf, float(classes.cand_cost[x]))
            where[one].append(column)
            for row in np.flatnonzero(use := takes(problem, one, x)).tolist():
                load.setdefault(row, []).append((float(use[row]), column))
    for one, columns in enumerate(where):
        model.addConstr(sum(columns) == float(problem.tasks[one]))
    for row, terms in load.items():
        model.addConstr(sum(amount * column for amount, column in terms) <= float(problem.room[row]))
    model.run()
    return float(model.getInfo().objective_function_value)
