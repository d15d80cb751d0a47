"""Weigh every pool with every data combination for one start: which clause fails first, or price and end.

`Best` keeps for each pool the best candidate by the task's preference over all starts that were weighed, and the
clause that the pool came furthest to pass.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from suanwang.model.reason import PoolReason
from suanwang.model.task import Preference
from suanwang.net.calendar import Steps, first_fit, fits
from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.clauses import CODE
from suanwang.plan.data import Moves, moves_of, nothing_moves, reached, waits_of
from suanwang.plan.floors import Floors, Rivals, promising_places
from suanwang.plan.layout import Tariffs
from suanwang.plan.money import Asked, compute_price, exact_price
from suanwang.plan.need import Need
from suanwang.plan.roads import Roads, roads_at, roads_of
from suanwang.plan.scene import Scene

NO_LIMIT = 2**62
# The chosen one and the five alternatives that a plan shows.
SHOWN = 6


class Codes(NamedTuple):
    """What the kernels answer. They are handed these: compiled code that is kept would not see the enum change."""

    bandwidth: int
    data_path: int
    capacity: int
    deadline: int
    price_limit: int
    worse: int


CODES = Codes(*(CODE[PoolReason(one)] for one in Codes._fields))
BANDWIDTH, DATA_PATH, PRICE_LIMIT, WORSE = CODES.bandwidth, CODES.data_path, CODES.price_limit, CODES.worse


class Bounds(NamedTuple):
    """The figures of a need that the kernel compares with."""

    start_us: int
    wall_us: int
    deadline_us: int
    price_limit: int


class Kept(NamedTuple):
    """The columns of `Best` that a start may improve."""

    code: Ints
    price: Ints
    end_us: Ints
    latency_us: Ints
    start: Ints
    combination: Ints


@dataclass
class Start:
    """One start that was weighed, with what a plan needs to be built from it."""

    start_us: int
    moves: Moves
    roads: Roads


@dataclass
class Best:
    """Per pool (of `pools`): the best candidate so far; `code` is the furthest clause, `WORSE` where one is feasible."""

    pools: Ints
    rank: Ints
    owner_place: Ints
    carbon_mg: Ints
    preference: Preference
    code: Ints = field(init=False)
    price: Ints = field(init=False)
    end_us: Ints = field(init=False)
    latency_us: Ints = field(init=False)
    start: Ints = field(init=False)  # index into `starts`
    combination: Ints = field(init=False)
    starts: list[Start | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = len(self.pools)
        self.code = np.full(size, BANDWIDTH, np.int64)
        self.price, self.end_us, self.latency_us = (np.full(size, FAR, np.int64) for _ in range(3))
        self.start, self.combination = np.full(size, -1, np.int64), np.full(size, -1, np.int64)

    def weigh(self, scene: Scene, need: Need, asked: Asked, start_us: int, places: Ints) -> bool:
        """Weigh one start with the pools at these places; True if some pool is feasible at it."""
        layout, pools = scene.layout, self.pools[places]
        moves, roads = _ways(scene, need, start_us, layout.node[pools])
        bounds = Bounds(start_us, need.wall_us, _or(need.deadline_us), _or(need.price_limit))
        found = _weigh(
            pools,
            layout.node,
            layout.capacity,
            scene.ledger.pools.steps(),
            moves.spans_us,
            moves.costs,
            roads.cuts_us,
            roads.latency_us,
            roads.amount,
            bounds,
            asked,
            layout.tariffs,
            CODES,
        )
        self._make_sure(scene, need, asked, pools, found, moves, roads)
        codes, prices, ends, stretch = found
        self.starts.append(Start(start_us, moves, roads))
        feasible = _keep(
            places,
            codes,
            prices,
            ends,
            stretch,
            layout.node[pools],
            roads.latency_us,
            self.preference is Preference.FASTEST,
            len(self.starts) - 1,
            Kept(self.code, self.price, self.end_us, self.latency_us, self.start, self.combination),
            CODES,
        )
        self._let_go()
        return bool(feasible)

    def may_change(self, scene: Scene, need: Need, asked: Asked, start_us: int, places: Ints) -> bool:
        """Whether weighing a later start with the pools at these places could tell more than is known.

        A pool that the data cannot come to if it is sent then would be found to lack a way for it, and one that has no
        room for a run that begins soon enough after it to lack capacity. That is no news of a pool that came that far
        before, unless the run would end sooner than the one that was shown to lack it.
        """
        pools, code = self.pools[places], self.code[places]
        node = scene.layout.node[pools]
        arrives = reached(scene, need, start_us)[node] if need.moves else np.ones(len(pools), np.bool_)
        if not arrives.any() and bool((code >= DATA_PATH).all()):
            return False
        least_us, most_us = waits_of(scene, need)
        return bool(
            _may_change(
                scene.ledger.pools.steps(),
                Chances(pools, arrives, start_us + least_us[node], start_us + most_us[node], code, self.end_us[places]),
                scene.layout.capacity[pools] - asked.demand,
                need.wall_us,
                CODES,
            )
        )

    def places(self, floors: Floors, row: int, need: Need) -> Ints:
        """The places that a start may still better, among those that are shown: a plan's pool and its alternatives."""
        end_us, price = floors.starts_us[row] + floors.takes_us, floors.price[row]
        fastest = self.preference is Preference.FASTEST
        return promising_places(
            Rivals(self.code, *((self.end_us, self.price) if fastest else (self.price, self.end_us))),
            (end_us, price) if fastest else (price, end_us),
            (end_us <= _or(need.deadline_us)) & (price <= _or(need.price_limit)),
            self._first_columns(self.price, self.end_us),
            self._first_columns(price, end_us),
            SHOWN,
            WORSE,
        )

    def _let_go(self) -> None:
        """Forget the starts that are the best of no pool."""
        used = set(self.start.tolist())
        self.starts = [one if at in used else None for at, one in enumerate(self.starts)]

    def _make_sure(
        self,
        scene: Scene,
        need: Need,
        asked: Asked,
        pools: Ints,
        found: tuple[Ints, Ints, Ints, Ints],
        moves: Moves,
        roads: Roads,
    ) -> None:
        """Price with Python's integers what the kernel was not sure of."""
        codes, prices, ends, stretch = found
        if not (prices < 0).any():
            return
        for at, combination in zip(*np.nonzero(prices < 0), strict=True):
            pool, end_us = int(pools[at]), int(ends[at, combination])
            price = exact_price(scene.layout, pool, need.demand, asked.shots, end_us - need.wall_us, end_us)
            node = scene.layout.node[pool]
            price += int(roads.amount[stretch[at, combination], node]) + int(moves.costs[combination, node])
            prices[at, combination] = min(price, NO_LIMIT)
            codes[at, combination] = PRICE_LIMIT if price > _or(need.price_limit) else WORSE

    def order(self) -> list[int]:
        """Places in `pools` of the feasible ones, best first by the published key; the last ties go by pool id."""
        found = np.flatnonzero(self.code == WORSE)
        columns = [*self.columns(self.price, self.end_us), self.rank]
        return [int(one) for one in found[np.lexsort([column[found] for column in reversed(columns)])]]

    def _first_columns(self, price: Ints, end_us: Ints) -> tuple[Ints, Ints, Ints]:
        """Those of the key that are known of a start before it is weighed: all but the last one."""
        one, two, three, _ = self.columns(price, end_us)
        return one, two, three

    def columns(self, price: Ints, end_us: Ints) -> list[Ints]:
        """The key of candidates at these prices and ends, first figure first, without the id."""
        if self.preference is Preference.FASTEST:
            return [self.owner_place, end_us, price, self.latency_us]
        if self.preference is Preference.GREENEST:
            return [self.owner_place, self.carbon_mg, price, end_us]
        return [self.owner_place, price, end_us, self.latency_us]


