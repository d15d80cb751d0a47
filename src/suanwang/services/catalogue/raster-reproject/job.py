"""WGS 84 longitude and latitude to UTM by Krueger's series to the sixth order (Karney, 2011), bilinear resampling both ways.

Writes out/utm.png and out/utm.json (zone, origin, cell).
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from terrain import hills

A, F, K0, EAST = 6378137.0, 1 / 298.257223563, 0.9996, 500_000.0
FALSE_NORTHING = 10_000_000.0  # of the southern hemisphere; the odd zones of Norway and Svalbard are not made
E2 = F * (2 - F)
N = F / (2 - F)
RADIUS = A / (1 + N) * (1 + N**2 / 4 + N**4 / 64 + N**6 / 256)
AHEAD = [
    N / 2 - 2 / 3 * N**2 + 5 / 16 * N**3 + 41 / 180 * N**4 - 127 / 288 * N**5 + 7891 / 37800 * N**6,
    13 / 48 * N**2 - 3 / 5 * N**3 + 557 / 1440 * N**4 + 281 / 630 * N**5 - 1983433 / 1935360 * N**6,
    61 / 240 * N**3 - 103 / 140 * N**4 + 15061 / 26880 * N**5 + 167603 / 181440 * N**6,
    49561 / 161280 * N**4 - 179 / 168 * N**5 + 6601661 / 7257600 * N**6,
    34729 / 80640 * N**5 - 3418889 / 1995840 * N**6,
    212378941 / 319334400 * N**6,
]
BACK = [
    N / 2 - 2 / 3 * N**2 + 37 / 96 * N**3 - 1 / 360 * N**4 - 81 / 512 * N**5 + 96199 / 604800 * N**6,
    1 / 48 * N**2 + 1 / 15 * N**3 - 437 / 1440 * N**4 + 46 / 105 * N**5 - 1118711 / 3870720 * N**6,
    17 / 480 * N**3 - 37 / 840 * N**4 - 209 / 4480 * N**5 + 5569 / 90720 * N**6,
    4397 / 161280 * N**4 - 11 / 504 * N**5 - 830251 / 7257600 * N**6,
    4583 / 161280 * N**5 - 108847 / 3991680 * N**6,
    20648693 / 638668800 * N**6,
]


def project(lon, lat, middle):
    """Easting and northing from the equator, in metres."""
    phi, lam = np.radians(lat), np.radians(lon - middle)
    e = np.sqrt(E2)
    s = np.sinh(np.arctanh(np.sin(phi)) - e * np.arctanh(e * np.sin(phi)))
    xi, eta = np.arctan2(s, np.cos(lam)), np.arcsinh(np.sin(lam) / np.hypot(s, np.cos(lam)))
    x, y = eta.copy(), xi.copy()
    for at, weight in enumerate(AHEAD, 1):
        y = y + weight * np.sin(2 * at * xi) * np.cosh(2 * at * eta)
        x = x + weight * np.cos(2 * at * xi) * np.sinh(2 * at * eta)
    return EAST + K0 * RADIUS * x, K0 * RADIUS * y


def unproject(easting, northing, middle):
    xi, eta = np.asarray(northing) / (K0 * RADIUS), (np.asarray(easting) - EAST) / (K0 * RADIUS)
    y, x = xi.copy(), eta.copy()
    for at, weight in enumerate(BACK, 1):
        y = y - weight * np.sin(2 * at * xi) * np.cosh(2 * at * eta)
        x = x - weight * np.cos(2 * at * xi) * np.sinh(2 * at * eta)
    wanted = np.sin(y) / np.hypot(np.sinh(x), np.cos(y))  # tangent of the conformal latitude
    tau, e = wanted.copy(), np.sqrt(E2)
    for _ in range(6):
        sigma = np.sinh(e * np.arctanh(e * tau / np.sqrt(1 + tau**2)))
        now = tau * np.sqrt(1 + sigma**2) - sigma * np.sqrt(1 + tau**2)
        slope = np.sqrt(1 + now**2) * np.sqrt(1 + tau**2) * (1 - E2) / (1 + (1 - E2) * tau**2)
        tau = tau + (wanted - now) / slope
    return middle + np.degrees(np.arctan2(np.sinh(x), np.cos(y))), np.degrees(np.arctan(tau))


def conformal_error(lon, lat, middle):
    """How far the map is from keeping angles: its scale eastward against northward, and their angle."""
    h = 1e-4
    east = (np.array(project(lon + h, np.array(lat), middle)) - project(lon - h, np.array(lat), middle)) / (2 * h)
    north = (np.array(project(lon, np.array(lat + h), middle)) - project(lon, np.array(lat - h), middle)) / (2 * h)
    # A degree on the ellipsoid: radii of curvature.
    w = 1 - E2 * np.sin(np.radians(lat)) ** 2
    east, north = east / (A / np.sqrt(w) * np.cos(np.radians(lat))), north / (A * (1 - E2) / w**1.5)
    turned = np.array([-east[1], east[0]])
    return float(np.linalg.norm(north - turned) / np.linalg.norm(north))


def middle_arc_error_m(lat):
    """A conformal map is fixed by its middle meridian, whose length is an integral: by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    phi = np.radians(lat) * (nodes + 1) / 2
    arc = (A * (1 - E2) / (1 - E2 * np.sin(phi) ** 2) ** 1.5 * weights).sum() * np.radians(lat) / 2
    return float(abs(project(np.array(3.0), np.array(lat), 3.0)[1] / K0 - arc))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    raster = hills(p.side, np.random.default_rng(p.seed), 1000.0)
    zone = int((p.longitude + 180) // 6) + 1
    middle = zone * 6 - 183.0
    step = p.span_degrees / (p.side - 1)
    lon = p.longitude - p.span_degrees / 2 + step * np.arange(p.side)
    lat = p.latitude + p.span_degrees / 2 - step * np.arange(p.side)
    grid_lon, grid_lat = np.meshgrid(lon, lat)
    east, north = project(grid_lon, grid_lat, middle)
    back_lon, back_lat = unproject(east, north, middle)
    metres = np.hypot((back_lon - grid_lon) * np.cos(np.radians(grid_lat)), back_lat - grid_lat) * 111_195
    progress(0.4)
    cell = min(step * 111_195 * np.cos(np.radians(p.latitude)), step * 111_195) / 1.5
    xs, ys = np.arange(east.min(), east.max(), cell), np.arange(north.max(), north.min(), -cell)
    at_lon, at_lat = unproject(*np.meshgrid(xs, ys), middle)
    utm = map_coordinates(raster, [(lat[0] - at_lat) / step, (at_lon - lon[0]) / step], order=1, mode="nearest")
    progress(0.8)
    again = map_coordinates(utm, [(ys[0] - north) / cell, (east - xs[0]) / cell], order=1, mode="nearest")
    Image.fromarray((255 * (utm - utm.min()) / np.ptp(utm)).astype(np.uint8)).save(out / "utm.png")
    (out / "utm.json").write_text(
        json.dumps(
            {
                "zone": zone,
                "hemisphere": "S" if p.latitude < 0 else "N",
                "west_m": float(xs[0]),
                "north_m": float(ys[0]) + (FALSE_NORTHING if p.latitude < 0 else 0.0),
                "cell_m": cell,
            }
        )
    )
    inside = (slice(4, -4), slice(4, -4))
    quarter = project(np.array([0.0]), np.array([90.0]), 0.0)[1][0] / K0
    return {
        "zone": zone,
        "cells_utm": int(utm.size),
        "round_trip_error_m": float(metres.max()),
        "conformal_error": conformal_error(p.longitude, p.latitude, middle),
        "middle_arc_error_m": middle_arc_error_m(p.latitude),
        "raster_error_share": float(np.abs(again - raster)[inside].mean() / np.ptp(raster)),
        "meridian_error_m": abs(float(quarter) - 10_001_965.729),
    }
