"""The bulk kernel decides what the plain reference decides: every policy, with guidance, over batches and releases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_reference import Reference, Row, as_rows
from kernel_worlds import small_classes, small_fabric, small_guidance, small_tasks

from suanwang.plan.kernel import Decisions, Policy, Reason, State, Tasks, decide, release
from suanwang.plan.kernel.types import DTYPES

POLICIES = list(Policy)


def columns(rows: list[Row]) -> Decisions:
    parts = list(zip(*rows, strict=True))
    return Decisions(**{name: np.array(parts[at], dtype) for at, (name, dtype) in enumerate(DTYPES.items())})


def in_order(tasks: Tasks) -> list[tuple[int, int]]:
    key = [(int(tasks.priority[at]), int(tasks.task_class[at]), at) for at in range(len(tasks.task))]
    return [(int(tasks.task[at]), int(tasks.task_class[at])) for _, _, at in sorted(key)]


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_equals_the_reference(policy: Policy, guided: bool, seed: int) -> None:
    draw = np.random.default_rng(seed)
    fabric = small_fabric(draw)
    classes = small_classes(draw, fabric)
    guidance = small_guidance(draw, classes) if guided and policy == Policy.CHEAPEST else None
    state = State(fabric, classes)
    state.guide(guidance)
    reference = Reference(fabric, classes, policy, guidance, seed)
    live: list[list[Row]] = []
    for batch in range(4):
        tasks = small_tasks(draw, classes, int(draw.integers(1, 40)), first=1_000 * batch)
        found = as_rows(decide(state, tasks, policy, seed))
        wanted = [row for task, task_class in in_order(tasks) for row in reference.decide(task, task_class)]
        assert found == wanted
        assert reference.least() >= 0
        for row in found:
            if row[-1] == Reason.PLACED:
                live.append([row])
            elif row[-1] == Reason.MEMBER:
                live[-1].append(row)
        draw.shuffle(live)
        gone, live = live[: len(live) // 2], live[len(live) // 2 :]
        if gone:
            release(state, columns([row for rows in gone for row in rows]))
        for rows in gone:
            reference.move(rows, -1)
    free = state.arrays.free
    assert free.cpu.tolist() == reference.cpu
    assert free.mem.tolist() == reference.mem
    assert free.card.tolist() == reference.card
    assert free.pool.tolist() == reference.pool
    assert free.shared.tolist() == reference.shared
    assert state.arrays.quota_left.tolist() == reference.quota


def test_the_worlds_reach_every_reason() -> None:
    seen: set[int] = set()
    for seed in range(40):
        draw = np.random.default_rng(seed)
        fabric = small_fabric(draw)
        classes = small_classes(draw, fabric)
        state = State(fabric, classes)
        if seed % 2:
            state.guide(small_guidance(draw, classes))
        seen |= set(decide(state, small_tasks(draw, classes, 200)).reason.tolist())
    assert seen == {
        Reason.PLACED,
        Reason.MEMBER,
        Reason.NO_CANDIDATE,
        Reason.NO_NODE,
        Reason.NO_PATH,
        Reason.NO_FLOATING,
        Reason.TOO_DEAR,
    }
