"""A benchmark of some seconds of the host that an agent is on: what it really gives, beside what it says of itself.

Every figure is the best of a few tries, since whatever else runs only ever takes away. Nothing is left behind.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from suanwang.model.joining import Measured

MATRIX: Final = 1_024
COPY_BYTES: Final = 64 * 1024**2
DISK_BYTES: Final = 32 * 1024**2
TRIES: Final = 3

Clock = Callable[[], int]  # microseconds that never go back


def measure_host(folder: Path, monotonic_us: Clock) -> Measured:
    """Cores, linear algebra, memory, disk. About two seconds; needs 32 MiB of disk in `folder` and 150 MiB of memory."""
    write_bytes_s, sync_us = _disk(folder, monotonic_us)
    return Measured(
        cores=len(os.sched_getaffinity(0)),
        matmul_fp64_mflops=_matmul(monotonic_us),
        memory_bytes_s=_memory(monotonic_us),
        disk_write_bytes_s=write_bytes_s,
        disk_sync_us=sync_us,
    )


def _best(work: Callable[[], object], monotonic_us: Clock) -> int:
    """The shortest of a few runs, in microseconds, 1 at least."""
    work()  # the first one fills caches and starts threads
    times = []
    for _ in range(TRIES):
        begun_us = monotonic_us()
        work()
        times.append(monotonic_us() - begun_us)
    return max(1, min(times))


def _matmul(monotonic_us: Clock) -> int:
    """Millions of floating-point operations a second of a dense product in double precision, on all cores."""
    side = np.linspace(0.0, 1.0, MATRIX * MATRIX).reshape(MATRIX, MATRIX)
    out = np.empty_like(side)
    best_us = _best(lambda: np.matmul(side, side, out=out), monotonic_us)
    return 2 * MATRIX**3 // best_us


def _memory(monotonic_us: Clock) -> int:
    """Bytes a second that a copy moves: as many read as written."""
    source = np.ones(COPY_BYTES // 8)
    target = np.empty_like(source)
    best_us = _best(lambda: np.copyto(target, source), monotonic_us)
    return 2 * COPY_BYTES * 1_000_000 // best_us


def _disk(folder: Path, monotonic_us: Clock) -> tuple[int, int]:
    """Bytes a second of a write that has reached the disk, and how long a small one takes to."""
    path = folder / f"measure-{os.getpid()}"
    block = np.arange(DISK_BYTES // 8, dtype=np.int64).tobytes()
    try:
        with path.open("wb", buffering=0) as file:

            def put(data: bytes) -> None:
                file.seek(0)
                file.write(data)
                os.fsync(file.fileno())

            large_us = _best(lambda: put(block), monotonic_us)
            small_us = _best(lambda: put(b"x"), monotonic_us)
        return DISK_BYTES * 1_000_000 // large_us, small_us
    finally:
        with suppress(OSError):
            path.unlink()
