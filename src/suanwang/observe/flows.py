"""The traffic of tasks that run, as their plans have it."""

from collections.abc import Iterator, Sequence
from operator import itemgetter

from suanwang.model.compact import AnyPlan
from suanwang.model.ids import PlanId
from suanwang.model.plan import Path, ProtectionStep
from suanwang.model.task import TaskRequest, latency_us_max
from suanwang.model.wanted import PassedPool, TaskFlow
from suanwang.observe.state import State


def task_flows(state: State, known: dict[PlanId, TaskFlow | None]) -> list[TaskFlow]:
    """Of every live attempt whose task asked something of its path (bandwidth, a latency bound, protection), in the order
    of submission. Reads each live attempt once. `known` is what the call before left there, at first empty: a plan never
    changes, so its flow (None: it has none) is made once. What no longer runs is forgotten."""
    found, before = [], dict(known)
    known.clear()
    for group in state.by_site.values():
        for task in group.values():
            if task.attempt is None or task.request is None:
                continue
            plan = task.attempt.plan
            plan_id = plan.plan_id
            if plan_id in before:
                flow = before[plan_id]
            else:
                flow = flow_of(plan, task.request) if asks(task.request) and plan.path.links else None
            known[plan_id] = flow
            if flow is not None:
                found.append((task.order, flow))
    return [flow for _, flow in sorted(found, key=itemgetter(0))]


def asks(request: TaskRequest) -> bool:
    """Whether the path matters to the task."""
    return bool(request.bandwidth or request.protection or request.latency is not None or request.avoid)


def flow_of(plan: AnyPlan, request: TaskRequest) -> TaskFlow:
    """A plan's path as traffic."""
    path = plan.path
    return TaskFlow(
        task_id=plan.task_id,
        plan_id=plan.plan_id,
        origin=path.sites[0],
        site=plan.site,
        links=tuple(f"{one.link}:{'ab' if one.forward else 'ba'}" for one in path.links),
        pools=tuple(passed(path, plan.protection)),
        bandwidth_bps=plan.bandwidth_bps,
        latency_us=path.latency_us,
        promise_us=latency_us_max(request),
    )


def passed(path: Path, steps: Sequence[ProtectionStep]) -> Iterator[PassedPool]:
    """Where on the path each step is: at the first visit of its site that is not before the step before it."""
    at = 0
    for step in steps:
        at = path.sites.index(step.site, at)
        yield PassedPool(function=step.function, security_pool=step.security_pool, site=step.site, after=at)
