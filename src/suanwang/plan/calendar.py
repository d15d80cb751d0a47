"""What is held of each resource over time, as step functions that compiled code can search.

A resource's steps are rows `(from_us, held...)` in one arena: `held` counts from `from_us` until the next row's
`from_us`. Before the first row nothing is held, and the last row always holds nothing. Rows that change nothing are
taken out, so that the same holds give the same rows whatever the order in which they were put in.
"""

from typing import NamedTuple

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints

ROOM_FIRST = 8
FOREVER_US = 2**62


class Steps(NamedTuple):
    """The rows of a calendar, for kernels: those of resource r begin at `offset[r]` and are `rows[r]`."""

    at_us: Ints
    held: Ints
    offset: Ints
    rows: Ints


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
        self.busy: dict[int, int] = {}  # resource -> number of holds on it
        self._busy_array: Ints | None = None

    def add(self, resource: int, start_us: int, end_us: int, amounts: tuple[int, ...]) -> None:
        """Hold `amounts` of a resource over [start, end)."""
        count = self.busy.get(resource, 0)
        self.busy[resource] = count + 1
        if not count:
            self._busy_array = None
        self._change(resource, start_us, end_us, amounts)

    def remove(self, resource: int, start_us: int, end_us: int, amounts: tuple[int, ...]) -> None:
        """Take back what `add` held."""
        count = self.busy[resource] - 1
        self.busy[resource] = count
        if not count:
            del self.busy[resource]
            self._busy_array = None
        self._change(resource, start_us, end_us, tuple(-one for one in amounts))

    def _change(self, resource: int, start_us: int, end_us: int, amounts: tuple[int, ...]) -> None:
        if start_us >= end_us:
            return
        if self.rows[resource] + 2 > self.room[resource]:
            self._grow(resource)
        where, rows = int(self.offset[resource]), int(self.rows[resource])
        change = np.array(amounts, np.int64)
        self.rows[resource] = _change(self.at_us, self.held, where, rows, start_us, end_us, change)

    def _grow(self, resource: int) -> None:
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
        if self._busy_array is None:
            self._busy_array = np.array(sorted(self.busy), np.int64)
        return self._busy_array

    def peak(self, resource: int, start_us: int, end_us: int) -> tuple[int, ...]:
        """The most that is held of a resource at any moment of [start, end), figure by figure."""
        out = np.zeros(self.width, np.int64)
        _peak(self.at_us, self.held, int(self.offset[resource]), int(self.rows[resource]), start_us, end_us, out)
        return tuple(out.tolist())

    def free(self, base: Flags, room: Ints, start_us: int, end_us: int) -> Flags:
        """`base`, without the resources of which more than `room` is held at a moment of [start, end)."""
        if not self.busy:
            return base
        out = base.copy()
        _free(self.steps(), self.busy_resources(), room, start_us, end_us, out)
        return out

    def free_until(self, room: Ints, start_us: int) -> Ints:
        """For each resource, the first moment from `start_us` on at which more than `room` is held."""
        out = np.where(room >= 0, FOREVER_US, start_us)
        if self.busy:
            _free_until(self.steps(), self.busy_resources(), room, start_us, out)
        return out

    def drops_us(self, resources: Ints, after_us: int) -> Ints:
        """The moments after `after_us` at which less of one of the resources is held than before, with repeats."""
        return _drops(self.steps(), resources, after_us)

    def steps_us(self, resources: Ints) -> Ints:
        """Every moment at which what is held of one of the resources changes, with repeats."""
        parts = [
            self.at_us[self.offset[one] : self.offset[one] + self.rows[one]] for one in resources if self.rows[one]
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


@kernel
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


@kernel
def _cut(at_us: Ints, held: Ints, where: int, rows: int, moment_us: int) -> int:
    """Make a row begin at a moment; returns the number of rows."""
    row = _place(at_us, where, rows, moment_us)
    if row >= 0 and at_us[where + row] == moment_us:
        return rows
    for at in range(rows - 1, row, -1):
        at_us[where + at + 1] = at_us[where + at]
        held[where + at + 1] = held[where + at]
    at_us[where + row + 1] = moment_us
    for figure in range(held.shape[1]):
        held[where + row + 1, figure] = held[where + row, figure] if row >= 0 else 0
    return rows + 1


@kernel
def _change(at_us: Ints, held: Ints, where: int, rows: int, start_us: int, end_us: int, change: Ints) -> int:
    """Add to every row of [start, end), then take out the rows that change nothing; returns the number of rows."""
    rows = _cut(at_us, held, where, rows, start_us)
    rows = _cut(at_us, held, where, rows, end_us)
    for row in range(rows):
        if start_us <= at_us[where + row] < end_us:
            for figure in range(held.shape[1]):
                held[where + row, figure] += change[figure]
    kept = 0
    for row in range(rows):
        same = True
        for figure in range(held.shape[1]):
            before = held[where + kept - 1, figure] if kept > 0 else 0
            same = same and held[where + row, figure] == before
        if not same:
            at_us[where + kept] = at_us[where + row]
            held[where + kept] = held[where + row]
            kept += 1
    return kept


@kernel
def _peak(at_us: Ints, held: Ints, where: int, rows: int, start_us: int, end_us: int, out: Ints) -> None:
    row = max(0, _place(at_us, where, rows, start_us))
    while row < rows and at_us[where + row] < end_us:
        for figure in range(held.shape[1]):
            out[figure] = max(out[figure], held[where + row, figure])
        row += 1


@kernel
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


@kernel
def _free(steps: Steps, busy: Ints, room: Ints, start_us: int, end_us: int, out: Flags) -> None:
    for at in range(len(busy)):
        one = busy[at]
        if out[one] and not fits(steps, one, start_us, end_us, room[one]):
            out[one] = False


@kernel
def _free_until(steps: Steps, busy: Ints, room: Ints, start_us: int, out: Ints) -> None:
    for at in range(len(busy)):
        one = busy[at]
        where = steps.offset[one]
        row = max(0, _place(steps.at_us, where, steps.rows[one], start_us))
        while row < steps.rows[one]:
            if steps.held[where + row, 0] > room[one]:
                out[one] = min(out[one], max(start_us, steps.at_us[where + row]))
                break
            row += 1


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
