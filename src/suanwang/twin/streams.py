"""Seeded numbers and ids: one stream for each kind of entity, so that a new kind does not reshuffle the others."""

import random

from suanwang.model.ids import AttemptId, ChargeId, LeaseId, PlanId, TaskId


def stream(seed: int, kind: str) -> random.Random:
    """The stream of one kind of entity in the history of one seed."""
    return random.Random(f"{seed}/{kind}")


class CountedIds:
    """Ids that count up: unique in one history, and the same in every repetition of it."""

    def __init__(self) -> None:
        self._count = 0

    def _next(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}-{self._count:026d}"

    def task_id(self) -> TaskId:
        return TaskId(self._next("task"))

    def plan_id(self) -> PlanId:
        return PlanId(self._next("plan"))

    def lease_id(self) -> LeaseId:
        return LeaseId(self._next("lease"))

    def attempt_id(self) -> AttemptId:
        return AttemptId(self._next("att"))

    def charge_id(self) -> ChargeId:
        return ChargeId(self._next("chg"))

    def plan_and_lease_ids(self, count: int) -> list[tuple[PlanId, LeaseId]]:
        return [(self.plan_id(), self.lease_id()) for _ in range(count)]

    def charge_ids(self, count: int) -> list[ChargeId]:
        return [self.charge_id() for _ in range(count)]
