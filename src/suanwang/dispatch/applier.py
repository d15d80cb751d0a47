"""The applier: the only writer of the log in a region, and what every verb of the road needs of it."""

from dataclasses import dataclass, field, replace
from typing import Literal

from suanwang.dispatch import after, carry, gather, lifecycle, reconcile, spread, watch
from suanwang.dispatch.after import Outlook
from suanwang.dispatch.lifecycle import Signal
from suanwang.dispatch.scribe import Scribe
from suanwang.model.batch import Opened
from suanwang.model.compact import AnyPlan
from suanwang.model.error import ConflictError, Fault, FaultsError, NotAllowedError
from suanwang.model.event import (
    LAST_WORDS,
    PLAIN_KINDS,
    AnyEvent,
    EventKind,
    Heartbeat,
    Usage,
    as_event,
)
from suanwang.model.ids import AgentId, SiteId, TaskId
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import (
    ENDS,
    EventApplied,
    InputsGathered,
    Phase,
    Record,
    SiteChanged,
    TaskEnded,
    TaskRefused,
    TaskWaits,
)
from suanwang.model.rows import EventRow
from suanwang.model.task import comes_after
from suanwang.observe.state import Task
from suanwang.settle import Bills

SiteCause = Literal["joined", "heartbeat_lost", "operator_failed", "operator_healed", "brain_started"]


def cause_of(event: AnyEvent, now_us: int) -> carry.Cause:
    """An agent's event as the cause of a transition."""
    return carry.Cause(
        now_us,
        reason=event.reason,
        detail=event.detail,
        happened_us=event.at_us,
        exit_code=event.exit_code,
        signal=event.signal,
        usage=event.usage or Usage(),
        outputs=event.outputs,
        finished=event.kind is EventKind.FINISHED,
    )


INT64 = 2**63


def is_plain(event: AnyEvent) -> bool:
    """Whether an event says only what it always says, so that a batch of events has room for it. Any other event has a
    record of its own."""
    if isinstance(event, EventRow):
        return _fits(event)
    return (
        event.kind in PLAIN_KINDS
        and event.reason is None
        and event.signal is None
        and event.fraction_permille is None
        and event.kept is None
        and not event.detail
        and _fits(event)
    )


def _fits(event: AnyEvent) -> bool:
    """Whether its figures, which an agent may send as large as it likes, are of 64 bits."""
    usage = event.usage
    if usage is not None:  # the integral of memory is written as digits, whatever its size
        figures = (usage.wall_us, usage.core_us, usage.memory_peak_bytes, usage.bytes_in, usage.bytes_out)
        if max(*figures, usage.processes_peak) >= INT64 or min(*figures, usage.processes_peak) < -INT64:
            return False
    exit_code = event.exit_code or 0
    return (
        event.sequence < INT64 and event.fence < INT64 and -INT64 <= event.at_us < INT64 and -INT64 <= exit_code < INT64
    )


