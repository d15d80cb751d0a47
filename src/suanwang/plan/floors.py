"""What a candidate costs and when it ends at the least, before it is weighed: reasons not to weigh it.

A pool's price at each factor of its price book is exact for a run that stays within one price band. So a start whose
runs all stay in a band that was weighed before is seen to bring nothing new, and most starts of a day drop out.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from suanwang.model.units import SPAN_US_MAX
from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.data import moved_by, sending_us
from suanwang.plan.layout import Tariffs
from suanwang.plan.money import Asked, compute_price, factor_price
from suanwang.plan.need import Need
from suanwang.plan.roads import roads_at
from suanwang.plan.scene import Scene

# A run cut at the edges of bands has more lines, and each may be rounded down by half a micro-yuan.
ROUNDING_MICRO_YUAN = 200


@dataclass(frozen=True)
class Floors:
    """For each start and pool the least price, and for each pool how long after the start it ends at the least."""

    starts_us: list[int]
    price: Ints  # [start, pool]
    takes_us: Ints  # [pool]
    moved: Ints  # [pool] what the moves cost at the least
    by_factor: Ints  # [pool, factor] the price of the whole run at a factor

    def refine(self, scene: Scene, need: Need, asked: Asked, pools: Ints, row: int, places: Ints) -> None:
        """Raise the floor of a few pools: a run begins when bytes have been sent at a rate, and soon after.

        Soon: the latency of their path, which is no more than that of all links together.
        """
        sending = {sending_us(move.size_bytes, rate) for move in need.moves for rate in scene.layout.rates_bps}
        waits = np.array(sorted(one for one in sending if one <= SPAN_US_MAX), np.int64)
        spread_us = int(scene.layout.network.latency_us.sum()) // 2 if need.moves else 0
        least_us = self.takes_us[places] - need.wall_us
        window = Window(self.starts_us[row], need.wall_us, spread_us)
        found = _refined(pools[places], self.by_factor[places], least_us, waits, window, asked, scene.layout.tariffs)
        self.price[row, places] = np.maximum(self.price[row, places], found + self.moved[places])

    def with_roads(self, scene: Scene, need: Need, pools: Ints, row: int) -> None:
        """Make a start's floor exact for a task that holds bandwidth and moves nothing: its run begins at the start."""
        if need.bandwidth_bps and not need.moves:
            roads = roads_at(scene, need, self.starts_us[row])
            self.price[row] += roads.amount[0, scene.layout.node[pools]]

    def promising(self, first: int = 1) -> list[int]:
        """The starts in the order of their least price, the earliest first of all."""
        if not self.price.shape[1]:
            return list(range(len(self.starts_us)))
        later = np.argsort(self.price[first:].min(axis=1), kind="stable") + first
        return [*range(first), *later.tolist()]


