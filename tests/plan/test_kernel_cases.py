"""The bulk kernel case by case: what a reader of `docs/decisions/0060-bulk-kernel.md` would expect."""

import numpy as np
import pytest

from suanwang.plan.kernel import Classes, Decisions, Fabric, Guidance, Policy, Reason, State, Tasks, decide, release
from suanwang.plan.kernel.types import no_floating, pool_sums
from suanwang.plan.kernel.warm import warm

R = Reason


def i32(*of: int) -> np.ndarray:
    return np.array(of, np.int32)


def i64(*of: int) -> np.ndarray:
    return np.array(of, np.int64)


def fabric(**parts: object) -> Fabric:
    """Pool 0: three nodes with two cards; pool 1: two nodes without; pool 2: no nodes. Route 0 crosses link 0."""
    shape = i32(0, 3, 5, 5), i32(10, 20, 0), i32(10, 20, 0), i32(2, 0, 0)
    made = Fabric(
        i32(0, 1, 2), i32(0, -1, -1), i64(3, 2, 1), *pool_sums(*shape), *shape,
        i64(10, 10, 1), i32(0, 1, 2), i32(0, 1), i64(5, 9),
    )  # fmt: skip
    made.pool_cpu[2] = made.pool_mem[2] = 25
    made.pool_milli[2] = 1_500
    return made._replace(**parts)


