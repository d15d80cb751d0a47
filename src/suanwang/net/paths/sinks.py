"""Place and path in one search: pools that could take the work are sinks, and what they cost and add counts as a last leg."""

from dataclasses import dataclass
from typing import Final

from suanwang.net.igp.shares import Int32s
from suanwang.net.jit import lean
from suanwang.net.network import Ints
from suanwang.net.paths.holds import room
from suanwang.net.paths.tables import Bytes
from suanwang.net.paths.two_segments import least_list

BPS_PER_GBPS: Final = 1_000_000_000
PRICE_MAX: Final = 2**59


@dataclass(frozen=True)
class Sink:
    """A pool that could take the work: which pool of the engine, how much of it, its price for an hour of that, and what
    it adds to the latency (queue and service)."""

    pool: int
    units: int
    price_micro_yuan_hour: int
    delay_us: int = 0


def price_as_leg(price_micro_yuan_hour: int, bps: int) -> int:
    """A price for an hour as a price for one Gbit/s in one hour at this bandwidth, rounded up: what `least_list` adds."""
    return min(PRICE_MAX, -(-price_micro_yuan_hour * BPS_PER_GBPS // bps))


@lean
def least_sink(
    s: int,
    bps: int,
    bound_us: int,
    begin: int,
    end: int,
    sinks: Ints,
    above: Ints,
    masked: bool,
    closed: Bytes,
    order: Int32s,
    cost: Ints,
    late: Ints,
    floor: Ints,
    watch: Ints,
    spans: Int32s,
    carry: Int32s,
    free: Ints,
) -> tuple[int, int, int, int]:
    """(sink, code, price with the pool's, worst latency with the pool's) of the least; sink -1 for none, code -1 for a place
    at the origin. `sinks` (5, k): node, price as a leg's, delay, row of `free`, units. `above` (3, k): the list of each sink
    (price, latency, code) that those considered must lie above; a code of -2 sets a sink aside."""
    best, best_code, best_cost, best_late = -1, -1, 2**60, 2**62
    for at in range(sinks.shape[1]):
        t, price, delay = sinks[0, at], sinks[1, at], sinks[2, at]
        if price > best_cost or above[2, at] == -2 or floor[s, t] + delay > bound_us:
            continue
        if sinks[4, at] > room(free, sinks[3, at], begin, end):
            continue
        code, total, worst = -1, 0, 0
        if s != t:
            code, total, worst = least_list(
                s,
                t,
                bps,
                bound_us - delay,
                begin,
                end,
                above[0, at],
                above[1, at],
                above[2, at],
                best_cost - price,
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
            if code < 0:
                continue
        total, worst = total + price, worst + delay
        if total < best_cost or (total == best_cost and worst < best_late):
            best, best_code, best_cost, best_late = at, code, total, worst
    return best, best_code, best_cost, best_late
