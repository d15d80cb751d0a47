"""A star cluster collapses from rest and settles: direct N-body gravity with a symplectic leapfrog.

Units: G = 1, total mass 1, virial radius of the final cluster about 1. Every pair is summed at every step, so
momentum is conserved to rounding and energy to the order of the step squared; both are measured and reported.
Writes out/cluster.npz (positions, velocities, the energy record), out/cluster.png and out/report.json.
"""

import argparse
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

SOFTENING = 0.05  # length units; keeps close pairs within reach of the fixed step


class State(NamedTuple):
    """Positions and velocities (n, 3) of equal masses 1/n."""

    x: np.ndarray
    v: np.ndarray


def cold_sphere(n: int, seed: int) -> State:
    """Masses spread evenly in a ball, with a tenth of the kinetic energy that would hold it up, and no net drift."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x *= (2.0 * rng.random(n) ** (1 / 3) / np.linalg.norm(x, axis=1))[:, None]
    v = rng.normal(size=(n, 3)) * 0.12
    return State(x - x.mean(axis=0), v - v.mean(axis=0))


def accelerations(x: np.ndarray) -> np.ndarray:
    """Softened gravity of all on each, by the expanded square |a-b|^2 = a.a + b.b - 2 a.b (one matrix product)."""
    square = np.einsum("ij,ij->i", x, x)
    r2 = square[:, None] + square[None, :] - 2.0 * (x @ x.T)
    np.maximum(r2, 0.0, out=r2)
    r2 += SOFTENING**2
    pull = 1.0 / (r2 * np.sqrt(r2)) / len(x)
    # sum_j m (x_j - x_i) / r^3
    return pull @ x - pull.sum(axis=1)[:, None] * x


def energies(state: State) -> tuple[float, float]:
    """Kinetic and potential energy."""
    n = len(state.x)
    square = np.einsum("ij,ij->i", state.x, state.x)
    r2 = np.maximum(square[:, None] + square[None, :] - 2.0 * (state.x @ state.x.T), 0.0) + SOFTENING**2
    inverse = 1.0 / np.sqrt(r2)
    np.fill_diagonal(inverse, 0.0)
    return 0.5 * float(np.sum(state.v**2)) / n, -0.5 * float(inverse.sum()) / n**2


def step(state: State, acceleration: np.ndarray, dt: float) -> tuple[State, np.ndarray]:
    """Kick, drift, kick."""
    half = state.v + 0.5 * dt * acceleration
    x = state.x + dt * half
    following = accelerations(x)
    return State(x, half + 0.5 * dt * following), following


def draw(x: np.ndarray, path: Path, size: int = 400, reach: float = 3.0) -> None:
    """The column density of the cluster, log scale."""
    density, _, _ = np.histogram2d(x[:, 1], x[:, 0], bins=size // 4, range=[[-reach, reach]] * 2)
    glow = np.log1p(np.kron(density, np.ones((4, 4))))
    Image.fromarray((255 * glow / max(glow.max(), 1e-9)).astype(np.uint8)).save(path)


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Run the collapse; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=600)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--dt", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    state = cold_sphere(args.bodies, args.seed)
    acceleration = accelerations(state.x)
    record = [energies(state)]
    spin = np.cross(state.x, state.v).sum(axis=0)
    for number in range(1, args.steps + 1):
        state, acceleration = step(state, acceleration, args.dt)
        if number % 10 == 0:
            record.append(energies(state))
            tell_progress(1000 * number // args.steps)
    kinetic, potential = np.array(record).T
    total = kinetic + potential
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out / "cluster.npz", x=state.x, v=state.v, kinetic=kinetic, potential=potential)
    draw(state.x, args.out / "cluster.png")
    settled = slice(len(total) // 2, None)
    report = {
        "bodies": args.bodies,
        "steps": args.steps,
        "pair_forces": args.bodies**2 * args.steps,
        "energy_error_max": float(f"{np.abs(total / total[0] - 1).max():.3g}"),
        "momentum_error": float(f"{np.abs(state.v.mean(axis=0)).max():.3g}"),
        "angular_momentum_error": float(f"{np.abs(np.cross(state.x, state.v).sum(axis=0) - spin).max():.3g}"),
        "virial_ratio_start": round(float(-2 * kinetic[0] / potential[0]), 3),
        "virial_ratio_settled": round(float(np.mean(-2 * kinetic[settled] / potential[settled])), 3),
        "half_mass_radius": round(float(np.median(np.linalg.norm(state.x - state.x.mean(axis=0), axis=1))), 3),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
