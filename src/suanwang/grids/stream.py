"""Seeded draws: one stream for each kind of entity, so that one more site does not reshuffle every link.

splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014) over a blake3 hash of
(seed, names). The sequence is the same on every machine and every Python version.
"""

from collections.abc import Sequence
from typing import TypeVar

from blake3 import blake3

T = TypeVar("T")
_MASK = 2**64 - 1


class Stream:
    """A deterministic stream of draws, named by what it is for."""

    def __init__(self, seed: int, *names: str | int) -> None:
        self._state = int.from_bytes(blake3(repr((seed, *names)).encode()).digest()[:8], "big")

    def next64(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def between(self, least: int, most: int) -> int:
        """A whole number in [least, most]. The bias of the multiply is below 2**-32 for spans below 2**32."""
        assert least <= most, "a span is not empty"
        return least + (self.next64() * (most - least + 1) >> 64)

    def chance(self, permille: int) -> bool:
        """True `permille` times in a thousand."""
        return self.between(0, 999) < permille

    def pick(self, values: Sequence[T]) -> T:
        """One of `values`."""
        return values[self.between(0, len(values) - 1)]

    def some(self, values: Sequence[T], count: int) -> tuple[T, ...]:
        """`count` different ones of `values`, in their order there."""
        order = sorted(range(len(values)), key=lambda _: self.next64())
        return tuple(values[at] for at in sorted(order[:count]))
