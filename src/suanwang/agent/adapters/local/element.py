"""One element of an attempt: one process tree in one sandbox, watched from its start to its end."""

import json
import os
import select
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suanwang.agent import beneath
from suanwang.agent.adapters.local.cgroups import Figures, Group
from suanwang.agent.adapters.local.disk import Disk, WatchedFolder
from suanwang.agent.adapters.local.gate import Gate
from suanwang.agent.adapters.local.verdict import Ending
from suanwang.agent.logfile import LogStream
from suanwang.agent.progress import read_progress
from suanwang.model.event import Usage

SAMPLE_US: Final = 100_000  # between two looks at memory and progress
DISK_LOOK_US: Final = 1_000_000
READ_BYTES: Final = 65_536
# Writes itself into its control groups, then becomes the sandbox: no moment outside of the limits.
_ENTER: Final = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; ulimit -c 0; exec "$@"'


@dataclass(slots=True)
class Watch:
    """What watching needs from outside. Times in microseconds."""

    monotonic: Callable[[], int]
    stopped: Callable[[], bool]
    wall_us: int
    parting_us: Callable[[], int | None]  # since when it shall end by itself; None: nobody has asked it to
    grace_us: int
    on_sample: Callable[[int | None, Usage | None], None]  # permille where told, figures where a group measures them


@dataclass(frozen=True, slots=True)
class Result:
    ending: Ending
    usage: Usage


