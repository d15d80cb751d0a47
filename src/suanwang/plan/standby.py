"""A second place for a task that asks for one: another site, over a way that shares no risk with the first.

The first place and its path are chosen as if there were no second one; the best candidate that has a second place is
taken, and of its second places the best by the same preference. Where no candidate has one, the next moment at which
something is free is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from suanwang.model.grid import Site
from suanwang.model.ids import SiteId
from suanwang.model.plan import ChargeKind, Hold, Line, Path, Plan, ProtectionStep, StandbyPlace
from suanwang.model.reason import PoolReason
from suanwang.model.tariff import compute_lines, network_lines, total_micro_yuan
from suanwang.model.task import Standby
from suanwang.net import Walk
from suanwang.plan.ask import PlanAsk, PlanIds
from suanwang.plan.build import build_path, build_plan, hold_line, place_holds, steps_of, user_walk
from suanwang.plan.clauses import CODE, PASSED, owner_places
from suanwang.plan.decide import Decision, decide, place_codes
from suanwang.plan.layout import Layout
from suanwang.plan.money import asked_of, carbons
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene
from suanwang.plan.starts import starts_us
from suanwang.plan.weigh import Best

# Later moments that are tried where no candidate of a moment has a second place.
LATER_MAX = 24


@dataclass(frozen=True)
class Second:
    """A second place found: a pool and the walk to it."""

    pool_number: int
    walk: Walk


def decided(scene: Scene, need: Need) -> Decision:
    """What is decided for a need, with a second place where it asks for one."""
    return with_second(scene, need)[0]


def with_second(scene: Scene, need: Need) -> tuple[Decision, Second | None]:
    """The decision, its order without the candidates that have no second place, and the second place of its first."""
    decision = decide(scene, need)
    if need.standby is None:
        return decision, None
    first, elsewhere = decision, Elsewhere(scene, need)
    for start_us in [need.earliest_us, *_later(scene, need, decision, elsewhere)]:
        if start_us != need.earliest_us:
            decision = decide(scene, replace(need, earliest_us=start_us))
        for at in list(decision.order):
            second = _second(scene, decision, at, elsewhere)
            if second is not None:
                return decision, second
            decision.order.remove(at)
            decision.best.code[at] = CODE[PoolReason.STANDBY]
    return first, None


class Elsewhere:
    """Which places have any pool far enough from them that takes the task, whatever is held and whenever it is.

    Without the links that share a risk with the way to a first place no path is quicker, so where there is no such pool
    over all links there is none beside any way, at any moment.
    """

    def __init__(self, scene: Scene, need: Need) -> None:
        self._scene, self._need = scene, replace(need, moves=())
        self._found: dict[frozenset[SiteId], bool] = {}

    def near(self, site: Site) -> frozenset[SiteId]:
        """The sites that are too near to a first place."""
        if self._need.standby is Standby.SITE:
            return frozenset({site.id})
        return frozenset(one.id for one in self._scene.layout.index.grid.sites if one.region == site.region)

    def has_any(self, near: frozenset[SiteId]) -> bool:
        found = self._found.get(near)
        if found is None:
            codes = place_codes(self._scene, replace(self._need, excluded=self._need.excluded | near))
            found = self._found[near] = bool((codes == PASSED).any())
        return found


def _later(scene: Scene, need: Need, decision: Decision, elsewhere: Elsewhere) -> Iterator[int]:
    """Moments after the earliest, few at a time: each is decided anew. None where no moment is better than another."""
    if not decision.order or _never_changes(scene, need):
        return
    sites = {site.id: site for _, site in (scene.layout.pools[one] for one in decision.best.pools.tolist())}
    if any(elsewhere.has_any(elsewhere.near(site)) for site in sites.values()):
        found = [one for one in starts_us(scene, need, decision.best.pools) if one > need.earliest_us]
        yield from found[:LATER_MAX]


def _never_changes(scene: Scene, need: Need) -> bool:
    """Whether a candidate that has no second place at the earliest moment has none later. Where nothing is held and no
    link is ever in maintenance, way and room are always the same; only the price, and so what a limit leaves, is not."""
    return need.price_limit is None and not len(scene.layout.closed) and scene.is_empty


def _second(scene: Scene, decision: Decision, at: int, elsewhere: Elsewhere) -> Second | None:
    """The best second place beside one candidate."""
    need, best, layout = decision.need, decision.best, scene.layout
    pool_number = int(best.pools[at])
    near = elsewhere.near(layout.pools[pool_number][1])
    if not elsewhere.has_any(near):
        return None
    start = best.starts[int(best.start[at])]
    assert start is not None, "the start of a feasible candidate is kept"
    run_start_us = int(best.end_us[at]) - need.wall_us
    walk = user_walk(start, int(layout.node[pool_number]), run_start_us)
    left = None if need.price_limit is None else need.price_limit - int(best.price[at])
    beside = replace(
        need,
        moves=(),
        excluded=need.excluded | near,
        earliest_us=run_start_us,
        deadline_us=None,
        price_limit=left,
        shots=0,
    )
    held = _protection_holds(scene, need, walk, run_start_us)
    scene.ledger.push(held)
    try:
        return _best(_apart(scene, need, walk), beside, run_start_us)
    finally:
        scene.ledger.pop()


def _best(scene: Scene, need: Need, start_us: int) -> Second | None:
    """The best place for a run that begins at this moment and at no other."""
    layout = scene.layout
    pools = np.flatnonzero(place_codes(scene, need) == PASSED)
    if not len(pools):
        return None
    scene = scene.allowed(need)
    carbon_mg = carbons(layout, pools, need.demand, asked_of(need.demand, 0), need.wall_us)
    best = Best(pools, layout.rank[pools], owner_places(layout, need)[pools], carbon_mg, need.preference)
    best.weigh(scene, need, asked_of(need.demand, 0), start_us, np.arange(len(pools)))
    order = best.order()
    if not order:
        return None
    start = best.starts[int(best.start[order[0]])]
    assert start is not None, "the start of a feasible candidate is kept"
    pool_number = int(pools[order[0]])
    return Second(pool_number, user_walk(start, int(layout.node[pool_number]), start_us))


def _apart(scene: Scene, need: Need, walk: Walk) -> Scene:
    """The scene without the links that the walk holds bandwidth on, and those that share a risk with one of them. An
    idle place uses no energy, so none is priced."""
    tariffs = scene.layout.tariffs
    layout = replace(scene.layout, tariffs=tariffs._replace(kwh=np.zeros_like(tariffs.kwh)))
    if not need.bandwidth_bps:
        return replace(scene, layout=layout)
    return replace(scene.without(risky_links(layout, {edge // 2 for edge in walk.edges})), layout=layout)


def risky_links(layout: Layout, used: set[int]) -> set[int]:
    """These links, and those that share a risk with one of them: by their place in the grid."""
    links = layout.index.grid.links
    groups = {group for at in used for group in links[at].shared_risk_groups}
    return {at for at, link in enumerate(links) if at in used or not groups.isdisjoint(link.shared_risk_groups)}


def _protection_holds(scene: Scene, need: Need, walk: Walk, start_us: int) -> tuple[Hold, ...]:
    """What the first way holds of security pools, which both ways may pass."""
    steps = steps_of(scene.layout, need, walk) if need.bandwidth_bps else ()
    return tuple(
        hold_line("protection", step.security_pool, start_us, start_us + need.wall_us, need.bandwidth_bps)
        for step in steps
    )


def build_with_second(scene: Scene, ask: PlanAsk, decision: Decision, second: Second | None, ids: PlanIds) -> Plan:
    """The plan of the chosen candidate, and the second place with its holds and its own lines."""
    made = build_plan(scene, ask, decision, ids)
    if second is None:
        return made
    layout, need = scene.layout, decision.need
    pool, site = layout.pools[second.pool_number]
    path: Path = build_path(layout, int(layout.network.node_of[need.origin]), second.walk)
    protection: tuple[ProtectionStep, ...] = steps_of(layout, need, second.walk)
    holds = place_holds(need, pool.id, path, protection, made.run_start_us, made.end_us)
    book = layout.index.price_books[site.price_book]
    lines = compute_lines(book, pool, site, need.demand, 0, made.run_start_us, made.end_us)
    quote: list[Line] = [one for one in lines if one.kind is not ChargeKind.ENERGY]
    quote += network_lines(layout.index, need.bandwidth_bps, need.wall_us, path, protection)
    state = scene.sites.get(site.id)
    place = StandbyPlace.model_construct(
        site=site.id,
        pool=pool.id,
        emulated=state is not None and state.emulated,
        path=path,
        protection=protection,
    )
    return made.model_copy(
        update={
            "standby": place,
            "holds": (*made.holds, *holds),
            "quote": (*made.quote, *quote),
            "quote_micro_yuan": made.quote_micro_yuan + total_micro_yuan(quote),
        }
    )
