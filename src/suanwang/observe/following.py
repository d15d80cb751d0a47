"""Who waits for other tasks: part of the brain's memory, a pure fold as all of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from suanwang.model.event import OutputFile
from suanwang.model.ids import SiteId, TaskId


class Made(NamedTuple):
    """What one attempt left, and where."""

    site: SiteId
    files: tuple[OutputFile, ...]


@dataclass
class Following:
    """Tasks that are not looked at before others have ended or begun, and the other way round."""

    leaders: dict[TaskId, tuple[TaskId, ...]] = field(default_factory=dict)  # of each that waits: whom it comes after
    followers: dict[TaskId, dict[TaskId, None]] = field(default_factory=dict)  # of each of those: who waits for it
    made: dict[TaskId, list[Made]] = field(
        default_factory=dict
    )  # of those that have succeeded; of a whole, by its parts

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
                self.made.pop(one, None)

    def keep(self, task_id: TaskId, whole: TaskId | None, site: SiteId, outputs: Sequence[OutputFile]) -> None:
        """A task, or a part of `whole`, has made these at a site. They are remembered as long as somebody waits for it."""
        for one in (task_id, whole) if outputs else ():
            if one is not None and one in self.followers:
                self.made.setdefault(one, []).append(Made(site, tuple(outputs)))

    def of(self, task_id: TaskId) -> list[TaskId]:
        """Who waits for a task, in the order in which they came."""
        return list(self.followers.get(task_id, ()))
