"""Steady flow in a lid-driven square cavity: vorticity and stream function, explicit steps, a direct Poisson solver by sines.

Velocities are differences of the stream function at the corners, so each cell's mass balance is exact. Reference: the lowest u
on the vertical middle line, Ghia, Ghia and Shin (1982). Writes out/cavity.npz.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.fft import dstn, idstn

LOWEST_U = {"100": -0.21090, "400": -0.32726}


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    n, re = p.cells, float(p.reynolds)
    h = 1 / n
    wave = 2 * np.cos(np.pi * np.arange(1, n) / n) - 2
    inverse = -(h**2) / (wave[:, None] + wave[None])
    psi, w = np.zeros((n + 1, n + 1)), np.zeros((n + 1, n + 1))  # [y, x], lid at the last row
    dt = min(0.2 * h * h * re, 0.4 * h)
    change, step, limit = 1.0, 0, int(120 / dt)
    while change > 5e-6 and step < limit:
        psi[1:-1, 1:-1] = idstn(dstn(w[1:-1, 1:-1], type=1) * inverse, type=1)
        w[0], w[-1] = -2 * psi[1] / h**2, -2 * (psi[-2] + h) / h**2
        w[:, 0], w[:, -1] = -2 * psi[:, 1] / h**2, -2 * psi[:, -2] / h**2
        u = (psi[2:, 1:-1] - psi[:-2, 1:-1]) / (2 * h)
        v = -(psi[1:-1, 2:] - psi[1:-1, :-2]) / (2 * h)
        across = u * (w[1:-1, 2:] - w[1:-1, :-2]) / (2 * h) + v * (w[2:, 1:-1] - w[:-2, 1:-1]) / (2 * h)
        spread = (w[1:-1, 2:] + w[1:-1, :-2] + w[2:, 1:-1] + w[:-2, 1:-1] - 4 * w[1:-1, 1:-1]) / h**2
        new = w[1:-1, 1:-1] + dt * (spread / re - across)
        if step % 50 == 0:
            change = float(np.abs(new - w[1:-1, 1:-1]).max() / dt / np.abs(new).max())
            progress(min(0.95, step * dt / 40))
        w[1:-1, 1:-1] = new
        step += 1
    # Through the faces of each cell: u from psi along y, v from psi along x.
    through_x = np.diff(psi, axis=0)
    through_y = -np.diff(psi, axis=1)
    divergence = np.diff(through_x, axis=1) + np.diff(through_y, axis=0)
    middle = psi[:, n // 2] if n % 2 == 0 else (psi[:, n // 2] + psi[:, n // 2 + 1]) / 2
    u_line = (middle[2:] - middle[:-2]) / (2 * h)
    at = int(u_line.argmin())
    a, b, c = u_line[at - 1 : at + 2]
    lowest = b - (a - c) ** 2 / (8 * (a - 2 * b + c))
    np.savez(out / "cavity.npz", psi=psi, vorticity=w)
    return {
        "steps": step,
        "u_lowest": float(lowest),
        "u_lowest_reference": LOWEST_U[p.reynolds],
        "u_lowest_error": abs(float(lowest) - LOWEST_U[p.reynolds]),
        "psi_lowest": float(psi.min()),
        "divergence_max": float(np.abs(divergence).max()),
        "steady": change,
    }
