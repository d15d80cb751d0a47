"""What the adapter needs of a router: read what is installed, write steps in order, read counters.

`linux`, `fake` and `dry_run` are drivers; tests/agent/srv6_contract.py holds each to this page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from suanwang.model.sr_program import Item, Key

# Our number among the kernel's route protocols: only what has it is read, replaced or removed.
PROTOCOL: Final = 214


class Action(StrEnum):
    ADD = "add"  # refused where something has the key, ours or not
    REPLACE = "replace"  # of what is ours, in place: no packet is lost
    REMOVE = "remove"


class Step(NamedTuple):
    action: Action
    item: Item


@dataclass(frozen=True, slots=True)
class Installed:
    """What a router has of ours, by key, and its devices that carry nothing now."""

    items: Mapping[Key, Item]
    down: frozenset[str]


class Count(NamedTuple):
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since installation: packets that each local SID (by prefix) took, what each device sent, what it dropped
    on the way out, and packets by (group, member)."""

    sids: Mapping[str, Count]
    sent: Mapping[str, Count]
    dropped: Mapping[str, int]
    members: Mapping[tuple[int, int], int]


class Driver(Protocol):
    """One way to reach routers. Every call raises NetworkError where the router refuses or is not there."""

    def read(self, router: str) -> Installed: ...

    def write(self, router: str, steps: Sequence[Step]) -> None:
        """Take the steps in order. After an error those before the one that failed are done, and no other."""

    def counters(self, router: str) -> Counters: ...
