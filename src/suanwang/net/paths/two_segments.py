"""The cheapest list of at most two node segments, found and reserved in one step.

The order of lists is (price, worst latency, number of segments, code), a total order, so that the answer does not depend
on the way it was searched. First legs are tried cheapest first and the search ends where a first leg alone is dearer than
the best list. A list that could not be taken (its two legs share a link) is passed over by searching for the least list
above it.

How a leg that has no room is skipped: it watches one of its links, the one that refused it last, and that link's room is
read as it is now. The test is thus never wrong in refusing, needs no repair when room comes back, and is corrected when it
lets a leg pass that another link refuses.
"""

from typing import Final

from suanwang.net.igp.shares import Int32s
from suanwang.net.jit import inner, lean
from suanwang.net.network import Ints
from suanwang.net.paths.holds import (
    BEGIN,
    BOUND,
    BPS,
    COST,
    END,
    GENERATION,
    HANDLE_BITS,
    LATE,
    LEG,
    LEGS,
    LIVE,
    NO_PATH_WITHIN_BOUND,
    NO_ROOM,
    SINK,
    SOURCE,
    TARGET,
    UNITS,
    narrow_link,
    part_of,
    room,
    take_row,
)
from suanwang.net.paths.shortlist import CODE_BITS
from suanwang.net.paths.tables import WATCH_BITS, Bytes

NONE: Final = -1
WATCH_MASK: Final = (1 << WATCH_BITS) - 1


@inner
def leg_open(
    way: int,
    node: int,
    code: int,
    leg: int,
    bps: int,
    begin: int,
    end: int,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
) -> bool:
    """Whether a leg has room now; it then watches the link that has not."""
    seen = watch[way, node, code]
    if part_of(bps, seen & WATCH_MASK) > room(free, seen >> WATCH_BITS, begin, end):
        return False
    at = narrow_link(leg, bps, begin, end, spans, carry, free)
    if at < 0:
        return True
    watch[way, node, code] = (int(carry[at, 0]) << WATCH_BITS) | int(carry[at, 1])
    return False


@inner
def least_list(
    s: int,
    t: int,
    bps: int,
    bound_us: int,
    begin: int,
    end: int,
    above_cost: int,
    above_late: int,
    above_code: int,
    limit: int,
    masked: bool,
    closed: Bytes,
    order: Int32s,
    cost: Ints,
    late: Ints,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
) -> tuple[int, int, int]:
    """The least list from s to another node t with room on each leg: (code, price, worst latency), code -1 for none.

    Only lists above (above_cost, above_late, above_code), and none dearer than `limit`. The code of a list is `2 * P * P * n`
    at most: (segments - 1, first leg's code, second plane) as one number, which orders lists as the rule says.
    """
    n = cost.shape[1]
    codes = cost.shape[2]
    planes = codes // n
    best, best_cost, best_late = -1, limit, 2**62
    for place in range(codes):
        code = int(order[s, place])
        if code < 0:
            break
        cost_one = cost[0, s, code]
        if cost_one > best_cost:
            break
        late_one = late[0, s, code]
        if late_one > bound_us:
            continue
        k, plane = code, 0
        while k >= n:
            k -= n
            plane += 1
        if k == s:
            continue
        leg_one = (plane * n + s) * n + k
        if masked and closed[leg_one] != 0:
            continue
        if part_of(bps, watch[0, s, code] & WATCH_MASK) > room(free, watch[0, s, code] >> WATCH_BITS, begin, end):
            continue
        known = False  # whether the first leg is open
        for second in range(planes):
            at = second * n + k
            total = cost_one + cost[1, t, at]
            if total > best_cost:
                continue
            worst = late_one + late[1, t, at]
            if worst > bound_us:
                continue
            one = k == t
            if one and second > 0:
                break
            name = code * planes + second + (0 if one else codes * planes)
            if total == best_cost and (worst > best_late or (worst == best_late and name > best)):
                continue
            if total < above_cost or (
                total == above_cost and (worst < above_late or (worst == above_late and name <= above_code))
            ):
                continue
            leg_two = (second * n + k) * n + t
            if not one:
                if masked and closed[leg_two] != 0:
                    continue
                seen = watch[1, t, at]
                if part_of(bps, seen & WATCH_MASK) > room(free, seen >> WATCH_BITS, begin, end):
                    continue
            if not known and not leg_open(0, s, code, leg_one, bps, begin, end, watch, spans, carry, free):
                break
            known = True
            if one or leg_open(1, t, at, leg_two, bps, begin, end, watch, spans, carry, free):
                best, best_cost, best_late = name, total, worst
    return best, best_cost, best_late


@inner
def write_legs(code: int, s: int, t: int, n: int, planes: int, held: Ints, row: int, at: int) -> int:
    """The legs of a list into a row from place `at`; the place after them."""
    two = code >= planes * n * planes
    if two:
        code -= planes * n * planes
    end, second = code // planes, code % planes
    plane, k = end // n, end % n
    held[row, LEG + at] = (plane * n + s) * n + k
    if not two:
        return at + 1
    held[row, LEG + at + 1] = (second * n + k) * n + t
    return at + 2


