"""Inputs packed for the way there; results unpacked, which are a user's and are believed in nothing."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

CONTENT_BYTES_MAX: Final = 2 * 1024 * 1024  # of packed inputs that travel inside the document
MEMBERS_MAX: Final = 200_000


def pack(folder: Path, target: Path) -> int:
    """All that is in the folder; the size of the archive in bytes."""
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return target.stat().st_size


def unpack(pieces: Iterator[bytes], folder: Path, bytes_max: int) -> None:
    """Plain files and folders below `folder`, links only where they stay inside. Raises BackendError for an archive
    that is none, or of more than `bytes_max`."""
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    try:
        with tarfile.open(fileobj=cast(BinaryIO, _Stream(pieces)), mode="r|gz") as archive:
            for count, member in enumerate(archive):
                total += member.size if member.isreg() else 0
                if total > bytes_max or count >= MEMBERS_MAX:
                    detail = f"the outputs are over {bytes_max} bytes or {MEMBERS_MAX} files"
                    raise BackendError(FailureReason.OUTPUT_FORBIDDEN, detail)
                if member.isreg() or member.isdir() or member.issym():
                    archive.extract(member, folder, filter="data")
    except tarfile.FilterError as fault:
        raise BackendError(FailureReason.OUTPUT_FORBIDDEN, str(fault)) from fault
    except (tarfile.TarError, EOFError) as fault:
        raise BackendError(FailureReason.BACKEND, f"the site's archive of outputs is damaged: {fault}") from fault


class _Stream:
    """Pieces as something to read from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (part := next(self._pieces, b"")):
            self._rest += part
        out, self._rest = self._rest[:size], self._rest[size:]
        return out
