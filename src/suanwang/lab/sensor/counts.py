"""The counters of a sensor: a file of whole numbers that the sensor writes in place and others read at any moment.

Rows of three unsigned 64-bit numbers in the machine's order: (sid, packets, bytes). The first three rows have no sid:
what was seen, what the kernel dropped before the sensor took it, and what was seen but could not be looked into.
"""

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FIXED: Final = ("seen", "not_seen", "not_inspected")
ROW: Final = 3
BYTES_EACH: Final = 8


class Counts:
    """The writer's side."""

    def __init__(self, file: Path, sids: Sequence[int]) -> None:
        rows = len(FIXED) + len(sids)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.ftruncate(handle, rows * ROW * BYTES_EACH)
            self.cells = memoryview(mmap.mmap(handle, rows * ROW * BYTES_EACH)).cast("Q")
        finally:
            os.close(handle)
        for at, sid in enumerate(sids, start=len(FIXED)):
            self.cells[at * ROW] = sid

    def add(self, row: int, packets: int, size: int) -> None:
        self.cells[row * ROW + 1] += packets
        self.cells[row * ROW + 2] += size


def read(file: Path) -> dict[str, tuple[int, int]]:
    """name -> (packets, bytes); `sid_<n>` counts alerts, and the bytes of the packets that they are about. Empty where
    there is no file."""
    try:
        data = file.read_bytes()
    except OSError:
        return {}
    cells = memoryview(data[: len(data) // (ROW * BYTES_EACH) * ROW * BYTES_EACH]).cast("Q")
    rows = [tuple(cells[at : at + ROW]) for at in range(0, len(cells), ROW)]
    return {
        FIXED[at] if at < len(FIXED) else f"sid_{sid}": (packets, size) for at, (sid, packets, size) in enumerate(rows)
    }
