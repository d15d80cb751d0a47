"""Why a row of a batch is what it is: for every pool the clause that binds, and the changes that would admit the task.

Nothing of it is stored. `before` is the state when the batch began (a snapshot, or the log replayed up to there), `rows`
are the batch as it was logged: what was free at the row is worked out from the two (`moment`).

    explainer = Explainer(fabric, classes, ground, asks)
    said = explainer.explain(before, rows, at)

Clauses are tested in the order of `PoolReason`, the first that fails binds, and what passes all and is not chosen is
`WORSE`. A change is of one clause, with all others as they are. Its needed figure is exact: the nearest with which
some pool takes the task. A road that no candidate of the class has, for a change of latency or protection, has no price
yet, so guidance's bids say nothing about it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.model.reason import PoolReason, RefusalReason, WaitReason
from suanwang.plan.kernel.ground import FAR, Ways, has_bit, least_by_place, roads_of, times_us, ways_of
from suanwang.plan.kernel.moment import CARD, CPU, FITS, MEM, Room, narrowest, room_at, scratch
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import I64, U8, WHOLE, Asks, Classes, Decisions, Fabric, Ground, Policy, Reason

CLAUSES = (
    PoolReason.KIND,
    PoolReason.SECURITY_LEVEL,
    PoolReason.RESIDENCY,
    PoolReason.NODE_SHAPE,
    PoolReason.ACCELERATOR,
    PoolReason.ABILITY,
    PoolReason.POOL_SIZE,
    PoolReason.PRICE_MISSING,
    PoolReason.LATENCY,
    PoolReason.PROTECTION,
    PoolReason.BANDWIDTH,
    PoolReason.CAPACITY,
    PoolReason.PRICE_LIMIT,
)
"""Columns of the table of fails. PRICE_MISSING: passes what is static, and the class has no candidate there."""
(KIND, LEVEL, REGION, SHAPE, MODEL, ABILITY, SIZE, PRICE_MISSING, LATENCY, PROTECTION, BANDWIDTH, CAPACITY, PRICE) = (
    range(13)
)
ROOM = (SHAPE, SIZE, CAPACITY)
ROAD = (LATENCY, PROTECTION, BANDWIDTH)
MILLION = 1_000_000
Table = NDArray[np.bool_]

WAITS: dict[Reason, WaitReason | RefusalReason | None] = {
    Reason.PLACED: None,
    Reason.MEMBER: None,
    Reason.RELEASED: None,
    Reason.RELEASED_MEMBER: None,
    Reason.NO_CANDIDATE: RefusalReason.NO_POOL,
    Reason.NO_NODE: WaitReason.CAPACITY,
    Reason.NO_PATH: WaitReason.CAPACITY,
    Reason.NO_FLOATING: WaitReason.CAPACITY,
    Reason.TOO_DEAR: WaitReason.CAPACITY,
}
"""What a row's word is in the closed enums of the brain: refused for good, or waits."""


class Change(NamedTuple):
    """The smallest change of one clause that would admit the task."""

    clause: PoolReason
    figure: str  # what of the class is changed: a column of Classes or Asks
    asked: int
    needed: int
    pool: int  # that would take it; the lowest number among equals

    @property
    def millionths(self) -> int:
        """How much of what was asked is given up; all of it where the figure is a name and no amount."""
        if self.figure in ("kinds", "models", "abilities", "regions", "functions"):
            return MILLION
        return abs(self.needed - self.asked) * MILLION // max(self.asked, 1)


class Explanation(NamedTuple):
    """Why."""

    reason: WaitReason | RefusalReason | None  # None: placed
    chosen: int  # pool, -1 none
    binding: tuple[PoolReason | None, ...]  # of each pool; None: chosen
    clauses: dict[PoolReason, int]  # how many pools each removes
    changes: tuple[Change, ...]  # smallest first; empty where the task was placed


