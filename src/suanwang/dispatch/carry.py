"""Carry out a transition: from a task, a transition and its cause to the records that go into the log."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from suanwang import failpoints
from suanwang.dispatch.lifecycle import Effect, Transition
from suanwang.model.batch import Closing
from suanwang.model.compact import AnyPlan
from suanwang.model.event import AnyEvent, OutputFile, Usage
from suanwang.model.ids import AttemptId, ChargeId, LeaseId, SiteId
from suanwang.model.plan import ChargeKind, Line
from suanwang.model.reason import NOT_THE_TASKS_FAULT, PARTS, FailureReason, WaitReason
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    ChargePosted,
    DeliveryOrdered,
    Phase,
    PlanDropped,
    Record,
    StopRequested,
    TaskEnded,
    TaskWaits,
)
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import LineRow, total_micro_yuan
from suanwang.model.task import elements_of
from suanwang.observe.resume import resumes, saved_spans
from suanwang.observe.state import Attempt, Task
from suanwang.settle import Bills, capped, capped_rows, settle, settle_held, settle_rows

# A failed attempt is tried again after 1, 2, 4 ... seconds, a minute at most: long enough for a passing fault to
# pass, short enough for a person who watches.
RETRY_DELAY_US = 1_000_000
RETRY_DELAY_US_MAX = 60_000_000
# So long a task waits for what its last attempt has done: the grace that an agent gives, and time to collect.
PARTING_US = 30_000_000
NETWORK_CREDITOR = "network"
OF_NETWORK = frozenset({ChargeKind.BANDWIDTH, ChargeKind.PROTECTION, ChargeKind.TRANSFER})


class Ids(Protocol):
    """Makers of the ids that dispatch needs."""

    def attempt_id(self) -> AttemptId: ...
    def charge_id(self) -> ChargeId: ...
    def charge_ids(self, count: int) -> list[ChargeId]: ...


@dataclass(frozen=True)
class Cause:
    """What brought a transition about, and when."""

    now_us: int
    reason: FailureReason | None = None
    detail: str = ""
    happened_us: int | None = None  # by the agent's clock; the brain's where there is no event
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = field(default_factory=Usage)
    outputs: tuple[OutputFile, ...] = ()
    site: SiteId | None = None  # that shall deliver
    finished: bool = False  # the attempt succeeded
    answers: bool = False  # of a lost site: its agent still does


def room_micro_yuan(task: Task) -> int:
    """What may still be billed: the quote of the first plan, once for each attempt that the task itself used up, and
    never more than its price limit in all."""
    consent = (task.first_quote_micro_yuan or 0) * (1 + task.own_failures)
    if task.request is not None and task.request.price_limit is not None:
        consent = min(consent, task.request.price_limit)
    return max(0, consent - task.billed_micro_yuan)


def is_over_budget(task: Task, index: GridIndex, now_us: int) -> bool:
    """Whether a running task that shall stop at its budget has by now used it up."""
    attempt, request = task.attempt, task.request
    if attempt is None or request is None or request.on_budget != "stop" or not attempt.run_us:
        return False
    shots = request.resources.shots * elements_of(request)
    rows = settle_rows(attempt.plan, index, shots, attempt.run_us, now_us)
    return total_micro_yuan(rows) > room_micro_yuan(task)


def held_span(attempt: Attempt, end_us: int, now_us: int) -> tuple[int, int]:
    """The span that is billed: from the running event to the end. By the agent's clock, unless that is plainly
    wrong: then by when the brain heard of it."""
    if not attempt.run_us:
        end_us = min(end_us, now_us)
        return end_us, end_us
    if not attempt.run_us <= end_us <= now_us:
        end_us = max(attempt.run_us, now_us)
    return attempt.run_us, end_us


def is_plain_success(task: Task) -> bool:
    """Whether a success can be one row: nothing of earlier attempts is billed with it, no second place was held, and
    nobody waits for the end of this part."""
    plan = task.attempt.plan if task.attempt is not None else None
    return plan is not None and plan.standby is None and task.resume is None and task.part_of is None


class Bill(NamedTuple):
    """What a success costs: the lines without their ids."""

    lease_id: LeaseId
    held_start_us: int
    held_end_us: int
    emulated: bool
    owner: str  # whom the site belongs to
    lines: list[LineRow]
    amount_micro_yuan: int  # of the lines together


def bill_of(task: Task, event: AnyEvent, now_us: int, bills: Bills) -> Bill:
    """The bill of a success without outputs to deliver, up to what the task may still be billed."""
    attempt, request = task.attempt, task.request
    assert attempt is not None and request is not None, "a live attempt is settled"
    plan, shots = attempt.plan, request.resources.shots
    start_us, end_us = held_span(attempt, event.at_us or now_us, now_us)
    lines = bills.rows(plan, shots * elements_of(request) if shots else 0, start_us, end_us)
    amount, room = sum([one.amount_micro_yuan for one in lines]), room_micro_yuan(task)
    if amount > room:
        lines = capped_rows(lines, room)
        amount = room
    owner = bills.index.sites[attempt.site].owner
    return Bill(plan.lease_id, start_us, end_us, plan.emulated, owner, lines, amount)


def closing_of(task: Task, bill: Bill, charge_ids: Iterator[ChargeId]) -> Closing:
    """A success as one row: what `carry` would say in several records."""
    charges = tuple(
        [(next(charge_ids), NETWORK_CREDITOR if row.kind in OF_NETWORK else bill.owner, row) for row in bill.lines]
    )
    lease_id, start_us, end_us, emulated, *_ = bill
    return Closing(task.task_id, task.tenant, lease_id, start_us, end_us, emulated, charges)


@dataclass
class Carrier:
    """One transition under way."""

    task: Task
    transition: Transition
    cause: Cause
    index: GridIndex
    ids: Ids
    records: list[Record] = field(default_factory=list)

    def close(self) -> None:
        task, cause, attempt = self.task, self.cause, self.task.attempt
        assert attempt is not None, "only a live attempt is closed"
        start_us, end_us = self.held()
        succeeded = cause.finished and task.phase is not Phase.STOPPING
        told = {one.path for one in cause.outputs}
        before = task.resume.outputs if succeeded and task.resume is not None else ()
        self.records.append(
            AttemptClosed(
                at_us=cause.now_us,
                attempt_id=attempt.attempt_id,
                task_id=task.task_id,
                lease_id=attempt.plan.lease_id,
                succeeded=succeeded,
                reason=self.reason(),
                detail=cause.detail,
                exit_code=cause.exit_code,
                signal=cause.signal,
                held_start_us=start_us,
                held_end_us=end_us,
                usage=cause.usage,
                outputs=(*(one for one in before if one.path not in told), *cause.outputs),
            )
        )

    def held(self) -> tuple[int, int]:
        attempt, now_us = self.task.attempt, self.cause.now_us
        assert attempt is not None, "a live attempt"
        return held_span(attempt, self.cause.happened_us or now_us, now_us)

    def reason(self) -> FailureReason | None:
        attempt = self.task.attempt
        if self.task.phase is Phase.STOPPING and attempt is not None and self.cause.reason not in NOT_THE_TASKS_FAULT:
            return attempt.stop_reason
        return self.cause.reason

    def settle(self) -> None:
        task, attempt = self.task, self.task.attempt
        assert attempt is not None and task.request is not None, "a live attempt is settled"
        start_us, end_us = self.held()
        shots = task.request.resources.shots * elements_of(task.request)
        lines = settle(attempt.plan, self.index, shots, start_us, end_us, self.reason())
        room = room_micro_yuan(task)
        lines = capped(lines, room)
        self._charge(attempt.attempt_id, attempt.plan, lines)
        if self.cause.finished and task.phase is not Phase.STOPPING:
            billed = total_micro_yuan(lines)
            self._settle_saved(max(0, min(room, attempt.plan.quote_micro_yuan) - billed))

    def _settle_saved(self, room: int) -> None:
        """What attempts that the grid stopped had done and the task did not do again, inside what the quote of the
        attempt that ends it leaves: nobody pays more for giving way (`docs/decisions/0080-work-is-kept.md`)."""
        for attempt_id, one in saved_spans(self.task.resume):
            lines = capped(settle_held(one.plan, self.index, one.start_us, one.end_us), room)
            room -= total_micro_yuan(lines)
            self._charge(attempt_id, one.plan, lines)

    def _charge(self, attempt_id: AttemptId, plan: AnyPlan, lines: list[Line]) -> None:
        for line in lines:
            self.records.append(
                ChargePosted(
                    at_us=self.cause.now_us,
                    charge_id=self.ids.charge_id(),
                    task_id=self.task.task_id,
                    attempt_id=attempt_id,
                    tenant=self.task.tenant,
                    creditor=self._creditor(plan, line),
                    line=line,
                    emulated=plan.emulated,
                )
            )

    def _creditor(self, plan: AnyPlan, line: Line) -> str:
        if line.kind in OF_NETWORK:
            return NETWORK_CREDITOR
        if plan.standby is not None and line.item == plan.standby.pool:
            return self.index.sites[plan.standby.site].owner
        return self.index.sites[plan.site].owner

    def open(self) -> None:
        plan = self.task.plan
        assert plan is not None, "an attempt carries out a plan"
        self.records.append(
            AttemptOpened(
                at_us=self.cause.now_us,
                attempt_id=self.ids.attempt_id(),
                task_id=self.task.task_id,
                plan_id=plan.plan_id,
                site=plan.site,
                fence=self.task.fence + 1,
            )
        )

    def stop(self) -> None:
        attempt = self.task.attempt
        assert attempt is not None and self.cause.reason is not None, "a stop has an attempt and a reason"
        self.records.append(
            StopRequested(
                at_us=self.cause.now_us,
                task_id=self.task.task_id,
                attempt_id=attempt.attempt_id,
                reason=self.cause.reason,
            )
        )

    def drop(self) -> None:
        plan = self.task.plan
        assert plan is not None, "only a standing plan is dropped"
        detail = self.cause.reason.value if self.cause.reason else self.cause.detail
        self.records.append(
            PlanDropped(at_us=self.cause.now_us, plan_id=plan.plan_id, task_id=self.task.task_id, reason=detail)
        )

    def deliver(self) -> None:
        holder = self.task.attempt or self.task.delivery
        assert holder is not None, "a delivery has outputs"
        self.records.append(
            DeliveryOrdered(
                at_us=self.cause.now_us,
                task_id=self.task.task_id,
                attempt_id=holder.attempt_id,
                site=self.cause.site or holder.site,
                fence=holder.fence,
            )
        )
        failpoints.hit("brain.deliver.ordered")

    def queue(self) -> None:
        """Back to the planner: at once where the site failed, after a growing pause where the task itself did, and where
        backends have failed it before: one that fails at once would be asked again at once, for ever."""
        own = self.cause.reason is not None and self.cause.reason not in NOT_THE_TASKS_FAULT and bool(self.task.attempt)
        pause_us = min(RETRY_DELAY_US << self.task.own_failures, RETRY_DELAY_US_MAX) if own else 0
        if self.cause.reason is FailureReason.BACKEND and self.task.attempts > 1:
            pause_us = min(RETRY_DELAY_US << min(self.task.attempts - 2, 6), RETRY_DELAY_US_MAX)
        reason = WaitReason.RETRY_DELAY if pause_us else WaitReason.QUEUED
        if self._may_bring_more():
            pause_us, reason = PARTING_US, WaitReason.CHECKPOINT
        self.records.append(
            TaskWaits(
                at_us=self.cause.now_us,
                task_id=self.task.task_id,
                reason=reason,
                until_us=self.cause.now_us + pause_us if pause_us else 0,
            )
        )

    def _may_bring_more(self) -> bool:
        """Whether the grid stops an attempt of which there is something to keep, and its agent still answers."""
        attempt, request, reason = self.task.attempt, self.task.request, self.cause.reason
        if attempt is None or not attempt.run_us or request is None or not resumes(request):
            return False
        return reason in PARTS and (reason is not FailureReason.SITE_LOST or self.cause.answers)

    def end(self) -> None:
        phase = self.transition.to
        if self.task.phase is Phase.STOPPING and self.task.cancel_asked:
            phase = Phase.CANCELLED
        reason = None if phase is Phase.SUCCEEDED else self.reason()
        self.records.append(
            TaskEnded(
                at_us=self.cause.now_us, task_id=self.task.task_id, phase=phase, reason=reason, detail=self.cause.detail
            )
        )

    def nothing(self) -> None:
        """The record that carries this effect is made by the stage itself (a plan, a refusal)."""


_DO: dict[Effect, Callable[[Carrier], None]] = {
    Effect.TAKE_LEASE: Carrier.nothing,
    Effect.DROP_LEASE: Carrier.drop,
    Effect.SEND_START: Carrier.open,
    Effect.SEND_STOP: Carrier.stop,
    Effect.CLOSE_ATTEMPT: Carrier.close,
    Effect.SETTLE: Carrier.settle,
    Effect.PUBLISH_OUTPUTS: Carrier.nothing,
    Effect.ORDER_DELIVERY: Carrier.deliver,
    Effect.QUEUE_FOR_PLAN: Carrier.queue,
    Effect.END: Carrier.end,
}


def carry(task: Task, transition: Transition, cause: Cause, index: GridIndex, ids: Ids) -> list[Record]:
    """The records of a transition, in order. Reads the task as it was before; changes nothing."""
    carrier = Carrier(task, transition, cause, index, ids)
    for effect in transition.effects:
        _DO[effect](carrier)
    return carrier.records
