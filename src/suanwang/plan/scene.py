"""What the planner works on: the arrays of a grid, its ledger, what of it is up, and paths found before.

The paths are kept because the next task often asks for the same ones. They are keyed by everything that a search
depends on, so that a kept path and a new one are the same.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from suanwang.model.ids import LinkId, SecurityPoolId, SiteId
from suanwang.model.snapshot import SiteState, Snapshot
from suanwang.net import NO_BOUND_US, Rules, Tree, search
from suanwang.net.network import FUNCTIONS, Flags, Ints
from suanwang.plan.clauses import static_codes
from suanwang.plan.layout import Layout
from suanwang.plan.ledger import Ledger
from suanwang.plan.need import Need

# A tree of a 430-site grid takes about 15 kB, and as much again for vectors derived from it.
TREES_MAX = 1024
CODES_MAX = 512


class Kept:
    """Values by key; the one not used for longest goes first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.values: dict[Hashable, object] = {}

    def get(self, key: Hashable) -> object | None:
        found = self.values.pop(key, None)
        if found is not None:
            self.values[key] = found
        return found

    def put(self, key: Hashable, value: object) -> None:
        if len(self.values) >= self.most:
            del self.values[next(iter(self.values))]
        self.values[key] = value


@dataclass
class Memory:
    """What is kept between plans for one grid."""

    layout: Layout
    ledger: Ledger
    trees: Kept = field(default_factory=lambda: Kept(TREES_MAX))
    codes: Kept = field(default_factory=lambda: Kept(CODES_MAX))
    waits: Kept = field(default_factory=lambda: Kept(CODES_MAX))
    states: list[SiteState | None] = field(default_factory=list)  # of the sites, in the grid's order
    live: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))  # of the pools, by `states`
    sweep: Any = None  # `sweep_tables.SweepTables`


@dataclass
class Scene:
    """One snapshot, or the same grid with nothing held and everything up."""

    layout: Layout
    ledger: Ledger
    memory: Memory
    live: Flags  # by pool
    up: Flags  # by directed link
    up_key: frozenset[LinkId]
    sec_up: Flags  # by security pool
    sec_key: frozenset[SecurityPoolId]
    version: int
    sites: Mapping[SiteId, SiteState]
    _rooms: dict[int, tuple[Ints, Flags]] = field(init=False, default_factory=dict)  # by bandwidth
    _rate_rooms: tuple[tuple[int, ...], Ints, Flags] | None = field(init=False, default=None)

    def rate_rooms(self, rates_bps: tuple[int, ...]) -> tuple[Ints, Flags]:
        """[rate, directed link]: what an empty grid would leave beside each rate; and what is up and wide enough for it.
        The arrays are shared by all who ask for the same rates."""
        if self._rate_rooms is None or self._rate_rooms[0] != rates_bps:
            edges = len(self.up)
            room = self.layout.empty_room[:edges] - np.array(rates_bps, np.int64)[:, None]
            self._rate_rooms = (rates_bps, room, self.up & (room >= 0))
        return self._rate_rooms[1:]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return self.ledger.is_empty

    @cached_property
    def live_key(self) -> bytes:
        """Names the pools that are live."""
        return self.live.tobytes()

    @property
    def down_key(self) -> Hashable:
        """Names all that is down of the network."""
        return self.up_key, self.sec_key

    def room(self, bandwidth_bps: int) -> tuple[Ints, Flags]:
        """What an empty grid would leave of each directed link, then each security pool, beside a flow; and which of them
        are up and wide enough for it. The arrays are shared by all who ask."""
        found = self._rooms.get(bandwidth_bps)
        if found is None:
            room = self.layout.empty_room - bandwidth_bps
            found = self._rooms[bandwidth_bps] = (room, np.concatenate([self.up, self.sec_up]) & (room >= 0))
        return found

    def without(self, links: Collection[int], pools: Collection[int] = ()) -> "Scene":
        """The same scene with these links and security pools, by their place in the grid, counted as down."""
        up, sec_up = self.up.copy(), self.sec_up.copy()
        for at in links:
            up[2 * at : 2 * at + 2] = False
        sec_up[list(pools)] = False
        index = self.layout.index
        up_key = self.up_key | {index.grid.links[at].id for at in links}
        sec_key = self.sec_key | {index.security_order[at] for at in pools}
        return replace(self, up=up, up_key=up_key, sec_up=sec_up, sec_key=sec_key)

    def allowed(self, need: Need) -> "Scene":
        """The scene without what a need's traffic must not cross; itself where that is nothing."""
        return self.without(need.avoid_links) if need.avoid_links else self

    def codes(self, need: Need) -> Ints:
        """The first static clause that each pool fails, `SITE_DOWN` left out."""
        return self.kept_codes(static_key(need), lambda: static_codes(self.layout, need))

    def kept_codes(self, key: Hashable, make: Callable[[], Ints]) -> Ints:
        """Codes by pool that were found before, or that are made and kept: the key says all that they depend on."""
        found = self.memory.codes.get(key)
        if found is None:
            found = make()
            self.memory.codes.put(key, found)
        assert isinstance(found, np.ndarray), "codes are kept as an array"
        return found

    def least_latency(self, origin: int, chain: tuple[int, ...]) -> Tree:
        """The least latency to each site through a chain, whatever is held and whatever is in maintenance."""
        return self._quickest(("least", origin, self.up_key, self.sec_key_of(chain), chain), origin, self.up, chain)

    def quickest(self, origin: int, ok: Flags, chain: tuple[int, ...]) -> Tree:
        """The least latency to each site through a chain over the directed links that are `ok`."""
        return self._quickest(("quick", origin, ok.tobytes(), self.sec_key_of(chain), chain), origin, ok, chain)

    def sec_key_of(self, chain: tuple[int, ...]) -> frozenset[SecurityPoolId]:
        """The security pools that are down, where that matters."""
        return self.sec_key if chain else frozenset()

    def _quickest(self, key: Hashable, origin: int, ok: Flags, chain: tuple[int, ...]) -> Tree:
        net = self.layout.network

        def rules() -> Rules:
            return Rules(ok, net.latency_us, self.sec_up, np.zeros(len(net.sec_node), np.int64), chain)

        return self._tree(key, origin, rules)

    def cheapest(self, origin: int, usable: Flags, ok: Flags, chain: tuple[int, ...], bound_us: int | None) -> Tree:
        """The cheapest path of held bandwidth over what is `ok` (directed links, then security pools).

        Where the tree over all that is `usable` needs nothing that is not `ok`, it is the best over these too.
        """
        if ok is not usable:
            whole = self.cheapest(origin, usable, usable, chain, bound_us)
            if not (whole.used(len(ok)) & ~ok).any():
                return whole
        net = self.layout.network
        edges = len(net.to)
        bound = NO_BOUND_US if bound_us is None else bound_us
        key = ("held", origin, ok.tobytes(), chain, bound)

        def rules() -> Rules:
            return Rules(ok[:edges], net.price_gbps_hour, ok[edges:], net.sec_price, chain, bound)

        return self._tree(key, origin, rules)

    def transfer(self, replica: int, edge_ok: Flags, bound_us: int = NO_BOUND_US) -> Tree:
        """The cheapest path of bytes from a replica."""
        key = ("moved", replica, edge_ok.tobytes(), bound_us)
        return self._tree(key, replica, lambda: self._moved(edge_ok, bound_us))

    def transfer_whole(self, replica: int) -> Tree:
        """The cheapest path of bytes from a replica over every link that is up."""
        return self._tree(("whole", replica, self.up_key), replica, lambda: self._moved(self.up, NO_BOUND_US))

    def _moved(self, edge_ok: Flags, bound_us: int) -> Rules:
        net = self.layout.network
        return Rules(edge_ok, net.price_gib, np.zeros(len(net.sec_node), np.bool_), net.sec_price, (), bound_us)

    def _tree(self, key: Hashable, origin: int, rules: Callable[[], Rules]) -> Tree:
        return self.tree(key, lambda: search(self.layout.network, origin, rules()))

    def tree(self, key: Hashable, make: Callable[[], Tree]) -> Tree:
        """A tree that was found before, or that is made and kept: the key says all that it depends on."""
        found = self.memory.trees.get(key)
        if found is None:
            found = make()
            self.memory.trees.put(key, found)
        assert isinstance(found, Tree), "trees are kept as trees"
        return found


