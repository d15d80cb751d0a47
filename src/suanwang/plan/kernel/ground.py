"""The static clauses of one class over all pools, from what lies under the fabric: kind, level, region, model, roads."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import I32, I64, Asks, Classes, Fabric, Ground

NOWHERE = -1
FAR = 1 << 60
FUNCTION = 15  # mask of one function


class Roads(NamedTuple):
    """Where every route of the fabric leads, [T]; NOWHERE: it crosses no link and no security pool."""

    start: I64
    end: I64


class Ways(NamedTuple):
    """The routes that start where a class does, [n], and the road that holds nothing."""

    route: I32
    place: I64  # where each ends
    us: I64
    guarded: NDArray[np.bool_]  # passes the functions of the class in their order
    bare_us: I64  # [V] least time over links to each vertex, access not counted


def roads_of(fabric: Fabric, ground: Ground) -> Roads:
    """Both ends of every route."""
    enter = np.concatenate([ground.link_from, ground.guard_place])
    leave = np.concatenate([ground.link_to, ground.guard_place])
    size = np.diff(fabric.route_first)
    start, end = np.full(len(size), NOWHERE, np.int64), np.full(len(size), NOWHERE, np.int64)
    some = np.flatnonzero(size)
    start[some] = enter[fabric.route_use[fabric.route_first[:-1][some]]]
    end[some] = leave[fabric.route_use[fabric.route_first[1:][some] - 1]]
    return Roads(start, end)


def ways_of(fabric: Fabric, ground: Ground, roads: Roads, asks: Asks, one: int) -> Ways:
    """All roads of the class."""
    origin, functions = int(asks.origin[one]), int(asks.functions[one])
    mine = np.flatnonzero((roads.start == origin) | (roads.start == NOWHERE)).astype(np.int32)
    place = np.where(roads.end[mine] == NOWHERE, origin, roads.end[mine])
    guarded = np.array([_passes(fabric, ground, int(route), functions) for route in mine], np.bool_)
    return Ways(mine, place, fabric.route_latency_us[mine], guarded, _least_us(ground, origin))


def _passes(fabric: Fabric, ground: Ground, route: int, functions: int) -> bool:
    if functions:
        links = len(ground.link_us)
        for resource in fabric.route_use[fabric.route_first[route] : fabric.route_first[route + 1]].tolist():
            while (
                resource >= links
                and functions
                and (int(ground.guard_functions[resource - links]) >> (functions & FUNCTION)) & 1
            ):
                functions >>= 4
    return functions == 0


def _least_us(ground: Ground, origin: int) -> I64:
    vertices = 1 + max(int(part.max(initial=origin)) for part in (ground.site_place, ground.link_from, ground.link_to))
    best = np.full(vertices, FAR, np.int64)
    best[origin] = 0
    for _ in range(vertices):
        more = best.copy()
        np.minimum.at(more, ground.link_to, best[ground.link_from] + ground.link_us)
        if np.array_equal(more, best):
            break
        best = more
    return best


def has_bit(mask: int, code: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether the mask has the bit of each code; -1 as a mask has all."""
    return np.asarray(((mask >> np.maximum(code, 0).astype(np.int64)) & 1 == 1) & ((code >= 0) | (mask == -1)))


def least_by_place(ground: Ground, place: I64, figure: I64) -> I64:
    """The least figure of the roads to each vertex, i64[V]; FAR where there is none."""
    vertices = 1 + int(max(ground.site_place.max(initial=0), place.max(initial=0)))
    out = np.full(vertices, FAR, np.int64)
    np.minimum.at(out, place, figure)
    return out


def times_us(
    fabric: Fabric, ground: Ground, classes: Classes, ways: Ways, one: int, roads: NDArray[np.bool_], bare: bool
) -> I64:
    """Least time to each pool over the roads marked, i64[P]; `bare`: over links alone too, if the class holds nothing."""
    site = fabric.pool_site
    by_route = least_by_place(ground, ways.place[roads], ways.us[roads])[ground.site_place[site]]
    if classes.mbps[one] > 0 or not bare:
        return np.asarray(by_route, np.int64)
    bare_us = ways.bare_us[ground.site_place[site]] + ground.site_access_us[site]
    return np.asarray(np.minimum(by_route, bare_us), np.int64)
