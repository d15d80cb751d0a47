"""Records about a task and its plans -> rows of `tasks`, `task_tags`, `plans` and `task_events`."""

from typing import Final

from suanwang.model.compact import AnyPlan
from suanwang.model.record import (
    CancelRequested,
    InputsGathered,
    LeaseExtended,
    Phase,
    PlanCommitted,
    PlanDropped,
    TaskAdmitted,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TaskWaits,
)
from suanwang.model.task import TaskRequest
from suanwang.store.fold import Fold, Place, Row, clean, to_json


def task_row(
    task_id: str, tenant: str, principal: str, request: TaskRequest, key: str | None, at_us: int, position: int
) -> Row:
    """A task as it is when it was submitted. `principal` is clean."""
    return {
        "task_id": task_id,
        "tenant": tenant,
        "principal": principal,
        "name": clean(request.name),
        "phase": Phase.WAITING.value,
        "wait_reason": None,
        "wait_until_us": None,
        "reason": None,
        "detail": None,
        "submitted_us": at_us,
        "cancel_us": None,
        "ended_us": None,
        "generation": 0,
        "fence": 0,
        "plan_id": None,
        "attempt_id": None,
        "site": None,
        "pool": None,
        "emulated": False,
        "quote_micro_yuan": None,
        "billed_micro_yuan": 0,
        "deadline_us": request.deadline,
        "preference": request.preference.value,
        "progress_permille": None,
        "idempotency_key": None if key is None else clean(key),
        "tags": to_json(request.tags) if request.tags else "{}",
        "request": request.model_dump_json(),
        "position": position,
    }


def task_submitted(record: TaskSubmitted, at: Place, fold: Fold) -> None:
    request, task_id, principal = record.request, record.task_id, clean(record.principal)
    row = task_row(task_id, record.tenant, principal, request, record.idempotency_key, record.at_us, at.position)
    fold.add("tasks", task_id, row)
    fold.lists["task_tags"].extend((tag, task_id, clean(value)) for tag, value in request.tags.items())
    head = {"t": record.t, "at_us": record.at_us, "task_id": task_id, "tenant": record.tenant}
    head |= {"principal": record.principal, "name": request.name}
    fold.tell(task_id, record, at, to_json(head))


def task_admitted(record: TaskAdmitted, at: Place, fold: Fold) -> None:
    fold.change("tasks", record.task_id, {"phase": Phase.WAITING.value, "position": at.position})
    fold.tell(record.task_id, record, at)


def task_refused(record: TaskRefused, at: Place, fold: Fold) -> None:
    first = record.refusals[0].reason.value if record.refusals else None
    patch: Row = {"phase": Phase.REFUSED.value, "reason": first, "ended_us": record.at_us, "position": at.position}
    fold.change("tasks", record.task_id, patch)
    fold.ended.append(record.task_id)
    fold.tell(record.task_id, record, at)


def task_waits(record: TaskWaits, at: Place, fold: Fold) -> None:
    patch: Row = {
        "phase": Phase.WAITING.value,
        "wait_reason": record.reason.value,
        "wait_until_us": record.until_us,
        "plan_id": None,
        "attempt_id": None,
        "site": None,
        "pool": None,
        "emulated": False,
        "quote_micro_yuan": None,
        "progress_permille": None,
        "position": at.position,
    }
    fold.change("tasks", record.task_id, patch)
    fold.tell(record.task_id, record, at)


def plan_row(plan: AnyPlan, at_us: int, position: int, ordinal: int, body: str) -> Row:
    """A plan as it is when it was committed."""
    return {
        "plan_id": plan.plan_id,
        "task_id": plan.task_id,
        "lease_id": plan.lease_id,
        "generation": plan.generation,
        "parent": plan.parent,
        "site": plan.site,
        "pool": plan.pool,
        "emulated": plan.emulated,
        "start_us": plan.start_us,
        "run_start_us": plan.run_start_us,
        "end_us": plan.end_us,
        "lease_end_us": plan.end_us,
        "quote_micro_yuan": plan.quote_micro_yuan,
        "committed_us": at_us,
        "released_us": None,
        "drop_reason": None,
        "body": body,
        "logged": None,
        "position": position,
        "ordinal": ordinal,
    }


def plan_patch(plan: AnyPlan, position: int) -> Row:
    """What a plan changes in the row of its task."""
    return {
        "phase": Phase.PLANNED.value,
        "wait_reason": None,
        "wait_until_us": None,
        "generation": plan.generation,
        "plan_id": plan.plan_id,
        "attempt_id": None,
        "site": plan.site,
        "pool": plan.pool,
        "emulated": plan.emulated,
        "quote_micro_yuan": plan.quote_micro_yuan,
        "progress_permille": None,
        "position": position,
    }


_PLAN_HEAD: Final = ("plan_id", "lease_id", "generation", "site", "pool", "emulated", "start_us", "run_start_us")
_PLAN_TAIL: Final = ("end_us", "quote_micro_yuan")


def plan_committed(record: PlanCommitted, at: Place, fold: Fold) -> None:
    plan = record.plan
    row = plan_row(plan, record.at_us, at.position, at.ordinal, plan.model_dump_json())
    fold.add("plans", plan.plan_id, row)
    fold.change("tasks", plan.task_id, plan_patch(plan, at.position))
    head = {"t": record.t, "at_us": record.at_us, "task_id": plan.task_id}
    head |= {name: row[name] for name in _PLAN_HEAD + _PLAN_TAIL}
    fold.tell(plan.task_id, record, at, to_json(head))


def inputs_gathered(record: InputsGathered, at: Place, fold: Fold) -> None:
    fold.change("tasks", record.task_id, {"position": at.position})
    fold.tell(record.task_id, record, at)


def plan_dropped(record: PlanDropped, at: Place, fold: Fold) -> None:
    patch: Row = {"released_us": record.at_us, "drop_reason": clean(record.reason), "position": at.position}
    fold.change("plans", record.plan_id, patch)
    fold.change("tasks", record.task_id, {"position": at.position})
    fold.tell(record.task_id, record, at)


def lease_extended(record: LeaseExtended, at: Place, fold: Fold) -> None:
    plan_id = fold.plan_of(record.task_id, record.lease_id)
    assert plan_id is not None, f"the lease {record.lease_id} was never taken"
    fold.change("plans", plan_id, {"lease_end_us": record.end_us, "position": at.position})
    fold.change("tasks", record.task_id, {"position": at.position})
    fold.tell(record.task_id, record, at)


def task_ended(record: TaskEnded, at: Place, fold: Fold) -> None:
    patch: Row = {"phase": record.phase.value, "ended_us": record.at_us, "wait_reason": None, "wait_until_us": None}
    if record.reason is not None:
        patch["reason"] = record.reason.value
    if record.detail:
        patch["detail"] = clean(record.detail)
    fold.change("tasks", record.task_id, patch | {"position": at.position})
    fold.ended.append(record.task_id)
    fold.tell(record.task_id, record, at)


def cancel_requested(record: CancelRequested, at: Place, fold: Fold) -> None:
    fold.change("tasks", record.task_id, {"cancel_us": record.at_us, "position": at.position})
    fold.tell(record.task_id, record, at)
