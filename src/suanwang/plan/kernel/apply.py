"""Apply rows that are decided already: replay of a log, and releases. Nothing is chosen here."""

from suanwang.net.jit import inner, lean
from suanwang.plan.kernel.hold import shift_floating, shift_node, shift_pool, shift_route
from suanwang.plan.kernel.index import Free, Index
from suanwang.plan.kernel.layout import Layout
from suanwang.plan.kernel.types import I32, I64, WHOLE, Classes, Decisions, Fabric, Reason

PLACED = int(Reason.PLACED)
MEMBER = int(Reason.MEMBER)
RELEASED = int(Reason.RELEASED)
RELEASED_MEMBER = int(Reason.RELEASED_MEMBER)


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
def apply_row(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, rows: Decisions, at: int, sign: int
) -> bool:  # fmt: skip
    """One row, taken (sign 1) or given back (-1); False and nothing done where it cannot be."""
    task_class, candidate, node = int(rows.task_class[at]), int(rows.candidate[at]), int(rows.node[at])
    if task_class < 0 or task_class >= classes.cpu.shape[0]:
        return False
    if candidate < classes.cand_first[task_class] or candidate >= classes.cand_first[task_class + 1]:
        return False
    pool = classes.cand_pool[candidate]
    first = rows.reason[at] == PLACED or rows.reason[at] == RELEASED
    if node >= 0:
        if node < layout.node_first[pool] or node >= layout.node_first[pool + 1]:
            return False
        cpu, mem = sign * int(classes.cpu[task_class]), sign * int(classes.mem[task_class])
        milli = sign * min(int(classes.milli[task_class]), WHOLE)
        mask = int(rows.cards[at])
        if not shift_node(layout, free, index, pool, node, cpu, mem, mask, milli):
            return False
        if first and not shift_task(layout, fabric, classes, free, task_class, candidate, sign):
            shift_node(layout, free, index, pool, node, -cpu, -mem, mask, -milli)
            return False
        return True
    return not first or shift_task(layout, fabric, classes, free, task_class, candidate, sign)


@lean
def apply_rows(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, freed: I32, quota_left: I64,
    rows: Decisions,
) -> int:  # fmt: skip
    """Apply rows in order; `freed` counts releases by pool. Returns how many there are, or where it stopped.

    Where a row cannot be applied, those before it are undone: all rows or none.
    """
    for at in range(rows.task.shape[0]):
        reason = rows.reason[at]
        if reason > RELEASED_MEMBER:
            continue
        sign = 1 if reason <= MEMBER else -1
        if not apply_row(layout, fabric, classes, free, index, rows, at, sign):
            for back in range(at - 1, -1, -1):
                if rows.reason[back] <= RELEASED_MEMBER:
                    undo = -1 if rows.reason[back] <= MEMBER else 1
                    apply_row(layout, fabric, classes, free, index, rows, back, undo)
            return at
        if sign < 0:
            freed[classes.cand_pool[rows.candidate[at]]] += 1
    if quota_left.shape[0] > 0:
        for at in range(rows.task.shape[0]):
            if rows.reason[at] == PLACED and quota_left[rows.candidate[at]] > 0:
                quota_left[rows.candidate[at]] -= 1
    return int(rows.task.shape[0])
