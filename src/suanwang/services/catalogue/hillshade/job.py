"""Slope and aspect by Horn's differences (1981), Lambert shading, shadows cast by marching towards the sun.

Writes out/hillshade.png and out/slope.npy. Rows go south, columns east; azimuth is clockwise from north.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from terrain import hills


def gradients(z, cell_m):
    """Rise per metre to the east and to the north, inside the rim."""
    a, b, c = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    d, f = z[1:-1, :-2], z[1:-1, 2:]
    g, h, i = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    east = (c + 2 * f + i - a - 2 * d - g) / (8 * cell_m)
    north = (a + 2 * b + c - g - 2 * h - i) / (8 * cell_m)
    return east, north


def slope_degrees(z, cell_m):
    return np.degrees(np.arctan(np.hypot(*gradients(z, cell_m))))


def shadows(z, cell_m, azimuth, height):
    """Cells that the sun does not reach."""
    east, south = np.sin(np.radians(azimuth)), -np.cos(np.radians(azimuth))
    rise = np.tan(np.radians(height)) * cell_m
    rows, columns = np.indices(z.shape)
    dark = np.zeros(z.shape, dtype=bool)
    reach = int(min(max(z.shape) * 1.5, np.ptp(z) / rise + 2))
    for step in range(1, reach + 1):
        y, x = rows + step * south, columns + step * east
        yi, xi = np.round(y).astype(int), np.round(x).astype(int)
        inside = (yi >= 0) & (yi < z.shape[0]) & (xi >= 0) & (xi < z.shape[1])
        dark[inside] |= z[yi[inside], xi[inside]] > z[inside] + step * rise + 1e-9
    return dark


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    z = hills(p.side, np.random.default_rng(p.seed), 25.0 * p.cell_m)
    east, north = gradients(z, p.cell_m)
    sun, up = np.radians(p.sun_azimuth), np.radians(p.sun_height)
    light = np.sin(up) - np.cos(up) * (np.sin(sun) * east + np.cos(sun) * north)
    light = np.clip(light / np.sqrt(1 + east**2 + north**2), 0, 1)
    dark = shadows(z, p.cell_m, p.sun_azimuth, p.sun_height)[1:-1, 1:-1]
    progress(0.7)
    Image.fromarray((255 * (0.12 + 0.88 * light * ~dark)).astype(np.uint8)).save(out / "hillshade.png")
    slope = slope_degrees(z, p.cell_m)
    np.save(out / "slope.npy", slope.astype(np.float32))
    n = 101
    y, x = np.mgrid[:n, :n] * 10.0
    plane = slope_degrees(0.3 * x - 0.4 * y, 10.0)
    r = np.hypot(x - 500, y - 500)
    cone = slope_degrees(-0.7 * r, 10.0)[r[1:-1, 1:-1] > 60]
    # A wall 50 m high, the sun in the east at 30 degrees: its shadow is 86.6 m to the west.
    wall = np.zeros((5, n))
    wall[:, 60] = 50.0
    length = int(shadows(wall, 5.0, 90.0, 30.0)[2, :60].sum())
    return {
        "cells": int(z.size),
        "slope_mean_degrees": float(slope.mean()),
        "shadow_share": float(dark.mean()),
        "plane_slope_error": float(np.abs(plane - np.degrees(np.arctan(0.5))).max()),
        "cone_slope_error": float(np.abs(cone - np.degrees(np.arctan(0.7))).max()),
        "shadow_length_error_cells": abs(length - 50 / np.tan(np.radians(30)) / 5),
    }
