"""Which blocked tasks are looked at again, and what was last said of them.

Nothing of this is in the log: waking a task and finding that it must wait on changes nothing that anyone could see.
It is forgotten with the process, and after a start everything that waits is looked at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from suanwang.model.ids import TaskId
from suanwang.model.plan import ClauseCount
from suanwang.model.reason import WaitReason
from suanwang.model.record import PlanCommitted, Record, TaskEnded, TaskRefused, TaskWaits
from suanwang.observe.state import Task

# Tasks that wait for room or for a site, looked at again at a time at most.
WAKE_BATCH = 256
# While a task waits on for the same reason, its clause counts are written down again no more often than this.
SAY_EVERY_US = 60_000_000

Clauses = tuple[ClauseCount, ...]


@dataclass
class Waits:
    """The blocked tasks in the order of their last look, those that are to be looked at, and what was said."""

    _looked_us: dict[WaitReason, dict[TaskId, int]] = field(default_factory=dict)
    _woken: dict[TaskId, Task] = field(default_factory=dict)
    _said: dict[TaskId, tuple[int, WaitReason, Clauses]] = field(default_factory=dict)

    def start(self, blocked: Iterable[Task]) -> None:
        """Begin with what waited before this process: as if it had been looked at before anything happened."""
        for task in blocked:
            self._looked_us.setdefault(task.wait_reason, {})[task.task_id] = -1

    def woken(self) -> Iterator[Task]:
        return iter(self._woken.values())

    def wake(self, blocked: dict[TaskId, Task], sites_us: int, room_us: int) -> None:
        """Choose those whose reason may be cured: a site came up (last at `sites_us`) or room was made (last at
        `room_us`) after their last look. The longest ago come first, so that each has its turn."""
        for reason, order in self._looked_us.items():
            cured_us = max(sites_us, room_us) if reason is WaitReason.CAPACITY else sites_us
            for task_id, looked_us in order.items():
                if looked_us > cured_us or len(self._woken) >= WAKE_BATCH:
                    break
                self._woken[task_id] = blocked[task_id]

    def in_vain(self, task_id: TaskId, reason: WaitReason, clauses: Clauses, now_us: int) -> bool:
        """Note a look that found nothing. True where that is worth a record: the reason is new, or its counts are."""
        said = self._said.get(task_id)
        self.forget(task_id)
        self._looked_us.setdefault(reason, {})[task_id] = now_us
        silent = said is not None and said[1] is reason and (said[2] == clauses or now_us - said[0] < SAY_EVERY_US)
        self._said[task_id] = said if silent and said is not None else (now_us, reason, clauses)
        return not silent

    def follow(self, record: Record) -> None:
        """Forget a task that a record takes out of what is blocked."""
        if isinstance(record, PlanCommitted):
            self.forget(record.plan.task_id)
        elif isinstance(record, TaskEnded | TaskRefused) or (
            isinstance(record, TaskWaits) and record.reason in (WaitReason.QUEUED, WaitReason.RETRY_DELAY)
        ):
            self.forget(record.task_id)

    def forget(self, task_id: TaskId) -> None:
        """The task waits no more."""
        for order in self._looked_us.values():
            order.pop(task_id, None)
        self._woken.pop(task_id, None)
        self._said.pop(task_id, None)
