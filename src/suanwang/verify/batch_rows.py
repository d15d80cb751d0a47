"""The compiled part of the batch checker: what is in use, row by row, from the raw figures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.net.jit import inner, lean

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


class Facts(NamedTuple):
    """What exists and what classes need; columns as the planner was given them, in the same units."""

    node_first: I32
    shape_cpu: I32
    shape_mem: I32
    shape_cards: I32
    pool_cpu: I64
    pool_mem: I64
    pool_milli: I64
    capacity: I64
    route_first: I32
    route_use: I32
    route_latency_us: I64
    cpu: I32
    mem: I32
    cards: I32
    milli: I32
    mbps: I64
    nodes: I32
    latency_bound_us: I64
    cand_first: I32
    cand_pool: I32
    cand_route: I32
    cand_cost: I64
    float_first: I32
    float_use: I32
    float_amount: I64
    clause: NDArray[np.uint8]  # fault of each candidate in itself (`batch_clauses`), 0 none


class Rows(NamedTuple):
    """Columns of decisions."""

    task: I64
    task_class: I32
    candidate: I32
    node: I32
    cost: I64
    nodes: NDArray[np.uint16]
    cards: NDArray[np.uint8]
    reason: NDArray[np.uint8]


class Books(NamedTuple):
    """What is in use, and who holds it."""

    cpu: I32  # [N]
    mem: I32  # [N]
    card: NDArray[np.int16]  # [N, 8] milli
    stamp: I64  # [N] the gang that last took the node
    pool: I64  # [P, 3]
    shared: I64  # [R]
    table: I64  # [slots, 4] task; class and candidate, -1 free; nodes and cards; unused
    tally: I64  # [2] tasks held; gangs seen


PLACED, MEMBER, RELEASED, RELEASED_MEMBER = 0, 1, 2, 3
REFUSED_FROM, REFUSED_TO = 8, 12
(OK, REASON, CLASS, CANDIDATE, NODE, LATENCY, COST, CARDS, CPU_OVER, MEMORY_OVER, CARD_OVER, POOL_OVER, SHARED_OVER) = (
    range(13)
)
GANG, TWICE, NOT_HELD, REFUSED = 13, 14, 15, 16
LOW = (1 << 31) - 1
ODD = 1_640_531_527  # 2**31 over the golden ratio, made odd


@inner
def _slot_of(table: I64, task: int) -> int:
    """Where the task is, or the free slot where it would be."""
    mask = table.shape[0] - 1
    slot = _home(task, mask)
    while table[slot, 1] != -1 and table[slot, 0] != task:
        slot = (slot + 1) & mask
    return slot


@inner
def _home(task: int, mask: int) -> int:
    spread = (((task ^ (task >> 31)) & LOW) * ODD) & LOW
    return (spread ^ (spread >> 16)) & mask


@inner
def _remove(table: I64, slot: int) -> None:
    """Free the slot and draw those behind it nearer to their homes."""
    mask = table.shape[0] - 1
    hole, at = slot, (slot + 1) & mask
    while table[at, 1] != -1:
        home = _home(table[at, 0], mask)
        if ((at - home) & mask) >= ((at - hole) & mask):
            for part in range(3):
                table[hole, part] = table[at, part]
            hole = at
        at = (at + 1) & mask
    table[hole, 1] = -1


@lean
def rehash(old: I64, new: I64) -> None:
    """Enter every task of one table into an empty one."""
    for at in range(old.shape[0]):
        if old[at, 1] != -1:
            slot = _slot_of(new, old[at, 0])
            for part in range(3):
                new[slot, part] = old[at, part]


@inner
def _woven(held: int, node: int, cards: int) -> int:
    """Nodes and cards of a task in one number: exact for one row, a hash from the second on."""
    return (((held & LOW) * ODD) ^ (held >> 31)) + ((node + 1) << 8 | cards)


@inner
def _cards_of(facts: Facts, books: Books, pool: int, node: int, one: int, mask: int, sign: int) -> int:
    """Enter the cards of one row."""
    milli, wanted = int(facts.milli[one]), int(facts.cards[one])
    each = min(milli, 1000)
    if mask >> facts.shape_cards[pool]:
        return CARDS
    picked = 0
    for card in range(8):
        if (mask >> card) & 1:
            picked += 1
            used = int(books.card[node, card]) + sign * each
            if used > 1000:
                return CARD_OVER
            if used < 0:
                return NOT_HELD
            books.card[node, card] = used
    return OK if picked == wanted else CARDS


@inner
def _node(facts: Facts, books: Books, pool: int, node: int, one: int, mask: int, sign: int) -> int:
    """Enter what one row takes of its node."""
    if facts.node_first[pool] == facts.node_first[pool + 1]:
        return OK if node == -1 and mask == 0 else NODE
    if node < facts.node_first[pool] or node >= facts.node_first[pool + 1]:
        return NODE
    cpu = books.cpu[node] + sign * int(facts.cpu[one])
    mem = books.mem[node] + sign * int(facts.mem[one])
    if cpu > facts.shape_cpu[pool]:
        return CPU_OVER
    if mem > facts.shape_mem[pool]:
        return MEMORY_OVER
    if cpu < 0 or mem < 0:
        return NOT_HELD
    books.cpu[node] = cpu
    books.mem[node] = mem
    return _cards_of(facts, books, pool, node, one, mask, sign)


@inner
def _shared(facts: Facts, books: Books, resource: int, amount: int) -> int:
    used = books.shared[resource] + amount
    books.shared[resource] = used
    if used > facts.capacity[resource]:
        return SHARED_OVER
    return NOT_HELD if used < 0 else OK


@inner
def _task(facts: Facts, books: Books, one: int, candidate: int, sign: int) -> int:
    """Enter what a task takes as a whole: of its pool, on its road, and what floats."""
    pool, route = facts.cand_pool[candidate], facts.cand_route[candidate]
    many = sign * int(facts.nodes[one])
    books.pool[pool, 0] += many * int(facts.cpu[one])
    books.pool[pool, 1] += many * int(facts.mem[one])
    books.pool[pool, 2] += many * int(facts.milli[one])
    if books.pool[pool, 0] > facts.pool_cpu[pool] or books.pool[pool, 1] > facts.pool_mem[pool]:
        return POOL_OVER
    if books.pool[pool, 2] > facts.pool_milli[pool]:
        return POOL_OVER
    if route >= 0:
        if facts.route_latency_us[route] > facts.latency_bound_us[one]:
            return LATENCY
        for at in range(facts.route_first[route], facts.route_first[route + 1]):
            fault = _shared(facts, books, facts.route_use[at], sign * facts.mbps[one])
            if fault != OK:
                return fault
    for at in range(facts.float_first[one], facts.float_first[one + 1]):
        fault = _shared(facts, books, facts.float_use[at], sign * facts.float_amount[at])
        if fault != OK:
            return fault
    return OK


@inner
def _well_formed(facts: Facts, books: Books, rows: Rows, at: int, opened: int) -> int:
    """Class, candidate, cost and the row's turn in its gang; `opened`: the first row of a gang that goes on, or -1."""
    one, candidate, reason = int(rows.task_class[at]), int(rows.candidate[at]), rows.reason[at]
    if one < 0 or one >= facts.cpu.shape[0]:
        return CLASS
    if candidate < facts.cand_first[one] or candidate >= facts.cand_first[one + 1]:
        return CANDIDATE
    if facts.clause[candidate] != 0:
        return int(facts.clause[candidate])
    pool = facts.cand_pool[candidate]
    bare = facts.node_first[pool] == facts.node_first[pool + 1]
    first = reason in (PLACED, RELEASED)
    if first != (opened < 0):
        return GANG
    if rows.cost[at] != (facts.cand_cost[candidate] if reason == PLACED else 0):
        return COST
    if first:
        return OK if rows.nodes[at] == (1 if bare else facts.nodes[one]) else GANG
    if rows.task[at] != rows.task[opened] or one != rows.task_class[opened] or candidate != rows.candidate[opened]:
        return GANG
    if (reason == MEMBER) != (rows.reason[opened] == PLACED) or int(rows.nodes[at]) + at - opened != rows.nodes[opened]:
        return GANG
    return OK


