"""The background optimiser: solves again and again for what is still to come, each time from where it stood."""

from suanwang.guide.advice import advise
from suanwang.guide.bound import Bound
from suanwang.guide.problem import room_of
from suanwang.guide.program import DEFAULT, Budget, Program, Solution
from suanwang.plan.kernel.types import I64, Classes, Fabric, Guidance

LOOSE = Budget(gap=1e-3)  # a forecast is wrong by more than that


class Optimiser:
    """One program kept warm. Same calls, same guidance: it has no clock but the solver's limit of time."""

    def __init__(self, fabric: Fabric, classes: Classes, budget: Budget = LOOSE) -> None:
        self._fabric, self._classes, self._budget = fabric, classes, budget
        self._program = Program(fabric, classes)
        self._version = 0
        self.last: Solution | None = None

    def advise(self, pool: I64, shared: I64, count: I64) -> Guidance:
        """Guidance for `count` i64[C] tasks into what is free: pool i64[P, 3], shared i64[R]."""
        self.last = self._program.solve(count, room_of(pool, shared), self._budget)
        self._version += 1
        return advise(self._fabric, self._classes, self.last, self._version)

    def prove(self, pool: I64, shared: I64, tasks: I64, made_us: int, budget: Budget = DEFAULT) -> Bound:
        """A bound on what deciding these tasks i64[C] into this room can cost at least, labelled with its time."""
        self.last = self._program.solve(tasks, room_of(pool, shared), budget)
        return Bound(self.last.bound, int(tasks.sum()), made_us)
