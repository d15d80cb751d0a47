"""Records about an attempt -> rows of `attempts`, `outbox`, `charges`, `agent_cursors`, `tasks`, `task_events`."""

from typing import Any, Final

from suanwang.model.event import Event, EventKind, InstructionKind, OutputFile
from suanwang.model.plan import Line
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    ChargePosted,
    DeliveryOrdered,
    EventApplied,
    Phase,
    StopRequested,
)
from suanwang.model.tariff import LineRow
from suanwang.store.fold import Attempt, Fold, Place, Row, clean, fit, to_json

PHASE_OF_EVENT: Final = {
    EventKind.STAGING: Phase.STAGING.value,
    EventKind.RUNNING: Phase.RUNNING.value,
    EventKind.COLLECTING: Phase.COLLECTING.value,
}
_START: Final = InstructionKind.START.value
_STOP: Final = InstructionKind.STOP.value
_DELIVER: Final = InstructionKind.DELIVER.value
# Which waiting instructions an event answers; any other event of an attempt shows that its start has arrived.
ANSWERS: Final = {
    EventKind.STOPPED: (_START, _STOP),
    EventKind.FAILED: (_START, _STOP),
    EventKind.FINISHED: (_START, _STOP),
    EventKind.DELIVERED: (_DELIVER,),
    EventKind.DELIVERY_FAILED: (_DELIVER,),
}


def post(kind: str, attempt_id: str, attempt: Attempt, position: int, ordinal: int, fold: Fold) -> None:
    """Put an instruction into the outbox, in the place of an earlier one of its kind."""
    row: Row = {
        "task_id": attempt.task_id,
        "attempt_id": attempt_id,
        "kind": kind,
        "plan_id": attempt.plan_id,
        "site": attempt.site,
        "fence": attempt.fence,
        "position": position,
        "ordinal": ordinal,
    }
    fold.upsert("outbox", (attempt.task_id, attempt_id, kind), row)


def attempt_row(attempt_id: str, attempt: Attempt, at_us: int, position: int, ordinal: int) -> Row:
    """An attempt as it is when it was opened."""
    return {
        "attempt_id": attempt_id,
        "task_id": attempt.task_id,
        "plan_id": attempt.plan_id,
        "site": attempt.site,
        "fence": attempt.fence,
        "stage": "opened",
        "opened_us": at_us,
        "running_us": None,
        "closed_us": None,
        "succeeded": None,
        "reason": None,
        "detail": None,
        "exit_code": None,
        "signal": None,
        "held_start_us": None,
        "held_end_us": None,
        "usage": None,
        "outputs": None,
        "position": position,
        "ordinal": ordinal,
    }


def attempt_opened(record: AttemptOpened, at: Place, fold: Fold) -> None:
    attempt = fold.opened[record.attempt_id] = Attempt(record.task_id, record.plan_id, record.site, record.fence)
    row = attempt_row(record.attempt_id, attempt, record.at_us, at.position, at.ordinal)
    fold.add("attempts", record.attempt_id, row)
    patch = {"phase": Phase.DISPATCHED.value, "fence": record.fence, "attempt_id": record.attempt_id}
    fold.change("tasks", record.task_id, patch | {"position": at.position})
    post(_START, record.attempt_id, attempt, at.position, at.ordinal, fold)
    fold.tell(record.task_id, record, at)


def event_applied(record: EventApplied, at: Place, fold: Fold) -> None:
    event = record.event
    cursor: Row = {"agent": event.agent, "sequence": fit(event.sequence), "position": at.position}
    fold.upsert("agent_cursors", event.agent, cursor)
    attempt = fold.attempt(event.attempt_id)
    if attempt is None:  # an agent told of an attempt that this grid never opened
        assert not record.effective, f"an effective event of the unknown attempt {event.attempt_id}"
        return
    if record.effective:
        _effect(event, attempt, at, fold)
    fold.tell(attempt.task_id, record, at)


