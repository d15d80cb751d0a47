"""Compare two classifiers honestly: AUC by ranks, bootstrap intervals, calibration. Two Gaussian clouds, so the truth is known.

Writes out/roc.csv and out/calibration.csv.
"""

import csv
from collections.abc import Callable
from math import erf, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression

DIMENSIONS = 6


def clouds(n, separation, rng):
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, DIMENSIONS)) + separation / sqrt(DIMENSIONS) * y[:, None], y


def auc(score, y):
    """The chance that a one ranks above a zero (Mann and Whitney)."""
    rank = np.empty(len(y))
    rank[np.argsort(score, kind="stable")] = np.arange(1, len(y) + 1)
    ones = int(y.sum())
    return float((rank[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))


def interval(score, y, resamples, rng):
    """95 % by the percentile bootstrap."""
    drawn = []
    for _ in range(resamples):
        at = rng.integers(0, len(y), len(y))
        if 0 < y[at].sum() < len(y):
            drawn.append(auc(score[at], y[at]))
    return tuple(np.percentile(drawn, [2.5, 97.5]).tolist())


def calibration(chance, y, bins=10):
    """Rows (said, happened, count) and the mean distance."""
    at = np.minimum((chance * bins).astype(int), bins - 1)
    rows = [(chance[at == b].mean(), y[at == b].mean(), int((at == b).sum())) for b in range(bins) if (at == b).any()]
    return rows, sum(abs(a - b) * n for a, b, n in rows) / len(y)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    x, y = clouds(p.samples, p.separation, rng)
    test_x, test_y = clouds(p.samples, p.separation, rng)
    good = LogisticRegression().fit(x, y)
    poor = LogisticRegression().fit(x[:, :3], y)  # sees half of the figures
    score, weak = good.predict_proba(test_x)[:, 1], poor.predict_proba(test_x[:, :3])[:, 1]
    truth = 0.5 * (1 + erf(p.separation / 2))  # of the best possible rule
    low, high = interval(score, test_y, p.resamples, rng)
    progress(0.4)
    # Does an interval that says 95 % hold what it says? For a fixed rule, whose exact AUC is known.
    way = np.ones(DIMENSIONS)
    held = 0
    for number in range(40):
        fresh_x, fresh_y = clouds(p.samples // 2, p.separation, rng)
        a, b = interval(fresh_x @ way, fresh_y, 100, rng)
        held += a <= truth <= b
        progress(0.4 + 0.6 * (number + 1) / 40)
    rows, error = calibration(score, test_y)
    with (out / "calibration.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("said", "happened", "count"), *rows])
    cuts = np.sort(score)[:: max(1, len(score) // 200)]
    roc = [((score[test_y == 0] > cut).mean(), (score[test_y == 1] > cut).mean()) for cut in cuts]
    with (out / "roc.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("false_alarm", "found"), *roc])
    found = auc(score, test_y)
    return {
        "auc": found,
        "auc_low": low,
        "auc_high": high,
        "auc_exact": truth,
        "auc_error": abs(found - truth),
        "auc_difference": found - auc(weak, test_y),
        "calibration_error": float(error),
        "interval_coverage": held / 40,
    }
