"""Whether this host has the limits that a task needs. Pure."""

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local.host import HostFacts
from suanwang.agent.adapters.local.settings import LocalSettings, NetworkRule
from suanwang.agent.needed import needed
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest


def check(request: TaskRequest, facts: HostFacts, settings: LocalSettings) -> None:
    """Raises BackendError: IMAGE_UNKNOWN, or LIMIT_UNSUPPORTED with the limits and why they are missing."""
    if request.image != "host":
        raise BackendError(FailureReason.IMAGE_UNKNOWN, f"image {request.image}: this site runs `host` only")
    missing = facts.missing
    wanted = needed(request)
    if not settings.allow_unsandboxed:
        wanted.add(Limit.FILES)
        if facts.root:
            wanted.add(Limit.USER)  # as root without a drop of rights, the walls would have a door
    lacking = [f"{limit.value} ({missing[limit]})" for limit in Limit if limit in wanted and limit in missing]
    if request.resources.network and settings.network is NetworkRule.REFUSE:
        lacking.append("network (the operator has not opened it for tasks)")
    if lacking:
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, "this host cannot enforce: " + "; ".join(lacking))
