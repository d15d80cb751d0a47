"""Prices and carbon of a demand in every pool at once, exact to the micro-yuan.

A line is `round_half_up(product / denominator)` where the product may need 128 bits. The kernel takes the quotient
from floating point, which is off by one at most, and sets it right with the remainder, computed modulo 2**64: the
true remainder fits into 64 bits, so it is exact. Where a number is too large for that (`QUOTIENT_MAX`), the kernel
says so and `model.tariff` does the sum with Python's integers.
"""

from math import gcd
from typing import NamedTuple

import numpy as np

from suanwang.model.grid import PoolKind
from suanwang.model.plan import Demand
from suanwang.model.tariff import CORE_HOUR, GBPS_HOUR, GIB_HOUR, KWH_MW_US, carbon_mg, compute_lines
from suanwang.model.units import US_PER_DAY, US_PER_HOUR, div_half_up
from suanwang.net.jit import kernel
from suanwang.net.network import Ints
from suanwang.plan.layout import KINDS, Layout, Tariffs

QUOTIENT_MAX = 2.0**44  # its floating-point error (2**-50 of it) stays far below one
DENOMINATOR_MAX = 4.0e18  # so that twice it fits into 63 bits
UNSURE = -1
# A price above it (4.6 million million yuan) is compared as this one; the quote itself is always exact.
PRICE_MAX = 2**62
GENERAL, AI, HPC, QUANTUM = (KINDS.index(one) for one in PoolKind)


class Asked(NamedTuple):
    """What a demand is to the kernels."""

    demand: Ints
    shots: int
    gib_per: int
    memory_per: int


@kernel
def _amount(quantity: int, times: int, price: int, permille: int, denominator: int) -> int:
    """`round_half_up(quantity * times * price * permille / denominator)`, or UNSURE."""
    if quantity == 0 or times == 0 or price == 0 or permille == 0:
        return 0
    quotient = float(quantity) * float(times) * float(price) * float(permille) / float(denominator)
    if quotient > 17592186044416.0 or denominator > 4_000_000_000_000_000_000:
        return -1
    whole = np.int64(quotient)
    rest = np.int64(quantity) * np.int64(times) * np.int64(price) * np.int64(permille) - whole * np.int64(denominator)
    while rest < 0:
        whole -= 1
        rest += denominator
    while rest >= denominator:
        whole += 1
        rest -= denominator
    return int(whole + 1) if rest >= denominator - rest else int(whole)


