"""Direct volume rendering: a volume is turned, then composed front to back by emission and absorption. Writes out/volume.png."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, rotate


def scan(side: int, rng: np.random.Generator) -> np.ndarray:
    """Densities in 0..1: a soft ball, a dense core off its middle, grain."""
    axis = np.linspace(-1, 1, side)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    soft = 0.35 / (1 + np.exp((np.sqrt(x**2 + y**2 + z**2) - 0.8) * 30))
    core = 0.6 / (1 + np.exp((np.sqrt((x - 0.2) ** 2 * 1.5 + y**2 + (z + 0.1) ** 2 * 3) - 0.4) * 40))
    return np.clip(soft + core + 0.02 * gaussian_filter(rng.normal(size=x.shape), 1), 0, 1)


def compose(volume: np.ndarray, emission: np.ndarray, absorption: float) -> tuple[np.ndarray, np.ndarray]:
    """Light and opacity along the first axis."""
    step = absorption / len(volume)
    light, through = np.zeros(volume.shape[1:]), np.ones(volume.shape[1:])
    for slab, glow in zip(volume, emission, strict=True):
        passed = np.exp(-step * slab)
        light += through * (1 - passed) * glow
        through *= passed
    return light, 1 - through


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    volume = rotate(scan(p.side, np.random.default_rng(p.seed)), p.angle_degrees, axes=(0, 2), reshape=False, order=1)
    volume = np.clip(volume, 0, 1)
    progress(0.5)
    glow = 0.3 + 0.7 * np.clip((volume - 0.4) / 0.4, 0, 1)
    light, opacity = compose(volume, glow, p.density)
    image = np.stack([light, light * 0.85 + 0.05 * opacity, light * 0.7 + 0.12 * opacity], -1)
    Image.fromarray((np.clip(np.kron(image, np.ones((4, 4, 1))), 0, 1) * 255).astype(np.uint8)).save(out / "volume.png")
    block = np.full((p.side, 4, 4), 0.5)
    _, dark = compose(block, block, p.density)
    middle = volume.max(0)
    rim, core = (middle > 0.2) & (middle < 0.45), middle > 0.7
    return {
        "voxels": int(volume.size),
        "opacity_error": float(np.abs(opacity - (1 - np.exp(-p.density * volume.mean(0)))).max()),
        "beer_lambert_error": float(np.abs(1 - dark - np.exp(-0.5 * p.density)).max()),
        "bone_seen": bool(core.any() and light[core].mean() > light[rim].mean()),
    }
