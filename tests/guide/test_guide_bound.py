"""The bound holds, and it is as tight as the linear program."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little_problems import best_by_trying, problem, relaxed_value, takes

from suanwang.guide import Bound, Budget, Program, certified_bound, solve
from suanwang.guide.bound import PRICE_BITS, SAFE_BITS, integer_prices
from suanwang.guide.problem import owner, priced, uses
from suanwang.plan.kernel import Policy, State, Tasks, decide

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_safety_bound_is_never_above_the_best_decision(seed: int) -> None:
    one = problem(seed)
    assert solve(one).bound <= best_by_trying(one)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_bound_equals_the_relaxed_value(seed: int) -> None:
    one = problem(seed, classes=6, tasks=9)
    found, wanted = solve(one), relaxed_value(one)
    assert found.bound == pytest.approx(wanted, rel=2e-4, abs=1.0)
    assert found.value == pytest.approx(wanted, rel=2e-4, abs=1.0)


@given(SEEDS, st.lists(st.integers(0, 2**40), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_safety_any_prices_prove_a_bound(seed: int, prices: list[int]) -> None:
    one = problem(seed)
    price = np.resize(np.array(prices, np.int64), len(one.room))
    assert certified_bound(one, price) <= best_by_trying(one)


@given(SEEDS, st.sampled_from(list(Policy)))
@settings(max_examples=60, deadline=None)
def test_safety_no_policy_of_the_kernel_is_below_the_bound(seed: int, policy: Policy) -> None:
    one = problem(seed, classes=6, tasks=9)
    who = np.repeat(np.arange(len(one.tasks), dtype=np.int32), one.tasks)
    tasks = Tasks(np.arange(len(who)), who, np.zeros(len(who), np.uint8))
    rows = decide(State(one.fabric, one.classes), tasks, policy)
    cost = int(rows.cost.sum()) + int(one.classes.reject_cost[rows.task_class[rows.candidate < 0]].sum())
    assert solve(one).bound <= cost


def test_the_bound_bites_where_room_is_short() -> None:
    """Were the room ignored, the bound of some problem would be lower than it is."""
    tighter = 0
    for seed in range(30):
        one = problem(seed, classes=6, tasks=9)
        free = certified_bound(one, np.zeros(len(one.room), np.int64))
        tighter += solve(one).bound > free
    assert tighter >= 10


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_uses_and_prices_say_the_same_of_every_candidate(seed: int) -> None:
    one = problem(seed, classes=5)
    owners = owner(one.classes)
    every = np.arange(len(owners))
    use = uses(one.fabric, one.classes, every, owners)
    price = np.random.default_rng(seed).integers(0, 1_000, len(one.room))
    sums = priced(one.fabric, one.classes, owners, price)
    for x in every.tolist():
        want = takes(one, int(owners[x]), x)
        part = slice(use.start[x], use.start[x + 1])
        got = np.zeros_like(want)
        got[use.row[part]] = use.amount[part]
        assert got.tolist() == want.tolist()
        assert len(set(use.row[part].tolist())) == part.stop - part.start
        assert sums[x] == (want * price).sum()


def test_a_warm_program_finds_what_a_fresh_one_finds() -> None:
    one = problem(5, classes=8, tasks=20)
    warm = Program(one.fabric, one.classes)
    warm.solve(one.tasks * 2, one.room // 2)
    again, fresh = warm.solve(one.tasks, one.room), solve(one)
    assert again.bound == pytest.approx(fresh.bound, rel=2e-4)


def test_stopping_early_loosens_the_bound_and_never_breaks_it() -> None:
    for seed in range(20):
        one = problem(seed, classes=8, tasks=20)
        full = solve(one)
        for budget in (Budget(rounds=0), Budget(rounds=1), Budget(seconds=0.0)):
            assert 0 <= solve(one, budget).bound <= full.value + 1


def test_prices_beyond_all_measure_are_cut_so_that_sums_stay_whole() -> None:
    one = problem(3, classes=6)
    price = integer_prices(one, np.full(len(one.room), 1e30))
    assert (price > 0).all() and price.max() <= 2**SAFE_BITS
    assert certified_bound(one, price) <= best_by_trying(problem(3, classes=6))
    assert (integer_prices(one, np.full(len(one.room), -1.0)) == 0).all()
    assert (integer_prices(one, np.full(len(one.room), 2.0)) == 2 << PRICE_BITS).all()


def test_a_negative_price_is_our_bug() -> None:
    one = problem(1)
    with pytest.raises(AssertionError):
        certified_bound(one, np.full(len(one.room), -1, np.int64))


def test_a_bound_says_how_old_it_is_and_how_far_a_cost_lies_above() -> None:
    bound = Bound(200, tasks=10, made_us=1_000)
    assert bound.gap(203) == pytest.approx(0.015)
    assert bound.age_us(5_000) == 4_000
