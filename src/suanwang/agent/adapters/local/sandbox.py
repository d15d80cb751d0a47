"""The walls: the arguments of bubblewrap for one element. Pure, so that a test can read what stands.

The task sees `/usr`, a few files of `/etc` and the site's Python, all read-only, and its own `/task`, `/tmp` and
`/run/suanwang`. It has no capability, no way to gain one, its own process numbers, and no network but when asked.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suanwang.agent.command import ENVIRONMENT_FILE, RUN_FOLDER, TASK_FOLDER

# Files of /etc that programs cannot do without, and that tell nothing of the host.
ETC_SHOWN: Final = (
    "alternatives",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "ssl/certs",
    "ssl/openssl.cnf",
)
TOP_FOLDERS: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_OTHER_TMP: Final = Path("/var/tmp")  # noqa: S108 - the sandbox's own
_HOSTS: Final = "127.0.0.1 localhost\n::1 localhost\n"
_SWITCH: Final = "hosts: files dns\npasswd: files\ngroup: files\n"


@dataclass(frozen=True, slots=True)
class Walls:
    """What one sandbox is made of. Descriptors are inherited by bubblewrap."""

    disk: Path  # holds task/, tmp/, run/
    etc: Path  # the generated files
    uid: int
    drop_to: int | None  # the real user to drop to; None: the agent has no root, a user namespace maps `uid`
    setpriv: str
    network: bool
    shared_memory_bytes: int
    environment_fd: int
    status_fd: int
    seccomp_fd: int | None
    gate_fds: tuple[int, int] | None = None  # of its own network: where it tells of its child, and where it waits
    hidden: tuple[Path, ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()  # (absolute path, folder below task/): shown there too


def write_etc(folder: Path, uid: int) -> None:
    """The files of /etc that are made for the task. Resolver settings are the host's, shown with a network only."""
    folder.mkdir()
    files = {
        "passwd": f"root:x:0:0:root:/:/usr/sbin/nologin\ntask:x:{uid}:{uid}:task:{TASK_FOLDER}:/bin/sh\n",
        "group": f"root:x:0:\ntask:x:{uid}:\n",
        "hosts": _HOSTS,
        "nsswitch.conf": _SWITCH,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)


def python_folders() -> list[Path]:
    """The folders of the interpreter that runs this, with what is installed beside it; `/usr` is shown anyway."""
    found = [Path(p) for p in (sys.base_prefix, sys.prefix)]
    found += [path.resolve() for path in found]
    kept = [p for p in dict.fromkeys(found) if len(p.parts) > 1 and not p.is_relative_to("/usr")]
    # Without root, a folder in another user's home may be closed to us too: then the task has the system's Python.
    return [p for p in kept if os.access(p, os.R_OK | os.X_OK)]


def python_path() -> str:
    """The folder with `python` in it."""
    return str(Path(sys.prefix) / "bin")


def _system(root: Path) -> list[str]:
    out = ["--ro-bind", "/usr", "/usr"]
    for name in TOP_FOLDERS:
        top = root / name
        if top.is_symlink():
            out += ["--symlink", os.readlink(top), f"/{name}"]
        elif top.is_dir():
            out += ["--ro-bind", str(top), f"/{name}"]
    return out


