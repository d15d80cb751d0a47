"""Which limits a task needs. Pure.

A task needs a limit where it asks for something else than the default of the task form: who asks for 4 GiB relies
on 4 GiB, who says nothing does not. Secrets and security levels above 1 need walls and a user of their own.
"""

from suanwang.agent.adapter import Limit
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
    if request.mounts:
        out.add(Limit.FILES)  # without walls there is no place of the task's own to show them at
    if request.secrets or request.security_level > 1:
        out |= {Limit.FILES, Limit.USER}
    return out
