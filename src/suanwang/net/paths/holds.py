"""What is held, to the bit: one row a reservation, and the kernels that take and give back, all or nothing.

`free` has a row for each directed link (bit/s), then one for each pool (its own unit), and a column for each slot of the
calendar. A reservation's row says all that it took, so that giving it back is the same sum with the other sign. A leg is
the number of a node segment's leg (see `tables`), or `-1 - row` for one row of `free` alone: an adjacency segment, or a
security pool that the traffic passes.
"""

from typing import Final

from suanwang.net.igp.shares import SHARE_BITS, Int32s
from suanwang.net.jit import inner, lean
from suanwang.net.network import Ints

LEGS_MAX: Final = 24
# Columns of a row.
GENERATION: Final = 0  # how often the row has been used: the upper half of a handle
LIVE: Final = 1
BPS: Final = 2
BEGIN: Final = 3  # first slot
END: Final = 4  # the slot after the last
COST: Final = 5  # micro-yuan for one Gbit/s in one hour
LATE: Final = 6  # worst latency, us
BOUND: Final = 7
SOURCE: Final = 8
TARGET: Final = 9
SINK: Final = 10  # row of `free` of a compute pool, or -1
UNITS: Final = 11  # what is held there
LEGS: Final = 12  # how many legs follow
LEG: Final = 13
COLUMNS: Final = LEG + LEGS_MAX
# `counts` holds one number: how many rows of `spare` are rows that are not used.
HANDLE_BITS: Final = 32
# Why a flow is refused; a handle is 0 or more.
NO_PATH_WITHIN_BOUND: Final = -1  # no list of any length is short enough, or there is no path
NO_ROOM: Final = -2  # no list that was tried has the bandwidth within the bound
UNKNOWN: Final = -3  # no such reservation


@inner
def part_of(bps: int, fixed: int) -> int:
    """ceil(bps * fixed / 2**30) without leaving 63 bits."""
    if fixed == 1 << SHARE_BITS:
        return bps
    mask = (1 << SHARE_BITS) - 1
    return (bps >> SHARE_BITS) * fixed + (((bps & mask) * fixed + mask) >> SHARE_BITS)


@inner
def room(free: Ints, row: int, begin: int, end: int) -> int:
    """The least of a row over a window."""
    least = free[row, begin]
    for slot in range(begin + 1, end):
        if free[row, slot] < least:
            least = free[row, slot]
    return int(least)


@inner
def take_leg(leg: int, bps: int, begin: int, end: int, spans: Int32s, carry: Int32s, free: Ints) -> None:
    """Take a leg's links; with a negative `bps`, give them back."""
    if leg < 0:
        for slot in range(begin, end):
            free[-1 - leg, slot] -= bps
        return
    for at in range(spans[leg, 0], spans[leg, 1]):
        link = int(carry[at, 0])
        part = part_of(bps, int(carry[at, 1])) if bps >= 0 else -part_of(-bps, int(carry[at, 1]))
        for slot in range(begin, end):
            free[link, slot] -= part


@inner
def narrow_link(leg: int, bps: int, begin: int, end: int, spans: Int32s, carry: Int32s, free: Ints) -> int:
    """The first entry of `carry` whose link has no room for a leg; -1 where all have, -2 where a row of `free` has not."""
    if leg < 0:
        return -1 if bps <= room(free, -1 - leg, begin, end) else -2
    for at in range(spans[leg, 0], spans[leg, 1]):
        if part_of(bps, int(carry[at, 1])) > room(free, int(carry[at, 0]), begin, end):
            return at
    return -1


@inner
def take_row(held: Ints, row: int, spans: Int32s, carry: Int32s, free: Ints) -> bool:
    """Take all that a row says, or nothing. Each leg is asked after those before it have been taken, since two legs of
    one list may share a link."""
    bps, begin, end = held[row, BPS], held[row, BEGIN], held[row, END]
    sink, units, legs = held[row, SINK], held[row, UNITS], held[row, LEGS]
    if sink >= 0 and units > room(free, sink, begin, end):
        return False
    for at in range(legs):
        leg = held[row, LEG + at]
        if narrow_link(leg, bps, begin, end, spans, carry, free) != -1:
            for back in range(at):
                take_leg(held[row, LEG + back], -bps, begin, end, spans, carry, free)
            return False
        take_leg(leg, bps, begin, end, spans, carry, free)
    if sink >= 0:
        for slot in range(begin, end):
            free[sink, slot] -= units
    return True


@inner
def give_row(held: Ints, row: int, spans: Int32s, carry: Int32s, free: Ints) -> None:
    """Give back all that a row took."""
    bps, begin, end = held[row, BPS], held[row, BEGIN], held[row, END]
    for at in range(held[row, LEGS]):
        take_leg(held[row, LEG + at], -bps, begin, end, spans, carry, free)
    if held[row, SINK] >= 0:
        for slot in range(begin, end):
            free[held[row, SINK], slot] += held[row, UNITS]


@inner
def row_of(handle: int, held: Ints) -> int:
    """The live row of a handle, or -1."""
    row = handle & ((1 << HANDLE_BITS) - 1)
    if handle < 0 or row >= len(held) or held[row, LIVE] == 0 or held[row, GENERATION] != handle >> HANDLE_BITS:
        return -1
    return row


@lean
def leg_fits(leg: int, bps: int, begin: int, end: int, spans: Int32s, carry: Int32s, free: Ints) -> bool:
    """Whether each link of a leg has room over a window."""
    return narrow_link(leg, bps, begin, end, spans, carry, free) == -1


@lean
def take(row: int, held: Ints, spans: Int32s, carry: Int32s, free: Ints) -> bool:
    """`take_row` for callers in Python."""
    return take_row(held, row, spans, carry, free)


@lean
def release_all(handles: Ints, held: Ints, spare: Ints, counts: Ints, spans: Int32s, carry: Int32s, free: Ints) -> int:
    """Release reservations; how many there were. One that is unknown, or comes twice, is passed over."""
    done = 0
    for at in range(len(handles)):
        row = row_of(handles[at], held)
        if row < 0:
            continue
        give_row(held, row, spans, carry, free)
        held[row, LIVE] = 0
        held[row, GENERATION] = (held[row, GENERATION] + 1) & ((1 << (63 - HANDLE_BITS)) - 1)
        spare[counts[0]] = row
        counts[0] += 1
        done += 1
    return done


@lean
def change(handle: int, bps: int, held: Ints, spans: Int32s, carry: Int32s, free: Ints) -> bool:
    """Another bandwidth on the same list, or no change at all."""
    row = row_of(handle, held)
    if row < 0:
        return False
    before = held[row, BPS]
    give_row(held, row, spans, carry, free)
    held[row, BPS] = bps
    if take_row(held, row, spans, carry, free):
        return True
    held[row, BPS] = before
    took = take_row(held, row, spans, carry, free)
    assert took
    return False
