"""The place that agent and server both reach: a folder of a shared file system, or a bucket."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urlsplit

from suanwang.agent.objects import chunks
from suanwang.agent.s3 import S3Files
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason


class Storage:
    """Addresses below `url`, one folder an attempt."""

    def __init__(self, url: str, s3: S3Files) -> None:
        self._url, self._s3 = url.rstrip("/"), s3
        self._root = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None

    def url(self, attempt_id: AttemptId, name: str) -> str:
        return f"{self._url}/{attempt_id}/{quote(name)}"

    @contextmanager
    def open(self, attempt_id: AttemptId, name: str) -> Iterator[Iterator[bytes] | None]:
        """What is there, in pieces; None where there is nothing. Raises BackendError where it cannot be reached."""
        if self._root is not None:
            path = self._root / attempt_id / name
            if not path.is_file() or path.is_symlink():
                yield None
                return
            with path.open("rb") as stream:
                yield chunks(stream)
            return
        try:
            opened = self._s3.open(self.url(attempt_id, name))
            with opened as pieces:
                yield pieces
        except BackendError as fault:
            if fault.reason is not FailureReason.INPUT_MISSING:
                raise BackendError(FailureReason.BACKEND, f"the site's storage: {fault.detail}") from fault
            yield None

    def put(self, attempt_id: AttemptId, name: str, content: BinaryIO) -> None:
        """Raises BackendError, OSError."""
        if self._root is None:
            self._s3.write(self.url(attempt_id, name), content)
            return
        path = self._root / attempt_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            for part in chunks(content):
                stream.write(part)

    def forget(self, attempt_id: AttemptId) -> None:
        """Of a folder; a bucket has its own rules for what is old. What is not ours to remove stays."""
        if self._root is not None:
            with suppress(OSError):
                shutil.rmtree(self._root / attempt_id)
