"""The log of bulk decisions: batches of packed columns in append-only files, each on disk before `append` returns.

A block is a head (its size, its number, the digest of the block before it), the names and types of its columns, and
their bytes one column after the other; its digest covers all of that. What kind of rows a block holds is a word of the
caller's. Two words mean something here: a block of `rows` names the guidance that it followed (column `guidance`, one
version; none where it is missing), and the log takes it only if that guidance is the latest that stands in it. A crash may tear the last block off: opening
the log again drops it. Damage before the last block is never dropped: it raises. A last block that is damaged and nothing
behind it cannot be told from one that was torn off, and is dropped too.

Files are named by the number of their first block and rotate by size; the chain of digests goes on through all of them.
"""

import json
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

MAGIC = b"SWDB\x00\x01\r\n"
HEAD = struct.Struct("<8sQII16s")  # magic, number, bytes of names, bytes of columns, digest of the block before
NUMBER = struct.Struct("<Q")  # stands behind the magic
DIGEST = 16
FILE_BYTES = 1 << 30
BLOCK_BYTES_MAX = (1 << 31) - 1
TYPES = ("<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1")  # integers: equal bits are equal rows
ENDING = ".decisions"
ROWS, GUIDANCE = "rows", "guidance"
NO_GUIDANCE = -1


class DamagedLogError(RuntimeError):
    """A block before the last does not have its digest, or blocks are missing. Restore the files from a copy."""


class BrokenLogError(RuntimeError):
    """A batch could not be written, so nothing may follow it. Open the log anew: that says what is in it."""


class GuidanceNotLoggedError(ValueError):
    """Rows follow a guidance that is not the latest in the log, or a guidance does not follow the one before.

    Nothing was written. Append the guidance first: a replay has nothing else to follow.
    """


class Block(NamedTuple):
    """One batch as it was appended."""

    number: int
    kind: str
    columns: dict[str, NDArray[Any]]


def _version(kind: str, columns: Mapping[str, NDArray[Any]]) -> int:
    """The guidance that a block is, or that its rows followed."""
    column = columns.get("version" if kind == GUIDANCE else "guidance")
    if column is None or not len(column):
        return NO_GUIDANCE
    return int(column[0])


class _Found(NamedTuple):
    """A block in a file, checked."""

    block: Block
    before: bytes
    digest: bytes
    end: int  # where the next begins


def _packed(number: int, kind: str, columns: Mapping[str, NDArray[Any]], before: bytes) -> list[Any]:
    """The parts of a block, in the order in which they stand in the file; the digest is the last."""
    named: list[list[Any]] = []
    parts: list[Any] = []
    for name, column in columns.items():
        part = np.ascontiguousarray(column)
        if part.dtype.str not in TYPES or part.ndim != 1:
            raise TypeError(f"column {name} is no row of integers: {part.dtype} of {part.ndim} dimensions")
        named.append([name, part.dtype.str, len(part)])
        parts.append(part.view(np.uint8).data)
    names = json.dumps([kind, named], separators=(",", ":")).encode()
    size = sum(len(part) for part in parts)
    if size > BLOCK_BYTES_MAX:
        raise ValueError(f"a batch of {size} bytes is beyond {BLOCK_BYTES_MAX}")
    pieces = [HEAD.pack(MAGIC, number, len(names), size, before), names, *parts]
    digest = blake3()
    for piece in pieces:
        digest.update(piece)
    return [*pieces, digest.digest(length=DIGEST)]


def _unpacked(data: memoryview, at: int) -> _Found | None:
    """The block at a place, or None: there is none that is whole."""
    if at + HEAD.size > len(data):
        return None
    magic, number, names_size, size, before = HEAD.unpack_from(data, at)
    names_at = at + HEAD.size
    columns_at = names_at + names_size
    end = columns_at + size + DIGEST
    if magic != MAGIC or end > len(data):
        return None
    digest = blake3(data[at : end - DIGEST]).digest(length=DIGEST)
    if digest != bytes(data[end - DIGEST : end]):
        return None
    kind, named = json.loads(bytes(data[names_at:columns_at]))
    columns = {}
    for name, dtype, rows in named:
        columns[name] = np.frombuffer(data, dtype, rows, columns_at)
        columns_at += columns[name].nbytes
    return _Found(Block(number, kind, columns), before, digest, end)


def _was_last(data: memoryview, at: int, number: int, before: bytes) -> bool:
    """Whether what is not whole at a place may be a last block torn off: nothing was ever written behind it."""
    rest = bytes(data[at:])
    if len(rest) >= HEAD.size:
        magic, named, names_size, size, follows = HEAD.unpack_from(rest)
        # A head may be torn as well; one that ends in the digest before it came to the disk up to there.
        if (magic, named, follows) == (MAGIC, number, before) and HEAD.size + names_size + size + DIGEST < len(rest):
            return False
    found = rest.find(MAGIC, 1)
    while found >= 0:
        later = rest[found + len(MAGIC) : found + len(MAGIC) + NUMBER.size]
        if len(later) == NUMBER.size and NUMBER.unpack(later)[0] > number:
            return False
        found = rest.find(MAGIC, found + 1)
    return True


