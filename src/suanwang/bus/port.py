"""The port between an agent and its brain."""

from typing import Protocol

from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AttemptId


class AgentBus(Protocol):
    """What an agent needs of its brain. Raises UnreachableError where no brain answers: the agent tries again."""

    def exchange(self, heartbeat: Heartbeat, wait_ms: int) -> Orders:
        """One round; the brain may hold the answer back for `wait_ms` while it has nothing to say."""

    def append_log(self, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        """A piece of an attempt's log; returns the length that the brain has now."""

    def close(self) -> None: ...
