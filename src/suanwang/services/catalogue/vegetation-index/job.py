"""NDVI of two dates, after dark-object subtraction and a cloud mask, and what burnt between them. Writes out/ndvi.png, out/burnt.png.

The scenes are made: vegetation in patches, one haze each, clouds at other places, one burnt patch on the second date.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter


def patch(side, percent, rng, smooth):
    """A mask of about this share of the scene, in blobs."""
    field = gaussian_filter(rng.normal(size=(side, side)), side * smooth, mode="wrap")
    return field > np.quantile(field, 1 - percent / 100) if percent else np.zeros((side, side), dtype=bool)


def bands(green, haze, clouds, rng):
    """Reflectance of red and near infrared as a sensor sees it: haze adds, clouds hide."""
    red = 0.22 - 0.18 * green + haze * 1.0
    near = 0.26 + 0.30 * green + haze * 0.5
    red, near = np.where(clouds, 0.72, red), np.where(clouds, 0.70, near)
    return tuple(np.clip(one + 0.004 * rng.normal(size=green.shape), 0.0, 1.0) for one in (red, near))


def cleared(red, near):
    """Haze taken away by the darkest object (deep water: 0 in both), and a mask of clouds with a rim."""
    cloud = binary_dilation(binary_opening((red > 0.45) & (near > 0.45)), iterations=1)
    return red - np.quantile(red[~cloud], 0.001), near - np.quantile(near[~cloud], 0.001), cloud


def index(red, near):
    return (near - red) / np.maximum(near + red, 1e-6)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    green = gaussian_filter(rng.normal(size=(p.side, p.side)), p.side / 40, mode="wrap")
    green = np.clip(0.55 + 0.25 * green / green.std(), 0.05, 1.0)
    water = np.zeros_like(green, dtype=bool)
    water[: p.side // 8, : p.side // 8] = True  # a lake, and a river across the scene
    rows, columns = np.indices(water.shape)
    water |= np.abs(columns - 0.6 * rows - 0.2 * p.side) < p.side / 60
    burnt = patch(p.side, p.burnt_percent, rng, 1 / 12) & ~water
    later = np.where(burnt, 0.02, green)
    dates, truths, clouds = [], [], []
    for haze, field in ((0.03, green), (0.06, later)):
        hidden = patch(p.side, p.cloud_percent, rng, 1 / 24)
        red, near = bands(field, 0.0, np.zeros_like(hidden), np.random.default_rng(0))
        truths.append(index(0.22 - 0.18 * field, 0.26 + 0.30 * field))
        red, near = bands(field, haze, hidden, rng)
        red, near = np.where(water & ~hidden, haze, red), np.where(water & ~hidden, haze * 0.5, near)
        clouds.append(hidden)
        dates.append(cleared(red, near))
    progress(0.6)
    values = [index(red, near) for red, near, _ in dates]
    seen = ~dates[0][2] & ~dates[1][2] & ~water
    found = binary_opening(seen & (values[0] - values[1] > 0.27) & (values[1] < 0.2))
    true = burnt & ~clouds[0] & ~clouds[1]
    land = [~cloud & ~water for _, _, cloud in dates]
    error = [float(np.abs(value - truth)[mask].mean()) for value, truth, mask in zip(values, truths, land, strict=True)]
    shade = np.clip((values[1] + 0.2) / 1.2, 0, 1)[..., None]
    picture = (1 - shade) * np.array([150, 110, 70]) + shade * np.array([10, 110, 30])
    picture[dates[1][2]] = 235
    Image.fromarray(picture.astype(np.uint8)).save(out / "ndvi.png")
    Image.fromarray((found * 255).astype(np.uint8)).save(out / "burnt.png")
    recall = [(mask & cloud).sum() / max(1, cloud.sum()) for (_, _, mask), cloud in zip(dates, clouds, strict=True)]
    return {
        "pixels": int(green.size),
        "ndvi_mean_before": float(values[0][land[0]].mean()),
        "ndvi_mean_after": float(values[1][land[1]].mean()),
        "burnt_share": float(found.sum() / max(1, seen.sum())),
        "ndvi_error": max(error),
        "burnt_iou": float((found & true).sum() / max(1, (found | true).sum())),
        "cloud_recall": 1.0 if not p.cloud_percent else float(min(recall)),
    }