def floors_of(scene: Scene, need: Need, asked: Asked, pools: Ints, starts_us: list[int]) -> Floors:
    """The floors of every start; each move at its cheapest and, by itself, fastest."""
    layout, nodes = scene.layout, scene.layout.node[pools]
    moved, takes_us = _moves(scene, need)
    slowest_us = max((sending_us(move.size_bytes, scene.layout.rates_bps[0]) for move in need.moves), default=0)
    # No loop-free path takes longer than all links together.
    spread_us = slowest_us + int(layout.network.latency_us.sum()) if need.moves else 0
    by_factor = _by_factor(pools, need.wall_us, asked, layout.tariffs)
    starts = np.array(starts_us, np.int64)
    least = _least(starts, starts + min(spread_us + need.wall_us, FAR // 2), pools, by_factor, layout.tariffs)
    price = np.maximum(0, least + moved[nodes])
    return Floors(starts_us, price, takes_us[nodes] + need.wall_us, moved[nodes], by_factor)


def _moves(scene: Scene, need: Need) -> tuple[Ints, Ints]:
    """For each node the least that all moves cost, and the time that the slowest takes at the least."""
    node_of = scene.layout.network.node_of
    cost, takes_us = np.zeros(len(node_of), np.int64), np.zeros(len(node_of), np.int64)
    for move in need.moves:
        here = [node_of[site] for site in move.replicas]
        trees = [scene.transfer_whole(node) for node in here]
        least = np.min([moved_by(tree, move.size_bytes) for tree in trees], axis=0)
        time_us = np.full(len(node_of), sending_us(move.size_bytes, scene.layout.rates_bps[-1]), np.int64)
        least[here], time_us[here] = 0, 0
        cost, takes_us = cost + np.minimum(least, FAR // 64), np.maximum(takes_us, time_us)
    return cost, takes_us


class Window(NamedTuple):
    """A start, the length of a run, and how much later than the bytes have been sent it may begin."""

    start_us: int
    wall_us: int
    spread_us: int


@kernel
def _refined(
    pools: Ints, by_factor: Ints, least_us: Ints, waits: Ints, window: Window, asked: Asked, tariffs: Tariffs
) -> Ints:
    """The least price over the runs that begin no more than the spread after one of the waits.

    A run that begins a little later than another trades no more than that little at the dearest factor for the
    cheapest.
    """
    out = np.full(len(pools), np.int64(2**61))
    for at in range(len(pools)):
        pool = pools[at]
        factors = tariffs.factors[tariffs.schedule[pool]]
        differ = float(by_factor[at, :factors].max() - by_factor[at, :factors].min())
        drift = np.int64(differ * 1.000001 * window.spread_us / window.wall_us) + 2
        for number in range(-1, len(waits)):
            wait_us = waits[number] if number >= 0 else 0
            if wait_us < least_us[at] or (number < 0 and least_us[at] > 0):
                continue
            begin_us = window.start_us + wait_us
            end_us = begin_us + window.wall_us
            one = _single(tariffs, pool, begin_us, end_us + window.spread_us)
            price = by_factor[at, one] if one >= 0 else compute_price(pool, begin_us, end_us, asked, tariffs)
            if one < 0:
                price = max(0, price - drift - 200) if window.spread_us > 0 else max(0, price)
            out[at] = min(out[at], price)
    return out


@kernel
def _single(tariffs: Tariffs, pool: int, start_us: int, end_us: int) -> int:
    """The factor that holds over all of [start, end), or -1."""
    hour_us = 3_600_000_000
    schedule = tariffs.schedule[pool]
    first = (start_us + 8 * hour_us) // hour_us
    last = min((end_us + 8 * hour_us - 1) // hour_us, first + 23)
    found = -1
    for hour in range(first, last + 1):
        for factor in range(tariffs.factors[schedule]):
            table = tariffs.hours[schedule, factor]
            if table[hour % 24 + 1] > table[hour % 24]:
                if found >= 0 and found != factor:
                    return -1
                found = factor
    return found


@kernel
def _by_factor(pools: Ints, wall_us: int, asked: Asked, tariffs: Tariffs) -> Ints:
    """The price of the whole run at each factor of each pool's book; 0 where the kernel is unsure."""
    out = np.zeros((len(pools), tariffs.permilles.shape[1]), np.int64)
    for at in range(len(pools)):
        for factor in range(tariffs.factors[tariffs.schedule[pools[at]]]):
            out[at, factor] = max(0, factor_price(pools[at], factor, wall_us, asked, tariffs))
    return out


@kernel
def _least(starts: Ints, ends: Ints, pools: Ints, by_factor: Ints, tariffs: Tariffs) -> Ints:
    """The price at the lowest factor that is in force at any moment of [start, end), less what rounding may do."""
    hour_us = 3_600_000_000
    schedules = len(tariffs.factors)
    out = np.zeros((len(starts), len(pools)), np.int64)
    lowest, single = np.zeros(schedules, np.int64), np.zeros(schedules, np.bool_)
    for row in range(len(starts)):
        first = (starts[row] + 8 * hour_us) // hour_us
        last = (ends[row] + 8 * hour_us - 1) // hour_us
        for schedule in range(schedules):
            low, high = 99, -1
            for hour in range(first, min(last, first + 23) + 1):
                for factor in range(tariffs.factors[schedule]):
                    table = tariffs.hours[schedule, factor]
                    if table[hour % 24 + 1] > table[hour % 24]:
                        low, high = min(low, factor), max(high, factor)
            lowest[schedule], single[schedule] = low, low == high
        for at in range(len(pools)):
            schedule = tariffs.schedule[pools[at]]
            out[row, at] = by_factor[at, lowest[schedule]] - (0 if single[schedule] else ROUNDING_MICRO_YUAN)
    return out


class Rivals(NamedTuple):
    """What each pool has so far: its clause, and its two figures in the order of the task's preference."""

    code: Ints
    first: Ints
    second: Ints


@kernel
def promising_places(
    own: Rivals,
    floor: tuple[Ints, Ints],
    possible: Flags,
    keys: tuple[Ints, Ints, Ints],
    floors: tuple[Ints, Ints, Ints],
    shown: int,
    worse: int,
) -> Ints:
    """The possible places where a candidate with these least figures may still be better than the pool's own best, and
    may still be among those that are shown. Equal to either may still win by a later figure.

    `keys` are the first figures of the own best, `floors` the least of the candidate, as they are compared for showing.
    """
    has_bar, bar = _bar(own.code, keys, shown, worse)
    out = np.empty(len(possible), np.int64)
    count = 0
    for at in range(len(possible)):
        if not possible[at]:
            continue
        if own.code[at] == worse and (own.first[at], own.second[at]) < (floor[0][at], floor[1][at]):
            continue
        if has_bar and bar < (floors[0][at], floors[1][at], floors[2][at]):
            continue
        out[count] = at
        count += 1
    return out[:count]


@kernel
def _bar(
    code: Ints, keys: tuple[Ints, Ints, Ints], shown: int, worse: int
) -> tuple[bool, tuple[np.int64, np.int64, np.int64]]:
    """The figures of the last feasible candidate that would be shown; False where more can be shown."""
    best = np.empty((shown, 3), np.int64)
    count = 0
    for at in range(len(code)):
        if code[at] != worse:
            continue
        key = (keys[0][at], keys[1][at], keys[2][at])
        row = count if count < shown else shown - 1
        if count >= shown and key >= (best[row, 0], best[row, 1], best[row, 2]):
            continue
        while row > 0 and key < (best[row - 1, 0], best[row - 1, 1], best[row - 1, 2]):
            best[row] = best[row - 1]
            row -= 1
        best[row, 0], best[row, 1], best[row, 2] = key
        count = min(count + 1, shown)
    if count < shown:
        return False, (np.int64(0), np.int64(0), np.int64(0))
    return True, (best[shown - 1, 0], best[shown - 1, 1], best[shown - 1, 2])
