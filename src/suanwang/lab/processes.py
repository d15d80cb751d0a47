"""The processes of a lab: its relay, known by its arguments, and whatever runs inside its namespaces."""

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from suanwang.lab import netns

RELAY_MODULE: Final = "suanwang.runtime.lab_relay"
SENSOR_MODULE: Final = "suanwang.runtime.lab_sensor"
TRIES: Final = 200
PAUSE_S: Final = 0.02


def relay_arguments(python: str, prefix: str, file: Path) -> list[str]:
    return [python, "-m", RELAY_MODULE, prefix, str(file)]


def start(arguments: list[str], log: Path) -> bytes:
    """Start a process that outlives this one, in a session of its own; the first line that it says.

    Until it runs its own program it holds the files of this process, the lab's lock among them: whoever gets the lock
    sees it by its arguments.
    """
    heard, said = os.pipe()
    with os.fdopen(heard, "rb") as out:
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, said, 1),
                (os.POSIX_SPAWN_OPEN, 2, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            ]
            os.posix_spawn(arguments[0], arguments, os.environ, file_actions=actions, setsid=True)
        finally:
            os.close(said)
        return out.readline()


def relays(prefix: str) -> list[int]:
    """The processes with the relay's module and exactly this prefix among their arguments."""
    out = []
    for pid in _pids():
        try:
            found = words(pid)
        except OSError:
            continue
        if RELAY_MODULE in found and prefix in found:
            out.append(pid)
    return out


def inside(prefix: str) -> list[int]:
    """The processes in any namespace of the lab."""
    return [pid for pids in of_namespaces(netns.names(prefix)).values() for pid in pids]


def of_namespaces(names: Iterable[str]) -> dict[str, list[int]]:
    """The processes of each namespace, also those that are about to enter it (`enter_words`)."""
    out: dict[str, list[int]] = {name: [] for name in names}
    inodes = {}
    for name in out:
        with suppress(OSError):  # gone, or half made
            inodes[(netns.RUN / name).stat().st_ino] = name
    entering = {enter_words(name)[1]: name for name in out}
    for pid in _pids():
        try:
            found = inodes.get(os.stat(f"/proc/{pid}/ns/net").st_ino)
            if found is None:
                found = next((entering[word] for word in words(pid) if word in entering), None)
        except OSError:
            continue
        if found is not None:
            out[found].append(pid)
    return out


def runs(namespace: str, program: str) -> bool:
    """Whether a process in the namespace has the word among its arguments; a zombie has none."""
    for pid in of_namespaces([namespace])[namespace]:
        with suppress(OSError):
            if program in (found := words(pid)) or Path(found[0]).name == program:
                return True
    return False


def enter_words(namespace: str) -> list[str]:
    """What goes before a program and its arguments, so that it runs in the namespace as a whole: whoever ends the lab
    finds it there. It holds no file of ours, so it is found by these words until it has entered."""
    return ["nsenter", f"--net={netns.RUN / namespace}"]


def words(pid: int) -> list[str]:
    """A process's arguments; none of a zombie's. Raises OSError where it has gone."""
    return Path("/proc", str(pid), "cmdline").read_bytes().decode("utf-8", "replace").split("\0")


def end(pids: Iterable[int], sleep: Callable[[float], None]) -> None:
    """Kill, and wait until they are gone (or are somebody's zombies, which hold nothing)."""
    left = [pid for pid in pids if pid != os.getpid()]
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for _ in range(TRIES):
        left = [pid for pid in left if _alive(pid)]
        if not left:
            return
        sleep(PAUSE_S)


def end_all(pids: Iterable[int], sleep: Callable[[float], None]) -> int:
    """`end`, and collect those that this process started with `start`, where it lives long enough to end them; how many
    there were."""
    every = set(pids)
    started = [pid for pid in every if _is_ours(pid)]  # another's child is another's to collect
    end(every, sleep)
    for pid in started:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return len(every)


def _is_ours(pid: int) -> bool:
    try:
        return not {RELAY_MODULE, SENSOR_MODULE}.isdisjoint(words(pid))
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        text = Path("/proc", str(pid), "stat").read_text("utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
