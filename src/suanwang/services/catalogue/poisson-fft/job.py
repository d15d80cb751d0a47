"""The Poisson equation in a periodic cube by FFT with the eigenvalues of the seven-point stencil, checked by conjugate gradients.

The known answer: the Madelung constant of rock salt (1.747565), by an Ewald sum whose long range is a Fourier sum too.
Writes out/potential.npy.
"""

from collections.abc import Callable
from math import erfc
from pathlib import Path
from types import SimpleNamespace

import numpy as np

MADELUNG = 1.7475645946


def laplacian(u, h):
    return (sum(np.roll(u, shift, axis) for axis in range(3) for shift in (1, -1)) - 6 * u) / h**2


def solve_fourier(rho, h):
    n = len(rho)
    wave = 2 * np.cos(2 * np.pi * np.fft.fftfreq(n)) - 2
    values = (wave[:, None, None] + wave[None, :, None] + wave[None, None, : n // 2 + 1]) / h**2
    values[0, 0, 0] = 1
    hat = np.fft.rfftn(rho) / values
    hat[0, 0, 0] = 0
    return np.fft.irfftn(hat, rho.shape)


def solve_gradients(rho, h, tell):
    """Conjugate gradients on minus the Laplacian."""
    x, r = np.zeros_like(rho), -rho
    way, size = r.copy(), float((r * r).sum())
    first = size
    for step in range(4 * len(rho)):
        image = -laplacian(way, h)
        pace = size / float((way * image).sum())
        x += pace * way
        r -= pace * image
        before, size = size, float((r * r).sum())
        if size < first * 1e-20:
            break
        way = r + size / before * way
        tell(step / (4 * len(rho)))
    return x - x.mean()


def madelung(alpha=2.0, reach=6):
    """The potential at an ion of rock salt with its neighbours at distance 1, by Ewald's two sums."""
    span = np.arange(-reach, reach + 1)
    i, j, k = (one.ravel() for one in np.meshgrid(span, span, span, indexing="ij"))
    near = (i != 0) | (j != 0) | (k != 0)
    r = np.sqrt(i[near] ** 2 + j[near] ** 2 + k[near] ** 2)
    sign = np.where((i[near] + j[near] + k[near]) % 2 == 0, 1.0, -1.0)
    short = sum(s * erfc(alpha * one) / one for s, one in zip(sign, r, strict=True))
    # Reciprocal vectors are pi (h, k, l) with all odd: there the eight ions of the cell of side 2 add up, elsewhere they cancel.
    odd = (i % 2 == 1) & (j % 2 == 1) & (k % 2 == 1)
    g2 = np.pi**2 * (i[odd] ** 2 + j[odd] ** 2 + k[odd] ** 2)
    long = float((4 * np.pi / 8 * 8 / g2 * np.exp(-g2 / (4 * alpha**2))).sum())
    return -(short + long - 2 * alpha / np.sqrt(np.pi))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    h = 1 / p.cells
    rho = np.zeros((p.cells,) * 3)
    places = rng.integers(0, p.cells, (p.charges, 3))
    np.add.at(rho, tuple(places.T), rng.normal(size=p.charges) / h**3)
    rho -= rho.mean()
    u = solve_fourier(rho, h)
    progress(0.2)
    other = solve_gradients(rho, h, lambda part: progress(0.2 + 0.7 * part))
    np.save(out / "potential.npy", u.astype(np.float32))
    return {
        "unknowns": int(u.size),
        "residual_relative": float(np.abs(laplacian(u, h) - rho).max() / np.abs(rho).max()),
        "solvers_apart": float(np.abs(u - other).max() / np.abs(u).max()),
        "madelung": float(madelung()),
        "madelung_error": abs(float(madelung()) - MADELUNG),
    }