def classes(
    cpu: int = 1, mem: int = 1, milli: int = 0, mbps: int = 0, nodes: int = 1, pools: tuple[int, ...] = (0,),
    routes: tuple[int, ...] = (), floating: int = 0,
) -> Classes:  # fmt: skip
    """One class; its candidates cost 10, 20, and so on."""
    many = len(pools)
    return Classes(
        i32(cpu), i32(mem), i32(-(-milli // 1000)), i32(milli), i64(mbps), i32(nodes), i64(100), i64(35),
        i32(0, many), i32(*pools), i32(*(routes or [-1] * many)), i64(*range(10, 10 * many + 1, 10)),
        *((i32(0, 1), i32(2), i64(floating)) if floating else no_floating(1)),
    )  # fmt: skip


def many(state: State, count: int, policy: Policy = Policy.CHEAPEST, first: int = 0) -> Decisions:
    return decide(
        state, Tasks(np.arange(first, first + count), np.zeros(count, np.int32), np.zeros(count, np.uint8)), policy
    )


def test_shares_fill_an_opened_card_before_another_is_opened() -> None:
    rows = many(State(fabric(), classes(milli=400)), 7)
    assert rows.node.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert rows.cards.tolist() == [1, 1, 2, 2, 1, 1, 2]


def test_whole_cards_stay_together() -> None:
    state = State(fabric(), classes(milli=2_000))
    rows = many(state, 4)
    assert rows.node.tolist() == [0, 1, 2, -1]
    assert rows.cards.tolist() == [3, 3, 3, 0]
    assert rows.reason.tolist() == [R.PLACED] * 3 + [R.NO_NODE]


def test_a_gang_is_whole_or_nothing_and_on_different_nodes() -> None:
    state = State(fabric(), classes(cpu=4, nodes=3))
    rows = many(state, 3)
    assert rows.node.tolist() == [0, 1, 2, 0, 1, 2, -1]
    assert rows.reason.tolist() == [R.PLACED, R.MEMBER, R.MEMBER] * 2 + [R.NO_NODE]
    assert rows.nodes.tolist() == [3, 2, 1, 3, 2, 1, 1]
    assert rows.cost.tolist() == [10, 0, 0, 10, 0, 0, 0]
    assert state.arrays.free.cpu.tolist() == [2, 2, 2, 20, 20]


def test_a_pool_without_nodes_counts_its_sums() -> None:
    state = State(fabric(), classes(cpu=5, milli=500, nodes=2, pools=(2,)))
    rows = many(state, 2)
    assert rows.node.tolist() == [-1, -1]
    assert rows.reason.tolist() == [R.PLACED, R.NO_NODE]
    assert state.arrays.free.pool[2].tolist() == [15, 23, 500]


def test_what_an_owner_keeps_back_is_not_used() -> None:
    rows = many(State(fabric(pool_cpu=i64(7, 40, 0)), classes(cpu=5)), 2)
    assert rows.reason.tolist() == [R.PLACED, R.NO_NODE]


def test_the_road_counts_at_every_crossing_and_the_next_candidate_follows() -> None:
    twice = fabric(route_first=i32(0, 2, 3), route_use=i32(0, 0, 1))
    rows = many(State(twice, classes(mbps=4, pools=(0, 0), routes=(0, 1))), 4)
    assert rows.candidate.tolist() == [0, 1, 1, -1]  # 2 x 4 of 10; then 4 + 4 of 10
    assert rows.reason.tolist() == [R.PLACED] * 3 + [R.NO_PATH]


def test_a_licence_is_held_until_it_is_given_back() -> None:
    state = State(fabric(), classes(floating=1))
    rows = many(state, 2)
    assert rows.reason.tolist() == [R.PLACED, R.NO_FLOATING]
    release(state, Decisions(*(part[:1] for part in rows)))
    assert many(state, 1).reason.tolist() == [R.PLACED]


def test_a_release_brings_the_cheapest_back() -> None:
    state = State(fabric(), classes(cpu=10, pools=(0, 1)))
    rows = many(state, 4)
    assert rows.candidate.tolist() == [0, 0, 0, 1]
    release(state, Decisions(*(part[1:2] for part in rows)))
    assert many(state, 1, first=9).node.tolist() == [1]


@pytest.mark.parametrize(
    ("policy", "pool"),
    [
        (Policy.CHEAPEST, 1), (Policy.FIRST_FIT, 0), (Policy.CHEAPEST_SITE, 2),
        (Policy.NEAREST_SITE, 0), (Policy.BEST_FIT, 2),
    ],
)  # fmt: skip
def test_each_policy_takes_what_it_says(policy: Policy, pool: int) -> None:
    state = State(fabric(), classes(pools=(1, 2, 0), routes=(1, 1, 0)))
    state.arrays.free.pool[2, 0] = 5  # of 25: the fullest
    candidate = int(many(state, 1, policy).candidate[0])
    assert state.classes.cand_pool[candidate] == pool


def test_random_feasible_spreads_and_depends_on_the_seed() -> None:
    state = State(fabric(), classes(cpu=0, mem=0, pools=(0, 1, 2)))
    zeros = Tasks(np.arange(300), np.zeros(300, np.int32), np.zeros(300, np.uint8))
    one, again, other = (decide(state, zeros, Policy.RANDOM_FEASIBLE, seed).candidate for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()
    assert min(np.bincount(one, minlength=3)) > 60


def test_guidance_goes_by_quota_then_by_bid_and_stops_at_the_cost_of_refusing() -> None:
    state = State(fabric(), classes(cpu=10, pools=(0, 1, 1)))
    state.guide(Guidance(1, i64(0, 0, 2), i32(1, 0, 2), i64(20, 15, 36)))
    rows = many(state, 7)
    assert rows.candidate.tolist() == [2, 2, 1, 1, 0, 0, 0]
    assert many(state, 1, first=9).reason.tolist() == [R.TOO_DEAR]
    state.guide(None)
    assert many(state, 1, first=10).reason.tolist() == [R.NO_NODE]


def test_priority_first_then_class_then_arrival() -> None:
    one = classes(cpu=10)
    two = Classes(
        *(np.append(part, part[-1:]) for part in one[:8]),
        i32(0, 1, 2),
        *(np.append(x, x) for x in one[9:12]),
        *no_floating(2),
    )
    tasks = Tasks(i64(50, 51, 52, 53), i32(1, 1, 0, 0), np.array([1, 0, 1, 1], np.uint8))
    rows = decide(State(fabric(), two), tasks)
    assert rows.task.tolist() == [51, 52, 53, 50]
    assert rows.reason.tolist() == [R.PLACED] * 3 + [R.NO_NODE]


def test_nothing_to_decide() -> None:
    assert len(many(State(fabric(), classes()), 0).task) == 0


def test_warm_runs() -> None:
    warm()
