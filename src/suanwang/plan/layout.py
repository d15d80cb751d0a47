"""A grid as arrays, made once a grid: what the planner multiplies and compares for all pools at once."""

from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.model.ability import bits_of
from suanwang.model.grid import Pool, PoolKind, PriceBook, Site
from suanwang.model.ids import LinkId, PoolId, SecurityPoolId
from suanwang.model.plan import Demand
from suanwang.model.snapshot import GridIndex
from suanwang.model.tariff import factor_permille, is_priced
from suanwang.net.network import Flags, Ints, Network, build_network

KINDS = tuple(PoolKind)
FIGURES = ("cores", "memory_bytes", "accelerators", "nodes")  # of a demand, in the order of every amount vector
# Figures of a pool are compared as 64-bit integers. A pool with more than this of anything (4 EiB of memory) counts
# as this much, so it may be said to be full early, and never late.
FIGURE_MAX = 2**62
# The rates at which data may be sent: a few steps, a factor of ten apart, keep the candidates few and the holds round.
RATES_BPS = (100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000)
# What comes before them where a link is narrower than a gigabit, down to the first that is a tenth of the narrowest: the
# data of a task comes together, so several bodies must fit. Closer together, since a step of ten would leave most of a line.
SLOW_RATES_BPS = tuple(step * 10**power for power in range(7, 2, -1) for step in (3, 1))


class Tariffs(NamedTuple):
    """What the kernels need to price a pool; `accelerator` is 0 where the book does not list the model."""

    kind: Ints
    node_figures: Ints  # [pool, (cores, memory, accelerators, qubits)] of one node
    watts_pue: Ints  # milliwatts of one node at the meter
    carbon_g_per_kwh: Ints
    core: Ints
    gib: Ints
    accelerator: Ints
    node: Ints
    shot: Ints
    kwh: Ints
    schedule: Ints  # which column of the time-of-use tables
    factors: Ints  # how many factors a schedule has
    permilles: Ints  # [schedule, factor], lowest first, over their common divisor with 1000
    thousands: Ints  # 1000 over the same divisor
    hours: Ints  # [schedule, factor, hour] -> hours at the factor from midnight (UTC+8) to the hour; 25 columns


@dataclass(frozen=True)
class Layout:
    """Arrays over `index.pool_order`, and the numbers that stand for ids."""

    index: GridIndex
    network: Network
    pools: tuple[tuple[Pool, Site], ...]
    pool_at: dict[PoolId, int]
    edge_at: dict[str, int]  # "<link>:ab" -> directed link
    link_at: dict[LinkId, int]
    sec_at: dict[SecurityPoolId, int]
    rank: Ints  # of the pool's id among all ids, in text order
    node: Ints  # the site of each pool, as a node of the network
    capacity: Ints  # [pool, figure]
    security_level: Ints
    regions: npt.NDArray[np.str_]
    models: npt.NDArray[np.str_]
    owners: npt.NDArray[np.str_]
    lacks: Ints  # abilities that each pool has not, as bits
    lacking: bool  # some pool lacks one
    priced: Flags
    tariffs: Tariffs
    edges_us: Ints  # moments of the day (UTC+8) at which some book's factor changes
    empty_room: Ints  # capacities of directed links and then of security pools
    closed: Ints  # [window, (directed link, start, end)]: planned maintenance, in which a link carries nothing
    rates_bps: tuple[int, ...]  # at which data may be sent, slowest first


def closes(layout: Layout, start_us: int, end_us: int) -> bool:
    """Whether some link is in maintenance at a moment of [start, end)."""
    windows = layout.closed
    return bool(len(windows)) and bool(((windows[:, 1] < end_us) & (start_us < windows[:, 2])).any())


def amounts(demand: Demand) -> tuple[int, ...]:
    """A demand as an amount vector."""
    return (demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)


def pool_capacity(pool: Pool) -> Demand:
    """All that a pool has."""
    return Demand.model_construct(
        cores=pool.nodes * pool.cores_per_node,
        memory_bytes=pool.nodes * pool.memory_bytes_per_node,
        accelerators=pool.nodes * pool.accelerators_per_node,
        nodes=pool.nodes,
    )


