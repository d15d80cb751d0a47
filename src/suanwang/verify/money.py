"""The quote and the carbon, worked out again: hours of the local day one by one, then line by line."""

from collections import Counter
from collections.abc import Iterator

from suanwang.model.compact import AnyPlan, full_plan
from suanwang.model.grid import Pool, PoolKind, PriceBook, Site
from suanwang.model.plan import ChargeKind, Line
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.tariff import LineRow, line_row
from suanwang.model.task import TaskRequest
from suanwang.model.units import GIB

HOUR_US = 3_600_000_000
CHINA_US = 8 * HOUR_US  # China Standard Time, the whole year


def money_faults(plan: AnyPlan, request: TaskRequest, snapshot: Snapshot) -> Iterator[tuple[PlanFault, str]]:
    """Faults of the quote, the limit and the carbon."""
    pool, site = snapshot.index.pools[plan.pool]
    book = snapshot.index.price_books[site.price_book]
    if pool.kind is PoolKind.AI and pool.accelerator_model not in book.accelerator_hour_micro_yuan:
        yield PlanFault.QUOTE_WRONG, f"{book.id} does not price {pool.accelerator_model}"
    milliwatts = power_mw(plan, pool, site)
    wanted = [
        *compute_lines(plan, request, pool, book, milliwatts),
        *network_lines(plan, snapshot.index),
        *_transfers(plan, snapshot),
        *_standby(plan, request, snapshot),
    ]
    if Counter(_row(one) for one in wanted) != Counter(_row(one) for one in plan.quote):
        yield PlanFault.QUOTE_WRONG, "the lines are not those of the plan's holds and moves"
    total = sum(one.amount_micro_yuan for one in wanted)
    if plan.quote_micro_yuan != total:
        yield PlanFault.QUOTE_WRONG, f"{plan.quote_micro_yuan} for {total}"
    if request.price_limit is not None and total > request.price_limit:
        yield PlanFault.PRICE_LIMIT, f"{total} for {request.price_limit}"
    emitted_mg = carbon_mg(milliwatts, plan.end_us - plan.run_start_us, site)
    if plan.carbon_mg != emitted_mg:
        yield PlanFault.CARBON_WRONG, f"{plan.carbon_mg} for {emitted_mg}"


def carbon_mg(milliwatts: int, span_us: int, site: Site) -> int:
    """Milligrams of CO2."""
    return _half_up(milliwatts * span_us * site.energy.carbon_g_per_kwh, 3_600 * 10**9)


def _half_up(number: int, by: int) -> int:
    whole, rest = divmod(number, by)
    return whole + (1 if 2 * rest >= by else 0)


def _row(one: Line | LineRow) -> tuple[object, ...]:
    return (one.kind, one.item, one.quantity, one.price_micro_yuan, one.per, one.permille, one.amount_micro_yuan)


def power_mw(plan: AnyPlan, pool: Pool, site: Site) -> int:
    """Milliwatts at the meter: the share of the nodes that is held, times their power and the site's PUE."""
    node_mw = pool.power_w_per_node * site.energy.pue_permille
    if pool.kind is PoolKind.GENERAL:
        return node_mw * plan.demand.cores // max(1, pool.cores_per_node)
    if pool.kind is PoolKind.AI:
        return node_mw * plan.demand.accelerators // max(1, pool.accelerators_per_node)
    return node_mw * plan.demand.nodes


def spans_us(book: PriceBook, start_us: int, end_us: int) -> dict[int, int]:
    """Microseconds at each factor."""
    out: Counter[int] = Counter()
    if not book.time_of_use:
        out[1000] += end_us - start_us
    else:
        first, last = (start_us + CHINA_US) // HOUR_US, (end_us + CHINA_US - 1) // HOUR_US
        for hour in range(first, last + 1):
            from_us, to_us = max(start_us, hour * HOUR_US - CHINA_US), min(end_us, (hour + 1) * HOUR_US - CHINA_US)
            factors = [one.permille for one in book.time_of_use if one.from_hour <= hour % 24 < one.to_hour]
            out[factors[0] if factors else 1000] += to_us - from_us
    return {permille: span_us for permille, span_us in out.items() if span_us}


def compute_lines(
    plan: AnyPlan, request: TaskRequest, pool: Pool, book: PriceBook, milliwatts: int
) -> Iterator[LineRow]:
    """Resources and energy at each factor, then shots."""
    demand = plan.demand
    card = book.accelerator_hour_micro_yuan.get(pool.accelerator_model or "", 0)
    nodes = demand.nodes if pool.kind is PoolKind.HPC else 0
    processors = demand.nodes if pool.kind is PoolKind.QUANTUM else 0
    for permille, span_us in spans_us(book, plan.run_start_us, plan.end_us).items():
        for kind, held, price, per in (
            (ChargeKind.CORE, demand.cores, book.core_hour_micro_yuan, HOUR_US),
            (ChargeKind.MEMORY, demand.memory_bytes, book.gib_hour_micro_yuan, GIB * HOUR_US),
            (ChargeKind.ACCELERATOR, demand.accelerators, card, HOUR_US),
            (ChargeKind.NODE, nodes, book.node_hour_micro_yuan, HOUR_US),
            (ChargeKind.QPU, processors, book.qpu_hour_micro_yuan, HOUR_US),
            (ChargeKind.ENERGY, milliwatts, book.energy_kwh_micro_yuan, 1_000_000 * HOUR_US),
        ):
            if held and price:
                yield line_row(kind, pool.id, held * span_us, price, per, permille)
    shots = request.resources.shots * request.array
    if shots and book.qpu_shot_micro_yuan:
        yield line_row(ChargeKind.QPU_SHOT, pool.id, shots, book.qpu_shot_micro_yuan, 1)


def network_lines(plan: AnyPlan, index: GridIndex) -> Iterator[LineRow]:
    """Bandwidth and protection, once a crossing."""
    quantity = plan.bandwidth_bps * (plan.end_us - plan.run_start_us)
    if not quantity:
        return
    for one in plan.path.links:
        price = index.links[one.link].price_micro_yuan_per_gbps_hour
        if price:
            yield line_row(ChargeKind.BANDWIDTH, one.link, quantity, price, 10**9 * HOUR_US)
    for step in plan.protection:
        known = index.security_pools.get(step.security_pool)
        if known is not None and known[0].price_micro_yuan_per_gbps_hour:
            price = known[0].price_micro_yuan_per_gbps_hour
            yield line_row(ChargeKind.PROTECTION, step.security_pool, quantity, price, 10**9 * HOUR_US)


def _standby(plan: AnyPlan, request: TaskRequest, snapshot: Snapshot) -> Iterator[LineRow]:
    """What is held in a second place costs what it would in a first one, but for energy and shots: nothing runs."""
    place = plan.standby
    if place is None or place.pool not in snapshot.index.pools:
        return
    pool, site = snapshot.index.pools[place.pool]
    full = full_plan(plan)
    there = full.model_copy(update={"pool": place.pool, "path": place.path, "protection": place.protection})
    for one in compute_lines(there, request, pool, snapshot.index.price_books[site.price_book], 0):
        if one.kind is not ChargeKind.QPU_SHOT:
            yield one
    yield from network_lines(there, snapshot.index)


def _transfers(plan: AnyPlan, snapshot: Snapshot) -> Iterator[LineRow]:
    for move in plan.data:
        price = sum(snapshot.index.links[one.link].price_micro_yuan_per_gib for one in move.path.links)
        if price:
            yield line_row(ChargeKind.TRANSFER, move.data_set, move.size_bytes, price, GIB)
