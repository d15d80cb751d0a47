"""The applier: the only writer of the log in a region, and what every verb of the road needs of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from suanwang.dispatch import carry, lifecycle, reconcile, watch
from suanwang.dispatch.lifecycle import Signal
from suanwang.model.error import ConflictError, NotAllowedError
from suanwang.model.event import Event, EventKind, Heartbeat, Usage
from suanwang.model.ids import AgentId, AttemptId, ChargeId, LeaseId, LinkId, PlanId, SiteId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.record import EventApplied, LeaseExtended, LinkChanged, Record, SiteChanged
from suanwang.observe.state import State, Task

SiteCause = Literal["joined", "heartbeat_lost", "operator_failed", "operator_healed", "brain_started"]


class Log(Protocol):
    """Where records go: one call, one durable batch."""

    def append(
        self, records: Sequence[Record], at_us: int, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> int: ...


class Ids(Protocol):
    """Makers of every id that the brain gives out."""

    def task_id(self) -> TaskId: ...
    def plan_id(self) -> PlanId: ...
    def lease_id(self) -> LeaseId: ...
    def attempt_id(self) -> AttemptId: ...
    def charge_id(self) -> ChargeId: ...


def cause_of(event: Event, now_us: int) -> carry.Cause:
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


@dataclass
class Applier:
    """State, log, clock and ids of one region. Not thread-safe: its owner holds a lock around each verb."""

    state: State
    log: Log
    clock: Callable[[], int]
    ids: Ids
    seed: int = 0
    heartbeat_lost_us: int = watch.HEARTBEAT_LOST_US
    heard_us: dict[AgentId, int] = field(default_factory=dict)
    sent: reconcile.Sent = field(default_factory=dict)
    pending: list[Record] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)  # of tasks in `pending`; never logged
    position: int = 0  # of the last batch in the log
    # After a start everything that waits is looked at once: what would have woken it may have come just before.
    sites_up: bool = True  # since the last tick
    room_made: bool = True  # since the last tick
    room_us: int = 0  # when room was last made
    planned_us: dict[TaskId, int] = field(default_factory=dict)  # when the standing plan was made, since the start
    verify_faults: int = 0

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
            self.room_made |= record.t in ("plan_dropped", "attempt_closed")
            if record.t == "attempt_closed":
                self.room_us = cause.now_us
            if record.t == "task_ended":
                self.planned_us.pop(task.task_id, None)

    def emit(self, record: Record) -> None:
        self.state.apply(record)
        self.pending.append(record)

    def commit(self) -> None:
        """One batch, one fsync. Nothing is sent and no call returns before this."""
        if self.pending:
            self.position = self.log.append(self.pending, self.clock(), self.secrets)
            self.pending, self.secrets = [], {}

    def hear(self, heartbeat: Heartbeat, now_us: int) -> None:
        for site in heartbeat.sites:  # all of them before anything changes: a verb never refuses half-way
            if site not in self.state.index.sites:
                raise NotAllowedError("agent_site_unknown", site=site)
            seen, holder = self.state.sites.get(site), self.state.agent_of.get(site)
            if seen is not None and seen.live and holder != heartbeat.agent:
                raise ConflictError("agent_site_taken", site=site, agent=holder)
        self.heard_us[heartbeat.agent] = now_us
        for site in heartbeat.sites:
            seen = self.state.sites.get(site)
            if site not in self.state.operator_down and (seen is None or not seen.live):
                self.set_site(site, heartbeat.agent, True, heartbeat.emulated, "joined")

    def take(self, event: Event, heartbeat: Heartbeat, now_us: int) -> None:
        """Apply one event: at most one transition of its task, or none where it is late or fenced out."""
        task = self.state.tasks.get(self.state.by_attempt.get(event.attempt_id, TaskId("")))
        holder = (task.attempt or task.delivery) if task is not None else None
        ours = holder is not None and holder.fence == event.fence and holder.site in heartbeat.sites
        transition = None
        if task is not None and ours:
            signal = self._signal_of(task, event)
            transition = lifecycle.step(task.phase, signal)
        effective = transition is not None and event.agent == heartbeat.agent
        self.emit(EventApplied(at_us=now_us, event=event, effective=effective))
        if effective and transition is not None and task is not None and transition.effects:
            self._carry(task, transition, cause_of(event, now_us))

    def _signal_of(self, task: Task, event: Event) -> Signal:
        assert task.request is not None, "a live task has its request"
        if event.kind in (EventKind.DELIVERY_FAILED, EventKind.DELIVERED) and task.delivery is not None:
            return lifecycle.signal_of(event, task.request.retries + 1 - task.delivery.tries, True)
        delivers = any(one.target for one in event.outputs)
        return lifecycle.signal_of(event, task.request.retries - task.own_failures, delivers)

    def set_site(self, site: SiteId, agent: AgentId | None, live: bool, emulated: bool, cause: SiteCause) -> None:
        """Note that a site came up or went down."""
        self.sites_up |= live
        self.room_us = self.clock() if live else self.room_us
        self.emit(SiteChanged(at_us=self.clock(), site=site, agent=agent, live=live, emulated=emulated, cause=cause))

    def heal_site(self, site: SiteId) -> None:
        """An operator puts a site back: it is live if its agent has spoken lately."""
        seen, agent = self.state.sites.get(site), self.state.agent_of.get(site)
        heard_us = self.heard_us.get(agent, 0) if agent is not None else 0
        live = self.clock() - heard_us < self.heartbeat_lost_us
        self.set_site(site, agent, live, seen is not None and seen.emulated, "operator_healed")

    def set_link(self, link: LinkId, up: bool, principal: str) -> None:
        """An operator cuts or mends a link: plans that would use a cut one and have not begun are made again."""
        now_us = self.clock()
        self.emit(LinkChanged(at_us=now_us, link=link, up=up, principal=principal))
        if up:
            self.sites_up, self.room_us = True, now_us  # what waited for a path may have one now
            return
        for task in list(self.state.planned.values()):
            assert task.plan is not None, "a planned task has its plan"
            paths = [task.plan.path, *(move.path for move in task.plan.data)]
            if any(one.link == link for path in paths for one in path.links):
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail="link_down"))

    def _any_live_site(self) -> SiteId | None:
        """The first live site by id: any can deliver, since outputs lie in the object store."""
        return min((site for site, seen in self.state.sites.items() if seen.live), default=None)

    def lose_site(self, site: SiteId, cause: SiteCause) -> None:
        """A site no longer answers: what ran there and what was planned there is planned elsewhere."""
        now_us = self.clock()
        self.set_site(site, self.state.agent_of.get(site), False, self.state.sites[site].emulated, cause)
        for task in list(self.state.by_site.get(site, {}).values()):
            if task.attempt is not None:
                self.signal(task, Signal.ATTEMPT_LOST, carry.Cause(now_us, FailureReason.SITE_LOST, detail=site))
            elif elsewhere := self._any_live_site():
                cause_ = carry.Cause(now_us, FailureReason.SITE_LOST, site=elsewhere)
                self.signal(task, Signal.DELIVERY_RETRY, cause_)
        for task in list(self.state.planned.values()):
            if task.plan is not None and task.plan.site == site:
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, FailureReason.SITE_LOST))

    def stop_at_budget(self, now_us: int) -> None:
        """`on_budget: stop`: what has used up its consent ends here."""
        for task in [one for group in self.state.by_site.values() for one in group.values()]:
            if task.phase in lifecycle.LIVE and carry.is_over_budget(task, self.state.index, now_us):
                self.signal(task, Signal.STOP_ASKED, carry.Cause(now_us, FailureReason.BUDGET_STOP))

    def pull_forward(self, now_us: int) -> None:
        """Room was made: plans that wait for room are made again, and may start sooner."""
        for task in watch.pullable(self.state, now_us, self.room_us, self.planned_us)[: watch.PULL_BATCH]:
            self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail="room_made"))

    def extend(self, now_us: int) -> None:
        keys: set[str] = set()
        for task, end_us, past in list(watch.overrunning(self.state, now_us)):
            assert task.attempt is not None, "a live attempt"
            if past:
                self.signal(task, Signal.STOP_ASKED, carry.Cause(now_us, FailureReason.WALL_TIME))
            lease_id = task.attempt.plan.lease_id
            keys |= {f"{hold.resource}|{hold.key}" for hold in self.state.leases[lease_id]}
            self.emit(LeaseExtended(at_us=now_us, lease_id=lease_id, task_id=task.task_id, end_us=end_us))
        for task in watch.crowded_out(self.state, keys, watch.capacities(self.state, keys), now_us):
            signal = Signal.PLAN_DROPPED if task.attempt is None else Signal.ATTEMPT_LOST
            self.signal(task, signal, carry.Cause(now_us, FailureReason.CROWDED_OUT))
