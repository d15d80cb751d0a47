"""The static clauses of every candidate, checked from the raw figures: kind, model, abilities, level, region, road, protection.

The planner's lists say "this class may go to this pool by this route". Here each route is walked over the raw links, and
each candidate is held against what its class asked and what its pool's site is. All candidates at once, in columns.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]
LATENCY = 5  # as `batch_rows`
KIND, MODEL, LEVEL, REGION, ROUTE, PROTECTION, ABILITY = range(17, 24)
NOWHERE = -1
FAR = 1 << 60
FUNCTION_BITS = 4


class Ground(NamedTuple):
    """What sites, links and security pools are. Links come first among the shared resources, then security pools."""

    site_place: I32  # [S] vertex of the network
    site_access_us: I64  # [S] between the vertex and the site
    site_region: I32  # [S] 0..62
    site_level: I32  # [S]
    pool_kind: I32  # [P] 0..62
    pool_lacks: I64  # [P] bit of each ability that it has not
    link_from: I32  # [L]
    link_to: I32  # [L]
    link_us: I64  # [L]
    guard_place: I32  # [G]
    guard_functions: I64  # [G] bit f: offers function f, 1..15
    guard_us: I64  # [G]


class Asks(NamedTuple):
    """What each class asks of the place and of the road."""

    origin: I32  # [C] vertex
    kinds: I64  # [C] bit of each kind that will do
    models: I64  # [C] bit of each model that will do, for classes with cards
    abilities: I64  # [C] bit of each ability that will be needed
    level: I32  # [C] least
    regions: I64  # [C] bit of each region that will do
    functions: I64  # [C] functions in the order of crossing, four bits each, the first lowest; 0: none


class _Walked(NamedTuple):
    """Where each route leads, [T]."""

    start: I64  # NOWHERE: the route crosses nothing
    end: I64
    us: I64
    broken: NDArray[np.bool_]


def clause_faults(fabric: Any, classes: Any, ground: Any, asks: Any) -> U8:
    """Fault of each candidate, u8[X], 0: none. Arguments: anything with the columns named here and in `batch_rows`."""
    owner = np.repeat(np.arange(len(classes.cpu)), np.diff(classes.cand_first))
    pool, route = classes.cand_pool, classes.cand_route
    site = fabric.pool_site[pool]
    out = np.zeros(len(pool), np.uint8)

    def fails(code: int, where: NDArray[np.bool_]) -> None:
        out[where & (out == 0)] = code

    fails(KIND, ~_in(asks.kinds[owner], ground.pool_kind[pool]))
    fails(MODEL, (classes.cards[owner] > 0) & ~_in(asks.models[owner], fabric.pool_model[pool]))
    fails(ABILITY, (ground.pool_lacks[pool] & asks.abilities[owner]) != 0)
    fails(LEVEL, ground.site_level[site] < asks.level[owner])
    fails(REGION, ~_in(asks.regions[owner], ground.site_region[site]))
    origin, place = asks.origin[owner].astype(np.int64), ground.site_place[site].astype(np.int64)
    walked = _walk(fabric, ground)
    fails(ROUTE, ~_leads(walked, fabric, ground, route, origin, place, site))
    bare = route < 0
    fails(ROUTE, bare & (classes.mbps[owner] > 0))
    fails(PROTECTION, bare & (asks.functions[owner] != 0))
    origins, row = np.unique(asks.origin, return_inverse=True)
    least = _least_us(ground, origins.astype(np.int64))
    nearest = least[row.reshape(-1)[owner], place] + ground.site_access_us[site]
    fails(LATENCY, bare & (nearest > classes.latency_bound_us[owner]))
    guarded = np.flatnonzero(~bare & (asks.functions[owner] != 0))
    pairs, which = np.unique(np.stack([asks.functions[owner[guarded]], route[guarded]]), axis=1, return_inverse=True)
    unmet = np.zeros(len(pool), np.bool_)
    unmet[guarded] = _unmet(fabric, ground, pairs[0], pairs[1])[which.reshape(-1)]
    fails(PROTECTION, unmet)
    return out


def _in(mask: I64, code: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the bit of each code is set; a code below 0 is in no mask but that of all."""
    return np.asarray(((mask >> np.maximum(code, 0)) & 1 == 1) & ((code >= 0) | (mask == -1)))


