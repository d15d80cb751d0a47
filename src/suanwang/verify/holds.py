"""Holds: are they what the plan needs, neither more nor less, and do they fit beside every lease of the snapshot."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from suanwang.model.compact import AnyPlan, Holds
from suanwang.model.ids import LeaseId, LinkId, PoolId, SecurityPoolId
from suanwang.model.plan import Demand, DirectedLink, Hold
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import GridIndex, Snapshot

FULL = {
    "pool": PlanFault.POOL_OVERSUBSCRIBED,
    "link": PlanFault.LINK_OVERSUBSCRIBED,
    "protection": PlanFault.PROTECTION_OVERSUBSCRIBED,
}
Needs = tuple[int, ...]


def hold_faults(plan: AnyPlan, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the holds."""
    wanted, got = Counter(_wanted(plan)), Counter(row(hold) for hold in plan.holds)
    if wanted != got:
        yield PlanFault.HOLDS_WRONG, f"not needed: {list(got - wanted)}; missing: {list(wanted - got)}"
    mine: dict[tuple[str, str], list[Hold]] = defaultdict(list)
    for hold in plan.holds:
        mine[hold.resource, hold.key].append(hold)
    beside = others(plan.lease_id, set(mine), snapshot)
    for (resource, key), holds in mine.items():
        capacity = capacity_of(resource, key, snapshot.index)
        if capacity is None:
            yield PlanFault.HOLDS_WRONG, f"{resource} {key} is unknown"
        elif (at_us := over(capacity, holds, beside.get((resource, key), ()))) is not None:
            yield FULL[resource], f"{key} at {at_us}"


def over_capacity(lease: LeaseId, holds: Sequence[Hold], snapshot: Snapshot) -> Iterator[tuple[str, str, int]]:
    """(resource, key, first moment) of what these holds, beside those of every other lease, use beyond its capacity. A
    resource that does not exist has none."""
    mine: dict[tuple[str, str], list[Hold]] = defaultdict(list)
    for hold in holds:
        mine[hold.resource, hold.key].append(hold)
    beside = others(lease, set(mine), snapshot)
    for (resource, key), own in mine.items():
        capacity = capacity_of(resource, key, snapshot.index)
        at_us = own[0].start_us if capacity is None else over(capacity, own, beside.get((resource, key), ()))
        if at_us is not None:
            yield resource, key, at_us


def _wanted(plan: AnyPlan) -> Iterator[tuple[object, ...]]:
    """The holds that follow from the plan's decisions, as rows."""
    run = (plan.run_start_us, plan.end_us)
    yield ("pool", plan.pool, _figures(plan.demand), *run)
    if plan.bandwidth_bps:
        for one in plan.path.links:
            yield ("link", direction(one), (plan.bandwidth_bps,), *run)
        for step in plan.protection:
            yield ("protection", step.security_pool, (plan.bandwidth_bps,), *run)
    if plan.standby is not None:
        yield ("pool", plan.standby.pool, _figures(plan.demand), *run)
        for one in plan.standby.path.links if plan.bandwidth_bps else ():
            yield ("link", direction(one), (plan.bandwidth_bps,), *run)
        for step in plan.standby.protection if plan.bandwidth_bps else ():
            yield ("protection", step.security_pool, (plan.bandwidth_bps,), *run)
    for move in plan.data:
        for one in move.path.links:
            yield ("link", direction(one), (move.rate_bps,), move.start_us, move.end_us)


def direction(one: DirectedLink) -> str:
    return one.link + (":ab" if one.forward else ":ba")


def row(hold: Hold) -> tuple[object, ...]:
    return (hold.resource, hold.key, needs_of(hold), hold.start_us, hold.end_us)


def needs_of(hold: Hold) -> Needs:
    if hold.resource == "pool":
        return _figures(hold.demand or Demand())
    return (hold.bps,)


def _figures(demand: Demand) -> Needs:
    return (demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)


def others(own: LeaseId, keys: set[tuple[str, str]], snapshot: Snapshot) -> dict[tuple[str, str], list[Hold]]:
    """The holds of every other lease on these resources."""
    leases: Iterable[tuple[LeaseId, Holds]] = snapshot.leases.items()
    if snapshot.by_key is not None:
        near: dict[LeaseId, Holds] = {}
        for resource, key in keys:
            near.update(snapshot.by_key.get(f"{resource}|{key}", {}))
        leases = near.items()
    out: dict[tuple[str, str], list[Hold]] = defaultdict(list)
    for lease, holds in leases:
        if lease == own:
            continue
        for hold in holds:
            if (hold.resource, hold.key) in keys:
                out[hold.resource, hold.key].append(hold)
    return out


def capacity_of(resource: str, key: str, index: GridIndex) -> Needs | None:
    if resource == "pool":
        if PoolId(key) not in index.pools:
            return None
        pool = index.pools[PoolId(key)][0]
        each = (pool.cores_per_node, pool.memory_bytes_per_node, pool.accelerators_per_node, 1)
        return tuple(pool.nodes * one for one in each)
    if resource == "link":
        link = index.links.get(LinkId(key.rpartition(":")[0]))
        return None if link is None else (link.capacity_bps,)
    known = index.security_pools.get(SecurityPoolId(key))
    return None if known is None else (known[0].capacity_bps,)


def over(capacity: Needs, mine: list[Hold], others: Iterable[Hold]) -> int | None:
    """The first moment inside one of my holds at which all holds together pass the capacity."""
    edges: list[tuple[int, int, Needs, int]] = []
    for held, own in ((mine, 1), (others, 0)):
        for hold in held:
            need = needs_of(hold)
            if hold.start_us < hold.end_us:
                edges.append((hold.start_us, 1, need, own))
                edges.append((hold.end_us, -1, need, own))
    edges.sort(key=lambda edge: edge[:2])  # ends before begins at the same moment
    used, inside = [0] * len(capacity), 0
    for at_us, sign, need, own in edges:
        inside += sign * own
        used = [one + sign * more for one, more in zip(used, need, strict=True)]
        if inside and sign > 0 and any(one > most for one, most in zip(used, capacity, strict=True)):
            return at_us
    return None
