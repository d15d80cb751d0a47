"""The search over single links, which the planner uses, against the segment lists of the online engine."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.net.graphs import random_topology

from suanwang.net.paths import Engine
from suanwang.net.paths.strict import network_of, pin, strict_walk
from suanwang.net.topology import make_topology


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_a_walk_is_never_dearer_than_a_list_of_two_segments(seed: int) -> None:
    """Of what a list spreads over equal-cost paths, the cheapest path is no dearer than their mean and no later than
    the latest; so where each of its links has room for the whole flow, the walk is at least as good."""
    draw = np.random.default_rng(seed)
    topology = random_topology(seed, nodes=9, extra=8)
    price = draw.integers(0, 1_000, topology.m)
    engine = Engine(topology, price)
    none = np.zeros(0, np.int64)
    network = network_of(engine.tables, none, none, none)
    for _ in range(60):
        s, t = (int(one) for one in draw.choice(topology.n, 2, replace=False))
        bps, bound_us = int(draw.integers(1, 4)) * 500_000, int(draw.choice([900, 2_000, 10**6]))
        ok = engine.free[: topology.m, 0] >= bps
        walk = strict_walk(network, s, t, bound_us, ok, np.zeros(0, np.bool_))
        handle = engine.admit(s, t, bps, bound_us)
        if handle < 0 or walk is None:
            continue
        listed = engine.reservation(handle)
        assert listed is not None
        if not ok[list(listed.links)].all():
            continue
        assert sum(int(price[one]) for one in walk.edges) <= listed.price
        assert walk.latency_us <= bound_us
        assert pin(engine.tables, walk.edges), "and segments send traffic over it"


def test_a_list_can_split_what_no_single_link_has_room_for() -> None:
    """What walks give up: two equal ways of half the room each carry a flow together."""
    ends = np.array([(0, 1), (1, 3), (0, 2), (2, 3)], np.int64)
    ends = np.concatenate([ends, ends[:, ::-1]])
    one, room = np.ones(8, np.int64), np.full(8, 10_000_000, np.int64)
    topology = make_topology(
        "square",
        ["a", "b", "c", "d"],
        [f"l{at}" for at in range(8)],
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        one,
        room,
        one * 100,
        risks=[[] for _ in range(8)],
    )
    engine = Engine(topology, one)
    none = np.zeros(0, np.int64)
    network = network_of(engine.tables, none, none, none)
    assert engine.admit(0, 3, 16_000_000) >= 0
    assert strict_walk(network, 0, 3, 10**6, room >= 16_000_000, np.zeros(0, np.bool_)) is None
