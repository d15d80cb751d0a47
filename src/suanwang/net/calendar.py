"""What is held of each resource over time, as step functions that compiled code can search.

A resource's steps are rows `(from_us, held...)` in one arena: `held` counts from `from_us` until the next row's
`from_us`. Before the first row nothing is held, and the last row always holds nothing. Rows that change nothing are
taken out, so that the same holds give the same rows whatever the order in which they were put in.
"""

from typing import NamedTuple

import numpy as np

from suanwang.net.jit import kernel, lean
from suanwang.net.network import Flags, Ints

ROOM_FIRST = 8
FOREVER_US = 2**62


class Steps(NamedTuple):
    """The rows of a calendar, for kernels: those of resource r begin at `offset[r]` and are `rows[r]`."""

    at_us: Ints
    held: Ints
    offset: Ints
    rows: Ints


class Book(NamedTuple):
    """A calendar's arrays for kernels that change it: rows as in `Steps`, with the room of each resource for rows and
    how many holds are on it."""

    at_us: Ints
    held: Ints
    offset: Ints
    rows: Ints
    room: Ints
    holds: Ints


class Calendar:
    """The step functions of `resources` resources with `width` figures each."""

    def __init__(self, resources: int, width: int) -> None:
        self.width = width
        self.offset = np.zeros(resources, np.int64)
        self.rows = np.zeros(resources, np.int64)
        self.room = np.zeros(resources, np.int64)
        self.at_us = np.zeros(1024, np.int64)
        self.held = np.zeros((1024, width), np.int64)
        self.top = 0
        self.count = np.zeros(resources, np.int64)  # of holds on each resource
        self._busy: Ints | None = None

    def add(self, resource: int, start_us: int, end_us: int, amounts: tuple[int, ...]) -> None:
        """Hold `amounts` of a resource over [start, end)."""
        self._change(resource, start_us, end_us, amounts, 1)

    def remove(self, resource: int, start_us: int, end_us: int, amounts: tuple[int, ...]) -> None:
        """Take back what `add` held."""
        self._change(resource, start_us, end_us, amounts, -1)

    def _change(self, resource: int, start_us: int, end_us: int, amounts: tuple[int, ...], sign: int) -> None:
        self.count[resource] += sign
        self._busy = None
        if start_us >= end_us:
            return
        if self.rows[resource] + 2 > self.room[resource]:
            self.grow(resource)
        where, rows = int(self.offset[resource]), int(self.rows[resource])
        change = np.array(amounts, np.int64) * sign
        self.rows[resource] = change_rows(self.at_us, self.held, where, rows, start_us, end_us, change)

    def change_many(self, resources: Ints, starts_us: Ints, ends_us: Ints, amounts: Ints, sign: int) -> None:
        """Add (sign 1) or take back (-1) many holds: row i of `amounts` [hold, figure] over [start i, end i)."""
        self._busy = None
        at = 0
        while True:
            book = Book(self.at_us, self.held, self.offset, self.rows, self.room, self.count)
            at = _change_many(book, resources, starts_us, ends_us, amounts, sign, at)
            if at == len(resources):
                return
            self.grow(int(resources[at]))

    def book(self) -> "Book":
        """The arrays for a kernel that changes rows itself: it calls for `grow` where a resource lacks room, and
        counts its holds in `holds`. Whoever hands it out says `changed()` afterwards."""
        return Book(self.at_us, self.held, self.offset, self.rows, self.room, self.count)

    def changed(self) -> None:
        """A kernel has changed rows."""
        self._busy = None

    def grow(self, resource: int) -> None:
        """Give a resource room for twice as many rows. Arrays handed out before are no longer those in use."""
        room = max(ROOM_FIRST, 2 * int(self.room[resource]))
        if self.top + room > len(self.at_us):
            self._compact(room)
        old, rows = int(self.offset[resource]), int(self.rows[resource])
        self.at_us[self.top : self.top + rows] = self.at_us[old : old + rows]
        self.held[self.top : self.top + rows] = self.held[old : old + rows]
        self.offset[resource], self.room[resource] = self.top, room
        self.top += room

    def _compact(self, extra: int) -> None:
        """Move every resource's rows to a new arena without the gaps that growing has left."""
        need = int(self.room[self.rows > 0].sum()) + extra
        size = max(1024, 2 * need)
        at_us, held = np.zeros(size, np.int64), np.zeros((size, self.width), np.int64)
        top = 0
        for resource in range(len(self.rows)):
            rows, old = int(self.rows[resource]), int(self.offset[resource])
            if not rows:
                self.offset[resource] = self.room[resource] = 0
                continue
            at_us[top : top + rows] = self.at_us[old : old + rows]
            held[top : top + rows] = self.held[old : old + rows]
            self.offset[resource] = top
            top += int(self.room[resource])
        self.at_us, self.held, self.top = at_us, held, top

    def steps(self) -> Steps:
        return Steps(self.at_us, self.held, self.offset, self.rows)

    def busy_resources(self) -> Ints:
        """The resources with any hold, sorted."""
        if self._busy is None:
            self._busy = np.flatnonzero(self.count)
        return self._busy

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not len(self.busy_resources())

    def peaks_from(self, since_us: int) -> Ints:
        """[resource, figure]: the most that is held of each resource at any moment from `since_us` on."""
        return self.peaks(since_us, FOREVER_US)

    def peaks(self, start_us: int, end_us: int) -> Ints:
        """[resource, figure]: the most that is held of each resource at any moment of [start, end)."""
        out = np.zeros((len(self.rows), self.width), np.int64)
        _peaks(self.steps(), self.busy_resources(), start_us, end_us, out)
        return out

    def held_at(self, moment_us: int) -> Ints:
        """[resource, figure]: what is held of each resource at a moment."""
        out = np.zeros((len(self.rows), self.width), np.int64)
        _held_at(self.steps(), self.busy_resources(), moment_us, out)
        return out

    def peak(self, resource: int, start_us: int, end_us: int) -> tuple[int, ...]:
        """The most that is held of a resource at any moment of [start, end), figure by figure."""
        out = np.zeros(self.width, np.int64)
        _peak(self.at_us, self.held, int(self.offset[resource]), int(self.rows[resource]), start_us, end_us, out)
        return tuple(out.tolist())

    def free(self, base: Flags, room: Ints, start_us: int, end_us: int) -> Flags:
        """`base`, without the resources of which more than `room` is held at a moment of [start, end); itself where
        there is none."""
        busy = self.busy_resources()
        if not len(busy):
            return base
        out = base.copy()
        return out if _free(self.steps(), busy, room, start_us, end_us, out) else base

    def each_free_until(self, rooms: Ints, usable: Flags, start_us: int) -> Ints:
        """[case, resource]: the first moment from `start_us` on at which more than `rooms` [case, resource] is held; -1
        where the resource is not `usable` in that case. Of the first resources, as many as `rooms` has."""
        return _each_free_until(self.steps(), self.busy_resources(), rooms, usable, start_us)

    def drops_us(self, resources: Ints, after_us: int) -> Ints:
        """The moments after `after_us` at which less of one of the resources is held than before, with repeats."""
        return _drops(self.steps(), resources, after_us)

    def steps_us(self, resources: Ints) -> Ints:
        """Every moment at which what is held of one of the resources changes, with repeats."""
        parts = [
            self.at_us[self.offset[one] : self.offset[one] + self.rows[one]] for one in resources if self.rows[one]
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@lean
def _place(at_us: Ints, where: int, rows: int, moment_us: int) -> int:
    """The last row that is in force at a moment, or -1."""
    lo, hi = 0, rows
    while lo < hi:
        mid = (lo + hi) // 2
        if at_us[where + mid] <= moment_us:
            lo = mid + 1
        else:
            hi = mid
    return lo - 1


@lean
def _cut(at_us: Ints, held: Ints, where: int, rows: int, moment_us: int) -> int:
    """Make a row begin at a moment; returns the number of rows."""
    row = _place(at_us, where, rows, moment_us)
    if row >= 0 and at_us[where + row] == moment_us:
        return rows
    for at in range(rows - 1, row, -1):
        at_us[where + at + 1] = at_us[where + at]
        for figure in range(held.shape[1]):
            held[where + at + 1, figure] = held[where + at, figure]
    at_us[where + row + 1] = moment_us
    for figure in range(held.shape[1]):
        held[where + row + 1, figure] = held[where + row, figure] if row >= 0 else 0
    return rows + 1


@lean
def change_rows(at_us: Ints, held: Ints, where: int, rows: int, start_us: int, end_us: int, change: Ints) -> int:
    """Add to every row of [start, end), then take out the rows that change nothing; returns the number of rows.

    Rows inside change alike, so only the first of them and the first after them can be equal to the row before.
    """
    rows = _cut(at_us, held, where, rows, start_us)
    rows = _cut(at_us, held, where, rows, end_us)
    first, last = _place(at_us, where, rows, start_us), _place(at_us, where, rows, end_us)
    for row in range(first, last):
        for figure in range(held.shape[1]):
            held[where + row, figure] += change[figure]
    rows = _join(at_us, held, where, rows, last)
    return _join(at_us, held, where, rows, first)


@lean
def _join(at_us: Ints, held: Ints, where: int, rows: int, row: int) -> int:
    """Take out a row if it changes nothing; returns the number of rows."""
    for figure in range(held.shape[1]):
        before = held[where + row - 1, figure] if row > 0 else 0
        if held[where + row, figure] != before:
            return rows
    for at in range(row, rows - 1):
        at_us[where + at] = at_us[where + at + 1]
        for figure in range(held.shape[1]):
            held[where + at, figure] = held[where + at + 1, figure]
    return rows - 1


@kernel
def _change_many(
    book: Book, resources: Ints, starts_us: Ints, ends_us: Ints, amounts: Ints, sign: int, first: int
) -> int:
    """The changes from `first` on; returns the first that lacks room for its rows, or the number of changes."""
    for at in range(first, len(resources)):
        one = resources[at]
        if starts_us[at] < ends_us[at]:
            if book.rows[one] + 2 > book.room[one]:
                return at
            change = amounts[at] * sign
            book.rows[one] = change_rows(
                book.at_us, book.held, book.offset[one], book.rows[one], starts_us[at], ends_us[at], change
            )
        book.holds[one] += sign
    return len(resources)


@kernel
def _peaks(steps: Steps, busy: Ints, start_us: int, end_us: int, out: Ints) -> None:
    for at in range(len(busy)):
        one = busy[at]
        where = steps.offset[one]
        for row in range(max(0, _place(steps.at_us, where, steps.rows[one], start_us)), steps.rows[one]):
            if steps.at_us[where + row] >= end_us:
                break
            for figure in range(out.shape[1]):
                out[one, figure] = max(out[one, figure], steps.held[where + row, figure])


@kernel
def _held_at(steps: Steps, busy: Ints, moment_us: int, out: Ints) -> None:
    for at in range(len(busy)):
        one = busy[at]
        row = _place(steps.at_us, steps.offset[one], steps.rows[one], moment_us)
        if row >= 0:
            for figure in range(out.shape[1]):
                out[one, figure] = steps.held[steps.offset[one] + row, figure]


@kernel
def _peak(at_us: Ints, held: Ints, where: int, rows: int, start_us: int, end_us: int, out: Ints) -> None:
    row = max(0, _place(at_us, where, rows, start_us))
    while row < rows and at_us[where + row] < end_us:
        for figure in range(held.shape[1]):
            out[figure] = max(out[figure], held[where + row, figure])
        row += 1


@lean
def fits(steps: Steps, resource: int, start_us: int, end_us: int, room: Ints) -> bool:
    """Whether no more than `room` of a resource is held at any moment of [start, end)."""
    where, rows = steps.offset[resource], steps.rows[resource]
    row = max(0, _place(steps.at_us, where, rows, start_us))
    while row < rows and steps.at_us[where + row] < end_us:
        for figure in range(steps.held.shape[1]):
            if steps.held[where + row, figure] > room[figure]:
                return False
        row += 1
    return True


@lean
def first_fit(steps: Steps, resource: int, from_us: int, span_us: int, room: Ints) -> int:
    """The first moment from `from_us` on from which no more than `room` is held for that long; `FOREVER_US` where there
    is none."""
    where, rows = steps.offset[resource], steps.rows[resource]
    row, begin_us = max(0, _place(steps.at_us, where, rows, from_us)), from_us
    while row < rows and steps.at_us[where + row] < begin_us + span_us:
        over = False
        for figure in range(steps.held.shape[1]):
            over = over or steps.held[where + row, figure] > room[figure]
        if over:
            if row + 1 == rows:
                return FOREVER_US
            begin_us = max(begin_us, steps.at_us[where + row + 1])
        row += 1
    return begin_us


@kernel
def _free(steps: Steps, busy: Ints, room: Ints, start_us: int, end_us: int, out: Flags) -> bool:
    """Take out what is not free; whether there was any."""
    any_taken = False
    for at in range(len(busy)):
        one = busy[at]
        if out[one] and not fits(steps, one, start_us, end_us, room[one]):
            out[one], any_taken = False, True
    return any_taken


@kernel
def _each_free_until(steps: Steps, busy: Ints, rooms: Ints, usable: Flags, start_us: int) -> Ints:
    cases, resources = rooms.shape
    out = np.full((cases, resources), np.int64(-1))
    for case in range(cases):
        for one in range(resources):
            if usable[case, one]:
                out[case, one] = FOREVER_US
    for at in range(len(busy)):
        one = busy[at]
        if one >= resources:
            break
        where = steps.offset[one]
        first = max(0, _place(steps.at_us, where, steps.rows[one], start_us))
        for case in range(cases):
            for row in range(first, steps.rows[one] if usable[case, one] else 0):
                if steps.held[where + row, 0] > rooms[case, one]:
                    out[case, one] = max(start_us, steps.at_us[where + row])
                    break
    return out


@kernel
def _drops(steps: Steps, resources: Ints, after_us: int) -> Ints:
    total = 0
    for at in range(len(resources)):
        total += steps.rows[resources[at]]
    out = np.empty(total, np.int64)
    count = 0
    for at in range(len(resources)):
        where = steps.offset[resources[at]]
        for row in range(1, steps.rows[resources[at]]):
            if steps.at_us[where + row] <= after_us:
                continue
            for figure in range(steps.held.shape[1]):
                if steps.held[where + row, figure] < steps.held[where + row - 1, figure]:
                    out[count] = steps.at_us[where + row]
                    count += 1
                    break
    return out[:count]
