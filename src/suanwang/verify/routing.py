"""Score routing policies without the optimiser: shortest paths, equal-cost splits and segment lists worked out again.

In: a routed network, demands, and for each demand the weighted segment lists that it takes. Out: a `RoutingScore` with
the load of every link, the maximum link utilisation (MLU), the worst latency of every demand, how many have a policy,
and every fault of the lists. Segments (RFC 8402): a node k is k, the adjacency segment of the directed link e is -1 - e
and is taken at the node where e begins. A list ends at its demand's target. A demand without a list follows the IGP.
"""

import heapq
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]
Lists = Sequence[tuple[int, Sequence[int]]]  # (weight, segments) of one demand

SEGMENTS_MAX: Final = 10  # of a list: what current hardware pushes


class RoutingFault(StrEnum):
    """What can be wrong with a demand's lists."""

    WEIGHT = "weight"  # not a whole number of 1 or more
    LENGTH = "length"  # no segment, or more than SEGMENTS_MAX
    UNKNOWN_SEGMENT = "unknown_segment"
    NOT_ADJACENT = "not_adjacent"  # an adjacency segment where the packet is not
    LINK_DOWN = "link_down"
    NO_PATH = "no_path"
    WRONG_END = "wrong_end"  # not the demand's target
    LATENCY_BOUND = "latency_bound"


class RoutedNet(NamedTuple):
    """`n` nodes and directed links (m,); `usable` says which are up."""

    n: int
    source: I64
    target: I64
    weight: I64
    capacity_bps: I64
    latency_us: I64
    usable: Flags


class RoutedDemands(NamedTuple):
    """Arrays (q,); `bound_us` is None where no latency is promised."""

    source: I64
    target: I64
    bps: I64
    bound_us: I64 | None = None


class RoutingScore(NamedTuple):
    """What the policies do; `worst_us` is -1 for a demand that has no traffic or no way."""

    load_bps: F64
    mlu: float
    worst_us: I64
    policies: int  # demands with at least one list
    lists: int
    unrouted: int  # demands with traffic and no way at all
    faults: tuple[tuple[int, RoutingFault], ...]


class _Ways:
    """Towards one target: distance, next links, worst latency, and nodes from the farthest to the nearest."""

    def __init__(self, net: RoutedNet, into: list[list[int]], outof: list[list[int]], to: int) -> None:
        source, target, weight = net.source.tolist(), net.target.tolist(), net.weight.tolist()
        far: dict[int, int] = {}
        heap = [(0, to)]
        while heap:
            d, v = heapq.heappop(heap)
            if v in far:
                continue
            far[v] = d
            for e in into[v]:
                if source[e] not in far:
                    heapq.heappush(heap, (d + weight[e], source[e]))
        self.inward = [v for v in far if v != to][::-1]
        self.hops = {
            u: [e for e in outof[u] if target[e] in far and far[target[e]] + weight[e] == far[u]] for u in self.inward
        }
        self.worst_us = {to: 0}
        for u in reversed(self.inward):
            self.worst_us[u] = max(int(net.latency_us[e]) + self.worst_us[target[e]] for e in self.hops[u])


def score_routing(net: RoutedNet, demands: RoutedDemands, lists: Sequence[Lists]) -> RoutingScore:
    """Score the lists of every demand. Lists with a fault carry nothing; their demand is then short of traffic."""
    assert len(lists) == len(demands.source), "lists of every demand, if only none"
    into: list[list[int]] = [[] for _ in range(net.n)]
    outof: list[list[int]] = [[] for _ in range(net.n)]
    for e, (u, v) in enumerate(zip(net.source.tolist(), net.target.tolist(), strict=True)):
        if net.usable[e] and u != v:
            into[v].append(e)
            outof[u].append(e)
    ways = [_Ways(net, into, outof, to) for to in range(net.n)]
    load = np.zeros(len(net.source))
    legs = np.zeros((net.n, net.n))  # traffic of IGP segments [target, source]
    worst = np.full(len(lists), -1, np.int64)
    faults: list[tuple[int, RoutingFault]] = []
    unrouted = 0
    for i, (s, t, bps) in enumerate(zip(*(one.tolist() for one in demands[:3]), strict=True)):
        if s == t or bps == 0:
            continue
        if s not in ways[t].worst_us:
            unrouted += 1
            continue
        mine: Lists = lists[i] or [(1, [t])]
        total = sum(weight for weight, _ in mine)
        for weight, segments in mine:
            fault, late_us = _follow(net, ways, s, t, weight, segments, bps * weight / max(total, 1), legs, load)
            worst[i] = max(worst[i], late_us)
            if fault is not None:
                faults.append((i, fault))
        if demands.bound_us is not None and worst[i] > demands.bound_us[i]:
            faults.append((i, RoutingFault.LATENCY_BOUND))
    for to, way in enumerate(ways):
        _pour(net, way, legs[to], load)
    used = load[net.capacity_bps > 0] / net.capacity_bps[net.capacity_bps > 0]
    return RoutingScore(
        load_bps=load,
        mlu=float(used.max(initial=0.0)),
        worst_us=worst,
        policies=sum(1 for one in lists if one),
        lists=sum(len(one) for one in lists),
        unrouted=unrouted,
        faults=tuple(faults),
    )


def _follow(
    net: RoutedNet,
    ways: Sequence[_Ways],
    s: int,
    t: int,
    weight: int,
    segments: Sequence[int],
    bps: float,
    legs: F64,
    load: F64,
) -> tuple[RoutingFault | None, int]:
    """Put one list's traffic on its segments; its fault, if any, and its worst latency (-1 with a fault)."""
    if type(weight) is not int or weight < 1:
        return RoutingFault.WEIGHT, -1
    if not 1 <= len(segments) <= SEGMENTS_MAX:
        return RoutingFault.LENGTH, -1
    at, late_us = s, 0
    taken: list[tuple[int, int]] = []
    for segment in segments:
        if not -len(net.source) <= segment < net.n:
            return RoutingFault.UNKNOWN_SEGMENT, -1
        if segment < 0:
            link = -1 - segment
            if net.source[link] != at:
                return RoutingFault.NOT_ADJACENT, -1
            if not net.usable[link]:
                return RoutingFault.LINK_DOWN, -1
            late_us += int(net.latency_us[link])
            taken.append((segment, at))
            at = int(net.target[link])
        else:
            if at not in ways[segment].worst_us:
                return RoutingFault.NO_PATH, -1
            late_us += ways[segment].worst_us[at]
            taken.append((segment, at))
            at = segment
    if at != t:
        return RoutingFault.WRONG_END, -1
    for segment, begin in taken:
        if segment < 0:
            load[-1 - segment] += bps
        else:
            legs[segment, begin] += bps
    return None, late_us


def _pour(net: RoutedNet, way: _Ways, waiting: F64, load: F64) -> None:
    """Let what waits at each node flow to the target, split evenly at each node."""
    for u in way.inward:
        amount = float(waiting[u])
        if amount > 0:
            part = amount / len(way.hops[u])
            for e in way.hops[u]:
                load[e] += part
                waiting[net.target[e]] += part