def _leads(
    walked: _Walked, fabric: Any, ground: Any, route: I32, origin: I64, place: I64, site: I32
) -> NDArray[np.bool_]:
    """Whether the route, where there is one, goes from the origin to the site and takes the time that it says."""
    if not len(walked.start):
        return route < 0
    at = np.maximum(route, 0)
    start, end = walked.start[at], walked.end[at]
    fine = np.where(start == NOWHERE, origin == place, (start == origin) & (end == place)) & ~walked.broken[at]
    fine &= walked.us[at] + ground.site_access_us[site] == fabric.route_latency_us[at]
    return np.asarray(fine | (route < 0))


def _steps(fabric: Any) -> Any:
    """The routes that have a crossing number 0, 1, .. and what they cross there."""
    first, size = fabric.route_first[:-1].astype(np.int64), np.diff(fabric.route_first)
    for step in range(int(size.max(initial=0))):
        rows = np.flatnonzero(size > step)
        yield rows, fabric.route_use[first[rows] + step].astype(np.int64)


def _walk(fabric: Any, ground: Any) -> _Walked:
    """Walk all routes, one crossing at a time."""
    routes, links, guards = len(fabric.route_latency_us), len(ground.link_us), len(ground.guard_us)
    start, at = np.full(routes, NOWHERE, np.int64), np.full(routes, NOWHERE, np.int64)
    us, broken = np.zeros(routes, np.int64), np.zeros(routes, np.bool_)
    come = np.concatenate([ground.link_from, ground.guard_place, [NOWHERE]]).astype(np.int64)
    go = np.concatenate([ground.link_to, ground.guard_place, [NOWHERE]]).astype(np.int64)
    takes = np.concatenate([ground.link_us, ground.guard_us, [0]]).astype(np.int64)
    for rows, crossed in _steps(fabric):
        broken[rows] |= crossed >= links + guards  # a floating resource is no road
        crossed = np.minimum(crossed, links + guards)
        fresh = at[rows] == NOWHERE
        start[rows[fresh]] = come[crossed[fresh]]
        broken[rows] |= ~fresh & (come[crossed] != at[rows])
        at[rows] = go[crossed]
        us[rows] += takes[crossed]
    return _Walked(start, at, us, broken)


def _least_us(ground: Any, origins: I64) -> I64:
    """Least time over links from each origin to each vertex, i64[origins, V]."""
    vertices = (
        int(max(part.max(initial=0) for part in (ground.site_place, ground.link_from, ground.link_to, origins))) + 1
    )
    best = np.full((len(origins), vertices), FAR, np.int64)
    best[np.arange(len(origins)), origins] = 0
    while True:
        before = best.copy()
        for link in range(len(ground.link_us)):
            near, far = int(ground.link_from[link]), int(ground.link_to[link])
            best[:, far] = np.minimum(best[:, far], best[:, near] + int(ground.link_us[link]))
        if np.array_equal(before, best):
            return best


def _unmet(fabric: Any, ground: Any, functions: I64, route: I64) -> NDArray[np.bool_]:
    """Whether a route misses a function in its order, for pairs of them."""
    links = len(ground.link_us)
    offers = np.concatenate([np.zeros(links, np.int64), ground.guard_functions]).astype(np.int64)
    left = functions.copy()
    pairs_of = np.argsort(route, kind="stable")
    for rows, crossed in _steps(fabric):
        mask = np.zeros(len(fabric.route_latency_us), np.int64)
        known = crossed < len(offers)
        mask[rows[known]] = offers[crossed[known]]
        here = mask[route[pairs_of]]
        while True:
            wanted = left[pairs_of] & ((1 << FUNCTION_BITS) - 1)
            met = (wanted > 0) & ((here >> wanted) & 1 == 1)
            if not met.any():
                break
            left[pairs_of[met]] >>= FUNCTION_BITS
    return np.asarray(left != 0)
