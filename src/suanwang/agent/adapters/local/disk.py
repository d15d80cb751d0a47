"""A task's disk. A file system of its own in an image file is a limit that holds; a folder is only watched.

Inside are `task/` (its working folder), `tmp/` and `run/`, so all that it writes counts against one limit and none
of it against its memory.
"""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason
from suanwang.model.units import MIB

_TOOLS: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
TOOL_TIMEOUT_S: Final = 60
# What ext4 without a journal takes for itself: 1/64 for inodes (256 bytes each 16 KiB), block bitmaps, and its floor.
OVERHEAD_PERMILLE: Final = 20
OVERHEAD_BYTES: Final = 4 * MIB
# A write that fails for want of space may leave some, for the file system keeps blocks back for its own tables.
# So this little left is full: a 64th, but at least one mebibyte and at most 64.
FULL_SHARE: Final = 64
FULL_BYTES_MIN, FULL_BYTES_MAX = MIB, 64 * MIB


class Disk(Protocol):
    """A place with `task/`, `tmp/` and `run/`, owned by the task's user, of a bounded size."""

    @property
    def folder(self) -> Path: ...

    def is_full(self) -> bool: ...

    def destroy(self) -> None:
        """Take it away with all that is in it. Harmless when repeated."""


def _prepare(folder: Path, owner: tuple[int, int]) -> None:
    for name, mode in (("task", 0o755), ("tmp", 0o1777), ("run", 0o755)):
        made = folder / name
        made.mkdir()
        made.chmod(mode)
        os.chown(made, *owner)


def _tool(*command: str) -> None:
    """Run a system tool. Raises OSError with its complaint."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=_TOOLS, timeout=TOOL_TIMEOUT_S)
    except subprocess.TimeoutExpired as fault:
        raise OSError(f"{command[0]} did not end") from fault
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.decode(errors='replace').strip()[:200]}")


class LoopDisk:
    """An ext4 file system in a sparse file, mounted without set-uid and device files. Needs root.

    Links cannot lead into it from outside of it or the other way but by name, for it is another file system.
    """

    def __init__(self, at: Path, size_bytes: int, owner: tuple[int, int]) -> None:
        """Make it at the new folder `at`. Raises OSError."""
        self._image = at / "disk.img"
        self.folder = at / "disk"
        self._at = at
        self.folder.mkdir(parents=True)
        try:
            self._make(size_bytes)
            _prepare(self.folder, owner)
        except OSError:
            self.destroy()
            raise

    def _make(self, size_bytes: int) -> None:
        whole = size_bytes + size_bytes * OVERHEAD_PERMILLE // 1000 + OVERHEAD_BYTES
        with self._image.open("xb") as image:
            image.truncate(whole)
        options = "lazy_itable_init=1,nodiscard,root_owner=0:0"
        features = "^has_journal,^resize_inode"
        _tool("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-O", features, "-E", options, str(self._image))
        _tool("mount", "-t", "ext4", "-o", "loop,nosuid,nodev,noatime", str(self._image), str(self.folder))

    def is_full(self) -> bool:
        try:
            left = os.statvfs(self.folder)
        except OSError:
            return False
        floor = min(FULL_BYTES_MAX, max(FULL_BYTES_MIN, left.f_blocks * left.f_frsize // FULL_SHARE))
        return left.f_bavail * left.f_frsize < floor or left.f_favail == 0

    def destroy(self) -> None:
        if self.folder.is_mount():
            try:
                _tool("umount", str(self.folder))
            except OSError:
                # Somebody still looks into it: take the name away now, the rest when the last one leaves.
                _tool("umount", "-l", str(self.folder))
        shutil.rmtree(self._at, ignore_errors=True)


class WatchedFolder:
    """A plain folder whose size is looked at now and then: the task is ended when it is over, not stopped at it."""

    def __init__(self, at: Path, size_bytes: int, owner: tuple[int, int]) -> None:
        self._at = at
        self.folder = at / "disk"
        self._size_bytes = size_bytes
        self.folder.mkdir(parents=True)
        _prepare(self.folder, owner)

    def is_full(self) -> bool:
        used = 0
        for place, _, names in os.walk(self.folder):
            for name in names:
                with suppress(OSError):
                    used += os.lstat(os.path.join(place, name)).st_blocks * 512
            if used > self._size_bytes:
                return True
        return False

    def destroy(self) -> None:
        shutil.rmtree(self._at, ignore_errors=True)


def unmount_below(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Unmount every disk that an earlier process left below `folder`."""
    inside = str(folder.resolve()) + "/"
    for line in reversed(mounts.read_text().splitlines()):
        at = line.split(" ")[1].encode().decode("unicode_escape")
        if at.startswith(inside):
            with suppress(OSError):
                _tool("umount", "-l", at)


def owner_of(uid: int | None) -> tuple[int, int]:
    """The task's user and group; the agent's own where it cannot have another."""
    return (os.geteuid(), os.getegid()) if uid is None else (uid, uid)


def copy_tree(source: Path, target: Path, owner: tuple[int, int]) -> None:
    """Staged files, which are ours, into a task's folder before anything runs in it. Raises OSError, BackendError."""
    for place, _, names in os.walk(source):
        into = target / Path(place).relative_to(source)
        if into != target:
            into.mkdir()
            os.chown(into, *owner)
        for name in names:
            try:
                shutil.copyfile(Path(place) / name, into / name)
            except OSError as fault:
                raise BackendError(FailureReason.DISK_FULL, f"{name} does not fit: {fault}") from fault
            with suppress(PermissionError):
                os.chown(into / name, *owner)
