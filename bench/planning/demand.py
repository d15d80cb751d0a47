"""Classes of tasks of a bench world: what they need, where they may go and what each place costs.

A candidate is a pool and a path that pass every static clause: kind and shape of node, latency circle, residency,
protection. Its cost is compute, path, and moving the data; quantities are integers in the units of `plan.kernel.types`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import I64, WHOLE, Asks, Classes, Fabric, no_floating

from .backbone import PATHS, Backbone

GIB = 1024  # MiB
BOUNDS_US = np.array([6_000, 10_000, 16_000, 30_000, 1_000_000], np.int64)
BOUND_SHARES = (0.08, 0.15, 0.25, 0.25, 0.27)
GUARD_US = 400  # through a security pool
KM_MBIT_HOUR = 1.5  # micro-yuan for a Mbit/s held an hour over a kilometre
LOCAL_MBIT_HOUR = 300  # the same inside a province, whatever the distance
KM_GIB = 1  # micro-yuan for a GiB moved a kilometre
REGION_KM = 900  # a task bound to its region stays this near
LEVEL_SHARES = (0.75, 0.2, 0.05)  # of tasks, by the least security level that they ask for
GUARD = 1  # the protection function that the security pools of these worlds offer
CPU_MASKS = ((0,), (0, 1), (0, 1, 2), (1, 2), (2,))
CARD_MASKS = ((3,), (4,), (5,), (3, 5), (3, 4), (3, 4, 5))


class Needs(NamedTuple):
    """What each class asks, one row a class; `kinds` bool[C, 6] are the node kinds that it accepts."""

    kinds: NDArray[np.bool_]
    home: I64  # the kind that its demand is counted on
    cpu: I64  # milli-cores
    mem: I64  # MiB
    milli: I64  # of cards; below 1000 a share of one
    mbps: I64  # 0: nothing is held on the road
    guarded: NDArray[np.bool_]
    regional: NDArray[np.bool_]
    origin: I64  # province
    bound: I64  # index into BOUNDS_US
    data_at: I64  # province, -1 none
    data_gib: I64
    minutes: I64
    level: I64  # least security level of the site


class Prices(NamedTuple):
    """Micro-yuan an hour of one core, GiB and card in each pool, i64[P]."""

    core: I64
    gib: I64
    card: I64


def draw_needs(
    net: Backbone, count: int, kind_weight: NDArray[np.float64], draw: np.random.Generator, levels: bool = False
) -> Needs:
    """Needs of `count` classes; three of ten ask for cards. kind_weight f64[6]: how often a kind is the home.

    `levels`: some ask for a security level above the lowest.
    """
    rows = [_one(draw, kind_weight) for _ in range(count)]
    kinds = np.zeros((count, len(kind_weight)), bool)
    for row, (mask, *_) in enumerate(rows):
        kinds[row, list(mask)] = True
    home, cpu, mem, milli = np.array([row[1:] for row in rows], np.int64).T
    provinces = len(net.provinces)
    demand = np.array([one.demand for one in net.provinces])
    bandwidth = draw.choice([5, 10, 20, 50, 100, 200], size=count, p=[0.2, 0.25, 0.25, 0.15, 0.1, 0.05])
    mbps = np.where(draw.random(count) < 0.6, bandwidth * np.where(milli >= WHOLE, 2, 1), 0)
    return Needs(
        kinds,
        home,
        cpu,
        mem,
        milli,
        mbps.astype(np.int64),
        (mbps > 0) & (draw.random(count) < 0.2),
        draw.random(count) < 0.12,
        draw.choice(provinces, size=count, p=demand / demand.sum()),
        draw.choice(len(BOUNDS_US), size=count, p=BOUND_SHARES),
        np.where(draw.random(count) < 0.3, draw.integers(0, provinces, count), -1),
        np.minimum(draw.lognormal(3.0, 1.2, count), 2_000).astype(np.int64) + 1,
        np.clip(draw.lognormal(4.5, 1.0, count), 5, 2_880).astype(np.int64),
        draw.choice([1, 2, 3], size=count, p=LEVEL_SHARES) if levels else np.ones(count, np.int64),
    )


def _one(draw: np.random.Generator, kind_weight: NDArray[np.float64]) -> tuple[tuple[int, ...], int, int, int, int]:
    """Kinds accepted, home kind, milli-cores, MiB, milli of cards of one class."""
    with_cards = bool(draw.random() < 0.3) and bool(kind_weight[3:].any())
    masks = CARD_MASKS if with_cards else CPU_MASKS
    allowed = [mask for mask in masks if all(kind_weight[kind] > 0 for kind in mask)]
    wanted = kind_weight[3:] if with_cards else kind_weight[:3]
    home = int(draw.choice(3, p=wanted / wanted.sum())) + (3 if with_cards else 0)
    fitting = [mask for mask in allowed if home in mask] or [(home,)]
    mask = fitting[int(draw.integers(len(fitting)))]
    if not with_cards:
        cores = int(draw.choice([1, 2, 4, 8, 16, 32], p=[0.2, 0.25, 0.25, 0.15, 0.1, 0.05]))
        ratio = int(draw.choice([8, 12, 16])) if 0 not in mask else int(draw.choice([1, 2, 4], p=[0.3, 0.4, 0.3]))
        ratio = min(ratio, 5) if 1 in mask else ratio
        return mask, home, cores * 1000, cores * ratio * GIB, 0
    sizes = [200, 250, 500, 1000, 2000, 4000] + ([] if 4 in mask else [8000])
    milli = int(draw.choice(sizes))
    cores = int(draw.choice([4, 8, 12, 14])) * milli // 1000
    return mask, home, max(cores, 1) * 1000, max(int(draw.choice([32, 64, 96, 112])) * milli // 1000, 1) * GIB, milli


def make_classes(
    net: Backbone,
    fabric: Fabric,
    needs: Needs,
    prices: Prices,
    site_province: I64,
    pool_kind: I64,
    site_level: I64,
    kind_model: I64,
) -> tuple[Classes, Asks]:
    """Classes with every candidate, and what they ask of place and road.

    A class without a candidate has its latency bound widened until it has; one that its region or its security level
    leaves no pool asks for none.
    """
    pool_province = site_province[fabric.pool_site]
    cells = len(net.provinces) ** 2 * PATHS
    latency = np.where(net.path_us < 0, 1 << 40, net.path_us).reshape(len(net.provinces), len(net.provinces), PATHS)
    km = net.path_km.reshape(latency.shape)
    by_mask: dict[bytes, I64] = {}
    parts: list[tuple[I64, I64, I64]] = []
    bounds = BOUNDS_US[needs.bound]
    level, regions = needs.level.copy(), np.full(len(needs.home), -1, np.int64)
    for row in range(len(needs.home)):
        code = needs.kinds[row].tobytes()
        if code not in by_mask:
            by_mask[code] = np.flatnonzero(needs.kinds[row][pool_kind])
        pools = by_mask[code]
        if needs.regional[row]:
            near = net.km[needs.origin[row]] <= REGION_KM
            regions[row] = int((np.int64(1) << np.flatnonzero(near)).sum())
            pools = pools[near[pool_province[pools]]]
        if not len(pools):
            pools, regions[row] = by_mask[code], -1
        safe = pools[(site_level >= level[row])[fabric.pool_site[pools]]]
        level[row] = level[row] if len(safe) else 1
        pools = safe if len(safe) else pools
        compute = _compute(needs, row, prices, pools)
        place = pool_province[pools]
        for wider in range(int(needs.bound[row]), len(BOUNDS_US)):
            found = _candidates(needs, row, compute, place, latency, km, int(BOUNDS_US[wider]))
            if len(found[0]):
                bounds[row] = BOUNDS_US[wider]
                break
        index, route, cost = found
        parts.append((pools[index], np.where(route < 0, -1, route + (cells if needs.guarded[row] else 0)), cost))
    sizes = np.array([len(part[0]) for part in parts], np.int64)
    cost = np.concatenate([part[2] for part in parts])
    first = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    count = len(needs.home)
    models = [
        sum({1 << int(kind_model[kind]) for kind in np.flatnonzero(one) if kind_model[kind] >= 0})
        for one in needs.kinds
    ]
    asks = Asks(
        needs.origin.astype(np.int32),
        (needs.kinds << np.arange(needs.kinds.shape[1])).sum(axis=1).astype(np.int64),
        np.array(models, np.int64),
        np.zeros(count, np.int64),
        level.astype(np.int32),
        regions,
        np.where(needs.guarded, GUARD, 0).astype(np.int64),
    )
    made = Classes(
        needs.cpu.astype(np.int32),
        needs.mem.astype(np.int32),
        (-(-needs.milli // WHOLE)).astype(np.int32),
        needs.milli.astype(np.int32),
        needs.mbps,
        np.ones(count, np.int32),
        bounds,
        np.array([2 * int(np.sort(part[2])[(len(part[2]) - 1) // 2]) for part in parts], np.int64),
        first,
        np.concatenate([part[0] for part in parts]).astype(np.int32),
        np.concatenate([part[1] for part in parts]).astype(np.int32),
        cost,
        *no_floating(count),
    )
    return made, asks


def _compute(needs: Needs, row: int, prices: Prices, pools: I64) -> I64:
    """Micro-yuan of compute in each of the pools, i64[pools]."""
    hour = (
        needs.cpu[row] * prices.core[pools] // 1000
        + needs.mem[row] * prices.gib[pools] // GIB
        + needs.milli[row] * prices.card[pools] // WHOLE
    )
    return np.asarray(hour * needs.minutes[row] // 60)


def _candidates(
    needs: Needs, row: int, compute: I64, place: I64, latency: I64, km: I64, bound_us: int
) -> tuple[I64, I64, I64]:
    """(index of pool, route without protection or -1, cost), sorted by cost, latency, pool, route."""
    origin = int(needs.origin[row])
    paths = PATHS if needs.mbps[row] else 1
    lag = latency[origin][:, :paths] + (GUARD_US if needs.guarded[row] else 0)
    index, path = np.nonzero((lag <= bound_us)[place])
    there = place[index]
    cost = compute[index]
    if needs.mbps[row]:
        rent = (km[origin] * KM_MBIT_HOUR).astype(np.int64) + LOCAL_MBIT_HOUR
        cost = cost + (rent * needs.mbps[row] * needs.minutes[row] // 60)[there, path]
    if needs.data_at[row] >= 0:
        far = (km[needs.data_at[row], :, 0] * KM_GIB).astype(np.int64)
        cost = cost + (far * needs.data_gib[row])[there]
    route = (origin * len(km) + there) * PATHS + path if needs.mbps[row] else np.full(len(index), -1, np.int64)
    order = np.lexsort((lag[there, path], cost))
    return index[order], route[order], cost[order]


def rates(fabric: Fabric, pool_kind: I64, needs: Needs, kinds: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Arrivals of each class at load 1.0, f64[C]: the classes of a home kind together ask for all of that kind."""
    weight = draw.lognormal(0.0, 1.0, len(needs.home))
    amount = np.where(needs.milli > 0, needs.milli, needs.cpu).astype(np.float64)
    out = np.zeros(len(weight))
    for kind in range(kinds):
        mine = needs.home == kind
        if not mine.any():
            continue
        inside = pool_kind == kind
        have = float((fabric.pool_milli if (needs.milli[mine] > 0).any() else fabric.pool_cpu)[inside].sum())
        out[mine] = have * weight[mine] / weight[mine].sum() / amount[mine]
    return out
