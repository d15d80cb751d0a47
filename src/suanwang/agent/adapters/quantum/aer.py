"""Devices that are simulated by qiskit-aer: the resource of each pool over one runner."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from suanwang.agent.adapters.quantum.resource import (
    Payload,
    ResourceStatus,
    Standing,
    Target,
    TaskResult,
    TaskStatus,
)
from suanwang.agent.adapters.quantum.settings import Device, QuantumSettings
from suanwang.agent.adapters.quantum.simulate import Job
from suanwang.agent.adapters.quantum.wire import PACKET_BYTES_MAX, REFUSED
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason

AGAIN_US: Final = 30_000_000  # from a start of the runner that failed to the next one
END_S: Final = 5.0
KILLED: Final = int(signal.SIGKILL)
_MODULE: Final = "suanwang.agent.adapters.quantum.runner"

Heard = Callable[[int, dict[str, Any]], None]
Wake = Callable[[Callable[[], None]], None]  # has something done on the thread that calls everything here


class RunnerProcess:
    """One runner. What it tells comes to `heard` on a thread of its own, with the number of the runner; its end as `gone`."""

    def __init__(self, number: int, settings: QuantumSettings, heard: Heard) -> None:
        """Raises OSError where the interpreter cannot be started."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        user = () if settings.user is None else tuple(str(one) for one in settings.user)
        try:
            self._process = subprocess.Popen(
                [*settings.python, "-m", _MODULE, str(theirs.fileno()), *user],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(settings),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._number, self._channel, self._heard = number, ours, heard
        self._thread = threading.Thread(target=self._listen, name="quantum-runner", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError):
            while packet := self._channel.recv(PACKET_BYTES_MAX):
                self._heard(self._number, json.loads(packet))
        self._heard(self._number, {"told": "gone"})

    def send(self, **order: Any) -> None:
        """What does not get through is told as `gone` soon."""
        with suppress(OSError):
            self._channel.send(json.dumps(order).encode())

    def close(self, *, listens: bool) -> None:
        """End it, with all that runs. One that does not listen yet, since it still loads, is killed."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        if not listens:
            self._process.kill()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._channel.close()


def _environment(settings: QuantumSettings) -> dict[str, str]:
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    own["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    # One arena: the address space of a task is bounded, and each arena takes 64 MiB of it.
    return {**own, "MALLOC_ARENA_MAX": "1", "QISKIT_PARALLEL": "FALSE", **settings.environment}


@dataclass(slots=True)
class _Task:
    device: Device
    payload: Payload
    status: TaskStatus = TaskStatus.QUEUED
    stopped: bool = False
    result: TaskResult | None = None
    pid: int | None = None


class AerHost:
    """The runner and what is at work on it. One thread calls it; `wake` is called from another when there is news."""

    def __init__(self, settings: QuantumSettings, monotonic: Callable[[], int], wake: Wake) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._wake = wake
        self._runner: RunnerProcess | None = None
        self._number = 0
        self._ready = False
        self._again_us = 0
        self._count = 0
        self.down = ""  # why the last start failed; empty while it starts or works
        self.versions: dict[str, str] = {}
        self.tasks: dict[str, _Task] = {}

    def keep_up(self) -> None:
        """Start the runner where there is none and it is time to try."""
        if self._runner is not None or self._monotonic() < self._again_us:
            return
        self._number += 1
        try:
            self._runner = RunnerProcess(self._number, self._settings, self._hand_over)
        except OSError as fault:
            self._fail(f"the simulator's process cannot be started: {fault}")

    def _hand_over(self, number: int, facts: dict[str, Any]) -> None:
        self._wake(partial(self.heard, number, facts))

    @property
    def ready(self) -> bool:
        return self._ready

    def heard(self, number: int, facts: dict[str, Any]) -> None:
        if number != self._number or self._runner is None:
            return
        match facts["told"]:
            case "ready":
                self._ready, self.down, self.versions = True, "", facts["versions"]
            case "down":
                self.down = facts["detail"]
            case "begun":
                task = self.tasks.get(facts["task"])
                if task is not None:
                    task.status, task.pid = TaskStatus.RUNNING, facts["pid"]
            case "ended":
                self._ended(facts)
            case "gone":
                self._gone()

    def start(self, device: Device, payload: Payload) -> str:
        assert self._runner is not None and self._ready, "started on a device that is online"
        self._count += 1
        task_id = f"{device.pool}-{self._count}"
        self.tasks[task_id] = _Task(device, payload)
        self._runner.send(
            do="start",
            task=task_id,
            circuit=str(payload.circuit),
            result=str(payload.result),
            log=str(payload.log),
            bytes_max=payload.bytes_max,
            job=asdict(_job(device, payload)),
        )
        return task_id

    def stop(self, task_id: str) -> None:
        task = self.tasks.get(task_id)
        if task is None or task.result is not None or task.stopped:
            return
        task.stopped = True
        if self._runner is not None:
            self._runner.send(do="kill", task=task_id)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close(listens=self._ready)
            self._runner = None

    def _ended(self, facts: Mapping[str, Any]) -> None:
        task = self.tasks.get(facts["task"])
        if task is None:
            return
        verdict = _verdict(task, os.waitstatus_to_exitcode(facts["status"]))
        task.status = TaskStatus.COMPLETED if verdict.exit_code == 0 else TaskStatus.FAILED
        if task.stopped and verdict.exit_code != 0:
            task.status = TaskStatus.CANCELLED
        task.result = TaskResult(task.status, verdict, facts["core_us"], facts["memory"], self.versions)

    def _gone(self) -> None:
        """The runner's process has ended, and with it all that was at work."""
        runner, self._runner = self._runner, None
        assert runner is not None, "only one that was there can go"
        runner.close(listens=True)  # it is gone, or about to be
        was_ready, self._ready = self._ready, False
        if not was_ready:
            self._fail(self.down or "the simulator's process ended before it was ready")
        for task in self.tasks.values():
            if task.result is None:
                verdict = Verdict(FailureReason.BACKEND, detail="the device's process ended under the circuit")
                task.status = TaskStatus.CANCELLED if task.stopped else TaskStatus.FAILED
                task.result = TaskResult(task.status, Verdict(None) if task.stopped else verdict)

    def _fail(self, why: str) -> None:
        self.down, self._again_us = why, self._monotonic() + AGAIN_US


def _job(device: Device, payload: Payload) -> Job:
    noise = payload.noise
    return Job(
        shots=payload.shots,
        seed=payload.seed,
        method=payload.method,
        gate1_ppm=noise.gate1_ppm,
        gate2_ppm=noise.gate2_ppm,
        readout_ppm=noise.readout_ppm,
        qubits_max=min(device.qubits, payload.qubits),
        depth_max=device.file.depth_max,
        memory_bytes=device.file.memory,
        threads=device.file.threads,
        device=device.pool,
    )


def _verdict(task: _Task, code: int) -> Verdict:
    """From the end of the task's process to why. What it says itself comes first, then the hand that ended it."""
    if code == 0:
        return Verdict(None, exit_code=0)
    if task.stopped:
        return Verdict(None)
    if code == REFUSED:
        return _told(task)
    if code < 0:
        return Verdict(FailureReason.SIGNAL, signal=-code)
    # Not the site's fault, which would be tried again without end: the same circuit would end the same way.
    return Verdict(FailureReason.EXIT_CODE, exit_code=code, detail="the simulator failed; its words are in the log")


def _told(task: _Task) -> Verdict:
    try:
        told = json.loads(task.payload.result.read_bytes())
        reason, detail = FailureReason(told["reason"]), str(told["detail"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        return Verdict(FailureReason.BACKEND, detail=f"the simulator's note cannot be read: {fault}")
    signal_told = KILLED if reason is FailureReason.OUT_OF_MEMORY else None
    return Verdict(reason, signal=signal_told, detail=detail)


class AerDevice:
    """A `QuantumResource`: one pool's device on the host's runner."""

    def __init__(self, device: Device, host: AerHost) -> None:
        self._device = device
        self._host = host
        self._held: dict[str, str | None] = {}  # token -> its task
        self._count = 0

    @property
    def resource_id(self) -> str:
        return self._device.pool

    def status(self, now_us: int) -> ResourceStatus:
        if self._host.down:
            return ResourceStatus(Standing.OFFLINE, self._host.down)
        until_us = self._device.until_us(now_us)
        if until_us is not None:
            return ResourceStatus(Standing.PAUSED, "calibration", until_us)
        if not self._host.ready:
            return ResourceStatus(Standing.BUSY, "starting")
        if len(self._held) >= self._device.processors:
            return ResourceStatus(Standing.BUSY, "at work")
        return ResourceStatus(Standing.ONLINE)

    def target(self) -> Target:
        file = self._device.file
        return Target(self._device.qubits, file.depth_max, file.shots_max, file.methods, file.noise)

    def metadata(self) -> Mapping[str, str]:
        return {"backend": "qiskit-aer", **self._host.versions}

    def acquire(self) -> str | None:
        if len(self._held) >= self._device.processors:
            return None
        self._count += 1
        token = f"{self._device.pool}:{self._count}"
        self._held[token] = None
        return token

    def release(self, token: str) -> None:
        task_id = self._held.pop(token, None)
        if task_id is not None:
            self._host.stop(task_id)

    def task_start(self, token: str, payload: Payload) -> str:
        if token not in self._held:
            raise BackendError(FailureReason.BACKEND, f"{token} holds no processor")
        task_id = self._held[token] = self._host.start(self._device, payload)
        return task_id

    def task_stop(self, task_id: str) -> None:
        self._host.stop(task_id)

    def task_status(self, task_id: str) -> TaskStatus:
        return self._host.tasks[task_id].status

    def task_result(self, task_id: str) -> TaskResult:
        result = self._host.tasks.pop(task_id).result
        assert result is not None, "asked for after the end"
        return result
