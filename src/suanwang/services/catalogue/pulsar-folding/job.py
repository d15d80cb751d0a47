"""Find a pulsar in a time series: whitened spectrum, harmonics summed, candidates folded, the period refined by the fold itself.

A sample is 0.5 ms. Writes out/profile.csv.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

SAMPLE_S = 0.0005
BINS = 64


def series(p, rng):
    t = np.arange(2**p.samples_log2) * SAMPLE_S
    phase = (t / (p.period_ms / 1000)) % 1
    pulse = np.exp(-0.5 * ((phase - 0.5) / 0.03) ** 2)
    red = np.cumsum(rng.normal(size=len(t) // 256 + 1)).repeat(256)[: len(t)] * 0.02
    return t, p.amplitude * pulse + rng.normal(size=len(t)) + red


def whitened(data):
    """Power in units of its local mean; the lowest frequencies are dropped."""
    power = np.abs(np.fft.rfft(data - data.mean())) ** 2
    width = 512
    blocks = len(power) // width
    level = np.median(power[: blocks * width].reshape(blocks, width), axis=1) / np.log(2)
    middles = np.arange(blocks) * width + width / 2
    return power / np.interp(np.arange(len(power)), middles, level)


def harmonic_sum(power, harmonics):
    """At each bin the power at it and at its multiples, as far as the spectrum goes."""
    out = np.zeros(len(power) // harmonics)
    at = np.arange(len(out))
    for number in range(1, harmonics + 1):
        near = np.stack(
            [power[np.minimum(at * number + shift, len(power) - 1)] for shift in range(-(number // 2), number // 2 + 1)]
        )
        out += near.max(0)
    return out


def fold(t, data, period):
    """The mean of each bin of phase, and the height of the best smoothed one over its noise."""
    at = ((t / period % 1) * BINS).astype(int) % BINS
    profile = np.bincount(at, weights=data, minlength=BINS) / np.maximum(np.bincount(at, minlength=BINS), 1)
    noise = np.std(data) / np.sqrt(len(data) / BINS)
    width = 5
    smooth = np.convolve(np.concatenate((profile, profile[: width - 1])), np.ones(width) / width, "valid")
    return profile, float((smooth.max() - np.median(profile)) / noise * np.sqrt(width))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    t, data = series(p, np.random.default_rng(p.seed))
    span = len(t) * SAMPLE_S
    data = (
        data - np.convolve(np.pad(data, 1024, mode="edge"), np.ones(2049) / 2049, "valid")
        if len(data) < 2**18
        else data
    )
    power = whitened(data)
    progress(0.3)
    candidates = []
    for harmonics in (1, 2, 4, 8, 16):
        summed = harmonic_sum(power, harmonics)
        low = max(2, int(span / 1.0))
        spread = (summed[low:] - harmonics) / np.sqrt(harmonics)
        best = np.argsort(spread)[-4:] + low
        candidates += [span / one for one in best]
    progress(0.5)
    best = (0.0, 0.0)
    for period in candidates:
        # One step moves the last pulse by an eighth of a turn against the first one.
        reach = period**2 / span
        for shift in np.linspace(-1, 1, 33):
            tried = period + shift * reach
            best = max(best, (fold(t, data, tried)[1], tried))
    sigma, period = best
    for size in (0.1, 0.02):
        tries = period + np.linspace(-1, 1, 41) * size * period**2 / span
        scores = np.array([fold(t, data, one)[1] for one in tries])
        near = scores > scores.max() * 0.9
        period = float(np.average(tries[near], weights=scores[near] ** 4))
    profile, sigma = fold(t, data, period)
    # A pulse folds at whole multiples of its period too: the shortest that is about as strong is the pulsar's.
    for part in (8, 7, 6, 5, 4, 3, 2):
        shorter = fold(t, data, period / part)[1]
        if shorter > 0.8 * sigma:
            period, (profile, sigma) = period / part, fold(t, data, period / part)
            break
    with (out / "profile.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("bin", "flux"), *enumerate(profile.round(6))])
    return {
        "samples": len(t),
        "seconds": span,
        "period_ms": period * 1000,
        "period_error_relative": abs(period * 1000 / p.period_ms - 1),
        "sigma": sigma,
    }
