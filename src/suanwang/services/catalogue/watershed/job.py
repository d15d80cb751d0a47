"""Priority-flood filling (Barnes and others, 2014), D8 directions as the flood goes, flow accumulation, catchments of the outlets.

Writes out/rivers.png and out/accumulation.npy.
"""

import heapq
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from terrain import hills

AROUND = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def flood(z, tell):
    """Filled heights, the cell that each drains to (itself on the rim), and cells from the lowest up as they were reached."""
    n, m = z.shape
    filled, to = z.copy(), np.arange(n * m).reshape(n, m)
    seen = np.zeros(z.shape, dtype=bool)
    heap, order = [], []
    for y in range(n):
        for x in range(m):
            if y in (0, n - 1) or x in (0, m - 1):
                heapq.heappush(heap, (z[y, x], y * m + x))
                seen[y, x] = True
    while heap:
        height, at = heapq.heappop(heap)
        order.append(at)
        y, x = divmod(at, m)
        for dy, dx in AROUND:
            b, a = y + dy, x + dx
            if 0 <= b < n and 0 <= a < m and not seen[b, a]:
                seen[b, a] = True
                filled[b, a] = max(z[b, a], height)
                to[b, a] = at
                heapq.heappush(heap, (filled[b, a], b * m + a))
        if len(order) % 4096 == 0:
            tell(len(order) / z.size)
    return filled, to, order


def steepest(filled, to):
    """The steepest way down where there is one; where it is flat, the way that the flood came."""
    n, m = filled.shape
    best, way = np.zeros((n - 2, m - 2)), to[1:-1, 1:-1].copy()
    for dy, dx in AROUND:
        other = filled[1 + dy : n - 1 + dy, 1 + dx : m - 1 + dx]
        drop = (filled[1:-1, 1:-1] - other) / np.hypot(dy, dx)
        here = drop > best
        rows, columns = np.nonzero(here)
        way[here] = (rows + 1 + dy) * m + columns + 1 + dx
        best[here] = drop[here]
    out = to.copy()
    out[1:-1, 1:-1] = way
    return out


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    z = hills(p.side, np.random.default_rng(p.seed))
    filled, to, order = flood(z, lambda part: progress(0.7 * part))
    to = steepest(filled, to).ravel()
    # From the highest down; on a level the flood's order tells which comes first.
    rank = np.empty(z.size, dtype=np.int64)
    rank[order] = np.arange(z.size)
    down = np.lexsort((-rank, -filled.ravel()))
    water, outlet = np.ones(z.size, dtype=np.int64), np.arange(z.size)
    for at in down.tolist():
        if to[at] != at:
            water[to[at]] += water[at]
    for at in down[::-1].tolist():
        outlet[at] = outlet[to[at]]
    rim = np.zeros(z.shape, dtype=bool)
    rim[[0, -1]] = rim[:, [0, -1]] = True
    reached = int(water[(to == np.arange(z.size)) & rim.ravel()].sum())
    river = (water >= p.river_cells).reshape(z.shape)
    ids, sizes = np.unique(outlet, return_counts=True)
    shade = 60 + 180 * (z - z.min()) / np.ptp(z)
    picture = np.stack([shade, shade, shade * 0.9], -1)
    picture[river] = [40, 110, 230]
    Image.fromarray(picture.astype(np.uint8)).save(out / "rivers.png")
    np.save(out / "accumulation.npy", water.reshape(z.shape))
    heights = filled.ravel()
    return {
        "cells": int(z.size),
        "filled_cells": int((filled > z).sum()),
        "river_cells": int(river.sum()),
        "largest_catchment_share": float(sizes.max() / z.size),
        "water_lost": int(z.size - reached),
        "uphill_cells": int((heights[to] > heights).sum()),
        "lowered_cells": int((filled < z).sum()),
        "catchments_cover": bool(sizes.sum() == z.size and (water[ids] == sizes).all()),
    }
