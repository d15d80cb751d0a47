"""Small worlds with sites, links and security pools under them, and what may be judged of them in plain Python."""

from typing import NamedTuple

import numpy as np
from tests.plan.kernel_worlds import small_classes, small_fabric

from suanwang.plan.kernel.types import Asks, Classes, Fabric, Ground

FAR = 1 << 60
PLACES, LINKS, GUARDS, ROUTES = 5, 9, 3, 60


class World(NamedTuple):
    fabric: Fabric
    classes: Classes
    ground: Ground
    asks: Asks


def walk(draw: np.random.Generator, ground: Ground) -> tuple[list[int], int]:
    """A random road: what it crosses, and how long it takes."""
    at, used, us = int(draw.integers(PLACES)), [], 0
    for _ in range(int(draw.integers(0, 5))):
        out = np.flatnonzero(ground.link_from == at)
        here = np.flatnonzero(ground.guard_place == at)
        if len(here) and draw.random() < 0.5:
            guard = int(draw.choice(here))
            used.append(LINKS + guard)
            us += int(ground.guard_us[guard])
        elif len(out):
            link = int(draw.choice(out))
            used.append(link)
            us += int(ground.link_us[link])
            at = int(ground.link_to[link])
    return used, us


def ground_world(seed: int, classes: int = 12) -> tuple[np.random.Generator, World]:
    draw = np.random.default_rng(seed)
    base = small_fabric(draw, pools=10, nodes=5)
    sites = int(base.pool_site.max()) + 1
    ends = draw.integers(0, PLACES, (LINKS, 2))
    ends[:, 1] = np.where(ends[:, 0] == ends[:, 1], (ends[:, 1] + 1) % PLACES, ends[:, 1])
    carded = base.shape_cards > 0
    ground = Ground(
        site_place=draw.integers(0, PLACES, sites).astype(np.int32),
        site_access_us=np.full(sites, 100, np.int64),
        site_region=draw.integers(0, 4, sites).astype(np.int32),
        site_level=draw.integers(1, 4, sites).astype(np.int32),
        pool_kind=np.where(carded, 1 + draw.integers(0, 2, len(carded)), 0).astype(np.int32),
        pool_lacks=draw.choice([0, 0, 0, 1, 2, 5], len(carded)).astype(np.int64),
        link_from=ends[:, 0].astype(np.int32),
        link_to=ends[:, 1].astype(np.int32),
        link_us=draw.integers(100, 3_000, LINKS).astype(np.int64),
        guard_place=draw.integers(0, PLACES, GUARDS).astype(np.int32),
        guard_functions=draw.integers(1, 8, GUARDS).astype(np.int64) * 2,
        guard_us=draw.integers(0, 300, GUARDS).astype(np.int64),
    )
    roads = [walk(draw, ground) for _ in range(ROUTES)]
    fabric = base._replace(
        pool_model=np.where(carded, draw.integers(0, 3, len(carded)), -1).astype(np.int32),
        capacity=np.concatenate([draw.integers(20, 300, LINKS + GUARDS), draw.integers(0, 30, 2)]).astype(np.int64),
        route_first=np.cumsum([0, *(len(used) for used, _ in roads)]).astype(np.int32),
        route_use=np.array([one for used, _ in roads for one in used], np.int32),
        route_latency_us=np.array([us + 100 for _, us in roads], np.int64),
    )
    made = small_classes(draw, base, classes)
    asks = Asks(
        origin=draw.integers(0, PLACES, classes).astype(np.int32),
        kinds=np.where(made.cards > 0, draw.choice([2, 4, 6, 7], classes), draw.choice([1, 3, 7], classes)),
        models=draw.choice([1, 3, 6, 7], classes),
        abilities=draw.choice([0, 0, 1, 3, 4, 7], classes),
        level=draw.integers(1, 4, classes).astype(np.int32),
        regions=draw.choice([-1, -1, 5, 14], classes),
        functions=draw.choice([0, 0, 0, 1, 2, 0x21], classes),
    )
    made = made._replace(
        float_use=draw.integers(LINKS + GUARDS, LINKS + GUARDS + 2, len(made.float_use)).astype(np.int32),
        latency_bound_us=draw.integers(500, 6_000, classes).astype(np.int64),
    )
    return draw, World(fabric, listed(draw, fabric, made, ground, asks), ground, asks)


