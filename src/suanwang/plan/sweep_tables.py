"""What the sweep keeps between batches: rows that tasks share, made once each. See `sweep_kernel`.

Everything here is derived: a row depends on the grid, what is down of the network and its key, and on nothing that is held.
"""

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from suanwang.model.compact import Route
from suanwang.model.ids import SiteId
from suanwang.model.plan import Demand
from suanwang.model.tariff import UTC8_US
from suanwang.model.units import US_PER_DAY
from suanwang.net import Tree
from suanwang.net.network import Flags, Ints
from suanwang.plan.clauses import owner_places
from suanwang.plan.layout import KINDS, Layout
from suanwang.plan.money import PRICE_MAX, asked_of, carbons, exact_price, held_amounts
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene, chain_of, static_key
from suanwang.plan.sweep_kernel import Tables, Trees
from suanwang.plan.sweep_prices import prices

# Rows of one kind before those are made anew: 4,096 vectors of a 430-site grid take 14 MB, as many trees some 60 MB.
ROWS_MAX = 4_096


PROFILES_MAX = 100_000
ROUTES_MAX = 50_000  # of some two kilobytes each
NO_BOUND_US = 2**62 - 1


class Told(NamedTuple):
    """What a request says to the sweep, in three parts that others say as well."""

    place: Hashable
    way: Hashable
    path: Hashable
    wall_us: int


def _longer(rows: Ints, count: int) -> Ints:
    """The same rows in a longer array; what comes after them is not touched, so it takes no memory yet."""
    out = np.empty((count, *rows.shape[1:]), np.int64)
    out[: len(rows)] = rows
    return out


class Rows:
    """Vectors of one length by key, as the rows of one array that grows."""

    def __init__(self, width: int) -> None:
        self.at: dict[Hashable, int] = {}
        self.rows = np.zeros((16, width), np.int64)

    def add(self, key: Hashable, row: Ints) -> int:
        """The number of a new row."""
        number = len(self.at)
        if number == len(self.rows):
            self.rows = _longer(self.rows, 2 * number)
        self.rows[number] = row
        self.at[key] = number
        return number


class TreeRows:
    """Trees of held bandwidth by key, as `Trees`."""

    def __init__(self, nodes: int) -> None:
        self.at: dict[Hashable, int] = {}
        self.first = np.zeros(17, np.int64)
        self.best, self.latency = np.zeros((16, nodes), np.int64), np.zeros((16, nodes), np.int64)
        self.parent, self.via = np.zeros(8_192, np.int64), np.zeros(8_192, np.int64)
        self.trees: list[Tree] = []

    def add(self, key: Hashable, tree: Tree) -> int:
        number, labels = len(self.at), len(tree.via)
        if number == len(self.best):
            self.best, self.latency = _longer(self.best, 2 * number), _longer(self.latency, 2 * number)
            self.first = _longer(self.first, 2 * number + 1)
        begin = int(self.first[number])
        while begin + labels > len(self.via):
            self.parent, self.via = _longer(self.parent, 2 * len(self.via)), _longer(self.via, 2 * len(self.via))
        self.parent[begin : begin + labels], self.via[begin : begin + labels] = tree.parent, tree.via
        self.first[number + 1] = begin + labels
        self.best[number], self.latency[number] = tree.best, tree.node_latency_us()
        self.trees.append(tree)
        self.at[key] = number
        return number

    def arrays(self) -> Trees:
        return Trees(self.first, self.best, self.parent, self.via, self.latency)


