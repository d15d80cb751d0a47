"""A heap of moments at which tasks have to be looked at. What has left is thrown away when its moment comes."""

import heapq

from suanwang.model.ids import TaskId

# A heap is made again when it has this many more entries than tasks that it is for.
STALE_MAX = 1_000


class Moments:
    """Each task with its next moment; setting another replaces it."""

    def __init__(self) -> None:
        self._at_us: dict[TaskId, int] = {}
        self._heap: list[tuple[int, TaskId]] = []

    def __contains__(self, task_id: TaskId) -> bool:
        return task_id in self._at_us

    def set(self, task_id: TaskId, at_us: int) -> None:
        if self._at_us.get(task_id) == at_us:
            return
        self._at_us[task_id] = at_us
        heapq.heappush(self._heap, (at_us, task_id))
        if len(self._heap) > 2 * len(self._at_us) + STALE_MAX:
            self._heap = [(moment_us, one) for one, moment_us in self._at_us.items()]
            heapq.heapify(self._heap)

    def drop(self, task_id: TaskId) -> None:
        self._at_us.pop(task_id, None)

    def due(self, until_us: int) -> list[TaskId]:
        """The tasks whose moment is before `until_us` or at it, first the earliest; they are dropped."""
        out = []
        while self._heap and self._heap[0][0] <= until_us:
            at_us, task_id = heapq.heappop(self._heap)
            if self._at_us.get(task_id) == at_us:
                del self._at_us[task_id]
                out.append(task_id)
        return out

    def next_us(self) -> int | None:
        """The next moment, or None where none is set."""
        while self._heap and self._at_us.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def after(self, since_us: int) -> list[TaskId]:
        """The tasks whose moment is after `since_us`, by name; they are dropped. Looks at every task."""
        out = sorted(one for one, at_us in self._at_us.items() if at_us > since_us)
        for task_id in out:
            del self._at_us[task_id]
        return out
