"""Opening, making and walking files below a folder whose content may belong to somebody hostile.

Every component is opened on its own, from the folder above it, without following links. So neither `..` nor a
symbolic link, nor one swapped in between two steps, leads out of the root.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEPTH_MAX: Final = 64  # folders in folders; a deeper tree is nobody's result
ENTRIES_MAX: Final = 200_000  # entries of one tree


class OutsideError(Exception):
    """The path leads out of its root, or over something that is no plain folder or file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree. `path` is relative to the root, with `/`."""

    path: str
    mode: int
    size_bytes: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


def parts_of(path: str) -> list[str]:
    """The components of an inner path. OutsideError for an absolute one and for empty, `.` and `..` parts."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise OutsideError(f"{path!r} leaves its folder")
    return parts


@contextmanager
def opened_folder(path: str | os.PathLike[str]) -> Iterator[int]:
    """A descriptor of a root folder that we trust."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def parent_of(root: int, path: str, make_as: tuple[int, int] | None = None) -> Iterator[tuple[int, str]]:
    """The open folder that holds `path`, and its last component. `make_as` (uid, gid) makes missing folders.

    Raises OutsideError for a link or a file in the way, FileNotFoundError for a folder that is not there.
    """
    *folders, name = parts_of(path)
    current = os.dup(root)
    try:
        for folder in folders:
            following = _step(current, folder, make_as)
            os.close(current)
            current = following
        yield current, name
    finally:
        os.close(current)


def _step(current: int, folder: str, make_as: tuple[int, int] | None) -> int:
    if make_as is not None:
        try:
            os.mkdir(folder, 0o755, dir_fd=current)
            os.chown(folder, *make_as, dir_fd=current, follow_symlinks=False)
        except FileExistsError:
            pass
    try:
        return os.open(folder, _FOLDER_FLAGS, dir_fd=current)
    except OSError as fault:
        if fault.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OutsideError(f"{folder!r} is no plain folder") from fault
        raise


def open_file(root: int, path: str) -> int:
    """A regular file for reading. OutsideError for anything else: a link, a pipe, a device, a socket."""
    with parent_of(root, path) as (folder, name):
        try:
            # Without O_NONBLOCK opening a pipe would wait for ever for its writer.
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=folder
            )
        except OSError as fault:
            if fault.errno in (errno.ELOOP, errno.ENXIO):
                raise OutsideError(f"{path!r} is no plain file") from fault
            raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OutsideError(f"{path!r} is no plain file")
    return descriptor


def create_file(root: int, path: str, owner: tuple[int, int], mode: int = 0o644) -> int:
    """A new file for writing, with the folders above it. FileExistsError where the name is taken, by a link too."""
    with parent_of(root, path, make_as=owner) as (folder, name):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, mode, dir_fd=folder)
    os.fchown(descriptor, *owner)
    return descriptor


def walk(root: int) -> Iterator[Entry]:
    """Every entry of the tree but folders, in the order of names. OutsideError past the depth or count limit."""
    counter = [0]
    yield from _walk(root, "", 0, counter)


def _walk(folder: int, prefix: str, depth: int, counter: list[int]) -> Iterator[Entry]:
    if depth > DEPTH_MAX:
        raise OutsideError(f"folders are nested more than {DEPTH_MAX} deep")
    for name in sorted(os.listdir(folder)):
        counter[0] += 1
        if counter[0] > ENTRIES_MAX:
            raise OutsideError(f"more than {ENTRIES_MAX} entries")
        try:
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(seen.st_mode):
                yield Entry(prefix + name, seen.st_mode, seen.st_size)
                continue
            below = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # gone or swapped between the listing and the look: it is not there
        try:
            yield from _walk(below, f"{prefix}{name}/", depth + 1, counter)
        finally:
            os.close(below)
