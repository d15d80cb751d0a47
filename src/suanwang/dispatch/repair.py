"""Whose path is lost, and whether that is news. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from suanwang.dispatch.lifecycle import LIVE
from suanwang.model.compact import AnyPlan
from suanwang.model.ids import LinkId, SecurityPoolId, TaskId
from suanwang.model.path_report import PathFault, PathObservation
from suanwang.model.plan import Path, ProtectionStep
from suanwang.model.record import LinkChanged, PathBroken, SecurityPoolChanged
from suanwang.observe.state import State, Task

_WORSE: Final = (PathFault.DELAY, PathFault.LOSS, PathFault.DOWN, PathFault.CUT)


class Lost(NamedTuple):
    """What fell: links, or security pools. `word` says which to who asks why a plan was given up."""

    word: str
    links: frozenset[LinkId] = frozenset()
    pools: frozenset[SecurityPoolId] = frozenset()

    def hits(self, path: Path, protection: Iterable[ProtectionStep] = ()) -> bool:
        """Whether a way needs some of it."""
        return any(one.link in self.links for one in path.links) or any(
            one.security_pool in self.pools for one in protection
        )


def down(state: State) -> Lost:
    """All that is out now."""
    return Lost("", state.links_down, state.security_down)


def is_change(out: LinkChanged | SecurityPoolChanged | None, up: bool, agent: str | None) -> bool:
    """Whether a word on a link or a security pool changes anything. `out`: what took it out, None where it is up; `agent`:
    the network agent that says the word, None of an operator.

    An agent takes out what is up, and puts back what it has taken out itself. An operator takes out also what an agent
    has taken out, so that it then stays out until an operator puts it back.
    """
    if agent is not None:
        return out is None if not up else out is not None and out.agent == agent
    return out is not None if up else out is None or out.agent is not None


def planned_across(state: State, lost: Lost) -> list[tuple[Task, AnyPlan]]:
    """Plans that have not begun and need what fell: for the user, for data, or to the standby place."""
    found = []
    for task in state.planned.values():
        plan = task.plan
        assert plan is not None, "a planned task has its plan"
        second = plan.standby is not None and lost.hits(plan.standby.path, plan.standby.protection)
        if second or lost.hits(plan.path, plan.protection) or any(lost.hits(move.path) for move in plan.data):
            found.append((task, plan))
    return found


def running_across(state: State, lost: Lost) -> list[Task]:
    """Tasks whose attempt runs over what fell: the highest priority first, then the oldest."""
    groups = state.by_site.values()
    found = [task for group in groups for task in group.values() if _runs_across(task, lost)]
    return sorted(found, key=lambda task: (-task.priority, task.order))


def _runs_across(task: Task, lost: Lost) -> bool:
    plan = running_plan(task)
    return plan is not None and lost.hits(plan.path, plan.protection)


def running_plan(task: Task) -> AnyPlan | None:
    """The plan that the live attempt of a task carries out; None where there is none, or it is being stopped."""
    return task.attempt.plan if task.attempt is not None and task.phase in LIVE else None


def whole_again(state: State) -> Iterator[TaskId]:
    """Tasks whose path was cut, and all of its links and security pools are up."""
    lost = down(state)
    for task_id, broken in state.broken.items():
        plan = state.tasks[task_id].plan
        assert plan is not None, "a broken path is that of a plan"
        if broken.cause.kind is PathFault.CUT and not lost.hits(plan.path, plan.protection):
            yield task_id


def is_news(before: PathBroken | None, cause: PathObservation, plan: AnyPlan) -> bool:
    """Whether that there is no better path for the plan is worth a record: a worse fault, or other suspects. Other figures
    are none, nor is a lesser fault, and of a path that is cut nothing is that is measured on it."""
    if before is None:
        return True
    known, worst = before.cause, _WORSE.index(before.cause.kind)
    if known.kind is PathFault.CUT and cause.kind is not PathFault.CUT:
        return False
    return _WORSE.index(cause.kind) > worst or _suspects(plan, known) != _suspects(plan, cause)


def _suspects(plan: AnyPlan, cause: PathObservation) -> tuple[frozenset[str], frozenset[str]]:
    links = frozenset(cause.avoid) if cause.kind is PathFault.CUT else to_avoid(plan, cause)
    return links, frozenset(cause.avoid_pools)


def to_avoid(plan: AnyPlan, cause: PathObservation) -> frozenset[LinkId]:
    """The links that a new path must not use. Those that are down it does not use anyhow."""
    if cause.kind is PathFault.CUT or (cause.avoid_pools and not cause.avoid):
        return frozenset()
    return frozenset(cause.avoid or (one.link for one in plan.path.links))


def pools_to_avoid(cause: PathObservation) -> frozenset[SecurityPoolId]:
    """The security pools that a new path must not pass, as `to_avoid`."""
    return frozenset() if cause.kind is PathFault.CUT else frozenset(cause.avoid_pools)


def latency_below_us(cause: PathObservation) -> int | None:
    """What the latency of a new path must be less than: a slow path is not left for one that is no quicker."""
    return cause.measured_us if cause.kind is PathFault.DELAY and cause.measured_us else None
