"""What a cut would do, before anything is done: the ways over the links, where each could go, and what each link holds then.

Only paths are looked at: who runs stays where it runs. The ways of most bandwidth choose first, each on what those before
it leave; a way that finds none gives its room back. A task's way is a walk, like the planner's, within its own latency
bound and past its own security pools; a reservation's is the engine's segment list. A reservation's first way goes to its
standby where that is left, which holds its room already; a standby goes apart from where the first way is then.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from suanwang.livenet.held import LineBook, StandingWay, held_at, link_holds, mlu_of
from suanwang.model.ids import LinkId
from suanwang.model.network import CrossedWay, CutFound, HeldWay, HolderKind, LinkCut, NoWay, Refusal
from suanwang.model.reservation import Reservation, ReservedWay, WaySegment
from suanwang.model.snapshot import Snapshot
from suanwang.net.network import Flags, Ints
from suanwang.net.search import NO_BOUND_US, Rules, search

WAYS_MAX: Final = 2_000  # that are tried: a search takes a millisecond or less
Moved = tuple[StandingWay, CrossedWay, tuple[tuple[str, int], ...]]  # before, after, what is held after
# Where a reservation could go on the room of its window, apart from a way of its own or not; or why nowhere.
Rehome = Callable[[Reservation, Ints, ReservedWay | None], ReservedWay | Refusal]


class CutLook:
    """One look at one cut. The book follows the snapshot, and is not to be used for anything else after it."""

    def __init__(self, book: LineBook, snapshot: Snapshot, cut: Sequence[LinkId], now_us: int, rehome: Rehome) -> None:
        self.book, self.snapshot, self.now_us, self.rehome = book, snapshot, now_us, rehome
        self.cut = tuple(one for one in cut if one not in snapshot.links_down)
        self.down = snapshot.links_down | set(cut)
        self.up: Flags = np.ones(book.links, np.bool_)
        for link in self.down:
            at = book.layout.link_at[link]
            self.up[2 * at : 2 * at + 2] = False
        self.after = held_at(snapshot, now_us)
        self._rooms: dict[tuple[int, int], tuple[Ints, int]] = {}  # by window: the room when so many lines were taken
        self._taken: list[int] = []  # lines that ways have moved to, in their order
        self._left: dict[tuple[str, HolderKind], ReservedWay] = {}  # of reservations: the ways that no cut has taken

    def look(self, ways: Sequence[StandingWay]) -> CutFound:
        """`ways` are all that stand; those that are over by now are passed over."""
        gone = {f"{link}:{side}" for link in self.cut for side in ("ab", "ba")}
        crossing = [one for one in ways if one.way.end_us > self.now_us and not gone.isdisjoint(one.way.links)]
        lost = {(one.way.owner, one.way.kind) for one in crossing}
        for one in ways:
            if one.reserved is not None and (one.way.owner, one.way.kind) not in lost:
                self._left[one.way.owner, one.way.kind] = one.reserved
        crossing.sort(key=lambda one: (-one.way.bps, one.way.owner, one.way.kind, one.way.item))
        before = dict(self.after)
        for one in crossing:
            self.book.ledger.change(one.holds(), add=False)
            self._count(one.way, one.held, -1)
        found = [self._find(one) for one in crossing[:WAYS_MAX]]
        return CutFound(
            at_us=self.now_us,
            cut=self.cut,
            mlu_before=mlu_of(self.book.index, before),
            mlu_after=mlu_of(self.book.index, self.after),
            moved=sum(one.links is not None for one in found),
            broken=sum(one.links is None for one in found),
            untried=len(crossing) - len(found),
            ways=tuple(found),
            links=self._links(before),
        )

    def _find(self, one: StandingWay) -> CrossedWay:
        way = one.way
        room = self._room(max(way.start_us, self.now_us), way.end_us)
        if one.reservation is not None and (stood := self._to_standby(one)) is not None:
            return stood
        found = self._walk(one, room) if one.reservation is None else self._list(one.reservation, way, room)
        crossed, held = found
        if crossed.links is not None:
            self.book.ledger.change(link_holds(way, held), add=True)
            self._count(way, held, 1)
            self._taken += [self.book.line(link) for link, _ in held]
        return crossed

    def _room(self, start_us: int, end_us: int) -> Ints:
        """What is left over a window. Of one that was asked for before only the lines that were taken since are worked out
        again: two thousand ways may each move on a network where every line is busy."""
        known = self._rooms.get((start_us, end_us))
        if known is None:
            room = self.book.room(start_us, end_us, self.down, self.snapshot.security_down)
        else:
            room, seen = known
            self.book.narrow(room, set(self._taken[seen:]), start_us, end_us)
        self._rooms[start_us, end_us] = room, len(self._taken)
        return room

    def _to_standby(self, one: StandingWay) -> CrossedWay | None:
        """A reservation's first way whose standby is left takes that: its room is held already."""
        standby = self._left.get((one.way.owner, HolderKind.STANDBY))
        if one.way.kind is not HolderKind.RESERVATION or standby is None:
            return None
        return _goes(one.way, standby)

    def _list(
        self, reservation: Reservation, way: HeldWay, room: Ints
    ) -> tuple[CrossedWay, tuple[tuple[str, int], ...]]:
        first = self._left.get((way.owner, HolderKind.RESERVATION)) if way.kind is HolderKind.STANDBY else None
        found = self.rehome(reservation, room, first)
        if isinstance(found, Refusal):
            return CrossedWay(before=way, links=None, latency_us=None, refusal=found), ()
        self._left[way.owner, way.kind] = found
        return _goes(way, found), tuple((one.link, one.bps) for one in found.links)

    def _walk(self, one: StandingWay, room: Ints) -> tuple[CrossedWay, tuple[tuple[str, int], ...]]:
        way = one.way
        bound_us = NO_BOUND_US if way.promised_us is None else way.promised_us
        found = self._search(one, (room[: self.book.links] >= way.bps) & self._allowed(one), bound_us)
        if found is None:
            return CrossedWay(before=way, links=None, latency_us=None, refusal=self._why(one, bound_us)), ()
        edges, latency_us = found
        links = tuple(self.book.name(edge) for edge in edges)
        held = tuple((link, way.bps * links.count(link)) for link in dict.fromkeys(links))
        return CrossedWay(before=way, links=links, latency_us=latency_us), held

    def _allowed(self, one: StandingWay) -> Flags:
        """(m,): without what its task's traffic must not cross."""
        out: Flags = np.ones(self.book.links, np.bool_)
        for at in one.avoid_links:
            out[2 * at : 2 * at + 2] = False
        return out

    def _search(self, one: StandingWay, usable: Flags, bound_us: int) -> tuple[list[int], int] | None:
        """The cheapest walk past the very security pools that the way passes now, which still hold it: from stop to stop,
        each part the cheapest within what is left of the bound once the parts after it are as quick as they can be."""
        network = self.book.layout.network
        stops = [network.node_of[step.site] for step in one.steps]
        stops.append(network.node_of[one.way.target])
        ahead = self._least(stops, usable)
        edges: list[int] = []
        late_us, at = 0, network.node_of[one.way.source]
        for stop, rest_us in zip(stops, ahead, strict=True):
            left_us = bound_us if bound_us == NO_BOUND_US else bound_us - late_us - rest_us
            if left_us < 0:
                return None
            pools = np.zeros(len(network.sec_node), np.bool_)
            tree = search(network, at, Rules(usable, network.price_gbps_hour, pools, network.sec_price, (), left_us))
            if tree.best[stop] < 0:
                return None
            walk = tree.walk(stop)
            edges += walk.edges
            late_us, at = late_us + walk.latency_us, stop
        return edges, late_us

    def _least(self, stops: Sequence[int], usable: Flags) -> list[int]:
        """For each stop the least time from it to the end by way of those after it."""
        network = self.book.layout.network
        pools = np.zeros(len(network.sec_node), np.bool_)
        out = [0]
        for start, stop in list(pairwise(stops))[::-1]:
            tree = search(network, start, Rules(usable, network.latency_us, pools, network.sec_price))
            part_us = int(tree.walk(stop).latency_us) if tree.best[stop] >= 0 else NO_BOUND_US // 2
            out.append(out[-1] + part_us)
        return out[::-1]

    def _why(self, one: StandingWay, bound_us: int) -> Refusal:
        """The step at which there is no way left: no path at all, none within the latency, none with the room."""
        if self._search(one, self.up, NO_BOUND_US) is None:
            return Refusal(reason=NoWay.CUT_OFF)
        if self._search(one, self.up & self._allowed(one), NO_BOUND_US) is None:
            return Refusal(reason=NoWay.AVOIDED)
        if self._search(one, self.up & self._allowed(one), bound_us) is None:
            return Refusal(reason=NoWay.TOO_FAR)
        return Refusal(reason=NoWay.NO_ROOM)

    def _count(self, way: HeldWay, held: Sequence[tuple[str, int]], sign: int) -> None:
        """What each link holds at the instant of the view."""
        if way.start_us <= self.now_us < way.end_us:
            for link, bps in held:
                self.after[link] = self.after.get(link, 0) + sign * bps

    def _links(self, before: Mapping[str, int]) -> tuple[LinkCut, ...]:
        return tuple(
            LinkCut(
                link=key,
                capacity_bps=link.capacity_bps,
                before_bps=before.get(key, 0),
                after_bps=self.after.get(key, 0),
                up=link.id not in self.down,
            )
            for link in self.book.index.grid.links
            for key in (f"{link.id}:ab", f"{link.id}:ba")
        )


def _goes(way: HeldWay, to: ReservedWay) -> CrossedWay:
    links, words = tuple(one.link for one in to.links), tuple(map(segment_words, to.segments))
    return CrossedWay(before=way, links=links, latency_us=to.latency_us, segments=words)


def segment_words(one: WaySegment) -> str:
    """`bj`, `bj (delay)`, or the directed link of an adjacency."""
    return f"{one.name} ({one.plane})" if one.kind == "node" and one.plane != "igp" else one.name
