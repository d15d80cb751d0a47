"""The live ways as a demand matrix with the segment lists that they follow now, for the whole-network optimiser.

A way is one demand from site to site, named by its owner. A way past security pools is a demand from stop to stop, and its
bound is shared out by the latencies that the parts have now. A list pins the links of
a way by the fewest segments of the IGP; a way that is the IGP's own has none. Where no list of the IGP does what a way does
(it follows the delay plane over equal-cost paths), its demand starts from the IGP.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from suanwang.livenet.held import StandingWay
from suanwang.model.snapshot import GridIndex
from suanwang.net.igp import Plane, Shares, build_plane, build_shares
from suanwang.net.network import Ints
from suanwang.net.te import Policies, WeightedList
from suanwang.net.te.engine import NO_BOUND_US
from suanwang.net.topology import Demands, Topology, topology_of_grid


@dataclass(frozen=True, eq=False)
class Matrix:
    """`bound_us` (q,); `installed` are the lists of now."""

    topology: Topology
    plane: Plane
    shares: Shares
    demands: Demands
    bound_us: Ints
    installed: Policies


@dataclass(frozen=True)
class _Part:
    """A stretch of one way."""

    owner: str
    bps: int
    source: int
    target: int
    bound_us: int
    segments: tuple[int, ...]


def matrix_of(index: GridIndex, ways: Sequence[StandingWay], unusable: frozenset[str], at_us: int) -> Matrix:
    """What is held at `at_us`. `unusable` are links that carry nothing then."""
    topology = topology_of_grid(index.grid)
    up = np.array([link.id not in unusable for link in index.grid.links for _ in range(2)], np.bool_)
    plane = build_plane(topology, usable=up)
    shares = build_shares(plane)
    pins = _Pins(topology, plane, shares)
    live = (one for one in ways if one.way.bps and one.way.start_us <= at_us < one.way.end_us)
    parts = [part for one in live for part in pins.parts(one)]
    return Matrix(
        topology,
        plane,
        shares,
        Demands(
            tuple(one.owner for one in parts),
            _ints([one.source for one in parts]),
            _ints([one.target for one in parts]),
            _ints([one.bps for one in parts]),
        ),
        _ints([one.bound_us for one in parts]),
        Policies(tuple((WeightedList(1, one.segments),) if one.segments else () for one in parts)),
    )


class _Pins:
    """Segment lists of the IGP for given links."""

    def __init__(self, topology: Topology, plane: Plane, shares: Shares) -> None:
        self.topology, self.plane, self.shares = topology, plane, shares
        self.node_of = {name: at for at, name in enumerate(topology.nodes)}
        self.edge_of = {name: at for at, name in enumerate(topology.links)}

    def parts(self, one: StandingWay) -> Iterator[_Part]:
        """The stretches of a way, from stop to stop."""
        if one.reservation is not None and any(bps != one.way.bps for _, bps in one.held):
            yield self._listed(one)  # it splits: no walk
            return
        edges = [self.edge_of[key] for key in one.way.links]
        if one.reservation is not None:
            edges = self._in_order(edges, self.node_of[one.way.source])
        bound_us = one.way.promised_us
        for stretch in self._cut(edges, one):
            if not stretch:
                continue
            share_us, late_us = NO_BOUND_US, int(self.topology.latency_us[stretch].sum())
            if bound_us is not None and one.way.latency_us:
                share_us = bound_us * late_us // one.way.latency_us
            ends = int(self.topology.source[stretch[0]]), int(self.topology.target[stretch[-1]])
            yield _Part(one.way.owner, one.way.bps, *ends, share_us, self._pin(stretch))

    def _listed(self, one: StandingWay) -> _Part:
        """All of a reservation that splits, without a list of now: the optimiser starts it from the IGP."""
        bound_us = NO_BOUND_US if one.way.promised_us is None else one.way.promised_us
        ends = self.node_of[one.way.source], self.node_of[one.way.target]
        return _Part(one.way.owner, one.way.bps, *ends, bound_us, ())

    def _in_order(self, edges: Sequence[int], at: int) -> list[int]:
        """The links of a walk that passes none twice, from its source on."""
        left, out = list(edges), []
        while left:
            nexts = [one for one in left if int(self.topology.source[one]) == at]
            if not nexts:
                break
            left.remove(nexts[0])
            out.append(nexts[0])
            at = int(self.topology.target[nexts[0]])
        return out

    def _cut(self, edges: Sequence[int], one: StandingWay) -> Iterator[list[int]]:
        """The links between the stops, in order."""
        at, begun = self.node_of[one.way.source], 0
        nodes = [at, *(int(self.topology.target[edge]) for edge in edges)]
        for step in one.steps:
            stop = self.node_of[step.site]
            until = next((place for place in range(begun, len(nodes)) if nodes[place] == stop), begun)
            yield list(edges[begun:until])
            begun = until
        yield list(edges[begun:])

    def _pin(self, edges: Sequence[int]) -> tuple[int, ...]:
        """The fewest segments over exactly these links; none where the IGP takes them by itself."""
        segments: list[int] = []
        at = 0
        while at < len(edges):
            segment, at = self._longest(edges, at)
            segments.append(segment)
        goal = int(self.topology.target[edges[-1]])
        return () if segments == [goal] else tuple(segments)

    def _longest(self, edges: Sequence[int], at: int) -> tuple[int, int]:
        start = int(self.topology.source[edges[at]])
        best, end = -1 - edges[at], at + 1
        for until in range(at + 1, len(edges) + 1):
            goal = int(self.topology.target[edges[until - 1]])
            pair = start * self.topology.n + goal
            first, last = int(self.shares.first[pair]), int(self.shares.last[pair])
            if self.shares.link[first:last].tolist() != list(edges[at:until]):
                break
            best, end = goal, until
        return best, end


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)
