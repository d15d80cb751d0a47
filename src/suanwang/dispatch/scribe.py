"""The pen of the applier: what is decided is folded into the state at once and becomes one batch of the log.

What is decided for many tasks alike is kept as rows of one record (`model.batch`). A batch of fewer rows than
`rows_min` goes into the log as the single records that it stands for, so that a log of single tasks reads like one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from suanwang.dispatch.waits import Waits
from suanwang.model.batch import (
    BATCHES,
    ROWS_MAX,
    AnyRecord,
    AttemptsOpened,
    EventsHeard,
    Opened,
    PlansMade,
    Taken,
    TasksTaken,
)
from suanwang.model.compact import AnyPlan, CompactPlan
from suanwang.model.ids import AttemptId, ChargeId, LeaseId, PlanId, TaskId, TenantId
from suanwang.model.record import PlanCommitted, Record
from suanwang.observe import batches
from suanwang.observe.state import State

RowBatch = AttemptsOpened | EventsHeard | PlansMade
# From so many rows on a batch is smaller and faster as columns than as single records.
ROWS_MIN = 16


class Log(Protocol):
    """Where records go: one call, one durable batch."""

    def append(
        self, records: Sequence[AnyRecord], at_us: int, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> int: ...


class Ids(Protocol):
    """Makers of every id that the brain gives out."""

    def task_id(self) -> TaskId: ...
    def plan_id(self) -> PlanId: ...
    def lease_id(self) -> LeaseId: ...
    def attempt_id(self) -> AttemptId: ...
    def charge_id(self) -> ChargeId: ...
    def charge_ids(self, count: int) -> list[ChargeId]: ...


@dataclass
class Scribe:
    """State, log, clock and ids of one region, and what waits to be committed."""

    state: State
    log: Log
    clock: Callable[[], int]
    ids: Ids
    rows_min: int = field(default=ROWS_MIN, kw_only=True)
    pending: list[AnyRecord] = field(default_factory=list, init=False)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict, init=False)  # of `pending`'s tasks; never logged
    position: int = field(default=0, init=False)  # of the last batch in the log
    waits: Waits = field(init=False)

    def __post_init__(self) -> None:
        self.waits = Waits(self.state)

    def regrid(self) -> None:
        """The grid is another one: what is kept by it is made again, as after a start."""
        self.waits = Waits(self.state)

    def emit(self, record: Record) -> None:
        """One record."""
        self.waits.before(record)
        index = self.state.index
        self.state.apply(record)
        self.pending.append(record)
        if self.state.index is not index:
            self.regrid()
        self.waits.follow(record)

    def emit_all_taken(self, at_us: int, tenant: TenantId, principal: str, rows: Sequence[Taken]) -> None:
        """Tasks are submitted and admitted."""
        if not rows:
            return
        last, first = self.pending[-1] if self.pending else None, 0
        if type(last) is TasksTaken and (last.at_us, last.tenant, last.principal) == (at_us, tenant, principal):
            first = max(0, ROWS_MAX - len(last.rows))
            last.rows.extend(rows[:first])
        for begin in range(first, len(rows), ROWS_MAX):
            self.pending.append(TasksTaken(at_us, tenant, principal, [*rows[begin : begin + ROWS_MAX]]))
        self.waits.add_all(tenant, batches.take_tasks(self.state, at_us, tenant, rows))

    def emit_plan(self, at_us: int, plan: AnyPlan) -> None:
        """A plan is committed."""
        if not isinstance(plan, CompactPlan):
            self.emit(PlanCommitted(at_us=at_us, plan=plan))
            return
        last = self.pending[-1] if self.pending else None
        if type(last) is PlansMade and last.at_us == at_us and len(last.rows) < ROWS_MAX:
            last.rows.append(plan)
        else:
            self.pending.append(PlansMade(at_us, [plan]))
        self.waits.plan_made(self.state.make_plan(plan), plan, at_us)

    def emit_plans(self, at_us: int, plans: Sequence[CompactPlan]) -> None:
        """Plans are committed together."""
        self.add_rows(PlansMade, at_us, plans)
        self.waits.plans_made(batches.make_plans(self.state, plans), plans, at_us)

    def emit_opened(self, at_us: int, row: Opened) -> None:
        """An attempt is opened."""
        last = self.pending[-1] if self.pending else None
        if type(last) is AttemptsOpened and last.at_us == at_us and len(last.rows) < ROWS_MAX:
            last.rows.append(row)
        else:
            self.pending.append(AttemptsOpened(at_us, [row]))
        self.state.open_attempt(at_us, row)
        self.waits.attempt_opened(self.state.tasks[row.task_id])

    def add_rows(self, kind: Callable[[int, list[Any]], RowBatch], at_us: int, rows: Sequence[Any]) -> None:
        """Rows that are folded already, as batches of one kind and moment."""
        last = self.pending[-1] if self.pending else None
        first = 0
        if type(last) is kind and isinstance(last, AttemptsOpened | EventsHeard | PlansMade) and last.at_us == at_us:
            first = max(0, ROWS_MAX - len(last.rows))
            last.rows.extend(rows[:first])
        for begin in range(first, len(rows), ROWS_MAX):
            self.pending.append(kind(at_us, [*rows[begin : begin + ROWS_MAX]]))

    def commit(self) -> None:
        """One batch, one fsync. Nothing is sent and no call returns before this."""
        if self.pending:
            self.position = self.log.append(self._sealed(), self.clock(), self.secrets)
            self.pending, self.secrets = [], {}

    def _sealed(self) -> list[AnyRecord]:
        out: list[AnyRecord] = []
        for record in self.pending:
            if isinstance(record, BATCHES) and len(record.rows) < self.rows_min:
                out += record.expand()
            else:
                out.append(record)
        return out
