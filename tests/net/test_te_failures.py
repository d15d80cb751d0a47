"""Failures of cables and risk groups, and their repair."""

import numpy as np
import pytest
from te_worlds import random_world, small, world

from suanwang.net.te import WeightedList, failures_of, optimise, repair
from suanwang.verify.routing import RoutingFault


def test_every_cable_and_every_group_fails_once() -> None:
    one = random_world(3)
    found = list(failures_of(one.topology))
    cables = [failure.links.tolist() for failure in found if failure.name in one.topology.links]
    assert sorted(link for cable in cables for link in cable) == list(range(one.topology.m))
    groups = {failure.name: failure.links.tolist() for failure in found if failure.name in one.topology.risk_groups}
    assert set(groups) == set(one.topology.risk_groups)
    for name, links in groups.items():
        at = one.topology.risk_groups.index(name)
        assert links == [e for e in range(one.topology.m) if at in one.topology.risks_of(e)]


def test_the_lists_over_a_lost_link_come_back_on_another_road() -> None:
    """Three roads from 0 to 4; the list over node 2 loses its link, and node 3's road takes its traffic."""
    ends = [(0, 1), (1, 4), (0, 2), (2, 4), (0, 3), (3, 4)]
    topology = small(ends, [1, 1, 2, 2, 3, 3], [10] * 6, [1] * 6)
    one = world(topology, (0, 4, 8), (0, 4, 7))
    installed = optimise(one.plane, one.shares, one.demands).policies
    moved = next(at for at, lists in enumerate(installed.lists) if lists)
    assert installed.lists[moved] == (WeightedList(1, (2, 4)),)
    failure = next(failure for failure in failures_of(topology) if failure.links.tolist() == [2])
    fixed = repair(topology, one.demands, installed, failure, goal_mlu=0.9)
    assert fixed.mlu_left == 1.5 and fixed.mended.mlu == 0.8 and fixed.mended.changes == 1
    assert fixed.mended.policies.lists[moved] in ((WeightedList(1, (3, 4)),), ())
    assert one.score(installed, usable=fixed.usable).faults == ((moved, RoutingFault.NO_PATH),)


@pytest.mark.parametrize("seed", range(4))
def test_safety_every_repair_is_sound_and_no_worse(seed: int) -> None:
    one = random_world(seed, nodes=9)
    bound_us = one.bound_us(4.0)
    whole = optimise(one.plane, one.shares, one.demands, bound_us)
    for failure in failures_of(one.topology):
        fixed = repair(one.topology, one.demands, whole.policies, failure, whole.mlu * 1.05, bound_us)
        assert not fixed.usable[failure.links].any()
        score = one.score(fixed.mended.policies, usable=fixed.usable)
        assert not score.faults and score.mlu == pytest.approx(fixed.mended.mlu, rel=1e-12)
        assert fixed.mended.mlu <= fixed.mlu_left * (1 + 1e-12)
        kept = np.setdiff1d(np.arange(one.demands.q), [*fixed.mended.late, *fixed.mended.unrouted])
        assert bool(np.all(score.worst_us[kept] <= bound_us[kept]))
        if fixed.mlu_left <= whole.mlu * 1.05 and not len(fixed.mended.unrouted):
            broken = {at for at, _ in one.score(whole.policies, bound_us, fixed.usable).faults}
            assert fixed.mended.changes <= len(broken), "what holds is left as it is"