class Explainer:
    """Keeps where the roads of a fabric lead, and room to work in; all else is worked out for each question. One thread."""

    def __init__(self, fabric: Fabric, classes: Classes, ground: Ground, asks: Asks) -> None:
        self.fabric, self.classes, self.ground, self.asks = fabric, classes, ground, asks
        self._roads = roads_of(fabric, ground)
        self._work = scratch(fabric, classes)

    def explain(self, before: State, rows: Decisions, at: int, policy: Policy = Policy.CHEAPEST) -> Explanation:
        """The row `at` of a batch that began in the state `before`. Raises ValueError for a row of a release."""
        word = Reason(int(rows.reason[at]))
        if word in (Reason.RELEASED, Reason.RELEASED_MEMBER):
            raise ValueError(f"row {at} gives something back: there is nothing to decide about it")
        while rows.reason[at] == Reason.MEMBER:
            at -= 1
        one, chosen = int(rows.task_class[at]), int(rows.candidate[at])
        pool = int(self.classes.cand_pool[chosen]) if chosen >= 0 else -1
        asking = _Asking(self, before, rows, at, one, policy)
        binding = asking.binding(pool)
        counts: dict[PoolReason, int] = {}
        for reason in binding:
            if reason is not None:
                counts[reason] = counts.get(reason, 0) + 1
        changes = () if pool >= 0 else tuple(sorted(asking.changes(), key=lambda one: (one.millionths, one.clause)))
        return Explanation(
            WAITS[word], pool, binding, {one: counts[one] for one in PoolReason if one in counts}, changes
        )

    def static(self, one: int, ways: Ways) -> Table:
        """Which static clauses each pool fails for a class, bool[P, clauses]."""
        fabric, classes, ground, asks = self.fabric, self.classes, self.ground, self.asks
        fails = np.zeros((len(fabric.pool_site), len(CLAUSES)), np.bool_)
        site = fabric.pool_site
        fails[:, KIND] = ~has_bit(int(asks.kinds[one]), ground.pool_kind)
        fails[:, LEVEL] = ground.site_level[site] < asks.level[one]
        fails[:, REGION] = ~has_bit(int(asks.regions[one]), ground.site_region[site])
        need = [int(part[one]) for part in (classes.cpu, classes.mem, classes.cards)]
        count = np.diff(fabric.node_first)
        shapes = (fabric.shape_cpu, fabric.shape_mem, fabric.shape_cards)
        for shape, figure in zip(shapes, need, strict=True):
            fails[:, SHAPE] |= (count > 0) & (shape < figure)
        if need[2] > 0:
            fails[:, MODEL] = ~has_bit(int(asks.models[one]), fabric.pool_model)
        fails[:, ABILITY] = (ground.pool_lacks & asks.abilities[one]) != 0
        many = int(classes.nodes[one])
        for whole, figure in zip(
            (fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli), (*need[:2], int(classes.milli[one])), strict=True
        ):
            fails[:, SIZE] |= whole < many * figure
        fails[:, SIZE] |= (count > 0) & (count < many)
        bound, bare = int(classes.latency_bound_us[one]), asks.functions[one] == 0
        every = np.ones(len(ways.route), np.bool_)
        fails[:, LATENCY] = times_us(fabric, ground, classes, ways, one, every, True) > bound
        guarded = times_us(fabric, ground, classes, ways, one, ways.guarded, bool(bare))
        fails[:, PROTECTION] = ~fails[:, LATENCY] & (guarded > bound)
        return fails


