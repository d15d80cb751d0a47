"""The tables of all pairs against their definition: every shortest path walked one by one."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from graphs import random_topology

from suanwang.net.igp import NO_PATH, Plane, build_plane, build_shares, node_sums, node_worst
from suanwang.net.igp.shares import SHARE_BITS
from suanwang.net.topology import Topology


def distances(topology: Topology, usable: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> list[list[float]]:
    """Floyd and Warshall's, over usable links."""
    far = [[0 if a == b else float("inf") for b in range(topology.n)] for a in range(topology.n)]
    for e in range(topology.m):
        if usable[e]:
            a, b = int(topology.source[e]), int(topology.target[e])
            far[a][b] = min(far[a][b], int(topology.weight[e]))
    for k in range(topology.n):
        for a in range(topology.n):
            for b in range(topology.n):
                far[a][b] = min(far[a][b], far[a][k] + far[k][b])
    return far


def split(plane: Plane, far: list[list[float]], s: int, t: int) -> tuple[dict[int, Fraction], int]:
    """One unit from s to t, split evenly over equal-cost links: share of each link, and the worst latency."""
    topology = plane.topology
    share: dict[int, Fraction] = defaultdict(Fraction)
    worst = 0
    flows = [(s, Fraction(1), 0)]
    while flows:
        u, amount, late = flows.pop()
        worst = max(worst, late)
        if u == t:
            continue
        links = [
            e
            for e in range(topology.m)
            if plane.usable[e]
            and topology.source[e] == u
            and far[topology.target[e]][t] + topology.weight[e] == far[u][t]
        ]
        for e in links:
            share[e] += amount / len(links)
            flows.append((int(topology.target[e]), amount / len(links), late + int(topology.latency_us[e])))
    return share, worst


@pytest.mark.parametrize("seed", range(6))
def test_tables_are_what_they_say(seed: int) -> None:
    topology = random_topology(seed, nodes=9, extra=7, one_way=seed % 3)
    usable = np.random.default_rng(seed).random(topology.m) < (1.0 if seed < 3 else 0.6)
    plane = build_plane(topology, usable=usable)
    shares = build_shares(plane)
    far = distances(topology, usable)
    values = np.random.default_rng(seed).random(topology.m)
    means, latencies = node_sums(plane, values), node_worst(plane, topology.latency_us)
    for s in range(topology.n):
        for t in range(topology.n):
            pair = s * topology.n + t
            links = shares.link[shares.first[pair] : shares.last[pair]].tolist()
            if far[s][t] == float("inf"):
                assert plane.distance[s, t] == NO_PATH == plane.worst_us[s, t] and not links and means[s, t] == np.inf
                continue
            expected, worst = split(plane, far, s, t)
            assert plane.distance[s, t] == far[s][t] and plane.worst_us[s, t] == worst == latencies[s, t]
            found = dict(zip(links, shares.share[shares.first[pair] : shares.last[pair]].tolist(), strict=True))
            assert found == pytest.approx({e: float(one) for e, one in expected.items()})
            assert means[s, t] == pytest.approx(sum(float(one) * values[e] for e, one in expected.items()))
            fixed = dict(zip(links, shares.fixed[shares.first[pair] : shares.last[pair]].tolist(), strict=True))
            for e, one in expected.items():
                assert 0 <= fixed[e] - one * 2**SHARE_BITS <= 2, "rounded up, by hardly anything"


def test_links_of_a_pair_come_nearest_to_its_source_first() -> None:
    topology = random_topology(3)
    plane = build_plane(topology)
    shares = build_shares(plane)
    for pair in range(topology.n**2):
        links = shares.link[shares.first[pair] : shares.last[pair]]
        left = plane.distance[topology.source[links], pair % topology.n]
        assert bool(np.all(np.diff(left) <= 0))


def test_a_delay_plane_is_another_metric() -> None:
    topology = random_topology(4)
    plane = build_plane(topology, np.maximum(1, topology.latency_us))
    assert np.array_equal(plane.worst_us, plane.distance), (
        "on the delay metric every equal-cost path takes equally long"
    )
