"""The company: does the plan keep to the tasks that it must run with, and away from those it keeps apart from."""

from collections.abc import Iterable, Iterator, Mapping

from suanwang.model.compact import AnyPlan
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.placements import Placed
from suanwang.model.reason import PlanFault
from suanwang.model.task import TaskRequest

BySite = Mapping[SiteId, Mapping[TaskId, Placed]]


def company_faults(plan: AnyPlan, request: TaskRequest, by_site: BySite) -> Iterator[tuple[PlanFault, str]]:
    """Faults beside the tenant's other tasks, each looked at by itself."""
    if not (request.tags or request.together_with or request.apart_from):
        return
    here = [one for one in by_site.get(plan.site, {}).values() if one.task_id != plan.task_id]
    for one in here:
        if (request.apart_from and _has(one.tags, request.apart_from)) or (
            one.apart_from and _has(request.tags, one.apart_from)
        ):
            yield PlanFault.APART, f"{one.task_id} stands at {plan.site}"
    wanted = request.together_with
    if wanted and not any(_has(one.tags, wanted) for one in here):
        elsewhere = _others(plan, by_site.values())
        if not _has(request.tags, wanted) or any(_has(one.tags, wanted) for one in elsewhere):
            yield PlanFault.TOGETHER, f"none of those that it must run with stands at {plan.site}"


def _others(plan: AnyPlan, groups: Iterable[Mapping[TaskId, Placed]]) -> Iterator[Placed]:
    return (one for group in groups for one in group.values() if one.task_id != plan.task_id)


def _has(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= tags.items()
