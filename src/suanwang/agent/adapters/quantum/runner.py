"""The runner: a process that has the simulator loaded and forks a process of its own for every task.

Loading takes seconds and a fork takes milliseconds. The runner itself never simulates anything, since threads of a
simulation do not survive a fork. It speaks over one socket in packets of JSON, and ends, with all that runs, when the other
end is gone. `python -m suanwang.agent.adapters.quantum.runner DESCRIPTOR [UID GID]`.
"""

import contextlib
import ctypes
import importlib
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from suanwang.agent.adapters.quantum.simulate import Job, RefusedError, note, run
from suanwang.agent.adapters.quantum.wire import BROKEN, DONE, PACKET_BYTES_MAX, REFUSED
from suanwang.model.reason import FailureReason
from suanwang.texts import catalogue

SLACK_BYTES: Final = 256 << 20  # of address space: what is mapped and never used
STACK_BYTES: Final = 16 << 20  # of one thread
DESCRIPTORS: Final = 64
_NEW_NETWORK: Final = 0x40000000
_SET_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
_HEAD: Final = b'OPENQASM 3; include "stdgates.inc"; qubit[2] q; bit[2] c; '
# Between them they go every way through the simulator: method, circuit, errors in a million.
_TRIALS: Final = (
    ("automatic", b"h q[0]; cx q[0], q[1]; c = measure q;", 0),
    ("automatic", b"rx(1) q[0]; ctrl @ sx q[0], q[1]; c = measure q;", 1000),
    ("statevector", b"ry(1) q; c[0] = measure q[0]; if (c[0]) { x q[1]; } reset q[0]; c[1] = measure q[1];", 1000),
    ("matrix_product_state", b"u3(1, 2, 3) q[0]; cz q[0], q[1]; c = measure q;", 0),
    ("stabilizer", b"h q[0]; cx q[0], q[1]; c = measure q;", 1000),
    ("stabilizer", b"t q[0]; c = measure q;", 0),  # refused
    ("automatic", b"gone q[0];", 0),  # refused
)

User = tuple[int, int] | None


@dataclass(slots=True)
class Runner:
    channel: socket.socket
    user: User
    children: dict[int, str] = field(default_factory=dict)  # process -> task

    def serve(self) -> int:
        awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        try:
            while True:
                ready, _, _ = select.select([self.channel.fileno(), awake], [], [])
                if awake in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(awake, 4096)
                    self._reap()
                if self.channel.fileno() in ready and not self._hear():
                    return 0
        finally:
            for pid in self.children:
                _kill(pid)

    def _hear(self) -> bool:
        """Do what one packet says; False at the end."""
        try:
            packet = self.channel.recv(PACKET_BYTES_MAX)
        except ConnectionError:
            return False
        if not packet:
            return False
        order = json.loads(packet)
        if order["do"] == "start":
            self._start(order)
        else:
            for pid, task in self.children.items():
                if task == order["task"]:
                    _kill(pid)
        return True

    def _start(self, order: dict[str, Any]) -> None:
        pid = _forked(lambda: _task(order, self.user))
        self.children[pid] = order["task"]
        self.tell(told="begun", task=order["task"], pid=pid)

    def _reap(self) -> None:
        for pid, task in list(self.children.items()):
            found, status, used = os.wait4(pid, os.WNOHANG)
            if not found:
                continue
            del self.children[pid]
            core_us = round((used.ru_utime + used.ru_stime) * 1e6)
            self.tell(told="ended", task=task, status=status, core_us=core_us, memory=used.ru_maxrss * 1024)

    def tell(self, **facts: Any) -> None:
        with contextlib.suppress(ConnectionError):
            self.channel.send(json.dumps(facts).encode())


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _forked(part: Callable[[], int]) -> int:
    """A process that does one thing and ends."""
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    code = BROKEN
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _die_with(parent)
        code = part()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(BROKEN)


def _task(order: dict[str, Any], user: User) -> int:
    """A task, in its own process: opens what it needs, gives up every right, and then looks at the circuit."""
    parent = os.getppid()
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    target = os.open(order["result"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(order["circuit"], "rb") as stream:
        text = stream.read()
    job = Job(**order["job"])
    _bound(job, order["bytes_max"])
    _give_up(user)
    _die_with(parent)  # the change of the user has taken it back
    try:
        content, code = json.dumps(run(text, job, say=_say), indent=1).encode() + b"\n", DONE
    except RefusedError as fault:
        _say(f"refused: {fault.reason.value}: {fault.detail}")
        content, code = note(fault.reason, fault.detail), REFUSED
    except MemoryError:
        content, code = note(FailureReason.OUT_OF_MEMORY, f"needs more than {job.memory_bytes} bytes"), REFUSED
    try:
        _write(target, content)
    except OSError as fault:
        os.ftruncate(target, 0)
        os.lseek(target, 0, os.SEEK_SET)
        _write(target, note(FailureReason.DISK_FULL, f"the counts do not fit: {fault.strerror}"))
        return REFUSED
    return code


def _say(line: str) -> None:
    print(line, flush=True)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _give_up(user: User) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if user is not None:
        libc.unshare(_NEW_NETWORK)
        os.setgroups([])
        os.setresgid(user[1], user[1], user[1])
        os.setresuid(user[0], user[0], user[0])


def _bound(job: Job, bytes_max: int) -> None:
    """What this process may still take: memory above what is loaded, no core file, a result of a bounded size."""
    with open("/proc/self/statm", "rb") as stream:
        mapped = int(stream.read().split()[0]) * resource.getpagesize()
    room = mapped + job.memory_bytes + SLACK_BYTES + job.threads * STACK_BYTES
    for what, limit in (
        (resource.RLIMIT_AS, room),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, bytes_max),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
    ):
        _, hard = resource.getrlimit(what)
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (most, most))


# Loading ------------------------------------------------------------------------------------------------------


def _load() -> dict[str, str]:
    """The simulator, and everything that a first circuit would load besides, found by running one in a process of its own:
    later ones may no longer be able to read a file. Raises RuntimeError where that one does not run."""
    import qiskit
    import qiskit_aer

    importlib.import_module("suanwang.agent.adapters.quantum.build")
    catalogue("en")  # of what is told of a circuit that is refused
    before = set(sys.modules)
    reading, writing = os.pipe()

    def trial() -> int:
        logging.disable()  # two of them are refused, as they should be
        for method, text, errs in _TRIALS:
            job = Job(10, 1, method, errs, errs, errs, 2, 100, 1 << 30, 1, "trial")
            with contextlib.suppress(RefusedError):
                run(_HEAD + text, job, say=lambda _: None)
        os.write(writing, "\n".join(sorted(set(sys.modules) - before)).encode())
        return DONE

    pid = _forked(trial)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        names = stream.read().decode().split()
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"the simulator failed its trial run with status {os.waitstatus_to_exitcode(status)}")
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return {"qiskit": qiskit.__version__, "qiskit-aer": qiskit_aer.__version__}


def main(arguments: list[str]) -> int:
    channel = socket.socket(fileno=int(arguments[0]))
    os.set_inheritable(channel.fileno(), False)
    user = (int(arguments[1]), int(arguments[2])) if len(arguments) > 1 else None
    runner = Runner(channel, user)
    try:
        versions = _load()
    except (ImportError, RuntimeError) as fault:
        runner.tell(told="down", detail=str(fault)[:500])
        return 1
    runner.tell(told="ready", versions=versions)
    return runner.serve()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the agent, which then closes the socket
    sys.exit(main(sys.argv[1:]))
