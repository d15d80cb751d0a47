"""What a cluster can hold a task to, and whether that is enough for a task. Pure."""

from collections.abc import Mapping
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.kubernetes.settings import KubernetesSettings, PoolRoute
from suanwang.agent.needed import needed
from suanwang.model.error import BackendError
from suanwang.model.grid import PoolKind
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest, pool_kind

KINDS: Final = frozenset({PoolKind.GENERAL, PoolKind.AI, PoolKind.HPC})
PARTS_MAX: Final = 10_000  # jobs of one attempt: a larger array is cut by `spread`, or by `at_once`

_WHY: Final = {
    Limit.PROCESSES: "a pod cannot bound its processes; a kubelet's podPidsLimit can",
    Limit.DISK: "what is written into the shared folder is not counted",
    Limit.USER: "every task of the grid runs as one uid",
    Limit.NETWORK: "a pod has the cluster's network unless a NetworkPolicy says otherwise",
}


def missing_limits(enforces: frozenset[Limit]) -> dict[Limit, str]:
    """Limit by limit, why the cluster does not enforce it. `enforces`: what the operator says that the site keeps."""
    return {limit: why for limit, why in _WHY.items() if limit not in enforces}


def image_of(request: TaskRequest, route: PoolRoute, images: tuple[str, ...]) -> str:
    """The image of a task's pods. Raises BackendError(IMAGE_UNKNOWN) for one that the operator has not allowed."""
    if request.image == "host":
        if route.image is None:
            raise BackendError(FailureReason.IMAGE_UNKNOWN, "image host: the operator's file gives this pool no image")
        return route.image
    for allowed in images:
        beginning = allowed.removesuffix("*")
        if request.image == beginning or (beginning != allowed and request.image.startswith(beginning)):
            return request.image
    known = ", ".join(images) or "none but `host`"
    raise BackendError(FailureReason.IMAGE_UNKNOWN, f"image {request.image}: this site runs {known}")


def check(request: TaskRequest, settings: KubernetesSettings, pool: str, parts: int) -> None:
    """Raises BackendError where this cluster cannot take it: IMAGE_UNKNOWN, LIMIT_UNSUPPORTED, or BACKEND for a pool
    that the operator's file does not have. `parts`: how many pods it comes to."""
    routes: Mapping[str, PoolRoute] = {str(key): one for key, one in settings.pools.items()}
    route = routes.get(pool)
    if route is None:
        raise BackendError(FailureReason.BACKEND, f"the operator's file of this cluster has no pool {pool}")
    image_of(request, route, settings.images)
    missing = missing_limits(settings.enforces)
    lacking = [f"{limit.value} ({missing[limit]})" for limit in Limit if limit in needed(request) and limit in missing]
    if request.mounts:
        lacking.append("mounts (a pod shows the task's folder at one place)")
    if request.secrets:
        lacking.append("secrets (they would lie in the shared folder)")
    if pool_kind(request.resources) not in KINDS:
        lacking.append("quantum (this cluster has no such resource)")
    if request.resources.accelerators and route.resource is None:
        lacking.append(f"accelerators (the operator's file names no resource for {pool})")
    if parts > PARTS_MAX:
        lacking.append(f"array ({parts} pods; {PARTS_MAX} at most: `spread` cuts it into parts)")
    if lacking:
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, "this cluster cannot enforce: " + "; ".join(lacking))
