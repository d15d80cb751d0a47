"""What one task needs, worked out once from its request: the planner's view of a `PlanAsk`."""

from collections.abc import Iterable
from dataclasses import dataclass

from suanwang.model.ability import abilities_of
from suanwang.model.grid import Ability, PoolKind, ProtectionFunction
from suanwang.model.ids import DataSetId, SiteId
from suanwang.model.plan import Demand
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import OWN, THIRD_PARTY, Avoid, Preference, Standby, TaskRequest, latency_us_max, pool_kind
from suanwang.plan.ask import PlanAsk

# What protection needs at the least: a chain that holds no bandwidth would protect nothing.
PROTECTION_BPS_MIN = 10_000_000
# Inputs that are not data sets of the grid come from the origin, together, under this name.
ORIGIN_INPUTS = DataSetId("origin-inputs")
NOTHING: frozenset[int] = frozenset()
NOTHING_AT: frozenset[SiteId] = frozenset()


@dataclass(frozen=True)
class MoveNeed:
    """One body of bytes that must be at the place, and the sites that have it."""

    data_set: DataSetId
    version: int
    size_bytes: int
    replicas: tuple[SiteId, ...]
    residency: tuple[str, ...] = ()


@dataclass(frozen=True)
class Need:
    """A request with its defaults filled in and its sums made."""

    kind: PoolKind
    node_figures: tuple[int, int, int, int]  # cores, memory, accelerators, qubits of one node
    model: str | None  # the accelerator model asked for; None: any
    abilities: tuple[Ability, ...]  # that its pool must have
    demand: Demand
    array: int
    elements: int  # nodes of one element times elements of the array
    shots: int
    wall_us: int
    origin: SiteId
    bound_us: int | None
    bandwidth_bps: int
    chain: tuple[ProtectionFunction, ...]
    moves: tuple[MoveNeed, ...]
    security_level: int
    residency: tuple[str, ...]
    sites: frozenset[SiteId]
    owners: tuple[str, ...]  # the first preferred
    excluded: frozenset[SiteId]
    avoid_links: frozenset[int]  # by their place in the grid; with those of sites, risk groups and regions
    avoid_sites: frozenset[SiteId]
    standby: Standby | None  # a second place is held too
    together: frozenset[SiteId] | None  # only these; None: any
    apart: frozenset[SiteId]  # not these
    earliest_us: int
    deadline_us: int | None
    price_limit: int | None
    preference: Preference


def need_of(ask: PlanAsk, index: GridIndex, now_us: int) -> Need:
    """The need of an ask, whoever else is there (`company`). Its sites, data sets and origin are known to the grid (admission has seen to it)."""
    request, res = ask.request, ask.request.resources
    kind = pool_kind(res)
    bandwidth_bps = max(request.bandwidth, PROTECTION_BPS_MIN) if request.protection else request.bandwidth
    avoided = (NOTHING, NOTHING_AT) if request.avoid is None else avoided_of(request.avoid, index)
    return Need(
        kind=kind,
        node_figures=node_figures(request, kind),
        model=None if res.accelerator in (None, "any") else res.accelerator,
        abilities=abilities_of(request),
        demand=demand_of(request, kind),
        array=request.array,
        elements=res.nodes * request.array,
        shots=res.shots * request.array,
        wall_us=res.wall_time,
        origin=request.origin or index.grid.default_origin,
        bound_us=latency_us_max(request),
        bandwidth_bps=bandwidth_bps,
        chain=request.protection,
        moves=(*_moves(request, index), *_kept(ask)),
        security_level=request.security_level,
        residency=request.residency,
        sites=frozenset(request.sites),
        owners=request.owners,
        excluded=ask.excluded_sites,
        avoid_links=avoided[0],
        avoid_sites=avoided[1],
        standby=request.standby,
        together=None,
        apart=frozenset(),
        earliest_us=max(now_us, request.earliest_start or 0),
        deadline_us=request.deadline,
        price_limit=request.price_limit,
        preference=request.preference,
    )


def node_figures(request: TaskRequest, kind: PoolKind) -> tuple[int, int, int, int]:
    """What one node must have. A quantum processor has no cores or memory of its own to compare."""
    res = request.resources
    if kind is PoolKind.QUANTUM:
        return (0, 0, 0, res.qubits)
    return (res.cpu, res.memory, res.accelerators, res.qubits)


def demand_of(request: TaskRequest, kind: PoolKind) -> Demand:
    """What is taken from the pool in all: whole nodes of hpc and quantum, figures of general and ai."""
    res = request.resources
    nodes = res.nodes * request.array
    if kind in (PoolKind.HPC, PoolKind.QUANTUM):
        return Demand(cores=0, memory_bytes=0, accelerators=0, nodes=nodes)
    return Demand(
        cores=res.cpu * nodes, memory_bytes=res.memory * nodes, accelerators=res.accelerators * nodes, nodes=0
    )


def _moves(request: TaskRequest, index: GridIndex) -> Iterable[MoveNeed]:
    """Each data set once, in the order of the task; then the other inputs of known size as one."""
    seen: set[str] = set()
    other_bytes = 0
    for one in request.inputs:
        if not one.source.startswith("dataset:"):
            other_bytes += one.size or 0
        elif one.source not in seen:
            seen.add(one.source)
            data = index.data_sets[DataSetId(one.source.removeprefix("dataset:"))]
            yield MoveNeed(data.id, data.version, data.size_bytes, data.replicas, data.residency)
    if other_bytes:
        origin = request.origin or index.grid.default_origin
        yield MoveNeed(ORIGIN_INPUTS, 1, other_bytes, (origin,))


def _kept(ask: PlanAsk) -> Iterable[MoveNeed]:
    """What earlier attempts have saved and other tasks made, behind all that the request itself names."""
    for one in ask.kept:
        yield MoveNeed(one.id, one.version, one.size_bytes, one.replicas, one.residency)


def avoided_of(avoid: Avoid, index: GridIndex) -> tuple[frozenset[int], frozenset[SiteId]]:
    """The links, by their place in the grid, and the sites that are left out. What the grid does not have is in none."""
    named, links, risks = set(avoid.sites), set(avoid.links), set(avoid.risks)
    sites = frozenset(
        site.id
        for site in index.grid.sites
        if site.id in named or (avoid.regions and in_regions(site.region, avoid.regions))
    )
    found = (
        at
        for at, link in enumerate(index.grid.links)
        if link.id in links
        or link.a in sites
        or link.b in sites
        or (risks and not risks.isdisjoint(link.shared_risk_groups))
    )
    return frozenset(found), sites


def owner_place(owner: str, owners: tuple[str, ...]) -> int | None:
    """How many owners a task would rather have than this one; None where it does not take it. None given: any is."""
    if owner in owners:
        return owners.index(owner)
    if THIRD_PARTY in owners and owner != OWN:
        return owners.index(THIRD_PARTY)
    return None if owners else 0


def in_regions(region: str, allowed: tuple[str, ...]) -> bool:
    """Whether a region is one of those allowed, or lies in one of them (CN-GD lies in CN). None given: any is."""
    return not allowed or region in allowed or region.partition("-")[0] in allowed
