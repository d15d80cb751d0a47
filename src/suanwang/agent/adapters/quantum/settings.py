"""What the operator says of a quantum site's devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import PoolId
from suanwang.model.task import Noise, SimulationMethod
from suanwang.model.units import GIB, MIB, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, Bytes, SpanUs

CHINA_US: Final = 8 * US_PER_HOUR  # times of day are of UTC+8, as those of tariffs
QUEUE_US: Final = 10 * US_PER_MINUTE  # the longest wait at a device, where the task does not say
START_S: Final = 120.0  # from the start of the runner to its first word; it imports and tries out the simulator


class Calibration(Value):
    """A time of every day in which the device takes no new circuit."""

    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]  # of UTC+8
    span: Annotated[SpanUs, Field(ge=1_000_000, le=US_PER_DAY - 1)]

    @property
    def at_us(self) -> int:
        hours, minutes = self.at.split(":")
        return int(hours) * US_PER_HOUR + int(minutes) * US_PER_MINUTE


class DeviceFile(Value):
    """One pool's device. Its qubits are the pool's own where nothing is given; the pool's nodes are its processors."""

    qubits: Annotated[int, Field(ge=1, le=100_000)] | None = None
    depth_max: Annotated[int, Field(ge=1, le=10**7)] = 100_000
    shots_max: Annotated[int, Field(ge=1, le=10**9)] = 1_000_000
    methods: Annotated[tuple[SimulationMethod, ...], Field(min_length=1)] = (
        "automatic",
        "statevector",
        "matrix_product_state",
        "stabilizer",
    )
    memory: Annotated[Bytes, Field(ge=64 * MIB)] = 2 * GIB  # of one circuit at work
    threads: Annotated[int, Field(ge=1, le=1024)] = 1  # of one circuit at work
    noise: Noise = Noise()  # of the device itself
    calibration: tuple[Calibration, ...] = ()


class QuantumFile(Value):
    """The operator's file. `devices` are pools of the grid, by their ids."""

    devices: Annotated[dict[PoolId, DeviceFile], Field(min_length=1)]
    # Whom circuits run as, where the agent is root; they hold no code, and are given no rights.
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")] = "nobody"


@dataclass(frozen=True, slots=True)
class Device:
    """A pool's device, with everything known. `processors` circuits run at once, each on its own processor."""

    pool: PoolId
    qubits: int
    processors: int
    file: DeviceFile = field(default_factory=DeviceFile)

    def until_us(self, now_us: int) -> int | None:
        """The end of the calibration that is on, in Unix time; None where there is none."""
        into_us = (now_us + CHINA_US) % US_PER_DAY
        ends = []
        for window in self.file.calibration:
            since_us = (into_us - window.at_us) % US_PER_DAY
            if since_us < window.span:
                ends.append(now_us - since_us + window.span)
        return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class QuantumSettings:
    """`folder` is the adapter's own. `user`: uid and gid of whom circuits run as; None: who the agent is."""

    folder: Path
    devices: Mapping[PoolId, Device]
    python: tuple[str, ...]  # the interpreter that has the simulator
    user: tuple[int, int] | None = None
    log_bytes_max: int = 16 * MIB
    start_s: float = START_S
    emulated: bool = False  # these devices stand in for others' pools
    environment: Mapping[str, str] = field(default_factory=dict)  # of the runner, besides its own
