"""Sun, Jupiter, Saturn, Uranus and Neptune by Yoshida's symplectic integrator of fourth order. Units: au, years, solar masses.

Writes out/orbits.csv (positions at even times).
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

G = 4 * np.pi**2
MASSES = np.array([1.0, 9.5479e-4, 2.8588e-4, 4.3662e-5, 5.1514e-5])
RADII = np.array([5.2038, 9.5826, 19.1913, 30.07])
ECCENTRIC = np.array([0.0489, 0.0565, 0.0472, 0.0087])
_CUBE = 2 ** (1 / 3)
WEIGHTS = np.array([1, -_CUBE, 1]) / (2 - _CUBE)


def start(rng, tilt):
    """At perihelion, in planes that are tilted a little, round a common centre of mass at rest."""
    x, v = np.zeros((5, 3)), np.zeros((5, 3))
    for at, (a, e) in enumerate(zip(RADII, ECCENTRIC, strict=True), 1):
        turn, lean = rng.random() * 2 * np.pi, np.radians(tilt) * rng.random()
        out = np.array([np.cos(turn), np.sin(turn), 0])
        ahead = np.array([-np.sin(turn) * np.cos(lean), np.cos(turn) * np.cos(lean), np.sin(lean)])
        x[at] = a * (1 - e) * out
        v[at] = np.sqrt(G * (1 + MASSES[at]) / a * (1 + e) / (1 - e)) * ahead
    x -= (MASSES[:, None] * x).sum(0) / MASSES.sum()
    v -= (MASSES[:, None] * v).sum(0) / MASSES.sum()
    return x, v


def pull(x):
    gap = x[None] - x[:, None]
    cube = ((gap**2).sum(-1) + np.eye(len(x))) ** 1.5
    return G * (MASSES[None, :, None] * gap / cube[..., None]).sum(1)


def energy(x, v):
    gap = np.linalg.norm(x[None] - x[:, None], axis=-1) + np.eye(len(x))
    pairs = np.triu(MASSES[:, None] * MASSES[None] / gap, 1).sum()
    return 0.5 * float((MASSES * (v**2).sum(1)).sum()) - G * float(pairs)


def spin(x, v):
    return (MASSES[:, None] * np.cross(x, v)).sum(0)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    x, v = start(np.random.default_rng(p.seed), p.tilt_degrees)
    steps = int(np.ceil(p.years * 365.25 / p.step_days))
    h = p.years / steps
    e0, l0, worst, rows, angle = energy(x, v), spin(x, v), 0.0, [], []
    for step in range(steps):
        for weight in WEIGHTS:
            v = v + 0.5 * weight * h * pull(x)
            x = x + weight * h * v
            v = v + 0.5 * weight * h * pull(x)
        angle.append(np.arctan2(x[1, 1] - x[0, 1], x[1, 0] - x[0, 0]))
        if step % max(1, steps // 400) == 0:
            worst = max(worst, abs(energy(x, v) / e0 - 1))
            rows.append(((step + 1) * h, *x.ravel().round(6)))
            progress(step / steps)
    with (out / "orbits.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("year", *(f"{b}_{a}" for b in "sjsun" for a in "xyz")), *rows])
    turned = np.unwrap(np.array(angle))
    year = 2 * np.pi * (steps - 1) * h / (turned[-1] - turned[0])
    return {
        "steps": steps,
        "energy_error_max": worst,
        "angular_momentum_error": float(np.linalg.norm(spin(x, v) - l0) / np.linalg.norm(l0)),
        "jupiter_year": float(year),
        "jupiter_year_error": abs(float(year) / 11.862 - 1),
    }
