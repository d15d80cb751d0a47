"""One element of an attempt as a Ray job, and what the runner reads of it. Pure."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from suanwang.agent import command
from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.ray.server import Node
from suanwang.agent.adapters.ray.settings import RayPool, RaySettings
from suanwang.model.ids import AttemptId
from suanwang.model.units import GIB

GO: Final = "go"  # what the licence says to the runner
SAVE: Final = "save"  # write your checkpoint and end
WORK_FILE: Final = "work.json"
RUNNER_FILE: Final = "runner.py"
STATUS_FILE: Final = "run/status"
TASK_KEY: Final = "suanwang-task"
ATTEMPT_KEY: Final = "suanwang-attempt"
ELEMENT_KEY: Final = "suanwang-element"
_OWN: Final = ("SUANWANG_ARRAY_INDEX", "SUANWANG_PROGRESS", "SUANWANG_RESUMES")  # of each element, set by the runner


def name_of(settings: RaySettings, attempt_id: AttemptId, index: int, array: int) -> str:
    """The submission's id. It is the same for every try to hand in the same element, and Ray takes an id once."""
    return f"{settings.scope}{attempt_id}" + (f"-{index}" if array > 1 else "")


def document_of(order: StartOrder, index: int, settings: RaySettings, here: Path) -> dict[str, Any]:
    """The body of a submission."""
    request, pool = order.request, settings.pools.get(order.pool, RayPool())
    words = [settings.python, "-I", str(here / RUNNER_FILE), str(here), str(index)]
    out: dict[str, Any] = {
        "entrypoint": "exec " + shlex.join(words),
        "submission_id": name_of(settings, order.attempt_id, index, request.array),
        "metadata": {TASK_KEY: order.task_id, ATTEMPT_KEY: order.attempt_id, ELEMENT_KEY: str(index)},
        **_reserved(order, pool),
    }
    if pool.runtime_env:
        out["runtime_env"] = pool.runtime_env
    if pool.labels:
        out["entrypoint_label_selector"] = pool.labels
    return out


def _reserved(order: StartOrder, pool: RayPool) -> dict[str, Any]:
    asked = order.request.resources
    out: dict[str, Any] = {"entrypoint_num_cpus": max(1, asked.cpu), "entrypoint_memory": asked.memory}
    resources = dict(pool.resources)
    if asked.accelerators and pool.accelerator == "GPU":
        out["entrypoint_num_gpus"] = asked.accelerators
    elif asked.accelerators:
        resources[pool.accelerator] = asked.accelerators
    if resources:
        out["entrypoint_resources"] = resources
    return out


def wanted(document: Mapping[str, Any]) -> dict[str, float]:
    """What a submission needs of one node, by Ray's names."""
    out = {"CPU": document["entrypoint_num_cpus"], "memory": document["entrypoint_memory"]}
    out["GPU"] = document.get("entrypoint_num_gpus", 0)
    out.update(document.get("entrypoint_resources", {}))
    return {name: float(amount) for name, amount in out.items() if amount}


def misfit(document: Mapping[str, Any], nodes: Iterable[Node]) -> str:
    """Why no node can ever run it, in Ray's names; empty where one can. `nodes`: all that the cluster has."""
    asked, labels = wanted(document), document.get("entrypoint_label_selector", {})
    found = [one for one in nodes if all(_has(one, name, value) for name, value in labels.items())]
    if any(all(one.resources.get(name, 0) >= amount for name, amount in asked.items()) for one in found):
        return ""
    if not found:
        return f"no node has the labels {dict(labels)}" if labels else "it has no node"
    most = {name: max(one.resources.get(name, 0) for one in found) for name in asked}
    short = [
        f"{name} {_said(name, asked[name])} of {_said(name, most[name])}" for name in asked if most[name] < asked[name]
    ]
    return ", ".join(short) if short else f"no single node has all of {', '.join(asked)} at once"


def _has(node: Node, name: str, value: str) -> bool:
    """Only plain values are judged here; Ray's operators (`in(...)`, `!x`) are Ray's to judge."""
    return (
        node.labels.get(name) == value if value.replace("-", "").replace("_", "").replace(".", "").isalnum() else True
    )


def _said(name: str, amount: float) -> str:
    return f"{amount / GIB:.1f} GiB" if name == "memory" else f"{amount:g}"


def work_file(order: StartOrder, settings: RaySettings, here: Path, licence: Path, resumes: Iterable[int]) -> bytes:
    """What the runner reads. Raises BackendError where the command or the environment hold a NUL character."""
    request = order.request
    cores = max(1, request.resources.cpu)
    environment = command.environment_of(order, 0, cores, "", run_folder=str(here))
    for name in _OWN:
        del environment[name]
    for name in ("PATH", "HOME", "TMPDIR"):
        if name not in request.environment:
            del environment[name]  # the runner knows better: the runtime environment's, and the element's own
    work = {
        "command": command.command_of(order, str(here)),
        "environment": environment,
        "path": list(settings.path),
        "wall_us": request.resources.wall_time,
        "memory_bytes": request.resources.memory,
        "licence": str(licence),
        "resumes": sorted(resumes),
    }
    return json.dumps(work).encode("utf-8")
