"""Batches -> rows, without making the single records that they stand for.

The rows are those that the single records would make (a test compares them), but for one thing: the whole text of a
compact plan is not written down a second time. Its row says where in the log it is (`logged`), and it is made from
there when somebody asks for it.
"""

from collections.abc import Callable
from typing import Any, Final

from suanwang.model.batch import AttemptsOpened, Batch, Closing, EventsHeard, PlansMade, TasksTaken
from suanwang.model.compact import CompactPlan
from suanwang.model.event import AnyEvent, Event, EventKind, InstructionKind, Usage
from suanwang.model.plan import ChargeKind
from suanwang.model.record import Phase
from suanwang.model.tariff import LineRow
from suanwang.store.fold import Attempt, Fold, Row, clean, fit, to_json
from suanwang.store.project_attempts import ANSWERS, PHASE_OF_EVENT, attempt_row, charge_row, outputs_text, post
from suanwang.store.project_tasks import plan_patch, plan_row, task_row

_START: Final = InstructionKind.START.value
_STOP: Final = InstructionKind.STOP.value
_KIND: Final = {one: one.value for one in EventKind}  # faster than to ask each for its value
_CHARGE_KIND: Final = {one: one.value for one in ChargeKind}
_NO_USAGE: Final = Usage().model_dump_json()


def fold_batch(batch: Batch, position: int, ordinal: int, fold: Fold) -> int:
    """Project a batch whose first record has this ordinal; returns the ordinal of what comes after it."""
    return _FOLDS[type(batch)](batch, position, ordinal, fold)


def _tell(fold: Fold, task_id: str, at: tuple[int, int], at_us: int, kind: str, body: str) -> None:
    fold.lists["task_events"].append((task_id, *at, at_us, kind, body))


def _taken(batch: TasksTaken, position: int, ordinal: int, fold: Fold) -> int:
    at_us, tenant = batch.at_us, batch.tenant
    principal = clean(batch.principal)
    for task_id, request, key in batch.rows:
        fold.add("tasks", task_id, task_row(task_id, tenant, principal, request, key, at_us, position))
        if request.tags:
            fold.lists["task_tags"].extend((tag, task_id, clean(value)) for tag, value in request.tags.items())
        head = {"t": "task_submitted", "at_us": at_us, "task_id": task_id, "tenant": tenant}
        head |= {"principal": batch.principal, "name": request.name}
        _tell(fold, task_id, (position, ordinal), at_us, "task_submitted", to_json(head))
        body = f'{{"t":"task_admitted","at_us":{at_us},"task_id":"{task_id}"}}'
        _tell(fold, task_id, (position, ordinal + 1), at_us, "task_admitted", body)
        ordinal += 2
    return ordinal


def _plans(batch: PlansMade, position: int, ordinal: int, fold: Fold) -> int:
    for plan in batch.rows:
        _plan(plan, batch.at_us, position, ordinal, fold)
        ordinal += 1
    return ordinal


def _plan(plan: CompactPlan, at_us: int, position: int, ordinal: int, fold: Fold) -> None:
    row = plan_row(plan, at_us, position, ordinal, "")
    row["logged"] = position
    fold.add("plans", plan.plan_id, row)
    fold.change("tasks", plan.task_id, plan_patch(plan, position))
    body = (
        f'{{"t":"plan_committed","at_us":{at_us},"task_id":"{plan.task_id}","plan_id":"{plan.plan_id}",'
        f'"lease_id":"{plan.lease_id}","generation":{plan.generation},"site":"{plan.site}","pool":"{plan.pool}",'
        f'"emulated":{_word(plan.emulated)},"start_us":{plan.start_us},"run_start_us":{plan.start_us},'
        f'"end_us":{plan.end_us},"quote_micro_yuan":{plan.quote_micro_yuan}}}'
    )
    _tell(fold, plan.task_id, (position, ordinal), at_us, "plan_committed", body)


def _word(value: bool) -> str:
    return "true" if value else "false"


def _opened(batch: AttemptsOpened, position: int, ordinal: int, fold: Fold) -> int:
    at_us = batch.at_us
    for attempt_id, task_id, plan_id, site, fence in batch.rows:
        attempt = fold.opened[attempt_id] = Attempt(task_id, plan_id, site, fence)
        fold.add("attempts", attempt_id, attempt_row(attempt_id, attempt, at_us, position, ordinal))
        patch: Row = {"phase": Phase.DISPATCHED.value, "fence": fence, "attempt_id": attempt_id, "position": position}
        fold.change("tasks", task_id, patch)
        post(_START, attempt_id, attempt, position, ordinal, fold)
        body = (
            f'{{"t":"attempt_opened","at_us":{at_us},"attempt_id":"{attempt_id}","task_id":"{task_id}",'
            f'"plan_id":"{plan_id}","site":"{site}","fence":{fence}}}'
        )
        _tell(fold, task_id, (position, ordinal), at_us, "attempt_opened", body)
        ordinal += 1
    return ordinal


def _heard(batch: EventsHeard, position: int, ordinal: int, fold: Fold) -> int:
    for event, closing in batch.rows:
        attempt = fold.attempt(event.attempt_id)
        assert attempt is not None, f"an effective event of the unknown attempt {event.attempt_id}"
        _event(event, attempt, batch.at_us, position, ordinal, fold)
        ordinal += 1
        if closing is not None:
            ordinal = _close(event, closing, attempt, batch.at_us, position, ordinal, fold)
    return ordinal


