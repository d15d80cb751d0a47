"""The batch problem of a real snapshot: what is free at this moment, and the tasks that want it, by equal need.

Prices and roads of a class are the planner's own (`plan.weigh`), for a start at once. Each pool that passes the clauses
is a candidate, full or not: that it is full is for the program to price. It is weighed twice where bandwidth is held:
by the best road of the empty network, and by the best road round the links that are full. Left out, so that tasks merge
and one moment is enough: deadlines, tenants' budgets, company, and the bandwidth that data moves take before the run.
"""

from collections.abc import Sequence
from dataclasses import replace
from operator import add
from typing import Literal, NamedTuple

import numpy as np

from suanwang.guide.problem import Problem, room_of
from suanwang.model.grid import PoolKind
from suanwang.model.ids import LeaseId
from suanwang.model.plan import Demand, Hold
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Preference
from suanwang.plan.ask import PlanAsk
from suanwang.plan.clauses import PASSED
from suanwang.plan.decide import place_codes
from suanwang.plan.kernel.types import I32, I64, WHOLE, Classes, Fabric, no_floating
from suanwang.plan.layout import Layout, amounts, build_layout
from suanwang.plan.ledger import FOREVER_US, Ledger
from suanwang.plan.money import asked_of
from suanwang.plan.need import Need, need_of
from suanwang.plan.scene import Memory, Scene, scene_of
from suanwang.plan.weigh import WORSE, Best

CLASSES_MAX = 300
DEAR = 2**44  # micro-yuan; dearer candidates are left out, so that sums stay inside 64 bits
MOST = 2**31 - 1
MBPS = 1_000_000
MIB = 1 << 20
BY_NODES = (PoolKind.HPC, PoolKind.QUANTUM)  # whole nodes are counted where others count cores
Route = tuple[int, ...]


class Taken(NamedTuple):
    """A problem, and what its numbers stand for."""

    layout: Layout
    problem: Problem
    whole: I64  # [M] what there is of each resource, free or not
    needs: tuple[Need, ...]  # [C]
    left_out: int  # tasks of the classes beyond the first `CLASSES_MAX`


class _Class(NamedTuple):
    """The candidates of one need, cheapest first."""

    cost: I64
    pool: I64
    route: I64


def problem_of(snapshot: Snapshot, asks: Sequence[PlanAsk], now_us: int) -> Taken:
    """The problem of placing these tasks now. Derives all from its arguments and keeps nothing."""
    layout = build_layout(snapshot.index)
    memory = Memory(layout, Ledger(layout))
    standing = _standing(snapshot, now_us)
    memory.ledger.follow(standing)
    scene = scene_of(memory, standing)
    counts: dict[Need, int] = {}
    for ask in asks:
        need = at_once(need_of(ask, snapshot.index, now_us), now_us)
        counts[need] = counts.get(need, 0) + 1
    kept = sorted(counts, key=lambda need: -counts[need])[:CLASSES_MAX]  # a stable sort: first come, first kept
    routes: dict[Route, int] = {}
    found = [_class_of(scene, need, now_us, routes) for need in kept]
    whole = _rows(layout, layout.capacity, layout.empty_room)
    fabric = _fabric(layout, whole, routes)
    tasks = np.array([counts[need] for need in kept], np.int64)
    room = _room(scene, now_us)
    problem = Problem(fabric, _classes(kept, found), tasks, room)
    return Taken(layout, problem, whole, tuple(kept), len(asks) - int(tasks.sum()))


def _standing(snapshot: Snapshot, now_us: int) -> Snapshot:
    """The snapshot with what is held at this moment, summed by resource and held on: a calendar of every lease, of
    which only this moment is asked, would cost seconds where there are many."""
    sums: dict[tuple[Literal["pool", "link", "protection"], str], list[int]] = {}
    for holds in snapshot.leases.values():
        for hold in holds:
            if hold.start_us <= now_us < hold.end_us:
                figures = (0, 0, 0, 0) if hold.demand is None else amounts(hold.demand)
                found = sums.setdefault((hold.resource, hold.key), [0] * 5)
                found[:] = [*map(add, found, figures), found[4] + hold.bps]
    holds = tuple(
        Hold.model_construct(
            resource=resource,
            key=key,
            demand=_demand(*held) if resource == "pool" else None,
            bps=bps,
            start_us=now_us,
            end_us=FOREVER_US,
        )
        for (resource, key), (*held, bps) in sums.items()
    )
    return replace(snapshot, leases={LeaseId("standing"): holds}, history=None, history_end=0, by_key=None)


def _demand(cores: int, memory_bytes: int, accelerators: int, nodes: int) -> Demand:
    return Demand.model_construct(cores=cores, memory_bytes=memory_bytes, accelerators=accelerators, nodes=nodes)


def at_once(need: Need, now_us: int) -> Need:
    """The need without what makes tasks differ that want the same."""
    return replace(need, earliest_us=now_us, deadline_us=None, preference=Preference.CHEAPEST)


def _class_of(scene: Scene, need: Need, now_us: int, routes: dict[Route, int]) -> _Class:
    free = Ledger(scene.layout)
    parts = [_weighed(replace(scene, ledger=free), need, now_us, routes)]
    if need.bandwidth_bps and not scene.ledger.lines.is_empty:
        crowded = Ledger(scene.layout)
        crowded.lines = scene.ledger.lines
        parts.append(_weighed(replace(scene, ledger=crowded), need, now_us, routes))
    cost, _, pool, route = np.unique(np.concatenate(parts, axis=1), axis=1)  # sorted by cost, then in this order
    return _Class(cost, pool, route)


