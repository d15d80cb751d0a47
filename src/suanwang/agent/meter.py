"""What an attempt has used and how far it is, summed over its elements; and when that is worth an update. Pure."""

from typing import Final

from suanwang.model.event import Usage

PROGRESS_EVERY_US: Final = 500_000  # the page redraws no faster; each report is an event with a sync
USAGE_EVERY_US: Final = 2_000_000  # where nothing but the figures is new


class Meter:
    """Of one attempt. Times are of the agent's monotonic clock, in microseconds. Not thread-safe."""

    def __init__(self, elements: int) -> None:
        self._elements = elements
        self._usages: dict[int, Usage] = {}  # of each element, the newest since its own start
        self._permille: dict[int, int] = {}
        self._began_us: int | None = None
        self._told_us = 0
        self._told: int | None = None
        self.bytes_in = 0

    @property
    def began(self) -> bool:
        return self._began_us is not None

    def begin(self, now_us: int) -> None:
        """The attempt runs from now on."""
        self._began_us = self._told_us = now_us

    def seen(self, index: int, permille: int | None, usage: Usage | None) -> None:
        """What an element shows while it runs; `usage` is None where nothing measures it before its end."""
        if permille is not None:
            self._permille[index] = permille
        if usage is not None:
            self._usages[index] = usage

    def ended(self, index: int, usage: Usage, done: bool) -> None:
        """An element's last figures. Of an array, one that is done is a known part of the whole."""
        self._usages[index] = usage
        if done and self._elements > 1:
            self._permille[index] = 1000

    def measure(self, index: int, core_us: int, memory_peak_bytes: int) -> None:
        """What an accounting says of an element that has ended, where it says more than was known."""
        one = self._usages.get(index, Usage())
        known = {
            "core_us": core_us or one.core_us,
            "memory_peak_bytes": memory_peak_bytes or one.memory_peak_bytes,
        }
        self._usages[index] = one.model_copy(update=known)

    @property
    def fraction_permille(self) -> int | None:
        """How far the whole is; None where no element has told anything."""
        return min(1000, sum(self._permille.values()) // self._elements) if self._permille else None

    def due(self, now_us: int) -> bool:
        """True where an update is worth its price now. The caller then sends it: the next counts from here."""
        waited_us, fraction = now_us - self._told_us, self.fraction_permille
        moved = fraction != self._told and (self._told is None or waited_us >= PROGRESS_EVERY_US)
        measured = bool(self._usages) and waited_us >= USAGE_EVERY_US
        if self._began_us is None or not (moved or measured):
            return False
        self._told_us, self._told = now_us, fraction
        return True

    @property
    def measured(self) -> bool:
        """True where there are figures to tell."""
        return bool(self._usages)

    def usage(self, now_us: int, bytes_out: int = 0) -> Usage:
        """Sums over the elements; peaks are of the largest element."""
        parts = self._usages.values()
        return Usage(
            wall_us=max(0, now_us - self._began_us) if self._began_us is not None else 0,
            core_us=sum(part.core_us for part in parts),
            memory_byte_us=sum(part.memory_byte_us for part in parts),
            memory_peak_bytes=max((part.memory_peak_bytes for part in parts), default=0),
            bytes_in=self.bytes_in,
            bytes_out=bytes_out,
            processes_peak=max((part.processes_peak for part in parts), default=0),
        )
