"""The brain's memory: a pure fold of the log. Applying the same records gives the same state, bit for bit.

Nothing here decides; a record holds what was decided. Only the applier (`flow.py`) calls `apply`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from blake3 import blake3

from suanwang.model.batch import AnyRecord, Opened, Taken
from suanwang.model.compact import AnyPlan, Holds, keys_of
from suanwang.model.event import LAST_WORDS, Event, EventKind
from suanwang.model.grid import Tenant
from suanwang.model.ids import (
    AgentId,
    AttemptId,
    JoinId,
    LeaseId,
    LinkId,
    ReservationId,
    SecurityPoolId,
    SiteId,
    TaskId,
    TenantId,
    WorkflowId,
)
from suanwang.model.placements import Placements
from suanwang.model.plan import Hold
from suanwang.model.reason import NOT_THE_TASKS_FAULT, PARTS, PAUSES, FailureReason, WaitReason
from suanwang.model.record import (
    ENDS,
    AttemptClosed,
    AttemptOpened,
    CancelRequested,
    ChargePosted,
    DeliveryOrdered,
    EventApplied,
    LeaseExtended,
    LinkChanged,
    PathBroken,
    Phase,
    PlanCommitted,
    PlanDropped,
    SecurityPoolChanged,
    StopRequested,
    TaskAdmitted,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TaskWaits,
)
from suanwang.model.share import amounts_of
from suanwang.model.snapshot import GridIndex, LeaseChange, SiteOrder, SiteState, Snapshot
from suanwang.model.task import TaskRequest, comes_after, elements_of, places_of
from suanwang.model.workflow_record import WorkflowSubmitted
from suanwang.observe.agenda import Agenda
from suanwang.observe.batches import FOLDS
from suanwang.observe.delivery import Delivery
from suanwang.observe.following import Following
from suanwang.observe.gathered import GATHERED
from suanwang.observe.joined import JOINS, Join
from suanwang.observe.known import KNOWN, Key, Repeat
from suanwang.observe.loads import HELD_ACCELERATORS, HELD_CORES, Loads, TenantLoad
from suanwang.observe.paths import PATHS
from suanwang.observe.reserved import RESERVATION_FOLDS, Reserved
from suanwang.observe.resume import Stopped, keep, note_stopped, resumes
from suanwang.observe.switched import SWITCHES
from suanwang.observe.task import PHASE_OF_EVENT, Attempt, Task
from suanwang.observe.workflows import WORKFLOWS

__all__ = ["Attempt", "Delivery", "State", "Task"]

# Lease changes that are kept at least, so that the planner seldom has to read every lease again.
HISTORY_MAX = 20_000


@dataclass
class State:
    """The fold. `version` grows with every change that a planner could see."""

    index: GridIndex
    grid_digest: str = ""
    version: int = 0
    submissions: int = 0
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    order: list[TaskId] = field(default_factory=list)  # of submission: the number of a task is its place
    live: dict[TaskId, Task] = field(default_factory=dict)  # not ended
    by_attempt: dict[AttemptId, TaskId] = field(default_factory=dict)  # live attempts and deliveries
    parting: dict[AttemptId, TaskId] = field(default_factory=dict)  # see `Task.parting`
    by_site: dict[SiteId, dict[TaskId, Task]] = field(default_factory=dict)  # with an attempt or a delivery there
    queue: dict[TaskId, Task] = field(default_factory=dict)  # waiting for a plan, ready to be looked at
    blocked: dict[TaskId, Task] = field(default_factory=dict)  # waiting for something to change
    paused: dict[TaskId, Task] = field(default_factory=dict)  # waiting for a moment
    following: Following = field(default_factory=Following)  # waiting for other tasks
    workflows: dict[WorkflowId, WorkflowSubmitted] = field(default_factory=dict)
    workflow_keys: dict[tuple[TenantId, str], WorkflowId] = field(default_factory=dict)
    planned: dict[TaskId, Task] = field(default_factory=dict)  # with a plan that is not dispatched
    leases: dict[LeaseId, Holds] = field(default_factory=dict)
    by_key: dict[str, dict[LeaseId, Holds]] = field(default_factory=dict)
    reservations: dict[ReservationId, Reserved] = field(default_factory=dict)  # not ended
    history: list[LeaseChange] = field(default_factory=list)
    sites: dict[SiteId, SiteState] = field(default_factory=dict)
    operator_down: set[SiteId] = field(default_factory=set)
    closed: dict[SiteId, SiteOrder] = field(default_factory=dict)  # to new work, by an operator's order
    agent_of: dict[SiteId, AgentId] = field(default_factory=dict)
    links_down: frozenset[LinkId] = frozenset()
    links_out: dict[LinkId, LinkChanged] = field(default_factory=dict)  # who took out each that is down
    security_down: frozenset[SecurityPoolId] = frozenset()
    security_out: dict[SecurityPoolId, SecurityPoolChanged] = field(default_factory=dict)  # as `links_out`
    cursors: dict[AgentId, int] = field(default_factory=dict)
    tenants: dict[TenantId, Tenant] = field(default_factory=dict)
    loads: dict[TenantId, TenantLoad] = field(default_factory=dict)  # each tenant alone
    keys: dict[str, Key] = field(default_factory=dict)
    idempotency: dict[tuple[TenantId, str], Repeat] = field(default_factory=dict)
    ended: dict[Phase, int] = field(default_factory=dict)
    broken: dict[TaskId, PathBroken] = field(default_factory=dict)  # running on a path that is out of its promise
    joins: dict[JoinId, Join] = field(default_factory=dict)
    compared: set[TaskId] = field(default_factory=set)  # second runs whose outputs have been compared
    placements: Placements = field(default_factory=Placements)  # of the tasks with a plan that stands
    agenda: Agenda = field(init=False)  # of `planned`
    tally: Loads = field(init=False)  # `loads`, and the same up the tree of tenants

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.planned)
        self.tally = Loads(self.tenants, self.loads)

    def snapshot(self) -> Snapshot:
        """The planner's view; valid until the next `apply`."""
        return Snapshot(
            version=self.version,
            index=self.index,
            sites=self._open_sites(),
            leases=self.leases,
            links_down=self.links_down,
            security_down=self.security_down,
            history=self.history,
            history_end=len(self.history),
            placements=self.placements,
            by_key=self.by_key,
            closed=self.closed,
        )

    def _open_sites(self) -> Mapping[SiteId, SiteState]:
        """As the planner shall see them: one that takes no new work is as one without an agent."""
        shut = {one: replace(self.sites[one], live=False) for one in self.closed if one in self.sites}
        return {**self.sites, **shut} if shut else self.sites

    def load(self, tenant: TenantId) -> TenantLoad:
        return self.tally.alone(tenant)

    @staticmethod
    def digest(request: TaskRequest) -> str:
        """blake3 of a request, to tell a repeated submission from a key used twice."""
        return blake3(request.model_dump_json().encode()).hexdigest()

    def apply_all(self, records: Iterable[AnyRecord]) -> None:
        for record in records:
            self.apply(record)

    def apply(self, record: AnyRecord) -> None:
        """Fold one record in, or a whole batch."""
        _APPLY[type(record)](self, record)

    # -- tasks ------------------------------------------------------------------------------------------------

    def _submitted(self, record: TaskSubmitted) -> None:
        row = Taken(record.task_id, record.request, record.idempotency_key)
        task = self.add_task(record.at_us, record.tenant, row, record.parts, record.part_of)
        self.tally.live(record.tenant, int(task.part_of is None), task.cores, task.accelerators)

    def add_task(
        self,
        at_us: int,
        tenant: TenantId,
        row: Taken,
        parts: tuple[TaskId, ...] = (),
        part_of: TaskId | None = None,
    ) -> Task:
        """A task came; whoever calls tells the tally."""
        self.submissions += 1
        task_id, request, key = row
        number = self.submissions if part_of is None else self.tasks[part_of].number
        task = Task(task_id, tenant, self.submissions, number, at_us, request, request.priority)
        resources = request.resources
        nodes = resources.nodes * elements_of(request) * places_of(request)
        if not parts:  # else its parts hold, and count, what it asks for
            task.cores, task.accelerators = resources.cpu * nodes, resources.accelerators * nodes
            task.amounts = amounts_of(request)
        else:
            task.parts = parts
        task.part_of = part_of
        self.tasks[task_id] = self.live[task_id] = task
        self.order.append(task_id)
        if key is not None:
            self.idempotency[(tenant, key)] = Repeat(task_id, self.digest(request))
        return task

    def _admitted(self, record: TaskAdmitted) -> None:
        task = self.tasks[record.task_id]
        if not task.parts:
            self.queue[task.task_id] = task

    def _refused(self, record: TaskRefused) -> None:
        self._end(self.tasks[record.task_id], Phase.REFUSED)

    def _waits(self, record: TaskWaits) -> None:
        task = self.tasks[record.task_id]
        task.phase = Phase.WAITING
        task.wait_reason, task.wait_until_us = record.reason, record.until_us
        self._wait_no_more(task.task_id)
        if record.reason is WaitReason.QUEUED:
            self.queue[task.task_id] = task
        elif record.reason is WaitReason.AFTER:
            assert task.request is not None, "a live task has its request"
            self.following.add(task.task_id, (TaskId(one.task) for one in comes_after(task.request)))
        elif record.reason in PAUSES:
            self.paused[task.task_id] = task
        else:
            self.blocked[task.task_id] = task

    def _wait_no_more(self, task_id: TaskId) -> None:
        for place in (self.queue, self.blocked, self.paused):
            place.pop(task_id, None)
        self.following.drop(task_id)

    def _cancel(self, record: CancelRequested) -> None:
        self.tasks[record.task_id].cancel_asked = True

    def _ended(self, record: TaskEnded) -> None:
        self.tasks[record.task_id].after_lost = record.reason is FailureReason.AFTER_LOST
        self._end(self.tasks[record.task_id], record.phase)

    def _end(self, task: Task, phase: Phase) -> None:
        assert phase in ENDS, "a task ends in an end"
        assert task.attempt is None, "a task does not end with a live attempt"
        if task.plan is not None:
            self._forget_quote(task)
            self.placements.lift(task.task_id)
        if task.delivery is not None:
            self._forget_attempt(task.delivery.attempt_id, task.delivery.site, task.task_id)
        self._part(task, None)
        task.resume = None
        self.tally.live(task.tenant, -int(task.part_of is None), -task.cores, -task.accelerators)
        task.phase, task.request, task.plan, task.delivery, task.lies = phase, None, None, None, ()
        self._wait_no_more(task.task_id)
        for place in (self.live, self.planned):
            place.pop(task.task_id, None)
        self.ended[phase] = self.ended.get(phase, 0) + 1

    # -- plans and leases -------------------------------------------------------------------------------------

    def _planned(self, record: PlanCommitted) -> None:
        self.make_plan(record.plan)

    def make_plan(self, plan: AnyPlan) -> Task:
        """A plan was committed: its holds are a lease."""
        task = self.tasks[plan.task_id]
        self.tally.take(task.tenant, plan.quote_micro_yuan, task.cores, task.accelerators, task.amounts)
        self.plan_stands(task, plan)
        task.borrowed = self._above_quota(task)
        return task

    def plan_stands(self, task: Task, plan: AnyPlan) -> None:
        """`make_plan` but for what its tenant has."""
        task_id, request = task.task_id, task.request
        assert plan.generation == task.generation + 1, "generations of a task are consecutive"
        assert request is not None, "a live task has its request"
        task.phase, task.plan, task.generation = Phase.PLANNED, plan, plan.generation
        if task.first_quote_micro_yuan is None:
            task.first_quote_micro_yuan = plan.quote_micro_yuan
        self._wait_no_more(task_id)
        self.placements.place(task_id, task.tenant, plan.site, request)
        self.planned[task_id] = task
        self.agenda.add(task)
        self.add_lease(plan.lease_id, plan.holds)

    def _dropped(self, record: PlanDropped) -> None:
        task = self.tasks[record.task_id]
        assert task.plan is not None, "only a plan that stands can be dropped"
        self.drop_lease(task.plan.lease_id)
        self._let_plan_go(task)
        self.planned.pop(task.task_id, None)
        task.phase = Phase.WAITING

    def _let_plan_go(self, task: Task) -> None:
        assert task.plan is not None, "a plan stands"
        self._forget_quote(task)
        self.placements.lift(task.task_id)
        task.parent, task.plan = task.plan.plan_id, None
        self.broken.pop(task.task_id, None)

    def _forget_quote(self, task: Task) -> None:
        assert task.plan is not None, "a plan of a live task stands"
        self.tally.let_go(task.tenant, task.plan.quote_micro_yuan, task.cores, task.accelerators, task.amounts)
        task.borrowed = False

    def _above_quota(self, task: Task) -> bool:
        """Whether this plan takes what its tenant, or one above that, has borrowed."""
        cores = task.cores and any(use > one.cores_max for one, use in self.tally.claims(task.tenant, HELD_CORES))
        cards = self.tally.claims(task.tenant, HELD_ACCELERATORS)
        return bool(cores) or (bool(task.accelerators) and any(use > one.accelerators_max for one, use in cards))

    def _note(self, change: LeaseChange) -> None:
        """Add to the history; one that is mostly of leases long gone is begun again with what stands.

        Whoever follows a history tells a new one by its identity (`model.snapshot`); the old one is left as it was.
        """
        if len(self.history) >= HISTORY_MAX and len(self.history) > 4 * len(self.leases):
            self.history = [LeaseChange(lease_id, holds, True) for lease_id, holds in self.leases.items()]
        self.history.append(change)

    def add_lease(self, lease_id: LeaseId, holds: Holds) -> None:
        assert lease_id not in self.leases, "a lease is taken once"
        self.version += 1
        self._note(LeaseChange(lease_id, holds, True))
        self.leases[lease_id] = holds
        for key in keys_of(holds):
            there = self.by_key.get(key)
            if there is None:
                there = self.by_key[key] = {}
            there[lease_id] = holds

    def drop_lease(self, lease_id: LeaseId) -> None:
        self.version += 1
        holds = self.leases[lease_id]
        self._note(LeaseChange(lease_id, holds, False))
        del self.leases[lease_id]
        for key in keys_of(holds):
            held = self.by_key.get(key)
            if held is not None and held.pop(lease_id, None) is not None and not held:
                del self.by_key[key]

    def replace_lease(self, lease_id: LeaseId, holds: Holds) -> None:
        """A lease holds something else from now on."""
        self.drop_lease(lease_id)
        self.add_lease(lease_id, holds)

    def _extended(self, record: LeaseExtended) -> None:
        holds = self.leases[record.lease_id]
        last_us = max(hold.end_us for hold in holds)
        longer: list[Hold] = []
        for hold in holds:
            if hold.end_us != last_us:
                longer.append(hold)
            elif last_us >= record.at_us:
                longer.append(hold.model_copy(update={"end_us": record.end_us}))
            else:  # it ran out while the brain was away: what others were promised in between stays promised
                longer += [hold, hold.model_copy(update={"start_us": record.at_us, "end_us": record.end_us})]
        self.replace_lease(record.lease_id, tuple(longer))

    # -- attempts ---------------------------------------------------------------------------------------------

    def _opened(self, record: AttemptOpened) -> None:
        row = Opened(record.attempt_id, record.task_id, record.plan_id, record.site, record.fence)
        self.open_attempt(record.at_us, row)

    def open_attempt(self, at_us: int, row: Opened) -> None:
        """An attempt carries out the plan that stands."""
        attempt_id, task_id, plan_id, site, fence = row
        task = self.tasks[task_id]
        assert task.attempt is None, "one live attempt at most"
        assert fence == task.fence + 1, "fencing numbers of a task are consecutive"
        assert task.plan is not None and task.plan.plan_id == plan_id, "an attempt carries out the standing plan"
        task.attempt = Attempt(attempt_id, task.plan, site, fence, at_us)
        task.fence, task.phase, task.site = fence, Phase.DISPATCHED, site
        task.attempts += 1
        if task.parting is not None:
            self._part(task, None)
        self.planned.pop(task_id, None)
        self.by_attempt[attempt_id] = task_id
        there = self.by_site.get(site)
        if there is None:
            there = self.by_site[site] = {}
        there[task_id] = task

    def _event(self, record: EventApplied) -> None:
        event = record.event
        if record.effective:
            self.hear_event(record.at_us, event)
        else:
            self.cursors[event.agent] = max(self.cursors.get(event.agent, 0), event.sequence)
        if event.kind in LAST_WORDS and event.attempt_id in self.parting:
            self._part(self.tasks[self.parting[event.attempt_id]], None)

    def hear_event(self, now_us: int, event: Event) -> None:
        """An event that takes effect."""
        self.cursors[event.agent] = max(self.cursors.get(event.agent, 0), event.sequence)
        task = self.tasks[self.by_attempt.get(event.attempt_id) or self.parting[event.attempt_id]]
        if event.kind is EventKind.CHECKPOINT:
            task.resume = keep(task.resume, event)
        if task.attempt is None:
            return
        task.attempt.seen = True
        if event.kind is EventKind.RUNNING:
            # By the agent's clock, unless that is plainly wrong: nothing runs before its order or after its report.
            task.attempt.run_us = event.at_us if task.attempt.opened_us <= event.at_us <= now_us else now_us
            task.began = True
        if task.phase is not Phase.STOPPING:
            task.phase = PHASE_OF_EVENT.get(event.kind, task.phase)

    def _stop(self, record: StopRequested) -> None:
        task = self.tasks[record.task_id]
        assert task.attempt is not None, "only a live attempt is stopped"
        task.phase, task.attempt.stop_reason = Phase.STOPPING, record.reason

    def _close(self, task: Task, attempt_id: AttemptId, lease_id: LeaseId) -> Attempt:
        attempt = task.attempt
        assert attempt is not None and attempt.attempt_id == attempt_id, "the live attempt is closed"
        self.drop_lease(lease_id)
        self._let_plan_go(task)
        task.attempt = None
        self._forget_attempt(attempt.attempt_id, attempt.site, task.task_id)
        return attempt

    def _closed(self, record: AttemptClosed) -> None:
        task = self.tasks[record.task_id]
        attempt = self._close(task, record.attempt_id, record.lease_id)
        if not record.succeeded and record.reason not in NOT_THE_TASKS_FAULT:
            task.own_failures += 1
        if not record.succeeded:
            self._stopped_by_grid(task, attempt, record)
        if record.succeeded:
            self.following.keep(task.task_id, task.part_of, attempt.site, record.outputs)
        if record.succeeded and any(one.target for one in record.outputs):
            task.delivery = Delivery(
                attempt.attempt_id, attempt.plan.plan_id, attempt.site, attempt.fence, record.outputs, 0
            )

    def _stopped_by_grid(self, task: Task, attempt: Attempt, record: AttemptClosed) -> None:
        """What it has done may be kept: of that much its plan is owed, and its agent may have more to tell."""
        assert task.request is not None, "a live task has its request"
        if record.reason not in NOT_THE_TASKS_FAULT or not attempt.run_us or not resumes(task.request):
            return
        if task.request.checkpoint is not None:
            held = Stopped(attempt.plan, record.held_start_us, record.held_end_us)
            task.resume = note_stopped(task.resume, attempt.site, attempt.attempt_id, held)
        if record.reason in PARTS:
            self._part(task, attempt)

    def _part(self, task: Task, attempt: Attempt | None) -> None:
        if task.parting is not None:
            self.parting.pop(task.parting.attempt_id, None)
        task.parting = attempt
        if attempt is not None:
            self.parting[attempt.attempt_id] = task.task_id

    def _forget_attempt(self, attempt_id: AttemptId, site: SiteId, task_id: TaskId) -> None:
        self.by_attempt.pop(attempt_id, None)
        there = self.by_site.get(site)
        if there is not None and there.pop(task_id, None) is not None and not there:
            del self.by_site[site]

    def _deliver(self, record: DeliveryOrdered) -> None:
        task = self.tasks[record.task_id]
        assert task.delivery is not None, "a delivery follows a success with targets"
        self._forget_attempt(task.delivery.attempt_id, task.delivery.site, task.task_id)
        if record.site == task.delivery.site:
            task.delivery.tries += 1  # another site takes it on because this one was lost: no try of the task's
        task.delivery.site = record.site
        task.phase = Phase.DELIVERING
        self.by_attempt[record.attempt_id] = task.task_id
        self.by_site.setdefault(record.site, {})[task.task_id] = task

    def _charged(self, record: ChargePosted) -> None:
        task = self.tasks[record.task_id]
        task.billed_micro_yuan += record.line.amount_micro_yuan
        self.tally.bill(record.tenant, record.line.amount_micro_yuan)


_APPLY: dict[type, Callable[[State, Any], None]] = {
    **FOLDS,
    **GATHERED,
    **KNOWN,
    **WORKFLOWS,
    **PATHS,
    **RESERVATION_FOLDS,
    **JOINS,
    **SWITCHES,
    TaskSubmitted: State._submitted,
    TaskAdmitted: State._admitted,
    TaskRefused: State._refused,
    TaskWaits: State._waits,
    PlanCommitted: State._planned,
    PlanDropped: State._dropped,
    AttemptOpened: State._opened,
    EventApplied: State._event,
    StopRequested: State._stop,
    DeliveryOrdered: State._deliver,
    LeaseExtended: State._extended,
    AttemptClosed: State._closed,
    ChargePosted: State._charged,
    TaskEnded: State._ended,
    CancelRequested: State._cancel,
}