class Element:
    """Starts at `run` and is over when that returns. The log comes through `stream`."""

    def __init__(self, group: Group | None, disk: Disk, stream: LogStream, watch: Watch) -> None:
        self._group = group
        self._disk = disk
        self._stream = stream
        self._watch = watch
        self._byte_us = 0
        self._processes = 0
        self._memory = 0
        self._started_us = 0
        self._wall_over = False
        self._full = False
        self._asked = False
        self._walled = False

    def run(
        self,
        command: Sequence[str],
        fds: Sequence[int],
        status: tuple[int, int] | None,
        cwd: str | None,
        environment: dict[str, str],
        gate: Gate | None = None,
    ) -> Result:
        """Run to the end. `fds` pass through; `status` is bubblewrap's status pipe, whose writing end we close; `gate`
        holds it back until its network is there. Raises BackendError where that cannot be had."""
        self._walled = status is not None
        entry = [str(path) for path in self._group.entry_files] if self._group else []
        started_us = self._started_us = self._watch.monotonic()
        with ExitStack() as stack:
            read_fd, write_fd = os.pipe()
            stack.callback(os.close, read_fd)
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", _ENTER, "sh", *entry, "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=write_fd,
                    stderr=write_fd,
                    cwd=cwd,
                    env=environment,
                    pass_fds=tuple(fds),
                    start_new_session=True,
                )
            finally:
                os.close(write_fd)
                if status is not None:
                    os.close(status[1])
                if gate is not None:
                    gate.started()
            if gate is not None:
                self._open(gate, process)
            returned, core_us = self._follow(process, read_fd, started_us)
        told = _told(status[0]) if status is not None else returned
        return self._result(told, core_us, sandboxed=status is not None)

    def _open(self, gate: Gate, process: "subprocess.Popen[bytes]") -> None:
        try:
            gate.open()
        except BaseException:  # whatever it is, the sandbox must not go on without its network when the pipe closes
            self.kill(process)
            process.wait()
            raise

    def _follow(self, process: "subprocess.Popen[bytes]", read_fd: int, started_us: int) -> tuple[int, int]:
        """Watch until the process is gone; its exit status and its CPU time in microseconds."""
        sampled_us = looked_us = started_us
        gone = os.pidfd_open(process.pid)
        try:
            events = select.poll()  # not select: the process may hold more than 1,024 descriptors
            events.register(gone, select.POLLIN)
            events.register(read_fd, select.POLLIN)
            while True:
                ready = dict(events.poll(SAMPLE_US / 1e3))
                if read_fd in ready and not self._pump(read_fd):
                    events.unregister(read_fd)
                if gone in ready:
                    break
                now_us = self._watch.monotonic()
                if now_us - sampled_us >= SAMPLE_US:
                    self._sample(now_us - sampled_us)
                    sampled_us = now_us
                if now_us - looked_us >= DISK_LOOK_US:
                    self._look_at_disk(process)
                    looked_us = now_us
                self._enforce(process, now_us - started_us)
        finally:
            os.close(gone)
        self._drain(read_fd)
        self._stream.finish()
        self._sample(max(0, self._watch.monotonic() - sampled_us))
        return _reap(process)

    def _enforce(self, process: "subprocess.Popen[bytes]", ran_us: int) -> None:
        stopped = self._watch.stopped()
        since_us = self._watch.parting_us()
        if since_us is not None and self._watch.monotonic() - since_us < self._watch.grace_us:
            if not self._asked:
                ask_to_end(process.pid, self._walled)
            self._asked, stopped = True, False
        self._wall_over = self._wall_over or (ran_us >= self._watch.wall_us and not stopped)
        if stopped or self._wall_over:
            self.kill(process)

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """The whole tree: the sandbox's process namespace ends with its first process, the group holds the rest."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if self._group is not None:
            self._group.kill()

    def _pump(self, read_fd: int) -> bool:
        """Move some of what the work printed into the log. False at the end of it."""
        part = os.read(read_fd, READ_BYTES)
        self._stream.feed(part)
        return bool(part)

    def _drain(self, read_fd: int) -> None:
        """What was printed last. Only what is there: nobody who outlived the sandbox could hold us here."""
        os.set_blocking(read_fd, False)
        with suppress(BlockingIOError):
            while self._pump(read_fd):
                pass

    def _sample(self, span_us: int) -> None:
        usage = None
        if self._group is not None:
            figures = self._group.figures()
            # The mean of the two ends of the span, so that a short run counts too.
            self._byte_us += (self._memory + figures.memory_bytes) * span_us // 2
            self._memory = figures.memory_bytes
            self._processes = max(self._processes, figures.processes)
            usage = self._usage(figures)
        self._watch.on_sample(self._progress(), usage)

    def _progress(self) -> int | None:
        try:
            with beneath.opened_folder(self._disk.folder) as root:
                return read_progress(root, "run/progress")
        except OSError:
            return None

    def _look_at_disk(self, process: "subprocess.Popen[bytes]") -> None:
        if isinstance(self._disk, WatchedFolder) and self._disk.is_full():
            self._full = True
            self.kill(process)

    def _result(self, status: int | None, core_us: int, sandboxed: bool) -> Result:
        figures = self._group.figures() if self._group else Figures(core_us=core_us)
        ending = Ending(
            status=status,
            stopped=self._watch.stopped(),
            wall_over=self._wall_over,
            memory_kills=figures.memory_kills,
            disk_full=self._full or self._disk.is_full(),
            process_refusals=figures.process_refusals,
            fault="the sandbox could not be set up; its complaint is in the log" if sandboxed else "",
        )
        return Result(ending, self._usage(figures))

    def _usage(self, figures: Figures) -> Usage:
        """What this element has used since its start."""
        return Usage(
            wall_us=max(0, self._watch.monotonic() - self._started_us),
            core_us=figures.core_us,
            memory_byte_us=self._byte_us,
            memory_peak_bytes=figures.memory_peak_bytes,
            processes_peak=self._processes,
        )


def ask_to_end(outer: int, walled: bool) -> None:
    """SIGTERM to the work, so that it can write its checkpoint.

    It goes to those of its processes that handle it; where none does, to all. A shell that only waits for its command
    would else end at once, and with it the sandbox and the command. Of a sandbox the outer process is never asked: its
    end would be that of all; the inner one, first of its process namespace, hears nothing that it does not handle.
    """
    work = _descendants(outer) if walled else [outer, *_descendants(outer)]
    for pid in [one for one in work if _handles(one, signal.SIGTERM)] or work:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def _handles(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal."""
    with suppress(OSError, ValueError):
        for line in Path("/proc", str(pid), "status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _descendants(root: int) -> list[int]:
    """Every process below one, by the parents that /proc tells of."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                parent = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry))
    out: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        out += below
        todo += below
    return out


def _reap(process: "subprocess.Popen[bytes]") -> tuple[int, int]:
    """Exit status and CPU time of a process that has ended."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return code, int((used.ru_utime + used.ru_stime) * 1e6)


def _told(status_fd: int) -> int | None:
    """The exit status of the work as bubblewrap told it; None where it never came to run it, or was killed."""
    with os.fdopen(status_fd, "rb") as stream:
        for line in stream.read().splitlines():
            with suppress(ValueError):
                document = json.loads(line)
                if "exit-code" in document:
                    return int(document["exit-code"])
    return None
