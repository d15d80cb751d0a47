"""Objects: bytes by their blake3. The agent puts outputs in and takes inputs out; the brain serves them."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

import httpx
from blake3 import blake3

from suanwang.model.error import NotFoundError, TooLargeError, UnreachableError

CHUNK_BYTES: Final = 1024 * 1024
HASH_CHARACTERS: Final = 64


class Stored(NamedTuple):
    """What a put answers."""

    blake3: str
    size_bytes: int


class ObjectStore(Protocol):
    """Where outputs and uploaded inputs are. Putting the same bytes twice keeps one object."""

    def put(self, source: Path | BinaryIO) -> Stored:
        """Take the bytes of a file, or of a stream from where it stands."""

    def open(self, digest: str) -> BinaryIO:
        """The bytes of an object; NotFoundError where there is none. The caller closes it."""

    def has(self, digest: str) -> bool: ...


def is_digest(text: str) -> bool:
    """True for 64 lower-case hexadecimal digits, and so never for a path."""
    return len(text) == HASH_CHARACTERS and all(ch in "0123456789abcdef" for ch in text)


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """A stream in pieces of one mebibyte."""
    while part := stream.read(CHUNK_BYTES):
        yield part


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield stream
    else:
        yield source


class LocalObjects:
    """Objects in a folder: `ab/<digest>`. Written to a temporary name, synced, then renamed: whole or absent."""

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        """`limit_bytes` bounds one object; TooLargeError above it."""
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._counter = itertools.count()
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in self._incoming.glob(f"{os.getpid()}-*"):
            leftover.unlink()  # of an earlier process with this number, so of nobody

    def path(self, digest: str) -> Path:
        """Where an object is or would be. NotFoundError where `digest` is no digest."""
        if not is_digest(digest):
            raise NotFoundError("object_unknown", digest=digest[:80])
        return self._folder / digest[:2] / digest

    def put(self, source: Path | BinaryIO) -> Stored:
        name = f"{os.getpid()}-{threading.get_ident()}-{next(self._counter)}"
        temporary = self._incoming / name
        try:
            with _opened(source) as stream, temporary.open("xb") as target:
                stored = self._copy(stream, target)
            final = self.path(stored.blake3)
            final.parent.mkdir(exist_ok=True, mode=0o700)
            temporary.rename(final)
            _sync_folder(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return stored

    def _copy(self, stream: BinaryIO, target: BinaryIO) -> Stored:
        digest, size = blake3(), 0
        for part in chunks(stream):
            size += len(part)
            if self._limit_bytes is not None and size > self._limit_bytes:
                raise TooLargeError("object_too_large", limit=self._limit_bytes)
            digest.update(part)
            target.write(part)
        target.flush()
        os.fsync(target.fileno())
        return Stored(digest.hexdigest(), size)

    def open(self, digest: str) -> BinaryIO:
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise NotFoundError("object_unknown", digest=digest) from None

    def has(self, digest: str) -> bool:
        return is_digest(digest) and self.path(digest).exists()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class HttpObjects:
    """The brain's objects over its API: GET, HEAD and PUT of `/v1/objects/<digest>`.

    The client carries the address, the key and the timeouts. UnreachableError where no brain answers.
    """

    def __init__(self, client: httpx.Client, spool: Callable[[], BinaryIO]) -> None:
        """`spool` makes an empty temporary file, closed by us: an object on its way down waits there."""
        self._client = client
        self._spool = spool

    def put(self, source: Path | BinaryIO) -> Stored:
        with _opened(source) as stream:
            start = stream.tell()
            digest, size = blake3(), 0
            for part in chunks(stream):
                digest.update(part)
                size += len(part)
            stored = Stored(digest.hexdigest(), size)
            if not self.has(stored.blake3):
                stream.seek(start)
                headers = {"content-length": str(size)}
                self._send("PUT", stored.blake3, content=chunks(stream), headers=headers)
        return stored

    def has(self, digest: str) -> bool:
        if not is_digest(digest):
            return False
        try:
            return self._client.head(f"/v1/objects/{digest}").status_code == httpx.codes.OK
        except httpx.TransportError as fault:
            raise UnreachableError("unreachable", detail=str(fault)) from fault

    def open(self, digest: str) -> BinaryIO:
        if not is_digest(digest):
            raise NotFoundError("object_unknown", digest=digest[:80])
        target = self._spool()
        try:
            with self._client.stream("GET", f"/v1/objects/{digest}") as answer:
                self._check(answer, digest)
                for part in answer.iter_bytes():
                    target.write(part)
        except httpx.TransportError as fault:
            target.close()
            raise UnreachableError("unreachable", detail=str(fault)) from fault
        except NotFoundError:
            target.close()
            raise
        target.seek(0)
        return target

    def _send(self, method: str, digest: str, content: Iterator[bytes], headers: dict[str, str]) -> None:
        try:
            answer = self._client.request(method, f"/v1/objects/{digest}", content=content, headers=headers)
        except httpx.TransportError as fault:
            raise UnreachableError("unreachable", detail=str(fault)) from fault
        self._check(answer, digest)

    @staticmethod
    def _check(answer: httpx.Response, digest: str) -> None:
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFoundError("object_unknown", digest=digest)
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise TooLargeError()
        if answer.is_error:
            raise UnreachableError("unreachable", detail=f"HTTP {answer.status_code}")
