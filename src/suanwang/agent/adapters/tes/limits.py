"""What a task behind TES cannot rely on: TES has no words for it, or none that says whether it was heard. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.tes.settings import TesSettings
from suanwang.agent.needed import lacks_of
from suanwang.model.ability import abilities_of
from suanwang.model.error import BackendError
from suanwang.model.grid import Ability, PoolKind
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest

KINDS: Final = frozenset({PoolKind.GENERAL})
HELD: Final = frozenset({Limit.CPU, Limit.MEMORY, Limit.WALL_TIME, Limit.LOG})
WHY: Final = {
    Limit.PROCESSES: "TES does not count processes",
    Limit.DISK: "TES asks for disk and bounds none",
    Limit.FILES: "TES does not say what a task sees of its host",
    Limit.USER: "TES does not say whom a task runs as",
    Limit.NETWORK: "TES does not say what network a task has",
}
_NEVER: Final = {
    Ability.CIRCUITS: "TES has no devices",
    Ability.MOUNTS: "its folder is the adapter's to place",
    Ability.SECRETS: "they would lie in the server's documents",
    Ability.CHECKPOINTS: "TES gives nothing back before the end",
    Ability.GANGS: "a TES task is one place",
}


def missing(enforces: Iterable[Limit]) -> dict[Limit, str]:
    """Limit by limit, why it is not held; `enforces`: what the operator answers for."""
    kept = set(enforces)
    return {limit: why for limit, why in WHY.items() if limit not in kept}


def lacks(network: bool, images: bool, enforces: Iterable[Limit]) -> tuple[Ability, ...]:
    """What a pool behind this server cannot do."""
    out = {*_NEVER, *lacks_of(missing(enforces))}
    out |= set() if network else {Ability.NETWORK}
    out |= set() if images else {Ability.IMAGES}
    return tuple(one for one in Ability if one in out)


def check(request: TaskRequest, pool: str, settings: TesSettings) -> None:
    """Raises BackendError where the site cannot take it: IMAGE_UNKNOWN, LIMIT_UNSUPPORTED, or BACKEND for a pool that
    the operator's file does not have."""
    image = request.image
    if image != "host" and not any(fnmatchcase(image, pattern) for pattern in settings.images):
        raise BackendError(FailureReason.IMAGE_UNKNOWN, f"image {image}: the operator has opened {settings.images}")
    if pool not in settings.pools:
        raise BackendError(FailureReason.BACKEND, f"the operator's file of this site has no pool {pool}")
    short = lacks(settings.network, bool(settings.images), settings.enforces)
    lacking = [one.value for one in abilities_of(request) if one in short]
    if request.resources.accelerators:
        lacking.append("accelerators (TES has no field for them)")
    if lacking:
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, f"a TES site cannot do: {', '.join(lacking)}")
