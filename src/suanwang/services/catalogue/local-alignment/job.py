"""Smith-Waterman with affine gaps (Gotoh, 1982), whole columns at a time. Writes out/placed.csv."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

MATCH, MISMATCH, OPEN, EXTEND = 2, -3, -5, -2


def align(genome: np.ndarray, read: np.ndarray) -> tuple[int, int]:
    """The best local score and where in the genome it ends."""
    n = len(genome)
    best = np.zeros(n + 1, dtype=np.int64)
    down = np.full(n + 1, -(10**9), dtype=np.int64)
    top, end = 0, 0
    slope = EXTEND * np.arange(n + 1)
    for base in read:
        score = np.where(genome == base, MATCH, MISMATCH)
        down = np.maximum(best + OPEN, down + EXTEND)
        row = np.maximum(down, 0)
        row[1:] = np.maximum(row[1:], best[:-1] + score)
        # A gap along the genome: the best cell before, less opening and extension, as a running maximum.
        before = np.maximum.accumulate(row - slope)
        row[1:] = np.maximum(row[1:], before[:-1] + slope[1:] + OPEN - EXTEND)
        best = row
        at = int(row.argmax())
        if row[at] > top:
            top, end = int(row[at]), at
    return top, end


def mutated(piece: np.ndarray, percent: float, rng: np.random.Generator) -> np.ndarray:
    """Most changes are letters, a few are insertions and deletions."""
    out = []
    for base in piece:
        dice = rng.random() * 100
        if dice >= percent:
            out.append(base)
        elif dice < percent * 0.8:
            out.append((base + rng.integers(1, 4)) % 4)
        elif dice < percent * 0.9:
            out += [base, rng.integers(0, 4)]
    return np.array(out, dtype=np.int64)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    genome = rng.integers(0, 4, p.genome)
    rows, placed, scores = [], 0, []
    for number in range(p.reads):
        start = int(rng.integers(0, p.genome - p.read))
        score, end = align(genome, mutated(genome[start : start + p.read], p.mutations_percent, rng))
        near = abs(end - start - p.read) <= max(8, p.read // 4)
        placed += near
        scores.append(score)
        rows.append((number, start, end, score, int(near)))
        progress(0.9 * (number + 1) / p.reads)
    with (out / "placed.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("piece", "true_start", "found_end", "score", "right"), *rows])
    exact, _ = align(genome, genome[100 : 100 + p.read])
    noise, _ = align(genome, rng.integers(0, 4, p.read))
    return {
        "placed_share": placed / p.reads,
        "mean_score": float(np.mean(scores)),
        "exact_score": exact,
        "noise_score_share": noise / exact,
    }
