"""Network namespaces: run a call inside one, write its sysctls, and hand batches to `ip` and `tc`."""

import ctypes
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from suanwang.model.error import UnreachableError

RUN: Final = Path("/run/netns")
CLONE_NEWNET: Final = 0x40000000
SECONDS_MAX: Final = 120
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def enter(namespace: str) -> None:
    """Move the calling thread, and it alone, into the namespace: a name, or the path of its file."""
    file = os.open(RUN / namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _LIBC.setns(file, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    finally:
        os.close(file)


def inside(namespace: str, call: Callable[[], T]) -> T:
    """What `call` gives when a thread of its own runs it in the namespace. Files that it opens stay there."""
    found: list[T] = []
    failed: list[BaseException] = []

    def body() -> None:
        try:
            enter(namespace)
            found.append(call())
        except BaseException as error:  # handed to the caller's thread, below
            failed.append(error)

    thread = threading.Thread(target=body, name=f"in {namespace}")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def write_sysctls(values: Mapping[str, Mapping[str, int]]) -> None:
    """namespace -> {path below /proc/sys: value}; one thread walks through all of them."""
    failed: list[OSError] = []

    def body() -> None:
        try:
            for namespace, rows in values.items():
                enter(namespace)
                for path, value in rows.items():
                    Path("/proc/sys", path).write_text(str(value))
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=body, name="sysctls")
    thread.start()
    thread.join()
    if failed:
        raise UnreachableError("lab_sysctl", detail=str(failed[0])) from failed[0]


def names(prefix: str) -> list[str]:
    """The namespaces that begin with the prefix."""
    return sorted(path.name for path in RUN.iterdir() if path.name.startswith(prefix)) if RUN.is_dir() else []


def devices(namespace: str) -> list[str]:
    """The names of a namespace's devices."""
    return inside(namespace, lambda: [name for _, name in socket.if_nameindex()])


def device_number(namespace: str, device: str) -> int | None:
    """The kernel's number of a device in a namespace; None where it is gone."""

    def look() -> int | None:
        try:
            return socket.if_nametoindex(device)
        except OSError:
            return None

    return inside(namespace, look)


def batch(
    tool: str,
    lines: Sequence[str],
    namespace: str | None = None,
    *,
    held: Sequence[int] = (),
    force: bool = False,
) -> None:
    """Hand lines to `ip -batch` or `tc -batch`. Children keep the files `held` open while they work.

    A namespace is a name, or the path of its file (`/proc/<pid>/ns/net`). With `force` lines that fail are passed over. Raises UnreachableError with what the tool said.
    """
    if not lines:
        return
    at_path = namespace is not None and "/" in namespace
    enter_first = ["nsenter", f"--net={namespace}"] if at_path else []
    where = ["-n", namespace] if namespace and not at_path else []
    family = ["-6"] if tool == "ip" else []
    arguments = [*enter_first, tool, *where, *family, *(["-force"] if force else []), "-batch", "-"]
    text = "\n".join(lines) + "\n"
    try:
        done = subprocess.run(
            arguments, input=text, capture_output=True, text=True, pass_fds=held, timeout=SECONDS_MAX, check=False
        )
    except FileNotFoundError as error:
        raise UnreachableError("lab_tool", tool=tool) from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError("lab_command", tool=tool, detail=f"no end within {SECONDS_MAX} s") from error
    if done.returncode != 0 and not force:
        raise UnreachableError("lab_command", tool=tool, detail=done.stderr.strip()[:300])


def ask(arguments: Sequence[str]) -> str:
    """What a tool prints. Raises UnreachableError with what it said instead."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    except FileNotFoundError as error:
        raise UnreachableError("lab_tool", tool=arguments[0]) from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError("lab_command", tool=arguments[0], detail=f"no end within {SECONDS_MAX} s") from error
    if done.returncode != 0:
        raise UnreachableError("lab_command", tool=arguments[0], detail=done.stderr.strip()[:300])
    return done.stdout


@dataclass(frozen=True)
class Sent:
    """What a device has received and sent, frames whole, since it was made."""

    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int


def sent(namespace: str, device: str) -> Sent:
    row = json.loads(ask(["ip", "-n", namespace, "-j", "-s", "link", "show", "dev", device]))[0]["stats64"]
    ways = (row["rx"], row["tx"])
    return Sent(*(int(way[name]) for way in ways for name in ("packets", "bytes")))