def build_layout(index: GridIndex) -> Layout:
    """The arrays of an index over a checked grid."""
    grid = index.grid
    network = build_network(grid)
    pools = tuple(index.pools[one] for one in index.pool_order)
    ordered = {one: at for at, one in enumerate(sorted(index.pool_order))}
    books = [index.price_books[site.price_book] for _, site in pools]
    edge_at = {}
    for at, link in enumerate(grid.links):
        edge_at[f"{link.id}:ab"], edge_at[f"{link.id}:ba"] = 2 * at, 2 * at + 1
    return Layout(
        index=index,
        network=network,
        pools=pools,
        pool_at={one: at for at, one in enumerate(index.pool_order)},
        edge_at=edge_at,
        link_at={link.id: at for at, link in enumerate(grid.links)},
        sec_at={one: at for at, one in enumerate(index.security_pools)},
        rank=_ints([ordered[one] for one in index.pool_order]),
        node=_ints([network.node_of[site.id] for _, site in pools]),
        capacity=_table([[min(one, FIGURE_MAX) for one in amounts(pool_capacity(pool))] for pool, _ in pools]),
        security_level=_ints([site.security_level for _, site in pools]),
        regions=np.array([site.region for _, site in pools], dtype=np.str_),
        models=np.array([pool.accelerator_model or "" for pool, _ in pools], dtype=np.str_),
        owners=np.array([site.owner for _, site in pools], dtype=np.str_),
        lacks=_ints([bits_of(pool.lacks) for pool, _ in pools]),
        lacking=any(pool.lacks for pool, _ in pools),
        priced=np.array([is_priced(book, pool) for (pool, _), book in zip(pools, books, strict=True)], np.bool_),
        tariffs=_tariffs(pools, books),
        edges_us=_day_edges_us(list(index.price_books.values())),
        empty_room=np.concatenate([network.capacity_bps, network.sec_capacity_bps]),
        closed=_closed(index),
        rates_bps=_rates_bps(int(network.capacity_bps.min(initial=10 * RATES_BPS[0]))),
    )


def _rates_bps(narrowest_bps: int) -> tuple[int, ...]:
    """The ladder for a grid whose narrowest link carries that much."""
    rates = list(RATES_BPS)
    for slower_bps in SLOW_RATES_BPS:
        if 10 * rates[0] <= narrowest_bps:
            break
        rates.insert(0, slower_bps)
    return tuple(rates)


def _closed(index: GridIndex) -> Ints:
    rows = [
        (edge, window.start, window.end)
        for at, link in enumerate(index.grid.links)
        for window in link.maintenance
        if window.start < window.end
        for edge in (2 * at, 2 * at + 1)
    ]
    return np.array(rows, np.int64).reshape(len(rows), 3)


def _tariffs(pools: tuple[tuple[Pool, Site], ...], books: list[PriceBook]) -> Tariffs:
    schedules = {bands: at for at, bands in enumerate(dict.fromkeys(book.time_of_use for book in books))}
    of_bands = {book.time_of_use: book for book in books}
    by_hour = [[factor_permille(of_bands[bands], hour) for hour in range(24)] for bands in schedules]
    factors = [sorted(set(row)) for row in by_hour]
    width = max([1, *(len(one) for one in factors)])
    hours = np.zeros((len(schedules), width, 25), np.int64)
    for at, row in enumerate(by_hour):
        for hour, permille in enumerate(row):
            hours[at, factors[at].index(permille), hour + 1 :] += 1
    divisors = [[gcd(one, 1000) for one in row] + [1000] * (width - len(row)) for row in factors]
    return Tariffs(
        kind=_ints([KINDS.index(pool.kind) for pool, _ in pools]),
        node_figures=_table(
            [
                [pool.cores_per_node, pool.memory_bytes_per_node, pool.accelerators_per_node, pool.qubits_per_node]
                for pool, _ in pools
            ]
        ),
        watts_pue=_ints([pool.power_w_per_node * site.energy.pue_permille for pool, site in pools]),
        carbon_g_per_kwh=_ints([site.energy.carbon_g_per_kwh for _, site in pools]),
        core=_ints([book.core_hour_micro_yuan for book in books]),
        gib=_ints([book.gib_hour_micro_yuan for book in books]),
        accelerator=_ints(
            [
                book.accelerator_hour_micro_yuan.get(pool.accelerator_model or "", 0)
                for (pool, _), book in zip(pools, books, strict=True)
            ]
        ),
        node=_ints(
            [
                book.qpu_hour_micro_yuan if pool.kind is PoolKind.QUANTUM else book.node_hour_micro_yuan
                for (pool, _), book in zip(pools, books, strict=True)
            ]
        ),
        shot=_ints([book.qpu_shot_micro_yuan for book in books]),
        kwh=_ints([book.energy_kwh_micro_yuan for book in books]),
        schedule=_ints([schedules[book.time_of_use] for book in books]),
        factors=_ints([len(one) for one in factors]),
        permilles=_grid(
            [
                [one // by for one, by in zip(row + [0] * (width - len(row)), divisor, strict=True)]
                for row, divisor in zip(factors, divisors, strict=True)
            ],
            width,
        ),
        thousands=_grid([[1000 // by for by in divisor] for divisor in divisors], width),
        hours=hours,
    )


def _day_edges_us(books: list[PriceBook]) -> Ints:
    hours = {
        hour
        for book in books
        for hour in range(24)
        if factor_permille(book, hour) != factor_permille(book, (hour + 23) % 24)
    }
    return _ints(sorted(hour * 3_600_000_000 for hour in hours))


def _ints(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _table(rows: list[list[int]]) -> Ints:
    return _grid(rows, len(FIGURES))


def _grid(rows: list[list[int]], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)
