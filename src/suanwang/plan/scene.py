"""What the planner works on: the arrays of a grid, its ledger, which pools and links are up, and paths found before.

The paths are kept because the next task often asks for the same ones. They are keyed by everything that a search
depends on, so that a kept path and a new one are the same.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suanwang.model.ids import LinkId, SiteId
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
    version: int
    sites: Mapping[SiteId, SiteState]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return self.ledger.pools.is_empty and self.ledger.lines.is_empty

    def codes(self, need: Need) -> Ints:
        """The first static clause that each pool fails, `SITE_DOWN` left out."""
        key = static_key(need)
        found = self.memory.codes.get(key)
        if found is None:
            found = static_codes(self.layout, need)
            self.memory.codes.put(key, found)
        assert isinstance(found, np.ndarray), "codes are kept as an array"
        return found

    def least_latency(self, origin: int, chain: tuple[int, ...]) -> Tree:
        """The least latency to each site through a chain, whatever is held."""
        key = ("least", origin, self.up_key, chain)
        net = self.layout.network
        everything = np.ones(len(net.sec_node), np.bool_)
        nothing = np.zeros(len(net.sec_node), np.int64)
        return self._tree(key, origin, Rules(self.up, net.latency_us, everything, nothing, chain))

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
        rules = Rules(ok[:edges], net.price_gbps_hour, ok[edges:], net.sec_price, chain, bound)
        return self._tree(key, origin, rules)

    def transfer(self, replica: int, edge_ok: Flags, bound_us: int = NO_BOUND_US) -> Tree:
        """The cheapest path of bytes from a replica."""
        net = self.layout.network
        key = ("moved", replica, edge_ok.tobytes(), bound_us)
        none = np.zeros(len(net.sec_node), np.bool_)
        return self._tree(key, replica, Rules(edge_ok, net.price_gib, none, net.sec_price, (), bound_us))

    def transfer_whole(self, replica: int) -> Tree:
        """The cheapest path of bytes from a replica over every link that is up."""
        net = self.layout.network
        none = np.zeros(len(net.sec_node), np.bool_)
        return self._tree(("whole", replica, self.up_key), replica, Rules(self.up, net.price_gib, none, net.sec_price))

    def _tree(self, key: Hashable, origin: int, rules: Rules) -> Tree:
        found = self.memory.trees.get(key)
        if found is None:
            found = search(self.layout.network, origin, rules)
            self.memory.trees.put(key, found)
        assert isinstance(found, Tree), "trees are kept as trees"
        return found


def static_key(need: Need) -> Hashable:
    """Everything of a need that its static codes depend on."""
    return (
        need.kind,
        need.node_figures,
        need.model,
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
    return Scene(layout, memory.ledger, memory, memory.live, up, snapshot.links_down, snapshot.version, snapshot.sites)


def all_live(scene: Scene) -> Scene:
    """The same scene with every site live."""
    return replace(scene, live=np.ones(len(scene.layout.pools), np.bool_))


def empty_scene(scene: Scene) -> Scene:
    """The same grid with nothing held, every site live and every link up."""
    layout = scene.layout
    live = np.ones(len(layout.pools), np.bool_)
    up = np.ones(len(layout.network.to), np.bool_)
    return Scene(layout, Ledger(layout), scene.memory, live, up, frozenset(), scene.version, scene.sites)
