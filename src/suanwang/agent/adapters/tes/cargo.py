"""Inputs packed for the way there; results unpacked, which are a user's and are believed in nothing."""

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

CONTENT_BYTES_MAX: Final = 2 * 1024 * 1024  # of packed inputs that travel inside the document
MEMBERS_MAX: Final = 200_000
LINKS_MAX: Final = 10_000
PATH_CHARS_MAX: Final = 4_096  # no system takes longer ones
HEAD_BYTES_MAX: Final = 256 * 1024  # before one member: its long names, and whatever else is said of it
HEADS_BYTES_MAX: Final = 512 * 1024 * 1024  # of all that is not content
GLOBALS_MAX: Final = 100  # names of what is said of all members
_READ_BYTES: Final = tarfile.RECORDSIZE  # it is read ahead by no more than this
# What the reader falls over where a header is none: figures without end, names that no file can have, heads in heads.
_DAMAGED: Final = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    ArithmeticError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def pack(folder: Path, target: Path) -> int:
    """All that is in the folder; the size of the archive in bytes."""
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return target.stat().st_size


def unpack(pieces: Iterator[bytes], folder: Path, bytes_max: int) -> None:
    """Plain files and folders below `folder`, links only where they stay inside. Memory is bounded whatever the archive
    says. Raises BackendError for an archive that is none, or of more than `bytes_max`; OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    tape = _Tape(pieces, bytes_max + HEADS_BYTES_MAX)
    try:
        with tarfile.open(fileobj=cast(BinaryIO, tape), mode="r|", bufsize=_READ_BYTES) as archive:
            links = _members(archive, tape, folder, bytes_max)
            for link in links:
                _link(archive, link, folder)
    except tarfile.FilterError as fault:
        raise _forbidden(str(fault)) from fault
    except _DAMAGED as fault:
        said = f"{type(fault).__name__}: {fault}"[:PATH_CHARS_MAX]
        raise BackendError(FailureReason.BACKEND, f"the site's archive of outputs is damaged: {said}") from fault


def _members(archive: tarfile.TarFile, tape: "_Tape", folder: Path, bytes_max: int) -> list[tarfile.TarInfo]:
    """Write its files and folders; its links are given back: none is there yet for a file to be written through."""
    total, links = 0, list[tarfile.TarInfo]()
    for _ in range(MEMBERS_MAX + 1):
        tape.grant(HEAD_BYTES_MAX)
        member = archive.next()
        if member is None:
            return links
        archive.members.clear()  # type: ignore[attr-defined]  # it keeps them all; its own iterator uses the name too
        if member.size < 0 or total + member.size > bytes_max:
            raise _forbidden(f"the outputs are over {bytes_max} bytes")
        total += member.size
        if len(archive.pax_headers) > GLOBALS_MAX or len(member.name) > PATH_CHARS_MAX:
            raise _forbidden("a header of the archive of outputs is too long")
        tape.grant(member.size + HEAD_BYTES_MAX)
        if member.isreg() or member.isdir():
            archive.extract(member, folder, filter="data")
        elif member.issym():
            if len(links) == LINKS_MAX or len(member.linkname) > PATH_CHARS_MAX:
                raise _forbidden(f"the outputs have over {LINKS_MAX} links, or one that is too long")
            links.append(member)
    raise _forbidden(f"the outputs are over {MEMBERS_MAX} files")


def _link(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Not by way of another link, whatever the filter makes of it."""
    *above, _ = Path(member.name.lstrip("/")).parts or ("",)
    at = folder
    for part in above:
        at /= part
        if at.is_symlink():
            raise _forbidden(f"the link {member.name!r} is behind another")
    archive.extract(member, folder, filter="data")


def _forbidden(detail: str) -> BackendError:
    return BackendError(FailureReason.OUTPUT_FORBIDDEN, detail[:PATH_CHARS_MAX])


class _Tape:
    """Packed pieces as something to read from, unpacked no further than was granted."""

    def __init__(self, pieces: Iterator[bytes], bytes_max: int) -> None:
        self._pieces, self._packed = pieces, b""
        self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._left = bytes_max
        self.grant(HEAD_BYTES_MAX)

    def grant(self, size: int) -> None:
        """From here on that much, and what is read ahead."""
        self._granted = size + 2 * _READ_BYTES

    def read(self, size: int) -> bytes:
        out = bytearray()
        while len(out) < size and (part := self._more(size - len(out))):
            out += part
        self._granted -= len(out)
        self._left -= len(out)
        if self._granted < 0 or self._left < 0:
            raise _forbidden("the headers of the archive of outputs are too long")
        return bytes(out)

    def _more(self, size: int) -> bytes:
        """Some bytes; none at the end. Raises EOFError where the stream ends in the middle."""
        while True:
            if self._unpack.eof:  # one stream may come behind another
                self._packed = (self._unpack.unused_data or next(self._pieces, b"")).lstrip(b"\0")
                if not self._packed:
                    return b""
                self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
            packed = self._packed or next(self._pieces, b"")
            out = self._unpack.decompress(packed, size)
            self._packed = self._unpack.unconsumed_tail
            if out:
                return out
            if not packed:
                raise EOFError("it ends in the middle")
