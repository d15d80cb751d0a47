"""Ways through the live network by the online engine, loaded with what is left of each line over a window.

Legs of the engine follow the links that are up now. A link whose maintenance falls into the window has no room, so no leg
over it is taken; every other leg is the same with that link and without it.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from suanwang.livenet.held import directed_key
from suanwang.model.error import Fault
from suanwang.model.ids import LinkId
from suanwang.model.network import NoWay, OfferedWay, Refusal
from suanwang.model.reservation import CarriedLink, ReservedWay, Wanted, WaySegment
from suanwang.model.snapshot import GridIndex
from suanwang.net.igp import NO_PATH, build_plane
from suanwang.net.igp.shares import SHARE_BITS
from suanwang.net.network import FUNCTIONS, Flags, Ints
from suanwang.net.paths import Engine
from suanwang.net.paths.avoid import Avoid, apart_from, avoided_links
from suanwang.net.paths.engine import BPS_MAX, NO_BOUND_US, Flow, Segment
from suanwang.net.paths.protection import Pools
from suanwang.net.paths.strict import network_of, pin, strict_walk
from suanwang.net.paths.tables import delay_metric
from suanwang.net.topology import topology_of_grid
from suanwang.net.tree import Walk

ROUNDS: Final = 200  # requests for one answer at most: ten ways of twenty links each
PLANES: Final = ("igp", "delay")


@dataclass(frozen=True)
class _Found:
    """A way as the engine has it: rows of its `free` with what is held there."""

    way: ReservedWay
    rows: tuple[tuple[int, int], ...]


class LivePaths:
    """The engine of one grid with some links down. Not thread-safe."""

    def __init__(self, index: GridIndex, links_down: frozenset[LinkId]) -> None:
        self.index, self.links_down = index, links_down
        grid = index.grid
        self.topology = topology_of_grid(grid)
        self.node_of = {name: at for at, name in enumerate(self.topology.nodes)}
        names = [*map(directed_key, (one[0] for one in index.directed)), *index.security_order]
        self.line_at = {str(name): row for row, name in enumerate(names)}
        self.risk_at = {name: at for at, name in enumerate(self.topology.risk_groups)}
        up = np.array([link.id not in links_down for link in grid.links for _ in range(2)], np.bool_)
        planes = (
            build_plane(self.topology, usable=up),
            build_plane(self.topology, delay_metric(self.topology), usable=up),
        )
        price = _ints([link.price_micro_yuan_per_gbps_hour for link in grid.links for _ in range(2)])
        pools = _pools(index, self.node_of)
        regions = tuple(site.region for site in grid.sites)
        self.engine = Engine(self.topology, price, planes, 1, regions, pools)
        self.network = network_of(self.engine.tables, pools.node, pools.price, pools.function)
        self.up: Flags = up

    def offers(self, wanted: Wanted, room: Ints, count: int) -> tuple[tuple[OfferedWay, ...], Refusal | None]:
        """The cheapest ways that `room` admits, at most `count`, or why there is none.

        The first is what `cheapest` says. The others are found by leaving out a link of each one before.
        """
        flow = self._flow(wanted)
        found = self._several(flow, room, count)
        if not found:
            return (), self.refusal(wanted, room)
        return tuple(self._offer(one, room, wanted.bandwidth_bps) for one in found), None

    def several(self, wanted: Wanted, room: Ints, count: int) -> list[ReservedWay]:
        """The ways of `offers` alone."""
        return [one.way for one in self._several(self._flow(wanted), room, count)]

    def cheapest(self, wanted: Wanted, room: Ints, beside: ReservedWay | None = None) -> ReservedWay | None:
        """The cheapest way that `room` admits; apart from the links, and their risk groups, of the one `beside` it."""
        flow = self._flow(wanted)
        if beside is not None:
            used = [row for row, _ in self.rows([beside], 0) if row < self.topology.m]
            apart = np.flatnonzero(apart_from(self.topology, used)).tolist()
            flow = replace(flow, avoid=replace(flow.avoid, links=(*flow.avoid.links, *apart)))
        found = self._request(flow, room)
        return None if found is None else found.way

    def rows(self, ways: Iterable[ReservedWay], bandwidth_bps: int) -> Iterator[tuple[int, int]]:
        """(row of a room, what is held there) of some ways; a row may come more than once."""
        for way in ways:
            yield from ((self.line_at[one.link], one.bps) for one in way.links)
            yield from ((self.line_at[step.security_pool], bandwidth_bps) for step in way.protection)

    def again(self, way: ReservedWay, wanted: Wanted) -> ReservedWay:
        """The same segments, which the links that are up let through, with the bandwidth that is wanted."""
        tables, nodes = self.engine.tables, self.topology.n
        at, held = self.node_of[wanted.source], dict[int, int]()
        for one in way.segments:
            if one.kind == "adjacency":
                link = self.line_at[one.name]
                carried, at = [(link, wanted.bandwidth_bps)], int(self.topology.target[link])
            else:
                goal = self.node_of[one.name]
                first, last = tables.spans[(PLANES.index(one.plane) * nodes + at) * nodes + goal].tolist()
                shares = tables.carry[first:last].tolist()
                carried, at = [(row, -(-wanted.bandwidth_bps * share >> SHARE_BITS)) for row, share in shares], goal
            for row, bps in carried:
                held[row] = held.get(row, 0) + bps
        links = tuple(CarriedLink(link=self._key(row), bps=bps) for row, bps in held.items())
        return way.model_copy(update={"links": links})

    def refusal(self, wanted: Wanted, room: Ints) -> Refusal:
        """Why nothing was found: the network is given more and more of what was asked, and the step that fails says it."""
        flow = self._flow(wanted)
        whole = self.up
        allowed = whole & ~avoided_links(self.topology, flow.avoid, self.engine.region_of)
        if self._walk(flow, whole, (), NO_BOUND_US) is None:
            return Refusal(reason=NoWay.CUT_OFF)
        if self._walk(flow, allowed, (), NO_BOUND_US) is None:
            return Refusal(reason=NoWay.AVOIDED)
        pools = room[self.topology.m :] >= 0
        if self._walk(flow, allowed, flow.chain, NO_BOUND_US, pools) is None:
            return Refusal(reason=NoWay.NO_POOL)
        if self._walk(flow, allowed, flow.chain, flow.bound_us, pools) is None:
            return Refusal(reason=NoWay.TOO_FAR, least_us=self._least_us(flow, allowed, pools))
        return Refusal(reason=NoWay.NO_ROOM, widest_bps=self._widest(flow, room))

    # -- what is asked -----------------------------------------------------------------------------------------

    def _flow(self, wanted: Wanted) -> Flow:
        at = {link.id: 2 * number for number, link in enumerate(self.index.grid.links)}
        avoid = Avoid(
            links=tuple(edge for one in wanted.avoid_links for edge in (at[one], at[one] + 1)),
            nodes=tuple(self.node_of[one] for one in wanted.avoid_sites),
            groups=tuple(self.risk_at[one] for one in wanted.avoid_risks),
            regions=wanted.avoid_regions,
        )
        bound_us = NO_BOUND_US if wanted.latency_us_max is None else min(wanted.latency_us_max, NO_BOUND_US)
        chain = tuple(FUNCTIONS.index(one) for one in wanted.protection)
        ends = self.node_of[wanted.source], self.node_of[wanted.target]
        bps = min(wanted.bandwidth_bps, BPS_MAX)
        return Flow(*ends, bps, bound_us, avoid=avoid, chain=chain, segments_max=wanted.segments_max)

    def _several(self, flow: Flow, room: Ints, count: int) -> list[_Found]:
        """By exclusion: without one of its links, the cheapest of the rest comes next."""
        first = self._request(flow, room)
        if first is None:
            return []
        queue = [(_order(first), 0, first, flow.avoid)]
        out: list[_Found] = []
        seen = {first.rows}
        asked = 1
        while queue and len(out) < count:
            _, _, found, avoid = heapq.heappop(queue)
            out.append(found)
            if len(out) == count:
                break
            for row, _ in found.rows:
                if row >= self.topology.m or asked >= ROUNDS:
                    continue
                asked += 1
                narrower = replace(avoid, links=tuple(sorted({*avoid.links, row})))
                other = self._request(replace(flow, avoid=narrower), room)
                if other is not None and other.rows not in seen:
                    seen.add(other.rows)
                    heapq.heappush(queue, (_order(other), asked, other, narrower))
        return [out[0], *sorted(out[1:], key=_order)]

    def _request(self, flow: Flow, room: Ints) -> _Found | None:
        """The cheaper of what the engine finds, which looks at lists of few segments first, and of the cheapest walk over
        single links, which may need more of them; the engine's where they cost the same."""
        listed = self._listed(flow, room)
        walked = self._walked(flow, room)
        if listed is None or walked is None:
            return listed or walked
        return walked if _order(walked)[:2] < _order(listed)[:2] else listed

    def _listed(self, flow: Flow, room: Ints) -> _Found | None:
        engine = self.engine
        engine.free[:, 0] = np.clip(room, 0, engine.capacity)
        handle = engine.request(flow)
        if handle < 0:
            return None
        got = engine.reservation(handle)
        assert got is not None, "what was just reserved is live"
        parts = engine.parts(handle)
        engine.release(handle)
        return self._found(parts, got.segments, got.worst_us, got.price)

    def _walked(self, flow: Flow, room: Ints) -> _Found | None:
        """The cheapest walk past the functions. One that passes a link twice, which only they can make it do, needs room
        for both: it is searched again over links with as much room as so many passes could take."""
        links = self.topology.m
        allowed = self.up & ~avoided_links(self.topology, flow.avoid, self.engine.region_of)
        for passes in range(1, len(flow.chain) + 2):
            usable = allowed & (room[:links] >= passes * flow.bps)
            walk = self._walk(flow, usable, flow.chain, flow.bound_us, room[links:] >= flow.bps)
            if walk is None:
                return None
            found = self._pinned(flow, walk)
            if found is None or all(held <= room[row] for row, held in found.rows):
                return found
        return None

    def _pinned(self, flow: Flow, walk: Walk) -> _Found | None:
        """A walk as the fewest segments, one of which ends at each of its pools; none where they are too many."""
        tables, links, nodes = self.engine.tables, self.topology.m, self.topology.n
        legs = pin(tables, walk.edges, [before for _, before in walk.pools])
        if len(legs) > flow.segments_max:
            return None
        segments = [Segment(leg) if leg < 0 else Segment(leg % nodes, leg // nodes**2) for leg in legs]
        price = sum(int(tables.price[edge]) for edge in walk.edges)
        price += sum(int(self.engine.pools.price[pool]) for pool, _ in walk.pools)
        rows = [*walk.edges, *(links + pool for pool, _ in walk.pools)]
        return self._found([(row, flow.bps) for row in rows], segments, walk.latency_us, price)

    def _found(
        self, parts: Iterable[tuple[int, int]], segments: Iterable[Segment], latency_us: int, price: int
    ) -> _Found:
        held: dict[int, int] = {}
        steps: list[int] = []
        for row, bps in parts:
            held[row] = held.get(row, 0) + bps
            if row >= self.topology.m:
                steps.append(row - self.topology.m)
        rows = tuple(sorted(held.items()))
        way = ReservedWay(
            segments=tuple(self._segment(one) for one in segments),
            links=tuple(
                CarriedLink(link=self._key(row), bps=bps) for row, bps in held.items() if row < self.topology.m
            ),
            protection=tuple(self.index.steps[one][0] for one in steps),
            latency_us=latency_us,
            price_micro_yuan_per_gbps_hour=price,
        )
        return _Found(way, rows)

    def _key(self, edge: int) -> str:
        return directed_key(self.index.directed[edge][0])

    def _segment(self, one: Segment) -> WaySegment:
        if one.code < 0:
            return WaySegment(kind="adjacency", name=self._key(-1 - one.code))
        return WaySegment(kind="node", name=self.topology.nodes[one.code], plane="delay" if one.plane else "igp")

    def _offer(self, found: _Found, room: Ints, bps: int) -> OfferedWay:
        """The room of a list: of each line what is left, over the part of the flow that it carries."""
        fits, line = min((int(room[row]) * bps // held, row) for row, held in found.rows)
        held = dict(found.rows)[line]
        name = self._key(line) if line < self.topology.m else self.index.security_order[line - self.topology.m]
        return OfferedWay(way=found.way, room_bps=fits, bottleneck=name, residual_bps=int(room[line]) - held)

    # -- why not -----------------------------------------------------------------------------------------------

    def _walk(
        self, flow: Flow, link_ok: Flags, chain: tuple[int, ...], bound_us: int, pools: Flags | None = None
    ) -> Walk | None:
        pools = np.ones(self.engine.pools.count, np.bool_) if pools is None else pools
        return strict_walk(self.network, flow.source, flow.target, bound_us, link_ok, pools, chain)

    def _least_us(self, flow: Flow, allowed: Flags, pools: Flags) -> int:
        """The least bound within which there is a walk."""
        low, high = flow.bound_us + 1, NO_PATH
        while low < high:
            middle = (low + high) // 2
            if self._walk(flow, allowed, flow.chain, middle, pools) is None:
                low = middle + 1
            else:
                high = middle
        return low

    def _widest(self, flow: Flow, room: Ints) -> int:
        """The most that the engine would admit in place of the bandwidth; of the values that room is left of."""
        steps = [0, *sorted({int(one) for one in room if 0 < one < flow.bps})]
        low, high = 0, len(steps) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._request(replace(flow, bps=steps[middle]), room) is None:
                high = middle - 1
            else:
                low = middle
        return steps[low]


def _order(found: _Found) -> tuple[int, int, int, tuple[tuple[int, int], ...]]:
    way = found.way
    return (way.price_micro_yuan_per_gbps_hour, way.latency_us, len(way.segments), found.rows)


def _pools(index: GridIndex, node_of: dict[str, int]) -> Pools:
    known = [index.security_pools[one] for one in index.security_order]
    return Pools(
        node=_ints([node_of[site.id] for _, site in known]),
        capacity=_ints([pool.capacity_bps for pool, _ in known]),
        price=_ints([pool.price_micro_yuan_per_gbps_hour for pool, _ in known]),
        function=_ints([FUNCTIONS.index(pool.function) for pool, _ in known]),
    )


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def unknown_names(wanted: Wanted, index: GridIndex) -> list[Fault]:
    """A fault for each name that the grid does not have, and for ends that are one."""
    return list(_unknown(wanted, index))


def _unknown(wanted: Wanted, index: GridIndex) -> Iterator[Fault]:
    risks = {group for link in index.grid.links for group in link.shared_risk_groups}
    regions = {site.region for site in index.grid.sites}
    for where, site in (
        ("wanted.source", wanted.source),
        ("wanted.target", wanted.target),
        *((f"wanted.avoid_sites[{at}]", one) for at, one in enumerate(wanted.avoid_sites)),
    ):
        if site not in index.sites:
            yield Fault("net_site", where, site)
    for at, link in enumerate(wanted.avoid_links):
        if link not in index.links:
            yield Fault("net_link", f"wanted.avoid_links[{at}]", link)
    for at, group in enumerate(wanted.avoid_risks):
        if group not in risks:
            yield Fault("net_risk", f"wanted.avoid_risks[{at}]", group, None, {"known": _some(risks)})
    for at, region in enumerate(wanted.avoid_regions):
        if region not in regions:
            yield Fault("net_region", f"wanted.avoid_regions[{at}]", region, None, {"known": _some(regions)})
    if wanted.source == wanted.target:
        yield Fault("net_same_ends", "wanted.target", wanted.target)


def _some(names: set[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = sorted(names)
    return ", ".join(shown[:12]) + (f" (+{len(shown) - 12})" if len(shown) > 12 else "") if shown else "none"
