"""What the brain keeps of API keys and of idempotency keys."""

from dataclasses import dataclass

from suanwang.model.ids import AgentId, TaskId
from suanwang.model.record import KeyIssued


@dataclass(slots=True)
class Key:
    key: KeyIssued
    agent: AgentId | None = None  # whose name it speaks under
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """The task that an idempotency key made, and the digest of its request."""

    task_id: TaskId
    request_digest: str
