"""The linear program in HiGHS, with columns made as they are needed.

A program of 2,000 classes has more than a million (class, candidate) columns, nearly all of them useless. It starts with
the cheapest few of each class; its prices then show which of the others would pay, and the best of those are added,
until no more than a small part of the bound can be gained. The prices of each round give a bound over all candidates
(`bound`), so stopping early costs tightness, never truth. A `Program` keeps its columns and its basis: the same problem
with other counts and other room is solved again from there.
"""

from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from suanwang.guide.bound import PRICE_BITS, bound_of, certified_bound, integer_prices, least_bids
from suanwang.guide.problem import Problem, owner, uses
from suanwang.plan.kernel.types import I64, Classes, Fabric

F64 = NDArray[np.float64]
YUAN = 1e6  # micro-yuan; the solver sees yuan, cores, GiB, cards and Gbit/s, so that its figures are of one size
COLUMNS_FIRST = 12  # of each class, cheapest first
COLUMNS_MORE = 8  # of each class and round
PAYS = 1e-7  # yuan below which a column does not pay
SOME = 1e-6  # tasks below which a column is not used
SIMPLEX_DUAL, SIMPLEX_PRIMAL = 1, 4  # HiGHS's names of its strategies


class Budget(NamedTuple):
    """When to stop: whichever comes first."""

    gap: float = 1e-4  # between the program's value and the bound, as a part of the bound
    rounds: int = 40
    seconds: float = 600.0  # of solving, by the solver's clock


DEFAULT = Budget()


class Solution(NamedTuple):
    """A solution of the relaxed problem and the proof of how good it is."""

    columns: I64  # [k] candidates taken
    amount: F64  # [k] tasks of the class there; fractions
    price: I64  # [M] of a unit of each resource, in 2**-16 micro-yuan
    value: int  # cost of the fractional solution, micro-yuan
    bound: int  # certified lower bound, micro-yuan
    rounds: int
    made: int  # columns in the program
    seconds: float  # of the solver


class Program:
    """The program of one fabric and its classes; `solve` may be called again and again."""

    def __init__(self, fabric: Fabric, classes: Classes) -> None:
        self._fabric, self._classes = fabric, classes
        self._owner = owner(classes)
        self._gain = (classes.cand_cost - classes.reject_cost[self._owner]) / YUAN  # against refusal
        self._rows = len(classes.cpu)
        pools = len(fabric.pool_site)
        unit = np.repeat([1000.0, 1024.0, 1000.0, 1000.0], [pools, pools, pools, len(fabric.capacity)])
        self._unit = unit  # of the rows of resources
        self._columns = np.empty(0, np.int64)
        self._made = np.zeros(len(classes.cand_pool), bool)
        self._grown = True  # columns came since the program was last solved
        self._price = np.zeros(len(unit), np.int64)
        self._model = highspy.Highs()
        self._model.silent()
        self._model.setOptionValue("threads", 1)  # same input, same answer
        size = self._rows + len(unit)
        none = np.zeros(size)
        self._model.addRows(
            size, none - highspy.kHighsInf, none, 0, np.zeros(size, np.int32), np.empty(0, np.int32), np.empty(0)
        )
        rank = np.arange(len(self._owner)) - classes.cand_first[self._owner]
        self._add(np.flatnonzero((rank < COLUMNS_FIRST) & (self._gain < 0)))

    def solve(self, tasks: I64, room: I64, budget: Budget = DEFAULT) -> Solution:
        """Solve for so many tasks i64[C] and this room i64[M], from where the last one ended."""
        problem = Problem(self._fabric, self._classes, tasks, np.maximum(room, 0))
        limits = np.concatenate((tasks.astype(np.float64), problem.room / self._unit))
        size = len(limits)
        self._model.changeRowsBounds(size, np.arange(size, dtype=np.int32), np.full(size, -highspy.kHighsInf), limits)
        refused = sum(a * b for a, b in zip(tasks.tolist(), self._classes.reject_cost.tolist(), strict=True))
        price = self._price  # of the last solve: they prove something of this problem too
        best = certified_bound(problem, price, self._owner)
        started, spent, rounds = self._model.getRunTime(), 0.0, 0
        while rounds < budget.rounds and (worth := self._run(budget.seconds - spent)) is not None:
            rounds, spent = rounds + 1, self._model.getRunTime() - started
            now = integer_prices(problem, np.maximum(worth[self._rows :], 0) * YUAN / self._unit)
            bids, least = least_bids(problem, now, self._owner)
            bound = bound_of(problem, now, least)
            if bound > best:
                best, price = bound, now
            value = refused + round(self._model.getInfo().objective_function_value * YUAN)
            if value - best <= budget.gap * max(best, 1) or spent >= budget.seconds:
                break
            more = self._paying(bids / 2.0**PRICE_BITS / YUAN, np.maximum(worth[: self._rows], 0), tasks)
            if not len(more):
                break
            self._add(more)
        self._price, spent = price, self._model.getRunTime() - started
        amount = np.array(self._model.getSolution().col_value)
        amount = amount if len(amount) == len(self._columns) else np.zeros(len(self._columns))
        some = np.flatnonzero(amount > SOME)
        value = refused + round(float(amount @ self._gain[self._columns]) * YUAN)
        return Solution(self._columns[some], amount[some], price, value, best, rounds, len(self._columns), spent)

    def _run(self, seconds: float) -> F64 | None:
        """Worth of a unit of each row, yuan; None where the time ran out first."""
        # Other room leaves the last basis dual feasible, new columns leave it primal feasible.
        self._model.setOptionValue("simplex_strategy", SIMPLEX_PRIMAL if self._grown else SIMPLEX_DUAL)
        self._model.setOptionValue("time_limit", self._model.getRunTime() + max(seconds, 0.01))
        self._model.run()
        if self._model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        self._grown = False
        return -np.array(self._model.getSolution().row_dual)

    def _paying(self, bids: F64, worth: F64, tasks: I64) -> I64:
        """Candidates that would lower the cost, the best few of each class."""
        saving = self._classes.reject_cost[self._owner] / YUAN - bids - worth[self._owner]
        found = np.flatnonzero((saving > PAYS) & ~self._made & (tasks[self._owner] > 0))
        found = found[np.lexsort((-saving[found], self._owner[found]))]
        owners = self._owner[found]
        return found[np.arange(len(found)) - np.searchsorted(owners, owners) < COLUMNS_MORE]

    def _add(self, columns: I64) -> None:
        if not len(columns):
            return
        owners = self._owner[columns]
        use = uses(self._fabric, self._classes, columns, owners)
        size = np.diff(use.start)
        # Before the resources of each column its class's own row, with one.
        row = np.insert(use.row + self._rows, use.start[:-1], owners).astype(np.int32)
        value = np.insert(use.amount / self._unit[use.row], use.start[:-1], 1.0)
        start = (use.start[:-1] + np.arange(len(columns))).astype(np.int32)
        assert len(row) == size.sum() + len(columns)
        none = np.zeros(len(columns))
        self._model.addCols(
            len(columns), self._gain[columns], none, none + highspy.kHighsInf, len(row), start, row, value
        )
        self._columns = np.concatenate((self._columns, columns))
        self._made[columns] = True
        self._grown = True


def solve(problem: Problem, budget: Budget = DEFAULT) -> Solution:
    """Solve one problem from nothing."""
    return Program(problem.fabric, problem.classes).solve(problem.tasks, problem.room, budget)
