"""The local files that a task names: found beside the task file, hashed, and replaced by objects."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from blake3 import blake3

from suanwang.model.error import Fault, FaultsError
from suanwang.model.task import TASK_SOURCE, TaskRequest
from suanwang.model.workflow import Workflow

SCHEMES = ("http://", "https://", "s3://", "dataset:", TASK_SOURCE, "object:")
PIECE_BYTES = 1024 * 1024


class Uploadable(Protocol):
    """Bytes to bring to the grid, read afresh by each call of `pieces`."""

    @property
    def blake3(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    def pieces(self) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Upload:
    """A file to bring to the grid."""

    path: Path
    blake3: str
    size_bytes: int

    def pieces(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece


def local_inputs(request: TaskRequest, folder: Path, *, upload: bool) -> tuple[TaskRequest, list[Upload]]:
    """The request with its local inputs sized and hashed, and the files. With `upload` each source becomes
    `object:<blake3>`; without (a dry run) it stays what it is. Raises FaultsError with every file that cannot be had.

    A task file must not reach what is not beside it: a path that leaves `folder`, by `..`, by being absolute or by a
    symbolic link, is a fault.
    """
    base = folder.resolve()
    files: list[Upload] = []
    faults: list[Fault] = []
    inputs = []
    for at, one in enumerate(request.inputs):
        if one.source.startswith(SCHEMES):
            inputs.append(one)
            continue
        found = _find(base, one.source, f"inputs[{at}].source")
        if isinstance(found, Fault):
            faults.append(found)
            continue
        if one.blake3 not in (None, found.blake3):
            faults.append(
                Fault("input_hash_local", f"inputs[{at}].blake3", str(one.blake3), None, {"found": found.blake3})
            )
        files.append(found)
        source = f"object:{found.blake3}" if upload else one.source
        inputs.append(one.model_copy(update={"source": source, "blake3": found.blake3, "size": found.size_bytes}))
    if faults:
        raise FaultsError(faults, "inputs")
    return request.model_copy(update={"inputs": tuple(inputs)}), files


def workflow_inputs(workflow: Workflow, folder: Path, *, upload: bool) -> tuple[Workflow, list[Upload]]:
    """The same for all tasks of a workflow."""
    requests: list[TaskRequest] = []
    files: list[Upload] = []
    faults: list[Fault] = []
    for step in workflow.steps:
        try:
            request, found = local_inputs(step.request, folder, upload=upload)
        except FaultsError as error:
            faults += [replace(one, where=f"tasks.{step.name}.{one.where}") for one in error.faults]
            continue
        requests.append(request)
        files += found
    if faults:
        raise FaultsError(faults, "inputs")
    return workflow.with_requests(tuple(requests)), files


def _find(base: Path, source: str, where: str) -> Upload | Fault:
    path = base / source
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, ValueError, RuntimeError):
        return Fault("input_missing_local", where, source, None, {"folder": str(base)})
    if not real.is_relative_to(base):
        return Fault("input_outside", where, source, None, {"folder": str(base)})
    if not stat.S_ISREG(mode):
        return Fault("input_no_file", where, source)
    digest, size = blake3(), 0
    with real.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return Upload(real, digest.hexdigest(), size)
