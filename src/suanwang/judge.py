"""What becomes of waiting tasks when their turn has come: asked, planned, checked, and committed, or put off, or refused.

The arrow from Admitted to Plan in full; `flow.Road` draws it as one line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol

from suanwang import failpoints
from suanwang.admission.admit import Applicant, Standing, with_defaults
from suanwang.dispatch import carry, company, preempt
from suanwang.dispatch.keeper import Keeper
from suanwang.dispatch.lifecycle import Signal
from suanwang.dispatch.standby import crowds
from suanwang.model.compact import AnyPlan, CompactPlan, full_plan
from suanwang.model.grid import DataSet, Tenant
from suanwang.model.ids import SiteId, TaskId, TenantId
from suanwang.model.reason import FailureReason, PoolReason, RefusalReason, WaitReason
from suanwang.model.record import Phase, Refusal, TaskRefused, TaskWaits
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest, comes_after
from suanwang.observe import batches
from suanwang.observe.gathered import made_data
from suanwang.observe.lending import may_hold
from suanwang.observe.loads import LIVE_ACCELERATORS, LIVE_CORES
from suanwang.observe.resume import checkpoint_data, rest_of
from suanwang.observe.state import Task
from suanwang.plan import PlanAnswer, PlanAsk, Round, plan, plan_batch, round_before
from suanwang.verify import sound, verify

# A task that would start later than this may ask others to give way, in so many pools at the most.
PREEMPT_AFTER_US = 1_000_000
WAYS_MAX = 3
# So many claims are tried in one round: each takes views of their own, and others wait for the brain meanwhile.
CLAIMS_MAX = 2
# What would make a task fit takes many searches. So many refusals of one round say it at once; the others say which
# clauses remove whom, and what would help is worked out when somebody asks why.
RELAXED_MAX = 8
# A round of more tasks leaves all of it to who asks: they would take as long as the planning of hundreds of tasks.
LARGE_ROUND = 256


class RoundWatch(Protocol):
    """Looks how good a round was, beside the brain. Both calls are made under its lock and are short."""

    def wants(self) -> bool: ...  # for every round, before it is planned
    def take(self, done: Round) -> None: ...


class Judge(Keeper):
    """The applier that decides on waiting tasks. Not thread-safe."""

    watch: RoundWatch | None = None

    _claims_left = 0  # in this round
    _relaxed_left = 0  # refusals of this round that are still told what would help
    _sound: frozenset[TaskId] = frozenset()  # tasks of this batch whose plans were found sound together

    def applicant(
        self, tenant: TenantId, request: TaskRequest, secrets: frozenset[str], now_us: int | None = None
    ) -> Applicant:
        (own, standing), *above = self._standings(tenant)
        at_us = self.clock() if now_us is None else now_us
        others = [one.task for one in comes_after(request)]
        strangers = frozenset(one for one in others if not self._is_of(tenant, TaskId(one)))
        late = frozenset(one for one in others if one not in strangers and self._has_made(TaskId(one)))
        return Applicant(request, own, standing, self.state.index, at_us, secrets, tuple(above), strangers, late)

    def _is_of(self, tenant: TenantId, task_id: TaskId) -> bool:
        task = self.state.tasks.get(task_id)
        return task is not None and task.tenant == tenant

    def _has_made(self, task_id: TaskId) -> bool:
        """Whether a task, or a part of it, has succeeded already: what it made is remembered only for who waited for it."""
        task = self.state.tasks[task_id]
        done = (Phase.SUCCEEDED, Phase.DELIVERING)
        return task.phase in done or any(self.state.tasks[part].phase in done for part in task.parts)

    def _standings(self, tenant: TenantId) -> list[tuple[Tenant, Standing]]:
        """What the tenant and each one above it have live and have spent."""
        tally, out = self.state.tally, []
        cards = tally.claims(tenant, LIVE_ACCELERATORS)
        for (one, cores), (_, accelerators) in zip(tally.claims(tenant, LIVE_CORES), cards, strict=True):
            whole = tally.together(one.id)
            spent = whole.billed_micro_yuan + whole.quoted_micro_yuan
            out.append((one, Standing(whole.live_tasks, cores, accelerators, spent)))
        return out

    def judge(self, tasks: Sequence[Task]) -> None:
        """Plan tasks as one batch, and decide on each by its answer."""
        self._claims_left = CLAIMS_MAX
        self._relaxed_left = RELAXED_MAX if len(tasks) <= LARGE_ROUND else 0
        now_us, view = self.clock(), self.state.snapshot()
        budgets: dict[TenantId, list[int]] = {}
        asks = [self.ask(task, budgets) for task in tasks]
        seen = round_before(view, asks, now_us) if self.watch is not None and self.watch.wants() else None
        answers = plan_batch(view, asks, now_us, self.seed, self.ids)
        failpoints.hit("brain.plan.made")
        self._sound = _plainly_sound(asks, answers, view)
        self._decide_all(tasks, asks, answers, now_us)
        if self.watch is not None and seen is not None:
            plans = tuple(task.plan for task in tasks)
            made = {answer.plan.plan_id for answer in answers if answer.plan is not None}
            if all(plan is None or plan.plan_id in made for plan in plans):  # none in whose favour others gave way
                self.watch.take(seen._replace(plans=plans))

    def _decide_all(
        self, tasks: Sequence[Task], asks: Sequence[PlanAsk], answers: Sequence[PlanAnswer], now_us: int
    ) -> None:
        """Decide on each by its answer, in order; runs of those on which nothing is left to decide together."""
        free = batches.quotas_hold(self.state, tasks)  # no plan of this batch comes above a quota
        run: list[CompactPlan] = []
        for task, ask, answer in zip(tasks, asks, answers, strict=True):
            plan = answer.plan
            plain = free and type(plan) is CompactPlan and task.task_id in self._sound
            if plain and isinstance(plan, CompactPlan) and ask.request.price_limit is None and answer.fault is None:
                failpoints.hit("brain.plan.verified")
                run.append(plan)
                continue
            self._commit_run(run, now_us)
            run = []
            self._decide(task, ask, answer, now_us)
        self._commit_run(run, now_us)

    def _commit_run(self, run: Sequence[CompactPlan], now_us: int) -> None:
        if run:
            self.emit_plans(now_us, run)
            self.planned_us.update(dict.fromkeys([plan.task_id for plan in run], now_us))

    def ask(self, task: Task, budgets: dict[TenantId, list[int]] | None = None) -> PlanAsk:
        """What the planner is asked for a task: within what its tenant and its price limit still leave. `budgets` keeps
        what tenants have left while many are asked about on one state."""
        assert task.request is not None, "a live task has its request"
        request = with_defaults(task.request, self.state.index)
        own = 0 if task.plan is None else task.plan.quote_micro_yuan  # a plan that is made again gives its quote back
        known = {} if budgets is None else budgets
        if task.tenant not in known:
            known[task.tenant] = list(self._budgets_left(task.tenant))
        rooms = [left + own for left in known[task.tenant]]
        rooms += [] if request.price_limit is None else [request.price_limit - task.billed_micro_yuan]
        if rooms:
            request = request.model_copy(update={"price_limit": max(0, min(rooms))})
        request = rest_of(request, task.resume)
        parent = task.parent if task.plan is None else task.plan.plan_id
        kept = tuple(self._kept(task, request))
        return PlanAsk(task.task_id, task.tenant, request, task.generation + 1, parent, kept=kept)

    def fall_over(self, task: Task, lost: AnyPlan) -> None:
        """Plan a task at its standby place. Its own lease has just ended and nobody was planned since, so the room is
        there; a further standby place is taken where there is one.

        It runs for its whole wall time from now on, and so past the window that was held. Whoever was promised the
        room after that and has not begun is planned again, as beside any lease that is extended.
        """
        place, now_us = lost.standby, self.clock()
        if place is None or task.phase is not Phase.WAITING or task.request is None:
            return
        ask, whole = self.ask(task), self.state.snapshot()
        there = ask.request.model_copy(update={"sites": (place.site,)})
        least_us = max(now_us, there.earliest_start or 0)
        for victims in crowds(lost, self.state):
            view = without(whole, victims) if victims else whole
            for request in (there, there.model_copy(update={"standby": None})):
                made = plan(view, [replace(ask, request=request)], now_us, self.seed, self.ids)[0].plan
                if made is None or made.start_us > least_us or verify(made, request, view, task.tenant, ask.kept):
                    continue
                for one in victims:
                    self.signal(one, Signal.PLAN_DROPPED, carry.Cause(now_us, FailureReason.CROWDED_OUT))
                self.emit_plan(now_us, full_plan(made).model_copy(update={"took_over": True}))
                self.planned_us[task.task_id] = now_us
                return

    def _kept(self, task: Task, request: TaskRequest) -> Iterator[DataSet]:
        """What must come to the place beside what the request names: a checkpoint, and the outputs of other tasks."""
        resume, origin = task.resume, request.origin
        assert origin is not None, "what is planned has an origin"
        if resume is not None:
            found = checkpoint_data(resume, origin, self._is_live(resume.site))
            if found is not None:
                yield found
        for one in task.lies:
            yield made_data(one, origin, self._is_live(one.site))

    def _is_live(self, site: SiteId) -> bool:
        seen = self.state.sites.get(site)
        return seen is not None and seen.live

    def _budgets_left(self, tenant: TenantId) -> Iterator[int]:
        for one in self.state.tally.path(tenant):
            budget, load = self.state.tenants[one].budget_micro_yuan, self.state.tally.together(one)
            if budget is not None:
                yield budget - load.billed_micro_yuan - load.quoted_micro_yuan

    def _decide(self, task: Task, ask: PlanAsk, answer: PlanAnswer, now_us: int) -> None:
        if answer.fault is not None:
            self.plan_faults, self.plan_fault = self.plan_faults + 1, (task.task_id, answer.fault)
            self.put_off(task, carry.RETRY_DELAY_US_MAX, now_us)
        elif self._make_way(task, answer, now_us):
            return
        elif answer.plan is not None:
            checked = self._is_checked(task, ask, answer.plan)
            failpoints.hit("brain.plan.verified")
            if checked and self._must_wait(task, answer.plan, now_us):
                return
            if checked:
                self.emit_plan(now_us, answer.plan)
                self.planned_us[task.task_id] = now_us
                return
            # The plan was made on a view that has moved on (a task before it in this batch may have taken what its
            # tenant's budget still left), or the planner is wrong: it is asked again.
            self.verify_faults += 1
            self.put_off(task, carry.RETRY_DELAY_US, now_us)
        elif answer.ever:
            reason = company.wait_reason(answer.clauses)
            if self.waits.in_vain(task, reason, answer.clauses, now_us):
                self.emit(TaskWaits(at_us=now_us, task_id=task.task_id, reason=reason, clauses=answer.clauses))
        else:
            self._no_pool(task, answer, now_us)

    def _is_checked(self, task: Task, ask: PlanAsk, made: AnyPlan) -> bool:
        """Whether a plan passes the checker on the state as it is now. A limit may have become narrower since."""
        if task.task_id in self._sound:
            limit = None if ask.request.price_limit is None else self.ask(task).request.price_limit
            return limit is None or made.quote_micro_yuan <= limit
        now = self.ask(task)
        return not verify(made, now.request, self.state.snapshot(), task.tenant, now.kept)

    def _make_way(self, task: Task, answer: PlanAnswer, now_us: int) -> bool:
        """Where it cannot start now, and others that may be stopped stand below it: their room is its."""
        later_us = max(now_us + PREEMPT_AFTER_US, task.request.earliest_start or 0 if task.request else 0)
        starts = answer.plan is not None and answer.plan.start_us <= later_us
        if starts or not self.waits.preemptible or not preempt.is_within_quota(task, self.state.tally):
            return False
        ask, pools = self.ask(task), self.waits.pools_of(task)
        found = list(islice(preempt.ways(task, pools, self.waits.preemptible.values(), self.state, now_us), WAYS_MAX))
        if found and self._claims_left <= 0:
            self.waits.put_back(task)  # its turn is the next round's
            return True
        self._claims_left -= bool(found)
        for way in found:
            view = without(self.state.snapshot(), way.victims)
            made = plan(view, [ask], now_us, self.seed, self.ids)[0].plan
            fits = made is not None and made.start_us <= later_us
            if made is not None and fits and not verify(made, ask.request, view, task.tenant, ask.kept):
                for victim in way.victims:
                    gives = self.signal(
                        victim, Signal.PREEMPTED, carry.Cause(now_us, FailureReason.PREEMPTED, task.task_id)
                    )
                    assert gives, "who may be displaced gives way"
                self.emit_plan(now_us, made)
                self._sound = frozenset()  # what it holds the others were not checked beside
                self.planned_us[task.task_id] = now_us
                return True
        return False

    def _must_wait(self, task: Task, made: AnyPlan, now_us: int) -> bool:
        """A good plan that is not committed: one before it took what the quota left, or it only keeps one place more
        in the calendar."""
        if not may_hold(self.state.tally, task.tenant, task.cores, task.accelerators):
            self.waits.put_back(task)
            self.over_quota(task)
            return True
        if self.waits.is_booked_out(task, made, now_us):
            self.waits.book_full(task)
            if self.waits.say(task.task_id, WaitReason.CAPACITY, (), now_us):
                self.emit(TaskWaits(at_us=now_us, task_id=task.task_id, reason=WaitReason.CAPACITY))
            return True
        return False

    def over_quota(self, task: Task) -> None:
        now_us = self.clock()
        if self.waits.say(task.task_id, WaitReason.QUOTA, (), now_us):
            self.emit(TaskWaits(at_us=now_us, task_id=task.task_id, reason=WaitReason.QUOTA))

    def _no_pool(self, task: Task, answer: PlanAnswer, now_us: int) -> None:
        """Nothing could ever take it: a refusal with what would help at the first look, an end after that."""
        if task.generation == 0:
            refused = (Refusal(reason=RefusalReason.NO_POOL, field=""),)
            self._relaxed_left -= 1
            self.emit(
                TaskRefused(
                    at_us=now_us,
                    task_id=task.task_id,
                    refusals=refused,
                    clauses=answer.clauses,
                    relaxations=answer.relaxations if self._relaxed_left >= 0 else (),
                )
            )
            return
        late = any(one.reason is PoolReason.DEADLINE for one in answer.clauses)
        signal = Signal.DEADLINE_LOST if late else Signal.NO_POOL_LEFT
        reason = FailureReason.DEADLINE_LOST if late else FailureReason.NO_POOL_LEFT
        self.signal(task, signal, carry.Cause(now_us, reason))


def _plainly_sound(asks: Sequence[PlanAsk], answers: Sequence[PlanAnswer], view: Snapshot) -> frozenset[TaskId]:
    """The tasks whose compact plans are sound beside everything that this batch may come to hold."""
    plain: list[tuple[CompactPlan, TaskRequest]] = []
    others = []
    wary = view.placements.is_wary or any(one.request.apart_from for one in asks)
    for ask, answer in zip(asks, answers, strict=True):
        if isinstance(answer.plan, CompactPlan) and not (wary and ask.request.tags):
            plain.append((answer.plan, ask.request))
        elif answer.plan is not None:
            others.append(answer.plan.holds)
    found = sound(plain, view, others)
    return frozenset(plan.task_id for (plan, _), is_sound in zip(plain, found, strict=True) if is_sound)


def without(view: Snapshot, victims: Sequence[Task]) -> Snapshot:
    """A view on which the plans of some tasks do not stand."""
    gone = {victim.plan.lease_id for victim in victims if victim.plan is not None}
    leases = {lease: holds for lease, holds in view.leases.items() if lease not in gone}
    stand = view.placements.without([victim.task_id for victim in victims])
    return replace(view, leases=leases, history=None, history_end=0, by_key=None, placements=stand)
