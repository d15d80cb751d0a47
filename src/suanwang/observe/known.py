"""What the brain keeps of tenants, API keys and idempotency keys, and the folds of the first two."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suanwang.model.ids import AgentId, TaskId
from suanwang.model.record import KeyIssued, KeyNamed, KeyRevoked, TenantSet

if TYPE_CHECKING:
    from suanwang.observe.state import State


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


def _tenant(state: "State", record: TenantSet) -> None:
    state.tenants[record.tenant.id] = record.tenant
    state.tally.tree_changed()


def _key(state: "State", record: KeyIssued) -> None:
    state.keys[record.key_id] = Key(record, record.agent)


def _key_named(state: "State", record: KeyNamed) -> None:
    state.keys[record.key_id].agent = record.agent


def _key_revoked(state: "State", record: KeyRevoked) -> None:
    state.keys[record.key_id].revoked = True


KNOWN: dict[type, Any] = {TenantSet: _tenant, KeyIssued: _key, KeyNamed: _key_named, KeyRevoked: _key_revoked}
