"""An ensemble member of a toy weather model: a storm-like bump spins up on a rotating shallow ocean.

The rotating shallow-water equations in flux form on a doubly periodic f-plane, solved with a finite-volume
scheme (Rusanov fluxes, second-order minmod slopes, Heun steps). Mass is conserved to rounding; energy may only
fall. The array index is the ensemble member: it shifts the first state a little.
Writes out/member-NNNN.npz, out/member-NNNN.png and out/member-NNNN.json.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

GRAVITY = 9.81  # m/s2
CORIOLIS = 5.0e-5  # 1/s, about 20 degrees north
DEPTH_M = 100.0
WIDTH_M = 1_000_000.0
CFL = 0.4


def first_state(n: int, member: int) -> np.ndarray:
    """Depth and momenta (3, n, n): a low of 8 m that turns in balance, nudged by the member's own noise."""
    rng = np.random.default_rng([2026, member])
    x = (np.arange(n) + 0.5) * WIDTH_M / n
    dx = x[None, :] - WIDTH_M * (0.45 + 0.02 * rng.normal())
    dy = x[:, None] - WIDTH_M * (0.50 + 0.02 * rng.normal())
    depth = DEPTH_M - 8.0 * np.exp(-(dx**2 + dy**2) / (2 * 80_000.0**2)) + 0.05 * rng.normal(size=(n, n))
    slope_x = (np.roll(depth, -1, 1) - np.roll(depth, 1, 1)) * n / (2 * WIDTH_M)
    slope_y = (np.roll(depth, -1, 0) - np.roll(depth, 1, 0)) * n / (2 * WIDTH_M)
    # Geostrophic wind of the smooth part, at 40 %, so that the low fills and sends waves out.
    return np.stack((depth, -0.4 * depth * GRAVITY / CORIOLIS * slope_y, 0.4 * depth * GRAVITY / CORIOLIS * slope_x))


def minmod_slopes(q: np.ndarray, axis: int) -> np.ndarray:
    """The smaller of the two one-sided differences, zero at extrema."""
    ahead = np.roll(q, -1, axis) - q
    behind = np.roll(ahead, 1, axis)
    return np.where(ahead * behind > 0, np.where(np.abs(ahead) < np.abs(behind), ahead, behind), 0.0)


def flux_x(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The flux along x of (h, hu, hv) and the fastest wave."""
    h, hu, hv = q
    u = hu / h
    return np.stack((hu, hu * u + 0.5 * GRAVITY * h * h, hv * u)), np.abs(u) + np.sqrt(GRAVITY * h)


def swept(q: np.ndarray, axis: int) -> np.ndarray:
    """Minus the difference of the face fluxes along one axis; `axis` 2 is x, 1 is y."""
    state = q if axis == 2 else q[[0, 2, 1]]
    half = 0.5 * minmod_slopes(state, axis)
    left, right = state + half, np.roll(state - half, -1, axis)
    flux_left, speed_left = flux_x(left)
    flux_right, speed_right = flux_x(right)
    face = 0.5 * (flux_left + flux_right) - 0.5 * np.maximum(speed_left, speed_right) * (right - left)
    out = np.roll(face, 1, axis) - face
    return out if axis == 2 else out[[0, 2, 1]]


def tendency(q: np.ndarray, cell_m: float) -> np.ndarray:
    """Rate of change: fluxes in less fluxes out, and the Coriolis turn."""
    out = (swept(q, 2) + swept(q, 1)) / cell_m
    out[1] += CORIOLIS * q[2]
    out[2] -= CORIOLIS * q[1]
    return out


def energy(q: np.ndarray) -> float:
    """Mean energy in J/m2 per unit density, above the ocean at rest."""
    h, hu, hv = q
    return float(np.mean(0.5 * (hu**2 + hv**2) / h + 0.5 * GRAVITY * (h - h.mean()) ** 2))


def run(q: np.ndarray, hours: float) -> tuple[np.ndarray, list[float]]:
    """Integrate by Heun's method at a fixed step; returns the end and the energy record."""
    cell_m = WIDTH_M / q.shape[1]
    step_s = CFL * cell_m / (np.sqrt(GRAVITY * DEPTH_M) + 15.0) / 2
    steps = int(np.ceil(hours * 3600 / step_s))
    step_s = hours * 3600 / steps
    record = [energy(q)]
    for number in range(1, steps + 1):
        middle = q + step_s * tendency(q, cell_m)
        q = 0.5 * (q + middle + step_s * tendency(middle, cell_m))
        if number % 10 == 0 or number == steps:
            record.append(energy(q))
            tell_progress(1000 * number // steps)
    return q, record


def draw(q: np.ndarray, path: Path) -> None:
    """Depth: low dark blue, high pale."""
    depth = q[0]
    level = ((depth - depth.min()) / np.ptp(depth))[::-1, :, None]
    image = (1 - level) * np.array([16, 42, 99]) + level * np.array([233, 244, 250])
    Image.fromarray(np.kron(image, np.ones((4, 4, 1))).astype(np.uint8)).save(path)


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Run one member; returns what is written to its JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=96, help="on a side")
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    member = int(os.environ.get("SUANWANG_ARRAY_INDEX", "0"))
    start = first_state(args.cells, member)
    end, record = run(start, args.hours)
    args.out.mkdir(parents=True, exist_ok=True)
    name = f"member-{member:04d}"
    np.savez_compressed(args.out / f"{name}.npz", start=start.astype(np.float32), end=end.astype(np.float32))
    draw(end, args.out / f"{name}.png")
    report = {
        "member": member,
        "cells": args.cells**2,
        "hours": args.hours,
        "mass_error": float(f"{abs(end[0].sum() / start[0].sum() - 1):.3g}"),
        "energy_kept": round(record[-1] / record[0], 4),
        "energy_rose_by_max": float(f"{max(0.0, float(np.max(np.diff(record)))) / record[0]:.3g}"),
        "lowest_depth_m": round(float(end[0].min()), 3),
        "fastest_wind_m_per_s": round(float(np.sqrt((end[1] / end[0]) ** 2 + (end[2] / end[0]) ** 2).max()), 3),
    }
    (args.out / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
