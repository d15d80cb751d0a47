"""The flow bound: exact where the answer is known, and below every routing."""

import numpy as np
import pytest
from tests.net.graphs import random_topology

from suanwang.guide.mcf import Flows, ascent_bound, distances, flows_of, gap, lp_bound, mcf_bound, price_bound


def random_flows(seed: int) -> Flows:
    topology = random_topology(seed, nodes=8, extra=6, one_way=2)
    draw = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(8) for b in range(8)])
    bps = draw.integers(0, 2_000_000, len(pairs)) * (draw.random(len(pairs)) < 0.4)
    columns = pairs[:, 0], pairs[:, 1], bps
    return flows_of(8, topology.source, topology.target, topology.capacity_bps, columns)


def test_two_ways_share_what_neither_could_carry_alone() -> None:
    source, target = np.array([0, 1, 0, 2]), np.array([1, 3, 2, 3])
    flows = flows_of(4, source, target, np.array([10, 10, 30, 20]), (np.array([0]), np.array([3]), np.array([24])))
    assert lp_bound(flows).mlu == pytest.approx(24 / 30, rel=1e-6) and mcf_bound(flows).kind == "lp"


def test_parallel_links_count_together_and_loops_not_at_all() -> None:
    source, target = np.array([0, 0, 0]), np.array([1, 1, 0])
    flows = flows_of(2, source, target, np.array([10, 30, 7]), (np.array([0, 0]), np.array([1, 0]), np.array([20, 9])))
    assert len(flows.source) == 1 and lp_bound(flows).mlu == pytest.approx(0.5, rel=1e-6)


def test_demands_without_a_path_do_not_count() -> None:
    demands = np.array([0, 1]), np.array([1, 0]), np.array([5, 5])
    flows = flows_of(2, np.array([0]), np.array([1]), np.array([10]), demands)
    assert lp_bound(flows).mlu == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_any_prices_prove_less_than_the_program(seed: int) -> None:
    flows = random_flows(seed)
    best = lp_bound(flows)
    assert best.kind == "lp" and best.mlu > 0
    draw = np.random.default_rng(seed)
    for _ in range(20):
        assert price_bound(flows, draw.random(len(flows.source)) / flows.capacity_bps) <= best.mlu * (1 + 1e-6)
    weaker = ascent_bound(flows)
    assert weaker.kind == "dual" and 0.95 * best.mlu <= weaker.mlu <= best.mlu * (1 + 1e-6)


def test_no_time_gives_the_weaker_bound_and_says_so() -> None:
    flows = random_flows(1)
    found = mcf_bound(flows, seconds=0.0)
    assert found.kind == "dual" and 0 < found.mlu <= lp_bound(flows).mlu * (1 + 1e-6)


def test_distances_are_the_least_sums() -> None:
    flows = random_flows(2)
    price = np.random.default_rng(2).random(len(flows.source))
    far = np.full((8, 8), np.inf)
    np.fill_diagonal(far, 0)
    np.minimum.at(far, (flows.source, flows.target), price)
    for k in range(8):
        far = np.minimum(far, far[:, k, None] + far[None, k])
    assert distances(flows, price) == pytest.approx(far)


def test_gap_is_a_part_of_the_bound() -> None:
    assert gap(1.1, 1.0) == pytest.approx(0.1) and gap(1.0, 0.0) == float("inf")
