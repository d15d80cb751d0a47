"""Which task holds what: from a task's number to the rows that placed it, so that its end can be told by number alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.net.jit import inner, lean
from suanwang.plan.kernel.types import I64, Decisions, Reason, empty_decisions, own_rows, take, writeable

PLACED = int(Reason.PLACED)
MEMBER = int(Reason.MEMBER)
LOW = (1 << 31) - 1
ODD = 1_327_217_885  # 2**31 over the golden ratio, as an odd number of 31 bits
SLOTS = 1 << 10


class Table(NamedTuple):
    """Open addressing: a task is in its home slot or in those that follow without a gap."""

    slot: NDArray[np.int64]  # [slots, 4] task; class << 32 | candidate, -1 free; (node + 1) << 8 | cards; next member
    member: NDArray[np.int64]  # [members, 2] (node + 1) << 8 | cards; next member, -1 none
    free: I64  # [3] first free member, -1 none; tasks; members in use


@inner
def _home(task: int, mask: int) -> int:
    spread = (((task ^ (task >> 31)) & LOW) * ODD) & LOW
    return (spread ^ (spread >> 15)) & mask


@inner
def _slot(slots: I64, task: int) -> int:
    mask = slots.shape[0] - 1
    at = _home(task, mask)
    while slots[at, 1] != -1 and slots[at, 0] != task:
        at = (at + 1) & mask
    return at


@inner
def _free_slot(slots: I64, hole: int) -> None:
    """Those behind the hole move up, so that no search ends before its task."""
    mask = slots.shape[0] - 1
    at = (hole + 1) & mask
    while slots[at, 1] != -1:
        home = _home(slots[at, 0], mask)
        if ((at - home) & mask) >= ((at - hole) & mask):
            for part in range(4):
                slots[hole, part] = slots[at, part]
            hole = at
        at = (at + 1) & mask
    slots[hole, 1] = -1


@lean
def _remember(table: Table, rows: Decisions) -> int:
    """Enter placed rows; returns the row of a task that is there already, or -1."""
    at, rest = 0, rows.task.shape[0]
    while at < rest:
        if rows.reason[at] != PLACED:
            at += 1
            continue
        slot = _slot(table.slot, rows.task[at])
        if table.slot[slot, 1] != -1:
            return at
        table.slot[slot, 0] = rows.task[at]
        table.slot[slot, 1] = int(rows.task_class[at]) << 32 | int(rows.candidate[at])
        table.slot[slot, 2] = (int(rows.node[at]) + 1) << 8 | int(rows.cards[at])
        head = -1
        for member in range(at + int(rows.nodes[at]) - 1, at, -1):
            one = table.free[0]
            table.free[0] = table.member[one, 1]
            table.member[one, 0] = (int(rows.node[member]) + 1) << 8 | int(rows.cards[member])
            table.member[one, 1] = head
            head = one
            table.free[2] += 1
        table.slot[slot, 3] = head
        table.free[1] += 1
        at += int(rows.nodes[at])
    return -1


@inner
def _row(rows: Decisions, at: int, task: int, place: int, held: int, reason: int) -> None:
    rows.task[at] = task
    rows.task_class[at] = place >> 32
    rows.candidate[at] = place & 0xFFFFFFFF
    rows.node[at] = (held >> 8) - 1
    rows.cost[at] = 0
    rows.cards[at] = held & 255
    rows.reason[at] = reason


@lean
def _recall(table: Table, tasks: I64, rows: Decisions) -> int:
    """Write the rows of tasks and forget them; those that are not there are passed over. Returns how many rows."""
    at = 0
    for task in tasks:
        slot = _slot(table.slot, task)
        place = table.slot[slot, 1]
        if place == -1:
            continue
        first = at
        _row(rows, at, task, place, table.slot[slot, 2], PLACED)
        at += 1
        member = table.slot[slot, 3]
        while member >= 0:
            _row(rows, at, task, place, table.member[member, 0], MEMBER)
            at += 1
            after = table.member[member, 1]
            table.member[member, 1] = table.free[0]
            table.free[0] = member
            table.free[2] -= 1
            member = after
        for row in range(first, at):
            rows.nodes[row] = at - row
        table.free[1] -= 1
        _free_slot(table.slot, slot)
    return at


@lean
def _reenter(old: I64, new: I64) -> None:
    for at in range(old.shape[0]):
        if old[at, 1] != -1:
            slot = _slot(new, old[at, 0])
            for part in range(4):
                new[slot, part] = old[at, part]


def _empty(slots: int) -> NDArray[np.int64]:
    table = np.zeros((1 << (slots - 1).bit_length(), 4), np.int64)
    table[:, 1] = -1
    return table


class Live:
    """Tasks that hold something. It grows as it fills; it is no part of the state: the log makes it again."""

    def __init__(self, slots: int = SLOTS) -> None:
        """`slots`: twice the tasks that are expected at a time spares it from growing."""
        self._table = Table(_empty(max(slots, 2)), np.empty((0, 2), np.int64), np.array([-1, 0, 0], np.int64))

    def __len__(self) -> int:
        return int(self._table.free[1])

    def remember(self, rows: Decisions) -> None:
        """Know the tasks that were placed. Raises ValueError where one is known already: the table is broken then."""
        self._grow(int((rows.reason == PLACED).sum()), int((rows.reason == MEMBER).sum()))
        found = _remember(self._table, own_rows(rows))
        if found >= 0:
            raise ValueError(f"task {rows.task[found]} is placed already")

    def recall(self, tasks: I64) -> Decisions:
        """All rows of the tasks, to be released, and forget them; numbers that are not known are passed over."""
        rows = empty_decisions(len(tasks) + int(self._table.free[2]))
        return take(rows, slice(0, _recall(self._table, writeable(tasks), rows)))

    def _grow(self, tasks: int, members: int) -> None:
        """At most half of the slots in use; a free member for each that comes."""
        table = self._table
        slots = len(table.slot)
        while 2 * (len(self) + tasks) > slots:
            slots *= 2
        if slots > len(table.slot):
            new = _empty(slots)
            _reenter(table.slot, new)
            table = table._replace(slot=new)
        have, used = len(table.member), int(table.free[2])
        if used + members > have:
            size = max(2 * have, used + members)
            more = np.zeros((size, 2), np.int64)
            more[:have] = table.member
            more[have:, 1] = np.append(np.arange(have + 1, size), table.free[0])
            table.free[0] = have
            table = table._replace(member=more)
        self._table = table
