"""The gap of a batch from prices at hand: never above the truth, whatever the prices; labelled; within its work."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.kernel_worlds import small_classes, small_fabric, small_tasks

from suanwang.guide import Optimiser, room_of
from suanwang.guide.batch import BatchProver, cost_of
from suanwang.guide.bound import certified_bound
from suanwang.guide.problem import Problem
from suanwang.plan.kernel import Classes, Decisions, Fabric, State, decide


def decided(seed: int, before: int = 0) -> tuple[Fabric, Classes, Decisions, np.ndarray, np.ndarray]:
    """A batch, the room before it and after it."""
    draw = np.random.default_rng(seed)
    fabric = small_fabric(draw)
    classes = small_classes(draw, fabric)
    state = State(fabric, classes)
    decide(state, small_tasks(draw, classes, before, first=1_000))
    room = room_of(state.arrays.free.pool, state.arrays.free.shared)
    rows = decide(state, small_tasks(draw, classes, 40))
    return fabric, classes, rows, room, room_of(state.arrays.free.pool, state.arrays.free.shared)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), noise=st.integers(0, 2**32))
def test_no_prices_prove_more_than_the_solver_can(seed: int, noise: int) -> None:
    fabric, classes, rows, room, left = decided(seed, before=30)
    cost, tasks = cost_of(classes, rows)
    optimiser = Optimiser(fabric, classes)
    bound = optimiser.prove(
        room[: 3 * len(fabric.pool_site)].reshape(3, -1).T, room[3 * len(fabric.pool_site) :], tasks, 0
    )
    value = optimiser.last.value
    draw = np.random.default_rng(noise)
    prover = BatchProver(fabric, classes)
    plain = prover.prove(tasks, room, left, cost, now_us=5)
    assert not plain.prices_used
    assert plain.age_us == 0
    for price in (optimiser.last.price, draw.integers(0, 1 << 22, len(room)), optimiser.last.price * 3):
        prover.hold(price, made_us=2)
        proven = prover.prove(tasks, room, left, cost, now_us=5)
        assert plain.bound.micro_yuan <= proven.bound.micro_yuan <= value + 2 <= cost + 2
        assert proven.age_us == (3 if proven.prices_used else 0)
        assert proven.bound.tasks == 40
    prover.hold(optimiser.last.price, made_us=2)
    assert prover.prove(tasks, room, left, cost, now_us=5).bound.micro_yuan >= bound.micro_yuan


def test_prices_of_a_batch_before_tighten_the_bound() -> None:
    better = 0
    for seed in range(30):
        fabric, classes, rows, room, left = decided(seed, before=30)
        cost, tasks = cost_of(classes, rows)
        prover = BatchProver(fabric, classes)
        plain = prover.prove(tasks, room, left, cost, 0)
        earlier = Optimiser(fabric, classes)
        other = np.bincount(small_tasks(np.random.default_rng(seed + 1), classes, 40).task_class, minlength=len(tasks))
        pools = len(fabric.pool_site)
        earlier.prove(room[: 3 * pools].reshape(3, -1).T, room[3 * pools :], other.astype(np.int64), 0)
        prover.hold(earlier.last.price, 0)
        better += prover.prove(tasks, room, left, cost, 0).gap < plain.gap
    assert better > 10


def test_the_work_is_kept_to() -> None:
    fabric, classes, rows, room, left = decided(2)
    cost, tasks = cost_of(classes, rows)
    prover = BatchProver(fabric, classes)
    prover.hold(np.full(len(room), 1 << 10), 0)
    each = int(np.diff(classes.cand_first)[tasks > 0].sum())
    for work, spent in ((0, 0), (each, each), (2 * each + 1, 2 * each), (9 * each, 3 * each)):
        assert prover.prove(tasks, room, left, cost, 0, work).work == spent


def test_cached_figures_are_those_of_the_bound() -> None:
    fabric, classes, rows, room, left = decided(6, before=30)
    cost, tasks = cost_of(classes, rows)
    price = np.random.default_rng(1).integers(0, 1 << 14, len(room))
    prover = BatchProver(fabric, classes)
    prover.hold(price, 0)
    wanted = max(certified_bound(Problem(fabric, classes, tasks, room), price >> shift) for shift in (0, 1, 2, 63))
    assert prover.prove(tasks, room, left, cost, 0, work=0).bound.micro_yuan == wanted


def test_a_batch_of_nothing_and_a_price_below_zero() -> None:
    fabric, classes, _, room, left = decided(3)
    prover = BatchProver(fabric, classes)
    prover.hold(np.zeros(len(room), np.int64), 0)
    assert prover.prove(np.zeros(len(classes.cpu), np.int64), room, left, 0, 0).bound.micro_yuan == 0
    with pytest.raises(ValueError, match="below zero"):
        prover.hold(np.full(len(room), -1), 0)
