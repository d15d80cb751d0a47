"""Price an Asian option before the desk opens: Monte Carlo with a control variate, and its risk.

An arithmetic-average call on a lognormal share. The geometric-average call has a closed form (Kemna and Vorst,
1990), so it serves as control variate and as a check: the plain estimate of it must lie within its error.
Writes out/price.json and out/convergence.csv.
"""

import argparse
import csv
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Contract(NamedTuple):
    """Rates are per year, continuously compounded; the average is of `dates` equal steps."""

    spot: float = 100.0
    strike: float = 102.0
    rate: float = 0.021
    volatility: float = 0.24
    years: float = 1.0
    dates: int = 52


def normal_cdf(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def geometric_price(c: Contract) -> float:
    """The closed form of the geometric-average call."""
    n = c.dates
    drift = (c.rate - 0.5 * c.volatility**2) * c.years * (n + 1) / (2 * n)
    variance = c.volatility**2 * c.years * (n + 1) * (2 * n + 1) / (6 * n * n)
    mean = math.log(c.spot) + drift
    d = (mean - math.log(c.strike) + variance) / math.sqrt(variance)
    forward = math.exp(mean + variance / 2)
    return math.exp(-c.rate * c.years) * (forward * normal_cdf(d) - c.strike * normal_cdf(d - math.sqrt(variance)))


def payoffs(c: Contract, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Discounted arithmetic and geometric payoffs of each path, and the path-wise delta of the arithmetic one."""
    dt = c.years / c.dates
    log_path = np.cumsum((c.rate - 0.5 * c.volatility**2) * dt + c.volatility * math.sqrt(dt) * normals, axis=1)
    log_path += math.log(c.spot)
    arithmetic_mean = np.exp(log_path).mean(axis=1)
    discount = math.exp(-c.rate * c.years)
    arithmetic = discount * np.maximum(arithmetic_mean - c.strike, 0.0)
    geometric = discount * np.maximum(np.exp(log_path.mean(axis=1)) - c.strike, 0.0)
    return arithmetic, geometric, discount * (arithmetic_mean > c.strike) * arithmetic_mean / c.spot


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Price the contract; returns what is written to out/price.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paths", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    contract, exact = Contract(), geometric_price(Contract())
    rng = np.random.default_rng(args.seed)
    samples: list[np.ndarray] = []
    convergence = []
    for done in range(args.batch, args.paths + 1, args.batch):
        normals = rng.standard_normal((args.batch // 2, contract.dates))
        # Antithetic pairs are averaged before the error is taken, since the two of a pair are not independent.
        halves = [np.stack(payoffs(contract, sign * normals)) for sign in (1, -1)]
        samples.append((halves[0] + halves[1]) / 2)
        arithmetic, geometric, _ = np.hstack(samples)
        slope = float(np.cov(arithmetic, geometric)[0, 1] / geometric.var(ddof=1))
        convergence.append((done, *mean_and_error(arithmetic - slope * (geometric - exact))))
        tell_progress(1000 * done // args.paths)
    arithmetic, geometric, delta = np.hstack(samples)
    plain, plain_error = mean_and_error(arithmetic)
    control, control_error = mean_and_error(geometric)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "convergence.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("paths", "price", "standard_error"), *convergence])
    report = {
        "paths": convergence[-1][0],
        "price": round(convergence[-1][1], 5),
        "standard_error": round(convergence[-1][2], 6),
        "plain_price": round(plain, 5),
        "plain_standard_error": round(plain_error, 6),
        "variance_ratio": round((plain_error / convergence[-1][2]) ** 2, 1),
        "delta": round(float(delta.mean()), 4),
        "geometric_exact": round(exact, 6),
        "geometric_off_in_errors": round((control - exact) / control_error, 3),
    }
    (args.out / "price.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