@inner
def list_cost(code: int, s: int, t: int, n: int, planes: int, table: Ints) -> int:
    """The sum of a table of legs (price, latency) over a list."""
    two = code >= planes * n * planes
    if two:
        code -= planes * n * planes
    total = table[0, s, code // planes]
    if two:
        total += table[1, t, code % planes * n + code // planes % n]
    return int(total)


@inner
def try_short(
    s: int,
    t: int,
    bound_us: int,
    masked: bool,
    closed: Bytes,
    short: Ints,
    n: int,
    planes: int,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
    held: Ints,
    row: int,
) -> int:
    """Take the first list of the pair's shortlist that can be taken; its legs are then in the row, else none are. The code
    of the last list looked at, or -1 where none was taken and there are no others than those looked at."""
    code = -1
    for at in range(short.shape[1]):
        entry = short[s * n + t, at]
        if entry < 0:
            return -1
        code = entry & ((1 << CODE_BITS) - 1)
        if entry >> CODE_BITS > bound_us:
            continue
        legs = write_legs(code, s, t, n, planes, held, row, 0)
        if masked and (closed[held[row, LEG]] != 0 or (legs == 2 and closed[held[row, LEG + 1]] != 0)):
            continue
        first = code // planes % (planes * n)
        begin, end, bps = held[row, BEGIN], held[row, END], held[row, BPS]
        if not leg_open(0, s, first, held[row, LEG], bps, begin, end, watch, spans, carry, free):
            continue
        last = code % planes * n + first % n
        if legs == 2 and not leg_open(1, t, last, held[row, LEG + 1], bps, begin, end, watch, spans, carry, free):
            continue
        held[row, LEGS] = legs
        if take_row(held, row, spans, carry, free):
            return int(code)
        held[row, LEGS] = 0
    return int(code)


@inner
def admit_flow(
    s: int,
    t: int,
    bps: int,
    bound_us: int,
    begin: int,
    end: int,
    masked: bool,
    closed: Bytes,
    short: Ints,
    order: Int32s,
    cost: Ints,
    late: Ints,
    floor: Ints,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
    held: Ints,
    spare: Ints,
    counts: Ints,
) -> int:
    """A handle, or why not. There is a spare row: the caller sees to it."""
    if floor[s, t] > bound_us or floor[s, t] >= 2**39:
        return NO_PATH_WITHIN_BOUND
    n = cost.shape[1]
    planes = cost.shape[2] // n
    row = spare[counts[0] - 1]
    held[row, BPS], held[row, BEGIN], held[row, END], held[row, BOUND] = bps, begin, end, bound_us
    held[row, SOURCE], held[row, TARGET], held[row, SINK], held[row, UNITS] = s, t, -1, 0
    held[row, COST], held[row, LATE], held[row, LEGS] = 0, 0, 0
    above_cost, above_late, above = -1, -1, -1
    if s != t and short.shape[1] > 0:
        above = try_short(s, t, bound_us, masked, closed, short, n, planes, watch, spans, carry, free, held, row)
        if above == NONE:
            return NO_ROOM
        above_cost, above_late = list_cost(above, s, t, n, planes, cost), list_cost(above, s, t, n, planes, late)
        if held[row, LEGS] > 0:
            held[row, COST], held[row, LATE] = above_cost, above_late
    while s != t and held[row, LEGS] == 0:
        above, above_cost, above_late = least_list(
            s,
            t,
            bps,
            bound_us,
            begin,
            end,
            above_cost,
            above_late,
            above,
            2**60,
            masked,
            closed,
            order,
            cost,
            late,
            watch,
            spans,
            carry,
            free,
        )
        if above < 0:
            return NO_ROOM
        held[row, COST], held[row, LATE] = above_cost, above_late
        held[row, LEGS] = write_legs(above, s, t, n, planes, held, row, 0)
        if not take_row(held, row, spans, carry, free):
            held[row, LEGS] = 0
    counts[0] -= 1
    held[row, LIVE] = 1
    return int((held[row, GENERATION] << HANDLE_BITS) | row)


@lean
def admit_one(
    s: int,
    t: int,
    bps: int,
    bound_us: int,
    begin: int,
    end: int,
    masked: bool,
    closed: Bytes,
    short: Ints,
    order: Int32s,
    cost: Ints,
    late: Ints,
    floor: Ints,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
    held: Ints,
    spare: Ints,
    counts: Ints,
) -> int:
    """`admit_flow` for callers in Python."""
    return admit_flow(
        s,
        t,
        bps,
        bound_us,
        begin,
        end,
        masked,
        closed,
        short,
        order,
        cost,
        late,
        floor,
        watch,
        spans,
        carry,
        free,
        held,
        spare,
        counts,
    )


@lean
def admit_all(
    columns: Ints,
    out: Ints,
    closed: Bytes,
    short: Ints,
    order: Int32s,
    cost: Ints,
    late: Ints,
    floor: Ints,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
    held: Ints,
    spare: Ints,
    counts: Ints,
) -> None:
    """Flows one after the other: columns (6, q) of source, target, bps, bound, begin, end; `out` (q,) handles."""
    for at in range(columns.shape[1]):
        out[at] = admit_flow(
            columns[0, at],
            columns[1, at],
            columns[2, at],
            columns[3, at],
            columns[4, at],
            columns[5, at],
            False,
            closed,
            short,
            order,
            cost,
            late,
            floor,
            watch,
            spans,
            carry,
            free,
            held,
            spare,
            counts,
        )


def legs_of(code: int, s: int, t: int, n: int, planes: int) -> list[int]:
    """The legs of a list's code, for callers in Python."""
    two, code = divmod(code, planes * n * planes)
    first, second = divmod(code, planes)
    plane, k = divmod(first, n)
    legs = [(plane * n + s) * n + k]
    return [*legs, (second * n + k) * n + t] if two else legs
