"""Quotas, bids, forecast, scarcity: what the kernel and the panorama get."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little_problems import problem

from suanwang.guide import (
    Optimiser,
    Solution,
    advise,
    bid_costs,
    expected,
    quotas,
    remaining,
    scarce,
    solve,
    whole_fabric,
)
from suanwang.guide.bound import PRICE_BITS
from suanwang.guide.problem import owner, priced
from suanwang.plan.kernel import Policy, State, Tasks, decide
from suanwang.plan.kernel.types import Classes, Fabric, no_floating, pool_sums

SEEDS = st.integers(0, 2**32 - 1)


def one_core_world(cores: int, costs: tuple[tuple[int, ...], ...], reject: int) -> tuple[Fabric, Classes]:
    """Pools of so many one-core nodes; each class takes one core of any pool at its own cost, cheapest first."""
    pools = len(costs[0])
    first = np.arange(pools + 1, dtype=np.int32) * cores
    shape = (np.full(pools, 1_000, np.int32), np.full(pools, 1_024, np.int32), np.zeros(pools, np.int32))
    none = np.empty(0, np.int32)
    fabric = Fabric(
        np.arange(pools, dtype=np.int32) + 40, np.full(pools, -1, np.int32), np.ones(pools, np.int64),
        *pool_sums(first, *shape), first, *shape, np.empty(0, np.int64), np.zeros(1, np.int32), none,
        np.empty(0, np.int64),
    )  # fmt: skip
    many = len(costs)
    order = [sorted(range(pools), key=lambda pool, row=row: row[pool]) for row in costs]
    classes = Classes(
        np.full(many, 1_000, np.int32), np.full(many, 1, np.int32), np.zeros(many, np.int32),
        np.zeros(many, np.int32), np.zeros(many, np.int64), np.ones(many, np.int32), np.full(many, 9, np.int64),
        np.full(many, reject, np.int64), np.arange(many + 1, dtype=np.int32) * pools,
        np.array(order, np.int32).ravel(), np.full(many * pools, -1, np.int32),
        np.array([row[pool] for row, pools in zip(costs, order, strict=True) for pool in pools], np.int64),
        *no_floating(many),
    )  # fmt: skip
    return fabric, classes


def day(fabric: Fabric, classes: Classes, who: list[int], guided: bool) -> int:
    """The cost of a day, each task a batch of its own, with the guidance of a perfect forecast or with none."""
    state = State(fabric, classes)
    if guided:
        free = state.arrays.free
        state.guide(Optimiser(fabric, classes).advise(free.pool, free.shared, np.bincount(who, minlength=2)))
    total = 0
    for number, one in enumerate(who):
        tasks = Tasks(np.array([number]), np.array([one], np.int32), np.zeros(1, np.uint8))
        rows = decide(state, tasks, Policy.CHEAPEST)
        total += int(rows.cost.sum()) + int(classes.reject_cost[rows.task_class[rows.candidate < 0]].sum())
    return total


def test_the_one_who_loses_most_keeps_the_cheap_pool() -> None:
    """Class 0 comes first and would take the cheap pool at a gain of 1; class 1 would then pay 90 more each."""
    fabric, classes = one_core_world(10, ((10, 11), (10, 100)), reject=500)
    who = [0] * 10 + [1] * 10
    assert day(fabric, classes, who, guided=False) == 10 * 10 + 10 * 100
    assert day(fabric, classes, who, guided=True) == 10 * 11 + 10 * 10


def test_a_task_of_little_worth_waits_where_room_is_dear() -> None:
    """Six cores: the dear class of reject cost 500 comes last, and the room is left to it by the price."""
    fabric, classes = one_core_world(6, ((10,), (10,)), reject=500)
    classes = classes._replace(reject_cost=np.array([30, 500], np.int64))
    who = [0] * 6 + [1] * 6
    assert day(fabric, classes, who, guided=False) == 6 * 10 + 6 * 500
    assert day(fabric, classes, who, guided=True) == 6 * 30 + 6 * 10


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_quotas_are_whole_and_never_more_than_the_tasks(seed: int) -> None:
    one = problem(seed, classes=6, tasks=9)
    found = solve(one)
    quota = quotas(one.classes, found)
    owners = owner(one.classes)
    per_class = np.bincount(owners, quota, len(one.tasks))
    fraction = np.bincount(owners[found.columns], found.amount, len(one.tasks))
    assert quota.dtype == np.int64 and (quota >= 0).all()
    assert (per_class <= one.tasks).all()
    assert (np.abs(per_class - fraction) <= 0.5 + 1e-4).all()
    assert (np.abs(quota[found.columns] - found.amount) < 1 + 1e-4).all()


def test_halves_go_to_the_first_of_equal_rests() -> None:
    _, classes = one_core_world(10, ((1, 2, 3), (1, 2, 3)), reject=9)
    columns, amount = np.array([0, 1, 3, 4, 5]), np.array([2.5, 2.5, 0.4, 0.4, 1.2])
    found = Solution(columns, amount, np.empty(0, np.int64), 0, 0, 1, 5, 0.0)
    assert quotas(classes, found).tolist() == [3, 2, 0, 1, 0, 1]


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_kernel_takes_every_guidance(seed: int) -> None:
    one = problem(seed, classes=6, tasks=9)
    guidance = advise(one.fabric, one.classes, solve(one), version=7)
    state = State(one.fabric, one.classes)
    state.guide(guidance)  # refuses bids out of order and candidates of other classes
    assert guidance.version == 7
    assert sorted(guidance.bid_order.tolist()) == list(range(len(one.classes.cand_pool)))


def test_bids_are_cost_plus_worth_rounded_up() -> None:
    one = problem(11, classes=6)
    price = np.random.default_rng(1).integers(0, 1 << PRICE_BITS, len(one.room))
    exact = priced(one.fabric, one.classes, owner(one.classes), price)
    above = bid_costs(one.fabric, one.classes, price) - one.classes.cand_cost
    assert ((above << PRICE_BITS) >= exact).all() and ((above - 1 << PRICE_BITS) < exact).all()


def test_same_calls_same_guidance() -> None:
    one = problem(12, classes=8, tasks=20)
    pool = np.stack([one.fabric.pool_cpu, one.fabric.pool_mem, one.fabric.pool_milli], axis=1)
    made = []
    for _ in range(2):
        optimiser = Optimiser(one.fabric, one.classes)
        made.append([optimiser.advise(pool, one.fabric.capacity, tasks) for tasks in (one.tasks, one.tasks // 2)])
    for first, second in zip(*made, strict=True):
        assert first.version == second.version
        assert (first.quota == second.quota).all() and (first.bid_cost == second.bid_cost).all()


def test_a_core_more_is_worth_what_it_saves() -> None:
    """Ten cores, twelve tasks at 3 for which refusing costs 8: one core more saves 5."""
    fabric, classes = one_core_world(10, ((3,),), reject=8)
    asked = whole_fabric(fabric, classes, np.array([12]))
    found = solve(asked)
    assert found.bound == found.value == 10 * 3 + 2 * 8
    (row,) = scarce(fabric, found.price, asked.room)
    assert (row.kind, row.number, row.site, row.micro_yuan, row.worth) == ("cpu", 0, 40, 5, 50)
    assert scarce(fabric, solve(asked._replace(tasks=np.array([9]))).price, asked.room) == []


def test_scarce_things_stand_by_their_worth() -> None:
    fabric, _ = one_core_world(4, ((3, 3, 3),), reject=8)
    price = np.zeros(9, np.int64)
    price[[1, 2]] = 1 << PRICE_BITS, 3 << PRICE_BITS
    rows = scarce(fabric, price, np.full(9, 100))
    assert [(row.number, row.micro_yuan, row.worth) for row in rows] == [(2, 3_000, 300), (1, 1_000, 100)]
    assert scarce(fabric, price, np.full(9, 100), most=1) == rows[:1]


@pytest.mark.parametrize(
    ("past", "seen", "elapsed", "whole", "left"),
    [
        # Days before; today so far; how much of it; the whole day; what is left.
        ([[100], [120]], [0], 0.0, 110.0, 110),
        ([[100], [120]], [55], 0.5, 110.0, 55),
        ([[100], [100]], [100], 0.5, 150.0, 75),  # twice the usual rate: half believed, with half a day's weight
        ([], [30], 0.25, 120.0, 90),
        ([], [0], 0.0, 0.0, 0),
        ([[100]], [100], 1.0, 100.0, 0),
    ],
)
def test_forecast(past: list[list[int]], seen: list[int], elapsed: float, whole: float, left: int) -> None:
    days = np.array(past, np.int64).reshape(len(past), 1)
    assert expected(days, np.array(seen), elapsed).tolist() == pytest.approx([whole])
    assert remaining(days, np.array(seen), elapsed).tolist() == [left]
