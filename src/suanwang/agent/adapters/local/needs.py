"""Which limits a task needs, and whether this host has them. Pure.

A task needs a limit where it asks for something else than the default of the task form: who asks for 4 GiB relies
on 4 GiB, who says nothing does not. Secrets and security levels above 1 need walls and a user of their own.
"""

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local.host import HostFacts
from suanwang.agent.adapters.local.settings import LocalSettings, NetworkRule
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason
from suanwang.model.task import Resources, TaskRequest


def needed(request: TaskRequest) -> set[Limit]:
    """The limits that the task relies on, beyond wall time and log size."""
    asked, usual = request.resources, Resources()
    out = set()
    if asked.cpu * asked.nodes > usual.cpu:
        out.add(Limit.CPU)
    if asked.memory != usual.memory or asked.nodes > 1:
        out.add(Limit.MEMORY)
    if asked.processes != usual.processes:
        out.add(Limit.PROCESSES)
    if asked.disk != usual.disk:
        out.add(Limit.DISK)
    if request.secrets or request.security_level > 1:
        out |= {Limit.FILES, Limit.USER}
    return out


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
