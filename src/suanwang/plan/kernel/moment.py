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
    taken: I64  # tasks that went to each candidate of the class so far


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
def _shift_shared(fabric: Fabric, classes: Classes, free: Free, one: int, candidate: int, times: int) -> None:
    route = classes.cand_route[candidate]
    if route >= 0 and classes.mbps[one] > 0:
        for at in range(fabric.route_first[route], fabric.route_first[route + 1]):
            free.shared[fabric.route_use[at]] -= times * classes.mbps[one]
    for at in range(classes.float_first[one], classes.float_first[one + 1]):
        free.shared[classes.float_use[at]] -= times * classes.float_amount[at]


@lean
def _wanted(classes: Classes, asked: U8, out: U8) -> None:
    """Whether the nodes of each candidate's pool are asked for."""
    for candidate in range(out.shape[0]):
        out[candidate] = asked[classes.cand_pool[candidate]]


@lean
def _count(rows: Decisions, end: int, one: int, first: int, balance: I32, taken: I64) -> None:
    """How many tasks the rows before `end` leave at each candidate, and how many came to those of class `one`, of which
    `first` is the first. Most of what rows hold is alike, so each costs a count and no walk along its road."""
    balance[:] = 0
    for at in range(end):
        reason = rows.reason[at]
        if reason == 0:
            balance[rows.candidate[at]] += 1
            if rows.task_class[at] == one:
                taken[rows.candidate[at] - first] += 1
        elif reason == RELEASED:
            balance[rows.candidate[at]] -= 1


@lean
def _hold(fabric: Fabric, classes: Classes, balance: I32, free: Free) -> None:
    """Take what the counted tasks hold together out of the sums of pools and of what is shared."""
    for one in range(classes.cand_first.shape[0] - 1):
        for candidate in range(classes.cand_first[one], classes.cand_first[one + 1]):
            times = int(balance[candidate])
            if times != 0:
                _shift_shared(fabric, classes, free, one, candidate, times)
                pool, many = classes.cand_pool[candidate], times * int(classes.nodes[one])
                free.pool[pool, 0] -= many * int(classes.cpu[one])
                free.pool[pool, 1] -= many * int(classes.mem[one])
                free.pool[pool, 2] -= many * int(classes.milli[one])


@lean
def _play(classes: Classes, wanted: U8, rows: Decisions, end: int, free: Free) -> None:
    """What the rows before `end` took of nodes and gave back, in the pools asked for."""
    for at in range(end):
        reason, node = rows.reason[at], int(rows.node[at])
        if reason > RELEASED_MEMBER or node < 0 or not wanted[rows.candidate[at]]:
            continue
        sign = 1 if reason <= MEMBER else -1
        one = int(rows.task_class[at])
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


class Scratch(NamedTuple):
    """Room to work in, kept from one question to the next: pages that the system has given once are not asked for again."""

    nodes: NDArray[Any]  # what nodes had free
    balance: I32  # [X]
    wanted: U8  # [X]


def scratch(fabric: Fabric, classes: Classes) -> Scratch:
    """Of the size that `room_at` wants for these."""
    candidates = len(classes.cand_pool)
    nodes = np.empty(int(fabric.node_first[-1]), NODE)
    return Scratch(nodes, np.empty(candidates, np.int32), np.empty(candidates, np.uint8))


def _first(rows: Decisions, at: int) -> Decisions:
    """The rows before one, not copied where they are in one piece: columns of a log are read as they lie in the file."""
    return Decisions(**{name: np.ascontiguousarray(getattr(rows, name)[:at]) for name in DTYPES})


def room_at(
    layout: Layout, fabric: Fabric, classes: Classes, free: Free, rows: Decisions, at: int, one: int, asked: U8,
    work: Scratch,
) -> Room:  # fmt: skip
    """Room for class `one` in the pools `asked` u8[P] just before row `at` took effect; `free` is of before the batch."""
    then = Free(work.nodes["cpu"], work.nodes["mem"], work.nodes["card"], free.pool.copy(), free.shared.copy())
    first, end = int(classes.cand_first[one]), int(classes.cand_first[one + 1])
    taken, before = np.zeros(end - first, np.int64), _first(rows, at)
    _count(before, at, one, first, work.balance, taken)
    _hold(fabric, classes, work.balance, then)
    if asked.any():
        _wanted(classes, asked, work.wanted)
        _copy_nodes(layout, asked, free, then)
        _play(classes, work.wanted, before, at, then)
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
