"""What a pool may be unable to do, and what of it a task needs. One list for grid files, planner, checker and agents.

A pool says what it lacks and not what it can: a file of an earlier release names nothing, and so promises everything, and
a word that is added later changes no file. docs/guide/abilities.md has the table for people.
"""

from typing import Final

from suanwang.model.grid import Ability
from suanwang.model.task import CircuitEntry, Resources, TaskRequest

# What a user changes to do without each.
FIELD_OF: Final = {
    Ability.COMMANDS: "run",
    Ability.CIRCUITS: "run",
    Ability.IMAGES: "image",
    Ability.MOUNTS: "mounts",
    Ability.SECRETS: "secrets",
    Ability.NETWORK: "resources.network",
    Ability.CHECKPOINTS: "checkpoint",
    Ability.GANGS: "resources.nodes",
    Ability.CPU_LIMIT: "resources.cpu",
    Ability.MEMORY_LIMIT: "resources.memory",
    Ability.PROCESS_LIMIT: "resources.processes",
    Ability.DISK_LIMIT: "resources.disk",
    Ability.ISOLATION: "security_level",
}
_BIT: Final = {one: 1 << at for at, one in enumerate(Ability)}
_USUAL: Final = Resources()


def abilities_of(request: TaskRequest) -> tuple[Ability, ...]:
    """What a task needs its pool to be able to do, in the order of `Ability`. Of a limit it needs one that it asked for: who
    says nothing of memory does not rely on it."""
    return _of_circuit(request) if isinstance(request.run, CircuitEntry) else _of_command(request)


def _of_circuit(request: TaskRequest) -> tuple[Ability, ...]:
    """A circuit names no file, address or process of the site: it needs no walls, and has no limit to be held to."""
    return (Ability.CIRCUITS,) if request.image == "host" else (Ability.CIRCUITS, Ability.IMAGES)


def _of_command(request: TaskRequest) -> tuple[Ability, ...]:
    asked, many = request.resources, request.resources.nodes > 1
    wanted = (
        (Ability.COMMANDS, True),
        (Ability.IMAGES, request.image != "host"),
        (Ability.MOUNTS, bool(request.mounts)),
        (Ability.SECRETS, bool(request.secrets)),
        (Ability.NETWORK, asked.network),
        (Ability.CHECKPOINTS, request.checkpoint is not None),
        (Ability.GANGS, many),
        (Ability.CPU_LIMIT, asked.cpu * asked.nodes > _USUAL.cpu),
        (Ability.MEMORY_LIMIT, many or asked.memory != _USUAL.memory),
        (Ability.PROCESS_LIMIT, asked.processes != _USUAL.processes),
        (Ability.DISK_LIMIT, asked.disk != _USUAL.disk),
        (Ability.ISOLATION, request.security_level > 1),
    )
    return tuple([one for one, needs in wanted if needs])


def bits_of(abilities: tuple[Ability, ...]) -> int:
    """A set of abilities as the bits of one number."""
    return sum({_BIT[one] for one in abilities})
