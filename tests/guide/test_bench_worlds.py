"""The bench worlds are what they say, and the gap bench measures on them."""

import numpy as np
import pytest
from bench.planning.gap import case, compare, instance
from bench.planning.worlds import KINDS, World, batch_stream, churn_stream, make_world

from suanwang.guide.problem import owner
from suanwang.plan.kernel.types import ROUTE_MAX


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(3, sites=40, servers=2_000, classes=200)


def test_same_seed_same_world(world: World) -> None:
    again = make_world(3, sites=40, servers=2_000, classes=200)
    for mine, other in zip((*world.fabric, *world.classes), (*again.fabric, *again.classes), strict=True):
        assert np.array_equal(mine, other)
    assert not np.array_equal(world.fabric.pool_price, make_world(4, sites=40, servers=2_000).fabric.pool_price)


def test_the_full_world_has_the_sizes_of_the_setting() -> None:
    full = make_world(1, servers=924_000, classes=50)
    nodes, cards = int(full.fabric.node_first[-1]), int(full.fabric.pool_milli.sum()) // 1_000
    assert len(full.site_province) == 300 and len(full.backbone.provinces) == 31 and full.link_count == 2 * 91
    assert nodes == pytest.approx(924_000, rel=0.01)
    assert cards == pytest.approx(1_280_000, rel=0.03)
    assert int(full.fabric.pool_cpu.sum()) / 1_000 == pytest.approx(75_900_000, rel=0.03)
    assert set(full.pool_kind.tolist()) == set(range(len(KINDS)))


def test_every_candidate_passes_every_static_clause(world: World) -> None:
    fabric, classes = world.fabric, world.classes
    one = owner(classes)
    pool, route = classes.cand_pool, classes.cand_route
    assert (np.diff(classes.cand_first) > 0).all()
    assert (classes.cpu[one] <= fabric.shape_cpu[pool]).all() and (classes.mem[one] <= fabric.shape_mem[pool]).all()
    assert (classes.cards[one] <= fabric.shape_cards[pool]).all()
    assert ((route >= 0) == (classes.mbps[one] > 0)).all()
    held = route >= 0
    assert (fabric.route_latency_us[route[held]] <= classes.latency_bound_us[one[held]]).all()
    assert np.diff(fabric.route_first).max() <= ROUTE_MAX
    inside = one[1:] == one[:-1]
    assert (np.diff(classes.cand_cost)[inside] >= 0).all() and (classes.cand_cost > 0).all()


def test_a_route_leads_from_the_origin_to_the_pool(world: World) -> None:
    fabric, classes, net = world.fabric, world.classes, world.backbone
    one = owner(classes)
    for x in np.flatnonzero(classes.cand_route >= 0)[::97].tolist():
        route = int(classes.cand_route[x])
        use = fabric.route_use[fabric.route_first[route] : fabric.route_first[route + 1]]
        here = int(world.class_origin[one[x]])
        for link in use[use < world.link_count].tolist():
            assert net.link_ends[link, 0] == here
            here = int(net.link_ends[link, 1])
        assert here == world.site_province[fabric.pool_site[classes.cand_pool[x]]]
        assert (use >= world.link_count).sum() <= 1


def test_refusing_costs_twice_the_median(world: World) -> None:
    classes = world.classes
    for one in range(0, len(classes.cpu), 17):
        costs = sorted(classes.cand_cost[classes.cand_first[one] : classes.cand_first[one + 1]].tolist())
        assert classes.reject_cost[one] == 2 * costs[(len(costs) - 1) // 2]


def test_load_one_asks_for_all_of_every_kind(world: World) -> None:
    count = np.bincount(batch_stream(world, 1, load=1.0).task_class, minlength=len(world.classes.cpu))
    for kind, shape in enumerate(KINDS):
        amount, whole = (
            (world.classes.milli, world.fabric.pool_milli)
            if shape.cards
            else (world.classes.cpu, world.fabric.pool_cpu)
        )
        asked = int((count * amount.astype(np.int64))[world.class_kind == kind].sum())
        assert asked == pytest.approx(int(whole[world.pool_kind == kind].sum()), rel=0.1)


def test_scarce_links_are_narrower_and_nothing_else_is() -> None:
    wide, narrow = (make_world(3, 40, 2_000, 200, scarce_links=scarce) for scarce in (False, True))
    assert (narrow.fabric.capacity <= wide.fabric.capacity).all()
    links = wide.link_count
    assert narrow.fabric.capacity[:links].sum() < wide.fabric.capacity[:links].sum() / 3
    assert np.array_equal(narrow.fabric.capacity[links:], wide.fabric.capacity[links:])
    assert np.array_equal(narrow.classes.cand_cost, wide.classes.cand_cost)


def test_churn_gives_back_in_order_and_keeps_the_fill(world: World) -> None:
    stream = churn_stream(world, 5, 60_000, fill=0.9, card_share=0.5)
    count = len(stream.task_class)
    assert (stream.release_before > np.arange(count)).all()
    assert sorted(stream.release_order.tolist()) == np.flatnonzero(stream.release_before < count).tolist()
    assert (np.diff(stream.release_before[stream.release_order]) >= 0).all()
    milli = world.classes.milli[stream.task_class].astype(np.int64)
    assert (milli > 0).mean() == pytest.approx(0.5, abs=0.01)
    given_back = np.zeros(count + 1, np.int64)
    np.add.at(given_back, stream.release_before, milli)
    running = np.cumsum(milli) - np.cumsum(given_back)[:count]
    steady = running[count * 3 // 4 :].mean()
    assert steady == pytest.approx(0.9 * int(world.fabric.pool_milli.sum()), rel=0.05)


def test_guided_days_lie_just_above_the_bound_and_below_every_baseline() -> None:
    found = case(make_world(1, sites=60, servers=2_000, classes=150), seed=1, load=0.9, solves=5, batch=1_024)
    gaps = {name: run["gap"] for name, run in found["runs"].items()}
    ours = gaps.pop("ours")
    assert 0 <= ours < 0.02
    assert ours < min(gaps.values())
    assert -1e-6 <= found["bound_slack"] <= 2e-4


def test_small_worlds_differ_and_are_compared() -> None:
    (first, load), (second, other) = instance(0), instance(1)
    assert load != other and len(first.fabric.pool_site) != len(second.fabric.pool_site)
    found = compare(3, solves=5)
    assert found["instances"] == 3
    assert set(found["against"]) == {"cheapest", "best_fit", "first_fit", "cheapest_site", "nearest_site"}
    assert all(one["worst"] >= one["mean"] for one in found["against"].values())