def _ways(scene: Scene, need: Need, start_us: int, nodes: Ints) -> tuple[Moves, Roads]:
    """How the data comes to these nodes, and the user's path to them, for one start."""
    if not need.moves:
        return nothing_moves(len(scene.layout.network.node_of)), roads_at(scene, need, start_us)
    wanted = np.zeros(len(scene.layout.network.node_of), np.bool_)
    wanted[nodes] = True
    moves = moves_of(scene, need, start_us, wanted)
    return moves, roads_of(scene, need, start_us, moves.spans_us, wanted)


def _or(value: int | None) -> int:
    return NO_LIMIT if value is None else value


class Chances(NamedTuple):
    """For each pool whether the data may come to it, when a run may begin, and what is known of it."""

    pools: Ints
    arrives: Flags
    soonest_us: Ints
    latest_us: Ints
    code: Ints
    end_us: Ints


@kernel
def _may_change(calendars: Steps, some: Chances, room: Ints, wall_us: int, says: Codes) -> bool:
    for at in range(len(some.pools)):
        code, soonest_us = some.code[at], some.soonest_us[at]
        if code < says.data_path:
            return True
        if not some.arrives[at]:
            continue
        if code < says.capacity or (code == says.capacity and soonest_us + wall_us <= some.end_us[at]):
            return True
        if first_fit(calendars, some.pools[at], soonest_us, wall_us, room[at]) <= some.latest_us[at]:
            return True
    return False


