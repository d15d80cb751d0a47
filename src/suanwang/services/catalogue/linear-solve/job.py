"""Solve A x = b: right-looking blocked LU with partial pivoting, beside the library's. Rates are of this run on this host.

The residual is the one of HPL: |Ax - b| / (eps (|A| |x| + |b|) n), all in the infinity norm; below 16 passes.
Writes out/solution.npy.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.linalg import lu_factor, lu_solve, solve_triangular


def factor(a, block, tell):
    """LU in place; returns the rows' order."""
    n = len(a)
    order = np.arange(n)
    for at in range(0, n, block):
        end = min(at + block, n)
        for column in range(at, end):
            pivot = column + int(np.abs(a[column:, column]).argmax())
            if pivot != column:
                a[[column, pivot]] = a[[pivot, column]]
                order[[column, pivot]] = order[[pivot, column]]
            a[column + 1 :, column] /= a[column, column]
            a[column + 1 :, column + 1 : end] -= np.outer(a[column + 1 :, column], a[column, column + 1 : end])
        if end < n:
            a[at:end, end:] = solve_triangular(a[at:end, at:end], a[at:end, end:], lower=True, unit_diagonal=True)
            a[end:, end:] -= a[end:, at:end] @ a[at:end, end:]
        tell(end / n)
    return order


def residual(a, x, b):
    top = np.abs(a @ x - b).max()
    scale = np.abs(a).sum(1).max() * np.abs(x).max() + np.abs(b).max()
    return float(top / (np.finfo(float).eps * scale * len(b)))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    a, b = rng.uniform(-0.5, 0.5, (p.size, p.size)), rng.uniform(-0.5, 0.5, p.size)
    flops = 2 / 3 * p.size**3 + 2 * p.size**2
    work = a.copy()
    began = time.perf_counter()
    order = factor(work, p.block, lambda part: progress(0.8 * part))
    y = solve_triangular(work, b[order], lower=True, unit_diagonal=True)
    x = solve_triangular(work, y)
    ours_s = time.perf_counter() - began
    began = time.perf_counter()
    library = lu_solve(lu_factor(a), b)
    library_s = time.perf_counter() - began
    np.save(out / "solution.npy", x)
    return {
        "unknowns": p.size,
        "gflops": flops / ours_s / 1e9,
        "library_gflops": flops / library_s / 1e9,
        "residual_scaled": residual(a, x, b),
        "library_residual_scaled": residual(a, library, b),
        "solutions_apart": float(np.abs(x - library).max()),
    }
