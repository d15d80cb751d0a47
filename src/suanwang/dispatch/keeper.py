"""What users, operators and time bring about: the verbs beside the road."""

import heapq

from suanwang import failpoints
from suanwang.dispatch import carry, reconcile, watch
from suanwang.dispatch.applier import Applier
from suanwang.dispatch.lifecycle import LIVE, Signal
from suanwang.model.error import ConflictError
from suanwang.model.ids import KeyId, SiteId, TaskId
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import ENDS, CancelRequested, LeaseExtended, SiteOrdered, TaskWaits
from suanwang.model.snapshot import SiteOrder
from suanwang.observe.task import Task


class Keeper(Applier):
    """The applier with the verbs that are no arrow of the road. Not thread-safe."""

    def cancel(self, task_id: TaskId, principal: str) -> None:
        """Cancel a task: at once where it does not run, by a stop instruction where it does."""
        task = self.state.tasks[task_id]
        if task.phase in ENDS:
            raise ConflictError("task_ended", task=task_id, phase=task.phase.value)
        self.ask_cancel(task, principal)
        self.commit()
        failpoints.hit("brain.cancel.committed")

    def ask_cancel(self, task: Task, principal: str) -> None:
        """A task that has not ended, with all of its parts."""
        if task.cancel_asked:
            return
        now_us = self.clock()
        self.emit(CancelRequested(at_us=now_us, task_id=task.task_id, principal=principal))
        if not task.parts:
            self.signal(task, Signal.CANCEL_ASKED, carry.Cause(now_us, FailureReason.CANCELLED))
        for one in [self.state.tasks[part] for part in task.parts]:
            if one.phase not in ENDS and not one.cancel_asked:
                self.emit(CancelRequested(at_us=now_us, task_id=one.task_id, principal=principal))
                self.signal(one, Signal.CANCEL_ASKED, carry.Cause(now_us, FailureReason.CANCELLED))

    def tick(self) -> None:
        """What time alone brings about: silent agents, deadlines, pauses over, leases about to end."""
        now_us = self.clock()
        self.not_from_the_future(now_us)
        for site in watch.silent_sites(self.state, self.heard_us, now_us, self.heartbeat_lost_us):
            failpoints.hit("brain.tick.site_lost")
            self.lose_site(site, "heartbeat_lost")
        for task in list(watch.unaccepted(self.state, now_us)):
            self.signal(task, Signal.ATTEMPT_LOST, carry.Cause(now_us, FailureReason.LOST))
        for task_id in self.waits.late.due(now_us):
            self.signal(
                self.state.tasks[task_id], Signal.DEADLINE_LOST, carry.Cause(now_us, FailureReason.DEADLINE_LOST)
            )
        for task_id in self.paused_enough(now_us):
            self.emit(TaskWaits(at_us=now_us, task_id=task_id, reason=WaitReason.QUEUED))
        for task in list(watch.stranded(self.state)):
            self.redirect(task, now_us)
        self.stop_at_budget(now_us)
        self.pull_forward(now_us)
        self.extend(now_us)
        reconcile.prune(self.sent, now_us)
        self.commit()

    def paused_enough(self, now_us: int) -> list[TaskId]:
        """Paused tasks whose pause is over. A pause is never longer than the longest: one that seems so was set before
        the clock was put back."""
        over, pauses = self.waits.pauses.due(now_us), self.waits.pauses
        if self.ticked_us is None or now_us < self.ticked_us:
            over += pauses.after(now_us + carry.RETRY_DELAY_US_MAX)
        self.ticked_us = now_us
        return over

    def not_from_the_future(self, now_us: int) -> None:
        """The clock was put back: nobody can have spoken after now, and a silence is counted from now on."""
        for agent, at_us in self.heard_us.items():
            self.heard_us[agent] = min(at_us, now_us)

    def heal_site(self, site: SiteId) -> None:
        """An operator puts a site back that one has taken out: it is live if its agent has spoken lately."""
        if site not in self.state.operator_down:
            return
        seen, agent = self.state.sites.get(site), self.state.agent_of.get(site)
        heard_us = self.heard_us.get(agent, 0) if agent is not None else 0
        live = self.clock() - heard_us < self.heartbeat_lost_us
        self.set_site(site, agent, live, seen is not None and seen.emulated, "operator_healed")

    def order_site(self, site: SiteId, order: SiteOrder, principal: KeyId) -> bool:
        """Close a site to new work or open it. What is planned there is planned elsewhere; of a drained site what runs is
        too, from its checkpoint where it has one. False where it is so already."""
        if self.state.closed.get(site, SiteOrder.OPEN) is order:
            return False
        now_us = self.clock()
        self.emit(SiteOrdered(at_us=now_us, site=site, order=order, principal=principal))
        if order is SiteOrder.OPEN:
            return True
        for task in list(self.state.planned.values()):
            if task.plan is not None and task.plan.site == site:
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, FailureReason.DRAINED))
        for task in list(self.state.by_site.get(site, {}).values()) if order is SiteOrder.DRAINED else ():
            self.signal(task, Signal.PREEMPTED, carry.Cause(now_us, FailureReason.DRAINED, site))
        return True

    def stop_at_budget(self, now_us: int) -> None:
        """`on_budget: stop`: what has used up its consent ends here."""
        for task in [one for group in self.state.by_site.values() for one in group.values()]:
            if task.phase in LIVE and carry.is_over_budget(task, self.state.index, now_us):
                self.signal(task, Signal.STOP_ASKED, carry.Cause(now_us, FailureReason.BUDGET_STOP))

    def pull_forward(self, now_us: int) -> None:
        """Room was made: plans that wait for room are made again, and may start sooner; the least share goes first."""
        found = watch.pullable(self.state, now_us, self.room_us, self.planned_us)
        for task in heapq.nsmallest(watch.PULL_BATCH, found, key=self.waits.rank):
            self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail="room_made"))

    def extend(self, now_us: int) -> None:
        keys: set[str] = set()
        extended: set[TaskId] = set()
        for task, end_us, past in list(watch.overrunning(self.state, now_us)):
            assert task.attempt is not None, "a live attempt"
            if past:
                self.signal(task, Signal.STOP_ASKED, carry.Cause(now_us, FailureReason.WALL_TIME))
            lease_id = task.attempt.plan.lease_id
            extended.add(task.task_id)
            keys |= {f"{hold.resource}|{hold.key}" for hold in self.state.leases[lease_id]}
            self.emit(LeaseExtended(at_us=now_us, lease_id=lease_id, task_id=task.task_id, end_us=end_us))
        for task in watch.crowded_out(self.state, keys, watch.capacities(self.state, keys), now_us, extended):
            signal = Signal.PLAN_DROPPED if task.attempt is None else Signal.ATTEMPT_LOST
            self.signal(task, signal, carry.Cause(now_us, FailureReason.CROWDED_OUT))
