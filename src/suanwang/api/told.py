"""What the events of tasks that have ended told of their elements, kept while somebody fetches it file by file."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

TASKS_KEPT: Final = 8  # a large array has ten thousand files: some megabytes

Files = dict[str, dict[str, Any]]  # by path, as the log has them


class Told:
    """The last few tasks. Of one that has ended nothing changes any more."""

    def __init__(self) -> None:
        self._kept = OrderedDict[str, Files]()
        self._lock = threading.Lock()

    def of(self, task_id: str, read: Callable[[], Files]) -> Files:
        """The files of a task that has ended; `read` where they are not kept."""
        with self._lock:
            found = self._kept.get(task_id)
            if found is not None:
                self._kept.move_to_end(task_id)
                return found
        found = read()  # not under the lock: it may take a while
        with self._lock:
            self._kept[task_id] = found
            while len(self._kept) > TASKS_KEPT:
                self._kept.popitem(last=False)
        return found
