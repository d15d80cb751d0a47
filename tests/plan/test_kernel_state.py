"""State of the bulk kernel: batches, snapshots, releases, replay, and the same bits without a compiler."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_worlds import small_classes, small_fabric, small_guidance, small_tasks

from suanwang.plan.kernel import (
    Classes,
    Decisions,
    Fabric,
    Policy,
    Reason,
    RowsNotApplicableError,
    State,
    Tasks,
    decide,
    release,
)
from suanwang.plan.kernel import apply as apply_rows
from suanwang.plan.kernel.apply import apply_rows as apply_kernel
from suanwang.plan.kernel.choose import decide_tasks
from suanwang.plan.kernel.order import guided_order, published_order
from suanwang.plan.kernel.state import indexed
from suanwang.plan.kernel.types import DTYPES, join, no_floating, take

seeds = st.integers(0, 2**32)


def made(seed: int, guided: bool = False) -> tuple[State, np.random.Generator]:
    draw = np.random.default_rng(seed)
    fabric = small_fabric(draw)
    state = State(fabric, small_classes(draw, fabric))
    if guided:
        state.guide(small_guidance(draw, state.classes))
    return state, draw


def same(one: Decisions, other: Decisions) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def placed_of(rows: Decisions) -> Decisions:
    return take(rows, rows.reason <= Reason.MEMBER)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, cuts=st.lists(st.integers(0, 80), max_size=5), policy=st.sampled_from(list(Policy)))
def test_any_split_of_the_published_order_gives_the_same_rows(seed: int, cuts: list[int], policy: Policy) -> None:
    state, draw = made(seed, guided=policy == Policy.CHEAPEST)
    tasks = small_tasks(draw, state.classes, 80)
    which = published_order(tasks.task_class, tasks.priority, len(state.classes.cpu))
    other = state.snapshot()
    whole = decide(state, tasks, policy, seed)
    parts = []
    for first, end in zip([0, *sorted(cuts)], [*sorted(cuts), 80], strict=True):
        part = which[first:end]
        ordered = Tasks(tasks.task[part], tasks.task_class[part], tasks.priority[part])
        parts.append(decide(other, ordered, policy, seed))
    assert same(whole, join(parts))
    assert state.digest() == other.digest()
    assert state.version == other.version


@settings(max_examples=50, deadline=None)
@given(seed=seeds)
def test_release_gives_back_exactly(seed: int) -> None:
    state, draw = made(seed)
    decide(state, small_tasks(draw, state.classes, 30))
    before, bits = state.digest(), state.arrays.nodes.bits.copy()
    rows = decide(state, small_tasks(draw, state.classes, 30, first=100))
    assert (state.digest() != before) == bool((rows.reason == Reason.PLACED).any() and _holds(state.classes, rows))
    release(state, placed_of(rows))
    assert state.digest() == before
    assert np.array_equal(state.arrays.nodes.bits, bits)


def _holds(classes: Classes, rows: Decisions) -> bool:
    one = rows.task_class[rows.reason == Reason.PLACED]
    routed = classes.cand_route[rows.candidate[rows.reason == Reason.PLACED]] >= 0
    some = classes.cpu[one] + classes.mem[one] + classes.milli[one] + classes.mbps[one] * routed
    return bool((some + np.diff(classes.float_first)[one]).any())


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_the_index_is_a_function_of_what_is_free(seed: int) -> None:
    state, draw = made(seed)
    rows = decide(state, small_tasks(draw, state.classes, 60))
    first = np.flatnonzero(rows.reason == Reason.PLACED)[::2]
    chosen = np.isin(rows.task, rows.task[first]) & (rows.reason <= Reason.MEMBER)
    release(state, take(rows, chosen))
    for kept, fresh in zip(state.arrays.nodes, indexed(state.layout, state.arrays.free), strict=True):
        assert np.array_equal(kept, fresh)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, guided=st.booleans())
def test_replay_reaches_the_same_bits_and_decides_alike(seed: int, guided: bool) -> None:
    state, draw = made(seed, guided)
    replayed = state.snapshot()
    log = [decide(state, small_tasks(draw, state.classes, 40))]
    log.append(release(state, placed_of(log[0])))
    log.append(decide(state, small_tasks(draw, state.classes, 40, first=100)))
    apply_rows(replayed, join(log))
    assert replayed.digest() == state.digest()
    more = small_tasks(draw, state.classes, 40, first=200)
    assert same(decide(state, more), decide(replayed, more))
    restored = State(state.fabric, state.classes, state.arrays.free)
    if not guided:
        assert restored.digest() == state.digest()


@settings(max_examples=60, deadline=None)
@given(seed=seeds, policies=st.lists(st.sampled_from(list(Policy)), min_size=2, max_size=6), guided=st.booleans())
def test_policies_may_change_on_one_state(seed: int, policies: list[Policy], guided: bool) -> None:
    """Cursors are of one order of candidates: each batch is decided as on a state that never knew another policy."""
    state, draw = made(seed, guided)
    for batch, policy in enumerate(policies):
        fresh = State(state.fabric, state.classes, state.arrays.free)
        if state.guidance is not None:
            fresh.guide(state.guidance)
            fresh.own().quota_left[:] = state.arrays.quota_left
        tasks = small_tasks(draw, state.classes, 25, first=100 * batch)
        assert same(decide(state, tasks, policy, seed), decide(fresh, tasks, policy, seed))
        assert state.digest() == fresh.digest()
        state = state.snapshot() if batch % 2 else state


def test_a_snapshot_stays_as_it_was() -> None:
    state, draw = made(3)
    tasks = small_tasks(draw, state.classes, 40)
    snapshot, before = state.snapshot(), state.digest()
    assert snapshot.arrays.free.cpu is state.arrays.free.cpu  # nothing was copied yet
    first = decide(state, tasks)
    assert snapshot.digest() == before != state.digest()
    assert same(decide(snapshot, tasks), first)
    assert snapshot.digest() == state.digest()
    kept = state.arrays.free.cpu
    decide(state, tasks)
    assert state.arrays.free.cpu is kept  # its own by now: nothing is copied twice


def test_writing_a_snapshot_leaves_the_state() -> None:
    state, draw = made(3)
    snapshot, before = state.snapshot(), state.digest()
    decide(snapshot, small_tasks(draw, state.classes, 40))
    assert state.digest() == before != snapshot.digest()


def test_what_is_not_held_cannot_be_given_back_and_nothing_of_the_batch_is() -> None:
    state, draw = made(3)
    rows = placed_of(decide(state, small_tasks(draw, state.classes, 40)))
    before = state.digest()
    with pytest.raises(RowsNotApplicableError) as raised:
        release(state, join([rows, rows]))
    assert raised.value.row >= len(rows.task)
    assert state.digest() == before
    release(state, rows)
    with pytest.raises(ValueError, match="only rows that were placed"):
        release(state, rows._replace(reason=np.full_like(rows.reason, Reason.NO_NODE)))


@pytest.mark.parametrize("column", ["task_class", "candidate", "node"])
@pytest.mark.parametrize("wrong", [-7, 1_000_000])
def test_a_row_of_no_sense_is_refused(column: str, wrong: int) -> None:
    state, draw = made(3)
    rows = placed_of(decide(state, small_tasks(draw, state.classes, 40)))
    at = int(np.flatnonzero(rows.node >= 0)[0])
    bad = take(rows, slice(at, at + 1))
    if column == "node" and wrong < 0:
        wrong = 1_000
    with pytest.raises(RowsNotApplicableError):
        release(state, bad._replace(**{column: np.full_like(getattr(bad, column), wrong)}))


def gang() -> tuple[State, Decisions]:
    """A state with a gang of two tasks on two nodes each, whole cards, and one pool without nodes; and its rows."""
    shape = np.array([0, 2, 2], np.int32), *(np.array([8, 0], np.int32) for _ in range(2)), np.array([2, 0], np.int32)
    wide, zero = np.array([8, 8]), np.zeros(2, np.int32)
    fabric = Fabric(zero, zero, wide, wide * 2, wide * 2, wide * 500, *shape, wide, zero[:1], zero[:0], wide[:0])
    one = [np.ones(2, np.int32) for _ in range(3)]
    classes = Classes(
        *one, one[0] * 1000, wide * 0, np.array([2, 1], np.int32), wide, wide * 9, np.array([0, 1, 2], np.int32),
        np.array([0, 1], np.int32), zero - 1, wide - 1, *no_floating(2),
    )  # fmt: skip
    state = State(fabric, classes)
    rows = decide(state.snapshot(), Tasks(np.arange(3), np.array([0, 0, 1], np.int32), np.zeros(3, np.uint8)))
    assert rows.reason.tolist() == [0, 1, 0, 1, 0]
    assert rows.node.tolist() == [0, 1, 0, 1, -1]
    return state, rows


@pytest.mark.parametrize(
    ("column", "row", "wrong"),
    [
        ("node", 0, -1),  # of a pool with nodes
        ("node", 4, 0),  # of a pool without
        ("cards", 0, 0),
        ("cards", 0, 3),
        ("cards", 4, 1),
        ("cost", 0, 6),
        ("cost", 1, 7),
        ("nodes", 0, 1),
        ("nodes", 1, 0),
        ("nodes", 4, 2),
        ("reason", 0, 1),  # a member of nothing
        ("reason", 1, 0),
        ("reason", 1, 3),
        ("reason", 1, 9),  # a gang that is not whole
        ("reason", 4, 7),
        ("reason", 4, 77),
        ("task", 1, 5),
        ("task_class", 1, 1),
    ],
)
def test_a_row_that_cannot_be_true_is_refused(column: str, row: int, wrong: int) -> None:
    state, rows = gang()
    before = state.digest()
    bad = getattr(rows, column).copy()
    bad[row] = wrong
    with pytest.raises(RowsNotApplicableError):
        apply_rows(state, rows._replace(**{column: bad}))
    assert state.digest() == before
    apply_rows(state, rows)
    release(state, rows)
    assert state.digest() == before


def test_a_part_of_a_gang_is_neither_placed_nor_released() -> None:
    state, rows = gang()
    for part in (slice(0, 1), slice(1, 2), slice(1, 4)):
        with pytest.raises(RowsNotApplicableError):
            apply_rows(state, take(rows, part))
    apply_rows(state, rows)
    with pytest.raises(RowsNotApplicableError):
        release(state, take(rows, slice(0, 1)))


@pytest.mark.parametrize("column", [one for one in Classes._fields if not one.startswith("float")])
def test_no_column_of_known_classes_may_change(column: str) -> None:
    state, _ = made(5)
    with pytest.raises(ValueError, match="known classes have changed"):
        state.extend(state.classes._replace(**{column: getattr(state.classes, column) + 1}))
    state.extend(state.classes)


def test_more_classes_follow_those_known() -> None:
    state, draw = made(5)
    known = state.classes
    rows = decide(state, small_tasks(draw, known, 40))
    last = slice(int(known.cand_first[-2]), int(known.cand_first[-1]))
    grown = Classes(
        *(np.append(part, part[-1:]) for part in known[:8]),
        np.append(known.cand_first, known.cand_first[-1] + (last.stop - last.start)).astype(np.int32),
        *(np.append(part, part[last]) for part in known[9:12]),
        np.append(known.float_first, known.float_first[-1]).astype(np.int32),
        *known[13:],
    )
    before = state.digest()
    state.extend(grown)
    assert state.digest() == before
    new = Tasks(np.array([900]), np.array([len(known.cpu)], np.int32), np.zeros(1, np.uint8))
    assert decide(state, new).task_class.tolist() == [len(known.cpu)]
    release(state, placed_of(rows))
    with pytest.raises(ValueError, match="known classes have changed"):
        state.extend(known._replace(cand_pool=known.cand_pool[::-1].copy(), cand_first=known.cand_first + 1))


def test_guidance_of_other_classes_is_refused() -> None:
    state, draw = made(3)
    good = small_guidance(draw, state.classes)
    first = int(state.classes.cand_first[np.flatnonzero(np.diff(state.classes.cand_first) > 1)[0]])
    twice = good.bid_order.copy()
    twice[first] = twice[first + 1]
    for bad in (
        good._replace(quota=good.quota[:-1]),
        good._replace(bid_order=twice),
        good._replace(bid_order=np.roll(good.bid_order, 1)),
        good._replace(bid_cost=-np.arange(len(good.bid_cost))),
    ):
        with pytest.raises(ValueError, match="guidance"):
            guided_order(state.classes, bad)
    state.guide(good)
    with pytest.raises(ValueError, match="guidance is of the known classes"):
        state.extend(state.classes)


def test_a_task_of_no_class_is_refused() -> None:
    state, _ = made(3)
    for wrong in (-1, len(state.classes.cpu)):
        with pytest.raises(ValueError, match="names a class"):
            decide(state, Tasks(np.zeros(1, np.int64), np.array([wrong], np.int32), np.zeros(1, np.uint8)))


def test_columns_that_are_read_only_or_strided_are_taken_as_they_are() -> None:
    """Arrow and the log hand out such; each kind of array would have its kernels compiled anew."""
    state, draw = made(3)
    other = state.snapshot()
    tasks = small_tasks(draw, state.classes, 40)
    odd = Tasks(*(np.repeat(part, 2)[::2] for part in tasks))
    for part in odd:
        part.flags.writeable = False
    compiled = _signatures()
    rows = decide(state, tasks)
    fixed = decide(other, odd)
    for part in fixed:
        part.flags.writeable = False
    assert same(rows, fixed)
    release(other, placed_of(fixed))
    apply_rows(state.snapshot(), take(fixed, slice(0, 0)))
    assert _signatures() <= max(compiled, 2)


def _signatures() -> int:
    """Compiled forms of the deciding kernel and of the applying one."""
    return len(getattr(decide_tasks, "signatures", [])) + len(getattr(apply_kernel, "signatures", []))


def test_a_row_has_thirty_two_bytes() -> None:
    assert sum(np.dtype(one).itemsize for one in DTYPES.values()) == 32
    assert tuple(DTYPES) == Decisions._fields


WITHOUT = """
import numpy as np
from kernel_worlds import small_classes, small_fabric, small_guidance, small_tasks
from suanwang.net.jit import COMPILED
from suanwang.plan.kernel import Policy, State, decide, release
from suanwang.plan.kernel.types import take
for seed in range(90):
    for policy in list(Policy)[seed % 6 :][:1]:
        draw = np.random.default_rng(seed)
        fabric = small_fabric(draw)
        state = State(fabric, small_classes(draw, fabric))
        if seed % 2:
            state.guide(small_guidance(draw, state.classes))
        rows = decide(state, small_tasks(draw, state.classes, 60), policy, seed)
        release(state, take(rows, (rows.reason <= 1) & (rows.task % 2 == 0)))
        rows = decide(state, small_tasks(draw, state.classes, 60, first=100), policy, seed)
        print(state.digest(), [part.tolist() for part in rows])
print(COMPILED)
"""


def test_plain_python_gives_the_same_bits() -> None:
    said = []
    for kernels in ("numba", "numpy"):
        there = {**os.environ, "SUANWANG_KERNELS": kernels, "PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-W", "error", "-c", WITHOUT]
        said.append(subprocess.run(command, env=there, capture_output=True, text=True, check=False))
    assert [one.stderr for one in said] == ["", ""]
    compiled, plain = (one.stdout.splitlines() for one in said)
    assert (compiled[-1], plain[-1]) == ("True", "False")
    assert compiled[:-1] == plain[:-1]
    assert len(plain) == 91
