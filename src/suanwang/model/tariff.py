"""Tariff arithmetic: what a hold costs and emits. Pure integers, used for the quote and for the bill alike."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from suanwang.model.grid import Pool, PoolKind, PriceBook, Site
from suanwang.model.plan import ChargeKind, Demand, Line, Path, ProtectionStep
from suanwang.model.snapshot import GridIndex
from suanwang.model.units import GIB, US_PER_DAY, US_PER_HOUR, div_half_up

UTC8_US = 8 * US_PER_HOUR
CORE_HOUR = US_PER_HOUR
GIB_HOUR = GIB * US_PER_HOUR
GBPS_HOUR = 10**9 * US_PER_HOUR
KWH_MW_US = 10**6 * US_PER_HOUR  # milliwatt-microseconds in one kWh


class LineRow(NamedTuple):
    """A `Line` as a plain row, for bills of thousands."""

    kind: ChargeKind
    item: str
    quantity: int
    price_micro_yuan: int
    per: int
    permille: int
    amount_micro_yuan: int


def line_row(
    kind: ChargeKind, item: str, quantity: int, price_micro_yuan: int, per: int, permille: int = 1000
) -> LineRow:
    """One line with its amount rounded half up, once."""
    amount = div_half_up(quantity * price_micro_yuan * permille, per * 1000)
    return LineRow(kind, item, quantity, price_micro_yuan, per, permille, amount)


def line(kind: ChargeKind, item: str, quantity: int, price_micro_yuan: int, per: int, permille: int = 1000) -> Line:
    """`line_row` as a value."""
    return as_line(line_row(kind, item, quantity, price_micro_yuan, per, permille))


def as_line(row: LineRow) -> Line:
    """A row as a value."""
    kind, item, quantity, price_micro_yuan, per, permille, amount_micro_yuan = row
    return Line.model_construct(
        kind=kind,
        item=item,
        quantity=quantity,
        price_micro_yuan=price_micro_yuan,
        per=per,
        permille=permille,
        amount_micro_yuan=amount_micro_yuan,
    )


def bands(book: PriceBook, start_us: int, end_us: int) -> Iterator[tuple[int, int, int]]:
    """Cut [start, end) at the edges of the time-of-use bands: `(from_us, to_us, permille)`, in order."""
    assert start_us <= end_us, "a hold does not end before it starts"
    if not book.time_of_use:
        if start_us < end_us:
            yield start_us, end_us, 1000
        return
    at_us = start_us
    while at_us < end_us:
        into_day_us = (at_us + UTC8_US) % US_PER_DAY
        hour = into_day_us // US_PER_HOUR
        permille = factor_permille(book, hour)
        until_hour = hour + 1
        while until_hour < 24 and factor_permille(book, until_hour) == permille:
            until_hour += 1
        to_us = min(end_us, at_us - into_day_us + until_hour * US_PER_HOUR)
        yield at_us, to_us, permille
        at_us = to_us


def factor_permille(book: PriceBook, hour: int) -> int:
    """The time-of-use factor at an hour of the local day; the first band that holds the hour counts."""
    for band in book.time_of_use:
        if band.from_hour <= hour < band.to_hour:
            return band.permille
    return 1000


def hold_us_by_factor(book: PriceBook, start_us: int, end_us: int) -> dict[int, int]:
    """Microseconds held at each factor, in the order of the factors."""
    hour = (start_us + UTC8_US) // US_PER_HOUR
    if start_us < end_us <= (hour + 1) * US_PER_HOUR - UTC8_US:  # within one hour, so at one factor
        return {factor_permille(book, hour % 24): end_us - start_us}
    spans: dict[int, int] = {}
    for from_us, to_us, permille in bands(book, start_us, end_us):
        spans[permille] = spans.get(permille, 0) + to_us - from_us
    return dict(sorted(spans.items()))


def power_mw(pool: Pool, site: Site, demand: Demand) -> int:
    """Power of a demand at the meter, PUE in: the share of a node times its power. Milliwatts, rounded down."""
    watts = pool.power_w_per_node * site.energy.pue_permille  # W * 1000 = mW
    if pool.kind is PoolKind.GENERAL:
        return watts * demand.cores // max(1, pool.cores_per_node)
    if pool.kind is PoolKind.AI:
        return watts * demand.accelerators // max(1, pool.accelerators_per_node)
    return watts * demand.nodes


def carbon_mg(pool: Pool, site: Site, demand: Demand, hold_us: int) -> int:
    """Milligrams of CO2 of a hold, rounded half up."""
    return div_half_up(power_mw(pool, site, demand) * hold_us * site.energy.carbon_g_per_kwh * 1000, KWH_MW_US)


def is_priced(book: PriceBook, pool: Pool) -> bool:
    """Whether the book prices this pool: an accelerator model must be listed."""
    return pool.kind is not PoolKind.AI or pool.accelerator_model in book.accelerator_hour_micro_yuan


def compute_lines(
    book: PriceBook, pool: Pool, site: Site, demand: Demand, shots: int, start_us: int, end_us: int
) -> list[Line]:
    """The lines of a compute hold over [start, end): resources and energy per time-of-use factor, then shots."""
    return [as_line(one) for one in compute_rows(book, pool, site, demand, shots, start_us, end_us)]


def meters_of(book: PriceBook, pool: Pool, site: Site, demand: Demand) -> tuple[tuple[ChargeKind, int, int, int], ...]:
    """What runs while a demand is held: (kind, amount, price in micro-yuan, base units of one priced unit for one
    microsecond's amount). One without amount or price makes no line."""
    accelerator_price = book.accelerator_hour_micro_yuan.get(pool.accelerator_model or "", 0)
    nodes = demand.nodes if pool.kind is PoolKind.HPC else 0
    devices = demand.nodes if pool.kind is PoolKind.QUANTUM else 0
    return (
        (ChargeKind.CORE, demand.cores, book.core_hour_micro_yuan, CORE_HOUR),
        (ChargeKind.MEMORY, demand.memory_bytes, book.gib_hour_micro_yuan, GIB_HOUR),
        (ChargeKind.ACCELERATOR, demand.accelerators, accelerator_price, CORE_HOUR),
        (ChargeKind.NODE, nodes, book.node_hour_micro_yuan, CORE_HOUR),
        (ChargeKind.QPU, devices, book.qpu_hour_micro_yuan, CORE_HOUR),
        (ChargeKind.ENERGY, power_mw(pool, site, demand), book.energy_kwh_micro_yuan, KWH_MW_US),
    )


def compute_rows(
    book: PriceBook, pool: Pool, site: Site, demand: Demand, shots: int, start_us: int, end_us: int
) -> list[LineRow]:
    """`compute_lines` as rows."""
    out: list[LineRow] = []
    meters = meters_of(book, pool, site, demand)
    for permille, span_us in hold_us_by_factor(book, start_us, end_us).items():
        out += [
            line_row(kind, pool.id, amount * span_us, price, per, permille)
            for kind, amount, price, per in meters
            if amount and price
        ]
    if shots and book.qpu_shot_micro_yuan:
        out.append(line_row(ChargeKind.QPU_SHOT, pool.id, shots, book.qpu_shot_micro_yuan, 1))
    return out


def bandwidth_line(kind: ChargeKind, item: str, bps: int, hold_us: int, price_micro_yuan_per_gbps_hour: int) -> Line:
    """A line of held bandwidth (of a path or of a security pool)."""
    return line(kind, item, bps * hold_us, price_micro_yuan_per_gbps_hour, GBPS_HOUR)


def network_lines(
    index: GridIndex, bps: int, hold_us: int, path: Path, protection: Iterable[ProtectionStep]
) -> list[Line]:
    """Bandwidth and protection, once a crossing. What has no price has no line."""
    return [as_line(one) for one in network_rows(index, bps, hold_us, path, protection)]


def network_rows(
    index: GridIndex, bps: int, hold_us: int, path: Path, protection: Iterable[ProtectionStep]
) -> list[LineRow]:
    """`network_lines` as rows."""
    out: list[LineRow] = []
    if not bps:
        return out
    for one in path.links:
        price = index.links[one.link].price_micro_yuan_per_gbps_hour
        if price:
            out.append(line_row(ChargeKind.BANDWIDTH, one.link, bps * hold_us, price, GBPS_HOUR))
    for step in protection:
        price = index.security_pools[step.security_pool][0].price_micro_yuan_per_gbps_hour
        if price:
            out.append(line_row(ChargeKind.PROTECTION, step.security_pool, bps * hold_us, price, GBPS_HOUR))
    return out


def transfer_line(item: str, size_bytes: int, price_micro_yuan_per_gib: int) -> Line:
    """A line of bytes moved along a path; the price is the sum over its links."""
    return line(ChargeKind.TRANSFER, item, size_bytes, price_micro_yuan_per_gib, GIB)


def total_micro_yuan(lines: Iterable[Line | LineRow]) -> int:
    """The sum of charges is the sum of lines."""
    return sum(one.amount_micro_yuan for one in lines)
