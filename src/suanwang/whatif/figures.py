"""The sums of one day: totals, sites, links, and slices of time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from suanwang.model.grid import PoolKind
from suanwang.model.ids import PoolId, SiteId
from suanwang.model.record import Phase
from suanwang.model.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S
from suanwang.model.what_if import Figures, LinkUse, SiteUse, Slot
from suanwang.whatif.measure import HeldRow, Measure, TaskRow

LINKS_SHOWN = 20
SLOTS_MAX = 48
# Widths of a slice: as narrow as leaves no more than SLOTS_MAX of them.
WIDTHS_US = tuple(
    [minutes * US_PER_MINUTE for minutes in (1, 5, 15, 30)]
    + [hours * US_PER_HOUR for hours in (1, 2, 4, 8, 12)]
    + [days * US_PER_DAY for days in (1, 2, 4, 7, 14, 28, 56, 112, 366)]
)
Window = tuple[int, int]


def figures(measure: Measure, window: Window, slots: Sequence[int]) -> Figures:
    """Everything of one side. `window` is when tasks arrived; `slots` are the edges of the slices, one more than these."""
    rows, held = list(measure.tasks.values()), measure.held
    ended = Counter(row.phase for row in rows)
    waits = sorted(waited_us(rows))
    return Figures(
        tasks=len(rows),
        succeeded=ended[Phase.SUCCEEDED],
        failed=ended[Phase.FAILED],
        refused=ended[Phase.REFUSED],
        expired=ended[Phase.EXPIRED],
        cancelled=ended[Phase.CANCELLED],
        unended=ended[Phase.WAITING],
        ran=len(waits),
        wait_p50_us=rank(waits, 500),
        wait_p95_us=rank(waits, 950),
        wait_max_us=waits[-1] if waits else 0,
        cost_micro_yuan=sum(measure.cost_by_tenant.values()),
        carbon_mg=sum(one.carbon_mg for one in held),
        core_s=sum(one.core_us for one in held) // US_PER_S,
        card_s=sum(one.card_us for one in held) // US_PER_S,
        moved_bytes=sum(move.size_bytes for one in held for move in one.moves),
        cost_by_tenant=dict(sorted(measure.cost_by_tenant.items())),
        revenue_by_owner=dict(sorted(measure.revenue_by_owner.items())),
        sites=tuple(_sites(measure, window)),
        links=tuple(_links(measure, window)),
        slots=tuple(_slots(rows, held, slots)),
    )


def waited_us(rows: Iterable[TaskRow]) -> Iterator[int]:
    """From when a task could have run to when it did; tasks that never ran are counted elsewhere."""
    return (max(0, row.run_us - row.from_us) for row in rows if row.run_us is not None)


def rank(ordered: Sequence[int], permille: int) -> int:
    """The value that so many of a thousand are not above (nearest rank); 0 of none."""
    return ordered[max(0, -(-len(ordered) * permille // 1000) - 1)] if ordered else 0


def edges(start_us: int, end_us: int) -> list[int]:
    """The edges of the slices of [start, end)."""
    span_us = max(1, end_us - start_us)
    width_us = next((one for one in WIDTHS_US if span_us <= one * SLOTS_MAX), WIDTHS_US[-1])
    first_us = start_us - start_us % min(width_us, US_PER_HOUR)
    return list(range(first_us, end_us + width_us, width_us))


def _within(start_us: int, end_us: int, window: Window) -> int:
    return max(0, min(end_us, window[1]) - max(start_us, window[0]))


def _sites(measure: Measure, window: Window) -> Iterator[SiteUse]:
    by_pool: dict[PoolId, list[HeldRow]] = defaultdict(list)
    for one in measure.held:
        by_pool[one.pool].append(one)
    tasks = Counter(row.site for row in measure.tasks.values() if row.site is not None)
    by_site: dict[SiteId, list[HeldRow]] = defaultdict(list)
    busy: dict[SiteId, float] = defaultdict(float)
    for pool_id, held in by_pool.items():
        home = SiteId(measure.index.pools[pool_id][1].id)
        by_site[home] += held
        busy[home] += _busy_nodes(measure, pool_id, held, window)
    found = []
    for site_id, held in by_site.items():
        site = measure.index.sites[site_id]
        nodes = sum(pool.nodes for pool in site.pools)
        use = SiteUse(
            site=site_id,
            owner=site.owner,
            tasks=tasks[site_id],
            use_ppm=round(1_000_000 * busy[site_id] / nodes),
            cost_micro_yuan=sum(one.cost_micro_yuan for one in held),
            core_s=sum(one.core_us for one in held) // US_PER_S,
            card_s=sum(one.card_us for one in held) // US_PER_S,
            carbon_mg=sum(one.carbon_mg for one in held),
        )
        found.append(use)
    yield from sorted(found, key=lambda one: (-one.use_ppm, -one.cost_micro_yuan, one.site))


def _busy_nodes(measure: Measure, pool_id: PoolId, held: Iterable[HeldRow], window: Window) -> float:
    """How many nodes' worth of a pool were held on average, by the resource that it was fullest in."""
    pool, _ = measure.index.pools[pool_id]
    span_us = max(1, window[1] - window[0])
    cores = memory = cards = nodes = 0
    for one in held:
        us, demand = _within(one.start_us, one.end_us, window), one.demand
        cores, memory = cores + demand.cores * us, memory + demand.memory_bytes * us
        cards, nodes = cards + demand.accelerators * us, nodes + demand.nodes * us
    if pool.kind in (PoolKind.HPC, PoolKind.QUANTUM):
        return nodes / span_us
    shares = (
        cores / max(1, pool.cores_per_node),
        memory / max(1, pool.memory_bytes_per_node),
        cards / max(1, pool.accelerators_per_node),
    )
    return max(shares) / span_us


