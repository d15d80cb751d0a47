"""What a Ray job runs: one element of an attempt, held to its time and memory, with its figures and its exit written down.

    python3 -I runner.py FOLDER INDEX

The file is copied into the attempt's folder and run there by whatever Python the node has (3.8 or newer), so it needs nothing but
the standard library, and nothing of this project.

Two processes: the outer one is what Ray starts, watches and signals; the keeper, in a session of its own, starts the work and
adopts whatever that leaves behind. When the outer one is gone, for whatever reason, the keeper ends everything; when the keeper is,
the outer one does. The work begins at most once, however often it is submitted: making `run` is what begins it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

GO = "go"  # what the licence has to say for the work to begin; `save` asks it to write its checkpoint and end
NOBODY_WAITS = 97  # there is no such licence
BEGUN_BEFORE = 98
TICK_S = 0.05
MEMORY_EVERY_S = 0.25
LICENCE_EVERY_S = 0.5
SUBREAPER = 36  # prctl(2)
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    here, index = sys.argv[1], int(sys.argv[2])
    with open(os.path.join(here, "work.json"), encoding="utf-8") as stream:
        spec = json.load(stream)
    cell = os.path.join(here, str(index))
    if licence_word(spec) != GO:
        sys.exit(NOBODY_WAITS)
    os.makedirs(cell, exist_ok=True)
    try:
        os.mkdir(os.path.join(cell, "run"), 0o700)
    except FileExistsError:
        sys.exit(BEGUN_BEFORE)
    # Asked again behind the mark: who withdraws the licence and then sees no mark knows that nothing will begin.
    if licence_word(spec) != GO:
        sys.exit(NOBODY_WAITS)
    lay_out(here, cell, index)
    adopt_orphans()
    alive, held = os.pipe()
    sys.stdout.flush()
    keeper = os.fork()
    if keeper == 0:
        os.close(held)
        os._exit(keep(spec, here, cell, index, alive))
    os.close(alive)
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, lambda *_: close(held))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == keeper:
            break
    kill_all(os.getpid())
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def close(descriptor: int) -> None:
    with suppress(OSError):  # a second signal
        os.close(descriptor)


def licence_word(spec: dict[str, Any]) -> str | None:
    """What the agent says to the work: None where it waits for it no more, `unknown` where the folder does not answer."""
    try:
        with open(spec["licence"], encoding="utf-8") as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return None if os.path.isdir(os.path.dirname(spec["licence"])) else "unknown"
    except OSError:
        return "unknown"


def lay_out(here: str, cell: str, index: int) -> None:
    for name in ("task", "tmp"):
        os.makedirs(os.path.join(cell, name), exist_ok=True)
    for source in (os.path.join(here, "inputs"), os.path.join(here, "kept", str(index))):
        if os.path.isdir(source):
            copy_tree(source, os.path.join(cell, "task"))
    with open(os.path.join(cell, "run", "progress"), "w"):
        pass


def copy_tree(source: str, target: str) -> None:
    for folder, _, files in os.walk(source):
        to = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(to, exist_ok=True)
        for name in files:
            shutil.copy2(os.path.join(folder, name), os.path.join(to, name), follow_symlinks=False)


def adopt_orphans() -> None:
    """What daemonises itself stays ours."""
    ctypes.CDLL(None, use_errno=True).prctl(SUBREAPER, 1, 0, 0, 0)


class Keeper:
    """The work's end, and what it used."""

    def __init__(self) -> None:
        self.outside = False
        self.cause: str | None = None  # wall_time, memory, withdrawn
        self.status: int | None = None  # of the work, as wait(2) has it
        self.core_s = 0.0
        self.peak = 0

    def reap(self, work: int) -> bool:
        """Take in what has ended. A process's figures have those of the children that it waited for."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.core_s += used.ru_utime + used.ru_stime
            self.peak = max(self.peak, used.ru_maxrss * 1024)
            if pid == work:
                self.status = status


def keep(spec: dict[str, Any], here: str, cell: str, index: int, alive: int) -> int:
    """The keeper: the exit status for the outer process."""
    os.setsid()
    adopt_orphans()
    found = Keeper()

    def outside(*_: object) -> None:
        found.outside = True

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, outside)
    log = os.open(os.path.join(here, f"log-{index}"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = time.monotonic()
    try:
        begun = subprocess.Popen(  # kept: when it goes, it takes in the end of its process by itself
            spec["command"],
            cwd=os.path.join(cell, "task"),
            env=environment(spec, cell, index),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as fault:
        os.write(log, f"{spec['command'][0]}: {fault.strerror}\n".encode())
        code = 127 if isinstance(fault, FileNotFoundError) else 126
        write_down(cell, {"code": code, "wall_us": 0, "core_us": 0, "memory_peak_bytes": 0})
        return code
    watch(spec, found, begun.pid, alive, began)
    kill_all(os.getpid(), found, begun.pid)
    if found.outside or found.cause == "withdrawn":
        return 143  # who ended it knows why: nothing is written down
    assert found.status is not None, "all that was below has ended"
    exited = os.WIFEXITED(found.status)
    code = os.WEXITSTATUS(found.status) if exited else 128 + os.WTERMSIG(found.status)
    figures = {
        "code": code,
        "cause": found.cause,
        "wall_us": int((time.monotonic() - began) * 1e6),
        "core_us": int(found.core_s * 1e6),
        "memory_peak_bytes": found.peak,
    }
    write_down(cell, figures)
    return code


def watch(spec: dict[str, Any], found: Keeper, work: int, alive: int, began: float) -> None:
    """Until the work has ended, or is to end."""
    memory_s = licence_s = began
    asked = False
    while found.reap(work) and found.status is None and not found.outside:
        ready = select.select([alive], [], [], TICK_S)[0]
        now = time.monotonic()
        if ready:
            found.outside = True  # Ray has ended the outer process
        elif now - began >= spec["wall_us"] / 1e6:
            found.cause = "wall_time"
        elif now >= memory_s:
            memory_s = now + MEMORY_EVERY_S
            used = memory_of(os.getpid(), spec["memory_bytes"])
            found.peak = max(found.peak, used)
            if used > spec["memory_bytes"]:
                found.cause = "memory"
        if now >= licence_s:
            licence_s = now + LICENCE_EVERY_S
            word = licence_word(spec)
            if word is None:
                found.cause = "withdrawn"
            elif word == "save" and not asked:
                asked = True
                ask_to_end(os.getpid())
        if found.cause is not None:
            return


def environment(spec: dict[str, Any], cell: str, index: int) -> dict[str, str]:
    """The site's, the runtime environment's, and over them the task's own."""
    out = dict(os.environ)
    own = spec["environment"]
    task = os.path.join(cell, "task")
    out.update({"HOME": task, "TMPDIR": os.path.join(cell, "tmp")})
    here = os.path.dirname(sys.executable)
    out["PATH"] = ":".join(one for one in [*spec["path"], here, os.environ.get("PATH", "")] if one)
    out.update(own)
    out["SUANWANG_ARRAY_INDEX"] = str(index)
    out["SUANWANG_PROGRESS"] = os.path.join(cell, "run", "progress")
    out["SUANWANG_RESUMES"] = "1" if index in spec["resumes"] else "0"
    return out


