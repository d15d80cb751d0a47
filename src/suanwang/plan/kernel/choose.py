"""The bulk decision: tasks in their published order, each to its first candidate with nodes, sums and bandwidth.

Without a release between, under one order of candidates, what could not take a class can never take it again: each class keeps a cursor that only
moves forward, and each (shape of need, pool) found full is remembered until something of the pool is released. Both
are memories of what a search from the start would find, so they change no decision.
"""

from typing import NamedTuple

from suanwang.net.jit import inner, lean
from suanwang.plan.kernel.apply import shift_task
from suanwang.plan.kernel.hold import pick_cards, pool_has, route_has, shift_node
from suanwang.plan.kernel.index import Free, Index, find_nodes
from suanwang.plan.kernel.layout import Layout
from suanwang.plan.kernel.scores import Scores, best_card, best_nodes, note, scored
from suanwang.plan.kernel.types import I32, I64, WHOLE, Classes, Decisions, Fabric, Policy, Reason

PLACED = int(Reason.PLACED)
MEMBER = int(Reason.MEMBER)
NO_CANDIDATE = int(Reason.NO_CANDIDATE)
NO_NODE = int(Reason.NO_NODE)
NO_PATH = int(Reason.NO_PATH)
NO_FLOATING = int(Reason.NO_FLOATING)
TOO_DEAR = int(Reason.TOO_DEAR)
BEST_FIT = int(Policy.BEST_FIT)
RANDOM_FEASIBLE = int(Policy.RANDOM_FEASIBLE)
PRIME = 2_147_483_647
PARTS = 1_000_000


class Memo(NamedTuple):
    """What was found out and holds until the next release."""

    need: I32  # [C] shape of need: (cpu, mem, cards, milli, nodes) numbered
    freed: I32  # [P] releases in the pool so far
    full: I32  # [needs, P] freed + 1 at which it was found full
    cursor: I32  # [C, 2] positions in the quota list and in the order
    cursor_at: I64  # [C] the epoch of the cursors
    epoch: I64  # [1] counts releases of any kind, and changes of the order of candidates
    passed: I64  # [3] candidates passed: known to be full, found to be full, without bandwidth


class Order(NamedTuple):
    """The order in which candidates are tried, made once for a policy or a guidance."""

    order: I32  # [X] class by class
    end: I32  # [C] positions from here on are dearer than refusing
    quota_first: I32  # [C+1]
    quota_order: I32  # candidates with a quota, in the same order


@inner
def _room(
    layout: Layout, classes: Classes, free: Free, index: Index, task_class: int, pool: int, out: I32
) -> bool:  # fmt: skip
    """Whether sums and nodes of the pool have room; the nodes are in `out`."""
    many = int(classes.nodes[task_class])
    cpu, mem = int(classes.cpu[task_class]), int(classes.mem[task_class])
    cards, milli = int(classes.cards[task_class]), int(classes.milli[task_class])
    if not pool_has(free, pool, many * cpu, many * mem, many * milli):
        return False
    if layout.words[pool] == 0:
        out[0] = -1
        return True
    return find_nodes(layout, free, index, pool, cpu, mem, cards, milli, many, out) == many


@inner
def _seek(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, memo: Memo,
    order: I32, at: int, end: int, task_class: int, quota_left: I64, by_quota: bool, out: I32,
) -> int:  # fmt: skip
    """First position from `at` whose candidate takes the task, or `end`."""
    need = memo.need[task_class]
    mbps = classes.mbps[task_class]
    known = 0
    while at < end:
        candidate = order[at]
        pool = classes.cand_pool[candidate]
        if memo.full[need, pool] == memo.freed[pool] + 1:
            known += 1
        elif not (by_quota and quota_left[candidate] <= 0):
            if not _room(layout, classes, free, index, task_class, pool, out):
                memo.full[need, pool] = memo.freed[pool] + 1
                memo.passed[1] += 1
            elif route_has(fabric, free, classes.cand_route[candidate], mbps):
                break
            else:
                memo.passed[2] += 1
        at += 1
    memo.passed[0] += known
    return at


@inner
def _scan(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, memo: Memo,
    policy: int, task_class: int, draw: int, out: I32,
) -> int:  # fmt: skip
    """The candidate of the policies that look at all of them; -1: none. Best fit: least share of the pool left."""
    need = memo.need[task_class]
    first, end = int(classes.cand_first[task_class]), int(classes.cand_first[task_class + 1])
    best, least = -1, PARTS + 1
    for step in range(end - first):
        candidate = first + (draw + step) % (end - first)
        pool = classes.cand_pool[candidate]
        if memo.full[need, pool] == memo.freed[pool] + 1:
            continue
        what = 2 if classes.milli[task_class] > 0 else 0
        share = free.pool[pool, what] * PARTS // max(layout.pool_whole[pool, what], 1)
        if policy == BEST_FIT and share >= least:
            continue
        if not _room(layout, classes, free, index, task_class, pool, out):
            memo.full[need, pool] = memo.freed[pool] + 1
        elif route_has(fabric, free, classes.cand_route[candidate], classes.mbps[task_class]):
            best, least = candidate, share
            if policy == RANDOM_FEASIBLE:
                return best
    if best >= 0:
        _room(layout, classes, free, index, task_class, classes.cand_pool[best], out)
    return best


