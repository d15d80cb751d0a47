"""The logs of attempts, one file each in the brain's home, written by offset so that a repeated piece is harmless."""

import os
import re
from pathlib import Path

from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.ids import MADE_PATTERN, AttemptId

_MADE = re.compile(MADE_PATTERN)


class TaskLogs:
    """A folder of logs, each at most `limit_bytes`; what comes after that is dropped and the agent says so."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, attempt_id: AttemptId) -> Path:
        if not _MADE.match(attempt_id):
            raise NotFoundError("attempt_unknown", attempt=attempt_id)
        return self._folder / f"{attempt_id}.log"

    def append(self, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        """Write `data` at `offset`; a gap is a ConflictError that says where to go on. Returns the new length."""
        handle = os.open(self._path(attempt_id), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            length = os.fstat(handle).st_size
            if offset > length:
                raise ConflictError("log_gap", offset=offset, length=length)
            piece = data[length - offset :][: max(0, self._limit_bytes - length)]
            if piece:
                os.pwrite(handle, piece, length)
            return length + len(piece)
        finally:
            os.close(handle)

    def read(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset`; empty where there is nothing (yet)."""
        path = self._path(attempt_id)
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(limit)