@inner
def _row(facts: Facts, books: Books, rows: Rows, at: int, opened: int, slot: int) -> int:
    """Enter one row that moves capacity; `slot` is its task's in the table."""
    one, candidate, node = int(rows.task_class[at]), int(rows.candidate[at]), int(rows.node[at])
    cards = int(rows.cards[at])
    place = one << 32 | candidate
    taken = rows.reason[at] <= MEMBER
    if opened < 0:
        if taken and books.table[slot, 1] != -1:
            return TWICE
        if not taken and books.table[slot, 1] != place:
            return NOT_HELD
        if taken:
            books.table[slot, 0] = rows.task[at]
            books.table[slot, 1] = place
            books.table[slot, 2] = 0
            books.tally[0] += 1
        if rows.nodes[at] > 1:
            books.tally[1] += 1
    if (rows.nodes[at] > 1 or opened >= 0) and 0 <= node < books.stamp.shape[0]:
        if books.stamp[node] == books.tally[1]:
            return GANG
        books.stamp[node] = books.tally[1]
    if taken:
        books.table[slot, 2] = _woven(books.table[slot, 2], node, cards)
    fault = _node(facts, books, facts.cand_pool[candidate], node, one, cards, 1 if taken else -1)
    if fault == OK and opened < 0:
        fault = _task(facts, books, one, candidate, 1 if taken else -1)
    return fault


@lean
def check_rows(facts: Facts, books: Books, rows: Rows) -> tuple[int, int]:
    """(row, fault) of the first row that is wrong, or (rows, 0)."""
    opened, slot, given = -1, 0, 0
    for at in range(rows.task.shape[0]):
        reason = rows.reason[at]
        if reason > RELEASED_MEMBER:
            if reason < REFUSED_FROM or reason > REFUSED_TO:
                return at, REASON
            if opened >= 0:
                return at, GANG
            if rows.candidate[at] != -1 or rows.node[at] != -1 or rows.cards[at] != 0 or rows.cost[at] != 0:
                return at, REFUSED
            continue
        fault = _well_formed(facts, books, rows, at, opened)
        if fault != OK:
            return at, fault
        if opened < 0:
            slot, given = _slot_of(books.table, rows.task[at]), 0
        fault = _row(facts, books, rows, at, opened, slot)
        if fault != OK:
            return at, fault
        if reason >= RELEASED:
            given = _woven(given, int(rows.node[at]), int(rows.cards[at]))
        if rows.nodes[at] > 1:
            opened = at if opened < 0 else opened
            continue
        opened = -1
        if reason >= RELEASED:
            if books.table[slot, 2] != given:
                return at, NOT_HELD
            _remove(books.table, slot)
            books.tally[0] -= 1
    return rows.task.shape[0], OK if opened < 0 else GANG
