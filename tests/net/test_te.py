"""Segment lists for a whole matrix: known answers, and promises on random networks seen by the independent checker."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from te_worlds import World, random_world, small, world

from suanwang.guide.mcf import flows_of, lp_bound
from suanwang.net.te import Optimised, Policies, Settings, WeightedList, no_policies, optimise

SEEDS = range(8)
ALL = [Settings(), Settings(segments=3), Settings(ways=4), Settings(segments=3, ways=3)]


def run(one: World, settings: Settings | None = None, factor: float | None = None) -> Optimised:
    bound_us = None if factor is None else one.bound_us(factor)
    return optimise(one.plane, one.shares, one.demands, bound_us, settings=settings)


def two_roads() -> World:
    """0 -> 3 by 1 (short), by 2 (long): two demands of 8, each road carries 10."""
    topology = small([(0, 1), (1, 3), (0, 2), (2, 3)], [1, 1, 2, 2], [10, 10, 10, 10], [10, 10, 20, 20])
    return world(topology, (0, 3, 8), (0, 3, 8))


def test_one_of_two_demands_takes_the_other_road() -> None:
    found = run(two_roads())
    assert found.igp_mlu == 1.6 and found.mlu == 0.8
    assert sorted(found.policies.lists) == [(), (WeightedList(1, (2, 3)),)] and found.changes == 1


def test_one_large_demand_needs_weights() -> None:
    topology = two_roads().topology
    one = world(topology, (0, 3, 16), (0, 1, 1))
    assert run(one).mlu == 1.6, "whole, it fits on no road"
    split = run(one, Settings(ways=4))
    assert split.mlu == pytest.approx(0.9) and split.policies.count == 1
    assert split.policies.lists[0] == (WeightedList(1, (2, 3)), WeightedList(1, (3,)))


def test_a_link_that_no_shortest_path_takes_needs_its_own_segment() -> None:
    topology = small([(0, 1), (1, 2), (0, 2)], [1, 1, 9], [10, 10, 10], [1, 1, 1])
    one = world(topology, (0, 2, 9), (0, 1, 9))
    assert run(one).mlu == 1.8, "node segments only lead over the short links"
    deep = run(one, Settings(segments=3))
    assert deep.mlu == 0.9 and deep.policies.lists == ((WeightedList(1, (-3,)),), ())


def test_a_latency_bound_keeps_a_demand_off_the_long_road() -> None:
    found = run(two_roads(), factor=1.2)
    assert found.mlu == 1.6 and found.policies.count == 0 and not len(found.late)


def test_a_bound_below_the_igp_is_kept_where_a_midpoint_can() -> None:
    topology = small([(0, 1), (1, 3), (0, 2), (2, 3)], [1, 1, 2, 2], [10, 10, 10, 10], [50, 50, 20, 20])
    one = world(topology, (0, 3, 8), (0, 3, 8))
    bound_us = np.array([60, 30])
    found = optimise(one.plane, one.shares, one.demands, bound_us)
    assert found.policies.lists[0] == (WeightedList(1, (2, 3)),) and found.late.tolist() == [1]
    assert one.score(found.policies, np.array([60, 100])).faults == ()


@pytest.mark.parametrize("settings", ALL, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_safety_the_checker_agrees_and_nothing_gets_worse(seed: int, settings: Settings) -> None:
    one = random_world(seed)
    found = run(one, settings)
    score = one.score(found.policies)
    assert not score.faults and score.unrouted == len(found.unrouted)
    assert score.load_bps == pytest.approx(found.load_bps, rel=1e-9, abs=1e-3)
    assert score.mlu == pytest.approx(found.mlu, rel=1e-12)
    assert found.igp_mlu == pytest.approx(one.score(no_policies(one.demands.q)).mlu, rel=1e-12)
    assert found.mlu <= found.igp_mlu * (1 + 1e-12) and found.changes == found.policies.count


@pytest.mark.parametrize("settings", [ALL[0], ALL[3]], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_safety_latency_bounds_hold(seed: int, settings: Settings) -> None:
    one = random_world(seed)
    bound_us = one.bound_us(1.2)
    found = optimise(one.plane, one.shares, one.demands, bound_us, settings=settings)
    score = one.score(found.policies, bound_us)
    assert not score.faults and bool(np.all(score.worst_us <= bound_us)) and not len(found.late)


@pytest.mark.parametrize("seed", SEEDS)
def test_safety_the_bound_is_below_and_near(seed: int) -> None:
    one = random_world(seed)
    topology, demands = one.topology, one.demands
    columns = demands.source, demands.target, demands.bps
    flows = flows_of(topology.n, topology.source, topology.target, topology.capacity_bps, columns)
    least = lp_bound(flows).mlu
    found = run(one, Settings(segments=3, ways=8))
    assert least <= found.mlu * (1 + 1e-9)
    assert found.mlu <= 1.1 * least, "three segments and eighths do not reach every flow"


@pytest.mark.parametrize("settings", ALL, ids=str)
def test_safety_the_same_input_gives_the_same_lists(settings: Settings) -> None:
    one = random_world(5)
    first, second = run(one, settings), run(random_world(5), settings)
    assert first.policies == second.policies and first.mlu == second.mlu


@pytest.mark.parametrize("seed", SEEDS)
def test_progress_a_goal_is_enough(seed: int) -> None:
    """Where the goal can be reached it is, and no more is done than it needs."""
    one = random_world(seed)
    best = run(one)
    goal = (best.mlu + best.igp_mlu) / 2
    found = run(one, Settings(goal_mlu=goal))
    assert found.mlu <= goal and found.policies.count <= best.policies.count


def test_a_watcher_may_stop_it() -> None:
    one = random_world(2)
    seen: list[float] = []

    def watch(mlu: float, _: int) -> bool:
        seen.append(mlu)
        return len(seen) == 2

    found = optimise(one.plane, one.shares, one.demands, watch=watch)
    assert len(seen) == 2 and found.mlu <= found.igp_mlu


@pytest.mark.parametrize("seed", SEEDS)
def test_progress_a_price_on_changes_keeps_what_is_installed(seed: int) -> None:
    one = random_world(seed)
    installed = run(one).policies
    draw = np.random.default_rng(seed)
    later = World(
        one.topology,
        type(one.demands)(
            one.demands.labels,
            one.demands.source,
            one.demands.target,
            (one.demands.bps * draw.uniform(0.8, 1.2, one.demands.q)).astype(np.int64),
        ),
        one.plane,
        one.shares,
    )
    left = later.score(installed).mlu
    anew = run(later)
    goal = max(anew.mlu * 1.02, left * 0.98)
    settings = Settings(goal_mlu=goal, change_price=1e-2)
    mended = optimise(one.plane, one.shares, later.demands, installed=installed, settings=settings)
    assert mended.start_mlu == pytest.approx(left, rel=1e-12) and mended.mlu <= left * (1 + 1e-12)
    assert mended.changes == mended.policies.changes_from(installed)
    if mended.mlu <= goal:
        assert mended.changes <= anew.policies.changes_from(installed)


def test_what_is_good_enough_is_left_alone() -> None:
    one = random_world(1)
    installed = run(one, Settings(segments=3, ways=4))
    settings = Settings(goal_mlu=installed.mlu * 1.001, segments=3, ways=4)
    again = optimise(one.plane, one.shares, one.demands, installed=installed.policies, settings=settings)
    assert again.changes == 0 and again.policies == installed.policies


def test_lists_that_cannot_be_followed_fall_back_to_the_igp() -> None:
    one = two_roads()
    strange = Policies(((WeightedList(1, (-4, 3)),), (WeightedList(1, (1, 2, 1, 3)),)))
    found = optimise(one.plane, one.shares, one.demands, installed=strange)
    assert found.start_mlu == 1.6 and found.mlu == 0.8 and not one.score(found.policies).faults


def test_nothing_to_carry() -> None:
    found = run(world(two_roads().topology, (0, 3, 0), (3, 0, 5), (1, 1, 7)))
    assert found.mlu == 0.0 and found.policies.count == 0 and found.unrouted.tolist() == [1]


PLAIN = """
from te_worlds import random_world
from suanwang.net.jit import COMPILED
from suanwang.net.te import Settings, optimise
assert not COMPILED
for settings in (Settings(), Settings(segments=3, ways=2)):
    one = random_world(4, nodes=8)
    found = optimise(one.plane, one.shares, one.demands, one.bound_us(2.0), settings=settings)
    print(found.policies.lists, found.mlu.hex())
"""


def test_plain_python_gives_the_same_bits() -> None:
    there = {**os.environ, "SUANWANG_KERNELS": "numpy"}
    there["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    out = subprocess.run([sys.executable, "-c", PLAIN], env=there, capture_output=True, text=True, check=True).stdout
    one = random_world(4, nodes=8)
    for line, settings in zip(out.splitlines(), (Settings(), Settings(segments=3, ways=2)), strict=True):
        found = optimise(one.plane, one.shares, one.demands, one.bound_us(2.0), settings=settings)
        assert line == f"{found.policies.lists} {found.mlu.hex()}"
