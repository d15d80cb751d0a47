"""A protection chain as forced midpoints: one pool of each function in order, one node segment from stop to stop.

Labels of (price, worst latency) are kept at each stop where none is both cheaper and faster; a chain has few stops and few
pools, so plain loops are enough. What one segment from stop to stop cannot do, the strict walk does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from suanwang.net.igp import NO_PATH
from suanwang.net.network import Ints
from suanwang.net.paths.tables import OUT, Tables


@dataclass(frozen=True, eq=False)
class Pools:
    """Arrays (k,): where a pool is, how much it has, its price for one Gbit/s in one hour, and its protection function as a
    number into `net.network.FUNCTIONS` (-1 for a compute pool)."""

    node: Ints
    capacity: Ints
    price: Ints
    function: Ints

    @property
    def count(self) -> int:
        return len(self.node)


def no_pools() -> Pools:
    empty = np.zeros(0, np.int64)
    return Pools(empty, empty, empty, empty)


@dataclass(frozen=True, order=True)
class Label:
    """Price, worst latency and legs so far; a pool passed is the leg `-1 - row of free`."""

    price: int
    late_us: int
    segments: int
    legs: tuple[int, ...]


def chain_lists(
    tables: Tables,
    pools: Pools,
    source: int,
    target: int,
    bound_us: int,
    chain: Sequence[int],
    open_leg: Callable[[int], bool],
) -> list[Label]:
    """The lists past the chain within the bound, least first. `open_leg` says of a leg, or of a pool as one, whether it has
    room for the flow and may be used."""
    m = tables.topology.m
    fronts: dict[int, list[Label]] = {source: [Label(0, 0, 0, ())]}
    for function in chain:
        stops: dict[int, list[Label]] = {}
        for pool in _cheapest_at_each(pools, function, lambda one: open_leg(-1 - m - one)):
            node, price = int(pools.node[pool]), int(pools.price[pool])
            found = [_pass(one, -1 - m - pool, price) for one in _arrive(tables, fronts, node, bound_us, open_leg)]
            if found:
                stops[node] = found
        fronts = stops
    return sorted(_arrive(tables, fronts, target, bound_us, open_leg))


def _cheapest_at_each(pools: Pools, function: int, has_room: Callable[[int], bool]) -> list[int]:
    """Of the pools of a function with room, the cheapest at each node."""
    best: dict[int, int] = {}
    for pool in np.flatnonzero(pools.function == function).tolist():
        node = int(pools.node[pool])
        if has_room(pool) and (node not in best or pools.price[pool] < pools.price[best[node]]):
            best[node] = pool
    return list(best.values())


def _pass(one: Label, leg: int, price: int) -> Label:
    return Label(one.price + price, one.late_us, one.segments, (*one.legs, leg))


def _arrive(
    tables: Tables, fronts: dict[int, list[Label]], node: int, bound_us: int, open_leg: Callable[[int], bool]
) -> list[Label]:
    """The labels at a node, one segment after those of `fronts`, without the dominated ones."""
    n = tables.n
    found: list[Label] = []
    for start, labels in fronts.items():
        if start == node:
            found += labels
            continue
        for plane in range(len(tables.planes)):
            code, leg = plane * n + node, (plane * n + start) * n + node
            late = int(tables.late_us[OUT, start, code])
            if late >= NO_PATH or not open_leg(leg):
                continue
            price = int(tables.leg_price[leg])
            found += [
                Label(one.price + price, one.late_us + late, one.segments + 1, (*one.legs, leg))
                for one in labels
                if one.late_us + late <= bound_us
            ]
    kept: list[Label] = []
    for one in sorted(found):
        if not kept or one.late_us < kept[-1].late_us:
            kept.append(one)
    return kept
