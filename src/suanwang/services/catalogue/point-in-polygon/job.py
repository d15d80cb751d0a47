"""A spatial join: which district is each point in? Bounding boxes in a grid index, then the crossing rule, holes included.

Districts are the cells of a Voronoi map, cut to the unit square by mirrored seeds; every fifth has a hole. Writes out/counts.csv.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.spatial import Voronoi, cKDTree

GRID = 64


def districts(n, rng):
    """Seeds, outer rings (corners in order), and holes: squares round some seeds."""
    seeds = rng.random((n, 2))
    mirrored = [seeds * [-1, 1], seeds * [1, -1], [2, 0] + seeds * [-1, 1], [0, 2] + seeds * [1, -1]]
    map_ = Voronoi(np.vstack([seeds, *mirrored]))
    rings = [np.clip(map_.vertices[map_.regions[map_.point_region[at]]], 0, 1) for at in range(n)]
    holes = {}
    for at in range(0, n, 5):
        half = 0.3 * edge_distance(seeds[at], rings[at])
        holes[at] = seeds[at] + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / np.sqrt(2)
    return seeds, rings, holes


def edge_distance(x, ring):
    a, b = ring, np.roll(ring, -1, 0)
    along = np.clip(((x - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-30), 0, 1)
    return float(np.linalg.norm(a + along[:, None] * (b - a) - x, axis=1).min())


def inside(x, ring):
    """The crossing rule for many points and one ring."""
    out = np.zeros(len(x), dtype=bool)
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, 0), strict=True):
        crosses = (ay > x[:, 1]) != (by > x[:, 1])
        if ay != by:
            out ^= crosses & (x[:, 0] < (bx - ax) * (x[:, 1] - ay) / (by - ay) + ax)
    return out


def area(ring):
    x, y = ring.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    seeds, rings, holes = districts(p.districts, rng)
    points = rng.random((p.points, 2))
    cell = np.minimum((points * GRID).astype(int), GRID - 1) @ [GRID, 1]
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(GRID * GRID + 1))
    times, where = np.zeros(p.points, dtype=int), np.full(p.points, -1)
    tested = 0
    for at, ring in enumerate(rings):
        low, high = (np.minimum((one * GRID).astype(int), GRID - 1) for one in (ring.min(0), ring.max(0)))
        near = np.concatenate(
            [order[starts[x * GRID + low[1]] : starts[x * GRID + high[1] + 1]] for x in range(low[0], high[0] + 1)]
        )
        hit = inside(points[near], ring)
        if at in holes:
            hit &= ~inside(points[near], holes[at])
        tested += len(near)
        times[near[hit]] += 1
        where[near[hit]] = at
        progress((at + 1) / p.districts)
    truth = cKDTree(seeds).query(points)[1]
    for at, hole in holes.items():
        truth[(truth == at) & inside(points, hole)] = -1
    counts = np.bincount(where[where >= 0], minlength=p.districts)
    with (out / "counts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("district", "points"), *enumerate(counts.tolist())])
    return {
        "points": p.points,
        "tests_a_point": tested / p.points,
        "in_holes": int((where < 0).sum()),
        "points_wrong": int((where != truth).sum()),
        "points_twice": int((times > 1).sum()),
        "area_error": abs(sum(map(area, rings)) - 1.0),
    }
