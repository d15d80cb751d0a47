"""Time as slots: a window takes every slot that it touches, so what is promised holds at each instant of it."""

from dataclasses import dataclass

from suanwang.model.error import Fault, FaultsError


@dataclass(frozen=True)
class Calendar:
    """`slots` slots of `slot_us`, the first beginning at `start_us`. `Engine.advance` drops slots that have passed."""

    start_us: int
    slot_us: int
    slots: int

    def __post_init__(self) -> None:
        assert self.slot_us > 0 and self.slots > 0

    @property
    def end_us(self) -> int:
        return self.start_us + self.slot_us * self.slots

    def window(self, begin_us: int, end_us: int) -> tuple[int, int]:
        """The slots of [begin_us, end_us). Raises FaultsError where that is empty or leaves the calendar."""
        faults, got = [], f"{begin_us}..{end_us}"
        if begin_us >= end_us:
            faults.append(Fault("calendar_empty", "window", got))
        if begin_us < self.start_us or end_us > self.end_us:
            faults.append(Fault("calendar_outside", "window", got, None, {"start": self.start_us, "end": self.end_us}))
        if faults:
            raise FaultsError(faults, "window")
        return (begin_us - self.start_us) // self.slot_us, -(-(end_us - self.start_us) // self.slot_us)

    def later(self, now_us: int) -> tuple["Calendar", int]:
        """The calendar whose first slot holds `now_us`, and how many slots have passed."""
        passed = max(0, (now_us - self.start_us) // self.slot_us)
        return Calendar(self.start_us + passed * self.slot_us, self.slot_us, self.slots), passed
