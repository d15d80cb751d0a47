"""Records of thousands of tasks at once: what many records of `model.record` say, in rows.

Each says exactly what its `expand()` says, record for record and in that order. Whoever folds or projects the log may
do it row by row or by what it expands to; tests hold the two together. A row is appended when its decision is made and
folded at once, so a batch that is still growing is always what the state has seen.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

from suanwang.model.compact import CompactPlan, full_plan
from suanwang.model.event import AnyEvent, Usage, as_event
from suanwang.model.ids import AttemptId, ChargeId, LeaseId, PlanId, SiteId, TaskId, TenantId
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    ChargePosted,
    EventApplied,
    Phase,
    PlanCommitted,
    Record,
    TaskAdmitted,
    TaskEnded,
    TaskSubmitted,
)
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import LineRow, as_line
from suanwang.model.task import TaskRequest

# Rows of one batch: the most that one row of the log holds of a kind.
ROWS_MAX = 16_384


class Taken(NamedTuple):
    """A task that was submitted and admitted."""

    task_id: TaskId
    request: TaskRequest
    key: str | None  # for idempotency


class Opened(NamedTuple):
    """An attempt that was opened."""

    attempt_id: AttemptId
    task_id: TaskId
    plan_id: PlanId
    site: SiteId
    fence: int


class Closing(NamedTuple):
    """A success without outputs to deliver: the attempt is closed and billed, and the task ends."""

    task_id: TaskId
    tenant: TenantId
    lease_id: LeaseId
    held_start_us: int
    held_end_us: int
    emulated: bool
    charges: tuple[tuple[ChargeId, str, LineRow], ...]  # id, creditor, line


class Heard(NamedTuple):
    """An event that took effect, and what it brought about."""

    event: AnyEvent
    closing: Closing | None


@dataclass(slots=True)
class TasksTaken:
    """Submissions that were admitted, all by one principal of one tenant."""

    at_us: int
    tenant: TenantId
    principal: str
    rows: list[Taken] = field(default_factory=list)
    t: ClassVar[str] = "tasks_taken"

    def expand(self) -> Iterator[Record]:
        """Submitted and admitted, task by task."""
        for row in self.rows:
            yield TaskSubmitted.model_construct(
                at_us=self.at_us,
                task_id=row.task_id,
                tenant=self.tenant,
                principal=self.principal,
                request=row.request,
                idempotency_key=row.key,
            )
            yield TaskAdmitted.model_construct(at_us=self.at_us, task_id=row.task_id)


class Unbound(Protocol):
    """Plans as they were written: numbers that mean something on the grid of the log."""

    def __len__(self) -> int: ...
    def task_ids(self) -> list[TaskId]: ...
    def bind(self, index: GridIndex) -> list[CompactPlan]: ...


@dataclass(slots=True)
class PlansMade:
    """Plans that were committed. Read from a log they are `unbound` until `bind` tells them the grid."""

    at_us: int
    rows: list[CompactPlan] = field(default_factory=list)
    unbound: Unbound | None = None
    t: ClassVar[str] = "plans_made"

    def task_ids(self) -> list[TaskId]:
        """Whose plans they are; known without the grid."""
        return [row.task_id for row in self.rows] if self.unbound is None else self.unbound.task_ids()

    def bind(self, index: GridIndex) -> None:
        """Make the plans on their grid, if that is not done yet."""
        if self.unbound is not None:
            self.rows, self.unbound = self.unbound.bind(index), None

    def expand(self) -> Iterator[Record]:
        """Each plan as a whole."""
        assert self.unbound is None, "plans are bound to their grid before they are looked at"
        for row in self.rows:
            yield PlanCommitted.model_construct(at_us=self.at_us, plan=full_plan(row))


@dataclass(slots=True)
class AttemptsOpened:
    at_us: int
    rows: list[Opened] = field(default_factory=list)
    t: ClassVar[str] = "attempts_opened"

    def expand(self) -> Iterator[Record]:
        """Each attempt."""
        for row in self.rows:
            yield AttemptOpened.model_construct(at_us=self.at_us, **row._asdict())


@dataclass(slots=True)
class EventsHeard:
    """Events that took effect, in the order of their agents' sequences."""

    at_us: int
    rows: list[Heard] = field(default_factory=list)
    t: ClassVar[str] = "events_heard"

    def expand(self) -> Iterator[Record]:
        """The event; where it ends the task, the attempt closed, its charges, and the end."""
        for event, closing in self.rows:
            yield EventApplied.model_construct(at_us=self.at_us, event=as_event(event), effective=True)
            if closing is not None:
                yield from self._close(event, closing)

    def _close(self, event: AnyEvent, closing: Closing) -> Iterator[Record]:
        yield AttemptClosed.model_construct(
            at_us=self.at_us,
            attempt_id=event.attempt_id,
            task_id=closing.task_id,
            lease_id=closing.lease_id,
            succeeded=True,
            exit_code=event.exit_code,
            held_start_us=closing.held_start_us,
            held_end_us=closing.held_end_us,
            usage=event.usage or Usage(),
            outputs=event.outputs,
        )
        for charge_id, creditor, line in closing.charges:
            yield ChargePosted.model_construct(
                at_us=self.at_us,
                charge_id=charge_id,
                task_id=closing.task_id,
                attempt_id=event.attempt_id,
                tenant=closing.tenant,
                creditor=creditor,
                line=as_line(line),
                emulated=closing.emulated,
            )
        yield TaskEnded.model_construct(at_us=self.at_us, task_id=closing.task_id, phase=Phase.SUCCEEDED)


Batch = TasksTaken | PlansMade | AttemptsOpened | EventsHeard
AnyRecord = Record | Batch
BATCHES = (TasksTaken, PlansMade, AttemptsOpened, EventsHeard)


def expanded(records: Iterable[AnyRecord]) -> Iterator[Record]:
    """The same as single records."""
    for record in records:
        if isinstance(record, BATCHES):
            yield from record.expand()
        else:
            yield record
