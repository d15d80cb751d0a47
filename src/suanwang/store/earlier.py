"""What the projector remembers between batches: the open attempts. Anything older is asked of the tables."""

from suanwang.store.fold import Attempt, Fold
from suanwang.store.writer import Writer

# Open attempts that are remembered.
OPEN_MAX = 100_000


class Remembered:
    """`fold.Earlier` over memory and the writing connection, so that a running task's events cost no question."""

    def __init__(self, writer: Writer, open_attempts: dict[str, Attempt]) -> None:
        self._writer = writer
        self._open = open_attempts

    def find_attempt(self, attempt_id: str) -> Attempt | None:
        return self._open.get(attempt_id) or self._writer.find_attempt(attempt_id)

    def find_plan(self, task_id: str, lease_id: str) -> str | None:
        return self._writer.find_plan(task_id, lease_id)

    def keep(self, fold: Fold) -> None:
        """Take over what a batch opened and closed, once it is applied."""
        if len(self._open) > OPEN_MAX:  # some were closed by a process beside this one: what is asked for is read again
            self._open.clear()
        self._open.update(fold.opened)
        for attempt_id in fold.closed:
            self._open.pop(attempt_id, None)