@inner
def _why_not(
    layout: Layout, classes: Classes, free: Free, index: Index, memo: Memo, order: Order, task_class: int, out: I32
) -> int:  # fmt: skip
    """The reason of a refusal: bandwidth where some candidate within the cost has room, else room."""
    first, end = classes.cand_first[task_class], classes.cand_first[task_class + 1]
    if first == end:
        return NO_CANDIDATE
    if order.end[task_class] < end:
        return TOO_DEAR
    need = memo.need[task_class]
    for candidate in range(first, end):
        pool = classes.cand_pool[candidate]
        if memo.full[need, pool] == memo.freed[pool] + 1:
            continue
        if _room(layout, classes, free, index, task_class, pool, out):
            return NO_PATH
        memo.full[need, pool] = memo.freed[pool] + 1
    return NO_NODE


@inner
def _floating_there(classes: Classes, free: Free, task_class: int) -> bool:
    for at in range(classes.float_first[task_class], classes.float_first[task_class + 1]):
        if free.shared[classes.float_use[at]] < classes.float_amount[at]:
            return False
    return True


@inner
def _write(
    rows: Decisions, at: int, task: int, task_class: int, candidate: int, node: int, cost: int, nodes: int,
    cards: int, reason: int,
) -> None:  # fmt: skip
    rows.task[at] = task
    rows.task_class[at] = task_class
    rows.candidate[at] = candidate
    rows.node[at] = node
    rows.cost[at] = cost
    rows.nodes[at] = nodes
    rows.cards[at] = cards
    rows.reason[at] = reason


@inner
def _place(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, scores: Scores, task: int,
    task_class: int, candidate: int, nodes: I32, rows: Decisions, at: int,
) -> int:  # fmt: skip
    """Take all that the task holds and write its rows; returns the next row, -1 where it could not (never)."""
    if not shift_task(layout, fabric, classes, free, task_class, candidate, 1):
        return -1
    pool = classes.cand_pool[candidate]
    count = int(classes.nodes[task_class])
    cost = classes.cand_cost[candidate]
    if nodes[0] < 0:
        _write(rows, at, task, task_class, candidate, -1, cost, 1, 0, PLACED)
        return at + 1
    cpu, mem = int(classes.cpu[task_class]), int(classes.mem[task_class])
    cards, milli = int(classes.cards[task_class]), int(classes.milli[task_class])
    by_loss = scored(scores, pool)
    if by_loss and best_nodes(layout, classes, free, scores, task_class, pool, count, nodes) < count:
        return -1
    for member in range(count):
        node = int(nodes[member])
        if by_loss and 0 < milli < WHOLE:
            mask = best_card(layout, classes, free, scores, task_class, pool, node)
        else:
            mask = pick_cards(free, node, cards, milli)
        if not shift_node(layout, free, index, pool, node, cpu, mem, mask, min(milli, WHOLE)):
            return -1
        note(layout, scores, pool, node)
        _write(rows, at, task, task_class, candidate, node, cost, count - member, mask, MEMBER if member else PLACED)
        at, cost = at + 1, 0
    return at


@inner
def _draw(seed: int, task: int) -> int:
    """A number that depends on seed and task alone; products stay below 2**62."""
    value = (task % PRIME + seed % PRIME * 16_807) % PRIME
    for _ in range(3):
        value = (value * 48_271 + 11) % PRIME
    return value


@inner
def _candidate_of(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, memo: Memo, order: Order,
    quota_left: I64, task_class: int, out: I32,
) -> int:  # fmt: skip
    """By the class's cursors: the first candidate with a quota left, else the first in the order; -1: none."""
    if memo.cursor_at[task_class] != memo.epoch[0]:
        memo.cursor[task_class, 0] = order.quota_first[task_class]
        memo.cursor[task_class, 1] = classes.cand_first[task_class]
        memo.cursor_at[task_class] = memo.epoch[0]
    end = order.quota_first[task_class + 1]
    at = int(memo.cursor[task_class, 0])
    if at < end:
        at = _seek(
            layout, fabric, classes, free, index, memo, order.quota_order, at, end, task_class, quota_left, True, out
        )
        memo.cursor[task_class, 0] = at
        if at < end:
            return int(order.quota_order[at])
    end = order.end[task_class]
    at = int(memo.cursor[task_class, 1])
    if at < end:
        at = _seek(layout, fabric, classes, free, index, memo, order.order, at, end, task_class, quota_left, False, out)
        memo.cursor[task_class, 1] = at
    return int(order.order[at]) if at < end else -1


@lean
def decide_tasks(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, index: Index, scores: Scores, memo: Memo,
    order: Order, quota_left: I64, policy: int, seed: int, task: I64, task_class: I32, which: I32, scratch: I32, rows: Decisions,
) -> int:  # fmt: skip
    """Decide tasks in the order `which`; returns how many rows were written, -1 where the books do not agree."""
    at = 0
    for turn in which:
        one = int(task_class[turn])
        candidate = -1
        reason = NO_FLOATING
        if _floating_there(classes, free, one):
            if policy >= BEST_FIT:
                count = classes.cand_first[one + 1] - classes.cand_first[one]
                draw = _draw(seed, int(task[turn])) % count if policy == RANDOM_FEASIBLE and count > 0 else 0
                candidate = _scan(layout, fabric, classes, free, index, memo, policy, one, draw, scratch)
            else:
                candidate = _candidate_of(layout, fabric, classes, free, index, memo, order, quota_left, one, scratch)
            if candidate < 0:
                reason = _why_not(layout, classes, free, index, memo, order, one, scratch)
        if candidate < 0:
            _write(rows, at, task[turn], one, -1, -1, 0, 1, 0, reason)
            at += 1
            continue
        at = _place(layout, fabric, classes, free, index, scores, task[turn], one, candidate, scratch, rows, at)
        if at < 0:
            return -1
        if quota_left.shape[0] > 0 and quota_left[candidate] > 0:
            quota_left[candidate] -= 1
    return at
