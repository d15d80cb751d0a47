"""Whether what a task comes after has come true, may still, or never will. Pure."""

from collections.abc import Mapping, Sequence
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


def look(after: Sequence[After], tasks: Mapping[TaskId, Task]) -> Found:
    """What one ended as it never takes back, so an outlook that is not open stays as it is."""
    found = [(one, _look(one.when, tasks[TaskId(one.task)], tasks)) for one in after]
    lost = next((TaskId(one.task) for one, outlook in found if outlook is Outlook.LOST), None)
    if lost is not None:
        return Found(Outlook.LOST, lost)
    return Found(Outlook.TRUE if all(outlook is Outlook.TRUE for _, outlook in found) else Outlook.OPEN)


def _began(task: Task, tasks: Mapping[TaskId, Task]) -> bool:
    return task.began or any(tasks[part].began for part in task.parts)


def _look(when: When, task: Task, tasks: Mapping[TaskId, Task]) -> Outlook:
    if task.phase not in ENDS:
        return Outlook.TRUE if when is When.STARTED and _began(task, tasks) else Outlook.OPEN
    succeeded = task.phase is Phase.SUCCEEDED
    wrong = {When.SUCCEEDED: not succeeded, When.FAILED: succeeded}
    return Outlook.LOST if wrong.get(when, False) else Outlook.TRUE
