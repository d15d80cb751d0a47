"""A Lennard-Jones fluid in reduced units: velocity Verlet, minimum image, a potential whose force ends smoothly.

The potential is shifted in force at 2.5 sigma (or at half the box), so energy is kept to the order of the step squared.
Writes out/energies.csv and out/rdf.csv (the radial distribution at the end).
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

STEP = 0.004


def forces(x, box, cut):
    """Forces (n, 3), the potential energy, and the distances of all pairs."""
    gap = x[:, None, :] - x[None, :, :]
    gap -= box * np.round(gap / box)
    r2 = (gap**2).sum(-1)
    np.fill_diagonal(r2, np.inf)
    near = r2 < cut**2
    r = np.sqrt(np.where(near, r2, 1.0))
    s6 = np.where(near, r**-6.0, 0.0)
    at_cut = 48 * cut**-13.0 - 24 * cut**-7.0
    pull = np.where(near, (48 * s6**2 - 24 * s6) / r - at_cut, 0.0)
    shift = 4 * (cut**-12.0 - cut**-6.0)
    energy = 0.5 * np.where(near, 4 * (s6**2 - s6) - shift + at_cut * (r - cut), 0.0).sum()
    return ((pull / r)[..., None] * gap).sum(1), float(energy), r2


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    n = p.side**3
    box = (n / p.density) ** (1 / 3)
    cut = min(2.5, box / 2)
    places = (np.arange(p.side) + 0.5) * box / p.side
    x = np.stack(np.meshgrid(places, places, places), -1).reshape(-1, 3)
    v = rng.normal(size=x.shape) * np.sqrt(p.temperature)
    v -= v.mean(0)
    pull, potential, _ = forces(x, box, cut)
    rows, start = [], None
    for step in range(p.steps):
        v += 0.5 * STEP * pull
        x = (x + STEP * v) % box
        pull, potential, r2 = forces(x, box, cut)
        v += 0.5 * STEP * pull
        kinetic = 0.5 * float((v**2).sum())
        start = kinetic + potential if start is None else start
        rows.append((step, kinetic, potential, kinetic + potential))
        if step % 20 == 0:
            progress((step + 1) / p.steps)
    with (out / "energies.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("step", "kinetic", "potential", "total"), *rows])
    total = np.array([row[3] for row in rows])
    kinetic = np.array([row[1] for row in rows])
    counts, edges = np.histogram(np.sqrt(r2[np.isfinite(r2)]), bins=60, range=(0, box / 2))
    shell = 4 / 3 * np.pi * (edges[1:] ** 3 - edges[:-1] ** 3) * n * (n / box**3)
    with (out / "rdf.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("r", "g"), *zip(edges[1:], counts / shell, strict=True)])
    return {
        "atoms": n,
        "energy_drift": float(np.abs(total - start).max() / kinetic.mean()),
        "momentum": float(np.abs(v.sum(0)).max()),
        "temperature_mean": float(2 * kinetic[len(rows) // 2 :].mean() / (3 * n)),
        "first_peak": float((counts / shell).max()),
    }
