"""The next hops of a candidate path: a member for each segment list and first link, and a group that weighs them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import lcm
from typing import Final

from suanwang.model.sr import WEIGHT_MAX
from suanwang.model.sr_program import Group, Hop, Item, Key, Member

# Ids are made from what they name, so that the same thing has the same id in every compilation: a group that keeps
# its id is replaced in place, with no packet lost. Next-hop ids of Linux have 32 bits.
MEMBER_FIRST: Final = 1 << 29
GROUP_FIRST: Final = 1 << 30
ID_SPAN: Final = 1 << 29


@dataclass
class Members:
    """The next hops of one router. Two things of one hash take neighbouring ids, in the order of compilation."""

    items: dict[Key, Item] = field(default_factory=dict)
    _groups: dict[int, str] = field(default_factory=dict)

    def member(self, hop: Hop, sids: tuple[str, ...]) -> int:
        at = _hash(f"{hop.gateway} {hop.device} {' '.join(sids)}")
        while True:
            made = Member(MEMBER_FIRST + at, hop, sids)
            if self.items.setdefault(made.key, made) == made:
                return made.id
            at = (at + 1) % ID_SPAN

    def group(self, name: str, weighted: Sequence[tuple[Sequence[int], int]]) -> int:
        """A group of lists (the members of its first links, its weight). The name decides the id."""
        at = _hash(name)
        while self._groups.setdefault(at, name) != name:
            at = (at + 1) % ID_SPAN
        made = Group(GROUP_FIRST + at, spread(weighted))
        self.items[made.key] = made
        return made.id


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big") % ID_SPAN


def spread(weighted: Sequence[tuple[Sequence[int], int]]) -> tuple[tuple[int, int], ...]:
    """Each list's weight spread evenly over its members, in whole numbers of at most WEIGHT_MAX.

    Exact where the numbers allow; else each is scaled and rounded, and none falls to 0.
    """
    scale = lcm(*(len(members) for members, _ in weighted))
    totals: dict[int, int] = {}
    for members, weight in weighted:
        for one in members:
            totals[one] = totals.get(one, 0) + weight * scale // len(members)
    most = max(totals.values())
    if most > WEIGHT_MAX:
        totals = {one: max(1, round(total * WEIGHT_MAX / most)) for one, total in totals.items()}
    return tuple(sorted(totals.items()))
