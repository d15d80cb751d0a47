"""The background optimiser: solves again and again for what is still to come, each time from where it stood."""

from suanwang.guide.advice import advise
from suanwang.guide.problem import room_of
from suanwang.guide.program import Budget, Program, Solution
from suanwang.plan.kernel.types import I64, Classes, Fabric, Guidance


class Optimiser:
    """One program kept warm. Same calls, same guidance: it has no clock but the solver's limit of time."""

    def __init__(self, fabric: Fabric, classes: Classes, budget: Budget = Budget(gap=1e-3)) -> None:
        self._fabric, self._classes, self._budget = fabric, classes, budget
        self._program = Program(fabric, classes)
        self._version = 0
        self.last: Solution | None = None

    def advise(self, pool: I64, shared: I64, count: I64) -> Guidance:
        """Guidance for `count` i64[C] tasks into what is free: pool i64[P, 3], shared i64[R]."""
        self.last = self._program.solve(count, room_of(pool, shared), self._budget)
        self._version += 1
        return advise(self._fabric, self._classes, self.last, self._version)
