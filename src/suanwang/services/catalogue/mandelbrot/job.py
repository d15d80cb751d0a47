"""The Mandelbrot set: a picture with smooth escape times, and its area by counting (about 1.5066, after Forstemann, 2017).

Writes out/mandelbrot.png.
"""

import math
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

SAMPLES = 200


def escape(c: np.ndarray, iterations: int, tell=lambda fraction: None) -> np.ndarray:
    """The smooth escape time of each point; infinite where it has not left the circle of radius 16."""
    out = np.full(c.size, np.inf)
    flat = c.ravel()
    # The main heart and the disc at its left are known to be inside.
    x, y = flat.real, flat.imag
    q = (x - 0.25) ** 2 + y**2
    inside = (q * (q + x - 0.25) <= 0.25 * y**2) | ((x + 1) ** 2 + y**2 <= 1 / 16)
    live = np.nonzero(~inside)[0]
    z, add = np.zeros(len(live), dtype=complex), flat[live]
    for step in range(iterations):
        z = z * z + add
        size = z.real**2 + z.imag**2
        gone = size > 256
        if gone.any():
            out[live[gone]] = step + 1 - np.log2(np.log(size[gone]) / 2 / np.log(2)) + 2
            live, z, add = live[~gone], z[~gone], add[~gone]
        if step % 50 == 0:
            tell(step / iterations)
    return out.reshape(c.shape)


def coloured(times: np.ndarray) -> np.ndarray:
    phase = np.where(np.isfinite(times), np.sqrt(np.maximum(times, 0)) * 0.6, 0)
    shade = [0.5 + 0.5 * np.cos(phase + shift) for shift in (3.0, 3.6, 4.2)]
    return (np.stack(shade, -1) * np.isfinite(times)[..., None] * 255).astype(np.uint8)


def checked(path: Path, p: SimpleNamespace, span: float) -> float:
    """The share of some pixels of the written picture whose colour is not that of a plain count, point by point."""
    picture, rng, wrong = np.asarray(Image.open(path)), random.Random(1), 0
    for _ in range(SAMPLES):
        column, row = rng.randrange(p.width), rng.randrange(p.height)
        c = complex(
            p.x + span * ((column + 0.5) / p.width - 0.5),
            p.y + span * p.height / p.width * ((row + 0.5) / p.height - 0.5),
        )
        z, count = 0j, 0
        while abs(z) <= 16 and count < p.iterations:
            z, count = z * z + c, count + 1
        colour = [0.0, 0.0, 0.0]
        if abs(z) > 16:
            time = max(count + 2 - math.log2(math.log2(abs(z))), 0)
            colour = [127.5 + 127.5 * math.cos(0.6 * math.sqrt(time) + shift) for shift in (3.0, 3.6, 4.2)]
        wrong += any(abs(a - b) > 2 for a, b in zip(colour, picture[row, column].tolist(), strict=True))
    return wrong / SAMPLES


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    span = 3.0 / p.zoom
    x = p.x + span * ((np.arange(p.width) + 0.5) / p.width - 0.5)
    y = p.y + span * p.height / p.width * ((np.arange(p.height) + 0.5) / p.height - 0.5)
    times = escape(x[None, :] + 1j * y[:, None], p.iterations, lambda part: progress(0.7 * part))
    Image.fromarray(coloured(times)).save(out / "mandelbrot.png")
    wrong = checked(out / "mandelbrot.png", p, span)
    n = 300
    gx, gy = -2 + 2.5 * (np.arange(n) + 0.5) / n, -1.25 + 2.5 * (np.arange(n) + 0.5) / n
    whole = np.isinf(escape(gx[None, :] + 1j * gy[:, None], p.iterations))
    return {
        "points": int(times.size),
        "inside_share": float(np.isinf(times).mean()),
        "pixels_wrong_share": wrong,
        "area": float(whole.mean() * 6.25),
        "mirror_error": int((whole != whole[::-1]).sum()),
    }
