"""The table of what tasks hold is what a dictionary would be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_reference import as_rows
from kernel_worlds import small_classes, small_fabric, small_tasks

from suanwang.plan.kernel import Reason, State, decide, release
from suanwang.plan.kernel.live import Live
from suanwang.plan.kernel.types import take


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_rows_come_back_by_number(seed: int) -> None:
    draw = np.random.default_rng(seed)
    fabric = small_fabric(draw)
    state = State(fabric, small_classes(draw, fabric))
    empty = state.digest()
    live, known = Live(slots=2), {}
    for batch in range(6):
        tasks = small_tasks(draw, state.classes, 40)
        number = draw.integers(-(2**63), 2**63 - 1, 40) if batch % 2 else np.arange(40) * 64 + batch
        rows = decide(state, tasks._replace(task=number))
        live.remember(rows)
        for row in as_rows(take(rows, rows.reason <= Reason.MEMBER)):
            known.setdefault(row[0], []).append((*row[:4], 0, *row[5:]))
        assert len(live) == len(known)
        ends = draw.permutation(np.array(list(known), np.int64))[: len(known) // 2 + (batch == 5) * len(known)]
        back = live.recall(np.append(ends, 5_000_000))  # and one that nobody knows
        assert as_rows(back) == [row for task in ends for row in known.pop(int(task))]
        release(state, back)
    assert len(live) == 0
    assert state.digest() == empty


def test_a_task_that_is_placed_is_not_placed_again() -> None:
    draw = np.random.default_rng(3)
    fabric = small_fabric(draw)
    state = State(fabric, small_classes(draw, fabric))
    rows = decide(state, small_tasks(draw, state.classes, 40))
    live = Live()
    live.remember(rows)
    with pytest.raises(ValueError, match="is placed already"):
        live.remember(rows)
