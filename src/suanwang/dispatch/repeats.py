"""Submissions that are handed in again: an idempotency key stands for one task of its tenant, for good."""

from collections.abc import Sequence

from suanwang.model.error import ConflictError
from suanwang.model.ids import TenantId
from suanwang.model.principal import Submission
from suanwang.model.task import TaskRequest
from suanwang.observe.state import State, Task


def check_keys(state: State, tenant: TenantId, offers: Sequence[Submission]) -> None:
    """Raises ConflictError where a key stands for another task, here or before. To be asked before the first record
    is made: a verb that refuses half-way would stop the brain."""
    here: dict[str, TaskRequest] = {}
    for offer in offers:
        key = offer.idempotency_key
        if key is None:
            continue
        before = state.idempotency.get((tenant, key))
        if before is not None and before.request_digest != state.digest(offer.request):
            raise ConflictError("idempotency_reused", key=key)
        if here.setdefault(key, offer.request) != offer.request:
            raise ConflictError("idempotency_reused", key=key)


def task_before(state: State, tenant: TenantId, offer: Submission) -> Task | None:
    """The task that the key of this submission made, or None."""
    before = state.idempotency.get((tenant, offer.idempotency_key)) if offer.idempotency_key is not None else None
    return state.tasks[before.task_id] if before is not None else None
