"""Gaussian maximum likelihood from training plots, then a vote of the neighbourhood. Writes out/cover.png and out/confusion.csv."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

BANDS = 6


def scene(p, rng):
    """The classes in patches, and the bands: a signature a class, mixed at borders, with noise that bands share."""
    fields = np.stack(
        [gaussian_filter(rng.normal(size=(p.side, p.side)), p.side / 24, mode="wrap") for _ in range(p.classes)]
    )
    truth = (fields / fields.std((1, 2), keepdims=True)).argmax(0)
    marks = rng.uniform(0.05, 0.6, (p.classes, BANDS))
    for at in range(1, p.classes):  # no two classes look the same
        while min(np.linalg.norm(marks[at] - marks[other]) for other in range(at)) < 0.3:
            marks[at] = rng.uniform(0.05, 0.6, BANDS)
    clean = gaussian_filter(marks[truth], (0.6, 0.6, 0))
    mix = np.eye(BANDS) + 0.3 * rng.normal(size=(BANDS, BANDS)) / np.sqrt(BANDS)
    return truth, clean + p.noise * rng.normal(size=clean.shape) @ mix


def likelihoods(image, plots):
    """Logarithms of the chance of every pixel under each class's Gaussian."""
    out = []
    for pixels in plots:
        mean, cov = pixels.mean(0), np.cov(pixels.T) + 1e-6 * np.eye(BANDS)
        off = image - mean
        out.append(-0.5 * ((off @ np.linalg.inv(cov)) * off).sum(-1) - 0.5 * np.linalg.slogdet(cov)[1])
    return np.stack(out)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    truth, image = scene(p, rng)
    plots = []
    for at in range(p.classes):
        inside = np.argwhere((truth == at) & (uniform_filter((truth == at).astype(float), 5) > 0.999))
        inside = inside if len(inside) > 40 else np.argwhere(truth == at)
        chosen = inside[rng.choice(len(inside), min(200, len(inside)), replace=False)]
        plots.append(image[tuple(chosen.T)])
    scores = likelihoods(image, plots)
    progress(0.6)
    raw = scores.argmax(0)
    shares = np.stack([uniform_filter((raw == at).astype(float), 3, mode="nearest") for at in range(p.classes)])
    clean = (scores - scores.max(0) + 6 * np.log(shares + 0.02)).argmax(0)
    table = np.zeros((p.classes, p.classes), dtype=int)
    np.add.at(table, (truth.ravel(), clean.ravel()), 1)
    with (out / "confusion.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["true \\ found", *range(p.classes)], *([at, *row] for at, row in enumerate(table.tolist()))]
        )
    palette = np.array(
        [
            [38, 115, 0],
            [230, 180, 60],
            [30, 90, 200],
            [170, 170, 170],
            [150, 75, 20],
            [200, 60, 60],
            [120, 200, 120],
            [90, 30, 110],
        ]
    )
    Image.fromarray(palette[clean].astype(np.uint8)).save(out / "cover.png")
    agree = float((clean == truth).mean())
    chance = float((table.sum(0) * table.sum(1)).sum() / table.sum() ** 2)
    return {
        "pixels": int(truth.size),
        "accuracy_raw": float((raw == truth).mean()),
        "accuracy": agree,
        "kappa": (agree - chance) / (1 - chance),
        "cleaning_gain": agree - float((raw == truth).mean()),
    }
