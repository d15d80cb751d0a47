"""What was free at one row of a batch, and what of it a task could have had: from the state before and the rows.

Only the pools asked for are worked out, so that one row among a million is explained in milliseconds.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.net.jit import inner, lean
from suanwang.plan.kernel.index import NODE, Free
from suanwang.plan.kernel.layout import Layout
from suanwang.plan.kernel.types import CARDS_MAX, DTYPES, I32, I64, U8, WHOLE, Classes, Decisions, Fabric, Reason

MEMBER = int(Reason.MEMBER)
RELEASED = int(Reason.RELEASED)
RELEASED_MEMBER = int(Reason.RELEASED_MEMBER)
FITS, CPU, MEM, CARD = range(4)  # columns of `Room.best`


class Room(NamedTuple):
    """What each pool could give one class at that moment; rows of pools that were not asked for are 0."""

    best: (
        I64  # [P, 4] nodes that fit; the most cpu, MiB, cards (of a share: milli) with which as many nodes fit as asked
    )
    pool: I64  # [P, 3] sums that are free
    shared: I64  # [R]
    taken: I64  # [X] tasks that went to the candidate so far; empty unless asked for


@lean
def _copy_nodes(layout: Layout, asked: U8, free: Free, out: Free) -> None:
    for pool in range(asked.shape[0]):
        if asked[pool]:
            for node in range(layout.node_first[pool], layout.node_first[pool + 1]):
                out.cpu[node] = free.cpu[node]
                out.mem[node] = free.mem[node]
                for card in range(CARDS_MAX):
                    out.card[node, card] = free.card[node, card]


@inner
def _shift_shared(fabric: Fabric, classes: Classes, free: Free, one: int, candidate: int, sign: int) -> None:
    route = classes.cand_route[candidate]
    if route >= 0 and classes.mbps[one] > 0:
        for at in range(fabric.route_first[route], fabric.route_first[route + 1]):
            free.shared[fabric.route_use[at]] -= sign * classes.mbps[one]
    for at in range(classes.float_first[one], classes.float_first[one + 1]):
        free.shared[classes.float_use[at]] -= sign * classes.float_amount[at]


@lean
def _play(fabric: Fabric, classes: Classes, asked: U8, rows: Decisions, end: int, free: Free, taken: I64) -> None:
    """What the rows before `end` took and gave back, in the pools asked for; of shared resources all of it."""
    for at in range(end):
        reason = rows.reason[at]
        if reason > RELEASED_MEMBER:
            continue
        sign = 1 if reason <= MEMBER else -1
        one, candidate, node = int(rows.task_class[at]), int(rows.candidate[at]), int(rows.node[at])
        pool = classes.cand_pool[candidate]
        if reason in (0, RELEASED):
            _shift_shared(fabric, classes, free, one, candidate, sign)
            if taken.shape[0] > 0 and sign > 0:
                taken[candidate] += 1
            many = sign * int(classes.nodes[one])
            free.pool[pool, 0] -= many * int(classes.cpu[one])
            free.pool[pool, 1] -= many * int(classes.mem[one])
            free.pool[pool, 2] -= many * int(classes.milli[one])
        if asked[pool] and node >= 0:
            free.cpu[node] -= sign * int(classes.cpu[one])
            free.mem[node] -= sign * int(classes.mem[one])
            each = sign * min(int(classes.milli[one]), WHOLE)
            mask = int(rows.cards[at])
            for card in range(CARDS_MAX):
                if (mask >> card) & 1:
                    free.card[node, card] -= each


@inner
def _keep(top: I64, row: int, figure: int) -> None:
    """Keep the greatest figures of a row, the greatest first."""
    at = top.shape[1] - 1
    if figure <= top[row, at]:
        return
    while at > 0 and top[row, at - 1] < figure:
        top[row, at] = top[row, at - 1]
        at -= 1
    top[row, at] = figure


@lean
def _look(layout: Layout, classes: Classes, asked: U8, free: Free, one: int, top: I64, best: I64) -> None:
    """Fill `best` from the nodes; `top` [4, nodes of the class] is scratch."""
    cpu, mem, cards = int(classes.cpu[one]), int(classes.mem[one]), int(classes.cards[one])
    milli, many = min(int(classes.milli[one]), WHOLE), top.shape[1]
    share = 0 < milli < WHOLE
    for pool in range(asked.shape[0]):
        if not asked[pool]:
            continue
        for row in range(4):
            for at in range(many):
                top[row, at] = -1
        for node in range(layout.node_first[pool], layout.node_first[pool + 1]):
            enough, largest = 0, 0
            if cards > 0:
                for card in range(CARDS_MAX):
                    left = int(free.card[node, card])
                    enough += left >= milli
                    largest = max(largest, left)
            has_cpu, has_mem, has_cards = free.cpu[node] >= cpu, free.mem[node] >= mem, enough >= cards
            if has_cpu and has_mem and has_cards:
                best[pool, FITS] += 1
            if has_mem and has_cards:
                _keep(top, CPU, int(free.cpu[node]))
            if has_cpu and has_cards:
                _keep(top, MEM, int(free.mem[node]))
            if has_cpu and has_mem:
                _keep(top, CARD, largest if share else enough)
        for row in range(1, 4):
            best[pool, row] = top[row, many - 1]


def scratch_nodes(count: int) -> NDArray[Any]:
    """Room to work out what nodes had free."""
    return np.empty(count, NODE)


def _first(rows: Decisions, at: int) -> Decisions:
    """The rows before one, not copied where they are in one piece: columns of a log are read as they lie in the file."""
    return Decisions(**{name: np.ascontiguousarray(getattr(rows, name)[:at]) for name in DTYPES})


def room_at(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, rows: Decisions, at: int, one: int, asked: U8,
    count_taken: bool, nodes: NDArray[Any],
) -> Room:  # fmt: skip
    """Room for class `one` in the pools `asked` u8[P] just before row `at` took effect; `free` is of before the batch.

    `nodes` (`scratch_nodes`) is overwritten: pages that the system has given once are not asked for again.
    """
    then = Free(nodes["cpu"], nodes["mem"], nodes["card"], free.pool.copy(), free.shared.copy())
    taken = np.zeros(len(classes.cand_pool) if count_taken else 0, np.int64)
    _copy_nodes(layout, asked, free, then)
    _play(fabric, classes, asked, _first(rows, at), at, then, taken)
    best = np.zeros((len(asked), 4), np.int64)
    _look(layout, classes, asked, then, one, np.zeros((4, max(int(classes.nodes[one]), 1)), np.int64), best)
    return Room(best, then.pool, then.shared, taken)


@lean
def _narrowest(fabric: Fabric, shared: I64, routes: I32, out: I64) -> None:
    for at in range(routes.shape[0]):
        first, end = fabric.route_first[routes[at]], fabric.route_first[routes[at] + 1]
        for one in range(first, end):
            times = 0
            for other in range(first, end):
                times += fabric.route_use[other] == fabric.route_use[one]
            out[at] = min(out[at], shared[fabric.route_use[one]] // times)


def narrowest(fabric: Fabric, shared: I64, routes: I32) -> I64:
    """The most Mbit/s that each route can still carry, i64[n]; a resource crossed twice counts twice."""
    out = np.full(len(routes), 1 << 60, np.int64)
    _narrowest(fabric, shared, routes, out)
    return out