class _End(NamedTuple):
    """Where the sound part of a log ends."""

    number: int
    digest: bytes
    file: Path | None
    size: int


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*" + ENDING))


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if path.stat().st_size else b"")


def _walk(folder: Path, end: list[_End]) -> Iterator[Block]:
    """Every block in order; the last one of `end` is always the end of what was given."""
    files = _files(folder)
    end[:] = [_End(0, bytes(DIGEST), None, 0)]
    for which, path in enumerate(files):
        data = _mapped(path)
        at = 0
        end[:] = [end[0]._replace(file=path, size=0)]
        while at < len(data):
            found = _unpacked(data, at)
            if found is None:
                if which + 1 < len(files) or not _was_last(data, at, end[0].number, end[0].digest):
                    raise DamagedLogError(f"{path.name}: the block at byte {at} is damaged")
                return
            if found.block.number != end[0].number or found.before != end[0].digest:
                raise DamagedLogError(f"{path.name}: block {found.block.number} does not follow {end[0].number - 1}")
            at = found.end
            end[:] = [_End(found.block.number + 1, found.digest, path, at)]
            yield found.block


def read_blocks(folder: Path) -> Iterator[Block]:
    """Every block in order, checked; a torn end is left out. Raises DamagedLogError. Columns are read-only."""
    yield from _walk(folder, [])


def read_block(folder: Path, number: int) -> Block:
    """One block, checked by its own digest; those before it are skipped, and their digests are not looked at.

    Raises KeyError where there is no such block, DamagedLogError where it is damaged.
    """
    files = [path for path in _files(folder) if int(path.stem) <= number]
    data = _mapped(files[-1]) if files else memoryview(b"")
    at = 0
    while at + HEAD.size <= len(data):
        magic, here, names_size, size, _ = HEAD.unpack_from(data, at)
        if magic != MAGIC or here >= number:
            break
        at += HEAD.size + names_size + size + DIGEST
    if at >= len(data):
        raise KeyError(f"{folder}: there is no block {number}")
    found = _unpacked(data, at)
    if found is None or found.block.number != number:
        raise DamagedLogError(f"{files[-1].name}: the block at byte {at} is damaged")
    return found.block


class DecisionLog:
    """One writer of one folder."""

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES) -> None:
        """Open or begin a log; a torn end is cut off. Raises DamagedLogError."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._limit = file_bytes
        end: list[_End] = []
        self.guidance = NO_GUIDANCE  # version of the latest in the log
        for block in _walk(folder, end):
            if block.kind == GUIDANCE:
                self.guidance = _version(block.kind, block.columns)
        self.number, self._digest = end[0].number, end[0].digest
        self._file: int | None = None
        self._broken = False
        if end[0].file is not None:
            self._file = os.open(end[0].file, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(self._file, end[0].size)
            os.fsync(self._file)
        self._size = end[0].size

    def append(self, kind: str, columns: Mapping[str, NDArray[Any]]) -> int:
        """Write one batch and return its number once it is on disk.

        After an OSError nobody knows how much of the batch is on disk: the log is closed and raises BrokenLogError from
        then on. Opened anew it ends before that batch, or with it where all of it came to the disk. Raises
        GuidanceNotLoggedError, and writes nothing, for rows whose guidance is not the latest in the log, and for a
        guidance whose version is not above that.
        """
        if self._broken:
            raise BrokenLogError(f"{self.folder}: a batch could not be written: open the log anew")
        version = _version(kind, columns)
        if kind == GUIDANCE and version <= self.guidance:
            raise GuidanceNotLoggedError(f"guidance {version} does not come after {self.guidance}: number it higher")
        if kind == ROWS and version not in (NO_GUIDANCE, self.guidance):
            raise GuidanceNotLoggedError(
                f"rows follow guidance {version}, and the latest in the log is {self.guidance}: append it first"
            )
        pieces = _packed(self.number, kind, columns, self._digest)
        size = sum(len(piece) for piece in pieces)
        try:
            if self._file is None or (self._size and self._size + size > self._limit):
                self._begin()
            assert self._file is not None
            _write(self._file, pieces)
            os.fdatasync(self._file)
        except BaseException:
            self._broken = True
            self.close()
            raise
        self._size += size
        self._digest = pieces[-1]
        self.number += 1
        if kind == GUIDANCE:
            self.guidance = version
        return self.number - 1

    def _begin(self) -> None:
        """Begin a file; its name is on disk before any block of it."""
        self.close()
        path = self.folder / f"{self.number:012d}{ENDING}"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = 0
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _write(file: int, pieces: list[Any]) -> None:
    """All of the pieces, however many calls it takes."""
    left = [memoryview(piece).cast("B") for piece in pieces if len(piece)]
    while left:
        done = os.writev(file, left[:512])
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if left:
            left[0] = left[0][done:]
