"""Nodes by least loss inside the bulk kernel: what the plain reference chooses that scores every node again."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_reference import Reference, Row, as_rows
from kernel_worlds import small_classes, small_fabric, small_guidance, small_tasks
from test_kernel_reference import columns, in_order

from suanwang.plan.kernel import Classes, Decisions, Fabric, Reason, State, Tasks, apply, decide, release
from suanwang.plan.kernel.fragmentation_worth import NONE
from suanwang.plan.kernel.scores import BLOCK, expected_of
from suanwang.plan.kernel.types import join, no_floating, pool_sums, take
from suanwang.verify.batch import BatchChecker


def world(seed: int) -> tuple[np.random.Generator, Fabric, Classes, np.ndarray]:
    """Two models of cards; how often each class was seen."""
    draw = np.random.default_rng(seed)
    fabric = small_fabric(draw, nodes=6)
    model = np.where(fabric.shape_cards > 0, draw.integers(0, 2, len(fabric.pool_site)), -1)
    fabric = fabric._replace(pool_model=model.astype(np.int32))
    classes = small_classes(draw, fabric)
    return draw, fabric, classes, draw.integers(0, 40, len(classes.cpu)).astype(np.int64)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), guided=st.booleans())
def test_equals_the_reference_over_batches_and_releases(seed: int, guided: bool) -> None:
    draw, fabric, classes, seen = world(seed)
    state, checker = State(fabric, classes), BatchChecker(fabric, classes)
    guidance = small_guidance(draw, classes) if guided else None
    state.guide(guidance)
    state.mind(expected_of(fabric, classes, seen))
    reference = Reference(fabric, classes, guidance=guidance, seen=seen.tolist())
    live: list[list[Row]] = []
    for batch in range(3):
        tasks = small_tasks(draw, classes, int(draw.integers(1, 40)), first=1_000 * batch)
        rows = decide(state, tasks)
        assert checker.check(rows) is None
        found = as_rows(rows)
        assert found == [row for task, one in in_order(tasks) for row in reference.decide(task, one)]
        for row in found:
            if row[-1] == Reason.PLACED:
                live.append([row])
            elif row[-1] == Reason.MEMBER:
                live[-1].append(row)
        draw.shuffle(live)
        gone, live = live[: len(live) // 2], live[len(live) // 2 :]
        if gone:
            assert checker.check(release(state, columns([row for rows in gone for row in rows]))) is None
        for one in gone:
            reference.move(one, -1)
    assert state.arrays.free.card.tolist() == reference.card


def big() -> tuple[Fabric, Classes]:
    """One pool of 1,500 nodes with eight cards; shares, whole cards, gangs and tasks without cards."""
    i32, i64 = (lambda *of: np.array(of, np.int32)), (lambda *of: np.array(of, np.int64))
    shape = i32(0, 1_500), i32(64_000), i32(262_144), i32(8)
    fabric = Fabric(i32(0), i32(0), i64(1), *pool_sums(*shape), *shape, i64(1), i32(0), i32(), i64())
    milli = i32(130, 270, 500, 810, 1_000, 2_000, 4_000, 8_000, 1_000, 0)
    many = len(milli)
    ends = np.arange(many + 1, dtype=np.int32)
    classes = Classes(
        i32(1_000, 2_000, 2_000, 6_000, 4_000, 8_000, 24_000, 32_000, 2_000, 4_000), np.full(many, 4_096, np.int32),
        -(-milli // 1_000), milli, np.zeros(many, np.int64), i32(1, 1, 1, 1, 1, 1, 1, 1, 3, 1),
        np.full(many, 9, np.int64), np.full(many, 9, np.int64), ends, np.zeros(many, np.int32),
        np.full(many, -1, np.int32), np.ones(many, np.int64), *no_floating(many),
    )  # fmt: skip
    return fabric, classes


def churn(state: State, batches: int = 12, count: int = 900) -> Decisions:
    """Arrivals and ends that keep the pool nearly full; all rows."""
    draw = np.random.default_rng(3)
    rows, held = [], []
    for batch in range(batches):
        tasks = small_tasks(draw, state.classes, count, first=10_000 * batch, priorities=1)
        rows.append(decide(state, tasks))
        held.append(take(rows[-1], rows[-1].reason <= Reason.MEMBER))
        if batch > 7:
            rows.append(release(state, held.pop(int(draw.integers(len(held))))))
    return join(rows)


def test_the_index_changes_no_decision() -> None:
    """A state that scores everything anew before each batch chooses the same nodes in a large pool."""
    fabric, classes = big()
    expected = expected_of(fabric, classes, np.full(len(classes.cpu), 7))

    class Forgets(State):
        def own(self):  # type: ignore[no-untyped-def]  # as in State, with nothing scored
            self.arrays = super().own()._replace(scores=self._blank_scores())
            return self.arrays

    one, other = State(fabric, classes), Forgets(fabric, classes)
    one.mind(expected)
    other.mind(expected)
    rows, again = churn(one), churn(other)
    for column, same in zip(rows, again, strict=True):
        assert column.tolist() == same.tolist()
    assert (rows.reason == Reason.NO_NODE).any()
    assert BatchChecker(fabric, classes).check(rows) is None
    by_bits = churn(State(fabric, classes))
    assert by_bits.node.tolist() != rows.node.tolist()


def test_the_greatest_of_each_block_is_true() -> None:
    fabric, classes = big()
    state = State(fabric, classes)
    state.mind(expected_of(fabric, classes, np.full(len(classes.cpu), 7)))
    churn(state, batches=10)
    scores = state.arrays.scores
    assert (scores.best == scores.score.reshape(len(scores.score), -1, BLOCK).max(axis=2)).all()
    assert (scores.best > NONE).any()


def test_a_log_replays_to_the_same_state_and_a_snapshot_decides_alike() -> None:
    fabric, classes = big()
    expected = expected_of(fabric, classes, np.full(len(classes.cpu), 7))
    state, replayed = State(fabric, classes), State(fabric, classes)
    state.mind(expected)
    rows = churn(state)
    apply(replayed, rows)
    assert replayed.digest() != state.digest()  # it chooses nodes otherwise
    replayed.mind(expected)
    assert replayed.digest() == state.digest()
    tasks = Tasks(np.arange(99, dtype=np.int64), np.arange(99, dtype=np.int32) % 10, np.zeros(99, np.uint8))
    wanted = [part.tolist() for part in decide(state.snapshot(), tasks)]
    assert [part.tolist() for part in decide(replayed, tasks)] == wanted
    assert [part.tolist() for part in decide(state, tasks)] == wanted


DIGEST = """
import numpy as np, sys
sys.path[:0] = ["tests/plan"]
from test_kernel_scores import world
from kernel_worlds import small_tasks
from suanwang.plan.kernel import State, decide
from suanwang.plan.kernel.scores import expected_of
out = []
for seed in range(6):
    draw, fabric, classes, seen = world(seed)
    state = State(fabric, classes)
    state.mind(expected_of(fabric, classes, seen))
    decide(state, small_tasks(draw, classes, 60))
    out.append(state.digest())
print(out)
"""


def test_without_the_compiler_the_same_bits() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", DIGEST], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
            env=os.environ | {"SUANWANG_KERNELS": kernels},
        ).stdout
        for kernels in ("numba", "numpy")
    ]  # fmt: skip
    assert said[0] == said[1]


def test_models_are_checked() -> None:
    fabric, classes = big()
    expected = expected_of(fabric, classes, np.ones(len(classes.cpu), np.int64))
    with pytest.raises(ValueError, match="model 0"):
        expected_of(fabric._replace(pool_model=np.array([-1], np.int32)), classes, np.ones(10, np.int64))
    other = State(fabric._replace(pool_model=np.array([3], np.int32)), classes)
    with pytest.raises(ValueError, match="of the 4 models"):
        other.mind(expected)
