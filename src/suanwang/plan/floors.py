"""What a candidate costs and when it ends at the least, before it is weighed: reasons not to weigh it.

A pool's price at each factor of its price book is exact for a run that stays within one price band. So a start whose
runs all stay in a band that was weighed before is seen to bring nothing new, and most starts of a day drop out.
"""

from dataclasses import dataclass

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.data import RATES_BPS, moved_by, sending_us
from suanwang.plan.layout import Tariffs
from suanwang.plan.money import Asked, factor_price
from suanwang.plan.need import Need
from suanwang.plan.roads import roads_of
from suanwang.plan.scene import Scene

# A run cut at the edges of bands has more lines, and each may be rounded down by half a micro-yuan.
ROUNDING_MICRO_YUAN = 200


@dataclass(frozen=True)
class Floors:
    """For each start and pool the least price, and for each pool how long after the start it ends at the least."""

    starts_us: list[int]
    price: Ints  # [start, pool]
    takes_us: Ints  # [pool]

    def with_roads(self, scene: Scene, need: Need, pools: Ints, row: int) -> None:
        """Make a start's floor exact for a task that holds bandwidth and moves nothing: its run begins at the start."""
        if need.bandwidth_bps and not need.moves:
            roads = roads_of(scene, need, self.starts_us[row], np.zeros(1, np.int64))
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
    slowest_us = max((sending_us(move.size_bytes, RATES_BPS[0]) for move in need.moves), default=0)
    # No loop-free path takes longer than all links together.
    spread_us = slowest_us + int(layout.network.latency_us.sum()) if need.moves else 0
    by_factor = _by_factor(pools, need.wall_us, asked, layout.tariffs)
    starts = np.array(starts_us, np.int64)
    least = _least(starts, starts + min(spread_us + need.wall_us, FAR // 2), pools, by_factor, layout.tariffs)
    return Floors(starts_us, np.maximum(0, least + moved[nodes]), takes_us[nodes] + need.wall_us)


def _moves(scene: Scene, need: Need) -> tuple[Ints, Ints]:
    """For each node the least that all moves cost, and the time that the slowest takes at the least."""
    node_of = scene.layout.network.node_of
    cost, takes_us = np.zeros(len(node_of), np.int64), np.zeros(len(node_of), np.int64)
    for move in need.moves:
        here = [node_of[site] for site in move.replicas]
        trees = [scene.transfer_whole(node) for node in here]
        least = np.min([moved_by(tree, move.size_bytes) for tree in trees], axis=0)
        time_us = np.full(len(node_of), sending_us(move.size_bytes, RATES_BPS[-1]), np.int64)
        least[here], time_us[here] = 0, 0
        cost, takes_us = cost + np.minimum(least, FAR // 64), np.maximum(takes_us, time_us)
    return cost, takes_us


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


def hopeful(best: tuple[Ints, Ints], floor: tuple[Ints, Ints], bar: tuple[int, int] | None) -> Flags:
    """Where a candidate with these two least figures may still be better than the pool's own best, and than the bar.

    Equal to the pool's own best may still win by the third figure.
    """
    first, second = floor
    out: Flags = (first < best[0]) | ((first == best[0]) & (second <= best[1]))
    if bar is not None:
        out &= (first < bar[0]) | ((first == bar[0]) & (second <= bar[1]))
    return out
