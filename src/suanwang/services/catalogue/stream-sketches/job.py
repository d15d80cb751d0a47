"""Sketches of a stream: HyperLogLog, count-min, a merging t-digest, reservoir sampling. Writes out/heavy.csv and out/sample.csv."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

DEPTH, WIDTH = 5, 4096
SPREAD = 200  # of the t-digest
PRIME = np.uint64(0x9E3779B97F4A7C15)


def mixed(x, salt=0):
    """Splitmix64."""
    x = x.astype(np.uint64) + PRIME * np.uint64(salt + 1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return x ^ (x >> np.uint64(31))


def add_distinct(registers, items, bits):
    hashed = mixed(items)
    which = (hashed >> np.uint64(64 - bits)).astype(np.int64)
    rest = (hashed << np.uint64(bits)) | np.uint64(1 << (bits - 1))
    zeros = 63 - np.floor(np.log2(rest.astype(np.float64))).astype(np.int64)
    np.maximum.at(registers, which, np.clip(zeros, 0, 64) + 1)


def distinct(registers, bits):
    """The estimator of Ertl (2017, algorithm 6), which has no bias between small and large counts."""
    m, most = len(registers), 64 - bits
    have = np.bincount(registers, minlength=most + 2) / m
    total = full(1 - float(have[most + 1]))
    for level in range(most, 0, -1):
        total = 0.5 * (total + float(have[level]))
    total += empty(float(have[0]))
    return m / (2 * np.log(2) * total)


def empty(x):
    """The sum of x^(2^k) 2^(k-1) over k >= 1, and x: what the registers that nothing touched stand for."""
    if x == 1:
        return np.inf
    total, factor = x, 1.0
    while (x := x * x) * factor > 1e-18:
        total, factor = total + x * factor, factor * 2
    return total


def full(x):
    """The same of registers that can count no further."""
    if x in (0, 1):
        return 0.0
    total, factor = 1 - x, 1.0
    while True:
        x, factor = np.sqrt(x), factor / 2
        before, total = total, total - (1 - x) ** 2 * factor
        if before == total:
            return total / 3


def digest(means, weights, values):
    """Merge values into a t-digest: clusters are small at the ends (Dunning)."""
    x = np.concatenate((means, values))
    w = np.concatenate((weights, np.ones(len(values))))
    order = np.argsort(x, kind="stable")
    x, w = x[order], w[order]
    share = (np.cumsum(w) - w / 2) / w.sum()
    group = np.floor(SPREAD * (np.arcsin(2 * share - 1) / np.pi + 0.5)).astype(int)
    total = np.bincount(group, weights=w)
    kept = total > 0
    return (np.bincount(group, weights=w * x)[kept] / total[kept]), total[kept]


def quantile(means, weights, q):
    at = (np.cumsum(weights) - weights / 2) / weights.sum()
    return np.interp(q, at, means)


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    registers = np.zeros(2**p.registers_log2, dtype=np.int64)
    table = np.zeros((DEPTH, WIDTH), dtype=np.int64)
    means, weights, seen = np.empty(0), np.empty(0), 0
    sample, marks = np.empty(0, dtype=np.int64), np.empty(0)
    all_items, all_values = [], []
    while seen < p.items:
        n = min(20_000, p.items - seen)
        items = np.where(rng.random(n) < 0.5, rng.zipf(1.4, n) % 5000, rng.integers(0, p.items, n))
        values = rng.lognormal(3, 1, n)
        add_distinct(registers, items, p.registers_log2)
        for row in range(DEPTH):
            np.add.at(table[row], (mixed(items, row + 7) % np.uint64(WIDTH)).astype(np.int64), 1)
        means, weights = digest(means, weights, values)
        keys = rng.random(n)  # a fair sample: the smallest keys so far
        pool, marks = np.concatenate((sample, items)), np.concatenate((marks, keys))
        keep = np.argsort(marks)[:1000]
        sample, marks = pool[keep], marks[keep]
        all_items.append(items)
        all_values.append(values)
        seen += n
        progress(0.8 * seen / p.items)
    items, values = np.concatenate(all_items), np.sort(np.concatenate(all_values))
    ids, counts = np.unique(items, return_counts=True)
    guess = np.min(
        [table[row][(mixed(ids, row + 7) % np.uint64(WIDTH)).astype(np.int64)] for row in range(DEPTH)], axis=0
    )
    heavy = set(ids[counts >= p.items * 0.005].tolist())
    told = set(ids[guess >= p.items * 0.005].tolist())
    levels = np.array([0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
    ranks = np.searchsorted(values, quantile(means, weights, levels)) / len(values)
    with (out / "heavy.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("item", "estimate"),
                *sorted(
                    ((i, int(g)) for i, g in zip(ids.tolist(), guess, strict=True) if i in told), key=lambda r: -r[1]
                ),
            ]
        )
    with (out / "sample.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("item",), *((one,) for one in sample.tolist())])
    return {
        "items": p.items,
        "distinct": len(ids),
        "distinct_estimate": float(distinct(registers, p.registers_log2)),
        "distinct_error": float(abs(distinct(registers, p.registers_log2) / len(ids) - 1)),
        "heavy_hitters": len(heavy),
        "heavy_hitters_missed": len(heavy - told),
        "undercounted": int((guess < counts).sum()),
        "quantile_error": float(np.abs(ranks - levels).max()),
        "sample": len(sample),
    }