class _Asking:
    """One question."""

    def __init__(self, of: Explainer, before: State, rows: Decisions, at: int, one: int, policy: Policy) -> None:
        self.of, self.one = of, one
        fabric, classes = of.fabric, of.classes
        self.ways = ways_of(fabric, of.ground, of._roads, of.asks, one)
        self.fails = of.static(one, self.ways)
        self.mine = np.arange(int(classes.cand_first[one]), int(classes.cand_first[one + 1]))
        listed = np.zeros(len(self.fails), np.bool_)
        listed[classes.cand_pool[self.mine]] = True
        self.fails[:, PRICE_MISSING] = ~listed & ~self.fails.any(axis=1)
        guided = before.guidance if policy == Policy.CHEAPEST else None
        asked = self._of_interest(chosen=bool(rows.candidate[at] >= 0))
        free, layout = before.arrays.free, before.layout
        self.room: Room = room_at(layout, fabric, classes, free, rows, at, one, asked, of._work)
        self._bandwidth()
        self.fails[:, CAPACITY] = ~self._has_room()
        self.bids = classes.cand_cost if guided is None else guided.bid_cost
        if guided is not None:
            self._price(before.arrays.quota_left[self.mine] - self.room.taken)

    def _of_interest(self, chosen: bool) -> U8:
        """Pools whose nodes matter: those that fail one clause at most; of a task that was placed, none."""
        static = self.fails.copy()
        static[:, list(ROOM)] = False
        road = static[:, list(ROAD)].any(axis=1)
        static[:, list(ROAD)] = False
        count = static.sum(axis=1) + road
        return np.asarray(count <= (0 if chosen else 1), np.uint8)

    def _bandwidth(self) -> None:
        """By the candidates of the class."""
        fabric, classes = self.of.fabric, self.of.classes
        mbps, route = int(classes.mbps[self.one]), classes.cand_route[self.mine]
        carries = np.full(len(route), FAR, np.int64)
        crossing = np.flatnonzero(route >= 0)
        carries[crossing] = narrowest(fabric, self.room.shared, np.ascontiguousarray(route[crossing]))
        self.carried = carries >= mbps
        most = np.full(len(self.fails), False)
        most[classes.cand_pool[self.mine[self.carried]]] = True
        listed = np.zeros(len(most), np.bool_)
        listed[classes.cand_pool[self.mine]] = True
        self.fails[:, BANDWIDTH] = listed & ~most

    def _price(self, quota: I64) -> None:
        """A pool is too dear where no candidate with bandwidth has a quota left, or a bid within the cost of refusing."""
        classes = self.of.classes
        fine = self.carried & ((quota > 0) | (self.bids[self.mine] <= classes.reject_cost[self.one]))
        affordable = np.zeros(len(self.fails), np.bool_)
        affordable[classes.cand_pool[self.mine[fine]]] = True
        has_road = np.zeros(len(affordable), np.bool_)
        has_road[classes.cand_pool[self.mine[self.carried]]] = True
        self.fails[:, PRICE] = has_road & ~affordable

    def _sums(self) -> I64:
        """What the sums of each pool leave for each of the class's nodes, i64[P, 3]."""
        return self.room.pool // max(int(self.of.classes.nodes[self.one]), 1)

    def _need(self) -> I64:
        classes = self.of.classes
        return np.array([classes.cpu[self.one], classes.mem[self.one], classes.milli[self.one]], np.int64)

    def _floating(self) -> list[tuple[int, int, int]]:
        """(resource, asked, free) of what floats and is short."""
        classes = self.of.classes
        first, end = int(classes.float_first[self.one]), int(classes.float_first[self.one + 1])
        rows = [(int(classes.float_use[at]), int(classes.float_amount[at])) for at in range(first, end)]
        return [(use, wants, int(self.room.shared[use])) for use, wants in rows if self.room.shared[use] < wants]

    def _has_room(self) -> Table:
        bare = np.diff(self.of.fabric.node_first) == 0
        sums = (self._sums() >= self._need()).all(axis=1)
        nodes = bare | (self.room.best[:, FITS] >= int(self.of.classes.nodes[self.one]))
        return np.asarray(sums & nodes & (not self._floating()))

    def binding(self, chosen: int) -> tuple[PoolReason | None, ...]:
        """The first clause that each pool fails."""
        first = np.where(self.fails.any(axis=1), self.fails.argmax(axis=1), len(CLAUSES)).tolist()
        said: list[PoolReason | None] = [(*CLAUSES, PoolReason.WORSE)[at] for at in first]
        if chosen >= 0:
            said[chosen] = None
        return tuple(said)

    def changes(self) -> Iterator[Change]:
        """One of each clause that would help."""
        asks, ground, site = self.of.asks, self.of.ground, self.of.fabric.pool_site
        for column, figure, value in (
            (KIND, "kinds", ground.pool_kind),
            (REGION, "regions", ground.site_region[site]),
            (MODEL, "models", self.of.fabric.pool_model),
        ):
            pools = self._only(column)
            for pool in pools[value[pools] >= 0][:1].tolist():
                yield Change(CLAUSES[column], figure, int(getattr(asks, figure)[self.one]), int(value[pool]), pool)
        pools = self._only(LEVEL)
        if len(pools):
            level = ground.site_level[site[pools]]
            best = int(level.argmax())
            yield Change(CLAUSES[LEVEL], "level", int(asks.level[self.one]), int(level[best]), int(pools[best]))
        yield from self._ability_change()
        yield from self._room_changes()
        yield from self._road_changes()
        yield from self._price_change()

    def _ability_change(self) -> Iterator[Change]:
        """What is left of what was asked where the fewest abilities are done without; of as few, the lowest bits."""
        asked, pools = int(self.of.asks.abilities[self.one]), self._only(ABILITY)
        if len(pools):
            lacked = (self.of.ground.pool_lacks[pools] & asked).tolist()
            at = min(range(len(lacked)), key=lambda one: (lacked[one].bit_count(), lacked[one]))
            yield Change(PoolReason.ABILITY, "abilities", asked, asked & ~lacked[at], int(pools[at]))

    def _only(self, *columns: int) -> I64:
        """Pools that fail nothing but these, where a static clause hides what comes after: roads of none are listed."""
        rest = self.fails.copy()
        rest[:, list(columns)] = False
        if not set(columns) & set(ROAD):
            # A pool that fails a static clause has no candidate, so its bandwidth is asked of the roads.
            hidden = self.fails[:, list(columns)].any(axis=1) & ~self._listed()
            rest[:, BANDWIDTH] |= hidden & (self._least_us(True, True) > self._bound())
        return np.flatnonzero(~rest.any(axis=1) & self.fails[:, list(columns)].any(axis=1))

    def _listed(self) -> Table:
        listed = np.zeros(len(self.fails), np.bool_)
        listed[self.of.classes.cand_pool[self.mine]] = True
        return listed

    def _bound(self) -> int:
        return int(self.of.classes.latency_bound_us[self.one])

    def _carry(self) -> I64:
        """Mbit/s that each way can carry."""
        return narrowest(self.of.fabric, self.room.shared, self.ways.route)

    def _least_us(self, guarded: bool, carried: bool) -> I64:
        """Least time to each pool over ways that have the functions, and the bandwidth."""
        of, marks = self.of, np.ones(len(self.ways.route), np.bool_)
        if guarded:
            marks &= self.ways.guarded
        if carried:
            marks &= self._carry() >= int(of.classes.mbps[self.one])
        bare = not guarded or int(of.asks.functions[self.one]) == 0
        return times_us(of.fabric, of.ground, of.classes, self.ways, self.one, marks, bare)

    def _road_changes(self) -> Iterator[Change]:
        of, bound = self.of, self._bound()
        pools = self._only(*ROAD)
        if not len(pools):
            return
        least = self._least_us(True, True)[pools]
        least[least <= bound] = FAR
        best = int(least.argmin())
        if least[best] < FAR:
            yield Change(PoolReason.LATENCY, "latency_bound_us", bound, int(least[best]), int(pools[best]))
        open_road = self._least_us(False, True)[pools]
        functions = int(of.asks.functions[self.one])
        if functions and (open_road <= bound).any():
            pool = int(pools[int((open_road <= bound).argmax())])
            yield Change(PoolReason.PROTECTION, "functions", functions, 0, pool)
        asked = int(of.classes.mbps[self.one])
        near = self.ways.guarded & (self.ways.us <= bound)
        carry = self._carry()[near]
        width = -least_by_place(of.ground, self.ways.place[near], -carry)[
            of.ground.site_place[of.fabric.pool_site[pools]]
        ]
        best = int(width.argmax())
        if 0 < width[best] < asked:
            yield Change(PoolReason.BANDWIDTH, "mbps", asked, int(width[best]), int(pools[best]))

    def _room_changes(self) -> Iterator[Change]:
        """Less of one figure: as many nodes fit as asked, or fewer nodes of the same."""
        classes, one = self.of.classes, self.one
        short = self._floating()
        pools = self._only(*ROOM)
        if len(short) == 1 and short[0][2] > 0:
            fitting = self._fits_without_floating(pools)
            if len(fitting):
                use, wants, free = short[0]
                yield Change(PoolReason.CAPACITY, f"floating:{use}", wants, free, int(fitting[0]))
        if short or not len(pools):
            return
        many, share = int(classes.nodes[one]), 0 < int(classes.milli[one]) < WHOLE
        sums, best, need = self._sums()[pools], self.room.best[pools], self._need()
        bare = np.diff(self.of.fabric.node_first)[pools] == 0
        cards = np.where(bare, sums[:, 2] // (1 if share else WHOLE), best[:, CARD])
        limit = sums[:, 2] // (1 if share else WHOLE)
        figures = (
            ("cpu", need[0], np.where(bare, sums[:, 0], np.minimum(best[:, CPU], sums[:, 0])), (1, 2)),
            ("mem", need[1], np.where(bare, sums[:, 1], np.minimum(best[:, MEM], sums[:, 1])), (0, 2)),
            ("milli" if share else "cards", need[2] if share else classes.cards[one], np.minimum(cards, limit), (0, 1)),
        )
        for name, asked, could, others in figures:
            fine = (sums[:, list(others)] >= need[list(others)]).all(axis=1) & (could >= 1) & (could < asked)
            if fine.any():
                at = int(np.where(fine, could, -1).argmax())
                yield Change(PoolReason.CAPACITY, name, int(asked), int(could[at]), int(pools[at]))
        whole = np.full(len(pools), FAR, np.int64)
        for part in np.flatnonzero(need > 0).tolist():
            whole = np.minimum(whole, self.room.pool[pools, part] // int(need[part]))
        could = np.minimum(whole, np.where(bare, FAR, best[:, FITS]))
        at = int(could.argmax())
        if 1 <= could[at] < many:
            yield Change(PoolReason.CAPACITY, "nodes", many, int(could[at]), int(pools[at]))

    def _fits_without_floating(self, pools: I64) -> I64:
        bare = np.diff(self.of.fabric.node_first)[pools] == 0
        sums = (self._sums()[pools] >= self._need()).all(axis=1)
        fits = sums & (bare | (self.room.best[pools, FITS] >= int(self.of.classes.nodes[self.one])))
        return np.asarray(pools[fits], np.int64)

    def _price_change(self) -> Iterator[Change]:
        pools = self._only(PRICE)
        mine = self.mine[self.carried & np.isin(self.of.classes.cand_pool[self.mine], pools)]
        if len(mine):
            at = int(mine[int(self.bids[mine].argmin())])
            asked, pool = int(self.of.classes.reject_cost[self.one]), int(self.of.classes.cand_pool[at])
            yield Change(PoolReason.PRICE_LIMIT, "reject_cost", asked, int(self.bids[at]), pool)
