"""What a protection function is to the lab: it works inside a namespace, counts, and may die."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from suanwang.model.grid import ProtectionFunction


@dataclass(frozen=True)
class Place:
    """Where a function works: packets come in by one device and leave by the other. `folder` is its own, mode 0700,
    and goes with it."""

    namespace: str
    inward: str
    outward: str
    folder: Path


@dataclass(frozen=True)
class Counter:
    packets: int
    bytes: int


@dataclass(frozen=True)
class Looked:
    """What there is of a function now: whether it works, and what it counted by its own names."""

    alive: bool
    counters: dict[str, Counter]


class Function(Protocol):
    """A new kind is a class with these. The namespace forwards already; what is started in it ends with it."""

    @property
    def kind(self) -> ProtectionFunction: ...

    def start(self, place: Place, lock: int) -> None:
        """Begin to protect. Children hold the file `lock` open while they change anything; one that goes on working (a
        sensor) does not. Raises UnreachableError."""

    def counters(self, place: Place) -> dict[str, Counter]:
        """What it saw, by its own names. Raises UnreachableError where there is nothing that could tell."""
