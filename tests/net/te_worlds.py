"""Small worlds of the optimiser's tests, and the independent checker's view of them."""

from dataclasses import dataclass

import numpy as np
from graphs import random_topology

from suanwang.net.igp import NO_PATH, Plane, Shares, build_plane, build_shares
from suanwang.net.network import Flags, Ints
from suanwang.net.te import Policies
from suanwang.net.topology import Demands, Topology, make_topology
from suanwang.verify.routing import RoutedDemands, RoutedNet, RoutingScore, score_routing


@dataclass(frozen=True)
class World:
    topology: Topology
    demands: Demands
    plane: Plane
    shares: Shares

    def score(self, policies: Policies, bound_us: Ints | None = None, usable: Flags | None = None) -> RoutingScore:
        one, many = self.topology, self.demands
        up = np.ones(one.m, np.bool_) if usable is None else usable
        net = RoutedNet(one.n, one.source, one.target, one.weight, one.capacity_bps, one.latency_us, up)
        return score_routing(net, RoutedDemands(many.source, many.target, many.bps, bound_us), policies.lists)

    def bound_us(self, factor: float) -> Ints:
        worst = self.plane.worst_us[self.demands.source, self.demands.target]
        return np.where(worst < NO_PATH, (worst * factor).astype(np.int64), NO_PATH)


def world(topology: Topology, *flows: tuple[int, int, int]) -> World:
    source, target, bps = (np.array(column, np.int64) for column in zip(*flows, strict=True))
    plane = build_plane(topology)
    labels = tuple(f"d{at}" for at in range(len(flows)))
    return World(topology, Demands(labels, source, target, bps), plane, build_shares(plane))


def random_world(seed: int, nodes: int = 12, one_way: int = 2) -> World:
    """A random graph; most pairs have traffic, some have none, some go from a node to itself."""
    topology = random_topology(seed, nodes=nodes, one_way=one_way)
    draw = np.random.default_rng(seed)
    flows = [
        (a, b, int(draw.integers(0, 300_000)) if draw.random() < 0.9 else 0)
        for a in range(nodes)
        for b in range(nodes)
        if a != b or a == 3
    ]
    return world(topology, *flows)


def small(ends: list[tuple[int, int]], weight: list[int], capacity: list[int], latency: list[int]) -> Topology:
    """Directed links by their ends."""
    n = 1 + max(max(pair) for pair in ends)
    columns = (np.array(one, np.int64) for one in (weight, capacity, latency))
    source, target = (np.array(one, np.int64) for one in zip(*ends, strict=True))
    return make_topology(
        "small", [f"n{at}" for at in range(n)], [f"l{at}" for at in range(len(ends))], source, target, *columns
    )