def places_of(scene: Scene, need: Need, now_us: int) -> tuple[I64, I64]:
    """(price in micro-yuan, pool) of each place that a need has for a start at once on a scene, by its cheapest road."""
    found = _weighed(scene, need, now_us, {})
    return found[0], found[2]


def _weighed(scene: Scene, need: Need, now_us: int, routes: dict[Route, int]) -> I64:
    """Columns (cost, latency, pool, route) of the pools that are feasible for a start at once."""
    pools = np.flatnonzero(place_codes(scene, need) == PASSED)
    if not len(pools):
        return np.zeros((4, 0), np.int64)
    none, scene = np.zeros(len(pools), np.int64), scene.allowed(need)
    best = Best(pools, scene.layout.rank[pools], none, none, need.preference)
    best.weigh(scene, need, asked_of(need.demand, need.shots), now_us, np.arange(len(pools)))
    found = np.flatnonzero((best.code == WORSE) & (best.price < DEAR))
    route = np.full(len(found), -1, np.int64)
    start = best.starts[0]
    if need.bandwidth_bps and start is not None:
        links = len(scene.layout.network.to)
        for row, at in enumerate(found.tolist()):
            tree, node = start.roads.tree_at(int(best.end_us[at]) - need.wall_us), int(scene.layout.node[pools[at]])
            used = tree.made.get(("uses", node))
            if used is None:
                walk = tree.walk(node)
                used = tree.made["uses", node] = (*walk.edges, *(links + number for number, _ in walk.pools))
            route[row] = routes.setdefault(used, len(routes))
    return np.stack([best.price[found], best.latency_us[found], pools[found].astype(np.int64), route])


def _classes(needs: Sequence[Need], found: Sequence[_Class]) -> Classes:
    nodes = [max(need.elements, 1) for need in needs]
    demands = [need.demand for need in needs]
    cores = [one.nodes if need.kind in BY_NODES else one.cores for one, need in zip(demands, needs, strict=True)]
    cards = [one.accelerators // many for one, many in zip(demands, nodes, strict=True)]
    mbps = [-(-need.bandwidth_bps // MBPS) for need in needs]
    float_first, float_use, float_amount = no_floating(len(needs))
    return Classes(
        cpu=_small([one * 1000 // many for one, many in zip(cores, nodes, strict=True)]),
        mem=_small([-(-one.memory_bytes // (many * MIB)) for one, many in zip(demands, nodes, strict=True)]),
        cards=_small(cards),
        milli=_small([one * WHOLE for one in cards]),
        mbps=np.array([min(one, MOST) for one in mbps], np.int64),
        nodes=_small(nodes),
        latency_bound_us=np.full(len(needs), DEAR, np.int64),  # the planner has kept to it
        reject_cost=np.array([2 * int(np.median(one.cost)) if len(one.cost) else 0 for one in found], np.int64),
        cand_first=np.cumsum([0, *(len(one.cost) for one in found)]).astype(np.int32),
        cand_pool=_joined([one.pool for one in found]).astype(np.int32),
        cand_route=_joined([one.route for one in found]).astype(np.int32),
        cand_cost=_joined([one.cost for one in found]),
        float_first=float_first,
        float_use=float_use,
        float_amount=float_amount,
    )


def _small(values: Sequence[int]) -> I32:
    return np.array([min(one, MOST) for one in values], np.int32)


def _joined(parts: Sequence[I64]) -> I64:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _rows(layout: Layout, pools: I64, lines: I64) -> I64:
    """Amounts of pools [pool, figure] and of lines in bit/s as rows of the problem, rounded down."""
    by_nodes = np.array([pool.kind in BY_NODES for pool, _ in layout.pools], np.bool_)
    cores = np.minimum(np.where(by_nodes, pools[:, 3], pools[:, 0]), DEAR) * 1000
    cards = np.minimum(pools[:, 2], DEAR) * WHOLE
    return room_of(np.stack([cores, pools[:, 1] // MIB, cards], axis=1), lines // MBPS)


def _room(scene: Scene, now_us: int) -> I64:
    """What is free at this moment."""
    layout, pools, lines = scene.layout, scene.layout.capacity.copy(), scene.layout.empty_room.copy()
    for at in scene.ledger.pools.busy_resources().tolist():
        pools[at] -= scene.ledger.pools.peak(at, now_us, now_us + 1)
    for at in scene.ledger.lines.busy_resources().tolist():
        lines[at] -= scene.ledger.lines.peak(at, now_us, now_us + 1)[0]
    return np.maximum(_rows(layout, pools, lines), 0)


def _fabric(layout: Layout, whole: I64, routes: dict[Route, int]) -> Fabric:
    """Pools as sums: they have no nodes here."""
    pools = len(layout.pools)
    none, bare = np.zeros(pools, np.int64), np.zeros(pools, np.int32)
    cpu, mem, milli, capacity = np.split(whole, [pools, 2 * pools, 3 * pools])
    return Fabric(
        pool_site=layout.node.astype(np.int32),
        pool_model=np.full(pools, -1, np.int32),
        pool_price=none,
        pool_cpu=cpu,
        pool_mem=mem,
        pool_milli=milli,
        node_first=np.zeros(pools + 1, np.int32),
        shape_cpu=bare,
        shape_mem=bare,
        shape_cards=bare,
        capacity=capacity,
        route_first=np.cumsum([0, *(len(one) for one in routes)]).astype(np.int32),
        route_use=np.array([one for route in routes for one in route], np.int32),
        route_latency_us=np.zeros(len(routes), np.int64),
    )
