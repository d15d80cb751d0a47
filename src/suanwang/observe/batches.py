"""Batches folded row by row, by the same folds as single records."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suanwang.model.batch import AttemptsOpened, EventsHeard, PlansMade, TasksTaken

if TYPE_CHECKING:
    from suanwang.observe.state import State


def _taken(state: "State", record: TasksTaken) -> None:
    for row in record.rows:
        state.take_task(record.at_us, record.tenant, row)


def _made(state: "State", record: PlansMade) -> None:
    record.bind(state.index)
    for plan in record.rows:
        state.make_plan(plan)


def _opened(state: "State", record: AttemptsOpened) -> None:
    for row in record.rows:
        state.open_attempt(record.at_us, row)


def _heard(state: "State", record: EventsHeard) -> None:
    for row in record.rows:
        state.hear_event(record.at_us, row.event)
        if row.closing is not None:
            state.close_and_end(row.event, row.closing)


FOLDS: dict[type, Callable[["State", Any], None]] = {
    TasksTaken: _taken,
    PlansMade: _made,
    AttemptsOpened: _opened,
    EventsHeard: _heard,
}