@kernel
def _milliwatts(kind: int, watts_pue: int, figures: Ints, cores: int, accelerators: int, nodes: int) -> int:
    """As `tariff.power_mw`; UNSURE where it does not fit."""
    if kind == 0:
        share, per = cores, max(1, figures[0])
    elif kind == 1:
        share, per = accelerators, max(1, figures[2])
    else:
        share, per = nodes, 1
    if float(watts_pue) * float(share) > 4.0e18:
        return -1
    return int(watts_pue * share // per)


@kernel
def _clock(at_us: int) -> tuple[int, int, int]:
    """(day since 1970-01-01, hour, microseconds into it) of a moment in UTC+8."""
    hours = (at_us + 28_800_000_000) // 3_600_000_000
    return hours // 24, hours % 24, at_us + 28_800_000_000 - hours * 3_600_000_000


@kernel
def _until(hours: Ints, clock: tuple[int, int, int]) -> int:
    """Microseconds at a factor from 1970-01-01 until a moment, given its hours from midnight."""
    day, hour, rest_us = clock
    return int((day * hours[24] + hours[hour]) * 3_600_000_000 + (hours[hour + 1] - hours[hour]) * rest_us)


@kernel
def compute_price(pool: int, start_us: int, end_us: int, asked: Asked, tariffs: Tariffs) -> int:
    """The sum of `tariff.compute_lines` over [start, end) of one pool, or UNSURE."""
    total = _shots(pool, asked, tariffs)
    schedule = tariffs.schedule[pool]
    since, till = _clock(start_us), _clock(end_us)
    for factor in range(tariffs.factors[schedule]):
        table = tariffs.hours[schedule, factor]
        span_us = _until(table, till) - _until(table, since)
        if span_us:
            more = _factor_lines(pool, factor, span_us, asked, tariffs)
            if more < 0 or total < 0:
                return -1
            total += more
    return int(total)


@kernel
def factor_price(pool: int, factor: int, span_us: int, asked: Asked, tariffs: Tariffs) -> int:
    """As `compute_price`, of a span that is all at one factor."""
    total, more = _shots(pool, asked, tariffs), _factor_lines(pool, factor, span_us, asked, tariffs)
    return -1 if total < 0 or more < 0 else int(total + more)


@kernel
def _shots(pool: int, asked: Asked, tariffs: Tariffs) -> int:
    if asked.shots and float(asked.shots) * float(tariffs.shot[pool]) > 4.0e18:
        return -1
    return int(asked.shots * tariffs.shot[pool])


@kernel
def _factor_lines(pool: int, factor: int, span_us: int, asked: Asked, tariffs: Tariffs) -> int:
    """The lines of a span at one factor, or UNSURE."""
    kind, demand, schedule = tariffs.kind[pool], asked.demand, tariffs.schedule[pool]
    milliwatts = _milliwatts(kind, tariffs.watts_pue[pool], tariffs.node_figures[pool], demand[0], demand[2], demand[3])
    nodes = demand[3] if kind >= 2 else 0  # of hpc and quantum; `layout` gives each kind its own price of a node
    permille, thousand = tariffs.permilles[schedule, factor], tariffs.thousands[schedule, factor]
    if milliwatts < 0 or float(asked.gib_per) * 3.6e9 * float(thousand) > 4.0e18:
        return -1
    hour = 3_600_000_000 * thousand
    one = _amount(demand[0], span_us, tariffs.core[pool], permille, hour)
    two = _amount(asked.memory_per, span_us, tariffs.gib[pool], permille, asked.gib_per * hour)
    three = _amount(demand[2], span_us, tariffs.accelerator[pool], permille, hour)
    four = _amount(nodes, span_us, tariffs.node[pool], permille, hour)
    five = _amount(milliwatts, span_us, tariffs.kwh[pool], permille, 1_000_000 * hour)
    if one < 0 or two < 0 or three < 0 or four < 0 or five < 0:
        return -1
    return int(one + two + three + four + five)


@kernel
def _carbons(pools: Ints, wall_us: int, asked: Asked, tariffs: Tariffs, out: Ints) -> None:
    demand = asked.demand
    for at in range(len(pools)):
        pool = pools[at]
        watts_pue, figures = tariffs.watts_pue[pool], tariffs.node_figures[pool]
        power = _milliwatts(tariffs.kind[pool], watts_pue, figures, demand[0], demand[2], demand[3])
        grams = tariffs.carbon_g_per_kwh[pool]
        out[at] = -1 if power < 0 else _amount(power, wall_us, grams, 1000, 3_600_000_000_000_000)


def asked_of(demand: Demand, shots: int) -> Asked:
    """The figures of a demand for the kernels; bytes per priced unit and bytes asked over their common divisor."""
    gib = GIB_HOUR // US_PER_HOUR
    common = gcd(demand.memory_bytes, gib)
    return Asked(demand_array(demand), shots, gib // common, min(demand.memory_bytes // common, 2**63 - 1))


def carbons(layout: Layout, pools: Ints, demand: Demand, asked: Asked, wall_us: int) -> Ints:
    """Milligrams of CO2 of the demand in each of the pools."""
    out = np.zeros(len(pools), np.int64)
    _carbons(pools, wall_us, asked, layout.tariffs, out)
    for at in np.flatnonzero(out < 0):
        pool, site = layout.pools[pools[at]]
        out[at] = min(carbon_mg(pool, site, demand, wall_us), PRICE_MAX)
    return out


def exact_price(layout: Layout, pool_number: int, demand: Demand, shots: int, start_us: int, end_us: int) -> int:
    """What the kernel was unsure of, by the tariff itself."""
    pool, site = layout.pools[pool_number]
    book = layout.index.price_books[site.price_book]
    lines = compute_lines(book, pool, site, demand, shots, start_us, end_us)
    return min(sum(one.amount_micro_yuan for one in lines), PRICE_MAX)


def demand_array(demand: Demand) -> Ints:
    """A demand as an amount vector; a figure that no pool can have counts as more than any has."""
    figures = (demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)
    return np.array([min(one, 2**63 - 1) for one in figures], np.int64)


def held_amounts(prices: Ints, bandwidth_bps: int, hold_us: int) -> Ints:
    """The amount of a bandwidth line at each price (of a Gbit/s for an hour)."""
    return _by_price(prices, bandwidth_bps, hold_us, GBPS_HOUR)


def moved_amounts(prices: Ints, size_bytes: int) -> Ints:
    """The amount of a transfer line at each price per GiB (`FAR` stays far)."""
    return _by_price(prices, size_bytes, 1, GIB_HOUR // US_PER_HOUR)


def _by_price(prices: Ints, quantity: int, times: int, per: int) -> Ints:
    out = np.empty(prices.shape, np.int64)
    _amounts(prices, quantity, times, per, out)
    for at in np.flatnonzero(out < 0):
        out[at] = min(div_half_up(quantity * times * int(prices[at]), per), PRICE_MAX // 64)
    return out


@kernel
def _amounts(prices: Ints, quantity: int, times: int, per: int, out: Ints) -> None:
    for at in range(len(prices)):
        far = prices[at] >= 2**62
        out[at] = 2**62 if far else _amount(quantity, times, prices[at], 1, per)


assert (GENERAL, AI, HPC, QUANTUM) == (0, 1, 2, 3), "the kernels know kinds by these numbers"
assert (CORE_HOUR, KWH_MW_US, US_PER_DAY) == (3_600_000_000, 3_600_000_000_000_000, 86_400_000_000)
