"""Dock a rigid ligand: scores on a grid (6-12 potential and charges), Monte Carlo with cooling from many starts.

A made pocket, not a protein: wall atoms lie round a hidden pose at the best distance, charged against it. Writes out/poses.csv.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

SIZE, STEP, BEST = 20.0, 0.4, 3.6  # angstrom: the box, its mesh, the distance at which two atoms like to be


def ligand(atoms, rng):
    """A crooked chain with bonds of 1.5 angstrom, charges that sum to zero."""
    x = [np.zeros(3)]
    while len(x) < atoms:
        new = x[rng.integers(max(0, len(x) - 3), len(x))] + Rotation.random(random_state=rng).apply([1.5, 0, 0])
        if min(np.linalg.norm(new - one) for one in x) > 1.3:
            x.append(new)
    charge = rng.normal(size=atoms)
    return np.array(x) - np.mean(x, 0), charge - charge.mean()


def pocket(pose, charge, rng):
    """Wall atoms round five sixths of the pose; the rest is the mouth."""
    wall, sign = [], []
    mouth = Rotation.random(random_state=rng).apply([1, 0, 0])
    for _ in range(6000):
        at = rng.integers(len(pose))
        way = Rotation.random(random_state=rng).apply([1, 0, 0])
        new = pose[at] + BEST * way
        if way @ mouth > 0.75 or np.linalg.norm(pose - new, axis=1).min() < BEST - 1e-6:
            continue
        if wall and np.linalg.norm(np.array(wall) - new, axis=1).min() < 2.2:
            continue
        wall.append(new)
        sign.append(-charge[at])
    return np.array(wall), np.array(sign)


def grids(wall, sign):
    """The two potentials at the nodes of the mesh, blunt where atoms overlap."""
    axis = np.arange(-SIZE / 2, SIZE / 2 + STEP / 2, STEP)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)
    shape, field = np.zeros(nodes.shape[:3]), np.zeros(nodes.shape[:3])
    for place, charge in zip(wall, sign, strict=True):
        r = np.maximum(np.linalg.norm(nodes - place, axis=-1), 1.5)
        s = (BEST / r) ** 6
        shape += 0.4 * (s**2 - 2 * s)
        field += 4.0 * charge / r * np.exp(-r / 4)
    return np.minimum(shape, 25.0), field


def score(x, charge, mesh):
    """Energy of poses (n, atoms, 3)."""
    at = ((x + SIZE / 2) / STEP).reshape(-1, 3).T
    shape = map_coordinates(mesh[0], at, order=1, mode="constant", cval=5.0).reshape(x.shape[:2])
    field = map_coordinates(mesh[1], at, order=1, mode="constant").reshape(x.shape[:2])
    return shape.sum(1) + (field * charge).sum(1)


def settled(x, charge, mesh):
    """The nearest hollow, by the simplex method over the six ways a rigid body moves."""
    middle = x.mean(0)

    def moved(step):
        return Rotation.from_rotvec(step[3:]).apply(x - middle) + middle + step[:3]

    found = minimize(lambda step: score(moved(step)[None], charge, mesh)[0], np.zeros(6), method="Nelder-Mead",
                     options={"initial_simplex": np.vstack((np.zeros(6), 0.3 * np.eye(6))), "maxfev": 800})  # fmt: skip
    return moved(found.x), float(found.fun)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    body, charge = ligand(p.atoms, rng)
    known = Rotation.random(random_state=rng).apply(body) + rng.normal(size=3)
    mesh = grids(*pocket(known, charge, rng))
    progress(0.3)
    turn = Rotation.random(p.runs, random_state=rng)
    place = rng.uniform(-4, 4, (p.runs, 3))

    def pose(turn, place):
        return np.stack([one.apply(body) for one in turn]) + place[:, None]

    now = score(pose(turn, place), charge, mesh)
    best, kept = now.copy(), pose(turn, place)
    for step in range(p.steps):
        heat = 6.0 * (0.02 / 6.0) ** (step / p.steps)
        size = 0.15 + 0.85 * (1 - step / p.steps)
        tried_turn = Rotation.from_rotvec(rng.normal(size=(p.runs, 3)) * 0.5 * size) * turn
        tried_place = place + rng.normal(size=(p.runs, 3)) * 0.6 * size
        x = pose(tried_turn, tried_place)
        energy = score(x, charge, mesh)
        take = (energy < now) | (rng.random(p.runs) < np.exp(-np.maximum(energy - now, 0) / heat))
        turn = Rotation.from_quat(np.where(take[:, None], tried_turn.as_quat(), turn.as_quat()))
        place, now = np.where(take[:, None], tried_place, place), np.where(take, energy, now)
        better = now < best
        best[better], kept[better] = now[better], pose(turn, place)[better]
        if step % (p.steps // 6) == p.steps // 6 - 1:
            # The worst third goes on from where the best third is.
            order = np.argsort(now)
            third = p.runs // 3
            quats = turn.as_quat()
            quats[order[-third:]], place[order[-third:]] = quats[order[:third]], place[order[:third]]
            now[order[-third:]] = now[order[:third]]
            turn = Rotation.from_quat(quats)
        if step % 50 == 0:
            progress(0.3 + 0.7 * step / p.steps)
    for at in np.argsort(best)[:4]:
        kept[at], best[at] = settled(kept[at], charge, mesh)
    rmsd = np.sqrt(((kept - known) ** 2).sum(-1).mean(1))
    order = np.argsort(best)
    with (out / "poses.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("run", "score", "rmsd_a"), *((int(at), best[at], rmsd[at]) for at in order)])
    bonds = np.linalg.norm(np.diff(kept[order[0]], axis=0), axis=1) - np.linalg.norm(np.diff(body, axis=0), axis=1)
    return {
        "score_best": float(best.min()),
        "rmsd_best_a": float(rmsd[order[0]]),
        "score_over_known": float(best.min() - score(known[None], charge, mesh)[0]),
        "near_share": float((rmsd < 1.5).mean()),
        "shape_kept": bool(np.abs(bonds).max() < 1e-9),
    }