def static_key(need: Need) -> Hashable:
    """Everything of a need that its static codes depend on."""
    return (
        need.kind,
        need.node_figures,
        need.model,
        need.abilities,
        need.demand.cores,
        need.demand.memory_bytes,
        need.demand.accelerators,
        need.demand.nodes,
        need.security_level,
        need.residency,
        tuple(move.residency for move in need.moves),
        need.sites,
        need.owners,
        need.excluded,
    )


def chain_of(need: Need) -> tuple[int, ...]:
    return tuple(FUNCTIONS.index(one) for one in need.chain)


def scene_of(memory: Memory, snapshot: Snapshot) -> Scene:
    """A snapshot's scene; the ledger must follow the same snapshot."""
    layout = memory.layout
    states = list(map(snapshot.sites.get, layout.network.node_of))
    if states != memory.states:
        alive = np.array([state is not None and state.live for state in states], np.bool_)
        memory.states, memory.live = states, alive[layout.node]
    up = np.ones(len(layout.network.to), np.bool_)
    for link in snapshot.links_down:
        at = layout.link_at.get(link)
        if at is not None:
            up[2 * at : 2 * at + 2] = False
    sec_up = np.ones(len(layout.network.sec_node), np.bool_)
    sec_up[[layout.sec_at[one] for one in snapshot.security_down if one in layout.sec_at]] = False
    return Scene(
        layout,
        memory.ledger,
        memory,
        memory.live,
        up,
        snapshot.links_down,
        sec_up,
        snapshot.security_down,
        snapshot.version,
        snapshot.sites,
    )


def all_live(scene: Scene) -> Scene:
    """The same scene with every site live."""
    return replace(scene, live=np.ones(len(scene.layout.pools), np.bool_))


def empty_scene(scene: Scene) -> Scene:
    """The same grid with nothing held, and every site, link and security pool up."""
    layout = scene.layout
    live = np.ones(len(layout.pools), np.bool_)
    up = np.ones(len(layout.network.to), np.bool_)
    sec_up = np.ones(len(layout.network.sec_node), np.bool_)
    return Scene(
        layout,
        Ledger(layout),
        scene.memory,
        live,
        up,
        frozenset(),
        sec_up,
        frozenset(),
        scene.version,
        scene.sites,
    )


def all_secured(scene: Scene) -> Scene:
    """The same scene with every security pool up."""
    return replace(scene, sec_up=np.ones(len(scene.sec_up), np.bool_), sec_key=frozenset())
