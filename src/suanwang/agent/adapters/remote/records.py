"""What must outlive the agent's process: one record an attempt, in a folder that is the agent's alone."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from suanwang.model.ids import AttemptId

R = TypeVar("R")


class Records(Generic[R]):
    """`kind` is the dataclass of a record."""

    def __init__(self, folder: Path, kind: type[R]) -> None:
        self._folder = folder
        self._kind: TypeAdapter[R] = TypeAdapter(kind)

    def write(self, attempt_id: AttemptId, record: R) -> None:
        """Written whole, and on the disk when this returns. Raises OSError."""
        write_whole(self._folder, f"{attempt_id}.json", self._kind.dump_json(record), 0o600)

    def all(self) -> list[R]:
        """What an earlier process left. A file that is none of ours, or of another release, is left alone."""
        out = []
        for path in sorted(self._folder.glob("*.json")):
            with suppress(ValidationError):
                out.append(self._kind.validate_json(path.read_bytes()))
        return out

    def forget(self, attempt_id: AttemptId) -> None:
        (self._folder / f"{attempt_id}.json").unlink(missing_ok=True)


def write_whole(folder: Path, name: str, content: bytes, mode: int) -> None:
    """In place of what was there, whole or not at all."""
    new = folder / f".{name}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    new.chmod(mode)
    new.rename(folder / name)
