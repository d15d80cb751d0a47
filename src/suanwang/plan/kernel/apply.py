"""Apply rows that are decided already: replay of a log, and releases. Nothing is chosen here.

Rows that cannot be true in themselves are refused, and those that take what is not free or give back beyond what there
is. Whose a card is the state does not know: that a release gives back what this very task held, the checker of batches
proves (`verify/batch.py`).
"""

from suanwang.net.jit import inner, lean
from suanwang.plan.kernel.hold import shift_floating, shift_node, shift_pool, shift_route
from suanwang.plan.kernel.index import Free, Index
from suanwang.plan.kernel.layout import Layout
from suanwang.plan.kernel.scores import Scores, note
from suanwang.plan.kernel.types import I32, I64, WHOLE, Classes, Decisions, Fabric, Reason

PLACED = int(Reason.PLACED)
MEMBER = int(Reason.MEMBER)
RELEASED = int(Reason.RELEASED)
RELEASED_MEMBER = int(Reason.RELEASED_MEMBER)
NO_CANDIDATE = int(Reason.NO_CANDIDATE)
LAST = int(max(Reason))


@inner
def shift_task(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, task_class: int, candidate: int, sign: int
) -> bool:  # fmt: skip
    """Take (sign 1) or give back (-1) all that a task holds but for its nodes."""
    pool = classes.cand_pool[candidate]
    many = sign * int(classes.nodes[task_class])
    cpu, mem = many * int(classes.cpu[task_class]), many * int(classes.mem[task_class])
    milli = many * int(classes.milli[task_class])
    route, mbps = classes.cand_route[candidate], sign * classes.mbps[task_class]
    if not shift_pool(layout, free, pool, cpu, mem, milli):
        return False
    if not shift_route(layout, fabric, free, route, mbps):
        shift_pool(layout, free, pool, -cpu, -mem, -milli)
        return False
    if not shift_floating(layout, classes, free, task_class, sign):
        shift_route(layout, fabric, free, route, -mbps)
        shift_pool(layout, free, pool, -cpu, -mem, -milli)
        return False
    return True


@inner
def _in_sequence(classes: Classes, rows: Decisions, at: int) -> bool:
    """A task is one first row and its members below it, each counting how many are left."""
    left = int(rows.nodes[at])
    if rows.reason[at] == PLACED or rows.reason[at] == RELEASED:
        if rows.node[at] >= 0 and left != classes.nodes[rows.task_class[at]]:
            return False
    elif at == 0 or rows.nodes[at - 1] != left + 1 or not _same_gang(rows, at - 1, at):
        return False
    if left == 1:
        return True
    return left > 1 and at + 1 < rows.task.shape[0] and rows.nodes[at + 1] == left - 1 and _same_gang(rows, at, at + 1)


@inner
def _same_gang(rows: Decisions, above: int, below: int) -> bool:
    """Whether the lower row is a further node of the task of the upper one."""
    if rows.reason[below] != MEMBER and rows.reason[below] != RELEASED_MEMBER:
        return False
    if rows.reason[above] != rows.reason[below] and rows.reason[above] != rows.reason[below] - 1:
        return False
    same = rows.task[above] == rows.task[below] and rows.task_class[above] == rows.task_class[below]
    return bool(same and rows.candidate[above] == rows.candidate[below])


@inner
def _may_be(layout: Layout, classes: Classes, rows: Decisions, at: int) -> bool:
    """Whether the row can be true, whatever is free: its class, candidate, cost, cards and place in the sequence."""
    task_class, candidate, node = int(rows.task_class[at]), int(rows.candidate[at]), int(rows.node[at])
    if task_class < 0 or task_class >= classes.cpu.shape[0]:
        return False
    if candidate < classes.cand_first[task_class] or candidate >= classes.cand_first[task_class + 1]:
        return False
    pool = classes.cand_pool[candidate]
    mask, cards = int(rows.cards[at]), 0
    while mask:
        mask &= mask - 1
        cards += 1
    if layout.words[pool] == 0:
        if node != -1 or rows.nodes[at] != 1 or cards != 0:
            return False
    elif node < layout.node_first[pool] or node >= layout.node_first[pool + 1] or cards != classes.cards[task_class]:
        return False
    if rows.cost[at] != (classes.cand_cost[candidate] if rows.reason[at] == PLACED else 0):
        return False
    return _in_sequence(classes, rows, at)


@inner
def apply_row(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, scores: Scores, rows: Decisions, at: int,
    sign: int,
) -> bool:  # fmt: skip
    """One row that may be, taken (sign 1) or given back (-1); False and nothing done where it cannot."""
    task_class, candidate, node = int(rows.task_class[at]), int(rows.candidate[at]), int(rows.node[at])
    pool = classes.cand_pool[candidate]
    first = rows.reason[at] == PLACED or rows.reason[at] == RELEASED
    if node >= 0:
        cpu, mem = sign * int(classes.cpu[task_class]), sign * int(classes.mem[task_class])
        milli = sign * min(int(classes.milli[task_class]), WHOLE)
        mask = int(rows.cards[at])
        if not shift_node(layout, free, index, pool, node, cpu, mem, mask, milli):
            return False
        if first and not shift_task(layout, fabric, classes, free, task_class, candidate, sign):
            shift_node(layout, free, index, pool, node, -cpu, -mem, mask, -milli)
            return False
        note(layout, scores, pool, node)
        return True
    return not first or shift_task(layout, fabric, classes, free, task_class, candidate, sign)


@lean
def apply_rows(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, scores: Scores, freed: I32,
    quota_left: I64, rows: Decisions,
) -> int:  # fmt: skip
    """Apply rows in order; `freed` counts releases by pool. Returns how many there are, or where it stopped.

    Where a row cannot be applied, those before it are undone: all rows or none.
    """
    for at in range(rows.task.shape[0]):
        reason = rows.reason[at]
        if NO_CANDIDATE <= reason <= LAST:
            continue
        sign = 1 if reason <= MEMBER else -1
        sound = reason <= RELEASED_MEMBER and _may_be(layout, classes, rows, at)
        if not sound or not apply_row(layout, fabric, classes, free, index, scores, rows, at, sign):
            for back in range(at - 1, -1, -1):
                if rows.reason[back] <= RELEASED_MEMBER:
                    undo = -1 if rows.reason[back] <= MEMBER else 1
                    apply_row(layout, fabric, classes, free, index, scores, rows, back, undo)
            return at
        if sign < 0:
            freed[classes.cand_pool[rows.candidate[at]]] += 1
    if quota_left.shape[0] > 0:
        for at in range(rows.task.shape[0]):
            if rows.reason[at] == PLACED and quota_left[rows.candidate[at]] > 0:
                quota_left[rows.candidate[at]] -= 1
    return int(rows.task.shape[0])