def _effect(event: Event, attempt: Attempt, at: Place, fold: Fold) -> None:
    attempt_id, kind = event.attempt_id, event.kind
    fold.change("tasks", attempt.task_id, {"position": at.position})
    patch: Row = {"position": at.position}
    if kind in (EventKind.PROGRESS, EventKind.CHECKPOINT):
        if event.fraction_permille is not None:  # else it tells of the use alone, and what was told before stands
            fold.change("tasks", attempt.task_id, {"progress_permille": fit(event.fraction_permille)})
    else:
        patch["stage"] = kind.value
    if kind in PHASE_OF_EVENT:
        fold.change("tasks", attempt.task_id, {"phase": PHASE_OF_EVENT[kind]})
    if kind is EventKind.FINISHED:
        patch["outputs"] = outputs_text(event.outputs)
    fold.change("attempts", attempt_id, patch)
    if kind is EventKind.RUNNING:
        fold.first("attempts", attempt_id, "running_us", fit(event.at_us))
    for answered in ANSWERS.get(kind, (_START,)):
        fold.remove("outbox", (attempt.task_id, attempt_id, answered))


def stop_requested(record: StopRequested, at: Place, fold: Fold) -> None:
    fold.change("tasks", record.task_id, {"phase": Phase.STOPPING.value, "position": at.position})
    post(_STOP, record.attempt_id, _known(record.attempt_id, fold), at.position, at.ordinal, fold)
    fold.tell(record.task_id, record, at)


def delivery_ordered(record: DeliveryOrdered, at: Place, fold: Fold) -> None:
    fold.change("tasks", record.task_id, {"phase": Phase.DELIVERING.value, "position": at.position})
    # Any live site can deliver: the outputs lie in the object store.
    attempt = _known(record.attempt_id, fold)._replace(site=record.site, fence=record.fence)
    post(_DELIVER, record.attempt_id, attempt, at.position, at.ordinal, fold)
    fold.tell(record.task_id, record, at)


def attempt_closed(record: AttemptClosed, at: Place, fold: Fold) -> None:
    attempt_id = record.attempt_id
    patch: Row = {
        "closed_us": record.at_us,
        "succeeded": record.succeeded,
        "reason": None if record.reason is None else record.reason.value,
        "detail": clean(record.detail),
        "exit_code": fit(record.exit_code),
        "signal": fit(record.signal),
        "held_start_us": fit(record.held_start_us),
        "held_end_us": fit(record.held_end_us),
        "usage": record.usage.model_dump_json(),
        "outputs": outputs_text(record.outputs),
        "position": at.position,
    }
    fold.change("attempts", attempt_id, patch)
    attempt = _known(attempt_id, fold)
    fold.change("plans", attempt.plan_id, {"released_us": record.at_us, "position": at.position})
    fold.change("tasks", record.task_id, {"position": at.position})
    for kind in (_START, _STOP):
        fold.remove("outbox", (attempt.task_id, attempt_id, kind))
    fold.closed.append(attempt_id)
    fold.tell(record.task_id, record, at)


def charge_row(
    charge_id: str,
    task_id: str,
    attempt_id: str,
    tenant: str,
    creditor: str,
    line: Line | LineRow,
    emulated: bool,
    at_us: int,
    position: int,
    ordinal: int,
) -> tuple[Any, ...]:
    """A charge in the order of the table's columns."""
    return (
        position,
        ordinal,
        charge_id,
        task_id,
        attempt_id,
        tenant,
        creditor,
        line.kind.value,
        line.item,
        str(line.quantity),
        line.price_micro_yuan,
        str(line.per),
        line.permille,
        line.amount_micro_yuan,
        emulated,
        at_us,
    )


def charge_posted(record: ChargePosted, at: Place, fold: Fold) -> None:
    line = record.line
    row = charge_row(
        record.charge_id,
        record.task_id,
        record.attempt_id,
        record.tenant,
        record.creditor,
        line,
        record.emulated,
        record.at_us,
        at.position,
        at.ordinal,
    )
    fold.lists["charges"].append(row)
    fold.grow("tasks", record.task_id, "billed_micro_yuan", line.amount_micro_yuan)
    fold.change("tasks", record.task_id, {"position": at.position})
    fold.tell(record.task_id, record, at)


def outputs_text(outputs: tuple[OutputFile, ...]) -> str:
    """Collected outputs as JSON text."""
    return to_json([one.model_dump() for one in outputs]) if outputs else "[]"


def _known(attempt_id: str, fold: Fold) -> Attempt:
    attempt = fold.attempt(attempt_id)
    assert attempt is not None, f"the attempt {attempt_id} was never opened"
    return attempt
