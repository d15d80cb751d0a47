"""Who waits for other tasks: part of the brain's memory, a pure fold as all of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from suanwang.model.ids import TaskId


@dataclass
class Following:
    """Tasks that are not looked at before others have ended or begun, and the other way round."""

    leaders: dict[TaskId, tuple[TaskId, ...]] = field(default_factory=dict)  # of each that waits: whom it comes after
    followers: dict[TaskId, dict[TaskId, None]] = field(default_factory=dict)  # of each of those: who waits for it

    def add(self, task_id: TaskId, leaders: Iterable[TaskId]) -> None:
        """A task waits for others."""
        self.leaders[task_id] = tuple(dict.fromkeys(leaders))
        for one in self.leaders[task_id]:
            self.followers.setdefault(one, {})[task_id] = None

    def drop(self, task_id: TaskId) -> None:
        """It waits for them no more."""
        for one in self.leaders.pop(task_id, ()):
            waiting = self.followers[one]
            del waiting[task_id]
            if not waiting:
                del self.followers[one]

    def of(self, task_id: TaskId) -> list[TaskId]:
        """Who waits for a task, in the order in which they came."""
        return list(self.followers.get(task_id, ()))
