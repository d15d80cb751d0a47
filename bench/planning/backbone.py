"""The wide-area part of a bench world: provinces, directed backbone links, and K short paths between any two.

Latencies are one way, in microseconds: great-circle distance times a detour factor at 5 us a kilometre of fibre, plus a
fixed time a hop. Positions are the provincial capitals; demand, price and capacity are invented weights, chosen so that
demand lies in the east and cheap capacity in the west.
"""

import heapq
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

PATHS = 3
LINKS_FULL = 91  # undirected, between 31 provinces
FIBRE_US_PER_KM = 5.0
DETOUR = 1.35
HOP_US = 300
LOCAL_US = 1_200  # inside a province
AVOID = 1.8  # the next path sees the links of those before it this much longer


class Province(NamedTuple):
    """Position in degrees; the weights of demand and of capacity; the price level."""

    code: str
    lon: float
    lat: float
    demand: float
    capacity: float
    price: float


PROVINCES = (
    Province("BJ", 116.4, 39.9, 7.0, 3.0, 1.30),
    Province("TJ", 117.2, 39.1, 2.5, 2.0, 1.15),
    Province("HE", 114.5, 38.0, 4.0, 5.5, 0.95),
    Province("SX", 112.5, 37.9, 2.0, 2.5, 0.90),
    Province("NM", 111.7, 40.8, 1.5, 6.5, 0.72),
    Province("LN", 123.4, 41.8, 2.5, 2.0, 1.00),
    Province("JL", 125.3, 43.9, 1.2, 1.2, 0.95),
    Province("HL", 126.6, 45.8, 1.4, 1.3, 0.92),
    Province("SH", 121.5, 31.2, 7.5, 4.0, 1.32),
    Province("JS", 118.8, 32.1, 8.0, 5.5, 1.15),
    Province("ZJ", 120.2, 30.3, 7.0, 5.0, 1.18),
    Province("AH", 117.3, 31.9, 3.0, 4.0, 0.98),
    Province("FJ", 119.3, 26.1, 3.2, 2.3, 1.08),
    Province("JX", 115.9, 28.7, 1.8, 1.8, 0.96),
    Province("SD", 117.0, 36.7, 5.5, 4.0, 1.05),
    Province("HA", 113.6, 34.7, 4.2, 3.5, 0.98),
    Province("HB", 114.3, 30.6, 3.6, 3.2, 1.00),
    Province("HN", 113.0, 28.2, 3.2, 2.8, 0.99),
    Province("GD", 113.3, 23.1, 11.0, 7.0, 1.25),
    Province("GX", 108.3, 22.8, 1.8, 1.8, 0.92),
    Province("HI", 110.3, 20.0, 0.7, 0.8, 1.05),
    Province("CQ", 106.5, 29.6, 2.4, 3.5, 0.88),
    Province("SC", 104.1, 30.7, 4.2, 4.5, 0.86),
    Province("GZ", 106.7, 26.6, 1.3, 6.5, 0.70),
    Province("YN", 102.7, 25.0, 1.6, 2.0, 0.82),
    Province("XZ", 91.1, 29.7, 0.2, 0.5, 0.95),
    Province("SN", 108.9, 34.3, 2.6, 2.8, 0.90),
    Province("GS", 103.8, 36.1, 1.0, 4.0, 0.74),
    Province("QH", 101.8, 36.6, 0.3, 1.8, 0.72),
    Province("NX", 106.3, 38.5, 0.5, 4.5, 0.70),
    Province("XJ", 87.6, 43.8, 1.0, 2.5, 0.76),
)


class Backbone(NamedTuple):
    """Provinces chosen, links of both directions, and the paths between provinces.

    link_ends i64[L, 2] (from, to), link_km i64[L]; the reverse of link i is i ^ 1. path_first i64[Z * Z * K + 1] and
    path_link i64[...]: path k from a to b is number (a * Z + b) * K + k; path_us i64[Z * Z * K], -1 where there is none.
    link_us i64[L]: of each link, one way.
    """

    provinces: tuple[Province, ...]
    km: NDArray[np.float64]
    link_ends: I64
    link_km: I64
    path_first: I64
    path_link: I64
    path_us: I64
    path_km: I64
    link_us: I64