def _etc(walls: Walls) -> list[str]:
    out: list[str] = []
    for name in ETC_SHOWN:
        out += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name in ("passwd", "group", "hosts", "nsswitch.conf"):
        out += ["--ro-bind", str(walls.etc / name), f"/etc/{name}"]
    if walls.network:
        out += ["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]
    return out


def _python(walls: Walls, folders: Sequence[Path]) -> list[str]:
    out: list[str] = []
    for folder in folders:
        out += ["--ro-bind", str(folder), str(folder)]
    for hidden in walls.hidden:
        if any(hidden.is_relative_to(folder) for folder in (Path("/usr"), *folders)) and hidden.is_dir():
            out += ["--tmpfs", str(hidden)]
    return out


def _open_folders(places: Sequence[Path]) -> list[str]:
    """Make the folders above each place; bubblewrap would make them for root alone."""
    above = {parent for place in places for parent in place.parents if len(parent.parts) > 1}
    out: list[str] = []
    for folder in sorted(above, key=lambda path: path.parts):
        if not folder.is_relative_to("/usr"):
            out += ["--perms", "0755", "--dir", str(folder)]
    return out


def _rights(walls: Walls) -> list[str]:
    """The capabilities that the drop of rights itself needs stay until it is done, and none longer."""
    if walls.drop_to is None:
        return ["--unshare-user", "--uid", str(walls.uid), "--gid", str(walls.uid), "--cap-drop", "ALL"]
    out = ["--cap-drop", "ALL"]
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        out += ["--cap-add", capability]
    return out


def _other_tmp(walls: Walls) -> tuple[list[str], list[str]]:
    """`/var/tmp`, as what comes before the mounts and what after: a link to `/tmp`, or the folder itself where a mount lies
    inside. A mount at it or at `/var` brings its own, in which nothing of ours is made."""
    paths = {Path(path) for path, _ in walls.mounts}
    if not paths.isdisjoint({_OTHER_TMP, _OTHER_TMP.parent}):
        return [], []
    if any(path.is_relative_to(_OTHER_TMP) for path in paths):
        return [*_open_folders([_OTHER_TMP]), "--bind", str(walls.disk / "tmp"), str(_OTHER_TMP)], []
    return [], ["--dir", "/var", "--symlink", "/tmp", str(_OTHER_TMP)]  # noqa: S108 - the sandbox's own


def options(walls: Walls, python: Sequence[Path], root: Path = Path("/")) -> list[str]:
    """Everything but the command."""
    out = ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "task"]
    out += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    if not walls.network:
        out += ["--unshare-net"]
    # First the task's own folders: a Python that is installed below /tmp is then shown on top of the task's /tmp.
    out += [*_rights(walls), "--bind", str(walls.disk / "tmp"), "/tmp"]  # noqa: S108 - the sandbox's own
    below_var, link = _other_tmp(walls)
    out += below_var + _open_folders([Path(path) for path, _ in walls.mounts])
    for path, folder in walls.mounts:
        out += ["--bind", str(walls.disk / "task" / folder), path]
    out += _open_folders([Path(RUN_FOLDER), Path("/etc/ssl/certs"), *python, *walls.hidden])
    out += _system(root) + _etc(walls) + _python(walls, python)
    out += ["--proc", "/proc", "--dev", "/dev"]
    out += ["--perms", "1777", "--size", str(walls.shared_memory_bytes), "--tmpfs", "/dev/shm"]  # noqa: S108 - the sandbox's own
    out += ["--bind", str(walls.disk / "task"), TASK_FOLDER]
    out += ["--bind", str(walls.disk / "run"), RUN_FOLDER]
    out += link
    out += ["--perms", "0444", "--file", str(walls.environment_fd), ENVIRONMENT_FILE]
    out += ["--json-status-fd", str(walls.status_fd), "--chdir", TASK_FOLDER]
    if walls.gate_fds is not None:
        out += ["--info-fd", str(walls.gate_fds[0]), "--block-fd", str(walls.gate_fds[1])]
    if walls.seccomp_fd is not None:
        out += ["--seccomp", str(walls.seccomp_fd)]
    return out


def inner_command(walls: Walls, command: Sequence[str]) -> list[str]:
    """Drop every right, then read the environment, then become the command."""
    start = ["/bin/sh", "-c", f'. {ENVIRONMENT_FILE} && exec "$@"', "sh", *command]
    if walls.drop_to is None:
        return start
    user = str(walls.drop_to)
    drop = [walls.setpriv, "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs"]
    return [*drop, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--", *start]
