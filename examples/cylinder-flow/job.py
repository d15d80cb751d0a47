"""Flow past a cylinder in a channel: the D2Q9 lattice Boltzmann method, until vortices are shed.

A periodic channel with a body force, bounce-back on walls and cylinder, BGK collisions. Mass is conserved to
rounding. The Strouhal number is read from the cross-stream velocity behind the cylinder.
Writes out/vorticity.png, out/wake.csv and out/report.json. Units are the lattice's.
"""

import argparse
import csv
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image

CX = np.array([0, 1, 0, -1, 0, 1, -1, -1, 1])
CY = np.array([0, 0, 1, 0, -1, 1, 1, -1, -1])
WEIGHT = np.array([4 / 9] + [1 / 9] * 4 + [1 / 36] * 4)
OPPOSITE = np.array([0, 3, 4, 1, 2, 7, 8, 5, 6])
INFLOW = 0.1  # mean speed aimed at; far below the lattice's speed of sound, 0.577


def solids(height: int, width: int, diameter: int) -> np.ndarray:
    """True in the walls and the cylinder; it stands half a cell off the axis, so that shedding starts by itself."""
    y, x = np.mgrid[0:height, 0:width]
    cylinder = (x - width // 4) ** 2 + (y - height / 2 - 0.5) ** 2 <= (diameter / 2) ** 2
    return cylinder | (y == 0) | (y == height - 1)


def equilibrium(rho: np.ndarray, ux: np.ndarray, uy: np.ndarray) -> np.ndarray:
    """The Maxwell distribution to second order in the speed, one layer a direction."""
    square = 1.0 - 1.5 * (ux * ux + uy * uy)
    out = np.empty((9, *rho.shape))
    for i in range(9):
        along = 3.0 * (CX[i] * ux + CY[i] * uy)
        out[i] = WEIGHT[i] * rho * (square + along + 0.5 * along * along)
    return out


def moments(f: np.ndarray, solid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density and velocity; the velocity is zero in solids."""
    rho = f.sum(axis=0)
    ux = (f[1] + f[5] + f[8] - f[3] - f[6] - f[7]) / rho
    uy = (f[2] + f[5] + f[6] - f[4] - f[7] - f[8]) / rho
    ux[solid] = 0.0
    uy[solid] = 0.0
    return rho, ux, uy


def advance(f: np.ndarray, solid: np.ndarray, tau: float, mean_speed: float) -> tuple[np.ndarray, np.ndarray]:
    """One step: collide and push in the fluid, bounce in solids, stream. Returns f and the velocity across."""
    rho, ux, uy = moments(f, solid)
    # The push that brings the mean speed back to the one aimed at over about fifty steps.
    push = 0.02 * (mean_speed - ux[~solid].mean())
    out = f + (equilibrium(rho, ux + tau * push, uy) - f) / tau
    out[:, solid] = f[:, solid][OPPOSITE]
    for i in range(1, 9):
        out[i] = np.roll(out[i], (CY[i], CX[i]), axis=(0, 1))
    return out, uy


def strouhal(wake: np.ndarray, diameter: int, speed: float) -> float:
    """Shedding frequency times diameter over speed, from the strongest line in the second half of the record."""
    late = wake[len(wake) // 2 :]
    spectrum = np.abs(np.fft.rfft((late - late.mean()) * np.hanning(len(late)), 8 * len(late)))
    return float(spectrum[8:].argmax() + 8) / (8 * len(late)) * diameter / speed


def draw_vorticity(f: np.ndarray, solid: np.ndarray, path: Path) -> None:
    """Clockwise blue, anticlockwise red, solids grey."""
    _, ux, uy = moments(f, solid)
    curl = np.gradient(uy, axis=1) - np.gradient(ux, axis=0)
    level = np.clip(curl / (np.percentile(np.abs(curl[~solid]), 98) or 1.0), -1, 1)[:, :, None]
    red, blue, white = np.array([200, 40, 40]), np.array([30, 80, 190]), np.array([250, 250, 250])
    image = np.where(level > 0, white + level * (red - white), white - level * (blue - white))
    image[solid] = 110
    Image.fromarray(np.kron(image[::-1], np.ones((2, 2, 1))).astype(np.uint8)).save(path)


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Run the channel; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=180)
    parser.add_argument("--height", type=int, default=52)
    parser.add_argument("--diameter", type=int, default=11)
    parser.add_argument("--reynolds", type=float, default=120.0)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    solid = solids(args.height, args.width, args.diameter)
    tau = 0.5 + 3.0 * INFLOW * args.diameter / args.reynolds
    start = np.where(solid, 0.0, INFLOW)
    f = equilibrium(np.ones(solid.shape), start, np.zeros(solid.shape))
    mass = f.sum()
    wake = np.empty(args.steps)
    row, column = args.height // 2, args.width // 4 + 3 * args.diameter
    for number in range(args.steps):
        f, uy = advance(f, solid, tau, INFLOW)
        wake[number] = uy[row, column]
        if number % 100 == 99:
            tell_progress(1000 * (number + 1) // args.steps)
    args.out.mkdir(parents=True, exist_ok=True)
    draw_vorticity(f, solid, args.out / "vorticity.png")
    with (args.out / "wake.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("step", "cross_velocity"), *enumerate(np.round(wake, 7))])
    _, ux, uy = moments(f, solid)
    report = {
        "cells": int(solid.size),
        "steps": args.steps,
        "reynolds": args.reynolds,
        "mass_error": float(f"{abs(f.sum() / mass - 1):.3g}"),
        "mean_speed": round(float(ux[~solid].mean()), 5),
        "mach_max": round(float(np.sqrt(ux**2 + uy**2).max() * np.sqrt(3)), 4),
        "wake_swing": round(float(np.ptp(wake[args.steps // 2 :])) / INFLOW, 4),
        "strouhal": round(strouhal(wake, args.diameter, INFLOW), 4),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
