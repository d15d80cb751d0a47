"""The batch problem as a linear program over (class, candidate), in integers.

Minimise the cost of candidates taken plus the cost of refusals, so that no class gets more places than it has tasks
and no resource is used beyond its room. Rows of resources, in this order: processors of each pool (milli-cores),
memory of each pool (MiB), cards of each pool (milli), then the shared resources of the fabric. Nodes are not rows: a
pool counts as one big node, which makes the program a relaxation and its value a lower bound.

Letters of shapes as in `plan.kernel.types`; M = 3 * P + R rows of resources.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import I32, I64, Classes, Fabric


class Problem(NamedTuple):
    """So many tasks of each class, and what is free for them."""

    fabric: Fabric
    classes: Classes
    tasks: I64  # [C] how many of each class are to be placed
    room: I64  # [M]


class Uses(NamedTuple):
    """What columns take, as a matrix by columns."""

    start: I64  # [columns + 1]
    row: I64  # [...] resource
    amount: I64  # [...] of it, in its unit


def room_of(pool: I64, shared: I64) -> I64:
    """Rows of what is free: pool i64[P, 3] (cpu, mem, milli), shared i64[R]."""
    return np.concatenate((pool.T.reshape(-1), shared)).astype(np.int64)


def whole_fabric(fabric: Fabric, classes: Classes, tasks: I64) -> Problem:
    """The problem of an empty fabric."""
    pool = np.stack([fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli], axis=1)
    return Problem(fabric, classes, tasks.astype(np.int64), room_of(pool, fabric.capacity))


def owner(classes: Classes) -> I64:
    """Class of each candidate, i64[X]."""
    return np.repeat(np.arange(len(classes.cpu)), np.diff(classes.cand_first))


def needs(classes: Classes) -> I64:
    """Milli-cores, MiB and milli of cards of the whole task, all its nodes together, i64[3, C]."""
    return np.stack([classes.cpu, classes.mem, classes.milli]).astype(np.int64) * classes.nodes.astype(np.int64)


def uses(fabric: Fabric, classes: Classes, columns: I64, owners: I64) -> Uses:
    """What each of the candidates `columns` takes; `owners` is the class of each."""
    pools, shared = len(fabric.pool_site), 3 * len(fabric.pool_site)
    at = np.arange(len(columns))
    pool = classes.cand_pool[columns].astype(np.int64)
    parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for part, need in enumerate(needs(classes)):
        some = np.flatnonzero(need[owners] > 0)
        parts.append((at[some], part * pools + pool[some], need[owners[some]]))
    route = classes.cand_route[columns].astype(np.int64)
    crossing = np.flatnonzero((route >= 0) & (classes.mbps[owners] > 0))
    which, inside = _spread(fabric.route_first, route[crossing])
    parts.append((crossing[which], shared + fabric.route_use[inside], classes.mbps[owners[crossing[which]]]))
    which, inside = _spread(classes.float_first, owners)
    parts.append((which, shared + classes.float_use[inside], classes.float_amount[inside]))
    column, row, amount = (np.concatenate(part).astype(np.int64) for part in zip(*parts, strict=True))
    # A road may cross a link twice: one entry of the sum, as a matrix wants it.
    key, back = np.unique(column * (shared + len(fabric.capacity)) + row, return_inverse=True)
    total = np.zeros(len(key), np.int64)
    np.add.at(total, back, amount)
    column, row = np.divmod(key, shared + len(fabric.capacity))
    return Uses(np.searchsorted(column, np.arange(len(columns) + 1)), row, total)


def _spread(first: I32, rows: I64) -> tuple[I64, I64]:
    """For lists stored end to end: (which of `rows`, index of the entry) for every entry of their lists."""
    start, size = first[rows].astype(np.int64), (first[rows + 1] - first[rows]).astype(np.int64)
    which = np.repeat(np.arange(len(rows)), size)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(size) - size, size) + np.repeat(start, size)


def priced(fabric: Fabric, classes: Classes, owners: I64, price: I64) -> I64:
    """Sum of price times use of every candidate, i64[X], in the unit of `price` i64[M]."""
    pools = len(fabric.pool_site)
    cpu, mem, milli, shared = np.split(price, [pools, 2 * pools, 3 * pools])
    need = needs(classes)
    pool = classes.cand_pool
    sums = np.concatenate(([0], np.cumsum(shared[fabric.route_use])))
    road = np.append(sums[fabric.route_first[1:]] - sums[fabric.route_first[:-1]], 0)  # route -1 crosses nothing
    sums = np.concatenate(([0], np.cumsum(shared[classes.float_use] * classes.float_amount)))
    floating = sums[classes.float_first[1:]] - sums[classes.float_first[:-1]]
    out = need[0][owners] * cpu[pool] + need[1][owners] * mem[pool] + need[2][owners] * milli[pool]
    out += classes.mbps[owners] * road[classes.cand_route] + floating[owners]
    return np.asarray(out, np.int64)
