"""The bus where brain and agent share a process."""

from typing import Protocol

from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AttemptId
from suanwang.model.principal import Principal


class BrainSide(Protocol):
    """The verbs of the brain that agents use."""

    def exchange(self, principal: Principal, heartbeat: Heartbeat, wait_ms: int = 0) -> Orders: ...
    def append_log(self, principal: Principal, attempt_id: AttemptId, offset: int, data: bytes) -> int: ...


class MemoryBus:
    """Calls the brain directly, as the principal given."""

    def __init__(self, brain: BrainSide, principal: Principal) -> None:
        self._brain = brain
        self._principal = principal

    def exchange(self, heartbeat: Heartbeat, wait_ms: int) -> Orders:
        return self._brain.exchange(self._principal, heartbeat, wait_ms)

    def append_log(self, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        return self._brain.append_log(self._principal, attempt_id, offset, data)

    def close(self) -> None:
        """Nothing is held open."""
