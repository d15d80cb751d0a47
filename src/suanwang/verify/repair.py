"""A repaired plan: is nothing changed but the way, does the way keep the promise, and is there room for it all along.

The quote is not worked out again: a repair leaves it as it is (`docs/decisions/0128-a-path-is-repaired-under-a-running-task.md`).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

from suanwang.model.compact import AnyPlan, CompactHolds, full_plan
from suanwang.model.ids import LeaseId, LinkId, SecurityPoolId
from suanwang.model.plan import Hold, Path, Plan, ProtectionStep, QuotedWay
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest
from suanwang.verify.holds import FULL, capacity_of, direction, others, over, row
from suanwang.verify.path import closed_in, path_faults
from suanwang.verify.standby import risks

# What a repair may change in a plan; all else must be as it was.
CHANGED = frozenset({"plan_id", "generation", "parent", "snapshot_version", "path", "protection", "quoted", "holds"})
Found = list[tuple[PlanFault, str]]


def verify_repair(
    old: AnyPlan,
    new: Plan,
    request: TaskRequest,
    snapshot: Snapshot,
    now_us: int,
    avoid: Collection[LinkId] = (),
    avoid_pools: Collection[SecurityPoolId] = (),
) -> Found:
    """Every fault of a repaired plan on a snapshot that holds the lease of the plan before it.

    `avoid` and `avoid_pools`: links and security pools that it must not use; those that are down in the snapshot it
    must not use anyhow.
    """
    found = [*_identity_faults(old, new), *path_faults(new, request, snapshot)]
    if any(fault is PlanFault.PATH_BROKEN for fault, _ in found):
        return found
    passed = {one.security_pool for one in new.protection} & set(avoid_pools)
    shunned = sorted({one.link for one in new.path.links} & set(avoid)) + sorted(passed)
    if shunned:
        found.append((PlanFault.PATH_BROKEN, f"uses {', '.join(shunned)}, which it must avoid"))
    if new.standby is not None and new.bandwidth_bps:
        shared = risks(new.path, snapshot) & risks(new.standby.path, snapshot)
        if shared:
            found.append((PlanFault.STANDBY_NEAR, f"both ways depend on {', '.join(sorted(shared))}"))
    return [*found, *_hold_faults(new, snapshot, now_us)]


def _identity_faults(old: AnyPlan, new: Plan) -> Iterator[tuple[PlanFault, str]]:
    before = full_plan(old)
    for name in Plan.model_fields:
        if name not in CHANGED and getattr(before, name) != getattr(new, name):
            yield PlanFault.REPAIR_CHANGED, f"{name} is not as it was"
    if (new.parent, new.generation) != (old.plan_id, old.generation + 1) or new.plan_id == old.plan_id:
        yield PlanFault.GENERATION, f"generation {new.generation} with parent {new.parent} after {old.plan_id}"
    if new.quoted != (old.quoted or QuotedWay(path=old.path, protection=old.protection)):
        yield PlanFault.REPAIR_CHANGED, "what is billed is not the way of the quote"


def _hold_faults(new: Plan, snapshot: Snapshot, now_us: int) -> Iterator[tuple[PlanFault, str]]:
    lease = snapshot.leases.get(new.lease_id)
    if lease is None:
        yield PlanFault.HOLDS_WRONG, f"there is no lease {new.lease_id}"
        return
    start_us, end_us = max(now_us, new.run_start_us), max(hold.end_us for hold in lease)
    if start_us >= end_us:
        yield PlanFault.WINDOW, f"the lease ended at {end_us}"
        return
    for step, window in closed_in(new.path, start_us, end_us, snapshot):
        yield PlanFault.LINK_MAINTENANCE, f"{step.link} from {window.start} to {window.end}"
    ways = [*_keys(new.path, new.protection)]
    if new.standby is not None:
        ways += _keys(new.standby.path, new.standby.protection)
    kept = [hold for hold in lease if hold.resource == "pool" or hold.end_us <= new.run_start_us]
    bps = new.bandwidth_bps
    wanted = Counter(row(hold) for hold in kept)
    wanted.update((*way, (bps,), start_us, end_us) for way in (ways if bps else ()))
    got = Counter(row(hold) for hold in new.holds)
    if wanted != got:
        yield PlanFault.HOLDS_WRONG, f"not needed: {list(got - wanted)}; missing: {list(wanted - got)}"
    yield from _full(new, set(ways) if bps else set(), snapshot)


def _full(new: Plan, keys: set[tuple[str, str]], snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Whether the two ways fit beside every other lease, at every instant."""
    mine: dict[tuple[str, str], list[Hold]] = defaultdict(list)
    for hold in new.holds:
        mine[hold.resource, hold.key].append(hold)
    for resource, key in sorted(keys):
        capacity, holds = capacity_of(resource, key, snapshot.index), mine[resource, key]
        if capacity is None:
            yield PlanFault.HOLDS_WRONG, f"{resource} {key} is unknown"
            continue
        if sum(hold.bps for hold in holds) + _ever_bps(new.lease_id, f"{resource}|{key}", snapshot) <= capacity[0]:
            continue  # all of it at once would fit
        beside = others(new.lease_id, {(resource, key)}, snapshot)
        if (at_us := over(capacity, holds, beside.get((resource, key), ()))) is not None:
            yield FULL[resource], f"{key} at {at_us}"


def _ever_bps(own: LeaseId, key: str, snapshot: Snapshot) -> int:
    """What all other leases hold of a link or a security pool, whenever: no instant has more. A cut link moves a thousand
    tasks at once, and most of the links that they go to are far from full."""
    leases = snapshot.leases if snapshot.by_key is None else snapshot.by_key.get(key, {})
    resource, _, name = key.partition("|")
    total = 0
    for lease, holds in leases.items():
        if lease == own:
            continue
        if isinstance(holds, CompactHolds):
            total += holds.plan.bandwidth_bps * holds.plan.keys.count(key)
        else:
            total += sum([one.bps for one in holds if one.key == name and one.resource == resource])
    return total


def _keys(path: Path, protection: Collection[ProtectionStep]) -> list[tuple[str, str]]:
    links = [("link", direction(one)) for one in path.links]
    return [*links, *(("protection", str(one.security_pool)) for one in protection)]
