"""Decide, release and apply: the verbs of the kernel. Each changes the state whole or not at all."""

import numpy as np

from suanwang.plan.kernel.apply import apply_rows
from suanwang.plan.kernel.choose import decide_tasks
from suanwang.plan.kernel.order import published_order
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import Decisions, Policy, Reason, Tasks, empty_decisions, own_rows, take, writeable

MEMBER = int(Reason.MEMBER)


class RowsNotApplicableError(ValueError):
    """A row takes what is not free, or gives back what is not held. Nothing of its batch was applied."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} cannot be applied to this state")
        self.row = row


def decide(state: State, tasks: Tasks, policy: Policy = Policy.CHEAPEST, seed: int = 0) -> Decisions:
    """Decide a micro-batch, ordered by (priority, class, arrival); the rows stand in that order.

    The result is that of one call a task in that order. `seed` matters to RANDOM_FEASIBLE alone.
    """
    tasks = Tasks(*(writeable(column) for column in tasks))
    which = published_order(tasks.task_class, tasks.priority, len(state.classes.cpu))
    arrays, order = state.own(), state.follow(policy)
    most = int(state.classes.nodes.max()) if len(state.classes.nodes) else 1
    rows = empty_decisions(len(which) if most == 1 else int(state.classes.nodes[tasks.task_class].sum(dtype=np.int64)))
    scratch = np.empty(max(most, 1), np.int32)
    written = decide_tasks(
        state.layout, state.fabric, state.classes, arrays.free, arrays.nodes, arrays.scores, arrays.memo, order,
        arrays.quota_left, int(policy), seed, tasks.task, tasks.task_class, which, scratch, rows,
    )  # fmt: skip
    if written < 0:
        raise AssertionError("the kernel's checks and its books do not agree")
    state.version += written
    return take(rows, slice(0, written))


def apply(state: State, rows: Decisions) -> None:
    """Apply rows of a log: what was placed is placed at the same place, what was released is free again."""
    arrays = state.own()
    done = apply_rows(
        state.layout, state.fabric, state.classes, arrays.free, arrays.nodes, arrays.scores, arrays.memo.freed,
        arrays.quota_left, own_rows(rows),
    )  # fmt: skip
    if done < len(rows.task):
        raise RowsNotApplicableError(done)
    arrays.memo.epoch[0] += 1
    state.version += len(rows.task)


def release(state: State, placed: Decisions) -> Decisions:
    """Give back what rows of earlier decisions hold (all rows of each task); returns the rows of the release."""
    if len(placed.reason) and int(placed.reason.max()) > MEMBER:
        raise ValueError("only rows that were placed can be released")
    rows = placed._replace(
        cost=np.zeros_like(placed.cost), reason=(placed.reason + np.uint8(Reason.RELEASED)).astype(np.uint8)
    )
    apply(state, rows)
    return rows