def listed(draw: np.random.Generator, fabric: Fabric, classes: Classes, ground: Ground, asks: Asks) -> Classes:
    """Every (pool, route) that is allowed, at some cost."""
    pools, routes, costs, first = [], [], [], [0]
    for one in range(len(classes.cpu)):
        pairs = [
            (pool, route)
            for pool in range(len(fabric.pool_site))
            for route in range(-1, ROUTES)
            if allowed(fabric, classes, ground, asks, one, pool, route)
        ]
        cost = np.sort(draw.integers(1, 1_000, len(pairs)))
        order = draw.permutation(len(pairs))
        pools += [pairs[at][0] for at in order]
        routes += [pairs[at][1] for at in order]
        costs += cost.tolist()
        first.append(len(pools))
    return classes._replace(
        cand_first=np.array(first, np.int32),
        cand_pool=np.array(pools, np.int32),
        cand_route=np.array(routes, np.int32),
        cand_cost=np.array(costs, np.int64),
    )


def crossed(fabric: Fabric, route: int) -> list[int]:
    return fabric.route_use[fabric.route_first[route] : fabric.route_first[route + 1]].tolist() if route >= 0 else []


def ends_of(fabric: Fabric, ground: Ground, route: int, origin: int) -> tuple[int, int]:
    """Where a route starts and ends; one that crosses nothing stays."""
    at, start = origin, None
    for use in crossed(fabric, route):
        near = int(ground.link_from[use] if use < LINKS else ground.guard_place[use - LINKS])
        start = near if start is None else start
        at = int(ground.link_to[use]) if use < LINKS else near
    return (origin if start is None else start), at


def protects(fabric: Fabric, ground: Ground, route: int, functions: int) -> bool:
    wanted = [functions >> shift & 15 for shift in range(0, 60, 4) if functions >> shift & 15]
    for use in crossed(fabric, route):
        while use >= LINKS and wanted and int(ground.guard_functions[use - LINKS]) >> wanted[0] & 1:
            wanted.pop(0)
    return not wanted


def nearest_us(ground: Ground, origin: int, place: int) -> int:
    best = {origin: 0}
    for _ in range(PLACES):
        for near, far, us in zip(
            ground.link_from.tolist(), ground.link_to.tolist(), ground.link_us.tolist(), strict=True
        ):
            if near in best:
                best[far] = min(best.get(far, FAR), best[near] + us)
    return best.get(place, FAR)


def road_us(
    fabric: Fabric, ground: Ground, origin: int, functions: int, mbps: int, pool: int, route: int
) -> int | None:  # fmt: skip
    """How long the way to the pool takes; None: it is no way."""
    site = int(fabric.pool_site[pool])
    place = int(ground.site_place[site])
    if route < 0:
        free = mbps == 0 and functions == 0
        return nearest_us(ground, origin, place) + int(ground.site_access_us[site]) if free else None
    if ends_of(fabric, ground, route, origin) != (origin, place) or not protects(fabric, ground, route, functions):
        return None
    return int(fabric.route_latency_us[route])


def allowed(fabric: Fabric, classes: Classes, ground: Ground, asks: Asks, one: int, pool: int, route: int) -> bool:
    """Whether the static clauses let the class have the pool by the route."""
    site = int(fabric.pool_site[pool])
    if not int(asks.kinds[one]) >> int(ground.pool_kind[pool]) & 1:
        return False
    if int(asks.abilities[one]) & int(ground.pool_lacks[pool]):
        return False
    model = int(fabric.pool_model[pool])
    if classes.cards[one] > 0 and (model < 0 or not int(asks.models[one]) >> model & 1):
        return False
    if ground.site_level[site] < asks.level[one] or not int(asks.regions[one]) >> int(ground.site_region[site]) & 1:
        return False
    us = road_us(
        fabric, ground, int(asks.origin[one]), int(asks.functions[one]), int(classes.mbps[one]), pool, route
    )  # fmt: skip
    return us is not None and us <= classes.latency_bound_us[one]
