"""The generalised Lomb-Scargle periodogram (Zechmeister and Kuerster, 2009) of a star seen at uneven times.

Writes out/periodogram.csv and out/folded.csv.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def power(t, y, frequencies, tell=lambda fraction: None):
    """The share of the variance that a sine of each frequency takes away, with a floating mean."""
    y = y - y.mean()
    out = np.empty(len(frequencies))
    for at in range(0, len(frequencies), 512):
        turn = 2 * np.pi * frequencies[at : at + 512, None] * t
        c, s = np.cos(turn), np.sin(turn)
        c -= c.mean(1, keepdims=True)
        s -= s.mean(1, keepdims=True)
        yc, ys = (c * y).mean(1), (s * y).mean(1)
        cc, ss, cs = (c * c).mean(1), (s * s).mean(1), (c * s).mean(1)
        d = cc * ss - cs**2
        out[at : at + 512] = (ss * yc**2 + cc * ys**2 - 2 * cs * yc * ys) / np.maximum(d, 1e-12) / (y * y).mean()
        tell(at / len(frequencies))
    return out


def fitted(t, y, frequency):
    """Amplitude of the sine that fits best."""
    turn = 2 * np.pi * frequency * t
    a = np.stack([np.cos(turn), np.sin(turn), np.ones_like(t)], 1)
    c, s, _ = np.linalg.lstsq(a, y, rcond=None)[0]
    return float(np.hypot(c, s))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    night = rng.integers(0, p.nights, p.points)
    t = np.sort(night + 0.25 * rng.random(p.points) + 0.6)  # it is dark for six hours
    y = 12 + np.sin(2 * np.pi * t / p.period_days + 1.2) + p.noise_percent / 100 * rng.normal(size=p.points)
    step = 1 / (8 * p.nights)
    frequencies = np.arange(1 / p.nights * 2, 5.5, step)
    # Daily gaps make ghosts at one cycle a day more or less; the true peak is still the highest.
    found = power(t, y, frequencies, lambda part: progress(0.5 * part))
    top = frequencies[found.argmax()]
    fine = np.linspace(top - step, top + step, 201)
    best = float(fine[power(t, y, fine).argmax()])
    alarm = max(power(t, rng.permutation(y), frequencies).max() for _ in range(3))
    with (out / "periodogram.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("per_day", "power"), *zip(frequencies.round(6), found.round(6), strict=True)])
    with (out / "folded.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("phase", "magnitude"), *zip((t * best % 1).round(5), y.round(5), strict=True)])
    return {
        "frequencies": len(frequencies),
        "period_days": 1 / best,
        "period_error_relative": abs(1 / best / p.period_days - 1),
        "power_over_false_alarm": float(found.max() / alarm),
        "amplitude_error": abs(fitted(t, y, best) - 1),
    }
