"""The brain as its callers see it: the road behind a lock, with a thread that keeps it moving.

Crash-only: when a verb fails half-way the memory may be ahead of the log, so the brain refuses everything from then
on (`StoreError`) and the process has to be started again; replaying the log brings it back to what was committed.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from suanwang.admission.admit import Refused, admit, with_defaults
from suanwang.agent.objects import LocalObjects
from suanwang.dispatch import spread
from suanwang.flow import Road
from suanwang.model.bus import BusAsk, BusKind, BusTold
from suanwang.model.compact import full_plan
from suanwang.model.error import NotAllowedError, NotFoundError, StoreError, SuanwangError
from suanwang.model.event import Heartbeat, Orders, OutputFile
from suanwang.model.ids import AgentId, AttemptId, KeyId, SiteId, TaskId
from suanwang.model.path_report import PathOutcome, PathReport
from suanwang.model.plan import Plan, PlanReport
from suanwang.model.principal import DryPlan, Principal, Role, Submission, Submitted
from suanwang.model.reason import RefusalReason
from suanwang.model.record import KeyNamed, Phase
from suanwang.model.scarcity import Improved, Scarcity
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.task import TaskRequest
from suanwang.model.what_if_ask import WhatIfAsk, WhatIfRun
from suanwang.observe.known import Key
from suanwang.observe.resume import rest_of
from suanwang.observe.state import State, Task
from suanwang.plan import PlanAsk, Standing, plan, report_of
from suanwang.runtime import clock as real_clock
from suanwang.runtime.agent_names import check_name
from suanwang.runtime.identity import Identity
from suanwang.runtime.ids import RealIds, new_seed
from suanwang.runtime.join_desk import JoinDesk
from suanwang.runtime.network import NetworkDesk
from suanwang.runtime.optimise import OptimiseWatch
from suanwang.runtime.orders import with_secrets
from suanwang.runtime.path_reports import check_reports
from suanwang.runtime.policies import PolicyDesk
from suanwang.runtime.projecting import Projecting
from suanwang.runtime.quality import QualityWatch
from suanwang.runtime.rerun import Reruns, secret_of
from suanwang.runtime.scarce import ScarcityWatch, Sight, sight_of
from suanwang.runtime.settings import Settings
from suanwang.runtime.switches import Switches
from suanwang.runtime.task_logs import TaskLogs
from suanwang.runtime.trust import LOG_BYTES, TrustWatch
from suanwang.runtime.what_if_desk import WhatIfDesk
from suanwang.runtime.workflow_desk import WorkflowDesk
from suanwang.store import Store

TICK_S: Final = 0.5
TABLES_S: Final = 5.0  # how long an answer waits for the tables
PLAN_STEP: Final = 64  # tasks planned before others get the lock

_log = structlog.get_logger("suanwang.brain")


class Brain(Identity, Switches):
    """Thread-safe verbs over one `Road`. Made by `runtime.app.open_brain`."""

    def __init__(self, settings: Settings, store: Store, state: State, objects: LocalObjects) -> None:
        self.settings = settings
        self.store = store
        self.objects = objects
        self.task_logs = TaskLogs(settings.home / "logs", settings.log_bytes_max)
        self.clock: Callable[[], int] = real_clock.now_us
        self.ids = RealIds(self.clock)
        lost_us = settings.heartbeat_lost_s * 1_000_000
        self.road = Road(state, store, self.clock, self.ids, heartbeat_lost_us=lost_us)
        self.road.position = store.last_position()
        self._changed = threading.Condition(threading.RLock())
        self._failed: BaseException | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.projecting = Projecting(store, settings.database_url)
        self.scarce = ScarcityWatch(settings.scarcity_s, self._sight, self.clock)
        self.quality = QualityWatch(settings.scarcity_s > 0, lambda: self.scarce.prices, self.clock)
        self.road.watch = self.quality
        ids = RealIds(self.clock)  # of its own: makers of ids are not shared between threads
        self.optimiser = OptimiseWatch(settings.optimise_s, self._movable, self._improve, self.clock, ids)
        self.network = NetworkDesk(self._verb, self._look, self.clock, self.ids)
        self.policies = PolicyDesk(self._look, self._verb, self.wait_change)
        self.joins = JoinDesk(self._verb, self._look, self.clock, self.ids, store.grids.know)
        reruns = Reruns(settings.rerun_permille, secret_of(settings.home), store, self._verb, self._look, self.clock)
        self.workflows = WorkflowDesk(self._verb, self._look, self.ids)
        know = store.grids.know
        self.trust = TrustWatch(settings.trust_s, self._verb, self._look, self.clock, know, self._log_of, reruns)
        self.desk = WhatIfDesk(self.clock, self.ids.what_if_id, new_seed)
        self.let_in: Callable[[Principal, AgentId, BusAsk], BusTold] | None = None  # of a bus beside HTTP
        self._hear_known_agents()

    def _hear_known_agents(self) -> None:
        """After a restart an agent that was live has the usual time to speak before its sites count as down."""
        now_us = self.clock()
        for agent in set(self.road.state.agent_of.values()):
            self.road.heard_us[agent] = now_us

    @property
    def index(self) -> GridIndex:
        return self.road.state.index

    # -- the lock and the loop ---------------------------------------------------------------------------------

    @contextmanager
    def _verb(self) -> Iterator[Road]:
        with self._changed:
            self._check()
            position = self.road.position
            try:
                yield self.road
            except SuanwangError as error:
                # A verb refuses before it changes anything; what it left half-way is caught below.
                if self.road.pending:
                    self._fail(error)
                raise
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                # Whoever waits is woken by news alone: an idle brain costs nothing.
                if self.road.position != position or self._failed is not None:
                    self._changed.notify_all()

    @contextmanager
    def _look(self) -> Iterator[Road]:
        """The road for a verb that only reads: what goes wrong there has changed nothing, and the brain goes on."""
        with self._changed:
            self._check()
            yield self.road

    def _check(self) -> None:
        if self._failed is not None:
            raise StoreError("brain_failed", cause=type(self._failed).__name__)

    def _fail(self, error: BaseException) -> None:
        self._failed = error
        _log.error("brain_failed", exc_info=error)

    @property
    def failed(self) -> BaseException | None:
        return self._failed

    def start(self) -> None:
        """Keep the road moving in a thread of its own."""
        self._thread = threading.Thread(target=self._loop, name="brain", daemon=True)
        self._thread.start()
        self.projecting.start()
        self.scarce.start()
        self.quality.start()
        self.optimiser.start()
        self.trust.start()

    def _loop(self) -> None:
        next_tick_s = 0.0
        while not self._stopping and self._failed is None:
            try:
                with self._verb() as road:
                    moved = road.plan_round(PLAN_STEP) + road.dispatch_round()
                    self._say_plan_fault(road)
                    if real_clock.monotonic_s() >= next_tick_s:
                        road.tick()
                        next_tick_s = real_clock.monotonic_s() + TICK_S
            except Exception as error:
                if self._failed is None:  # it changed nothing, but a brain whose loop has ended must not look well
                    self._fail(error)
                return  # the process that owns the brain ends it
            if not moved:
                self._rest(next_tick_s)

    @staticmethod
    def _say_plan_fault(road: Road) -> None:
        if road.plan_fault is not None:
            (task_id, error), road.plan_fault = road.plan_fault, None
            _log.error("plan_broke", task_id=task_id, exc_info=error)

    def _rest(self, next_tick_s: float) -> None:
        """Wait for news, for the next tick, or for the next planned start, whichever is first."""
        with self._changed:
            start_us = self.road.state.agenda.next_us()
            until_start_s = (start_us - self.clock()) / 1_000_000 if start_us is not None else TICK_S
            rest_s = min(next_tick_s - real_clock.monotonic_s(), until_start_s)
            if rest_s > 0 and not self.road.waits.is_ready() and not self._stopping:
                self._changed.wait(rest_s)

    def close(self) -> None:
        self._stopping = True
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.trust.stop()
        self.optimiser.stop()
        self.quality.stop()
        self.scarce.stop()
        self.projecting.stop()
        self.desk.close()
        self.store.close()

    def wait_change(self, seen: int, timeout_s: float) -> int:
        """Block until the log is past position `seen`, or until the time is over; the position then."""
        deadline_s = real_clock.monotonic_s() + timeout_s
        with self._changed:
            while (position := self.road.position) <= seen and not self._stopping:
                left_s = deadline_s - real_clock.monotonic_s()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
        return position

    def _key(self, key_id: KeyId) -> Key | None:
        with self._changed:
            return self.road.state.keys.get(key_id)

    @staticmethod
    def _operators_only(principal: Principal) -> None:
        if principal.role is not Role.OPERATOR:
            raise NotAllowedError("role", role=principal.role.value)

    @staticmethod
    def _writers_only(principal: Principal) -> None:
        if principal.role not in (Role.USER, Role.OPERATOR):
            raise NotAllowedError("role", role=principal.role.value)

    # -- tasks -------------------------------------------------------------------------------------------------

    def submit(self, principal: Principal, items: Sequence[Submission]) -> list[Submitted]:
        """Admit or refuse each; durable when this returns."""
        self._writers_only(principal)
        task_ids = [self.ids.task_id() for _ in items]
        with self._verb() as road:
            return road.submit(principal.tenant, principal.key_id, items, task_ids)

    def dry_plan(self, principal: Principal, request: TaskRequest) -> DryPlan:
        """What submitting this now would give; nothing is held and nothing is written."""
        with self._look() as road:
            answer = admit(road.applicant(principal.tenant, request, frozenset(request.secrets)))
            refusals = answer.refusals if isinstance(answer, Refused) else ()
            if any(one.field in ("origin",) or one.field.startswith(("sites[", "inputs[")) for one in refusals):
                return DryPlan(refusals=refusals)  # names that do not exist cannot be planned
            shares = spread.shares_of(request, road.state.index, road.waits.places)
            one = spread.part_of(request, shares[0], TaskId("task-dry"), None) if shares else request
            one = rest_of(with_defaults(one, road.state.index), None)
            ask = PlanAsk(TaskId("task-dry"), principal.tenant, one, 1, None)
            found = plan(road.state.snapshot(), [ask], self.clock(), road.seed, self.ids)[0]
            return DryPlan(refusals=refusals, plan=found.plan, report=found.report(), parts=len(shares) or 1)

    def cancel(self, principal: Principal, task_id: TaskId) -> None:
        self._writers_only(principal)
        with self._verb() as road:
            road.cancel(self._task(principal, task_id).task_id, principal.key_id)

    def report(self, principal: Principal, task_id: TaskId) -> PlanReport | None:
        """Why there and not elsewhere: of the standing plan, or of what keeps a waiting task waiting."""
        with self._look() as road:
            task = self._task(principal, task_id)
            if task.parts:
                return None  # each part has its own
            if task.plan is not None:
                return report_of(full_plan(task.plan), road.state.index)
            if task.request is None or task.phase is not Phase.WAITING:
                last = self.store.latest_plan(task_id)
                if last is None and task.phase is Phase.REFUSED:
                    return self._why_refused(road, task)
                return report_of(last, road.state.index) if last is not None else None
            return plan(road.state.snapshot(), [road.ask(task)], self.clock(), road.seed, self.ids)[0].report()

    def _why_refused(self, road: Road, task: Task) -> PlanReport | None:
        """What no pool could ever take: the same as it was then, since it is judged on the empty grid."""
        row = self.store.task(task.task_id)
        if row is None or row.reason != RefusalReason.NO_POOL.value:
            return None
        ask = PlanAsk(task.task_id, task.tenant, with_defaults(row.request, road.state.index), 1, None)
        return plan(road.state.snapshot(), [ask], self.clock(), road.seed, self.ids)[0].report()

    def parts(self, task_id: TaskId) -> tuple[TaskId, ...]:
        """The tasks that run the array of a task for it; none where it is not shared out."""
        with self._look() as road:
            task = road.state.tasks.get(task_id)
            return task.parts if task is not None else ()

    def done_outputs(self, task_id: TaskId) -> tuple[OutputFile, ...] | None:
        """What the elements of a live array that are done have left; None: the task is not live."""
        with self._look() as road:
            task = road.state.live.get(task_id)
            if task is None:
                return None
            return task.resume.outputs if task.resume is not None else ()

    def number_of(self, task_id: TaskId) -> int:
        """The number of a task, as people see it; 0 where there is no such task."""
        task = self.road.state.tasks.get(task_id)
        return task.number if task is not None else 0

    def numbered(self, principal: Principal, number: int) -> TaskId | None:
        """The task of a number, where the caller may see it. The number is the place in the order of submission, whatever
        process asks, as long as there is a log."""
        with self._look() as road:
            order = road.state.order
            task_id = order[number - 1] if 0 < number <= len(order) else None
            return task_id if task_id is not None and self.knows(principal, task_id) else None

    def _task(self, principal: Principal, task_id: TaskId) -> Task:
        task = self.road.state.tasks.get(task_id)
        if task is None or (principal.role is not Role.OPERATOR and task.tenant != principal.tenant):
            raise NotFoundError("task_unknown", task=task_id)
        return task

    def plan_faults(self) -> dict[str, int]:
        """Since the start: plans that the checker refused, and tasks on which the planner broke."""
        return {"checker": self.road.verify_faults, "planner": self.road.plan_faults}

    # -- sites and links ---------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """A read-only copy of what the planner would see now."""
        with self._changed:
            return self.road.state.snapshot().copied()

    def scarcity(self) -> Scarcity:
        """What is scarce, where, and worth how much, as last computed, and how good the last rounds were."""
        return self.scarce.latest().model_copy(update={"gap": self.quality.latest()})

    def improved(self) -> Improved:
        """What the background optimiser has brought since the start."""
        return self.road.improved

    def _movable(self) -> tuple[Snapshot, list[Standing]]:
        with self._look() as road:
            return road.movable()

    def _improve(self, plans: Sequence[Plan]) -> bool:
        with self._verb() as road:
            return road.improve(plans)

    def _sight(self) -> Sight:
        with self._look() as road:
            return sight_of(road.state, self.snapshot, self.clock())

    # -- what if -----------------------------------------------------------------------------------------------

    def what_if(self, principal: Principal, ask: WhatIfAsk) -> WhatIfRun:
        """Begin to play a day again, in another process: nothing here waits for it."""
        self._operators_only(principal)
        with self._changed:
            tenants = tuple(self.road.state.tenants.values())
        return self.desk.start(ask, self.index.grid, tenants, self.settings.database_url)

    def what_if_run(self, principal: Principal, run_id: str) -> tuple[WhatIfRun, SuanwangError | None]:
        self._operators_only(principal)
        return self.desk.look(run_id)

    def what_if_runs(self, principal: Principal) -> tuple[WhatIfRun, ...]:
        self._operators_only(principal)
        return self.desk.runs()

    def cancel_what_if(self, principal: Principal, run_id: str) -> None:
        self._operators_only(principal)
        self.desk.cancel(run_id)

    def report_paths(self, principal: Principal, reports: Sequence[PathReport]) -> tuple[PathOutcome, ...]:
        """The network says that paths of running tasks are out of their promise; what became of each, in order."""
        with self._verb() as road:
            check_reports(principal, reports, road.state)
            return road.report_paths(reports)

    # -- agents ------------------------------------------------------------------------------------------------

    def bus_of(self, principal: Principal, agent: AgentId, ask: BusAsk) -> BusTold:
        """By which bus an agent is to speak, and what lets it in."""
        self._check_sites(principal, ())
        if self.let_in is None:
            return BusTold(kind=BusKind.HTTP, key_id=principal.key_id)
        if ask.public_nkey and (key_id := self._check_name(principal, agent)) is not None:
            self._name(key_id, agent)  # one key, one name: or it could fill the stream under others
        return self.let_in(principal, agent, ask)

    def exchange(self, principal: Principal, heartbeat: Heartbeat, wait_ms: int = 0) -> Orders:
        """An agent's round; waits up to `wait_ms` for something to do where there is nothing at once."""
        self._check_sites(principal, heartbeat.sites)
        self._check_sites(principal, self._sites_of(heartbeat.agent))  # else it could speak in another's name
        key_id = self._check_name(principal, heartbeat.agent)
        deadline_s = real_clock.monotonic_s() + wait_ms / 1_000
        with self._verb() as road:
            orders, seen = road.exchange(heartbeat), road.position
        if key_id is not None:
            self._name(key_id, heartbeat.agent)
        quiet = heartbeat.model_copy(update={"events": ()})
        while not orders.instructions and not heartbeat.events and not self._stopping:
            left_s = deadline_s - real_clock.monotonic_s()
            if left_s <= 0:
                break
            self.wait_change(seen, min(left_s, 1.0))
            with self._verb() as road:
                orders, seen = road.exchange(quiet), road.position
        return with_secrets(self.store, orders)

    def _check_name(self, principal: Principal, agent: AgentId) -> KeyId | None:
        with self._changed:
            return check_name(self.road.state, principal, agent)

    def _name(self, key_id: KeyId, agent: AgentId) -> None:
        """The first name that a key uses is its own, whichever of two that come at once is the first."""
        with self._verb() as road:
            if road.state.keys[key_id].agent is None:
                road.emit(KeyNamed(at_us=self.clock(), key_id=key_id, agent=agent))
                road.commit()

    def _sites_of(self, agent: AgentId) -> list[SiteId]:
        """The live sites that an agent of this name has."""
        with self._changed:
            state = self.road.state
            return [site for site, name in state.agent_of.items() if name == agent and state.sites[site].live]

    @staticmethod
    def _check_sites(principal: Principal, sites: Sequence[SiteId]) -> None:
        """An agent speaks for the sites of its key alone, an operator for all."""
        if principal.role is Role.OPERATOR:
            return
        if principal.role is not Role.AGENT:
            raise NotAllowedError("role", role=principal.role.value)
        foreign = [site for site in sites if site not in principal.sites]
        if foreign:
            raise NotAllowedError("agent_site", site=foreign[0])

    def append_log(self, principal: Principal, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        """Append a piece of an attempt's log at `offset`; a piece that is there already changes nothing."""
        self._check_sites(principal, (self._site_of(attempt_id),))
        return self.task_logs.append(attempt_id, offset, data)

    def _site_of(self, attempt_id: AttemptId) -> SiteId:
        """Where an attempt runs: of a live one the memory knows it, of one that has ended the store."""
        with self._changed:
            state = self.road.state
            task_id = state.by_attempt.get(attempt_id) or state.parting.get(attempt_id)
            task = state.tasks[task_id] if task_id is not None else None
        holder = (task.attempt or task.parting or task.delivery) if task is not None else None
        if holder is not None:
            return holder.site
        found = self.store.attempt(attempt_id)
        if found is None and self.wait_tables():
            found = self.store.attempt(attempt_id)
        if found is None:
            raise NotFoundError("attempt_unknown", attempt=attempt_id)
        return SiteId(found.site)

    def knows(self, principal: Principal, task_id: TaskId) -> bool:
        """Whether the caller may see such a task, whatever the tables say yet."""
        task = self.road.state.tasks.get(task_id)
        return task is not None and (principal.role is Role.OPERATOR or task.tenant == principal.tenant)

    def made_with(self, principal: Principal, idempotency_key: str) -> tuple[TaskId, int] | None:
        """The task that this key stands for in the caller's tenant and when it was submitted, whatever the tables say yet."""
        with self._look() as road:
            found = road.state.idempotency.get((principal.tenant, idempotency_key))
            return None if found is None else (found.task_id, road.state.tasks[found.task_id].submitted_us)

    def wait_tables(self, within_s: float = TABLES_S) -> bool:
        """Wait until the tables reflect what the log holds now; False where that takes longer."""
        position, until_s = self.store.last_position(), real_clock.monotonic_s() + within_s
        pause = threading.Event()
        while position > self.store.projected():
            if real_clock.monotonic_s() >= until_s:
                return False
            pause.wait(0.02)
        return True

    def _log_of(self, task_id: TaskId) -> bytes:
        """What the last attempt of a task printed, from its beginning."""
        self.wait_tables()
        attempts = self.store.attempts(task_id)
        return self.task_logs.read(AttemptId(attempts[-1].attempt_id), 0, LOG_BYTES) if attempts else b""

    def read_log(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        return self.task_logs.read(attempt_id, offset, limit)
