"""The life of a task as a table: (phase, signal) -> (next phase, effects). No I/O, no clock, no decision elsewhere.

`docs/reference/lifecycle.md` is generated from `TABLE`. A pair that is not in the table has no effect: the
signal is late, repeated or of a fenced-out attempt, and is kept in the log as such.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from suanwang.model.event import AnyEvent, EventKind
from suanwang.model.reason import NOT_THE_TASKS_FAULT, RETRYABLE, FailureReason
from suanwang.model.record import ENDS, Phase


class Signal(StrEnum):
    """What can happen to a task, as seen by the brain."""

    PLAN_MADE = "plan_made"
    NO_PLAN_NOW = "no_plan_now"
    NO_POOL_EVER = "no_pool_ever"  # at the first look: the task is refused
    NO_POOL_LEFT = "no_pool_left"  # after an attempt
    DEADLINE_LOST = "deadline_lost"
    AFTER_LOST = "after_lost"  # a task that it comes after ended otherwise
    INPUTS_LOST = "inputs_lost"  # what it takes of another task's outputs is not there
    PLAN_DROPPED = "plan_dropped"  # the site of a plan failed, or its capacity was overrun
    ATTEMPT_OPENED = "attempt_opened"
    ACCEPTED = "accepted"
    STAGING = "staging"
    RUNNING = "running"
    PROGRESS = "progress"
    CHECKPOINT = "checkpoint"
    COLLECTING = "collecting"
    FINISHED = "finished"
    FINISHED_TO_DELIVER = "finished_to_deliver"
    FAILED_RETRY = "failed_retry"
    FAILED_FINAL = "failed_final"
    ATTEMPT_LOST = "attempt_lost"  # its site or its agent no longer answers for it
    PREEMPTED = "preempted"  # its room goes to a task of higher rank
    STOPPED = "stopped"
    STOP_ASKED = "stop_asked"  # the brain stops it: its budget is used up
    CANCEL_ASKED = "cancel_asked"
    DELIVERED = "delivered"
    DELIVERY_RETRY = "delivery_retry"
    DELIVERY_FAILED = "delivery_failed"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


class Effect(StrEnum):
    """What the road does about it, in this order."""

    TAKE_LEASE = "take_lease"
    DROP_LEASE = "drop_lease"
    SEND_START = "send_start"
    SEND_STOP = "send_stop"
    CLOSE_ATTEMPT = "close_attempt"  # the lease ends here
    SETTLE = "settle"  # charges are posted in the same batch
    PUBLISH_OUTPUTS = "publish_outputs"
    ORDER_DELIVERY = "order_delivery"
    QUEUE_FOR_PLAN = "queue_for_plan"
    END = "end"


@dataclass(frozen=True)
class Transition:
    to: Phase
    effects: tuple[Effect, ...] = ()


P, S, E = Phase, Signal, Effect
_CLOSE = (E.CLOSE_ATTEMPT, E.SETTLE)
SUCCESS: Final = Transition(P.SUCCEEDED, (*_CLOSE, E.PUBLISH_OUTPUTS, E.END))  # nothing to deliver
LIVE: Final = (P.DISPATCHED, P.STAGING, P.RUNNING, P.COLLECTING)  # an attempt is open and not being stopped


def _table() -> dict[tuple[Phase, Signal], Transition]:
    table = {
        (P.WAITING, S.PLAN_MADE): Transition(P.PLANNED, (E.TAKE_LEASE,)),
        (P.WAITING, S.NO_PLAN_NOW): Transition(P.WAITING),
        (P.WAITING, S.NO_POOL_EVER): Transition(P.REFUSED, (E.END,)),
        (P.WAITING, S.NO_POOL_LEFT): Transition(P.FAILED, (E.END,)),
        (P.WAITING, S.DEADLINE_LOST): Transition(P.EXPIRED, (E.END,)),
        (P.WAITING, S.AFTER_LOST): Transition(P.CANCELLED, (E.END,)),
        (P.WAITING, S.INPUTS_LOST): Transition(P.FAILED, (E.END,)),
        (P.WAITING, S.CANCEL_ASKED): Transition(P.CANCELLED, (E.END,)),
        (P.PLANNED, S.PLAN_DROPPED): Transition(P.WAITING, (E.DROP_LEASE, E.QUEUE_FOR_PLAN)),
        (P.PLANNED, S.PREEMPTED): Transition(P.WAITING, (E.DROP_LEASE, E.QUEUE_FOR_PLAN)),
        (P.PLANNED, S.ATTEMPT_OPENED): Transition(P.DISPATCHED, (E.SEND_START,)),
        (P.PLANNED, S.CANCEL_ASKED): Transition(P.CANCELLED, (E.DROP_LEASE, E.END)),
        (P.DISPATCHED, S.ACCEPTED): Transition(P.DISPATCHED),
        (P.DISPATCHED, S.STAGING): Transition(P.STAGING),
        (P.DISPATCHED, S.RUNNING): Transition(P.RUNNING),
        (P.STAGING, S.RUNNING): Transition(P.RUNNING),
        (P.RUNNING, S.PROGRESS): Transition(P.RUNNING),
        (P.RUNNING, S.CHECKPOINT): Transition(P.RUNNING),
        (P.COLLECTING, S.CHECKPOINT): Transition(P.COLLECTING),
        (P.RUNNING, S.COLLECTING): Transition(P.COLLECTING),
        (P.STOPPING, S.STOPPED): Transition(P.FAILED, (*_CLOSE, E.END)),  # CANCELLED where a user asked for it
        (P.STOPPING, S.FINISHED): Transition(P.FAILED, (*_CLOSE, E.END)),
        (P.STOPPING, S.FINISHED_TO_DELIVER): Transition(P.FAILED, (*_CLOSE, E.END)),
        (P.STOPPING, S.FAILED_RETRY): Transition(P.FAILED, (*_CLOSE, E.END)),
        (P.STOPPING, S.FAILED_FINAL): Transition(P.FAILED, (*_CLOSE, E.END)),
        (P.STOPPING, S.ATTEMPT_LOST): Transition(P.FAILED, (*_CLOSE, E.END)),
        (P.STOPPING, S.CANCEL_ASKED): Transition(P.STOPPING),
        (P.DELIVERING, S.DELIVERED): Transition(P.SUCCEEDED, (E.END,)),
        (P.DELIVERING, S.DELIVERY_RETRY): Transition(P.DELIVERING, (E.ORDER_DELIVERY,)),
        (P.DELIVERING, S.DELIVERY_FAILED): Transition(P.FAILED, (E.END,)),
        (P.DELIVERING, S.CANCEL_ASKED): Transition(P.CANCELLED, (E.END,)),
    }
    for phase in LIVE:
        table |= {
            (phase, S.FINISHED): SUCCESS,
            (phase, S.FINISHED_TO_DELIVER): Transition(P.DELIVERING, (*_CLOSE, E.PUBLISH_OUTPUTS, E.ORDER_DELIVERY)),
            (phase, S.FAILED_RETRY): Transition(P.WAITING, (*_CLOSE, E.QUEUE_FOR_PLAN)),
            (phase, S.FAILED_FINAL): Transition(P.FAILED, (*_CLOSE, E.END)),
            (phase, S.ATTEMPT_LOST): Transition(P.WAITING, (*_CLOSE, E.QUEUE_FOR_PLAN)),
            (phase, S.PREEMPTED): Transition(P.WAITING, (*_CLOSE, E.QUEUE_FOR_PLAN)),
            (phase, S.STOPPED): Transition(P.WAITING, (*_CLOSE, E.QUEUE_FOR_PLAN)),
            (phase, S.CANCEL_ASKED): Transition(P.STOPPING, (E.SEND_STOP,)),
            (phase, S.STOP_ASKED): Transition(P.STOPPING, (E.SEND_STOP,)),
        }
    return table


TABLE: Final = _table()


def step(phase: Phase, signal: Signal) -> Transition | None:
    """The transition, or None where the signal has no effect in this phase. An end is never left."""
    found = TABLE.get((phase, signal))
    assert found is None or phase not in ENDS, "an ended task does not move"
    return found


# What an event says is mostly a signal of the same name.
_SIGNAL_OF: Final = {kind: Signal(kind.value) for kind in EventKind if kind.value in {one.value for one in Signal}}


def signal_of(event: AnyEvent, retries_left: int, delivers: bool) -> Signal:
    """The signal of an agent's event. `retries_left` counts the task's own; `delivers`: outputs have targets."""
    if event.kind is EventKind.FINISHED:
        return Signal.FINISHED_TO_DELIVER if delivers else Signal.FINISHED
    if event.kind is EventKind.FAILED:
        return Signal.FAILED_RETRY if may_retry(event.reason, retries_left) else Signal.FAILED_FINAL
    if event.kind is EventKind.DELIVERY_FAILED:
        return Signal.DELIVERY_RETRY if retries_left > 0 else Signal.DELIVERY_FAILED
    return _SIGNAL_OF[event.kind]


def may_retry(reason: FailureReason | None, retries_left: int) -> bool:
    """The site's faults are always tried again; the task's own as long as it has retries left."""
    if reason in NOT_THE_TASKS_FAULT:
        return True
    return reason in RETRYABLE and retries_left > 0
