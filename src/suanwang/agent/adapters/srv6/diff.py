"""Wanted against installed, as steps in three phases. Pure.

Prepare adds what no packet meets yet; switch changes where packets go, each change in one step of the kernel; clean
removes what nothing uses any more. Done in this order over all routers, no packet is sent to a SID that is not there.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from suanwang.agent.adapters.srv6.port import Action, Step
from suanwang.model.sr_program import Group, Hop, Item, Key, LocalSid, Member, Route, Source, Steer

# What an item needs comes before it.
_ORDER: Final[dict[type, int]] = {Source: 0, Route: 1, LocalSid: 2, Member: 3, Group: 4, Steer: 5}


class Phases(NamedTuple):
    prepare: tuple[Step, ...]
    switch: tuple[Step, ...]
    clean: tuple[Step, ...]

    @property
    def steps(self) -> int:
        return len(self.prepare) + len(self.switch) + len(self.clean)


def difference(installed: Mapping[Key, Item], wanted: Mapping[Key, Item]) -> Phases:
    """The steps from one to the other."""
    new = [item for key, item in wanted.items() if key not in installed]
    changed = [item for key, item in wanted.items() if key in installed and installed[key] != item]
    gone = [item for key, item in installed.items() if key not in wanted]
    prepare = [Step(Action.ADD, item) for item in _sorted(new) if not _moves_packets(item)]
    steers = [Step(Action.ADD, item) for item in _sorted(new) if _moves_packets(item)]
    replaced = [Step(Action.REPLACE, item) for item in _sorted(changed)]
    clean = [Step(Action.REMOVE, item) for item in reversed(_sorted(gone))]
    return Phases(tuple(prepare), (*replaced, *steers), tuple(clean))


def possible(wanted: Mapping[Key, Item], down: frozenset[str]) -> dict[Key, Item]:
    """What of it a router can hold while some devices are down: the kernel drops the rest by itself, and would refuse
    it. Groups shrink, and what has nothing left to go over is left out until the device is up again."""
    if not down:
        return dict(wanted)
    out: dict[Key, Item] = {}
    for key, item in sorted(wanted.items(), key=lambda one: _ORDER[type(one[1])]):
        kept = _left(item, down, out)
        if kept is not None:
            out[key] = kept
    return out


def _left(item: Item, down: frozenset[str], before: Mapping[Key, Item]) -> Item | None:
    match item:
        case Route():
            hops = living(item.hops, down)
            return item._replace(hops=hops) if hops else None
        case LocalSid():
            return None if item.device in down else item
        case Member():
            return None if item.hop.device in down else item
        case Group():
            members = tuple(one for one in item.members if ("member", one[0]) in before)
            return item._replace(members=members) if members else None
        case Steer():
            return item if ("group", item.group) in before else None
        case Source():
            return item


def living(hops: Iterable[Hop], down: frozenset[str]) -> tuple[Hop, ...]:
    return tuple(hop for hop in hops if hop.device not in down)


def _moves_packets(item: Item) -> bool:
    return isinstance(item, Steer | Source)


def _sorted(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (_ORDER[type(item)], item.key))
