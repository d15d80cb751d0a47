"""The Poisson equation in a periodic cube by FFT with the eigenvalues of the seven-point stencil, checked by conjugate gradients.

The known answer: a product of cosines, whose potential in the continuum is exact.
Writes out/potential.npy.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


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


def wave_error(cells):
    """The Fourier solver against the exact solution of the continuous equation for a product of cosines; it falls as 1 / cells^2."""
    x = np.cos(2 * np.pi * np.arange(cells) / cells)
    y = np.cos(4 * np.pi * np.arange(cells) / cells)
    rho = x[:, None, None] * y[None, :, None] * x[None, None, :]
    exact = -rho / ((2 * np.pi) ** 2 * (1 + 4 + 1))
    return float(np.abs(solve_fourier(rho, 1 / cells) - exact).max() / np.abs(exact).max())


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
        "wave_error": wave_error(p.cells),
    }
