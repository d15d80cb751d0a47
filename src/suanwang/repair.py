"""The paths of what runs: cut, reported out of their promise, repaired under the running task, or looked for again later.

A repair is the next plan of the task on the same lease, at the same place; the attempt goes on and nobody tells its agent.
The planner finds the path, the checker of repairs judges it on the live state, and both the observation and what was done
stand in the log. `docs/decisions/0128-a-path-is-repaired-under-a-running-task.md` says why it is so.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from suanwang.dispatch import carry
from suanwang.dispatch.lifecycle import Signal
from suanwang.dispatch.repair import (
    Lost,
    is_change,
    is_news,
    latency_below_us,
    planned_across,
    pools_to_avoid,
    running_across,
    running_plan,
    to_avoid,
    whole_again,
)
from suanwang.judge import Judge
from suanwang.model.compact import AnyPlan, last_end_us
from suanwang.model.ids import LinkId, PlanId, SecurityPoolId, TaskId
from suanwang.model.path_report import PathFault, PathObservation, PathOutcome, PathReport
from suanwang.model.reason import FailureReason
from suanwang.model.record import (
    LinkChanged,
    PathBroken,
    PathRepaired,
    PathRestored,
    SecurityCause,
    SecurityPoolChanged,
)
from suanwang.observe.state import Task
from suanwang.plan import RepairAsk, repair
from suanwang.verify import verify_repair

# Broken paths that are looked at again in one round: a search each, while others wait for the brain.
RETRY_BATCH: Final = 16
# By whether an agent says it, and whether the pool is up.
SECURITY_CAUSES: Final[Mapping[tuple[bool, bool], SecurityCause]] = {
    (False, False): "operator_failed",
    (False, True): "operator_healed",
    (True, False): "agent_dead",
    (True, True): "agent_alive",
}


class Repairing(Judge):
    """The judge that keeps paths in repair. Not thread-safe."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Broken paths for which something may have changed; after a start, all of them.
        self._due: dict[TaskId, None] = dict.fromkeys(self.state.broken)
        self._freed_seen = 0

    def set_link(self, link: LinkId, up: bool, principal: str, agent: str | None = None) -> bool:
        """An operator cuts or mends a link, or a network agent (`agent`) says that it is down or up again. Plans that would
        use one that is down and have not begun are made again; what runs over it gets another path. Whether anything
        changed (`is_change`)."""
        if not is_change(self.state.links_out.get(link), up, agent):
            return False
        now_us = self.clock()
        self.emit(LinkChanged(at_us=now_us, link=link, up=up, principal=principal, agent=agent))
        if up:
            self._came_back(now_us)
        else:
            self._fell(Lost("link_down", links=frozenset({link})), now_us)
        return True

    def set_security_pool(self, pool: SecurityPoolId, up: bool, principal: str, agent: str | None = None) -> bool:
        """An operator takes a security pool out or puts it back, or a network agent (`agent`) says that its function is dead
        or alive. Plans through it are treated as those over a link. Whether anything changed (`is_change`)."""
        if not is_change(self.state.security_out.get(pool), up, agent):
            return False
        now_us = self.clock()
        why = SECURITY_CAUSES[agent is not None, up]
        self.emit(
            SecurityPoolChanged(at_us=now_us, security_pool=pool, up=up, cause=why, principal=principal, agent=agent)
        )
        if up:
            self._came_back(now_us)
        else:
            self._fell(Lost("security_pool_down", pools=frozenset({pool})), now_us)
        return True

    def _came_back(self, now_us: int) -> None:
        self.room_us = now_us  # what waited for a path may have one now
        for task_id in list(whole_again(self.state)):
            plan_id = self.state.broken[task_id].plan_id
            self.emit(PathRestored(at_us=now_us, task_id=task_id, plan_id=plan_id))
        self._due |= dict.fromkeys(self.state.broken)
        self.retry_paths()

    def _fell(self, lost: Lost, now_us: int) -> None:
        for task, plan in planned_across(self.state, lost):
            if task.plan is plan:  # none before it has made room for itself here
                self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail=lost.word))
                self.fall_over(task, plan)
        for task in running_across(self.state, lost):
            running = running_plan(task)
            if running is not None:
                cut = PathObservation(
                    kind=PathFault.CUT,
                    promised_us=running.path.latency_us,
                    avoid=tuple(lost.links),
                    avoid_pools=tuple(lost.pools),
                    observed_at_us=now_us,
                )
                self._mend(task, running, cut, now_us)

    def report_path(self, task_id: TaskId, plan_id: PlanId, seen: PathObservation) -> PathOutcome:
        """The network has seen that the path of a plan is out of its promise. A report about a plan that is no longer the
        task's comes too late."""
        task, now_us = self.state.tasks.get(task_id), self.clock()
        plan = running_plan(task) if task is not None else None
        if task is None or plan is None or plan.plan_id != plan_id:
            return PathOutcome.IGNORED
        if not plan.path.links and not (seen.avoid_pools and plan.protection):
            return PathOutcome.IGNORED  # nothing of it could be left
        return self._mend(task, plan, seen, now_us)

    def report_paths(self, reports: Sequence[PathReport]) -> tuple[PathOutcome, ...]:
        """Reports in their order, as one batch of the log."""
        found = tuple(self.report_path(one.task_id, one.plan_id, one.observation()) for one in reports)
        self.commit()
        return found

    def retry_paths(self) -> None:
        """Look again for paths that were not to be had, if links or room have come back since. Costs nothing where
        nothing has."""
        if self.waits.network_freed != self._freed_seen:
            self._freed_seen = self.waits.network_freed
            self._due |= dict.fromkeys(self.state.broken)
        now_us = self.clock()
        for task_id in list(self._due)[:RETRY_BATCH]:
            broken, task = self.state.broken.get(task_id), self.state.tasks[task_id]
            plan = running_plan(task)
            if broken is not None and plan is not None:
                if self._is_over(plan, now_us):
                    continue  # it outlasts its window: the next tick extends its lease
                self._repaired(task, plan, broken.cause, now_us)
            del self._due[task_id]

    def _mend(self, task: Task, plan: AnyPlan, cause: PathObservation, now_us: int) -> PathOutcome:
        """Another path; else, where the path is lost for good, the standby place; else the fault stands in the record."""
        if self._is_over(plan, now_us):
            self.extend(now_us)  # it outlasts its window, and the brain was away
            if running_plan(task) is not plan:
                return PathOutcome.FELL_OVER
        if self._repaired(task, plan, cause, now_us):
            return PathOutcome.REPAIRED
        lost = cause.kind in (PathFault.CUT, PathFault.DOWN)
        if lost and plan.standby is not None and plan.bandwidth_bps:
            detail = ", ".join((*cause.avoid, *cause.avoid_pools) or (one.link for one in plan.path.links))
            self.signal(
                task, Signal.ATTEMPT_LOST, carry.Cause(now_us, FailureReason.SITE_LOST, detail=detail, answers=True)
            )
            self.fall_over(task, plan)
            return PathOutcome.FELL_OVER
        if is_news(self.state.broken.get(task.task_id), cause, plan):
            self.emit(PathBroken(at_us=now_us, task_id=task.task_id, plan_id=plan.plan_id, cause=cause))
        return PathOutcome.BROKEN

    def _is_over(self, plan: AnyPlan, now_us: int) -> bool:
        return last_end_us(self.state.leases[plan.lease_id]) <= now_us

    def _repaired(self, task: Task, plan: AnyPlan, cause: PathObservation, now_us: int) -> bool:
        """Give the task another path, if there is one and the checker finds no fault in it."""
        ask, view = self.ask(task), self.state.snapshot()
        avoid, pools = to_avoid(plan, cause), pools_to_avoid(cause)
        made = repair(view, RepairAsk(ask, plan, avoid, latency_below_us(cause), pools), now_us, self.ids)
        if made is None:
            return False
        if verify_repair(plan, made, ask.request, view, now_us, avoid, pools):
            self.verify_faults += 1
            return False
        assert task.attempt is not None, "a running task has an attempt"
        self.emit(
            PathRepaired(
                at_us=now_us,
                task_id=task.task_id,
                lease_id=plan.lease_id,
                attempt_id=task.attempt.attempt_id,
                cause=cause,
                plan=made,
            )
        )
        return True