def _event(event: AnyEvent, attempt: Attempt, at_us: int, position: int, ordinal: int, fold: Fold) -> None:
    kind, attempt_id, task_id = event.kind, event.attempt_id, attempt.task_id
    cursor: Row = {"agent": event.agent, "sequence": fit(event.sequence), "position": position}
    fold.put["agent_cursors"][event.agent] = cursor
    phase = PHASE_OF_EVENT.get(kind)
    fold.change("tasks", task_id, {"position": position} if phase is None else {"position": position, "phase": phase})
    patch: Row = {"position": position, "stage": _KIND[kind]}
    if kind is EventKind.FINISHED:
        patch["outputs"] = outputs_text(event.outputs)
    fold.change("attempts", attempt_id, patch)
    if kind is EventKind.RUNNING:
        fold.first("attempts", attempt_id, "running_us", fit(event.at_us))
    for answered in ANSWERS.get(kind, (_START,)):
        fold.remove("outbox", (task_id, attempt_id, answered))
    body = f'{{"t":"event_applied","at_us":{at_us},"event":{_event_text(event)},"effective":true}}'
    _tell(fold, task_id, (position, ordinal), at_us, "event_applied", body)


def _event_text(event: AnyEvent) -> str:
    """The JSON of an event as a value."""
    if isinstance(event, Event):
        return event.model_dump_json()
    exit_code = "null" if event.exit_code is None else event.exit_code
    usage = "null" if event.usage is None else event.usage.model_dump_json()
    return (
        f'{{"agent":{to_json(event.agent)},"sequence":{event.sequence},"site":{to_json(event.site)},'
        f'"attempt_id":{to_json(event.attempt_id)},"fence":{event.fence},"at_us":{event.at_us},'
        f'"kind":"{_KIND[event.kind]}","fraction_permille":null,"exit_code":{exit_code},"signal":null,"reason":null,'
        f'"detail":"","usage":{usage},"outputs":{outputs_text(event.outputs)},"kept":null}}'
    )


def _close(
    event: AnyEvent, closing: Closing, attempt: Attempt, at_us: int, position: int, ordinal: int, fold: Fold
) -> int:
    task_id, attempt_id = closing.task_id, event.attempt_id
    usage = _NO_USAGE if event.usage is None else event.usage.model_dump_json()
    patch: Row = {
        "closed_us": at_us,
        "succeeded": True,
        "reason": None,
        "detail": "",
        "exit_code": fit(event.exit_code),
        "signal": None,
        "held_start_us": fit(closing.held_start_us),
        "held_end_us": fit(closing.held_end_us),
        "usage": usage,
        "outputs": outputs_text(event.outputs),
        "position": position,
    }
    fold.change("attempts", attempt_id, patch)
    fold.change("plans", attempt.plan_id, {"released_us": at_us, "position": position})
    for kind in (_START, _STOP):
        fold.remove("outbox", (task_id, attempt_id, kind))
    fold.closed.append(attempt_id)
    _tell(fold, task_id, (position, ordinal), at_us, "attempt_closed", _closed_text(event, closing, at_us, usage))
    ordinal += 1
    for charge_id, creditor, line in closing.charges:
        _charge(charge_id, creditor, line, closing, attempt_id, at_us, position, ordinal, fold)
        ordinal += 1
    ended: Row = {"phase": Phase.SUCCEEDED.value, "ended_us": at_us, "wait_reason": None, "wait_until_us": None}
    ended["position"] = position
    fold.change("tasks", task_id, ended)
    if closing.charges:
        billed = sum(line.amount_micro_yuan for _, _, line in closing.charges)
        fold.grow("tasks", task_id, "billed_micro_yuan", billed)
    fold.ended.append(task_id)
    body = f'{{"t":"task_ended","at_us":{at_us},"task_id":"{task_id}","phase":"succeeded","reason":null,"detail":""}}'
    _tell(fold, task_id, (position, ordinal), at_us, "task_ended", body)
    return ordinal + 1


def _closed_text(event: AnyEvent, closing: Closing, at_us: int, usage: str) -> str:
    exit_code = "null" if event.exit_code is None else event.exit_code
    return (
        f'{{"t":"attempt_closed","at_us":{at_us},"attempt_id":"{event.attempt_id}","task_id":"{closing.task_id}",'
        f'"lease_id":"{closing.lease_id}","succeeded":true,"reason":null,"detail":"","exit_code":{exit_code},'
        f'"signal":null,"held_start_us":{closing.held_start_us},"held_end_us":{closing.held_end_us},"usage":{usage},'
        f'"outputs":{outputs_text(event.outputs)}}}'
    )


def _charge(
    charge_id: str,
    creditor: str,
    line: LineRow,
    closing: Closing,
    attempt_id: str,
    at_us: int,
    position: int,
    ordinal: int,
    fold: Fold,
) -> None:
    task_id, tenant, emulated = closing.task_id, closing.tenant, closing.emulated
    row = charge_row(charge_id, task_id, attempt_id, tenant, creditor, line, emulated, at_us, position, ordinal)
    fold.lists["charges"].append(row)
    body = (
        f'{{"t":"charge_posted","at_us":{at_us},"charge_id":"{charge_id}","task_id":"{task_id}",'
        f'"attempt_id":"{attempt_id}","tenant":"{tenant}","creditor":{to_json(creditor)},'
        f'"line":{{"kind":"{_CHARGE_KIND[line.kind]}","item":{to_json(line.item)},"quantity":{line.quantity},'
        f'"price_micro_yuan":{line.price_micro_yuan},"per":{line.per},"permille":{line.permille},'
        f'"amount_micro_yuan":{line.amount_micro_yuan}}},"emulated":{_word(emulated)}}}'
    )
    _tell(fold, task_id, (position, ordinal), at_us, "charge_posted", body)


_FOLDS: Final[dict[type, Callable[[Any, int, int, Fold], int]]] = {
    TasksTaken: _taken,
    PlansMade: _plans,
    AttemptsOpened: _opened,
    EventsHeard: _heard,
}
