"""What would make a task fit: for each clause the smallest change of that one clause.

Each change is tried by deciding the changed task, so that what is said is true. Numbers that can only help by growing
(or shrinking) are halved down to the smallest change; the few levels and shapes of a grid are tried in order.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from suanwang.model.ability import FIELD_OF
from suanwang.model.grid import Ability, PoolKind
from suanwang.model.ids import PoolId
from suanwang.model.plan import Demand, Relaxation
from suanwang.model.reason import PoolReason
from suanwang.model.task import Preference, Standby
from suanwang.model.units import (
    AT_US_MAX,
    MICRO_YUAN_MAX,
    show_at,
    show_bps,
    show_bytes,
    show_span,
    show_yuan,
)
from suanwang.plan.build import user_walk
from suanwang.plan.decide import Decision
from suanwang.plan.layout import KINDS
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene, all_live, all_secured
from suanwang.plan.standby import decided

Found = Relaxation | None
AVOIDED_SHOWN = 5  # sites
WHAT_IT_IS = frozenset({Ability.COMMANDS, Ability.CIRCUITS})
FIELDS = ("resources.cpu", "resources.memory", "resources.accelerators", "resources.qubits")


def relaxations(scene: Scene, need: Need) -> tuple[Relaxation, ...]:
    """The changes that help, in the order of the clauses. The task as it is fits nowhere."""
    return tuple(one for one in _all(scene, need) if one is not None)


def _all(scene: Scene, need: Need) -> Iterator[Found]:
    yield _kind(scene, need)
    yield _sites(scene, need)
    yield _owners(scene, need)
    yield _down(scene, need)
    yield _security_level(scene, need)
    yield _residency(scene, need)
    yield _data_residency(scene, need)
    yield from (_node_figure(scene, need, figure) for figure in range(len(FIELDS)))
    yield _accelerator(scene, need)
    yield _ability(scene, need)
    yield _smaller(scene, need)
    yield _avoid(scene, need)
    yield _latency(scene, need)
    yield _security_down(scene, need)
    yield _protection(scene, need)
    yield _company(scene, need, PoolReason.TOGETHER)
    yield _company(scene, need, PoolReason.APART)
    yield _bandwidth(scene, need)
    yield _data(scene, need)
    yield _deadline(scene, need)
    yield _price_limit(scene, need)
    yield _standby(scene, need)


def _standby(scene: Scene, need: Need) -> Found:
    if need.standby is None:
        return None
    changes = [("none", replace(need, standby=None))]
    if need.standby is Standby.REGION:
        changes.insert(0, (Standby.SITE.value, replace(need, standby=Standby.SITE)))
    return _say(PoolReason.STANDBY, "standby", need.standby.value, _first(scene, changes))


def _try(scene: Scene, need: Need) -> tuple[Decision, PoolId] | None:
    """The decision and the pool chosen, where the need fits."""
    decision = decided(scene, need)
    if decision.chosen is None:
        return None
    return decision, scene.layout.index.pool_order[int(decision.best.pools[decision.chosen])]


def _first(scene: Scene, changes: Iterable[tuple[str, Need]]) -> tuple[str, PoolId] | None:
    """The first of the changes, named, with which the task fits."""
    for name, need in changes:
        found = _try(scene, need)
        if found is not None:
            return name, found[1]
    return None


def _least(
    scene: Scene, change: Callable[[int], Need], near: int, far: int, fineness: int = 2**62
) -> tuple[int, PoolId] | None:
    """The value nearest to `near` (which does not do) with which the task fits; `far` is the last that is thought of.

    Exact, or to one part in `fineness` of the value.
    """
    best = _try(scene, change(far))
    if best is None:
        return None
    pool, does, does_not = best[1], far, near
    while abs(does - does_not) > max(1, does // fineness):
        middle = (does + does_not) // 2
        found = _try(scene, change(middle))
        if found is None:
            does_not = middle
        else:
            does, pool = middle, found[1]
    return does, pool


def _say(clause: PoolReason, field: str, asked: str, found: tuple[str, PoolId] | None) -> Found:
    if found is None:
        return None
    return Relaxation(clause=clause, field=field, asked=asked, needed=found[0], pool=found[1])


def _kind(scene: Scene, need: Need) -> Found:
    changes = []
    for kind in KINDS:
        if kind is not need.kind:
            changes.append((kind.value, replace(need, kind=kind, demand=_demand(need, kind))))
    return _say(PoolReason.KIND, "resources.kind", need.kind.value, _first(scene, changes))


def _demand(need: Need, kind: PoolKind) -> Demand:
    """The demand of the same nodes in another kind of pool."""
    if kind in (PoolKind.HPC, PoolKind.QUANTUM):
        return Demand(nodes=need.elements)
    cores, memory, accelerators, _ = need.node_figures
    return Demand(
        cores=cores * need.elements, memory_bytes=memory * need.elements, accelerators=accelerators * need.elements
    )


def _sites(scene: Scene, need: Need) -> Found:
    if not need.sites:
        return None
    found = _try(scene, replace(need, sites=frozenset()))
    site = None if found is None else (f"+ {_site(scene, found[1])}", found[1])
    return _say(PoolReason.SITE_LIST, "sites", ", ".join(sorted(need.sites)), site)


def _owners(scene: Scene, need: Need) -> Found:
    if not need.owners:
        return None
    found = _try(scene, replace(need, owners=()))
    owner = None if found is None else (f"+ {scene.layout.index.pools[found[1]][1].owner}", found[1])
    return _say(PoolReason.OWNER, "owners", ", ".join(need.owners), owner)


def _site(scene: Scene, pool: PoolId) -> str:
    return scene.layout.index.pools[pool][1].id


def _region(scene: Scene, pool: PoolId) -> str:
    return scene.layout.index.pools[pool][1].region


def _down(scene: Scene, need: Need) -> Found:
    if scene.live.all():
        return None
    found = _try(all_live(scene), need)
    return _say(PoolReason.SITE_DOWN, "site", "live", None if found is None else (_site(scene, found[1]), found[1]))


def _security_level(scene: Scene, need: Need) -> Found:
    levels = range(need.security_level - 1, 0, -1)
    found = _first(scene, ((str(one), replace(need, security_level=one)) for one in levels))
    return _say(PoolReason.SECURITY_LEVEL, "security_level", str(need.security_level), found)


def _residency(scene: Scene, need: Need) -> Found:
    if not need.residency:
        return None
    found = _try(scene, replace(need, residency=()))
    region = None if found is None else (f"+ {_region(scene, found[1])}", found[1])
    return _say(PoolReason.RESIDENCY, "residency", ", ".join(need.residency), region)


def _data_residency(scene: Scene, need: Need) -> Found:
    asked = sorted({region for move in need.moves for region in move.residency})
    if not asked:
        return None
    found = _try(scene, replace(need, moves=tuple(replace(move, residency=()) for move in need.moves)))
    region = None if found is None else (f"+ {_region(scene, found[1])}", found[1])
    return _say(PoolReason.DATA_RESIDENCY, "inputs", ", ".join(asked), region)


def _node_figure(scene: Scene, need: Need, figure: int) -> Found:
    """A smaller figure of one node: the largest that some node of the grid has and that does."""
    asked = need.node_figures[figure]
    has = scene.layout.tariffs.node_figures[scene.layout.tariffs.kind == KINDS.index(need.kind), figure]
    values = [one for one in np.unique(has).tolist()[::-1] if 0 < one < asked]

    def change(value: int) -> Need:
        figures = list(need.node_figures)
        figures[figure] = value
        changed = replace(need, node_figures=(figures[0], figures[1], figures[2], figures[3]))
        return replace(changed, demand=_demand(changed, need.kind))

    shown: Callable[[int], str] = show_bytes if figure == 1 else str
    found = _first(scene, ((shown(one), change(one)) for one in values))
    return _say(PoolReason.NODE_SHAPE, FIELDS[figure], shown(asked), found)


def _accelerator(scene: Scene, need: Need) -> Found:
    if need.model is None:
        return None
    models = sorted(set(scene.layout.models.tolist()) - {"", need.model})
    found = _first(scene, ((one, replace(need, model=one)) for one in models))
    return _say(PoolReason.ACCELERATOR, "resources.accelerator", need.model, found)


def _ability(scene: Scene, need: Need) -> Found:
    """Without what some pool cannot do: the fewest things that some pool of the grid lacks together, and that do. A task cannot
    do without what it runs."""
    short = {
        tuple(one for one in need.abilities if one in pool.lacks)
        for pool, _ in scene.layout.pools
        if not set(need.abilities).isdisjoint(pool.lacks)
    }
    order = need.abilities.index
    able = [some for some in short if WHAT_IT_IS.isdisjoint(some)]
    for lacked in sorted(able, key=lambda some: (len(some), [order(one) for one in some])):
        rest = tuple(one for one in need.abilities if one not in lacked)
        found = _try(scene, replace(need, abilities=rest))
        if found is not None:
            said = f"without {', '.join(lacked)}", found[1]
            return _say(PoolReason.ABILITY, FIELD_OF[lacked[0]], ", ".join(need.abilities), said)
    return None


def _smaller(scene: Scene, need: Need) -> Found:
    """Fewer elements of the array, or else fewer nodes of the gang."""
    nodes = need.elements // need.array
    if need.array > 1:
        field, asked, unit = "array", need.array, nodes
    elif nodes > 1:
        field, asked, unit = "resources.nodes", nodes, 1
    else:
        return None

    def change(count: int) -> Need:
        changed = replace(need, elements=count * unit, shots=need.shots * count // asked)
        return replace(changed, demand=_demand(changed, need.kind))

    found = _least(scene, change, asked, 1)
    clause = PoolReason.POOL_SIZE if scene.is_empty else PoolReason.CAPACITY
    return _say(clause, field, str(asked), None if found is None else (str(found[0]), found[1]))


def _avoid(scene: Scene, need: Need) -> Found:
    """With everything that it must not cross."""
    if not need.avoid_links and not need.avoid_sites:
        return None
    asked = ", ".join([*sorted(need.avoid_sites)[:AVOIDED_SHOWN], f"{len(need.avoid_links)} links"])
    change = replace(need, avoid_links=frozenset(), avoid_sites=frozenset())
    return _say(PoolReason.AVOID, "avoid", asked, _first(scene, [("none", change)]))


def _latency(scene: Scene, need: Need) -> Found:
    if need.bound_us is None:
        return None
    free = _try(scene, replace(need, bound_us=None))
    if free is None:
        return None
    best, order = free[0].best, free[0].order
    far_us = int(best.latency_us[order[0]])
    if need.bandwidth_bps:
        found = _least(scene, lambda bound_us: replace(need, bound_us=bound_us), need.bound_us, far_us)
    else:  # the path to a place is the same whatever the bound, so the nearest place that would do says it
        near_us = int(best.latency_us[order].min())
        nearest = _try(scene, replace(need, bound_us=near_us))
        found = None if nearest is None else (near_us, nearest[1])
    needed = None if found is None else (_exact_span(found[0]), found[1])
    return _say(PoolReason.LATENCY, "latency", _exact_span(need.bound_us), needed)


def _exact_span(span_us: int) -> str:
    """A span that is true when it is typed back: rounded up to a microsecond, not to four figures."""
    return f"{span_us / 1000:.3f}".rstrip("0").rstrip(".") + " ms" if span_us < 10_000_000 else show_span(span_us)


def _security_down(scene: Scene, need: Need) -> Found:
    """With the security pools that are out: those of them that the way would pass."""
    if scene.sec_up.all() or not need.chain:
        return None
    found = _try(all_secured(scene), need)
    if found is None:
        return None
    decision, pool = found
    at = decision.order[0]
    start = decision.best.starts[int(decision.best.start[at])]
    assert start is not None, "the start of a feasible candidate is kept"
    run_start_us = int(decision.best.end_us[at]) - need.wall_us
    walk = user_walk(start, int(scene.layout.node[decision.best.pools[at]]), run_start_us)
    order = scene.layout.index.security_order
    down = dict.fromkeys(order[number] for number, _ in walk.pools if not scene.sec_up[number])
    return _say(PoolReason.PROTECTION, "security_pool", "up", (", ".join(down), pool) if down else None)


def _protection(scene: Scene, need: Need) -> Found:
    """Without one of the functions, or else without all of them."""
    chains = [need.chain[:at] + need.chain[at + 1 :] for at in range(len(need.chain))]
    chains += [()] if len(need.chain) > 1 else []
    changes = ((", ".join(chain) or "none", replace(need, chain=chain)) for chain in chains)
    return _say(PoolReason.PROTECTION, "protection", ", ".join(need.chain), _first(scene, changes))


def _company(scene: Scene, need: Need, clause: PoolReason) -> Found:
    """Wherever the others are: at the site named, which is one that they leave open or rule out now."""
    together = clause is PoolReason.TOGETHER
    sites = need.together if together else need.apart
    if sites is None or (not sites and not together):
        return None
    found = _try(scene, replace(need, together=None) if together else replace(need, apart=frozenset()))
    site = None if found is None else (f"{'+' if together else '-'} {_site(scene, found[1])}", found[1])
    field = "together_with" if together else "apart_from"
    return _say(clause, field, ", ".join(sorted(sites)) or "none", site)


def _bandwidth(scene: Scene, need: Need) -> Found:
    if not need.bandwidth_bps:
        return None
    least = 1 if need.chain else 0
    found = _least(scene, lambda bps: replace(need, bandwidth_bps=bps), need.bandwidth_bps, least, 10_000)
    needed = None if found is None else (show_bps(_round_down(found[0])), found[1])
    return _say(PoolReason.BANDWIDTH, "bandwidth", show_bps(need.bandwidth_bps), needed)


def _round_down(value: int) -> int:
    """To four figures, which is what `show_bps` shows: what is said must not be more than what does."""
    scale: int = 10 ** max(0, len(str(value)) - 4)
    return value // scale * scale


def _data(scene: Scene, need: Need) -> Found:
    """Without one of the inputs."""
    changes = [
        (f"without {move.data_set}", replace(need, moves=tuple(one for one in need.moves if one is not move)))
        for move in need.moves
    ]
    asked = ", ".join(move.data_set for move in need.moves)
    return _say(PoolReason.DATA_PATH, "inputs", asked, _first(scene, changes))


def _deadline(scene: Scene, need: Need) -> Found:
    if need.deadline_us is None:
        return None
    found = _try(scene, replace(need, deadline_us=AT_US_MAX, preference=Preference.FASTEST))
    if found is None:
        return None
    end_us = int(found[0].best.end_us[found[0].order[0]])
    needed = show_at(-(-end_us // 1000) * 1000)
    return _say(PoolReason.DEADLINE, "deadline", show_at(need.deadline_us), (needed, found[1]))


def _price_limit(scene: Scene, need: Need) -> Found:
    if need.price_limit is None:
        return None
    found = _try(scene, replace(need, price_limit=MICRO_YUAN_MAX, preference=Preference.CHEAPEST))
    if found is None:
        return None
    price = int(found[0].best.price[found[0].order[0]])
    return _say(PoolReason.PRICE_LIMIT, "price_limit", show_yuan(need.price_limit), (show_yuan(price), found[1]))