def _links(measure: Measure, window: Window) -> Iterator[LinkUse]:
    carried: dict[tuple[str, bool], int] = defaultdict(int)  # bit/s times microseconds
    for one in measure.held:
        us = _within(one.start_us, one.end_us, window)
        for step in one.steps:
            carried[step] += one.bandwidth_bps * us
        for move in one.moves:
            us = _within(move.start_us, move.end_us, window)
            for step in move.steps:
                carried[step] += move.rate_bps * us
    busier: dict[str, int] = {}
    for (link, _), amount in carried.items():
        busier[link] = max(busier.get(link, 0), amount)
    links = measure.index.links
    span_us = max(1, window[1] - window[0])
    found = [
        LinkUse(link=one.id, use_ppm=round(1_000_000 * busier[one.id] / (max(1, one.capacity_bps) * span_us)))
        for one in links.values()
        if busier.get(one.id)
    ]
    yield from sorted(found, key=lambda one: (-one.use_ppm, one.link))[:LINKS_SHOWN]


def _slots(rows: Sequence[TaskRow], held: Sequence[HeldRow], slots: Sequence[int]) -> Iterator[Slot]:
    if len(slots) < 2:
        return
    width_us, count = slots[1] - slots[0], len(slots) - 1
    arrived: list[list[TaskRow]] = [[] for _ in range(count)]
    for row in rows:
        arrived[min(max(0, (row.submitted_us - slots[0]) // width_us), count - 1)].append(row)
    sums = [[0, 0, 0.0, 0.0] for _ in range(count)]  # core-us, card-us, cost, carbon
    for one in held:
        span_us = one.end_us - one.start_us
        if not span_us:
            continue
        first, last = (one.start_us - slots[0]) // width_us, (one.end_us - 1 - slots[0]) // width_us
        for at in range(max(0, first), min(last, count - 1) + 1):
            share = _within(one.start_us, one.end_us, (slots[at], slots[at + 1])) / span_us
            amounts = (one.core_us, one.card_us, one.cost_micro_yuan, one.carbon_mg)
            for place, amount in enumerate(amounts):
                sums[at][place] += amount * share
    for at in range(count):
        waits = sorted(waited_us(arrived[at]))
        yield Slot(
            at_us=slots[at],
            arrived=len(arrived[at]),
            wait_p50_us=rank(waits, 500) if waits else None,
            wait_p95_us=rank(waits, 950) if waits else None,
            cores=round(sums[at][0] / width_us),
            cards=round(sums[at][1] / width_us),
            cost_micro_yuan=round(sums[at][2]),
            carbon_mg=round(sums[at][3]),
        )
