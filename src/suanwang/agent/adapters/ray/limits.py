"""What a Ray cluster can hold a task to, and whether that is enough for a task. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.ray.settings import RayPool
from suanwang.agent.needed import lacks_of
from suanwang.model.ability import abilities_of
from suanwang.model.error import BackendError
from suanwang.model.grid import Ability, PoolKind
from suanwang.model.ids import PoolId
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest, pool_kind

KINDS: Final = frozenset({PoolKind.GENERAL, PoolKind.AI})
WHY: Final = {
    Limit.CPU: "Ray counts cores when it places work, and binds no work to them",
    Limit.PROCESSES: "Ray does not count processes",
    Limit.DISK: "Ray does not bound what work writes",
    Limit.FILES: "work sees the node's files as Ray does",
    Limit.USER: "all work runs as the user that Ray runs as",
    Limit.NETWORK: "work has its node's network",
}
_NEVER: Final = {
    Ability.CIRCUITS: "Ray has no quantum devices",
    Ability.IMAGES: "a pool's runtime_env names its image, not the task",
    Ability.MOUNTS: "its folder is the adapter's to place",
    Ability.SECRETS: "they would lie in files of the user that all work runs as",
    Ability.GANGS: "a Ray job's command is one place",
}
_LIMIT_OF: Final = {
    Ability.CPU_LIMIT: Limit.CPU,
    Ability.PROCESS_LIMIT: Limit.PROCESSES,
    Ability.DISK_LIMIT: Limit.DISK,
    Ability.ISOLATION: Limit.USER,
}


def missing(enforces: Iterable[Limit]) -> dict[Limit, str]:
    """Limit by limit, why it is not held; `enforces`: what the operator answers for."""
    kept = set(enforces)
    return {limit: why for limit, why in WHY.items() if limit not in kept}


def lacks(enforces: Iterable[Limit]) -> tuple[Ability, ...]:
    """What a pool of a Ray cluster cannot do. A network is there for whoever asks, and for whoever does not."""
    out = {*_NEVER, *lacks_of(missing(enforces))}
    return tuple(one for one in Ability if one in out)


def check(request: TaskRequest, pools: Mapping[PoolId, RayPool], pool: PoolId, enforces: Iterable[Limit]) -> None:
    """Raises BackendError where this cluster cannot take it: IMAGE_UNKNOWN, LIMIT_UNSUPPORTED, or BACKEND for a pool that
    the operator's file does not have."""
    if request.image != "host":
        raise BackendError(FailureReason.IMAGE_UNKNOWN, f"image {request.image}: a pool's runtime_env names its image")
    if pool not in pools:
        raise BackendError(FailureReason.BACKEND, f"the operator's file of this cluster has no pool {pool}")
    short = lacks(enforces)
    lacking = [f"{one.value} ({_why(one)})" for one in abilities_of(request) if one in short]
    if pool_kind(request.resources) not in KINDS:
        lacking.append(f"{pool_kind(request.resources).value} (Ray lends cores and accelerators, no whole nodes)")
    if lacking:
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, "a Ray site cannot do: " + "; ".join(lacking))


def _why(ability: Ability) -> str:
    return _NEVER.get(ability) or WHY[_LIMIT_OF[ability]]
