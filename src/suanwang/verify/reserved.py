"""Check a reservation without the engine that found it: its segments are followed by shortest paths of its own.

A segment list (RFC 8402) is followed from the source: a node segment along all equal-cost paths of its plane, split evenly
at each node; an adjacency over its link. What each link carries is an exact fraction of the flow. The holds must cover it,
rounded up, hold nothing else, and fit beside every other lease at each instant.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from suanwang.model.grid import Link
from suanwang.model.ids import LeaseId, LinkId, SecurityPoolId, SiteId
from suanwang.model.network import NetFault, NetFaultFound
from suanwang.model.plan import Hold
from suanwang.model.reservation import Reservation, ReservedWay, Wanted, WaySegment
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.verify.holds import over_capacity

US_PER_WEIGHT = 10  # one unit of the IGP's weight where the grid file says none: 2 km of fibre
WEIGHT_MAX = 2**24 - 1


class Trace(NamedTuple):
    """What a list does. `parts` are fractions of the flow by directed link; `stops` the sites at which segments end."""

    parts: dict[str, Fraction]
    worst_us: int
    stops: tuple[SiteId, ...]


class Tracer:
    """Follows lists over the links that are up."""

    def __init__(
        self,
        index: GridIndex,
        links_down: frozenset[LinkId],
        security_down: frozenset[SecurityPoolId] = frozenset(),
    ) -> None:
        self.index, self.links_down, self.security_down = index, links_down, security_down
        self._into: dict[SiteId, list[tuple[str, SiteId, Link]]] = {}
        self._out: dict[SiteId, list[tuple[str, SiteId, Link]]] = {}
        for link in index.grid.links:
            if link.id in links_down:
                continue
            for key, start, end in ((f"{link.id}:ab", link.a, link.b), (f"{link.id}:ba", link.b, link.a)):
                self._out.setdefault(start, []).append((key, end, link))
                self._into.setdefault(end, []).append((key, start, link))
        self._far: dict[tuple[str, SiteId], dict[SiteId, int]] = {}

    def follow(self, source: SiteId, target: SiteId, segments: Sequence[WaySegment]) -> Trace | NetFaultFound:
        """What the list carries, or the first thing that is wrong with it."""
        at, late_us = source, 0
        parts: dict[str, Fraction] = {}
        stops = [source]
        for segment in segments:
            step = self._adjacency(at, segment.name) if segment.kind == "adjacency" else self._leg(at, segment)
            if isinstance(step, NetFaultFound):
                return step
            end, carried, step_us = step
            for key, part in carried.items():
                parts[key] = parts.get(key, Fraction(0)) + part
            late_us, at = late_us + step_us, end
            stops.append(at)
        if at != target:
            return NetFaultFound(fault=NetFault.NOT_CONNECTED, what=target, detail=f"the list ends at {at}")
        return Trace(parts, late_us, tuple(stops))

    def _adjacency(self, at: SiteId, name: str) -> tuple[SiteId, dict[str, Fraction], int] | NetFaultFound:
        for key, end, link in self._out.get(at, ()):
            if key == name:
                return end, {key: Fraction(1)}, link.latency_us
        down = LinkId(name.rpartition(":")[0]) in self.links_down
        fault = NetFault.LINK_DOWN if down else NetFault.NOT_CONNECTED
        return NetFaultFound(fault=fault, what=name, detail=f"no such way on from {at}")

    def _leg(self, at: SiteId, segment: WaySegment) -> tuple[SiteId, dict[str, Fraction], int] | NetFaultFound:
        goal = SiteId(segment.name)
        far = self._distances(segment.plane, goal)
        if at not in far:
            return NetFaultFound(fault=NetFault.NOT_CONNECTED, what=goal, detail=f"not reached from {at}")
        waiting, late = {at: Fraction(1)}, {at: 0}
        carried: dict[str, Fraction] = {}
        for site in sorted(far, key=lambda one: (-far[one], one)):
            amount = waiting.get(site)
            if amount is None or site == goal:
                continue
            hops = [
                (key, end, link)
                for key, end, link in self._out.get(site, ())
                if end in far and far[end] + metric(segment.plane, link) == far[site]
            ]
            for key, end, link in hops:
                part = amount / len(hops)
                carried[key] = carried.get(key, Fraction(0)) + part
                waiting[end] = waiting.get(end, Fraction(0)) + part
                late[end] = max(late.get(end, 0), late[site] + link.latency_us)
        return goal, carried, late[goal]

    def _distances(self, plane: str, goal: SiteId) -> dict[SiteId, int]:
        """Of each site that reaches the goal."""
        known = self._far.get((plane, goal))
        if known is not None:
            return known
        far: dict[SiteId, int] = {}
        heap: list[tuple[int, SiteId]] = [(0, goal)]
        while heap:
            distance, site = heapq.heappop(heap)
            if site in far:
                continue
            far[site] = distance
            for _, start, link in self._into.get(site, ()):
                if start not in far:
                    heapq.heappush(heap, (distance + metric(plane, link), start))
        self._far[plane, goal] = far
        return far


def metric(plane: str, link: Link) -> int:
    """What a link costs on a plane; 1 at least."""
    if plane == "delay":
        return max(1, link.latency_us)
    if link.igp_weight is not None:
        return link.igp_weight
    return min(WEIGHT_MAX, max(1, -(-link.latency_us // US_PER_WEIGHT)))


def reservation_faults(
    one: Reservation,
    way: ReservedWay,
    holds: Sequence[Hold],
    lease: LeaseId,
    snapshot: Snapshot,
    start_us: int,
    tracer: Tracer | None = None,
    standby: ReservedWay | None = None,
) -> list[NetFaultFound]:
    """Every fault of a reservation that is to hold `holds` from `start_us` on; an empty list lets it be committed. The
    snapshot may hold the lease itself already: it is not counted twice."""
    ways = (way,) if standby is None else (way, standby)
    tracer = Tracer(snapshot.index, snapshot.links_down, snapshot.security_down) if tracer is None else tracer
    found = [fault for each in ways for fault in way_faults(one, each, start_us, tracer)]
    if standby is not None:
        found += apart_faults(one, way, standby, snapshot.index)
    found += _held_faults(one, ways, holds, start_us)
    for resource, key, at_us in over_capacity(lease, holds, snapshot):
        found.append(NetFaultFound(fault=NetFault.OVERSUBSCRIBED, what=f"{resource} {key}", at_us=at_us))
    return found


def way_faults(one: Reservation, way: ReservedWay, start_us: int, tracer: Tracer) -> Iterator[NetFaultFound]:
    """Whether the list leads where it shall, loads the links that it says, in time, and keeps to what was asked."""
    index, who = tracer.index, one.reservation_id
    trace = tracer.follow(one.wanted.source, one.wanted.target, way.segments)
    if isinstance(trace, NetFaultFound):
        yield trace.model_copy(update={"what": who, "detail": f"{trace.what}: {trace.detail}"})
        return
    said = {carried.link: carried.bps for carried in way.links}
    bps = one.wanted.bandwidth_bps
    for key, part in trace.parts.items():
        if said.get(key, 0) < part * bps:
            detail = f"{key} carries {part} of the flow"
            used = -(-part.numerator * bps // part.denominator)
            yield NetFaultFound(fault=NetFault.NOT_HELD, what=who, used=used, limit=said.get(key, 0), detail=detail)
    for key in said.keys() - trace.parts.keys():
        yield NetFaultFound(fault=NetFault.NOT_CONNECTED, what=who, detail=f"{key} carries nothing of it")
    bound_us = one.wanted.latency_us_max
    if trace.worst_us != way.latency_us or (bound_us is not None and trace.worst_us > bound_us):
        yield NetFaultFound(
            fault=NetFault.LATENCY,
            what=who,
            used=trace.worst_us,
            limit=way.latency_us if bound_us is None else bound_us,
        )
    yield from _kept_to(one.wanted, trace, who, index)
    if len(way.segments) > one.wanted.segments_max:
        detail = f"{len(way.segments)} segments, {one.wanted.segments_max} at most"
        yield NetFaultFound(fault=NetFault.SEGMENTS, what=who, detail=detail)
    if tuple(step.function for step in way.protection) != one.wanted.protection or not _in_order(way, trace, index):
        yield NetFaultFound(
            fault=NetFault.NOT_CONNECTED, what=who, detail="the functions are not passed in their order"
        )
    for step in way.protection:
        if step.security_pool in tracer.security_down:
            yield NetFaultFound(fault=NetFault.SECURITY_DOWN, what=who, detail=step.security_pool)
    for key in trace.parts:
        for window in index.links[LinkId(key.rpartition(":")[0])].maintenance:
            if window.start < one.end_us and start_us < window.end:
                yield NetFaultFound(fault=NetFault.MAINTENANCE, what=who, at_us=window.start, detail=key)


def apart_faults(one: Reservation, way: ReservedWay, standby: ReservedWay, index: GridIndex) -> Iterator[NetFaultFound]:
    """Whether no one link, in either direction, and no shared-risk group carries both ways."""
    first, second = ({LinkId(part.link.rpartition(":")[0]) for part in each.links} for each in (way, standby))
    for link in sorted(first & second):
        yield NetFaultFound(fault=NetFault.NOT_APART, what=one.reservation_id, detail=link)
    groups, others = (
        {group for link in links for group in index.links[link].shared_risk_groups} for links in (first, second)
    )
    for group in sorted(groups & others):
        yield NetFaultFound(fault=NetFault.NOT_APART, what=one.reservation_id, detail=group)


def reserved_needs(one: Reservation, ways: Iterable[ReservedWay]) -> dict[tuple[str, str], int]:
    """What the ways of a reservation need of each resource: their links, and the whole flow at each security pool."""
    need: dict[tuple[str, str], int] = {}
    for way in ways:
        parts = [(("link", carried.link), carried.bps) for carried in way.links]
        parts += [(("protection", step.security_pool), one.wanted.bandwidth_bps) for step in way.protection]
        for key, bps in parts:
            need[key] = need.get(key, 0) + bps
    return need


def _kept_to(wanted: Wanted, trace: Trace, who: str, index: GridIndex) -> Iterator[NetFaultFound]:
    for key in trace.parts:
        link = index.links[LinkId(key.rpartition(":")[0])]
        ends = {link.a, link.b}
        regions = {index.sites[site].region for site in ends}
        avoided = link.id in wanted.avoid_links or not ends.isdisjoint(wanted.avoid_sites)
        avoided = avoided or not set(link.shared_risk_groups).isdisjoint(wanted.avoid_risks)
        if avoided or not regions.isdisjoint(wanted.avoid_regions):
            yield NetFaultFound(fault=NetFault.AVOIDED, what=who, detail=key)


def _in_order(way: ReservedWay, trace: Trace, index: GridIndex) -> bool:
    """Whether the list stops at each security pool's site, one after the other."""
    at = 0
    for step in way.protection:
        known = index.security_pools.get(step.security_pool)
        if known is None or known[0].function is not step.function or known[1].id != step.site:
            return False
        while at < len(trace.stops) and trace.stops[at] != step.site:
            at += 1
        if at == len(trace.stops):
            return False
    return True


def _held_faults(
    one: Reservation, ways: Sequence[ReservedWay], holds: Sequence[Hold], start_us: int
) -> Iterator[NetFaultFound]:
    """The holds are what the ways say, from start to end."""
    need = reserved_needs(one, ways)
    got = {(hold.resource, hold.key): hold.bps for hold in holds}
    whole = all((hold.start_us, hold.end_us) == (start_us, one.end_us) for hold in holds)
    if need != got or len(got) != len(holds) or not whole:
        yield NetFaultFound(
            fault=NetFault.NOT_HELD, what=one.reservation_id, detail="the holds are not those of its way"
        )
