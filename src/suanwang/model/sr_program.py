"""What a router of an SRv6 domain has installed, or is to have: the compiled form of SR policies.

A program is a set of items, each with a key that is unique in its router. What is read back from a router has the
same form, so that wanted and installed are compared item by item. Prefixes and addresses are canonical IPv6 text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

# Metrics of routes to one prefix; Linux takes the lowest that lives.
METRIC_ACTIVE: Final = 100
METRIC_STANDBY: Final = 200
METRIC_UNDERLAY: Final = 1024  # what Linux gives where none is said; local SIDs have it too

IPV6_HEADER_BYTES: Final = 40
ROUTING_HEADER_BYTES: Final = 8  # RFC 8754, 2
SID_BYTES: Final = 16

Key = tuple[str | int, ...]


class Behavior(StrEnum):
    """RFC 8986, in the words of Linux."""

    END = "End"
    END_X = "End.X"
    END_DT6 = "End.DT6"
    END_B6_ENCAPS = "End.B6.Encaps"


class Hop(NamedTuple):
    """A neighbour: its address on the link, and the device towards it. Without an address only the device counts."""

    gateway: str
    device: str


class Source(NamedTuple):
    """The source address of the outer headers that a headend writes."""

    address: str

    @property
    def key(self) -> Key:
        return ("source",)


class Route(NamedTuple):
    """A plain route; more hops share by flow. `source` is the address that the router itself sends from."""

    prefix: str
    hops: tuple[Hop, ...]
    source: str = ""
    metric: int = METRIC_UNDERLAY

    @property
    def key(self) -> Key:
        return ("route", self.prefix, self.metric)


class LocalSid(NamedTuple):
    """A SID of this router. `gateway` is End.X's neighbour, `sids` are End.B6.Encaps's list in the order of travel.
    With `node_bits` above 0 the flavour is NEXT-CSID (RFC 9800): the argument moves up by so many bits."""

    prefix: str
    behavior: Behavior
    device: str
    gateway: str = ""
    sids: tuple[str, ...] = ()
    block_bits: int = 0
    node_bits: int = 0
    metric: int = METRIC_UNDERLAY

    @property
    def key(self) -> Key:
        return ("route", self.prefix, self.metric)


class Member(NamedTuple):
    """A next hop that encapsulates: it lives as long as its hop's device. `sids` in the order of travel. The mode
    `encap.red` leaves the first SID out of the routing header, and the header out where there is one (RFC 8986, 5.2)."""

    id: int
    hop: Hop
    sids: tuple[str, ...]
    mode: str = "encap.red"

    @property
    def key(self) -> Key:
        return ("member", self.id)


class Group(NamedTuple):
    """Members with weights; flows keep to one member."""

    id: int
    members: tuple[tuple[int, int], ...]  # (id, weight), ascending by id

    @property
    def key(self) -> Key:
        return ("group", self.id)


class Steer(NamedTuple):
    """Traffic to a prefix goes through a group. It yields to the next metric when no member of the group lives. A
    `table` above 0 is one of its own: that of what comes out of a protection function."""

    prefix: str
    group: int
    metric: int
    table: int = 0

    @property
    def key(self) -> Key:
        return ("route", self.prefix, self.metric, *([self.table] if self.table else []))


Item = Source | Route | LocalSid | Member | Group | Steer


@dataclass(frozen=True, slots=True)
class RouterProgram:
    """All items of one router by key."""

    router: str
    items: Mapping[Key, Item] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlacedList:
    """One segment list as installed: the member of each first link, and what it costs each packet."""

    members: tuple[int, ...]
    sids: tuple[str, ...]
    weight: int
    overhead_bytes: int
    links: frozenset[str]  # directed links that a packet may take, by name


@dataclass(frozen=True, slots=True)
class PlacedPolicy:
    """Where a policy went: its groups and lists at the headend, and its binding SID."""

    headend: str
    color: int
    endpoint: str
    active_group: int
    standby_group: int | None
    active: tuple[PlacedList, ...]
    standby: tuple[PlacedList, ...]
    binding_sid: str  # empty where it has none


def program_of(router: str, items: Iterable[Item]) -> RouterProgram:
    """The program of some items; two with one key are a mistake of ours."""
    out: dict[Key, Item] = {}
    for item in items:
        held = out.setdefault(item.key, item)
        assert held == item, f"{router} has two different {item.key}"
    return RouterProgram(router, out)


def overhead_bytes(sids: int, reduced: bool) -> int:
    """What encapsulation adds to a packet (RFC 8986, 5.1 and 5.2; RFC 8754, 2)."""
    assert sids >= 1
    in_header = sids - 1 if reduced else sids
    return IPV6_HEADER_BYTES + (ROUTING_HEADER_BYTES + SID_BYTES * in_header if in_header else 0)