def build(count: int, draw: np.random.Generator) -> Backbone:
    """A backbone over `count` of the provinces (all from 31 on)."""
    if count < len(PROVINCES):
        weight = np.array([one.demand + one.capacity for one in PROVINCES])
        chosen = draw.choice(len(PROVINCES), size=count, replace=False, p=weight / weight.sum())
        provinces = tuple(PROVINCES[index] for index in sorted(chosen.tolist()))
    else:
        provinces = PROVINCES
    km = _distances(provinces)
    pairs = _pairs(km)
    ends = np.array([end for a, b in pairs for end in ((a, b), (b, a))], np.int64).reshape(-1, 2)
    link_km = (km[ends[:, 0], ends[:, 1]] * DETOUR).astype(np.int64)
    link_us = (link_km * FIBRE_US_PER_KM).astype(np.int64) + HOP_US
    first, link, path_us, path_km = _paths(len(provinces), ends, link_us, link_km)
    return Backbone(provinces, km, ends, link_km, first, link, path_us, path_km, link_us)


def _distances(provinces: tuple[Province, ...]) -> NDArray[np.float64]:
    lon = np.radians([one.lon for one in provinces])
    lat = np.radians([one.lat for one in provinces])
    half = np.sin((lat[:, None] - lat) / 2) ** 2 + np.cos(lat[:, None]) * np.cos(lat) * (
        np.sin((lon[:, None] - lon) / 2) ** 2
    )
    return np.asarray(2 * 6371.0 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


def _pairs(km: NDArray[np.float64]) -> list[tuple[int, int]]:
    """A spanning tree of least length, then the pairs of least length over the root of their links so far."""
    count = len(km)
    wanted = min(round(LINKS_FULL * count / len(PROVINCES)), count * (count - 1) // 2)
    reached, pairs = {0}, []
    while len(reached) < count:
        a, b = min(((a, b) for a in reached for b in range(count) if b not in reached), key=lambda ab: km[ab])
        reached.add(b)
        pairs.append((min(a, b), max(a, b)))
    degree = np.bincount(np.array(pairs, np.int64).ravel(), minlength=count) if pairs else np.zeros(count, np.int64)
    rest = {(a, b) for a in range(count) for b in range(a + 1, count)} - set(pairs)
    while len(pairs) < wanted:
        best = min(rest, key=lambda ab: km[ab] * math.sqrt(1.0 + degree[ab[0]] * degree[ab[1]]))
        rest.discard(best)
        pairs.append(best)
        degree[list(best)] += 1
    return pairs


def _paths(count: int, ends: I64, link_us: I64, link_km: I64) -> tuple[I64, I64, I64, I64]:
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for index, (a, b) in enumerate(ends.tolist()):
        out[a].append((b, index))
    first, link, total_us, total_km = [0], [], [], []
    for source in range(count):
        for target in range(count):
            found = _short_paths(source, target, out, link_us.tolist())
            for path in found + [None] * (PATHS - len(found)):
                link.extend(path or [])
                first.append(len(link))
                total_us.append(-1 if path is None else LOCAL_US + int(link_us[path].sum()))
                total_km.append(0 if path is None else int(link_km[path].sum()))
    arrays = (np.array(one, np.int64) for one in (first, link, total_us, total_km))
    return next(arrays), next(arrays), next(arrays), next(arrays)


def _short_paths(source: int, target: int, out: list[list[tuple[int, int]]], link_us: list[int]) -> list[list[int]]:
    """Up to K different paths, shortest first; each avoids the links of those before it where that is not too long."""
    if source == target:
        return [[]]
    length = [float(one) for one in link_us]
    found: list[list[int]] = []
    for _ in range(PATHS):
        path = _dijkstra(source, target, out, length)
        if path not in found:
            found.append(path)
        for index in path:
            length[index] *= AVOID
    return sorted(found, key=lambda path: sum(link_us[index] for index in path))


def _dijkstra(source: int, target: int, out: list[list[tuple[int, int]]], length: list[float]) -> list[int]:
    best = {source: 0.0}
    came: dict[int, tuple[int, int]] = {}
    heap = [(0.0, source)]
    while heap:
        far, here = heapq.heappop(heap)
        if here == target:
            break
        if far > best[here]:
            continue
        for there, index in out[here]:
            reach = far + length[index]
            if reach < best.get(there, math.inf):
                best[there] = reach
                came[there] = (here, index)
                heapq.heappush(heap, (reach, there))
    path = []
    here = target
    while here != source:
        here, index = came[here]
        path.append(index)
    return path[::-1]