@dataclass
class Applier(Scribe):
    """What every verb of the road needs. Not thread-safe: its owner holds a lock around each verb."""

    seed: int = 0
    heartbeat_lost_us: int = watch.HEARTBEAT_LOST_US
    heard_us: dict[AgentId, int] = field(default_factory=dict)
    sent: reconcile.Sent = field(default_factory=dict)
    ticked_us: int | None = None  # the last tick of this process
    room_us: int = 0  # when room was last made
    planned_us: dict[TaskId, int] = field(default_factory=dict)  # when the standing plan was made, since the start
    verify_faults: int = 0  # plans that did not pass the checker
    plan_faults: int = 0  # tasks on which the planner broke, and the latest of them
    plan_fault: tuple[TaskId, Exception] | None = None
    _news: list[TaskId] = field(default_factory=list)  # that began or ended, and whose followers were not asked yet
    _outlooks: after.Outlooks = field(default_factory=after.Outlooks, init=False)
    _bills: Bills | None = field(default=None, init=False)

    @property
    def bills(self) -> Bills:
        """Of the grid as it is now: it grows, and prices change, by records of the log."""
        if self._bills is None or self._bills.index is not self.state.index:
            self._bills = Bills(self.state.index)
        return self._bills

    def signal(self, task: Task, signal: Signal, cause: carry.Cause) -> bool:
        """Move a task by the table; False where the signal has no effect in its phase."""
        transition = lifecycle.step(task.phase, signal)
        if transition is None:
            return False
        self._carry(task, transition, cause)
        return True

    def _carry(self, task: Task, transition: lifecycle.Transition, cause: carry.Cause) -> None:
        for record in carry.carry(task, transition, cause, self.state.index, self.ids):
            self.emit(record)
            if record.t == "attempt_closed":
                self.room_us = cause.now_us
            if record.t == "task_ended":
                self.planned_us.pop(task.task_id, None)

    def open_attempt(self, task: Task, now_us: int) -> None:
        """An attempt carries out the plan of a task, if it still stands."""
        plan = task.plan
        if plan is not None and lifecycle.step(task.phase, Signal.ATTEMPT_OPENED) is not None:
            attempt_id, fence = self.ids.attempt_id(), task.fence + 1
            self.emit_opened(now_us, Opened(attempt_id, task.task_id, plan.plan_id, plan.site, fence))

    def put_off(self, task: Task, pause_us: int, now_us: int) -> None:
        """Let a waiting task be planned again after a pause."""
        until_us = now_us + pause_us
        self.emit(TaskWaits(at_us=now_us, task_id=task.task_id, reason=WaitReason.RETRY_DELAY, until_us=until_us))

    def emit(self, record: Record) -> None:
        """One record, and the end of a whole with the last of its parts."""
        super().emit(record)
        if isinstance(record, TaskEnded | TaskRefused):
            self._end_whole(record)
            self.tell_followers(record.task_id)

    def hold_back(self, task: Task, now_us: int) -> None:
        """A task that was just admitted waits for those that it comes after."""
        if task.request is not None and comes_after(task.request) and self._decide_after(task, now_us) is Outlook.OPEN:
            self.emit(TaskWaits(at_us=now_us, task_id=task.task_id, reason=WaitReason.AFTER))

    def _decide_after(self, task: Task, now_us: int, leader: TaskId | None = None) -> Outlook:
        """One whose turn can never come ends here. `leader`: the one that began or ended since it was asked last."""
        assert task.request is not None, "a live task has its request"
        wanted, tasks, kept = comes_after(task.request), self.state.tasks, self._outlooks
        found = kept.again(task.task_id, leader, wanted, tasks) if leader else kept.first(task.task_id, wanted, tasks)
        if found.lost is not None:
            self.signal(task, Signal.AFTER_LOST, carry.Cause(now_us, FailureReason.AFTER_LOST, detail=found.lost))
        return found.outlook

    def tell_followers(self, task_id: TaskId) -> None:
        """Ask again those that wait for a task that began or ended. Whoever ends by that has followers of its own: one
        after the other, since a chain of them may be longer than calls can be deep."""
        if task_id not in self.state.following.followers:
            return
        self._news.append(task_id)
        if len(self._news) > 1:
            return  # whoever is at it goes on
        for leader in self._news:  # grows on the way
            for one in self.state.following.of(leader):
                task, now_us = self.state.tasks[one], self.clock()
                if self._decide_after(task, now_us, leader) is Outlook.TRUE and self._gather(task, now_us):
                    self.emit(TaskWaits(at_us=now_us, task_id=one, reason=WaitReason.QUEUED))
        self._news = []
        waiting = self.state.following.leaders
        if len(self._outlooks) > 2 * len(waiting) + 1_000:
            self._outlooks.forget_all_but(waiting)

    def _gather(self, task: Task, now_us: int) -> bool:
        """Its inputs, now that the tasks that make them have succeeded. False, and it ends, where one was not made."""
        assert task.request is not None, "a live task has its request"
        found = gather.gather(task.request, self.state.following.made)
        if isinstance(found, gather.Lacking):
            self.signal(task, Signal.INPUTS_LOST, carry.Cause(now_us, found.reason, detail=found.detail))
            return False
        if found is not None:
            self.emit(InputsGathered(at_us=now_us, task_id=task.task_id, inputs=found.inputs, lies=found.lies))
        return True

    def _end_whole(self, record: TaskEnded | TaskRefused) -> None:
        """With the last of its parts a task in parts ends."""
        part = self.state.tasks[record.task_id]
        if part.part_of is None:
            return
        whole = self.state.tasks[part.part_of]
        phases = {one: self.state.tasks[one].phase for one in whole.parts}
        reason = record.reason if isinstance(record, TaskEnded) else None
        found = spread.ended(phases, whole.cancel_asked, reason)
        if found is not None and whole.phase not in ENDS:
            self.emit(
                TaskEnded(
                    at_us=record.at_us,
                    task_id=whole.task_id,
                    phase=found.phase,
                    reason=found.reason,
                    detail=found.detail,
                )
            )

    def hear(self, heartbeat: Heartbeat, now_us: int) -> None:
        """An agent has spoken: the sites that it names are up, those that it names no more are not."""
        self._check(heartbeat)
        self.heard_us[heartbeat.agent] = now_us
        for site in heartbeat.sites:
            seen = self.state.sites.get(site)
            if site not in self.state.operator_down and (seen is None or not seen.live):
                self.set_site(site, heartbeat.agent, True, heartbeat.emulated, "joined")
        named = frozenset(heartbeat.sites)
        for site in [one for one, agent in self.state.agent_of.items() if agent == heartbeat.agent]:
            if site not in named and self.state.sites[site].live:
                self.lose_site(site, "heartbeat_lost")

    def _check(self, heartbeat: Heartbeat) -> None:
        """All of it before anything changes: a verb never refuses half-way.

        Raises NotAllowedError, ConflictError, or FaultsError for events of another agent: each agent counts its own.
        """
        for site in heartbeat.sites:
            if site not in self.state.index.sites:
                raise NotAllowedError("agent_site_unknown", site=site)
            seen, holder = self.state.sites.get(site), self.state.agent_of.get(site)
            if seen is not None and seen.live and holder != heartbeat.agent:
                raise ConflictError("agent_site_taken", site=site, agent=holder)
        for number, event in enumerate(heartbeat.events):
            if event.agent != heartbeat.agent:
                where = f"events[{number}].agent"
                raise FaultsError(
                    [Fault("agent_other", where, event.agent, None, {"path": heartbeat.agent})], "heartbeat"
                )

    def take(self, event: AnyEvent, heartbeat: Heartbeat, now_us: int) -> None:
        """Apply one event by itself: at most one transition of its task, or none where it is late or fenced out."""
        if event.attempt_id in self.state.parting:
            self._take_parting(event, heartbeat, now_us)
            return
        task_id = self.state.by_attempt.get(event.attempt_id)
        task = self.state.tasks[task_id] if task_id is not None else None
        holder = (task.attempt or task.delivery) if task is not None else None
        ours = holder is not None and holder.fence == event.fence and holder.site in heartbeat.sites
        if task is None or not ours:
            self.emit(EventApplied(at_us=now_us, event=as_event(event), effective=False))
            return
        transition = lifecycle.step(task.phase, self._signal_of(task, event))
        effective = transition is not None
        self.emit(EventApplied(at_us=now_us, event=as_event(event), effective=effective))
        if effective:
            self._tell_began(task, event)
        if transition is not None and transition.effects:
            cause = cause_of(event, now_us)
            if event.kind is EventKind.STOPPED and task.phase is not Phase.STOPPING:
                cause = replace(cause, reason=FailureReason.BACKEND)  # nobody asked for it: the site's own doing
            self._carry(task, transition, cause)

    def _tell_began(self, task: Task, event: AnyEvent) -> None:
        if event.kind is EventKind.RUNNING:
            for one in (task.task_id, task.part_of):
                if one is not None:
                    self.tell_followers(one)

    def _take_parting(self, event: AnyEvent, heartbeat: Heartbeat, now_us: int) -> None:
        """An event of an attempt that the grid has stopped: what it has done is kept as long as nobody relies on what
        was kept before; with its last word the task need not wait for more."""
        task = self.state.tasks[self.state.parting[event.attempt_id]]
        assert task.parting is not None, "who is parting is known by its task"
        ours = task.parting.fence == event.fence and task.parting.site in heartbeat.sites
        kept = ours and event.kind is EventKind.CHECKPOINT and task.phase is Phase.WAITING
        self.emit(EventApplied(at_us=now_us, event=as_event(event), effective=kept))
        waits = task.phase is Phase.WAITING and task.wait_reason is WaitReason.CHECKPOINT
        if ours and waits and event.kind in LAST_WORDS:
            self.emit(TaskWaits(at_us=now_us, task_id=task.task_id, reason=WaitReason.QUEUED))

    def _signal_of(self, task: Task, event: AnyEvent) -> Signal:
        assert task.request is not None, "a live task has its request"
        if event.kind in (EventKind.DELIVERY_FAILED, EventKind.DELIVERED) and task.delivery is not None:
            return lifecycle.signal_of(event, task.request.retries + 1 - task.delivery.tries, True)
        delivers = bool(event.outputs) and any(one.target for one in event.outputs)
        return lifecycle.signal_of(event, task.request.retries - task.own_failures, delivers)

    def set_site(self, site: SiteId, agent: AgentId | None, live: bool, emulated: bool, cause: SiteCause) -> None:
        """Note that a site came up or went down."""
        self.room_us = self.clock() if live else self.room_us
        self.emit(SiteChanged(at_us=self.clock(), site=site, agent=agent, live=live, emulated=emulated, cause=cause))

    def redirect(self, task: Task, now_us: int) -> None:
        """Let another site deliver, since outputs lie in the object store. Where none is live, time asks again."""
        elsewhere = min((site for site, seen in self.state.sites.items() if seen.live), default=None)
        if elsewhere is not None:
            self.signal(task, Signal.DELIVERY_RETRY, carry.Cause(now_us, FailureReason.SITE_LOST, site=elsewhere))

    def lose_site(self, site: SiteId, cause: SiteCause) -> None:
        """A site no longer answers: what ran there and what was planned there is planned elsewhere."""
        now_us = self.clock()
        seen = self.state.sites.get(site)  # None: no agent has spoken for it yet
        self.set_site(site, self.state.agent_of.get(site), False, seen is not None and seen.emulated, cause)
        for task in list(self.state.by_site.get(site, {}).values()):
            if task.attempt is not None:
                plan = task.attempt.plan
                lost = carry.Cause(now_us, FailureReason.SITE_LOST, detail=site, answers=cause == "operator_failed")
                self.signal(task, Signal.ATTEMPT_LOST, lost)
                self.fall_over(task, plan)
            else:
                self.redirect(task, now_us)
        for task in list(self.state.planned.values()):
            if task.plan is not None and task.plan.site == site:
                plan = task.plan
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, FailureReason.SITE_LOST))
                self.fall_over(task, plan)

    def fall_over(self, task: Task, lost: AnyPlan) -> None:
        """Take the standby place of a plan that was just lost, before anybody else is planned. Whoever plans says how."""
