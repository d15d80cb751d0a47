"""Find a planet by its transits: box least squares (Kovacs, Zucker and Mazeh, 2002) over a grid of periods even in frequency.

The light curve has one point each 30 minutes with gaps, white noise, slow stellar change and one planet. The change is taken
out by a running median. Writes out/curve.csv and out/periodogram.csv.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

STEP_DAYS = 1 / 48
DURATION_DAYS = 0.13
BINS = 200


def light_curve(p, rng):
    """Times and relative flux, with gaps; what is known of them is only the noise."""
    t = np.arange(0, p.days, STEP_DAYS)
    t = t[(t % 13.7) > 1.0]  # the satellite sends its data home
    phase = (t - 0.37 * p.period_days) % p.period_days
    flux = 1 + 0.002 * np.sin(2 * np.pi * t / 11.3) + 0.001 * np.sin(2 * np.pi * t / 5.9 + 1)
    flux[phase < DURATION_DAYS] -= p.depth_ppm * 1e-6
    return t, flux + rng.normal(0, p.noise_ppm * 1e-6, len(t))


def flattened(flux):
    """Flux over its running median of two days."""
    half = round(1.0 / STEP_DAYS)
    padded = np.pad(flux, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return flux / np.median(windows[:: max(1, half // 4)], axis=1).repeat(max(1, half // 4))[: len(flux)]


def best_box(t, flux, period):
    """The signal residue of the best box at a period, its depth and the points inside."""
    at = ((t % period) / period * BINS).astype(int)
    count = np.bincount(at, minlength=BINS).astype(float)
    sums = np.bincount(at, weights=flux, minlength=BINS)
    width = max(1, round(DURATION_DAYS / period * BINS))
    best = (0.0, 0.0, 0)
    ends_n = np.cumsum(np.concatenate((count, count)))
    ends_s = np.cumsum(np.concatenate((sums, sums)))
    for wide in {width, max(1, width - 1), width + 1}:
        n = ends_n[wide : wide + BINS] - ends_n[:BINS]
        s = ends_s[wide : wide + BINS] - ends_s[:BINS]
        share = n / len(t)
        fine = (n > 5) & (share < 0.5)
        power = np.where(fine, s**2 / np.where(fine, len(t) ** 2 * share * (1 - share), 1), 0.0)
        power[s > 0] = 0.0  # only dimming counts
        top = int(power.argmax())
        if power[top] > best[0]:
            inside = s[top] / n[top]
            outside = -s[top] / (len(t) - n[top])
            best = (float(power[top]), float(outside - inside), int(n[top]))
    return best


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    t, raw = light_curve(p, np.random.default_rng(p.seed))
    flux = flattened(raw)
    flux -= flux.mean()
    fine = DURATION_DAYS / 4 / (p.days * 2.0)
    frequencies = np.arange(1 / min(p.days / 2.5, 60.0), 1 / 0.7, fine / 0.7)
    found = []
    for at, frequency in enumerate(frequencies):
        found.append(best_box(t, flux, 1 / frequency))
        if at % 200 == 0:
            progress(at / len(frequencies))
    power = np.array([one[0] for one in found])
    top = int(power.argmax())
    near = 1 / np.linspace(frequencies[top] - fine / 0.7, frequencies[top] + fine / 0.7, 81)
    period, (_, depth, inside) = max(((one, best_box(t, flux, one)) for one in near), key=lambda row: row[1][0])
    noise = 1.4826 * float(np.median(np.abs(flux - np.median(flux))))
    with (out / "curve.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("day", "flux"), *zip(t.round(5), (flux + 1).round(7), strict=True)])
    with (out / "periodogram.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("period_days", "power"), *zip((1 / frequencies).round(6), power, strict=True)])
    return {
        "points": len(t),
        "periods": len(frequencies),
        "period_days": float(period),
        "depth_ppm": depth * 1e6,
        "period_error_relative": float(abs(period / p.period_days - 1)),
        "depth_error_relative": float(abs(depth * 1e6 / p.depth_ppm - 1)),
        "snr": depth / noise * inside**0.5,
    }
