"""SIR: the deterministic curve by Runge and Kutta, and stochastic outbreaks event by event (Gillespie, 1977). Writes out/curve.csv."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def final_share(r0: float, susceptible: float) -> float:
    """The share that falls ill: z = s (1 - exp(-R0 z)), the largest root."""
    z = susceptible
    for _ in range(500):
        z = susceptible * (1 - np.exp(-r0 * z))
    return float(z)


def curve(r0, days, s, i, step=0.02):
    """Rows of (day, s, i, r) until it has burnt out."""
    beta, gamma = r0 / days, 1 / days

    def rate(y):
        new = beta * y[0] * y[1]
        return np.array([-new, new - gamma * y[1], gamma * y[1]])

    y, rows, at = np.array([s, i, 1 - s - i]), [], 0
    while y[1] > 1e-9 and at < 2_000_000:
        rows.append((at * step, *y))
        a = rate(y)
        b = rate(y + step / 2 * a)
        c = rate(y + step / 2 * b)
        d = rate(y + step * c)
        y = y + step / 6 * (a + 2 * b + 2 * c + d)
        at += 1
    return rows


def outbreak(r0, days, s, i, n, rng):
    """How many fell ill, and whether nobody was lost. Only the order of events matters for the size."""
    r, ill = n - s - i, 0
    beta, gamma = r0 / days, 1 / days
    dice = iter(rng.random(4 * n + 8))
    while i:
        infect, heal = beta * s * i / n, gamma * i
        if next(dice) * (infect + heal) < infect:
            s, i, ill = s - 1, i + 1, ill + 1
        else:
            i, r = i - 1, r + 1
    return ill, s + i + r - n


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    s, i = round(p.people * (1 - p.vaccinated_percent / 100)) - 5, 5
    rows = curve(p.r0, p.days_infectious, s / p.people, 1e-6)
    with (out / "curve.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("day", "susceptible", "infectious", "removed"), *rows[::50]])
    theory = final_share(p.r0, s / p.people)
    sizes, lost = [], 0
    for number in range(p.outbreaks):
        ill, off = outbreak(p.r0, p.days_infectious, s, i, p.people, rng)
        sizes.append(ill / p.people)
        lost += abs(off)
        progress((number + 1) / p.outbreaks)
    large = [one for one in sizes if one > theory / 3]
    return {
        "peak_share": max(row[2] for row in rows),
        "final_size_theory": theory,
        "final_size": float(np.mean(large)) if large else 0.0,
        "died_out_share": 1 - len(large) / len(sizes),
        "people_lost": int(lost),
        "final_size_error": abs(float(np.mean(large)) - theory) if large else 1.0,
        "ode_final_size_error": abs(s / p.people - rows[-1][1] - theory),
    }
