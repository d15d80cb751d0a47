"""A service and its parameters as a plain task file: what every other task is, and goes the same road."""

import functools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from suanwang.model.error import Fault
from suanwang.model.service import Scalar
from suanwang.services.circuits import CIRCUITS
from suanwang.services.formula import value
from suanwang.services.manifest import Service, bounds_of

RUNNER: Final = Path(__file__).parent / "runner.py"
TAG: Final = "service"  # the tag with the service's id; `service.<parameter>` are its parameters
ENVIRONMENT: Final = "SUANWANG_SERVICE"
# What makes a service what it is. Everything else of a task is the caller's to say.
OWN_FIELDS: Final = frozenset(
    {
        "run",
        "image",
        "environment",
        "secrets",
        "resources",
        "inputs",
        "outputs",
        "mounts",
        "array",
        "elements",
        "checkpoint",
    }
)
OWN_FIELDS_SHOWN: Final = ", ".join(f"`{name}`" for name in sorted(OWN_FIELDS))


def wish_faults(wishes: Mapping[str, Any]) -> list[Fault]:
    """Fields of the task that the service decides itself."""
    return [
        Fault("service_field", f"task.{name}", name, None, {"fields": OWN_FIELDS_SHOWN})
        for name in wishes
        if name in OWN_FIELDS
    ]


def files_of(service: Service) -> dict[str, Path]:
    """The files that its task has as inputs: the name in the task's folder -> the file here."""
    return {} if service.manifest.circuit else {"service.py": RUNNER, **service.files}


@functools.cache
def _hashed(path: Path) -> tuple[str, int]:
    data = path.read_bytes()
    return blake3(data).hexdigest(), len(data)


def document_of(service: Service, parameters: Mapping[str, Scalar], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """The task file, as data. `parameters` have been checked; `wishes` are fields of a task file and win."""
    has = service.manifest
    task: dict[str, Any] = {"name": service.id, "retries": 0, **has.task}
    task["resources"] = _resources(service, parameters)
    if (array := _whole(has.array, parameters)) > 1:
        task["array"] = array
    if has.circuit is not None:
        maker = CIRCUITS[has.circuit]
        task["run"] = {"circuit": maker.text(parameters), **maker.options(parameters)}
        task["outputs"] = [{"path": "counts.json"}]
    else:
        task["run"] = ["python", "service.py", *(f"{name}={json.dumps(one)}" for name, one in parameters.items())]
        brief: dict[str, Any] = {"id": service.id, "needs": list(has.needs), "checks": checks_of(service, parameters)}
        brief["array"] = has.array if has.array in parameters else ""
        task["environment"] = {ENVIRONMENT: json.dumps(brief)}
        task["outputs"] = [{"path": "out/*", "always": True}]  # what is not as expected is looked at most
        task["inputs"] = [_input(name, path) for name, path in files_of(service).items()]
    tags = {
        TAG: service.id,
        **{f"{TAG}.{name}": json.dumps(one, ensure_ascii=False) for name, one in parameters.items()},
    }
    task |= {name: one for name, one in wishes.items() if name not in OWN_FIELDS and name != "tags"}
    asked = wishes.get("tags")
    task["tags"] = {**asked, **tags} if isinstance(asked, dict) else tags if asked is None else asked
    return task


def _input(name: str, path: Path) -> dict[str, Any]:
    digest, size_bytes = _hashed(path)
    return {"source": name, "path": name, "blake3": digest, "size": size_bytes}


def _whole(formula: int | float | str, parameters: Mapping[str, Scalar]) -> int:
    found: int = math.ceil(value(formula, parameters))
    return found


def _resources(service: Service, parameters: Mapping[str, Scalar]) -> dict[str, Any]:
    found = {name: _whole(one, parameters) for name, one in service.manifest.resources.items()}
    out: dict[str, Any] = {"cpu": found.pop("cpu", 1)}
    for name, field, unit in (
        ("memory_mib", "memory", "MiB"),
        ("disk_mib", "disk", "MiB"),
        ("wall_time_s", "wall_time", "s"),
    ):
        if name in found:
            out[field] = f"{found.pop(name)} {unit}"
    return out | found


def checks_of(service: Service, parameters: Mapping[str, Scalar]) -> list[dict[str, Any]]:
    """What is expected of the figures, with the parameters put into the bounds."""
    return [{"figure": one.figure, **bounds_of(one, parameters)} for one in service.manifest.expected]
