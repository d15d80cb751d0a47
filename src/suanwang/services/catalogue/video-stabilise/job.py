"""Steady a shaken clip: frame-to-frame motion by phase correlation with a parabola at the peak, then the inverse shift.

Writes out/steady.y4m and out/motion.csv.
"""

import csv
import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from clip import scene, write_y4m


def moved(frame, dy, dx):
    """Shifted by parts of a pixel; what comes from outside wraps round."""
    y, x = np.fft.fftfreq(frame.shape[0])[:, None], np.fft.fftfreq(frame.shape[1])[None]
    return np.fft.ifft2(np.fft.fft2(frame) * np.exp(-2j * np.pi * (y * dy + x * dx))).real


def motion(a, b):
    """How far b lies from a, in pixels (y, x)."""
    window = np.hanning(a.shape[0])[:, None] * np.hanning(a.shape[1])[None]
    one, two = (np.fft.fft2((frame - frame.mean()) * window) for frame in (a, b))
    cross = two * np.conj(one)
    surface = np.fft.ifft2(cross / np.abs(cross).clip(1e-9) ** 0.7).real
    top = np.unravel_index(surface.argmax(), surface.shape)
    out = []
    for axis in range(2):
        near = [
            surface[tuple((top[k] + (s if k == axis else 0)) % surface.shape[k] for k in range(2))] for s in (-1, 0, 1)
        ]
        bend = near[0] - 2 * near[1] + near[2]
        fine = 0.5 * (near[0] - near[2]) / bend if bend else 0.0
        size = surface.shape[axis]
        out.append((top[axis] + fine + size / 2) % size - size / 2)
    return np.array(out)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    calm = scene(p.frames, p.height + 48, p.width + 48, rng, (0.0, 0.0)).astype(float)
    steps = rng.normal(size=(p.frames, 2)) * p.shake_px / np.sqrt(2)
    steps[0] = 0
    path = np.cumsum(steps, 0)
    path -= np.linspace(0, 1, p.frames)[:, None] * path[-1]  # it comes back, so that the edge is not reached
    path = np.clip(path, -20, 20)
    shaken = np.stack([moved(frame, *at)[24:-24, 24:-24] for frame, at in zip(calm, path, strict=True)])
    progress(0.5)
    true = np.diff(path, axis=0)
    found = np.array([motion(a, b) for a, b in itertools.pairwise(shaken)])
    way = np.vstack((np.zeros(2), np.cumsum(found, 0)))
    steady = np.stack([moved(frame, *-at) for frame, at in zip(shaken, way, strict=True)])
    progress(0.8)
    left = np.array([motion(a[24:-24, 24:-24], b[24:-24, 24:-24]) for a, b in itertools.pairwise(steady)])
    write_y4m(out / "steady.y4m", np.clip(steady, 0, 255).astype(np.uint8))
    with (out / "motion.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("frame", "dy", "dx"), *((at + 1, *row) for at, row in enumerate(found.round(4)))])
    before, after = (float(np.sqrt((one**2).sum(1).mean())) for one in (true, left))
    return {
        "frames": p.frames,
        "motion_rms_px": before,
        "motion_left_rms_px": after,
        "motion_error_px": float(np.sqrt(((found - true) ** 2).sum(1).mean())),
        "steadier_by": before / max(after, 1e-6),
    }
