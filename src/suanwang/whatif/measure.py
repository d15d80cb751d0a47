"""Watches a day go by, record by record, and keeps of each task and each attempt what the figures need."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId, PlanId, PoolId, SiteId, TaskId, TenantId
from suanwang.model.plan import ClauseCount, Demand, Path, Plan
from suanwang.model.reason import NOT_THE_TASKS_FAULT, WaitReason
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    ChargePosted,
    EventApplied,
    Phase,
    PlanCommitted,
    Record,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TaskWaits,
)
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import carbon_mg
from suanwang.model.units import US_PER_S

# A plan that starts later than this after it was made waits, though it has a plan.
LATER_US = US_PER_S
LATER = "later_start"
Reason = tuple[str, str]  # the reason and the clause that bound


@dataclass(slots=True)
class TaskRow:
    """One task of the day."""

    key: str
    tenant: TenantId
    submitted_us: int
    from_us: int  # it may run from then on: its earliest start, else when it was submitted
    phase: Phase = Phase.WAITING
    run_us: int | None = None  # when it first ran
    site: SiteId | None = None  # where it last ran
    core_us: int = 0
    refused: tuple[Reason, ...] = ()
    waited: set[Reason] = field(default_factory=set)
    failed: str = ""


Step = tuple[str, bool]  # a link, and which way


@dataclass(frozen=True, slots=True)
class Moved:
    """Data brought to an attempt over links."""

    size_bytes: int
    rate_bps: int
    start_us: int
    end_us: int
    steps: tuple[Step, ...]


@dataclass(slots=True)
class HeldRow:
    """One attempt: what it held, from when to when, and what that cost."""

    pool: PoolId
    demand: Demand
    bandwidth_bps: int
    steps: tuple[Step, ...]
    moves: tuple[Moved, ...]
    start_us: int
    end_us: int
    carbon_mg: int
    core_us: int
    card_us: int
    cost_micro_yuan: int = 0


@dataclass
class Measure:
    """`take` is the watch of a `twin.day.Day`."""

    index: GridIndex
    tasks: dict[TaskId, TaskRow] = field(default_factory=dict)
    held: list[HeldRow] = field(default_factory=list)
    cost_by_tenant: dict[TenantId, int] = field(default_factory=dict)
    revenue_by_owner: dict[str, int] = field(default_factory=dict)
    _plans: dict[PlanId, Plan] = field(default_factory=dict)
    _attempts: dict[AttemptId, tuple[TaskId, Plan]] = field(default_factory=dict)
    _closed: dict[AttemptId, HeldRow] = field(default_factory=dict)

    def take(self, records: Sequence[Record], at_us: int) -> None:
        for record in records:
            self._one(record)
        self._closed.clear()  # the charges of an attempt are in the batch that closes it

    def _one(self, record: Record) -> None:
        match record:
            case TaskSubmitted():
                from_us = max(record.at_us, record.request.earliest_start or 0)
                row = TaskRow(record.idempotency_key or record.task_id, record.tenant, record.at_us, from_us)
                self.tasks[record.task_id] = row
            case TaskRefused():
                row = self.tasks[record.task_id]
                row.phase, clause = Phase.REFUSED, binding(record.clauses)
                row.refused = tuple((one.reason.value, clause) for one in record.refusals)
            case TaskWaits(reason=reason) if reason is not WaitReason.QUEUED:
                self.tasks[record.task_id].waited.add((reason.value, binding(record.clauses)))
            case PlanCommitted():
                self._planned(record)
            case AttemptOpened():
                self._attempts[record.attempt_id] = (record.task_id, self._plans.pop(record.plan_id))
            case EventApplied(effective=True) if record.event.kind is EventKind.RUNNING:
                row = self.tasks[self._attempts[record.event.attempt_id][0]]
                if row.run_us is None:
                    row.run_us = record.event.at_us
            case AttemptClosed():
                self._close(record)
            case ChargePosted():
                self._charge(record)
            case TaskEnded():
                row = self.tasks[record.task_id]
                row.phase = record.phase
                row.failed = record.reason.value if record.reason is not None else ""

    def _planned(self, record: PlanCommitted) -> None:
        plan = record.plan
        self._plans[plan.plan_id] = plan
        row = self.tasks[plan.task_id]
        if plan.start_us > max(record.at_us, row.from_us) + LATER_US:
            row.waited.add((LATER, ""))

    def _close(self, record: AttemptClosed) -> None:
        task_id, plan = self._attempts.pop(record.attempt_id)
        row = self.tasks[task_id]
        span_us = record.held_end_us - record.held_start_us
        pool, site = self.index.pools[plan.pool]
        whole = plan.demand.nodes * pool.cores_per_node
        core_us = (plan.demand.cores or whole) * span_us
        card_us = (plan.demand.accelerators or plan.demand.nodes * pool.accelerators_per_node) * span_us
        held = HeldRow(
            pool=plan.pool,
            demand=plan.demand,
            bandwidth_bps=plan.bandwidth_bps,
            steps=_steps(plan.path) if plan.bandwidth_bps else (),
            moves=_moves(plan) if record.reason not in NOT_THE_TASKS_FAULT else (),
            start_us=record.held_start_us,
            end_us=record.held_end_us,
            carbon_mg=carbon_mg(pool, site, plan.demand, span_us),
            core_us=core_us,
            card_us=card_us,
        )
        if span_us:
            row.site, row.core_us = plan.site, row.core_us + core_us
        self.held.append(held)
        self._closed[record.attempt_id] = held

    def _charge(self, record: ChargePosted) -> None:
        amount = record.line.amount_micro_yuan
        self.cost_by_tenant[record.tenant] = self.cost_by_tenant.get(record.tenant, 0) + amount
        self.revenue_by_owner[record.creditor] = self.revenue_by_owner.get(record.creditor, 0) + amount
        self._closed[record.attempt_id].cost_micro_yuan += amount


def _steps(path: Path) -> tuple[Step, ...]:
    return tuple((one.link, one.forward) for one in path.links)


def _moves(plan: Plan) -> tuple[Moved, ...]:
    return tuple(
        Moved(one.size_bytes, one.rate_bps, one.start_us, one.end_us, _steps(one.path))
        for one in plan.data
        if one.path.links
    )


def binding(clauses: Sequence[ClauseCount]) -> str:
    """The clause that took the last pools away: each counts what passed those before it."""
    taken = [one.reason.value for one in clauses if one.pools]
    return taken[-1] if taken else ""
