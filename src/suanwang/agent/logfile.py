"""What a task prints: streamed into one file, secrets blanked, cut at a cap with a mark."""

import os
import threading
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Final

MASK: Final = b"***"
LINE_BYTES_MAX: Final = 8192  # a line of an array element is held back until it ends, but no longer than this


class Redactor:
    """Blanks values in a stream whose pieces may cut them in two."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = sorted({v.encode() for v in values if v}, key=len, reverse=True)
        self._hold = max((len(v) for v in self._values), default=1) - 1
        self._tail = b""

    def feed(self, part: bytes) -> bytes:
        """What is safe to show now; the rest, which may be the start of a value, is held back."""
        if not self._values:
            return part
        text = self._tail + part
        for value in self._values:
            text = text.replace(value, MASK)
        keep = self._suffix(text)
        self._tail = text[len(text) - keep :] if keep else b""
        return text[: len(text) - keep]

    def _suffix(self, text: bytes) -> int:
        """The length of the longest end of `text` that is the start of a value."""
        for length in range(min(self._hold, len(text)), 0, -1):
            end = text[-length:]
            if any(value.startswith(end) for value in self._values):
                return length
        return 0

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        tail, self._tail = self._tail, b""
        return tail


class LogFile:
    """One attempt's log. Several elements write through their own `LogStream`s."""

    def __init__(self, path: Path, limit_bytes: int, ended: bool = False) -> None:
        """A new file, or with `ended` one of an earlier process that is only read."""
        self._path = path
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._size = 0
        self.truncated = False
        self._file: FileIO | None = None  # opened with the first byte: who waits in a queue holds no descriptor
        self._closed = ended

    def write(self, part: bytes) -> None:
        with self._lock:
            if self.truncated or not part or self._closed:
                return
            room = self._limit_bytes - self._size
            kept = part[: max(0, room)]
            try:
                if self._file is None:
                    self._file = FileIO(self._path, "x")
                self._file.write(kept)
                self._size += len(kept)
                if len(kept) < len(part):
                    self.truncated = True
                    self._file.write(f"\n[log cut at {self._limit_bytes} bytes]\n".encode())
            except OSError:
                self.truncated = True  # no room for it: the work goes on without

    def read(self, offset: int, limit: int) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, limit, offset)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()


class LogStream:
    """One element's way into the log. With a prefix, whole lines only, so that elements do not mix within one."""

    def __init__(self, log: LogFile, secrets: Iterable[str], prefix: str = "") -> None:
        self._log = log
        self._redactor = Redactor(secrets)
        self._prefix = prefix.encode()
        self._line = b""

    def feed(self, part: bytes) -> None:
        self._put(self._redactor.feed(part))

    def finish(self) -> None:
        self._put(self._redactor.rest())
        if self._line:
            self._log.write(self._prefix + self._line + b"\n")
            self._line = b""

    def _put(self, part: bytes) -> None:
        if not self._prefix:
            self._log.write(part)
            return
        *whole, self._line = (self._line + part).split(b"\n")
        for line in whole:
            self._log.write(self._prefix + line + b"\n")
        while len(self._line) > LINE_BYTES_MAX:
            self._log.write(self._prefix + self._line[:LINE_BYTES_MAX] + b"\n")
            self._line = self._line[LINE_BYTES_MAX:]
