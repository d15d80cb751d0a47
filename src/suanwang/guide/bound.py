"""A lower bound of the batch problem that holds whatever the solver did.

For any prices y >= 0 of the resources, each task pays at least the least of its refusal and of its candidates with the
use of resources priced in; what the room is worth at y is the most that this can count twice. So

    sum over classes of tasks * min(reject, min over candidates (cost + y * use))  -  y * room

is at most the cost of every decision that holds to the room (weak duality). It is computed in integers over all
candidates and exact classes; the solver's tolerances cannot make it too high, only worse prices make it lower.
"""

from typing import NamedTuple

import numpy as np

from suanwang.guide.problem import Problem, owner, priced
from suanwang.plan.kernel.types import I64

PRICE_BITS = 16
"""Prices are integers in 2**-16 micro-yuan a unit: a GiB costs a few micro-yuan a MiB, too coarse for whole ones."""
SAFE_BITS = 57  # price times use of one candidate, so that sums stay inside 64 bits


class Bound(NamedTuple):
    """A lower bound in micro-yuan of total cost with refusals, and when it was made."""

    micro_yuan: int
    tasks: int
    made_us: int

    def gap(self, cost: int) -> float:
        """How far above the bound a cost is, as a fraction of the bound."""
        return (cost - self.micro_yuan) / max(self.micro_yuan, 1)

    def age_us(self, now_us: int) -> int:
        """How old the bound is: a bound of yesterday's queue says little about today's."""
        return now_us - self.made_us


def integer_prices(problem: Problem, price: np.ndarray[tuple[int], np.dtype[np.float64]]) -> I64:
    """Prices f64[M] in micro-yuan a unit as integers in 2**-16, never below zero, none so high that sums overflow."""
    classes, pools = problem.classes, len(problem.fabric.pool_site)
    most = np.ones(len(price))
    for part, need in enumerate((classes.cpu, classes.mem, classes.milli)):
        most[part * pools : (part + 1) * pools] = float((need.astype(np.int64) * classes.nodes).max(initial=1))
    most[3 * pools :] = 16.0 * float(max(classes.mbps.max(initial=1), classes.float_amount.max(initial=1)))
    limit = 2.0**SAFE_BITS / most
    return np.minimum(np.maximum(np.round(price * 2.0**PRICE_BITS), 0.0), limit).astype(np.int64)


def least_bids(problem: Problem, price: I64, owners: I64) -> tuple[I64, I64]:
    """(cost plus priced use of each candidate, i64[X]; the least of refusal and candidates, i64[C]) in 2**-16."""
    classes = problem.classes
    bids = (classes.cand_cost << PRICE_BITS) + priced(problem.fabric, classes, owners, price)
    least = classes.reject_cost << PRICE_BITS
    some = np.flatnonzero(np.diff(classes.cand_first))
    if len(some):
        least[some] = np.minimum(least[some], np.minimum.reduceat(bids, classes.cand_first[some]))
    return bids, least


def certified_bound(problem: Problem, price: I64, owners: I64 | None = None) -> int:
    """The bound at these prices (integers in 2**-16 micro-yuan), in micro-yuan, rounded up as every cost is whole."""
    assert (price >= 0).all(), "a negative price proves nothing"
    _, least = least_bids(problem, price, owner(problem.classes) if owners is None else owners)
    return bound_of(problem, price, least)


def bound_of(problem: Problem, price: I64, least: I64) -> int:
    """The bound where `least_bids` are known."""
    pays: int = sum(count * one for count, one in zip(problem.tasks.tolist(), least.tolist(), strict=True))
    held: int = sum(room * one for room, one in zip(problem.room.tolist(), price.tolist(), strict=True) if one)
    return -((held - pays) >> PRICE_BITS)
