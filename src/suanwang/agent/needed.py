"""Which limits a task needs. Pure.

A task needs a limit where it asks for something else than the default of the task form: who asks for 4 GiB relies
on 4 GiB, who says nothing does not. Secrets and security levels above 1 need walls and a user of their own.
"""

from collections.abc import Collection
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.model.grid import Ability
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


# What a pool cannot do where a limit is not held. FILES and USER are the walls that secrets and security levels need.
_NEEDS: Final = {
    Ability.CPU_LIMIT: {Limit.CPU},
    Ability.MEMORY_LIMIT: {Limit.MEMORY},
    Ability.PROCESS_LIMIT: {Limit.PROCESSES},
    Ability.DISK_LIMIT: {Limit.DISK},
    Ability.MOUNTS: {Limit.FILES},
    Ability.SECRETS: {Limit.FILES, Limit.USER},
    Ability.ISOLATION: {Limit.FILES, Limit.USER},
}


def lacks_of(missing: Collection[Limit]) -> tuple[Ability, ...]:
    """The abilities that go with limits which are not held."""
    return tuple(ability for ability, limits in _NEEDS.items() if not limits.isdisjoint(missing))
