"""The promises of the path engine: never oversubscribed, cheapest, within the bound, apart from what is avoided."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from graphs import random_topology
from hypothesis import example, given, settings
from hypothesis import strategies as st

from suanwang.model.error import FaultsError
from suanwang.net.paths import NO_BOUND_US, Avoid, Engine, Flow, Refused, Reservation
from suanwang.net.paths.calendar import Calendar
from suanwang.net.paths.protection import Pools
from suanwang.net.paths.sinks import Sink
from suanwang.net.topology import Topology, make_topology

NODES = 9
SLOTS = 4


def engine_of(seed: int, shortlist: int | None = None, pools: Pools | None = None) -> Engine:
    topology = random_topology(seed, nodes=NODES, extra=6, one_way=seed % 2)
    price = np.random.default_rng(seed).integers(1, 50, topology.m)
    regions = [f"r{at // 3}" for at in range(NODES)]
    return Engine(topology, price, slots=SLOTS, shortlist=shortlist, region_of=regions, pools=pools)


def pools_of(seed: int) -> Pools:
    """Two pools of each of two functions, and two for compute."""
    draw = np.random.default_rng(seed)
    return Pools(
        draw.integers(0, NODES, 6),
        draw.integers(2, 9, 6) * 1_000_000,
        draw.integers(0, 40, 6),
        np.array([0, 0, 1, 1, -1, -1]),
    )


def spread(topology: Topology, plane: int, s: int, t: int) -> dict[int, Fraction]:
    """One unit from s to t over equal-cost paths of a plane: by Bellman and Ford, without the tables."""
    metric = topology.weight if plane == 0 else np.maximum(1, topology.latency_us)
    far: list[float] = [float("inf")] * topology.n
    far[t] = 0
    for _ in range(topology.n):
        for e in range(topology.m):
            u, v = int(topology.source[e]), int(topology.target[e])
            far[u] = min(far[u], far[v] + int(metric[e]))
    share: dict[int, Fraction] = {}
    amount = {s: Fraction(1)}
    for u in sorted(range(topology.n), key=lambda one: -far[one]):
        if u not in amount or u == t:
            continue
        links = [
            e
            for e in range(topology.m)
            if topology.source[e] == u and far[u] == far[int(topology.target[e])] + int(metric[e])
        ]
        for e in links:
            share[e] = share.get(e, Fraction(0)) + amount[u] / len(links)
            v = int(topology.target[e])
            amount[v] = amount.get(v, Fraction(0)) + amount[u] / len(links)
    return share


def links_of(topology: Topology, one: Reservation) -> list[tuple[int, Fraction]]:
    """What a list does with one unit, link by link; it must end at the target."""
    out: list[tuple[int, Fraction]] = []
    at = one.source
    for segment in one.segments:
        if segment.code >= 0:
            out += spread(topology, segment.plane, at, segment.code).items()
            at = segment.code
        else:
            link = -1 - segment.code
            assert topology.source[link] == at, "an adjacency begins where the segment before it ended"
            out.append((link, Fraction(1)))
            at = int(topology.target[link])
    assert at == one.target
    return out


def worst_us(topology: Topology, one: Reservation) -> int:
    """The latency of the worst way that a packet could take: every way walked."""
    total, at = 0, one.source
    for segment in one.segments:
        if segment.code < 0:
            total += int(topology.latency_us[-1 - segment.code])
            at = int(topology.target[-1 - segment.code])
            continue
        share = spread(topology, segment.plane, at, segment.code)
        most, ways = 0, [(at, 0)]
        while ways:
            u, late = ways.pop()
            most = max(most, late)
            for e in share:
                if topology.source[e] == u and u != segment.code:
                    ways.append((int(topology.target[e]), late + int(topology.latency_us[e])))
        total, at = total + most, segment.code
    return total


def check_loads(engine: Engine, live: dict[int, int]) -> None:
    """Loads from the segments alone, exactly, against capacity and against what the engine says is free."""
    topology = engine.tables.topology
    load = [[Fraction(0)] * engine.slots for _ in range(topology.m)]
    for handle, bps in live.items():
        one = engine.reservation(handle)
        assert one is not None and one.bps == bps
        for link, share in links_of(topology, one):
            for slot in range(*one.window):
                load[link][slot] += share * bps
    for link in range(topology.m):
        for slot in range(engine.slots):
            free = int(engine.free[link, slot])
            assert load[link][slot] <= topology.capacity_bps[link], "oversubscribed"
            assert 0 <= free <= topology.capacity_bps[link] - load[link][slot], "free is what is not held"
    taken = np.zeros_like(engine.free)
    for handle in live:
        one = engine.reservation(handle)
        assert one is not None
        for row, held in engine.parts(handle):
            taken[row, one.window[0] : one.window[1]] += held
    assert bool(np.all(engine.free == engine.capacity[:, None] - taken)), "of links and of pools, nothing else"
    assert bool(np.all(engine.free >= 0)), "a pool that is oversubscribed"


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["admit", "admit", "admit", "full", "release", "resize", "standby", "chain", "any", "any", "advance"]
        ),
        st.integers(0, NODES - 1),
        st.integers(0, NODES - 1),
        st.integers(1, 6_000_000),
        st.integers(200, 4_000),
        st.integers(0, SLOTS - 1),
        st.integers(1, SLOTS),
    ),
    min_size=12,
    max_size=40,
)


@given(seed=st.integers(0, 9), script=steps)
@settings(max_examples=40, deadline=None)
def test_safety_no_link_is_ever_oversubscribed(
    seed: int, script: list[tuple[str, int, int, int, int, int, int]]
) -> None:
    engine = engine_of(seed, pools=pools_of(seed))
    live: dict[int, int] = {}
    for what, s, t, bps, bound, begin, length in script:
        window = (begin, min(SLOTS, begin + length))
        oldest = next(iter(live), -1)
        if what == "release":
            assert engine.release(oldest) == (oldest >= 0)
            assert not engine.release(oldest), "once"
            live.pop(oldest, None)
        elif what == "resize":
            if engine.resize(oldest, bps):
                live[oldest] = bps
        elif what == "advance":
            ends = {handle: engine.reservation(handle).window[1] for handle in live}
            gone = engine.advance(length - 1)
            assert sorted(gone) == sorted(handle for handle, end in ends.items() if end <= length - 1)
            for handle in gone:
                live.pop(handle)
        else:
            if what == "any":
                sinks = [Sink(4, 1 + bps // 2, s * 10**6, t), Sink(5, 1 + bps // 3, t * 10**6, s)]
                found, at = engine.request_any(Flow(s, s, bps, bound, window), sinks)
                assert (at >= 0) == (found >= 0)
            elif what == "admit":
                found = engine.admit(s, t, bps, bound, window)
            elif what == "standby":
                found = engine.standby(oldest)
                bps = live.get(oldest, 0)
            else:
                found = engine.request(Flow(s, t, bps, bound, window, chain=(0, 1) if what == "chain" else ()))
            if found >= 0:
                assert found not in live
                live[found] = bps
        check_loads(engine, live)
        for handle in live:
            one = engine.reservation(handle)
            assert one is not None and worst_us(engine.tables.topology, one) <= one.worst_us <= one.bound_us
    assert engine.live == len(live)
    engine.release_batch(np.array([*live, *live], np.int64))
    assert bool(np.all(engine.free == engine.capacity[:, None])), "all is back"


def cheapest_by_hand(engine: Engine, flow: Flow) -> tuple[int, int, int] | None:
    """(price, worst latency, segments) of the least of all lists of one or two segments, tried one by one."""
    one, n = engine.tables, engine.tables.n
    planes = range(len(one.planes))
    found = []
    for first in [(p, k) for p in planes for k in range(n) if k != flow.source]:
        for second in [None, *planes]:
            if (first[1] == flow.target) != (second is None):
                continue
            stops = [(first[0], flow.source, first[1])]
            if second is not None:
                stops.append((second, first[1], flow.target))
            late = sum(int(one.planes[p].worst_us[u, v]) for p, u, v in stops)
            if late > flow.bound_us:
                continue
            price, load = 0, {}
            for p, u, v in stops:
                leg = (p * n + u) * n + v
                for link, fixed in one.carry[one.spans[leg, 0] : one.spans[leg, 1]].tolist():
                    price += -(-int(one.price[link]) * fixed // 2**30)
                    load[link] = load.get(link, 0) + -(-flow.bps * fixed // 2**30)
            room = engine.free[:, flow.window[0] : flow.window[1]].min(axis=1)
            if all(part <= room[link] for link, part in load.items()):
                found.append((price, late, len(stops)))
    return min(found, default=None)


@given(
    seed=st.integers(0, 9),
    shortlist=st.sampled_from([0, 2, 16]),
    flows=st.lists(
        st.tuples(
            st.integers(0, NODES - 1), st.integers(1, NODES - 1), st.integers(1, 4_000_000), st.integers(200, 4_000)
        ),
        max_size=25,
    ),
)
@settings(max_examples=60, deadline=None)
def test_safety_the_list_is_the_cheapest_of_two_segments(
    seed: int, shortlist: int, flows: list[tuple[int, int, int, int]]
) -> None:
    engine = engine_of(seed, shortlist)
    handles: list[int] = []
    for at, (s, step, bps, bound) in enumerate(flows):
        flow = Flow(s, (s + step) % NODES, bps, bound, (at % 2, at % 2 + 2))
        expected = cheapest_by_hand(engine, flow)
        found = engine.admit(flow.source, flow.target, bps, bound, flow.window)
        one = engine.reservation(found)
        got = None if one is None else (one.price, one.worst_us, len(one.segments))
        assert got == expected, "what watches a link, or a shortlist, changes no answer"
        handles.append(found)
        if at % 3 == 2:
            engine.release(handles[at // 2])


def columns_of(seed: int, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    draw = np.random.default_rng(seed)
    s = draw.integers(0, NODES, count)
    begin = draw.integers(0, SLOTS, count)
    rest = (draw.integers(1, 3_000_000, count), draw.integers(100, 4_000, count), begin, begin + 1)
    return np.stack([s, draw.integers(0, NODES, count), *rest]).astype(np.int64)


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_is_one_flow_after_the_other(seed: int) -> None:
    columns = columns_of(seed, 3_000)
    batch, single = engine_of(seed), engine_of(seed)
    handles = batch.admit_batch(columns)
    one_by_one = [single.admit(s, t, bps, bound, (a, b)) for s, t, bps, bound, a, b in columns.T.tolist()]
    assert bool(np.array_equal(batch.free, single.free)) and (handles < 0).any() and (handles >= 0).any()
    assert [h < 0 for h in handles.tolist()] == [h < 0 for h in one_by_one]
    for a, b in zip(handles.tolist(), one_by_one, strict=True):
        assert batch.reservation(a) == single.reservation(b)


def test_why_a_flow_is_refused() -> None:
    engine = engine_of(1)
    assert engine.admit(0, 4, 1, 1) == Refused.TOO_FAR
    assert engine.request(Flow(0, 4, 2**40)) == Refused.NO_ROOM
    assert engine.standby(77) == Refused.UNKNOWN and engine.reservation(77) is None and not engine.resize(77, 5)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_avoided_carries_nothing(seed: int) -> None:
    engine = engine_of(seed)
    topology = engine.tables.topology
    avoid = Avoid(links=(seed,), nodes=(5,), groups=(seed % 3,))
    closed = {seed, *topology.links_of_risk(seed % 3).tolist()}
    closed |= {e for e in range(topology.m) if 5 in (topology.source[e], topology.target[e])}
    admitted = 0
    for s in range(NODES):
        for t in range(NODES):
            one = engine.reservation(engine.request(Flow(s, t, 1_000, avoid=avoid)))
            if one is not None and s != t:
                admitted += 1
                assert not closed & {link for link, _ in links_of(topology, one)}
    assert admitted > 0
    inside = engine.request(Flow(0, 8, 1_000, avoid=Avoid(regions=("r1",))))
    one = engine.reservation(inside)
    if one is not None:
        touched = {int(topology.source[e]) for e, _ in links_of(topology, one)}
        assert not touched & {3, 4, 5}


@pytest.mark.parametrize("seed", range(8))
def test_a_standby_shares_no_link_and_no_risk(seed: int) -> None:
    engine = engine_of(seed)
    topology = engine.tables.topology
    made = 0
    for t in range(1, NODES):
        handle = engine.admit(0, t, 1_000)
        first, second = engine.reservation(handle), engine.reservation(engine.standby(handle))
        if first is None or second is None:
            continue
        made += 1
        used = {e for e, _ in links_of(topology, first)} | {int(topology.reverse[e]) for e in first.links}
        other = {e for e, _ in links_of(topology, second)}
        assert not used & other
        risks = [{int(r) for e in links if e >= 0 for r in topology.risks_of(e)} for links in (used, other)]
        assert not risks[0] & risks[1]
    assert made > 0 or seed not in (0, 1), "some have one"


def strict_by_hand(engine: Engine, flow: Flow) -> int | None:
    """The least price of any walk without a node twice, over links with room, within the bound: all of them tried."""
    topology, best = engine.tables.topology, None
    stack = [(flow.source, 0, 0, frozenset([flow.source]))]
    while stack:
        u, price, late, seen = stack.pop()
        if u == flow.target:
            best = price if best is None else min(best, price)
            continue
        for e in range(topology.m):
            v = int(topology.target[e])
            then = late + int(topology.latency_us[e])
            room = engine.free[e, flow.window[0] : flow.window[1]].min()
            if topology.source[e] == u and v not in seen and then <= flow.bound_us and room >= flow.bps:
                stack.append((v, price + int(engine.tables.price[e]), then, seen | {v}))
    return best


@given(
    seed=st.integers(0, 9), s=st.integers(0, NODES - 1), step=st.integers(1, NODES - 1), bound=st.integers(300, 4_000)
)
@example(5, 5, 2, 1168)  # half over each of two parallel links
@settings(max_examples=40, deadline=None)
def test_progress_a_path_within_the_bound_is_found_whenever_there_is_one(
    seed: int, s: int, step: int, bound: int
) -> None:
    engine = engine_of(seed)
    engine.admit_batch(columns_of(seed, 60))
    flow = Flow(s, (s + step) % NODES, 2_500_000, bound, (1, 3))
    expected = strict_by_hand(engine, flow)
    found = engine.request(flow)
    assert found >= 0 or expected is None
    one = engine.reservation(found)
    if one is not None and expected is None:  # over equal ways at once, where none of them has room alone
        assert any(share < 1 for _, share in links_of(engine.tables.topology, one))
        assert one.worst_us <= bound
    assert engine.free.min() >= 0


def line_with_detour() -> Topology:
    """0 - 1 - 2 and 0 - 3 - 2, the second heavier on the IGP and of the same latency as no node segment would take it."""
    pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 3), (3, 0), (3, 2), (2, 3), (0, 2), (2, 0)]
    table = np.array(pairs, np.int64)
    weight = np.array([1, 1, 1, 1, 9, 9, 9, 9, 30, 30], np.int64)
    late = np.array([10, 10, 10, 10, 20, 20, 20, 20, 90, 90], np.int64)
    names = [f"n{at}" for at in range(4)], [f"l{at}" for at in range(10)]
    return make_topology(
        "detour", *names, table[:, 0].copy(), table[:, 1].copy(), weight, np.full(10, 100, np.int64), late
    )


def test_an_adjacency_segment_where_node_segments_cannot_do_it() -> None:
    engine = Engine(line_with_detour(), np.array([1, 1, 1, 1, 5, 5, 5, 5, 2, 2]))
    assert engine.request(Flow(0, 2, 100)) >= 0
    assert engine.request(Flow(0, 2, 100)) >= 0, "by way of 3"
    assert engine.admit(0, 2, 100) == Refused.NO_ROOM
    third = engine.reservation(engine.request(Flow(0, 2, 100)))
    assert third is not None and [one.code for one in third.segments] == [-1 - 8] and third.worst_us == 90
    assert engine.request(Flow(0, 2, 1)) == Refused.NO_ROOM


def test_a_chain_passes_its_pools_in_order_and_holds_them() -> None:
    pools = Pools(np.array([1, 3]), np.array([60, 100]), np.array([7, 2]), np.array([0, 1]))
    engine = Engine(line_with_detour(), np.full(10, 1_000), pools=pools)
    one = engine.reservation(engine.request(Flow(0, 2, 40, chain=(0, 1))))
    assert one is not None and [segment.code for segment in one.segments] == [1, 3, 2]
    assert 0 <= one.price - (7 + 2 + 4_000) <= 4, "half of each of four links, rounded up"
    assert engine.free[10:, 0].tolist() == [20, 60]
    assert engine.request(Flow(0, 2, 40, chain=(0, 1))) == Refused.NO_ROOM, "the first pool is full"


def test_joint_finds_a_place_where_nearest_first_fails() -> None:
    """The nearest pool with room is at 1, and the only link that is short enough is full."""
    pools = Pools(np.array([1, 3]), np.array([4, 4]), np.array([0, 0]), np.array([-1, -1]))
    engine = Engine(line_with_detour(), np.ones(10, np.int64), pools=pools)
    assert engine.tables.floor_us[0, 1] < engine.tables.floor_us[0, 3] and engine.admit(0, 1, 100) >= 0
    sinks, flow = [Sink(0, 2, 1_000), Sink(1, 2, 9_000)], Flow(0, 0, 50, 25)
    assert engine.request_any(flow, sinks[:1]) == (Refused.NO_ROOM, -1) and engine.free[10, 0] == 4, "nothing is held"
    handle, which = engine.request_any(flow, sinks)
    assert handle >= 0 and which == 1


def test_joint_pays_less_than_nearest_first_and_than_cheapest_first() -> None:
    """Per hour: work 3,000 at 1 and 1,000 at 3; path 0 - 1 costs 1,000 a Gbit/s, 0 - 3 costs 2,500 or 4,000."""
    pools = Pools(np.array([1, 3]), np.array([4, 4]), np.array([0, 0]), np.array([-1, -1]))
    sinks, gbps = [Sink(0, 2, 3_000), Sink(1, 2, 1_000)], 1_000_000_000
    for far, best, paid in ((2_500, 1, 3_500), (4_000, 0, 4_000)):
        price = np.array([1_000, 1_000, 9_000, 9_000, far, far, 9_000, 9_000, 9_000, 9_000])
        topology = line_with_detour()
        engine = Engine(replace(topology, capacity_bps=topology.capacity_bps * gbps), price, pools=pools)
        totals = []
        for some in (sinks[:1], sinks[1:], sinks):
            handle, which = engine.request_any(Flow(0, 0, gbps), some)
            one = engine.reservation(handle)
            assert one is not None
            totals.append(one.price + some[which].price_micro_yuan_hour)
            engine.release(handle)
        assert which == best and totals[2] == paid == min(totals) < max(totals)


def test_a_sink_holds_its_units_and_its_delay_counts() -> None:
    pools = Pools(np.array([1, 3]), np.array([4, 4]), np.array([0, 0]), np.array([-1, -1]))
    engine = Engine(line_with_detour(), np.ones(10, np.int64), pools=pools)
    sinks = [Sink(0, 2, 9_000), Sink(1, 2, 1_000)]
    handle, which = engine.request_any(Flow(0, 0, 50, 1_000), sinks)
    assert which == 1 and engine.free[11, 0] == 2
    assert engine.release(handle) and engine.free[11, 0] == 4
    assert engine.request_any(Flow(0, 0, 50, 15), sinks)[1] == 0, "the bound leaves the near one"
    full = [Sink(0, 2, 0, delay_us=50)]
    assert engine.request_any(Flow(0, 0, 1, 40), full) == (Refused.NO_ROOM, -1), "its delay counts"
    assert engine.request_any(Flow(0, 0, 1), [Sink(0, 3, 0)])[0] == Refused.NO_ROOM, "and what it has left"


def test_the_calendar_moves_on() -> None:
    engine = engine_of(2)
    early, late = engine.admit(0, 3, 1_000, NO_BOUND_US, (0, 2)), engine.admit(0, 3, 1_000, NO_BOUND_US, (1, 4))
    assert engine.advance(2) == [early] and engine.reservation(early) is None
    one = engine.reservation(late)
    assert one is not None and one.window == (0, 2)
    check_loads(engine, {late: 1_000})
    assert engine.release(late) and bool(np.all(engine.free == engine.capacity[:, None]))


def test_a_window_takes_every_slot_that_it_touches() -> None:
    calendar = Calendar(1_000, 10, 4)
    assert calendar.window(1_000, 1_010) == (0, 1) and calendar.window(1_009, 1_011) == (0, 2)
    assert calendar.later(1_025) == (Calendar(1_020, 10, 4), 2)
    for begin, end, codes in [
        (1_000, 1_041, ["calendar_outside"]),
        (1_005, 1_005, ["calendar_empty"]),
        (990, 980, ["calendar_empty", "calendar_outside"]),
    ]:
        with pytest.raises(FaultsError) as caught:
            calendar.window(begin, end)
        assert [one.code for one in caught.value.faults] == codes
