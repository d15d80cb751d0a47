"""All-pairs shortest paths of one plane, as the next links of every node towards every node.

A plane is the topology under one metric: the IGP weight, or the delay (a Flex-Algorithm of RFC 9350 with metric type 1). Traffic splits
evenly over all next links of equal cost (ECMP), hop by hop; parallel links count one each.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.topology.topology import Reals, Topology

NO_PATH: Final = 2**40  # above any sum of weights or of latencies; two of them add without overflow


@dataclass(frozen=True, eq=False)
class Plane:
    """`n` nodes. Row t of `order` holds the nodes that reach t, nearest first (t itself is the first), `count[t]` of
    them. The next links of u towards t are `hops[first[t, u]:first[t, u + 1]]`; none at t or where there is no path.
    `distance[s, t]` and `worst_us[s, t]` (the greatest latency over all equal-cost paths) are NO_PATH where none is.
    """

    topology: Topology
    metric: Ints  # (m,)
    usable: Flags  # (m,)
    distance: Ints  # (n, n)
    worst_us: Ints  # (n, n)
    count: Ints  # (n,)
    order: Ints  # (n, n)
    first: Ints  # (n, n + 1)
    hops: Ints


def build_plane(topology: Topology, metric: Ints | None = None, usable: Flags | None = None) -> Plane:
    """The plane of a metric (default the IGP weight) over the usable links (default all). Metrics are 1 or more."""
    metric = topology.weight if metric is None else metric
    usable = np.ones(topology.m, np.bool_) if usable is None else usable
    assert len(metric) == topology.m == len(usable) and bool(np.all(metric >= 1)), "a metric of 1 or more a link"
    assert not topology.m or int(metric.max()) * topology.n < NO_PATH, "no distance reaches NO_PATH"
    arrays = _all_pairs(
        topology.first,
        topology.out,
        topology.into_first,
        topology.into,
        topology.source,
        topology.target,
        metric,
        usable,
    )
    distance, count, order, first, hops = arrays
    worst = np.empty_like(distance)
    _worst(count, order, first, hops, topology.target, topology.latency_us, worst)
    return Plane(topology, metric, usable, distance, worst, count, order, first, hops)


def node_worst(plane: Plane, latency_us: Ints) -> Ints:
    """(n, n): the greatest sum of a link value over all equal-cost paths of each pair; NO_PATH where none is."""
    out = np.empty_like(plane.distance)
    _worst(plane.count, plane.order, plane.first, plane.hops, plane.topology.target, latency_us, out)
    return out


def node_sums(plane: Plane, value: Reals) -> Reals:
    """(n, n): the mean of a link value's sum over the ECMP flow of each pair; infinite where there is no path."""
    out = np.empty(plane.distance.shape, np.float64)
    sums(plane.count, plane.order, plane.first, plane.hops, plane.topology.target, value, out)
    return out


@kernel
def _all_pairs(
    out_first: Ints, out: Ints, into_first: Ints, into: Ints, source: Ints, target: Ints, metric: Ints, usable: Flags
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Dijkstra towards each node over a binary heap of (distance, node) packed in one integer."""
    n = len(out_first) - 1
    no_path = np.int64(2**40)
    distance = np.full((n, n), no_path, np.int64)
    count = np.zeros(n, np.int64)
    order = np.zeros((n, n), np.int64)
    first = np.zeros((n, n + 1), np.int64)
    hops = np.empty(n * n + 2 * len(source), np.int64)
    used = 0
    far = np.empty(n, np.int64)
    heap = np.empty(len(source) + n + 1, np.int64)
    for to in range(n):
        far[:] = no_path
        far[to] = 0
        heap[0] = to
        size = 1
        done = 0
        while size > 0:
            top = heap[0]
            size -= 1
            last = heap[size]
            at = 0
            while True:
                child = 2 * at + 1
                if child >= size:
                    break
                if child + 1 < size and heap[child + 1] < heap[child]:
                    child += 1
                if heap[child] >= last:
                    break
                heap[at] = heap[child]
                at = child
            heap[at] = last
            d, v = top >> 16, top & 65535
            if d != far[v]:
                continue
            if done > 0 and order[to, done - 1] == v:
                continue
            order[to, done] = v
            done += 1
            for place in range(into_first[v], into_first[v + 1]):
                link = into[place]
                u = source[link]
                then = d + metric[link]
                if usable[link] and then < far[u]:
                    far[u] = then
                    at = size
                    size += 1
                    key = (then << 16) | u
                    while at > 0:
                        above = (at - 1) >> 1
                        if heap[above] <= key:
                            break
                        heap[at] = heap[above]
                        at = above
                    heap[at] = key
        count[to] = done
        for u in range(n):
            distance[u, to] = far[u]
            first[to, u] = used
            if u != to and far[u] < no_path:
                if used + out_first[u + 1] - out_first[u] > len(hops):
                    more = np.empty(2 * len(hops) + len(source), np.int64)
                    more[:used] = hops[:used]
                    hops = more
                for place in range(out_first[u], out_first[u + 1]):
                    link = out[place]
                    if usable[link] and far[target[link]] + metric[link] == far[u]:
                        hops[used] = link
                        used += 1
        first[to, n] = used
    return distance, count, order, first, hops[:used].copy()


@kernel
def _worst(count: Ints, order: Ints, first: Ints, hops: Ints, target: Ints, latency: Ints, out: Ints) -> None:
    n = len(count)
    row = np.empty(n, np.int64)
    for to in range(n):
        row[:] = np.int64(2**40)
        row[to] = 0
        for place in range(1, count[to]):
            u = order[to, place]
            most = np.int64(-1)
            for at in range(first[to, u], first[to, u + 1]):
                most = max(most, latency[hops[at]] + row[target[hops[at]]])
            row[u] = most
        for u in range(n):
            out[u, to] = row[u]


@kernel
def sums(count: Ints, order: Ints, first: Ints, hops: Ints, target: Ints, value: Reals, out: Reals) -> None:
    """`node_sums` into a given array."""
    n = len(count)
    row = np.empty(n, np.float64)
    for to in range(n):
        row[:] = np.inf
        row[to] = 0.0
        for place in range(1, count[to]):
            u = order[to, place]
            total = 0.0
            low, high = first[to, u], first[to, u + 1]
            for at in range(low, high):
                total += value[hops[at]] + row[target[hops[at]]]
            row[u] = total / (high - low)
        for u in range(n):
            out[u, to] = row[u]
