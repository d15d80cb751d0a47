"""The ways of one reservation: one, or two that share no link and no shared-risk group, so that no one failure of a link
or a group takes both. Both are held for the whole of it: at a cut nothing has to be searched, and the room is there."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from suanwang.livenet.held import LineBook
from suanwang.livenet.paths import LivePaths
from suanwang.model.network import NoWay, Refusal
from suanwang.model.plan import Hold
from suanwang.model.reservation import Reservation, ReservedWay, Wanted
from suanwang.net.network import Ints

FIRSTS: Final = 10  # ways that are tried as the first one: the cheapest may leave no second


class Pair(NamedTuple):
    way: ReservedWay
    standby: ReservedWay | None = None

    def each(self) -> Iterator[ReservedWay]:
        yield self.way
        if self.standby is not None:
            yield self.standby


def find_pair(paths: LivePaths, one: Reservation, room: Ints) -> Pair | Refusal:
    """The cheapest way, and where a standby is asked for, the cheapest first one that leaves a second."""
    if not one.standby:
        found = paths.cheapest(one.wanted, room)
        return paths.refusal(one.wanted, room) if found is None else Pair(found)
    firsts = paths.several(one.wanted, room, FIRSTS)
    for first in firsts:
        second = find_second(paths, one.wanted, first, room)
        if second is not None:
            return Pair(first, second)
    return Refusal(reason=NoWay.NO_STANDBY) if firsts else paths.refusal(one.wanted, room)


def find_second(paths: LivePaths, wanted: Wanted, first: ReservedWay, room: Ints) -> ReservedWay | None:
    """The cheapest way apart from the first, on the room that it leaves. Security pools may be the same."""
    left = room.copy()
    for row, bps in paths.rows(Pair(first).each(), wanted.bandwidth_bps):
        left[row] -= bps
    return paths.cheapest(wanted, left, first)


def same_lists(paths: LivePaths, wanted: Wanted, pair: Pair, room: Ints) -> Pair | None:
    """The same segment lists with the bandwidth that is wanted; None where `room` does not hold it."""
    again = Pair(*(paths.again(one, wanted) for one in pair.each()))
    held: dict[int, int] = {}
    for row, bps in paths.rows(again.each(), wanted.bandwidth_bps):
        held[row] = held.get(row, 0) + bps
    return again if all(bps <= room[row] for row, bps in held.items()) else None


def pair_holds(pair: Pair, bandwidth_bps: int, start_us: int, end_us: int) -> tuple[Hold, ...]:
    """What the ways hold over a window. A security pool that both pass is held twice."""
    links: dict[str, int] = {}
    pools: dict[str, int] = {}
    for way in pair.each():
        for carried in way.links:
            links[carried.link] = links.get(carried.link, 0) + carried.bps
        for step in way.protection:
            pools[step.security_pool] = pools.get(step.security_pool, 0) + bandwidth_bps
    window = {"start_us": start_us, "end_us": end_us}
    return (
        *(Hold(resource="link", key=key, bps=bps, **window) for key, bps in links.items()),
        *(Hold(resource="protection", key=key, bps=bps, **window) for key, bps in pools.items()),
    )


def room_without(book: LineBook, room: Ints, holds: Iterable[Hold]) -> Ints:
    """The room as it would be without holds that last over all of its window. Lines that are down stay so."""
    out = room.copy()
    for hold in holds:
        row = book.line(hold.key) if hold.resource == "link" else book.pool_line(hold.key)
        if out[row] >= 0:
            out[row] += hold.bps
    return out