def write_down(cell: str, figures: dict[str, Any]) -> None:
    """Whole or not at all, and on the disk."""
    path = os.path.join(cell, "run", "status")
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(figures, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(path + ".new", path)


# Processes ------------------------------------------------------------------------------------------------------


def below(root: int) -> list[int]:
    """Every process that descends from `root`."""
    out: list[int] = []
    todo = [root]
    while todo:
        pid = todo.pop()
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                with open(f"/proc/{pid}/task/{thread}/children") as stream:
                    found = [int(one) for one in stream.read().split()]
            except OSError:
                continue
            out += found
            todo += found
    return out


def memory_of(root: int, limit: int) -> int:
    """Bytes in use below `root`. Pages that several have count once, where it matters."""
    pids = below(root)
    resident = sum(resident_of(pid) for pid in pids)
    if resident <= limit:
        return resident
    return sum(share_of(pid) for pid in pids)


def resident_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as stream:
            return int(stream.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def share_of(pid: int) -> int:
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as stream:
        for line in stream:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return resident_of(pid)


def ask_to_end(root: int) -> None:
    """SIGTERM to what handles it; where nothing does, to all."""
    pids = below(root)
    hear = [pid for pid in pids if handles_term(pid)]
    for pid in hear or pids:
        send(pid, signal.SIGTERM)


def handles_term(pid: int) -> bool:
    with suppress(OSError), open(f"/proc/{pid}/status") as stream:
        for line in stream:
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def send(pid: int, number: int) -> None:
    with suppress(OSError):
        os.kill(pid, number)


def kill_all(root: int, found: Keeper | None = None, work: int = 0) -> None:
    """End everything below `root`, also what it starts meanwhile."""
    found = found or Keeper()
    while True:
        for pid in below(root):
            send(pid, signal.SIGKILL)
        if not found.reap(work):
            return
        time.sleep(0.01)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
