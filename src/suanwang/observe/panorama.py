"""The panorama: a snapshot and counts in, the picture out. Pure; the edge says how often it is looked at."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from suanwang.model.batch import AnyRecord, AttemptsOpened, EventsHeard, PlansMade, TasksTaken
from suanwang.model.event import EventKind
from suanwang.model.grid import SERVER_KINDS, Pool, PoolKind, Site
from suanwang.model.ids import LinkId, SecurityPoolId, TaskId
from suanwang.model.plan import Demand, Hold
from suanwang.model.record import (
    AttemptOpened,
    DeliveryOrdered,
    EventApplied,
    Phase,
    PlanCommitted,
    StopRequested,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TaskWaits,
)
from suanwang.model.snapshot import Snapshot
from suanwang.model.view import Flow, LinkLoad, Panorama, PoolLoad, Recent, SecurityPoolLoad, SiteLoad, Totals

_NOTHING = Demand()
LoadT = TypeVar("LoadT", SiteLoad, LinkLoad, SecurityPoolLoad)


@dataclass(frozen=True)
class Counts:
    """What a snapshot does not hold: figures from the projections, of the tenant who looks."""

    phases: Mapping[Phase, int] = field(default_factory=dict)
    tasks_by_site: Mapping[str, int] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)  # of the sites' last changes
    billed_today_micro_yuan: int = 0
    billed_today_emulated: bool = False


@dataclass
class _Use:
    """What is held at one instant."""

    pools: dict[str, Demand] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    security: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def panorama(
    snapshot: Snapshot,
    counts: Counts,
    flows: tuple[Flow, ...],
    recent: tuple[Recent, ...],
    at_us: int,
    position: int,
) -> Panorama:
    """The picture at `at_us`: holds that stand at that instant are the load."""
    use = _use(snapshot, at_us)
    sites = tuple(_site(snapshot, site, use, counts) for site in snapshot.index.grid.sites)
    return Panorama(
        at_us=at_us,
        position=position,
        totals=_totals(snapshot, sites, counts),
        sites=sites,
        links=tuple(_links(snapshot, use)),
        security_pools=tuple(
            SecurityPoolLoad(id=key, up=key not in snapshot.security_down, used_bps=use.security.get(key, 0))
            for key in sorted({SecurityPoolId(one) for one in use.security} | snapshot.security_down)
        ),
        flows=flows,
        recent=recent,
    )


def _use(snapshot: Snapshot, at_us: int) -> _Use:
    use = _Use()
    for holds in snapshot.leases.values():
        for hold in holds:
            if hold.start_us <= at_us < hold.end_us:
                _add(use, hold)
    return use


def _add(use: _Use, hold: Hold) -> None:
    if hold.resource == "pool":
        assert hold.demand is not None, "a hold of a pool has a demand"
        use.pools[hold.key] = _sum(use.pools.get(hold.key, _NOTHING), hold.demand)
    else:
        (use.links if hold.resource == "link" else use.security)[hold.key] += hold.bps


def _sum(one: Demand, two: Demand) -> Demand:
    return Demand(
        cores=one.cores + two.cores,
        memory_bytes=one.memory_bytes + two.memory_bytes,
        accelerators=one.accelerators + two.accelerators,
        nodes=one.nodes + two.nodes,
    )


def load_permille(pool: Pool, used: Demand) -> int:
    """The scarcest of a pool's cores, memory, cards or nodes, rounded down but never to nothing."""
    whole = (
        (used.cores, pool.cores_per_node * pool.nodes),
        (used.memory_bytes, pool.memory_bytes_per_node * pool.nodes),
        (used.accelerators, pool.accelerators_per_node * pool.nodes),
        (used.nodes, pool.nodes),
    )
    return max((max(1, held * 1000 // all_) for held, all_ in whole if held and all_), default=0)


def _site(snapshot: Snapshot, site: Site, use: _Use, counts: Counts) -> SiteLoad:
    state = snapshot.sites.get(site.id)
    live = state is not None and state.live
    pools = tuple(
        PoolLoad(id=pool.id, load_permille=load_permille(pool, use.pools[pool.id]), used=use.pools[pool.id])
        for pool in site.pools
        if pool.id in use.pools
    )
    return SiteLoad(
        id=site.id,
        live=live,
        emulated=state is not None and state.emulated,
        load_permille=max((pool.load_permille for pool in pools), default=0),
        tasks=counts.tasks_by_site.get(site.id, 0),
        cause=None if live else snapshot.closed.get(site.id) or counts.causes.get(site.id),
        pools=pools,
    )


def _links(snapshot: Snapshot, use: _Use) -> Iterator[LinkLoad]:
    keys = {LinkId(key.rpartition(":")[0]) for key in use.links} | set(snapshot.links_down)
    for key in sorted(keys):
        yield LinkLoad(
            id=key,
            up=key not in snapshot.links_down,
            used_ab_bps=use.links.get(f"{key}:ab", 0),
            used_ba_bps=use.links.get(f"{key}:ba", 0),
        )


def _totals(snapshot: Snapshot, loads: tuple[SiteLoad, ...], counts: Counts) -> Totals:
    own, third = _capacity(snapshot, own=True), _capacity(snapshot, own=False)
    return Totals(
        servers=sum(own[kind][0] for kind in SERVER_KINDS),
        third_party_servers=sum(third[kind][0] for kind in SERVER_KINDS),
        general_gflops=own[PoolKind.GENERAL][1],
        ai_gflops=own[PoolKind.AI][1],
        hpc_gflops=own[PoolKind.HPC][1],
        third_party_gflops=sum(gflops for _, gflops in third.values()),
        sites=len(loads),
        live_sites=sum(one.live for one in loads),
        emulated_sites=sum(one.emulated for one in loads),
        renewable_permille=_renewable_permille(snapshot, loads),
        phases={phase: count for phase, count in counts.phases.items() if count},
        billed_today_micro_yuan=counts.billed_today_micro_yuan,
        billed_today_emulated=counts.billed_today_emulated,
    )


def _capacity(snapshot: Snapshot, *, own: bool) -> dict[PoolKind, tuple[int, int]]:
    """(nodes, gflops) by kind of pool."""
    found = dict.fromkeys(PoolKind, (0, 0))
    for site in snapshot.index.grid.sites:
        if (site.owner == "own") == own:
            for pool in site.pools:
                nodes, gflops = found[pool.kind]
                found[pool.kind] = (nodes + pool.nodes, gflops + pool.nodes * pool.gflops_per_node)
    return found


def _renewable_permille(snapshot: Snapshot, loads: tuple[SiteLoad, ...]) -> int:
    """The renewable share of the power of what is held; where nothing is, of all nodes."""
    held = [(watts, site) for watts, site in _watts_held(snapshot, loads) if watts]
    weights = held or [
        (sum(pool.nodes * pool.power_w_per_node for pool in site.pools), site) for site in snapshot.index.grid.sites
    ]
    whole = sum(watts for watts, _ in weights)
    return sum(watts * site.energy.renewable_permille for watts, site in weights) // whole if whole else 0


def _watts_held(snapshot: Snapshot, loads: tuple[SiteLoad, ...]) -> Iterator[tuple[int, Site]]:
    for load in loads:
        for pool_load in load.pools:
            pool, site = snapshot.index.pools[pool_load.id]
            yield pool.nodes * pool.power_w_per_node * pool_load.load_permille, site


_PHASE_OF_EVENT = {
    EventKind.STAGING: Phase.STAGING,
    EventKind.RUNNING: Phase.RUNNING,
    EventKind.COLLECTING: Phase.COLLECTING,
}


@dataclass(frozen=True)
class PhaseChange:
    at_us: int
    phase: Phase
    task_id: TaskId | None = None  # of an agent's event, only the attempt is known
    attempt_id: str | None = None


def phase_changes(records: Iterable[AnyRecord]) -> Iterator[PhaseChange]:
    """The changes of phase that records tell of, in order."""
    for record in records:
        match record:
            case TasksTaken():
                yield from (PhaseChange(record.at_us, Phase.WAITING, row.task_id) for row in record.rows)
            case PlansMade():
                yield from (PhaseChange(record.at_us, Phase.PLANNED, task_id) for task_id in record.task_ids())
            case AttemptsOpened():
                yield from (PhaseChange(record.at_us, Phase.DISPATCHED, row.task_id) for row in record.rows)
            case EventsHeard():
                yield from _heard(record)
            case TaskSubmitted() | TaskWaits():
                yield PhaseChange(record.at_us, Phase.WAITING, record.task_id)
            case TaskRefused():
                yield PhaseChange(record.at_us, Phase.REFUSED, record.task_id)
            case PlanCommitted():
                yield PhaseChange(record.at_us, Phase.PLANNED, record.plan.task_id)
            case AttemptOpened():
                yield PhaseChange(record.at_us, Phase.DISPATCHED, record.task_id)
            case DeliveryOrdered():
                yield PhaseChange(record.at_us, Phase.DELIVERING, record.task_id)
            case StopRequested():
                yield PhaseChange(record.at_us, Phase.STOPPING, record.task_id)
            case TaskEnded():
                yield PhaseChange(record.at_us, record.phase, record.task_id)
            case EventApplied(effective=True) if record.event.kind in _PHASE_OF_EVENT:
                phase = _PHASE_OF_EVENT[record.event.kind]
                yield PhaseChange(record.at_us, phase, attempt_id=record.event.attempt_id)


def _heard(batch: EventsHeard) -> Iterator[PhaseChange]:
    for event, closing in batch.rows:
        if closing is not None:
            yield PhaseChange(batch.at_us, Phase.SUCCEEDED, closing.task_id)
        elif event.kind in _PHASE_OF_EVENT:
            yield PhaseChange(batch.at_us, _PHASE_OF_EVENT[event.kind], attempt_id=event.attempt_id)


def difference(before: Panorama, after: Panorama) -> Panorama | None:
    """`after` with only the sites, links and security pools that changed; None where nothing at all did."""
    sites = _changed(before.sites, after.sites)
    links = _changed(before.links, after.links)
    pools = _changed(before.security_pools, after.security_pools)
    idle_links = {one.id for one in before.links} - {one.id for one in after.links}
    idle_pools = {one.id for one in before.security_pools} - {one.id for one in after.security_pools}
    links += tuple(LinkLoad(id=key, up=True, used_ab_bps=0, used_ba_bps=0) for key in sorted(idle_links))
    pools += tuple(SecurityPoolLoad(id=key, up=True, used_bps=0) for key in sorted(idle_pools))
    same = (before.totals, before.flows, before.recent) == (after.totals, after.flows, after.recent)
    if same and not (sites or links or pools):
        return None
    return after.model_copy(update={"sites": sites, "links": links, "security_pools": pools})


def _changed(before: tuple[LoadT, ...], after: tuple[LoadT, ...]) -> tuple[LoadT, ...]:
    known = {one.id: one for one in before}
    return tuple(one for one in after if known.get(one.id) != one)
