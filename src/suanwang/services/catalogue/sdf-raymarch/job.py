"""Draw solids given by signed distances: sphere tracing (Hart, 1996), gradients for normals, soft shadows. Writes out/solids.png."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

NEAR, FAR = 1e-4, 20.0
LIGHT = np.array([0.5, 0.8, -0.33]) / np.linalg.norm([0.5, 0.8, -0.33])


def sphere(x, centre=(0.0, 0.0, 0.0), radius=1.0):
    return np.linalg.norm(x - np.asarray(centre), axis=-1) - radius


def torus(x, ring=1.0, tube=0.38):
    flat = np.hypot(x[..., 0], x[..., 2]) - ring
    return np.hypot(flat, x[..., 1]) - tube


def scene(x):
    """A torus less a sphere, a ball in its middle, a floor."""
    cut = np.maximum(torus(x), -sphere(x, (0.9, 0.35, -0.6), 0.62))
    return np.minimum(np.minimum(cut, sphere(x, (0, 0.1, 0), 0.42)), x[..., 1] + 0.6)


def march(field, origin, way, steps):
    """How far each ray goes until it hits; infinite where it does not."""
    far = np.zeros(len(way))
    live = np.ones(len(way), dtype=bool)
    hit = np.zeros(len(way), dtype=bool)
    for _ in range(steps):
        gap = field(origin[live] + far[live, None] * way[live])
        far[live] += gap
        at = np.nonzero(live)[0]
        hit[at[gap < NEAR]] = True
        live[at[(gap < NEAR) | (far[at] > FAR)]] = False
        if not live.any():
            break
    return np.where(hit, far, np.inf)


def normals(field, x):
    h = 1e-4
    out = np.stack([field(x + h * axis) - field(x - h * axis) for axis in np.eye(3)], -1)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def rays(p):
    x = (np.arange(p.width) + 0.5) / p.width - 0.5
    y = 0.5 - (np.arange(p.height) + 0.5) / p.height
    gx, gy = np.meshgrid(x, y * p.height / p.width)
    eye = np.array([0.0, 1.9, -3.6])
    ahead = -eye / np.linalg.norm(eye)
    right = np.cross([0, 1, 0], ahead)
    right /= np.linalg.norm(right)
    up = np.cross(ahead, right)
    way = ahead + gx.ravel()[:, None] * right * 1.3 + gy.ravel()[:, None] * up * 1.3
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    return np.tile(eye, (len(way), 1)), way


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    origin, way = rays(p)
    far = march(scene, origin, way, p.steps)
    progress(0.5)
    hit = np.isfinite(far)
    x = origin[hit] + far[hit, None] * way[hit]
    n = normals(scene, x)
    shaded = np.isfinite(march(scene, x + 0.01 * n, np.tile(LIGHT, (len(x), 1)), p.steps))
    progress(0.8)
    light = np.clip(n @ LIGHT, 0, 1) * ~shaded + 0.15
    colour = np.where((x[:, 1] < -0.59)[:, None], [0.75, 0.75, 0.8], [0.95, 0.55, 0.2])
    image = np.tile([0.55, 0.7, 0.9], (len(way), 1))
    image[hit] = np.clip(light[:, None] * colour, 0, 1)
    Image.fromarray((image.reshape(p.height, p.width, 3) ** (1 / 2.2) * 255).astype(np.uint8)).save(out / "solids.png")
    # The same marcher on a lone sphere, whose crossing is known.
    found = march(sphere, origin, way, p.steps)
    b = (origin * way).sum(-1)
    disc = b**2 - (origin**2).sum(-1) + 1
    # Rays that only graze it take more steps than there are.
    sure = disc > 0.05
    exact = -b[sure] - np.sqrt(disc[sure])
    at = origin[sure] + exact[:, None] * way[sure]
    return {
        "hits": int(hit.sum()),
        "lit_share": float((~shaded).sum() / len(way)),
        "sphere_error_max": float(np.abs(found[sure] - exact).max()),
        "normal_error_max": float(np.abs(normals(sphere, at) - at).max()),
    }
