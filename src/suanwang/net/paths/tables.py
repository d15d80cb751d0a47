"""What the engine looks up: the legs of every pair on every plane, with their price, worst latency and links.

A leg (p, u, v) is what one node segment of plane p does with traffic from u to v; its number is `(p * n + u) * n + v`.
Beside it stands the code of its far end, `p * n + k`: row u of the `OUT` tables holds the legs from u to each code, row v
of the `INTO` tables the legs from each code to v.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from suanwang.net.igp import NO_PATH, Plane, build_plane, build_shares
from suanwang.net.igp.shares import SHARE_BITS, Int32s
from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.topology import Topology

# A leg has fewer than 4,000 links, a list 16 legs: no sum of prices reaches FAR_COST, and two of those stay in 63 bits.
PRICE_MAX: Final = 2**44
FAR_COST: Final = 2**61
OUT: Final = 0
INTO: Final = 1
# Columns of `spans`: where the links of a leg begin and end in `carry`.
FIRST: Final = 0
LAST: Final = 1
WATCH_BITS: Final = 31  # of a share, below the link's number


@dataclass(frozen=True, eq=False)
class Tables:
    """Arrays of P planes over n nodes. `carry` holds (link, share in units of 2**-30, rounded up) of every leg."""

    topology: Topology
    planes: tuple[Plane, ...]
    price: Ints  # (m,) micro-yuan for one Gbit/s in one hour
    order: Int32s  # (n, P * n): codes of the legs from each node, cheapest first, -1 behind the last
    cost: Ints  # (2, n, P * n): price of a leg by OUT or INTO; FAR_COST where there is none
    late_us: Ints  # (2, n, P * n): the worst latency over its equal-cost paths; NO_PATH where there is none
    floor_us: Ints  # (n, n): no path at all is shorter than this
    leg_price: Ints  # (P * n * n,)
    watch: Ints  # (2, n, P * n): one link of a leg, `link << WATCH_BITS | share`: the one that refused it last
    spans: Int32s  # (P * n * n, 2)
    carry: Int32s  # (entries, 2)
    mark: Ints  # (P * n * n,): equal for legs that load the same links with the same shares; 62 bits

    @property
    def n(self) -> int:
        return self.topology.n


def delay_metric(topology: Topology) -> Ints:
    """The metric of the delay plane (RFC 9350, metric type 1); a metric is 1 or more."""
    return np.maximum(1, topology.latency_us)


def build_tables(topology: Topology, planes: Sequence[Plane], price: Ints) -> Tables:
    """The tables of some planes of one topology, in the order of `planes`."""
    n, count = topology.n, len(planes)
    assert planes and all(one.topology is topology for one in planes), "planes of one topology"
    assert len(price) == topology.m and bool(np.all(price >= 0)), "a price a link"
    price = np.minimum(price, PRICE_MAX).astype(np.int64)
    shares = [build_shares(one) for one in planes]
    entries = np.cumsum([0, *(one.entries for one in shares)])
    spans = np.empty((count * n * n, 2), np.int32)
    for at, one in enumerate(shares):
        part = spans[at * n * n : (at + 1) * n * n]
        part[:, FIRST], part[:, LAST] = one.first + entries[at], one.last + entries[at]
    carry = np.empty((int(entries[-1]), 2), np.int32)
    carry[:, 0] = np.concatenate([one.link for one in shares])
    carry[:, 1] = np.concatenate([one.fixed for one in shares])
    leg_cost, narrow = np.empty(count * n * n, np.int64), np.zeros(count * n * n, np.int64)
    _leg_costs(spans, carry, price, topology.capacity_bps, leg_cost, narrow)
    mark = _marks(spans, carry)
    gone = np.stack([one.distance >= NO_PATH for one in planes]) | _again(mark.reshape(count, n, n))
    by_leg = np.where(gone, FAR_COST, leg_cost.reshape(count, n, n))
    late = np.stack([one.worst_us for one in planes])
    cost, late_us = _both_ways(by_leg), _both_ways(late)
    order = np.argsort(cost[OUT], axis=1, kind="stable").astype(np.int32)
    order[np.take_along_axis(cost[OUT], order.astype(np.int64), axis=1) >= FAR_COST] = -1
    watch, floor = _both_ways(narrow.reshape(count, n, n)), _floor(topology, planes)
    return Tables(topology, tuple(planes), price, order, cost, late_us, floor, leg_cost, watch, spans, carry, mark)


def _both_ways(by_leg: Ints) -> Ints:
    """(P, u, v) as (OUT, u, p * n + v) and (INTO, v, p * n + u)."""
    count, n, _ = by_leg.shape
    out = np.empty((2, n, count * n), np.int64)
    out[OUT] = by_leg.transpose(1, 0, 2).reshape(n, count * n)
    out[INTO] = by_leg.transpose(2, 0, 1).reshape(n, count * n)
    return out


def _marks(spans: Int32s, carry: Int32s) -> Ints:
    """A sum of well mixed words (splitmix64), one a link and share; sums of 64 bits wrap."""
    word = (
        (carry[:, 0].astype(np.uint64) << np.uint64(32)) + carry[:, 1].astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    )
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(word ^ (word >> np.uint64(31)), dtype=np.uint64)])
    mark = (sums[spans[:, LAST]] - sums[spans[:, FIRST]]) & np.uint64(2**62 - 1)
    out: Ints = mark.astype(np.int64)
    return out


def _again(mark: Ints) -> Flags:
    """(P, n, n): legs of a later plane that do what an earlier plane's leg does; a list never needs them."""
    out = np.zeros(mark.shape, np.bool_)
    for plane in range(1, len(mark)):
        out[plane] = np.any(mark[:plane] == mark[plane], axis=0)
    return out


def _floor(topology: Topology, planes: Sequence[Plane]) -> Ints:
    """The delay plane's distance, less what links without latency add to it, over all links of the planes."""
    usable = np.any(np.stack([one.usable for one in planes]), axis=0)
    metric = delay_metric(topology)
    same = [one for one in planes if np.array_equal(one.metric, metric) and np.array_equal(one.usable, usable)]
    plane = same[0] if same else build_plane(topology, metric, usable)
    slack = topology.n if bool(np.any(topology.latency_us == 0)) else 0
    return np.maximum(0, plane.distance - slack)


@kernel
def _leg_costs(spans: Int32s, carry: Int32s, price: Ints, capacity: Ints, out: Ints, narrow: Ints) -> None:
    """The price of each leg, each link's part rounded up; and what to watch first: the link that fills first."""
    one = np.int64(1) << SHARE_BITS
    mask = one - 1
    for leg in range(len(spans)):
        total = np.int64(0)
        least = 1e300
        for at in range(spans[leg, FIRST], spans[leg, LAST]):
            link, fixed = carry[at, 0], np.int64(carry[at, 1])
            total += (price[link] >> SHARE_BITS) * fixed + (((price[link] & mask) * fixed + mask) >> SHARE_BITS)
            room = capacity[link] / fixed
            if room < least:
                least = room
                narrow[leg] = (np.int64(link) << WATCH_BITS) | fixed
        out[leg] = total


Bytes = npt.NDArray[np.uint8]
