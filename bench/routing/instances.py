"""Instances of the routing bench: a graph, its demands, the tables of its pairs, its bound, and the checker's view of it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from suanwang.guide.mcf import McfBound, flows_of, mcf_bound
from suanwang.net.igp import NO_PATH, Plane, Shares, build_plane, build_shares
from suanwang.net.network import Flags, Ints
from suanwang.net.te import Policies
from suanwang.net.topology import Demands, Topology, read_demands, read_graph
from suanwang.verify.routing import RoutedDemands, RoutedNet, RoutingScore, score_routing


@dataclass(frozen=True)
class Instance:
    name: str
    topology: Topology
    demands: Demands
    plane: Plane
    shares: Shares
    tables_s: float  # of the plane and the shares

    def bound(self, seconds: float, without: Ints | None = None) -> McfBound:
        """Of the whole network, or of what is left of it without some links; by HiGHS."""
        one, many = self.topology, self.demands
        up = np.ones(one.m, np.bool_)
        up[np.zeros(0, np.int64) if without is None else without] = False
        capacity = np.maximum(one.capacity_bps, 1)[up]
        flows = flows_of(one.n, one.source[up], one.target[up], capacity, (many.source, many.target, many.bps))
        return mcf_bound(flows, seconds)

    def bound_us(self, factor: float) -> Ints:
        """The IGP's worst latency of each demand times a factor; NO_PATH where it has no path."""
        worst = self.plane.worst_us[self.demands.source, self.demands.target]
        return np.where(worst < NO_PATH, np.floor(worst * factor + 1e-9).astype(np.int64), NO_PATH)

    def score(self, policies: Policies, bound_us: Ints | None = None, usable: Flags | None = None) -> RoutingScore:
        """By the independent checker."""
        one, many = self.topology, self.demands
        up = np.ones(one.m, np.bool_) if usable is None else usable
        net = RoutedNet(one.n, one.source, one.target, one.weight, np.maximum(one.capacity_bps, 1), one.latency_us, up)
        return score_routing(net, RoutedDemands(many.source, many.target, many.bps, bound_us), policies.lists)

    def with_traffic(self, bps: Ints) -> "Instance":
        return replace(self, demands=replace(self.demands, bps=bps))


def read_instance(graph: Path, demands: Path) -> Instance:
    """One graph with one matrix; the kernels must be warm for `tables_s` to mean something."""
    topology = read_graph(graph.read_text(), graph.stem, str(graph))
    matrix = read_demands(demands.read_text(), topology, str(demands))
    began = time.thread_time()
    plane = build_plane(topology)
    shares = build_shares(plane)
    return Instance(demands.stem, topology, matrix, plane, shares, time.thread_time() - began)


def all_in(folder: Path, matrix: str) -> Iterator[tuple[Path, Path]]:
    """Every graph of a folder with its matrix of that number, smallest file first."""
    for graph in sorted(folder.glob("*.graph"), key=lambda one: one.stat().st_size):
        demands = folder / f"{graph.stem}.{matrix}.demands"
        if demands.exists():
            yield graph, demands


def drift(bps: Ints, seed: int, most: float = 0.2) -> Ints:
    """Traffic of a later hour: each demand up or down by up to a part of itself."""
    return np.round(bps * np.random.default_rng(seed).uniform(1 - most, 1 + most, len(bps))).astype(np.int64)
