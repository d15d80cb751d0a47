"""Who may report on which paths."""

from collections.abc import Sequence

from suanwang.model.error import NotAllowedError, NotFoundError
from suanwang.model.path_report import PathReport
from suanwang.model.principal import Principal, Role
from suanwang.observe.state import State


def check_reports(principal: Principal, reports: Sequence[PathReport], state: State) -> None:
    """All of it before anything changes. An agent reports on paths to the sites of its key, or from them.

    Raises NotAllowedError, or NotFoundError for a task, a link or a security pool that the grid does not have.
    """
    if principal.role not in (Role.OPERATOR, Role.AGENT):
        raise NotAllowedError("role", role=principal.role.value)
    for one in reports:
        task = state.tasks.get(one.task_id)
        if task is None:
            raise NotFoundError("task_unknown", task=one.task_id)
        for link in one.avoid:
            if link not in state.index.links:
                raise NotFoundError("link_unknown", link=link)
        for pool in one.avoid_pools:
            if pool not in state.index.security_pools:
                raise NotFoundError("security_pool_unknown", pool=pool)
        ends = (task.plan.path.sites[0], task.plan.site) if task.plan is not None else ()
        if principal.role is Role.AGENT and ends and not set(ends) & set(principal.sites):
            raise NotAllowedError("agent_site", site=ends[-1])
