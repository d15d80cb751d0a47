"""Which plans start next: a heap beside the tasks that are planned, so that nobody has to look at all of them."""

import heapq
from collections.abc import Mapping
from typing import TYPE_CHECKING

from suanwang.model.ids import TaskId

if TYPE_CHECKING:
    from suanwang.observe.state import Task

# An entry whose plan was dropped stays until its time comes, or until there are this many more than plans.
STALE_MAX = 1_000


class Agenda:
    """Follows `planned`, the tasks whose plan is not dispatched; its owner adds each task that comes in there."""

    def __init__(self, planned: Mapping[TaskId, "Task"]) -> None:
        self._planned = planned
        self._heap: list[tuple[int, int, TaskId]] = []  # start in microseconds, order of submission, task

    def add(self, task: "Task") -> None:
        """Note a task with its new plan; those noted before for plans of it that are gone say nothing any more."""
        heapq.heappush(self._heap, self._entry(task))
        if len(self._heap) > 2 * len(self._planned) + STALE_MAX:
            self._heap = [self._entry(one) for one in self._planned.values()]
            heapq.heapify(self._heap)

    def next_us(self) -> int | None:
        """When the next plan starts, or None where none is left."""
        while self._heap and not self._stands(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_us: int) -> list["Task"]:
        """The tasks whose plan has started by now, the first to start first. They stay until they leave `planned`."""
        found: dict[TaskId, tuple[int, int, TaskId]] = {}
        while self._heap and self._heap[0][0] <= now_us:
            entry = heapq.heappop(self._heap)
            if self._stands(entry):
                found[entry[2]] = entry
        for entry in found.values():
            heapq.heappush(self._heap, entry)
        return [self._planned[task_id] for task_id in found]

    @staticmethod
    def _entry(task: "Task") -> tuple[int, int, TaskId]:
        assert task.plan is not None, "a planned task has its plan"
        return task.plan.start_us, task.order, task.task_id

    def _stands(self, entry: tuple[int, int, TaskId]) -> bool:
        task = self._planned.get(entry[2])
        return task is not None and self._entry(task) == entry
