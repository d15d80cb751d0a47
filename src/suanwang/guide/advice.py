"""From a solution to `Guidance`: whole quotas from the primal side, bid prices from the dual side."""

import numpy as np

from suanwang.guide.bound import PRICE_BITS
from suanwang.guide.problem import owner, priced
from suanwang.guide.program import Solution
from suanwang.plan.kernel.types import I64, Classes, Fabric, Guidance


def quotas(classes: Classes, solution: Solution) -> I64:
    """Whole tasks a candidate, i64[X]: floors, then one more to the largest rests until each class's sum is met."""
    out = np.zeros(len(classes.cand_pool), np.int64)
    owners = owner(classes)[solution.columns]
    floor = np.floor(solution.amount + 1e-6).astype(np.int64)
    out[solution.columns] = floor
    rest = np.maximum(solution.amount - floor, 0.0)
    wanted = np.round(np.bincount(owners, rest, len(classes.cpu))).astype(np.int64)
    order = np.lexsort((solution.columns, -rest, owners))
    ranked = owners[order]
    place = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    out[solution.columns[order[place < wanted[ranked]]]] += 1
    return out


def bid_costs(fabric: Fabric, classes: Classes, price: I64) -> I64:
    """Cost plus the worth of what is held, i64[X] micro-yuan, rounded up: a tie with refusing is no gain."""
    return classes.cand_cost - (-priced(fabric, classes, owner(classes), price) >> PRICE_BITS)


def advise(fabric: Fabric, classes: Classes, solution: Solution, version: int) -> Guidance:
    """The guidance of a solution; the version numbers it in the log."""
    bids = bid_costs(fabric, classes, solution.price)
    order = np.lexsort((np.arange(len(bids)), bids, owner(classes))).astype(np.int32)
    return Guidance(version, quotas(classes, solution), order, bids)
