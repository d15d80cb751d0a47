"""What a cluster can hold a task to, by its configuration, and whether that is enough for a task. Pure."""

from collections.abc import Mapping
from typing import Final

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.slurm.settings import PoolRoute
from suanwang.agent.needed import needed
from suanwang.model.error import BackendError
from suanwang.model.grid import PoolKind
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest, pool_kind

KINDS: Final = frozenset({PoolKind.GENERAL, PoolKind.AI, PoolKind.HPC})
ARRAY_MAX: Final = 1001  # Slurm's own default of MaxArraySize: numbers from 0 to 1000

_WHY: Final = {
    Limit.PROCESSES: "Slurm does not count processes",
    Limit.DISK: "Slurm does not bound what a job writes",
    Limit.FILES: "a job sees the node's files as its user does",
    Limit.USER: "every task of the grid runs as one user of the cluster",
    Limit.NETWORK: "a job has its node's network",
}


def missing_limits(config: Mapping[str, str], enforces: frozenset[Limit]) -> dict[Limit, str]:
    """Limit by limit, why the cluster does not enforce it. `config`: what `scontrol show config` says, empty where the
    controller has not answered. `enforces`: what the operator says that the site keeps by other means."""
    out = dict(_WHY)
    plugins = config.get("TaskPlugin", "")
    if "task/affinity" not in plugins and not _says(config, "task/cgroup", "ConstrainCores"):
        out[Limit.CPU] = "TaskPlugin binds no job to its cores"
    if not _says(config, "task/cgroup", "ConstrainRAMSpace") and not _kills_over_memory(config):
        out[Limit.MEMORY] = "neither ConstrainRAMSpace nor OverMemoryKill is set"
    return {limit: why for limit, why in out.items() if limit not in enforces}


def _says(config: Mapping[str, str], plugin: str, option: str) -> bool:
    return plugin in config.get("TaskPlugin", "") and config.get(option, "no").lower() in ("yes", "true")


def _kills_over_memory(config: Mapping[str, str]) -> bool:
    gathers = "jobacct_gather/none" not in config.get("JobAcctGatherType", "jobacct_gather/none")
    return gathers and "overmemorykill" in config.get("JobAcctGatherParams", "").lower()


def check(
    request: TaskRequest, route: PoolRoute | None, pool: str, missing: Mapping[Limit, str], array_max: int, span: int
) -> None:
    """Raises BackendError where this cluster cannot take it: IMAGE_UNKNOWN, LIMIT_UNSUPPORTED, or BACKEND for a pool
    that the operator's file does not have. `span`: from the first to the last number of its array."""
    if request.image != "host":
        raise BackendError(FailureReason.IMAGE_UNKNOWN, f"image {request.image}: this site runs `host` only")
    if route is None:
        raise BackendError(FailureReason.BACKEND, f"the operator's file of this cluster has no pool {pool}")
    lacking = [f"{limit.value} ({missing[limit]})" for limit in Limit if limit in needed(request) and limit in missing]
    if request.mounts:
        lacking.append("mounts (a job has its node's folders, and no place of its own to show them at)")
    if request.secrets:
        lacking.append("secrets (they would lie in files of the user that all tasks run as)")
    if pool_kind(request.resources) not in KINDS:
        lacking.append("quantum (Slurm has no such resource)")
    if request.resources.accelerators and route.gres is None:
        lacking.append(f"accelerators (the operator's file names no gres for {pool})")
    if span > array_max:
        lacking.append(f"array (numbers {span} apart; MaxArraySize is {array_max}: `spread` cuts it into parts)")
    if lacking:
        raise BackendError(FailureReason.LIMIT_UNSUPPORTED, "this cluster cannot enforce: " + "; ".join(lacking))
