"""The place and the time: is this pool allowed, large enough, and asked for; do the windows follow from the request."""

from collections.abc import Iterator

from suanwang.model.ability import abilities_of
from suanwang.model.compact import AnyPlan
from suanwang.model.grid import PoolKind
from suanwang.model.plan import Demand
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest, pool_kind

# What a chain of protection functions holds at the least; the planner's guide publishes the figure.
PROTECTION_BPS = 10_000_000


def place_faults(plan: AnyPlan, request: TaskRequest, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the site and the pool."""
    pool, site = snapshot.index.pools[plan.pool]
    res, kind = request.resources, pool_kind(request.resources)
    state = snapshot.sites.get(plan.site)
    if site.id != plan.site:
        yield PlanFault.WRONG_SITE, f"{plan.pool} is a pool of {site.id}"
    if request.sites and plan.site not in request.sites:
        yield PlanFault.WRONG_SITE, f"{plan.site} is not one of the sites asked for"
    if request.owners and not takes(request.owners, site.owner):
        yield PlanFault.OWNER, f"{plan.site} belongs to {site.owner}"
    if state is None or not state.live:
        yield PlanFault.SITE_DOWN, plan.site
    elif state.emulated != plan.emulated:
        yield PlanFault.WRONG_SITE, f"emulated is {state.emulated}, the plan says {plan.emulated}"
    if pool.kind is not kind:
        yield PlanFault.WRONG_KIND, f"{pool.kind.value} for {kind.value}"
    if site.security_level < request.security_level:
        yield PlanFault.SECURITY_LEVEL, f"{site.security_level} for {request.security_level}"
    if not inside(site.region, request.residency):
        yield PlanFault.RESIDENCY, f"{site.region} is outside {', '.join(request.residency)}"
    nodes = res.nodes * request.array
    if kind is PoolKind.QUANTUM:
        small = res.qubits > pool.qubits_per_node
    else:
        small = (
            res.cpu > pool.cores_per_node
            or res.memory > pool.memory_bytes_per_node
            or res.accelerators > pool.accelerators_per_node
            or res.qubits > pool.qubits_per_node
        )
    if small:
        yield PlanFault.NODE_SHAPE, f"one node of {plan.pool} is too small"
    if res.accelerator not in (None, "any", pool.accelerator_model):
        yield PlanFault.ACCELERATOR, f"{pool.accelerator_model} for {res.accelerator}"
    lacked = [one.value for one in abilities_of(request) if one in pool.lacks]
    if lacked:
        yield PlanFault.ABILITY, f"{plan.pool} lacks {', '.join(lacked)}"
    if kind in (PoolKind.HPC, PoolKind.QUANTUM):
        demand = Demand(nodes=nodes)
    else:
        demand = Demand(cores=res.cpu * nodes, memory_bytes=res.memory * nodes, accelerators=res.accelerators * nodes)
    if plan.demand != demand:
        yield PlanFault.DEMAND_WRONG, f"{plan.demand} for {demand}"


def window_faults(plan: AnyPlan, request: TaskRequest, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the order of moments, of the parent, and of the bandwidth."""
    ready_us = max((move.end_us for move in plan.data), default=plan.start_us)
    if plan.run_start_us != max(ready_us, plan.start_us):
        yield PlanFault.WINDOW, f"the run begins at {plan.run_start_us}, the data are there at {ready_us}"
    if plan.end_us != plan.run_start_us + request.resources.wall_time:
        yield PlanFault.WINDOW, "the end is not the begin of the run and its wall time"
    if request.earliest_start is not None and plan.start_us < request.earliest_start:
        yield PlanFault.WINDOW, f"{plan.start_us} is before the earliest start {request.earliest_start}"
    if request.deadline is not None and plan.end_us > request.deadline:
        yield PlanFault.DEADLINE, f"{plan.end_us} is after {request.deadline}"
    if (plan.generation == 1) != (plan.parent is None):
        yield PlanFault.GENERATION, f"generation {plan.generation} with parent {plan.parent}"
    wanted_bps = max(request.bandwidth, PROTECTION_BPS) if request.protection else request.bandwidth
    if plan.bandwidth_bps != wanted_bps:
        yield PlanFault.HOLDS_WRONG, f"bandwidth {plan.bandwidth_bps} for {wanted_bps}"


def inside(region: str, allowed: tuple[str, ...]) -> bool:
    """Whether a region is one of those allowed, or part of one."""
    return not allowed or any(region == one or region.startswith(one + "-") for one in allowed)


def takes(owners: tuple[str, ...], owner: str) -> bool:
    """Whether a task that names owners takes this one."""
    return owner in owners or (owner != "own" and "third-party" in owners)
