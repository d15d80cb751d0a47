"""Whether what a task comes after has come true, may still, or never will. Pure."""

from collections.abc import Container, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from suanwang.model.ids import TaskId
from suanwang.model.record import ENDS, Phase
from suanwang.model.task import After, When
from suanwang.observe.task import Task


class Outlook(StrEnum):
    """How it stands with everything that a task comes after."""

    TRUE = "true"  # all of it
    OPEN = "open"
    LOST = "lost"  # at least one can never come true


class Found(NamedTuple):
    outlook: Outlook
    lost: TaskId | None = None  # the first that can never come true
    open: Sequence[After] = ()  # what may still come true


def look(after: Sequence[After], tasks: Mapping[TaskId, Task]) -> Found:
    """What one ended as it never takes back, so an outlook that is not open stays as it is."""
    found = [(one, _look(one.when, tasks[TaskId(one.task)], tasks)) for one in after]
    lost = next((TaskId(one.task) for one, outlook in found if outlook is Outlook.LOST), None)
    if lost is not None:
        return Found(Outlook.LOST, lost)
    still = [one for one, outlook in found if outlook is Outlook.OPEN]
    return Found(Outlook.OPEN if still else Outlook.TRUE, open=still)


class Outlooks:
    """What is still open for each task that waits. Each of a thousand leaders that end asks each of a thousand followers:
    only what a follower wants of that leader is looked at, since the rest stands as it stood. Nothing but what `look` says of
    the log's state, so a restart makes it again."""

    def __init__(self) -> None:
        self._open: dict[TaskId, dict[TaskId, list[After]]] = {}

    def first(self, task_id: TaskId, after: Sequence[After], tasks: Mapping[TaskId, Task]) -> Found:
        """Of all that a task comes after."""
        found = look(after, tasks)
        if found.outlook is Outlook.OPEN:
            wanted = self._open[task_id] = {}
            for one in found.open:
                wanted.setdefault(TaskId(one.task), []).append(one)
        else:
            self._open.pop(task_id, None)
        return found

    def again(self, task_id: TaskId, leader: TaskId, after: Sequence[After], tasks: Mapping[TaskId, Task]) -> Found:
        """After a leader began or ended."""
        wanted = self._open.get(task_id)
        if wanted is None:
            return self.first(task_id, after, tasks)
        found = look(wanted.pop(leader, ()), tasks)
        if found.open:
            wanted[leader] = list(found.open)
        if found.outlook is Outlook.LOST or not wanted:
            del self._open[task_id]
            return found
        return Found(Outlook.OPEN)

    def forget_all_but(self, waiting: Container[TaskId]) -> None:
        """Those that were ended by somebody else."""
        self._open = {one: wanted for one, wanted in self._open.items() if one in waiting}

    def __len__(self) -> int:
        return len(self._open)


def _began(task: Task, tasks: Mapping[TaskId, Task]) -> bool:
    return task.began or any(tasks[part].began for part in task.parts)


def _look(when: When, task: Task, tasks: Mapping[TaskId, Task]) -> Outlook:
    if task.phase not in ENDS:
        return Outlook.TRUE if when is When.STARTED and _began(task, tasks) else Outlook.OPEN
    succeeded = task.phase is Phase.SUCCEEDED
    wrong = {When.SUCCEEDED: not succeeded, When.FAILED: succeeded}
    return Outlook.LOST if wrong.get(when, False) else Outlook.TRUE
