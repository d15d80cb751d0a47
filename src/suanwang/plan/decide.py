"""Decide one task on one scene: the clauses of place and network first, then every start that competes."""

from dataclasses import dataclass

import numpy as np

from suanwang.model.ids import SiteId
from suanwang.model.reason import PoolReason
from suanwang.model.task import Preference
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.clauses import CHOSEN, CODE, PASSED, owner_places
from suanwang.plan.floors import floors_of
from suanwang.plan.layout import Layout
from suanwang.plan.money import Asked, asked_of, carbons
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene, chain_of, static_key
from suanwang.plan.starts import starts_us
from suanwang.plan.weigh import Best


@dataclass(frozen=True)
class Decision:
    """What was found: for each pool its code, and the places in `best.pools` of the feasible ones, best first."""

    need: Need
    codes: Ints
    best: Best
    order: list[int]

    @property
    def chosen(self) -> int | None:
        return self.order[0] if self.order else None

    def verdicts(self) -> Ints:
        """One code a pool, in the grid's pool order; `CHOSEN` for the chosen one."""
        out = self.codes.copy()
        out[self.best.pools] = self.best.code
        if self.order:
            out[self.best.pools[self.order[0]]] = CHOSEN
        return out


def decide(scene: Scene, need: Need) -> Decision:
    """Weigh every candidate. Without a deadline the first start at which some pool is feasible decides."""
    codes = place_codes(scene, need)
    pools = np.flatnonzero(codes == PASSED)
    asked = asked_of(need.demand, need.shots)
    carbon_mg = carbons(scene.layout, pools, need.demand, asked, need.wall_us)
    owner_place = owner_places(scene.layout, need)[pools]
    best = Best(pools, scene.layout.rank[pools], owner_place, carbon_mg, need.preference)
    if len(pools):
        _weigh_starts(scene.allowed(need), need, asked, best)
    return Decision(need, codes, best, best.order())


def _weigh_starts(scene: Scene, need: Need, asked: Asked, best: Best) -> None:
    everyone = np.arange(len(best.pools))
    starts = starts_us(scene, need, best.pools)
    if need.deadline_us is None:
        for number, start_us in enumerate(starts):
            if number and not best.may_change(scene, need, asked, start_us, everyone):
                continue
            if best.weigh(scene, need, asked, start_us, everyone):
                return
        return
    floors = floors_of(scene, need, asked, best.pools, list(starts))
    in_time = need.preference is Preference.FASTEST
    for row in range(len(floors.starts_us)) if in_time else floors.promising():
        places = everyone if row == 0 else best.places(floors, row, need)
        if row and len(places):
            floors.refine(scene, need, asked, best.pools, row, places)
            floors.with_roads(scene, need, best.pools, row)
            places = best.places(floors, row, need)
        start_us = floors.starts_us[row]
        if len(places) and not (row and need.moves and not best.may_change(scene, need, asked, start_us, places)):
            best.weigh(scene, need, asked, start_us, places)


def place_codes(scene: Scene, need: Need) -> Ints:
    """The first clause up to `APART` that each pool fails, or `PASSED`."""
    layout, chain = scene.layout, chain_of(need)
    way = (need.origin, need.bound_us, chain, scene.up_key, scene.sec_key_of(chain), need.avoid_links, need.avoid_sites)
    key = ("reached", static_key(need), scene.live_key, way)
    codes = scene.kept_codes(key, lambda: _reached_codes(scene, need, chain)).copy()
    if need.together is not None:
        codes[(codes == PASSED) & ~_stands_at(layout, need.together)] = CODE[PoolReason.TOGETHER]
    if need.apart:
        codes[(codes == PASSED) & _stands_at(layout, need.apart)] = CODE[PoolReason.APART]
    return codes


def _reached_codes(scene: Scene, need: Need, chain: tuple[int, ...]) -> Ints:
    """The same up to `PROTECTION`: what does not change while nothing goes down or comes up."""
    static, layout = scene.codes(need), scene.layout
    codes: Ints = np.where(scene.live, static, np.minimum(static, CODE[PoolReason.SITE_DOWN]))
    origin = layout.network.node_of[need.origin]
    bound_us = 2**62 - 1 if need.bound_us is None else need.bound_us
    if need.avoid_links or need.avoid_sites:
        reached = scene.least_latency(origin, ()).node_latency_us()
        scene = scene.allowed(need)
        closed = (reached < FAR) & (scene.least_latency(origin, ()).node_latency_us() >= FAR)
        closed[[layout.network.node_of[site] for site in need.avoid_sites]] = True
        codes[(codes == PASSED) & closed[layout.node]] = CODE[PoolReason.AVOID]
    latency = scene.least_latency(origin, ()).node_latency_us()[layout.node]
    codes[(codes == PASSED) & (latency > bound_us)] = CODE[PoolReason.LATENCY]
    if chain:
        latency = scene.least_latency(origin, chain).node_latency_us()[layout.node]
        codes[(codes == PASSED) & (latency > bound_us)] = CODE[PoolReason.PROTECTION]
    return codes


def _stands_at(layout: Layout, sites: frozenset[SiteId]) -> Flags:
    """Which pools are at these sites."""
    there = np.zeros(len(layout.network.node_of), np.bool_)
    there[[layout.network.node_of[site] for site in sites]] = True
    found: Flags = there[layout.node]
    return found
