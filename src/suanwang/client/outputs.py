"""The files that a task left: listed, opened, saved to a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from suanwang.client import calls
from suanwang.model.error import Fault as _Fault
from suanwang.model.error import FaultsError
from suanwang.model.event import OutputFile
from suanwang.model.view import TaskView

if TYPE_CHECKING:
    from suanwang.client.aio import AsyncClient
    from suanwang.client.sync import Client


def place(folder: Path, path: str) -> Path:
    """Where an output goes. Its path came over the wire: it must stay inside the folder, links followed."""
    base = folder.resolve()
    target = base / path
    if path.startswith("/") or ".." in path.split("/") or not target.parent.resolve().is_relative_to(base):
        raise FaultsError([_Fault("output_outside", path, str(folder))], "outputs")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    return target


class _Check:
    """Writes pieces and holds their hash against the one that was announced."""

    def __init__(self, file: BinaryIO, output: OutputFile) -> None:
        self._file, self._output, self._digest = file, output, blake3()

    def write(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._file.write(piece)

    def end(self) -> None:
        if self._digest.hexdigest() != self._output.blake3:
            raise FaultsError([_Fault("output_hash", self._output.path, self._digest.hexdigest())], "outputs")


class Outputs:
    """`client.outputs`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, task: TaskView | str) -> tuple[OutputFile, ...]:
        view = self._client.task(task) if isinstance(task, str) else task
        return view.outputs

    def read(self, task: TaskView | str, path: str) -> Iterator[bytes]:
        """The bytes of one output, piece by piece."""
        task_id = task if isinstance(task, str) else task.task_id
        with self._client.stream(calls.output(task_id, path)) as pieces:
            yield from pieces

    def save(self, task: TaskView | str, folder: Path | str) -> tuple[Path, ...]:
        """Save every output below `folder`, checked by hash; a file is there whole or not at all."""
        saved = []
        for output in self.list(task):
            target = place(Path(folder), output.path)
            part = target.with_name(target.name + ".part")
            with part.open("wb") as file:
                check = _Check(file, output)
                for piece in self.read(task, output.path):
                    check.write(piece)
                check.end()
            part.replace(target)
            saved.append(target)
        return tuple(saved)


class AsyncOutputs:
    """`client.outputs` of an AsyncClient."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, task: TaskView | str) -> tuple[OutputFile, ...]:
        view = await self._client.task(task) if isinstance(task, str) else task
        return view.outputs

    async def read(self, task: TaskView | str, path: str) -> AsyncIterator[bytes]:
        task_id = task if isinstance(task, str) else task.task_id
        async with self._client.stream(calls.output(task_id, path)) as pieces:
            async for piece in pieces:
                yield piece

    async def save(self, task: TaskView | str, folder: Path | str) -> tuple[Path, ...]:
        saved = []
        for output in await self.list(task):
            target = place(Path(folder), output.path)
            part = target.with_name(target.name + ".part")
            with part.open("wb") as file:
                check = _Check(file, output)
                async for piece in self.read(task, output.path):
                    check.write(piece)
                check.end()
            part.replace(target)
            saved.append(target)
        return tuple(saved)
