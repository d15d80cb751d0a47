"""The cheapest list of three node segments: asked when no list of two will do.

For each open first leg and each open second leg, cheapest first, the last leg is looked up; both loops end where what they
have is already dearer than the best. The same total order as in `two_segments`: price, worst latency, code.
"""

from suanwang.net.igp.shares import Int32s
from suanwang.net.jit import lean
from suanwang.net.network import Ints
from suanwang.net.paths.tables import Bytes
from suanwang.net.paths.two_segments import leg_open


@lean
def least_of_three(
    s: int,
    t: int,
    bps: int,
    bound_us: int,
    begin: int,
    end: int,
    above_cost: int,
    above_late: int,
    above_code: int,
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
    """(code, price, worst latency) of the least list above another, code -1 for none. The code is
    `(first leg's code * P * n + second leg's code) * P + last plane`."""
    n, codes = cost.shape[1], cost.shape[2]
    planes = codes // n
    best, best_cost, best_late = -1, 2**60, 2**62
    for place in range(codes):
        one = int(order[s, place])
        if one < 0 or cost[0, s, one] > best_cost:
            break
        a, late_one = one % n, late[0, s, one]
        leg_one = (one // n * n + s) * n + a
        if a in (s, t) or late_one > bound_us or (masked and closed[leg_one] != 0):
            continue
        if not leg_open(0, s, one, leg_one, bps, begin, end, watch, spans, carry, free):
            continue
        for next_place in range(codes):
            two = int(order[a, next_place])
            if two < 0 or cost[0, s, one] + cost[0, a, two] > best_cost:
                break
            b, late_two = two % n, late_one + late[0, a, two]
            leg_two = (two // n * n + a) * n + b
            if b in (a, t) or late_two > bound_us or (masked and closed[leg_two] != 0):
                continue
            known = False
            for plane in range(planes):
                at = plane * n + b
                total, worst = cost[0, s, one] + cost[0, a, two] + cost[1, t, at], late_two + late[1, t, at]
                name = (one * codes + two) * planes + plane
                if worst > bound_us or total > best_cost:
                    continue
                if total == best_cost and (worst > best_late or (worst == best_late and name >= best)):
                    continue
                if total < above_cost or (
                    total == above_cost and (worst < above_late or (worst == above_late and name <= above_code))
                ):
                    continue
                leg = (plane * n + b) * n + t
                if masked and closed[leg] != 0:
                    continue
                if not known and not leg_open(0, a, two, leg_two, bps, begin, end, watch, spans, carry, free):
                    break
                known = True
                if leg_open(1, t, at, leg, bps, begin, end, watch, spans, carry, free):
                    best, best_cost, best_late = name, total, worst
    return best, best_cost, best_late


def legs_of_three(code: int, s: int, t: int, n: int, planes: int) -> list[int]:
    """The legs of a code."""
    plane, rest = code % planes, code // planes
    one, two = rest // (planes * n), rest % (planes * n)
    a, b = one % n, two % n
    return [(one // n * n + s) * n + a, (two // n * n + a) * n + b, (plane * n + b) * n + t]
