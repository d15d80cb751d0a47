"""The online engine: one flow at a time, found and reserved in one step. See README.md."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np

from suanwang.net.igp import NO_PATH, Plane, build_plane
from suanwang.net.igp.shares import SHARE_BITS
from suanwang.net.network import Flags, Ints
from suanwang.net.paths import holds
from suanwang.net.paths.avoid import Avoid, apart_from, avoided_links, close_all, close_ends
from suanwang.net.paths.protection import Pools, chain_lists, no_pools
from suanwang.net.paths.shortlist import build_shortlist
from suanwang.net.paths.sinks import Sink, least_sink, price_as_leg
from suanwang.net.paths.strict import network_of, pin, strict_walk
from suanwang.net.paths.tables import Bytes, Tables, build_tables, delay_metric
from suanwang.net.paths.three_segments import least_of_three, legs_of_three
from suanwang.net.paths.two_segments import admit_all, admit_one, legs_of
from suanwang.net.topology import Topology
from suanwang.net.tree import Walk

NO_BOUND_US: Final = NO_PATH - 1
BPS_MAX: Final = 2**50
CHAIN_MAX: Final = 4
ROWS_FIRST: Final = 1024
SEGMENTS_MAX: Final = 8
NOTHING: Final = Avoid()
Window = tuple[int, int]


class Refused(IntEnum):
    """Why there is no reservation; a handle is 0 or more."""

    TOO_FAR = holds.NO_PATH_WITHIN_BOUND
    NO_ROOM = holds.NO_ROOM
    UNKNOWN = holds.UNKNOWN


@dataclass(frozen=True)
class Segment:
    """One entry of a list: node k of a plane as k, the adjacency of directed link e as -1 - e (plane 0)."""

    code: int
    plane: int = 0


@dataclass(frozen=True)
class Reservation:
    """What a handle stands for. `links` are those that may carry traffic, ascending; `price` is for one Gbit/s in one hour."""

    source: int
    target: int
    bps: int
    window: Window
    segments: tuple[Segment, ...]
    links: tuple[int, ...]
    worst_us: int
    bound_us: int
    price: int


@dataclass(frozen=True)
class Flow:
    """One request. `chain` holds protection functions in the order in which traffic passes them, as numbers into
    `net.network.FUNCTIONS`; a list has `segments_max` segments at most (2 or more)."""

    source: int
    target: int
    bps: int
    bound_us: int = NO_BOUND_US
    window: Window = (0, 1)
    avoid: Avoid = NOTHING
    chain: tuple[int, ...] = ()
    segments_max: int = SEGMENTS_MAX


def default_planes(topology: Topology) -> tuple[Plane, Plane]:
    """The IGP and the delay plane over all links (Flexible Algorithms 0 and 128)."""
    return build_plane(topology), build_plane(topology, delay_metric(topology))


class Engine:
    """State over one topology. Plane 0 is the IGP's, plane 1 the delay's; `slots` are the columns of the calendar."""

    def __init__(
        self,
        topology: Topology,
        price: Ints,
        planes: Sequence[Plane] | None = None,
        slots: int = 1,
        region_of: Sequence[str] = (),
        pools: Pools | None = None,
        shortlist: int | None = None,
    ) -> None:
        assert slots >= 1
        planes = default_planes(topology) if planes is None else planes
        self.tables: Tables = build_tables(topology, planes, price)
        self._short = build_shortlist(self.tables, shortlist)
        self.slots = slots
        self.region_of = tuple(region_of)
        self.pools = no_pools() if pools is None else pools
        self._network = network_of(self.tables, self.pools.node, self.pools.price, self.pools.function)
        self.capacity: Ints = np.minimum(np.concatenate([topology.capacity_bps, self.pools.capacity]), BPS_MAX)
        self.free: Ints = np.repeat(self.capacity[:, None], slots, axis=1).copy()
        self._closed: Bytes = np.zeros(len(self.tables.spans), np.uint8)
        self._held: Ints = np.zeros((ROWS_FIRST, holds.COLUMNS), np.int64)
        self._spare: Ints = np.arange(ROWS_FIRST, dtype=np.int64)[::-1].copy()
        self._counts: Ints = np.array([ROWS_FIRST], np.int64)
        self._gather()

    def _gather(self) -> None:
        one = self.tables
        look: tuple[Any, ...] = (
            self._closed,
            self._short,
            one.order,
            one.cost,
            one.late_us,
            one.floor_us,
            one.watch,
            one.spans,
            one.carry,
        )
        self._args: tuple[Any, ...] = (*look, self.free, self._held, self._spare, self._counts)

    def _make_room(self, rows: int) -> None:
        """At least so many rows that are not used."""
        have, spare = len(self._held), int(self._counts[0])
        if spare >= rows:
            return
        more = max(have, rows - spare)
        self._held = np.concatenate([self._held, np.zeros((more, holds.COLUMNS), np.int64)])
        old = self._spare[:spare]
        fresh = np.arange(have + more - 1, have - 1, -1, dtype=np.int64)
        self._spare = np.concatenate([fresh, old, np.zeros(have - spare, np.int64)])
        self._counts[0] = spare + more
        self._gather()

    @property
    def live(self) -> int:
        """How many reservations there are."""
        return len(self._held) - int(self._counts[0])

    def admit(self, source: int, target: int, bps: int, bound_us: int = NO_BOUND_US, window: Window = (0, 1)) -> int:
        """The cheapest list of at most two segments within the bound, reserved: a handle, or a `Refused`."""
        n = self.tables.n  # compiled code looks up what it is given: a wrong number must end here
        assert 0 <= source < n and 0 <= target < n, "ends are nodes"
        assert 0 < bps <= BPS_MAX and 0 <= window[0] < window[1] <= self.slots, "a flow within the calendar"
        if self._counts[0] == 0:
            self._make_room(1)
        return admit_one(source, target, bps, bound_us, window[0], window[1], False, *self._args)

    def request(self, flow: Flow) -> int:
        """A flow with all that it may ask for: a handle, or a `Refused`. The cheapest of the lists of two segments; where
        there is none, of three; then the cheapest walk that has room, pinned by node and adjacency segments."""
        assert 2 <= flow.segments_max <= SEGMENTS_MAX and len(flow.chain) <= CHAIN_MAX
        avoided = None
        if flow.avoid != NOTHING:
            avoided = avoided_links(self.tables.topology, flow.avoid, self.region_of)
        return self._request(flow, avoided)

    def standby(
        self, handle: int, avoid: Avoid = NOTHING, chain: tuple[int, ...] = (), apart_nodes: bool = False
    ) -> int:
        """A second reservation beside a live one, with its ends, bandwidth, bound and window: it uses no link that may carry
        the first, neither in the other direction, nor one of the same shared-risk group; with `apart_nodes` no node between
        the ends either. What the first had to avoid is said again."""
        first = self.reservation(handle)
        if first is None:
            return Refused.UNKNOWN
        topology = self.tables.topology
        avoided = apart_from(topology, first.links) | avoided_links(topology, avoid, self.region_of)
        if apart_nodes:
            passed = {int(one) for link in first.links for one in (topology.source[link], topology.target[link])}
            inside = tuple(sorted(passed - {first.source, first.target}))
            avoided |= avoided_links(topology, Avoid(nodes=inside))
        flow = Flow(first.source, first.target, first.bps, first.bound_us, first.window, chain=chain)
        return self._request(flow, avoided)

    def _request(self, flow: Flow, avoided: Flags | None) -> int:
        assert 0 <= flow.source < self.tables.n and 0 <= flow.target < self.tables.n, "ends are nodes"
        assert 0 < flow.bps <= BPS_MAX and 0 <= flow.window[0] < flow.window[1] <= self.slots
        self._make_room(1)
        if flow.chain:
            return self._through_chain(flow, avoided)
        self._close(flow, avoided)
        ends: tuple[Any, ...] = (flow.source, flow.target, flow.bps, flow.bound_us, *flow.window, avoided is not None)
        args = ends + self._args
        found = admit_one(*args)
        if found != Refused.NO_ROOM or flow.segments_max < 3:
            return found
        found = self._three(flow, avoided)
        return found if found >= 0 else self._strict(flow, avoided)

    def _close(self, flow: Flow, avoided: Flags | None) -> None:
        """Mark the legs at the ends of a flow that what it avoids closes."""
        if avoided is not None:
            one = self.tables
            flags = avoided.astype(np.uint8)
            close_ends(flow.source, flow.target, one.n, flags, one.spans, one.carry, self._closed)

    def _three(self, flow: Flow, avoided: Flags | None) -> int:
        one = self.tables
        if avoided is not None:
            close_all(avoided.astype(np.uint8), one.spans, one.carry, self._closed)
        ends: tuple[Any, ...] = (flow.source, flow.target, flow.bps, flow.bound_us, *flow.window)
        look: tuple[Any, ...] = (
            avoided is not None,
            self._closed,
            one.order,
            one.cost,
            one.late_us,
            one.watch,
            one.spans,
            one.carry,
            self.free,
        )
        code, cost, late = -1, -1, -1
        while True:
            args = (*ends, cost, late, code, *look)
            code, cost, late = least_of_three(*args)
            if code < 0:
                return Refused.NO_ROOM
            legs = legs_of_three(code, flow.source, flow.target, one.n, len(one.planes))
            found = self._commit(flow, legs, cost, late)
            if found >= 0:
                return found

    def _strict(self, flow: Flow, avoided: Flags | None) -> int:
        """The cheapest walk within the bound. One that passes a link twice, which only a chain can make it do, needs room
        for both: it is searched again over links with as much room as the chain could ever take."""
        begin, end = flow.window
        room = self.free[:, begin:end].min(axis=1)
        m = self.tables.topology.m
        for times in (1, len(flow.chain) + 1):
            link_ok = room[:m] >= times * flow.bps
            if avoided is not None:
                link_ok &= ~avoided
            ends = (flow.source, flow.target, flow.bound_us)
            walk = strict_walk(self._network, *ends, link_ok, room[m:] >= flow.bps, flow.chain)
            if walk is None:
                return Refused.NO_ROOM
            found = self._pin(flow, walk)
            if found >= 0:
                return found
        return Refused.NO_ROOM

    def _pin(self, flow: Flow, walk: Walk) -> int:
        """Reserve a walk by the fewest segments, where those are not too many."""
        m = self.tables.topology.m
        legs = pin(self.tables, walk.edges, [before for _, before in walk.pools])
        if len(legs) > flow.segments_max:
            return Refused.NO_ROOM
        price = sum(int(self.tables.price[link]) for link in walk.edges)
        price += sum(int(self.pools.price[pool]) for pool, _ in walk.pools)
        return self._commit(flow, [*legs, *(-1 - m - pool for pool, _ in walk.pools)], price, walk.latency_us)

    def _through_chain(self, flow: Flow, avoided: Flags | None) -> int:
        one = self.tables
        if one.floor_us[flow.source, flow.target] > flow.bound_us:
            return Refused.TOO_FAR
        if avoided is not None:
            close_all(avoided.astype(np.uint8), one.spans, one.carry, self._closed)

        begin, end = flow.window

        def open_leg(leg: int) -> bool:
            if avoided is not None and leg >= 0 and self._closed[leg]:
                return False
            return holds.leg_fits(leg, flow.bps, begin, end, one.spans, one.carry, self.free)

        ends = (flow.source, flow.target, flow.bound_us)
        for label in chain_lists(one, self.pools, *ends, flow.chain, open_leg):
            if label.segments <= flow.segments_max:
                found = self._commit(flow, list(label.legs), label.price, label.late_us)
                if found >= 0:
                    return found
        return self._strict(flow, avoided)

    def request_any(self, flow: Flow, sinks: Sequence[Sink]) -> tuple[int, int]:
        """(handle or `Refused`, which sink): the work at that pool and the path to it whose sum of prices is least, taken
        together or not at all. `flow.target` and `flow.chain` do not count here; the bound holds with the pool's delay."""
        assert 0 <= flow.source < self.tables.n and 0 < flow.bps <= BPS_MAX and not flow.chain
        assert 0 <= flow.window[0] < flow.window[1] <= self.slots
        self._make_room(1)
        one, m = self.tables, self.tables.topology.m
        avoided = None
        if flow.avoid != NOTHING:
            avoided = avoided_links(one.topology, flow.avoid, self.region_of)
            close_all(avoided.astype(np.uint8), one.spans, one.carry, self._closed)
        rows = [
            (
                int(self.pools.node[each.pool]),
                price_as_leg(each.price_micro_yuan_hour, flow.bps),
                each.delay_us,
                m + each.pool,
                each.units,
            )
            for each in sinks
        ]
        table = np.array(rows, np.int64).reshape(-1, 5).T.copy()
        above = np.full((3, len(rows)), -1, np.int64)
        look: tuple[Any, ...] = (
            self._closed,
            one.order,
            one.cost,
            one.late_us,
            one.floor_us,
            one.watch,
            one.spans,
            one.carry,
            self.free,
        )
        asked: tuple[Any, ...] = (flow.source, flow.bps, flow.bound_us, *flow.window)
        while True:
            args = (*asked, table, above, avoided is not None, *look)
            at, code, cost, late = least_sink(*args)
            if at < 0:
                return Refused.NO_ROOM, -1
            node, price, delay, row, units = rows[at]
            legs = legs_of(code, flow.source, node, one.n, len(one.planes)) if code >= 0 else []
            there = replace(flow, target=node)
            found = self._commit(there, legs, cost - price, late - delay, row, units)
            if found >= 0:
                return found, at
            above[:, at] = (cost - price, late - delay, code) if code >= 0 else (-1, -1, -2)

    def _commit(self, flow: Flow, legs: Sequence[int], cost: int, late_us: int, sink: int = -1, units: int = 0) -> int:
        """Reserve a list of legs and pools, or nothing."""
        if len(legs) > holds.LEGS_MAX:
            return Refused.NO_ROOM
        row = int(self._spare[self._counts[0] - 1])
        at = self._held[row]
        at[holds.BPS], at[holds.BEGIN], at[holds.END], at[holds.BOUND] = flow.bps, *flow.window, flow.bound_us
        at[holds.SOURCE], at[holds.TARGET], at[holds.SINK], at[holds.UNITS] = flow.source, flow.target, sink, units
        at[holds.COST], at[holds.LATE], at[holds.LEGS] = cost, late_us, len(legs)
        at[holds.LEG : holds.LEG + len(legs)] = legs
        if not holds.take(row, self._held, self.tables.spans, self.tables.carry, self.free):
            return Refused.NO_ROOM
        self._counts[0] -= 1
        at[holds.LIVE] = 1
        return int(at[holds.GENERATION]) << holds.HANDLE_BITS | row

    def advance(self, slots: int) -> list[int]:
        """Drop the first slots of the calendar and add as many empty ones; the handles of what has ended thereby."""
        assert slots >= 0
        live = self._held[:, holds.LIVE] == 1
        ended = np.flatnonzero(live & (self._held[:, holds.END] <= slots))
        handles = (self._held[ended, holds.GENERATION] << holds.HANDLE_BITS) | ended
        self.release_batch(handles)
        keep = max(0, self.slots - slots)
        self.free[:, :keep] = self.free[:, self.slots - keep :].copy()
        self.free[:, keep:] = self.capacity[:, None]
        rest = self._held[:, holds.LIVE] == 1
        self._held[rest, holds.BEGIN] = np.maximum(0, self._held[rest, holds.BEGIN] - slots)
        self._held[rest, holds.END] -= slots
        return [int(one) for one in handles]

    def admit_batch(self, columns: Ints) -> Ints:
        """(q,) handles or `Refused` of flows in their order: columns (6, q) int64 of source, target, bps, bound_us, first
        slot, slot after the last. The same as one `admit` after the other."""
        n = self.tables.n
        assert columns.ndim == 2 and columns.shape[0] == 6 and columns.dtype == np.int64
        assert bool(np.all((columns[:2] >= 0) & (columns[:2] < n))), "ends are nodes"
        assert bool(np.all((columns[2] > 0) & (columns[2] <= BPS_MAX)))
        assert bool(np.all((columns[4] >= 0) & (columns[4] < columns[5]) & (columns[5] <= self.slots)))
        self._make_room(columns.shape[1])
        out = np.empty(columns.shape[1], np.int64)
        admit_all(np.ascontiguousarray(columns), out, *self._args)
        return out

    def release(self, handle: int) -> bool:
        """Give a reservation back; False if there is none of this handle."""
        return self.release_batch(np.array([handle], np.int64)) == 1

    def release_batch(self, handles: Ints) -> int:
        """Give many back; how many there were. What is no live handle is passed over."""
        one = self.tables
        return holds.release_all(handles, self._held, self._spare, self._counts, one.spans, one.carry, self.free)

    def resize(self, handle: int, bps: int) -> bool:
        """Another bandwidth on the same list. Where it does not fit, nothing changes."""
        assert 0 < bps <= BPS_MAX
        return holds.change(handle, bps, self._held, self.tables.spans, self.tables.carry, self.free)

    def reservation(self, handle: int) -> Reservation | None:
        """What a handle stands for; None if it is not live."""
        row = handle & ((1 << holds.HANDLE_BITS) - 1)
        if handle < 0 or row >= len(self._held):
            return None
        at = self._held[row].tolist()
        if not at[holds.LIVE] or at[holds.GENERATION] != handle >> holds.HANDLE_BITS:
            return None
        legs = at[holds.LEG : holds.LEG + at[holds.LEGS]]
        return Reservation(
            source=at[holds.SOURCE],
            target=at[holds.TARGET],
            bps=at[holds.BPS],
            window=(at[holds.BEGIN], at[holds.END]),
            segments=tuple(self._segment(leg) for leg in legs if -1 - leg < self.tables.topology.m),
            links=self._links(legs),
            worst_us=at[holds.LATE],
            bound_us=at[holds.BOUND],
            price=at[holds.COST],
        )

    def parts(self, handle: int) -> list[tuple[int, int]]:
        """(row of `free`, what is held there) of a live reservation, leg by leg; a row may come more than once."""
        row = handle & ((1 << holds.HANDLE_BITS) - 1)
        assert self.reservation(handle) is not None, "a live reservation"
        at = self._held[row].tolist()
        out = [(at[holds.SINK], at[holds.UNITS])] if at[holds.SINK] >= 0 else []
        for leg in at[holds.LEG : holds.LEG + at[holds.LEGS]]:
            if leg < 0:
                out.append((-1 - leg, at[holds.BPS]))
                continue
            first, last = self.tables.spans[leg, 0], self.tables.spans[leg, 1]
            out += [
                (link, -(-at[holds.BPS] * fixed >> SHARE_BITS))
                for link, fixed in self.tables.carry[first:last].tolist()
            ]
        return out

    def _segment(self, leg: int) -> Segment:
        if leg < 0:
            return Segment(leg)
        return Segment(leg % self.tables.n, leg // self.tables.n**2)

    def _links(self, legs: Sequence[int]) -> tuple[int, ...]:
        """The links that may carry traffic of some legs, ascending."""
        found: set[int] = set()
        for leg in legs:
            if leg >= 0:
                first, last = self.tables.spans[leg, 0], self.tables.spans[leg, 1]
                found.update(self.tables.carry[first:last, 0].tolist())
            elif -1 - leg < self.tables.topology.m:
                found.add(-1 - leg)
        return tuple(sorted(found))
