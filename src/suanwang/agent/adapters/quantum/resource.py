"""What a quantum resource does, in the shape of QRMI, the Quantum Resource Management Interface (its trait
`QuantumResource`): a device is acquired, a task is started on it, watched, its result taken, and the device released.

Taken over: `resource_id`, `status` (online, busy, paused, offline), `acquire`, `release`, `task_start`, `task_stop`,
`task_status` (its five states), `task_result`, `task_logs`, `target`, `metadata`. Different: nothing here waits, so `acquire`
gives None while every processor is held; a payload is a circuit in OpenQASM with shots, not a vendor's primitive; and a result
also says what it took.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from suanwang.agent.verdict import Verdict
from suanwang.model.task import Noise, SimulationMethod


class Standing(StrEnum):
    ONLINE = "online"
    BUSY = "busy"  # every processor is held
    PAUSED = "paused"  # a calibration
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class ResourceStatus:
    standing: Standing
    reason: str = ""
    until_us: int | None = None  # of a pause, in Unix time


class TaskStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Target:
    """The device as who writes a circuit sees it."""

    qubits: int
    depth_max: int
    shots_max: int
    methods: tuple[SimulationMethod, ...]
    noise: Noise


@dataclass(frozen=True, slots=True)
class Payload:
    """One circuit to run. Its text is in `circuit`; the counts are written to `result`, what the device says to `log`."""

    circuit: Path
    result: Path
    log: Path
    qubits: int  # asked for: a circuit from a file may have no more
    shots: int
    seed: int
    method: SimulationMethod
    noise: Noise
    bytes_max: int  # of the result


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a task came to. `verdict` has no reason where it was completed, and where it was stopped."""

    status: TaskStatus
    verdict: Verdict
    core_us: int = 0
    memory_peak_bytes: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)


class QuantumResource(Protocol):
    """One device. No call waits for anything."""

    @property
    def resource_id(self) -> str: ...

    def status(self, now_us: int) -> ResourceStatus: ...

    def target(self) -> Target: ...

    def metadata(self) -> Mapping[str, str]:
        """Of the backend: names and versions."""

    def acquire(self) -> str | None:
        """A token for one processor; None while all are held."""

    def release(self, token: str) -> None:
        """The processor is free again. Nothing where the token holds none."""

    def task_start(self, token: str, payload: Payload) -> str:
        """The id of the task that is now on the processor of the token."""

    def task_stop(self, task_id: str) -> None:
        """End a task; it is CANCELLED soon. Nothing where it is unknown or has ended."""

    def task_status(self, task_id: str) -> TaskStatus: ...

    def task_result(self, task_id: str) -> TaskResult:
        """What a task that has ended came to. It is forgotten with this."""
