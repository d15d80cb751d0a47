"""Another path for a plan that is being carried out: the place, the pool, the window and the price stay.

The search is the planner's own, on what is free beside all other leases, from now to the end of the lease. What the old
path holds is free for the new one. A task with a standby place keeps its two ways apart.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from suanwang.model.compact import AnyPlan, Holds, full_plan, last_end_us
from suanwang.model.ids import LinkId, SecurityPoolId
from suanwang.model.plan import Hold, Path, Plan, ProtectionStep, QuotedWay
from suanwang.model.snapshot import Snapshot
from suanwang.net.tree import FAR
from suanwang.plan.ask import PlanAsk, PlanIds
from suanwang.plan.build import build_path, hold_line, link_key, steps_of
from suanwang.plan.layout import Layout
from suanwang.plan.need import Need, need_of
from suanwang.plan.planner import scene_without
from suanwang.plan.roads import roads_at
from suanwang.plan.scene import Scene
from suanwang.plan.standby import risky_links


@dataclass(frozen=True)
class RepairAsk:
    """A plan that needs another path, as its task would be asked for now.

    `avoid` and `avoid_pools`: links and security pools that the new path must not use. `below_us`: its latency must be
    less than this; None: any within the task's own bound.
    """

    ask: PlanAsk
    plan: AnyPlan
    avoid: frozenset[LinkId]
    below_us: int | None = None
    avoid_pools: frozenset[SecurityPoolId] = frozenset()


def repair(snapshot: Snapshot, asked: RepairAsk, now_us: int, ids: PlanIds) -> Plan | None:
    """The plan with the cheapest path that will do, or None. One plan id is made, and only for a plan.

    Links and security pools that are down in the snapshot are not used. The snapshot holds the plan's lease, which ends after `now_us`.
    """
    plan = asked.plan
    lease = snapshot.leases[plan.lease_id]
    begin_us, end_us = max(now_us, plan.run_start_us), last_end_us(lease)
    assert begin_us < end_us, "the lease of what runs ends after now"
    kept = _kept(plan, lease, begin_us, end_us)
    need = _need(asked, snapshot, end_us - begin_us)
    with scene_without(snapshot, plan.lease_id, kept) as scene:
        found = _search(_allowed(scene, asked).allowed(need), need, plan, begin_us)
    if found is None or found == (plan.path, plan.protection):
        return None
    path, protection = found
    return full_plan(plan).model_copy(
        update={
            "plan_id": ids.plan_id(),
            "generation": asked.ask.generation,
            "parent": asked.ask.parent,
            "snapshot_version": snapshot.version,
            "path": path,
            "protection": protection,
            "quoted": plan.quoted or QuotedWay(path=plan.path, protection=plan.protection),
            "holds": (*kept, *_way(plan, path, protection, begin_us, end_us)),
        }
    )


def _need(asked: RepairAsk, snapshot: Snapshot, span_us: int) -> Need:
    need = need_of(asked.ask, snapshot.index, 0)
    bound_us = need.bound_us
    if asked.below_us is not None:
        bound_us = asked.below_us - 1 if bound_us is None else min(bound_us, asked.below_us - 1)
    return replace(need, bandwidth_bps=asked.plan.bandwidth_bps, wall_us=span_us, bound_us=bound_us, moves=())


def _kept(plan: AnyPlan, lease: Holds, begin_us: int, end_us: int) -> tuple[Hold, ...]:
    """What the lease holds whichever way traffic goes: the pools, moves of data (all before the run), the standby way."""
    kept = [hold for hold in lease if hold.resource == "pool" or hold.start_us < plan.run_start_us]
    place = plan.standby
    if place is not None:
        kept += _way(plan, place.path, place.protection, begin_us, end_us)
    return tuple(kept)


def _way(plan: AnyPlan, path: Path, protection: Collection[ProtectionStep], start_us: int, end_us: int) -> list[Hold]:
    bps = plan.bandwidth_bps
    if not bps:
        return []
    links = [hold_line("link", link_key(one), start_us, end_us, bps) for one in path.links]
    return [*links, *(hold_line("protection", one.security_pool, start_us, end_us, bps) for one in protection)]


def _allowed(scene: Scene, asked: RepairAsk) -> Scene:
    """The scene without what is to be avoided and, of a task with a standby place, the links that its second way needs."""
    layout, place = scene.layout, asked.plan.standby
    avoided = {layout.link_at[one] for one in asked.avoid if one in layout.link_at}
    if place is not None and asked.plan.bandwidth_bps:
        avoided |= risky_links(layout, _numbers(layout, place.path))
    pools = {layout.sec_at[one] for one in asked.avoid_pools if one in layout.sec_at}
    return scene.without(avoided, pools) if avoided or pools else scene


def _numbers(layout: Layout, path: Path) -> set[int]:
    return {layout.link_at[one.link] for one in path.links}


def _search(scene: Scene, need: Need, plan: AnyPlan, begin_us: int) -> tuple[Path, tuple[ProtectionStep, ...]] | None:
    layout = scene.layout
    node = layout.network.node_of[plan.site]
    roads = roads_at(scene, need, begin_us)
    if int(roads.latency_us[0, node]) >= FAR:
        return None
    walk = roads.tree_at(begin_us).walk(node)
    return build_path(layout, layout.network.node_of[need.origin], walk), steps_of(layout, need, walk)