class Shapes:
    """Demands with what they cost and emit in each pool for a run of one length; the price of a moment."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.at: dict[Hashable, int] = {}
        pools = len(layout.pools)
        self.price, self.carbon = Rows(pools), Rows(pools)
        self.demand = Rows(4)
        self._needs: list[tuple[int, Demand, int, int]] = []  # kind, demand, shots, wall
        self._until: list[int] = []  # a run that ends by then, and begins after the last change, costs the same
        self._since: list[int] = []
        self.cheap: list[bool] = []  # whether all prices are far from the greatest that can be compared

    def row(self, need: Need) -> int:
        key = (need.kind, need.demand.cores, need.demand.memory_bytes, need.demand.accelerators, need.demand.nodes)
        key_of_all = (*key, need.shots, need.wall_us)
        found = self.at.get(key_of_all)
        if found is not None:
            return found
        asked, every = asked_of(need.demand, need.shots), np.arange(len(self.layout.pools))
        same = self.layout.tariffs.kind == KINDS.index(need.kind)
        carbon = np.zeros(len(every), np.int64)
        carbon[same] = carbons(self.layout, every[same], need.demand, asked, need.wall_us)
        number = self.at[key_of_all] = self.carbon.add(key_of_all, carbon)
        self.price.add(key_of_all, np.zeros(len(every), np.int64))
        self.demand.add(key_of_all, asked.demand)
        self._needs.append((KINDS.index(need.kind), need.demand, need.shots, need.wall_us))
        self._until.append(-1)
        self._since.append(0)
        self.cheap.append(True)
        return number

    def asked(self, number: int) -> tuple[Demand, int]:
        """The demand and the shots of a row."""
        _, demand, shots, _ = self._needs[number]
        return demand, shots

    def price_at(self, number: int, now_us: int) -> None:
        """Bring the prices of a row to those of a run that begins now."""
        kind, demand, shots, wall_us = self._needs[number]
        if self._since[number] <= now_us and now_us + wall_us <= self._until[number]:
            return
        asked = asked_of(demand, shots)
        row = prices(kind, now_us, now_us + wall_us, asked, self.layout.tariffs)
        for pool in np.flatnonzero(row < 0).tolist():
            row[pool] = exact_price(self.layout, pool, demand, shots, now_us, now_us + wall_us)
        self.price.rows[number] = row
        self.cheap[number] = bool((row < PRICE_MAX // 4).all())
        self._since[number], self._until[number] = self._band(now_us)

    def _band(self, now_us: int) -> tuple[int, int]:
        """The last and the next moment at which some price book changes its factor."""
        edges = self.layout.edges_us
        if not len(edges):
            return -(2**62), 2**62
        day_us = (now_us + UTC8_US) // US_PER_DAY * US_PER_DAY - UTC8_US
        moments = np.concatenate([day_us - US_PER_DAY + edges, day_us + edges, day_us + US_PER_DAY + edges])
        after = int(np.searchsorted(moments, now_us, side="right"))
        return int(moments[after - 1]), int(moments[after])


class SweepTables:
    """All rows for one set of links and security pools that are down."""

    def __init__(self, layout: Layout, down_key: Hashable) -> None:
        pools, nodes = len(layout.pools), len(layout.network.node_of)
        self.layout, self.down_key = layout, down_key
        self.codes, self.owner_place = Rows(pools), Rows(pools)
        self.latency, self.amount = Rows(nodes), Rows(nodes)
        self.trees, self.shapes = TreeRows(nodes), Shapes(layout)
        self.profiles: dict[Hashable, tuple[int, ...]] = {}
        self.routes: dict[tuple[int, int, int], Route] = {}
        self._usable: dict[int, Flags] = {}
        self._least: list[Tree] = []  # the trees of `latency`
        self._held: dict[tuple[int, int], tuple[Ints, Ints]] = {}  # what a bandwidth costs for so long on each line

    def trim(self) -> None:
        """Begin anew with what has grown too large, between two batches. What tasks said points into the rows, so it is
        forgotten with any of them."""
        pools, nodes = len(self.layout.pools), len(self.layout.network.node_of)
        if len(self._held) >= ROWS_MAX:
            self._held = {}
        before = (self.codes, self.latency, self.amount, self.trees, self.shapes)
        if len(self.codes.at) >= ROWS_MAX:
            self.codes, self.owner_place = Rows(pools), Rows(pools)
        if len(self.latency.at) >= ROWS_MAX:
            self.latency, self._least = Rows(nodes), []
        if len(self.trees.at) >= ROWS_MAX:
            self.trees = TreeRows(nodes)
        if len(self.amount.at) >= ROWS_MAX or self.trees is not before[3]:
            self.amount = Rows(nodes)
        if len(self.shapes.at) >= ROWS_MAX:
            self.shapes = Shapes(self.layout)
        if len(self.routes) >= ROUTES_MAX:
            self.routes = {}
        after = (self.codes, self.latency, self.amount, self.trees, self.shapes)
        if any(one is not two for one, two in zip(before, after, strict=True)) or len(self.profiles) >= PROFILES_MAX:
            self.profiles, self.routes = {}, {}

    def profile(self, scene: Scene, told: Told, need_of: Callable[[], Need]) -> tuple[int, ...]:
        """A task as row numbers: static, near, through, bound, tree, amount, shape, wall, bandwidth, stages.

        What it has told falls into three parts that others have told as well: what it asks of a pool, where its user
        is, and what it asks of the path. The need itself is worked out only where one of the parts is new.
        """
        known = self.profiles
        place, way, path = known.get(told.place), known.get(told.way), known.get(told.path)
        if place is None or way is None or path is None:
            need = need_of()
            chain = chain_of(need)
            if place is None:
                place = known[told.place] = (self._static(scene, need), self.shapes.row(need))
            if way is None:
                near, through = self._latency(scene, need.origin, ()), self._latency(scene, need.origin, chain)
                way = known[told.way] = (near, through, len(chain) + 1)
            if path is None:
                held = self._tree(scene, need, chain) if need.bandwidth_bps else (-1, -1)
                path = known[told.path] = (
                    NO_BOUND_US if need.bound_us is None else need.bound_us,
                    *held,
                    need.bandwidth_bps,
                )
        (static, shape), (near, through, stages), (bound_us, tree, amount, bps) = place, way, path
        return (static, near, through, bound_us, tree, amount, shape, told.wall_us, bps, stages)

    def _static(self, scene: Scene, need: Need) -> int:
        key = static_key(need)
        found = self.codes.at.get(key)
        if found is None:
            self.owner_place.add(key, owner_places(self.layout, need))
            found = self.codes.add(key, scene.codes(need))
        return found

    def _latency(self, scene: Scene, site: SiteId, chain: tuple[int, ...]) -> int:
        origin = self.layout.network.node_of[site]
        found = self.latency.at.get((origin, chain))
        if found is None:
            tree = scene.least_latency(origin, chain)
            self._least.append(tree)
            found = self.latency.add((origin, chain), tree.node_latency_us())
        return found

    def _tree(self, scene: Scene, need: Need, chain: tuple[int, ...]) -> tuple[int, int]:
        origin, bps = self.layout.network.node_of[need.origin], need.bandwidth_bps
        usable = self._usable.get(bps)
        if usable is None:
            usable = self._usable[bps] = scene.room(bps)[1]
        key = (origin, chain, need.bound_us, usable.tobytes())
        tree = self.trees.at.get(key)
        if tree is None:
            tree = self.trees.add(key, scene.cheapest(origin, usable, usable, chain, need.bound_us))
        key_of_amount = (tree, bps, need.wall_us)
        amount = self.amount.at.get(key_of_amount)
        if amount is None:
            net = self.layout.network
            prices = self._held.get((bps, need.wall_us))
            if prices is None:
                edge, pool = (held_amounts(one, bps, need.wall_us) for one in (net.price_gbps_hour, net.sec_price))
                prices = self._held[bps, need.wall_us] = (edge, pool)
            amount = self.amount.add(key_of_amount, self.trees.trees[tree].node_sum(*prices))
        return tree, amount

    def route(self, tree: int, through: int, node: int) -> Route:
        """The path to a node: by the tree of held bandwidth, or (-1) by the least latency."""
        key = (tree, through, node) if tree < 0 else (tree, -1, node)
        found = self.routes.get(key)
        if found is None:
            of = self._least[through] if tree < 0 else self.trees.trees[tree]
            walk, index = of.walk(node), self.layout.index
            pools = [number for number, _ in walk.pools]
            origin = index.grid.sites[of.origin].id
            found = self.routes[key] = Route(index, origin, walk.edges, pools, walk.latency_us)
        return found

    def arrays(self) -> Tables:
        shapes = self.shapes
        return Tables(
            self.codes.rows,
            self.owner_place.rows,
            self.latency.rows,
            self.amount.rows,
            shapes.price.rows,
            shapes.carbon.rows,
            shapes.demand.rows,
        )
