"""Counters of routers as use of policies and links between two readings. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from suanwang.agent.adapters.srv6.port import Count, Counters
from suanwang.model.sr_program import PlacedList, PlacedPolicy

BITS = 8
Readings = Mapping[str, Counters]


@dataclass(frozen=True, slots=True)
class ListUse:
    """Packets that took one segment list."""

    sids: tuple[str, ...]
    weight: int
    packets: int


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """What a headend sent into a policy, counted by the kernel at the choice of the next hop. Traffic by the binding SID
    is `bound`. Lists with the same SIDs and hops in one policy share a member, and then a count."""

    headend: str
    color: int
    endpoint: str
    active: tuple[ListUse, ...]
    standby: tuple[ListUse, ...]
    bound: Count

    @property
    def packets(self) -> int:
        return sum(one.packets for one in (*self.active, *self.standby)) + self.bound.packets


@dataclass(frozen=True, slots=True)
class LinkUse:
    """What left a router by one device."""

    router: str
    device: str
    packets: int
    bytes: int
    dropped: int
    bandwidth_bps: int  # the mean of the interval


def policy_use(placed: Iterable[PlacedPolicy], before: Readings, after: Readings) -> list[PolicyUse]:
    """Of each policy. A router without a reading counts 0."""
    none = Counters({}, {}, {}, {})
    out = []
    for one in placed:
        old, new = before.get(one.headend, none), after.get(one.headend, none)
        standby: tuple[ListUse, ...] = ()
        if one.standby_group is not None:
            standby = _lists(one.standby, one.standby_group, old, new)
        prefix = f"{one.binding_sid}/64"
        bound = _grown(old.sids.get(prefix, Count(0, 0)), new.sids.get(prefix, Count(0, 0)))
        active = _lists(one.active, one.active_group, old, new)
        out.append(PolicyUse(one.headend, one.color, one.endpoint, active, standby, bound))
    return out


def link_use(before: Readings, after: Readings, interval_us: int) -> list[LinkUse]:
    """Of every device of every router that has both readings."""
    assert interval_us > 0
    out = []
    for router in sorted(before.keys() & after.keys()):
        old, new = before[router], after[router]
        for device in sorted(new.sent):
            grown = _grown(old.sent.get(device, Count(0, 0)), new.sent[device])
            dropped = _more(old.dropped.get(device, 0), new.dropped.get(device, 0))
            bps = grown.bytes * BITS * 1_000_000 // interval_us
            out.append(LinkUse(router, device, grown.packets, grown.bytes, dropped, bps))
    return out


def _lists(lists: tuple[PlacedList, ...], group: int, old: Counters, new: Counters) -> tuple[ListUse, ...]:
    def packets(member: int) -> int:
        key = (group, member)
        return _more(old.members.get(key, 0), new.members.get(key, 0))

    return tuple(ListUse(one.sids, one.weight, sum(map(packets, one.members))) for one in lists)


def _grown(old: Count, new: Count) -> Count:
    return Count(_more(old.packets, new.packets), _more(old.bytes, new.bytes))


def _more(old: int, new: int) -> int:
    """What a counter grew by; one that is less than it was began again, since its route or group was written anew."""
    return new - old if new >= old else new