@kernel
def _weigh(
    pools: Ints,
    node_of: Ints,
    capacity: Ints,
    calendars: Steps,
    spans: Ints,
    costs: Ints,
    cuts_us: Ints,
    latency: Ints,
    amount: Ints,
    bounds: Bounds,
    asked: Asked,
    tariffs: Tariffs,
    says: Codes,
) -> tuple[Ints, Ints, Ints, Ints]:
    count, combinations = len(pools), spans.shape[0]
    far = np.int64(2**62)
    codes = np.zeros((count, combinations), np.int64)
    prices = np.zeros((count, combinations), np.int64)
    ends = np.zeros((count, combinations), np.int64)
    stretch = np.zeros((count, combinations), np.int64)
    room = np.zeros(4, np.int64)
    for at in range(count):
        pool = pools[at]
        node = node_of[pool]
        for figure in range(4):
            room[figure] = capacity[pool, figure] - asked.demand[figure]
        for one in range(combinations):
            brought = spans[one, node] < far
            begin_us = bounds.start_us + (spans[one, node] if brought else 0)
            end_us = begin_us + bounds.wall_us
            group = np.searchsorted(cuts_us, begin_us, side="right") if len(cuts_us) > 0 else 0
            stretch[at, one], ends[at, one] = group, end_us
            if latency[group, node] >= far:
                codes[at, one] = says.bandwidth
                continue
            if not brought:
                codes[at, one] = says.data_path
                continue
            if not fits(calendars, pool, begin_us, end_us, room):
                codes[at, one] = says.capacity
                continue
            if end_us > bounds.deadline_us:
                codes[at, one] = says.deadline
                continue
            price = compute_price(pool, begin_us, end_us, asked, tariffs)
            if price < 0:
                prices[at, one] = -1
                continue
            price += amount[group, node] + costs[one, node]
            prices[at, one] = price
            codes[at, one] = says.price_limit if price > bounds.price_limit else says.worse
    return codes, prices, ends, stretch


@kernel
def _keep(
    places: Ints,
    codes: Ints,
    prices: Ints,
    ends: Ints,
    stretch: Ints,
    node: Ints,
    latency: Ints,
    fastest: bool,
    start: int,
    kept: Kept,
    says: Codes,
) -> bool:
    """Keep for each pool what is better than before. Carbon is the same for every candidate of a pool."""
    found = False
    for row in range(codes.shape[0]):
        at = places[row]
        for one in range(codes.shape[1]):
            code = codes[row, one]
            if code < kept.code[at]:
                continue
            found = found or code == says.worse
            price, end, late = prices[row, one], ends[row, one], latency[stretch[row, one], node[row]]
            first, second = (end, price) if fastest else (price, end)
            if code == kept.code[at] and kept.start[at] >= 0:
                was_first = kept.end_us[at] if fastest else kept.price[at]
                was_second = kept.price[at] if fastest else kept.end_us[at]
                better = first < was_first or (first == was_first and second < was_second)
                if not better and not (first == was_first and second == was_second and late < kept.latency_us[at]):
                    continue
            kept.code[at], kept.price[at], kept.end_us[at], kept.latency_us[at] = code, price, end, late
            kept.start[at], kept.combination[at] = start, one
    return found
