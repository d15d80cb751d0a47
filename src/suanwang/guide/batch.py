"""A proven gap for each batch, from prices that are at hand: no solving, and no more work than was allowed.

Weak duality (`bound`) holds at any prices. Prices solved for an earlier batch prove something of this one; how much is
told by their age. They are tried as they are, at halves and quarters, and cut to what the batch used up, for a price on
what nobody lacks only lowers the bound. The greatest bound counts. All of it is integers.

    prover = BatchProver(fabric, classes)
    prover.hold(solution.price, made_us)
    proven = prover.prove(counts, room_before, room_after, cost, now_us, work)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.guide.bound import PRICE_BITS, Bound, bound_of
from suanwang.guide.problem import Problem, owner, priced
from suanwang.plan.kernel.types import I32, I64, Classes, Decisions, Fabric

WORK = 1_500_000  # candidates priced for one batch: some 50 ms
NEARLY = 20  # used up: less than one part in so many is left
HALVES = (0, 1, 2)  # prices shifted right by so much


class BatchProof(NamedTuple):
    """What deciding a batch cost, and what it must cost at least."""

    cost: int  # micro-yuan, refusals at what the class says
    bound: Bound
    now_us: int
    prices_used: bool  # False: the bound is every task at its cheapest, as if all of the grid were free
    work: int  # candidates priced

    @property
    def gap(self) -> float:
        """How far above the bound the batch is, at most."""
        return self.bound.gap(self.cost)

    @property
    def age_us(self) -> int:
        """How old the prices are; without any, 0."""
        return self.bound.age_us(self.now_us) if self.prices_used else 0


def cost_of(classes: Classes, rows: Decisions) -> tuple[int, I64]:
    """(cost of a batch with its refusals, tasks of each class, i64[C]) from its rows."""
    refused = rows.candidate < 0
    first = refused | (rows.reason == 0)
    cost = int(rows.cost.sum()) + int(classes.reject_cost[rows.task_class[refused]].sum())
    return cost, np.bincount(rows.task_class[first], minlength=len(classes.cpu)).astype(np.int64)


class BatchProver:
    """Keeps prices and the worth of each class at them."""

    def __init__(self, fabric: Fabric, classes: Classes) -> None:
        self._fabric, self._classes = fabric, classes
        self._owner = owner(classes)
        self._size = np.diff(classes.cand_first).astype(np.int64)
        self._all = np.arange(len(self._size))
        self._made_us = 0
        self._price: I64 | None = None
        self._bare = self._least(self._all, None)
        self._least_held: list[tuple[int, I64]] = []

    def hold(self, price: I64, made_us: int) -> None:
        """Prices of a solution, i64[M] in 2**-16 micro-yuan; the time labels all that is proven with them.

        Raises ValueError for a price below zero, which proves nothing.
        """
        if len(price) and price.min() < 0:
            raise ValueError("a price below zero proves nothing")
        self._price, self._made_us = price.copy(), made_us
        self._least_held = [(shift, self._least(self._all, price >> shift)) for shift in HALVES]

    def prove(
        self, tasks: I64, before: I64, after: I64, cost: int, now_us: int, work: int = WORK
    ) -> BatchProof:  # fmt: skip
        """The proof for a batch of `tasks` i64[C]; room i64[M] (`problem.room_of`) before it, and what it left."""
        problem = Problem(self._fabric, self._classes, tasks, np.maximum(before, 0))
        nothing = np.zeros(len(before), np.int64)
        best, used, spent = bound_of(problem, nothing, self._bare), False, 0
        if self._price is not None:
            for shift, least in self._least_held:
                found = bound_of(problem, self._price >> shift, least)
                best, used = max(best, found), used or found > best
            come = np.flatnonzero(tasks)
            each = int(self._size[come].sum())
            scarce = after * NEARLY <= before
            for shift in HALVES:
                if spent + each > work:
                    break
                cut = np.where(scarce, self._price >> shift, 0)
                least = nothing[:0] if not len(come) else self._least(come, cut)
                whole = self._bare.copy()
                whole[come] = least
                spent += each
                found = bound_of(problem, cut, whole)
                best, used = max(best, found), used or found > best
        made_us = self._made_us if used else now_us
        return BatchProof(cost, Bound(best, int(tasks.sum()), made_us), now_us, used, spent)

    def _least(self, which: NDArray[np.integer], price: I64 | None) -> I64:
        """The least of refusal and of candidates at the prices, of some classes, in 2**-16 micro-yuan."""
        part = self._classes if len(which) == len(self._size) else _part(self._classes, which)
        bids = part.cand_cost << PRICE_BITS
        if price is not None:
            bids = bids + priced(self._fabric, part, owner(part), price)
        least = part.reject_cost << PRICE_BITS
        some = np.flatnonzero(np.diff(part.cand_first))
        if len(some):
            least[some] = np.minimum(least[some], np.minimum.reduceat(bids, part.cand_first[some]))
        return np.asarray(least, np.int64)


def _part(classes: Classes, which: NDArray[np.integer]) -> Classes:
    """Some of the classes, with their candidates."""
    columns = {name: getattr(classes, name)[which] for name in Classes._fields[:8]}
    first, cand = _lists(classes.cand_first, which)
    columns |= {"cand_first": first}
    columns |= {name: getattr(classes, name)[cand] for name in ("cand_pool", "cand_route", "cand_cost")}
    first, floating = _lists(classes.float_first, which)
    columns |= {"float_first": first}
    return Classes(**columns, float_use=classes.float_use[floating], float_amount=classes.float_amount[floating])


def _lists(first: I32, which: NDArray[np.integer]) -> tuple[I32, I64]:
    """(starts of the lists of some, places of their entries)."""
    size = (first[1:] - first[:-1])[which].astype(np.int64)
    ends = np.cumsum(size)
    at = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(first[which] - (ends - size), size)
    return np.concatenate([[0], ends]).astype(np.int32), at.astype(np.int64)
