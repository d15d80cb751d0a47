"""What users, operators and time bring about: the verbs beside the road."""

import heapq

from suanwang import failpoints
from suanwang.dispatch import carry, reconcile, watch
from suanwang.dispatch.applier import Applier
from suanwang.dispatch.lifecycle import LIVE, Signal
from suanwang.model.error import ConflictError
from suanwang.model.ids import LinkId, SiteId, TaskId
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import ENDS, CancelRequested, LeaseExtended, LinkChanged, TaskWaits


class Keeper(Applier):
    """The applier with the verbs that are no arrow of the road. Not thread-safe."""

    def cancel(self, task_id: TaskId, principal: str) -> None:
        """Cancel a task: at once where it does not run, by a stop instruction where it does."""
        task, now_us = self.state.tasks[task_id], self.clock()
        if task.phase in ENDS:
            raise ConflictError("task_ended", task=task_id, phase=task.phase.value)
        if not task.cancel_asked:
            self.emit(CancelRequested(at_us=now_us, task_id=task_id, principal=principal))
            if not task.parts:
                self.signal(task, Signal.CANCEL_ASKED, carry.Cause(now_us, FailureReason.CANCELLED))
            for one in [self.state.tasks[part] for part in task.parts]:
                if one.phase not in ENDS and not one.cancel_asked:
                    self.emit(CancelRequested(at_us=now_us, task_id=one.task_id, principal=principal))
                    self.signal(one, Signal.CANCEL_ASKED, carry.Cause(now_us, FailureReason.CANCELLED))
        self.commit()
        failpoints.hit("brain.cancel.committed")

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

    def set_link(self, link: LinkId, up: bool, principal: str) -> None:
        """An operator cuts or mends a link: plans that would use a cut one and have not begun are made again."""
        now_us = self.clock()
        self.emit(LinkChanged(at_us=now_us, link=link, up=up, principal=principal))
        if up:
            self.room_us = now_us  # what waited for a path may have one now
            return
        for task in list(self.state.planned.values()):
            plan = task.plan
            assert plan is not None, "a planned task has its plan"
            paths = [plan.path, *(move.path for move in plan.data)]
            paths += [plan.standby.path] if plan.standby is not None else []
            if any(one.link == link for path in paths for one in path.links):
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail="link_down"))
                self.fall_over(task, plan)
        self._leave_the_link(link, now_us)

    def _leave_the_link(self, link: LinkId, now_us: int) -> None:
        """What holds bandwidth on a cut link and has a standby place goes on there; whatever has none stays."""
        for task in [one for group in self.state.by_site.values() for one in group.values()]:
            plan = task.attempt.plan if task.attempt is not None else None
            if plan is None or plan.standby is None or not plan.bandwidth_bps:
                continue
            if any(one.link == link for one in plan.path.links):
                cause = carry.Cause(now_us, FailureReason.SITE_LOST, detail=link, answers=True)
                self.signal(task, Signal.ATTEMPT_LOST, cause)
                self.fall_over(task, plan)

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
