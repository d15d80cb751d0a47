"""Logs on their way from the adapter to the brain."""

from collections.abc import Callable, Iterable
from typing import Final

from suanwang.agent.adapter import Logs
from suanwang.model.ids import AttemptId

LOG_BYTES_PER_READ: Final = 256 * 1024
# What one attempt may ship in one round before the others have their turn; at its end it ships all the rest.
LOG_READS_PER_ROUND: Final = 4

# Attempt, offset, bytes. After a failure the same bytes come again at the same offset, so a sink overwrites.
LogSink = Callable[[AttemptId, int, bytes], None]


class LogShipper:
    """Remembers how far the log of each attempt has been shipped."""

    def __init__(self, source: Logs, sink: LogSink) -> None:
        self._source = source
        self._sink = sink
        self._offsets: dict[AttemptId, int] = {}

    def ship(self, ended: Iterable[AttemptId], live: Iterable[AttemptId]) -> None:
        """All of the attempts that ended, so that nobody sees an end before its last line; some of the others.

        What the sink raises passes through, and the next round goes on where this one stopped.
        """
        for attempt_id in ended:
            while self._ship_part(attempt_id):
                pass
        for attempt_id in live:
            for _ in range(LOG_READS_PER_ROUND):
                if not self._ship_part(attempt_id):
                    break

    def forget(self, attempt_id: AttemptId) -> None:
        self._offsets.pop(attempt_id, None)

    def _ship_part(self, attempt_id: AttemptId) -> bool:
        offset = self._offsets.get(attempt_id, 0)
        part = self._source.read_logs(attempt_id, offset, LOG_BYTES_PER_READ)
        if not part:
            return False
        self._sink(attempt_id, offset, part)
        self._offsets[attempt_id] = offset + len(part)
        return True
