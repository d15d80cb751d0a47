"""Count the k-mers of a genome stored at two bits a base, both strands as one, and say what its spectrum tells.

The input is read as packed bases (T, C, A, G = 0..3, four a byte, first base in the high bits, as in the .2bit
format). A k-mer and its reverse complement are counted together. Against a random sequence of the same make-up
the counts would be Poisson; the report gives the ratio of variance to mean, which is 1 there and far above 1 in a
genome with repeats.
Writes out/spectrum.csv (how many k-mers occur how often) and out/report.json.
"""

import argparse
import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LETTERS = "TCAG"
CHUNK_BYTES = 1 << 18


def unpack(data: bytes) -> np.ndarray:
    """Bases as 0..3, four a byte."""
    packed = np.frombuffer(data, dtype=np.uint8)
    return ((packed[:, None] >> np.array([6, 4, 2, 0], dtype=np.uint8)) & 3).reshape(-1)


def codes(bases: np.ndarray, k: int) -> np.ndarray:
    """The number of each k-mer in base 4, the smaller of the two strands."""
    places = len(bases) - k + 1
    forward = np.zeros(places, dtype=np.int64)
    backward = np.zeros(places, dtype=np.int64)
    for offset in range(k):
        base = bases[offset : offset + places].astype(np.int64)
        forward = forward * 4 + base
        # T <-> A and C <-> G are 0 <-> 2 and 1 <-> 3: the complement is the base with its high bit turned.
        backward += (base ^ 2) << (2 * offset)
    return np.minimum(forward, backward)


def windows(path: Path, k: int, bytes_max: int) -> Iterator[tuple[np.ndarray, int]]:
    """The bases in pieces that overlap by k-1, so that no k-mer is missed or counted twice; with bytes read."""
    done, tail = 0, np.empty(0, dtype=np.uint8)
    with path.open("rb") as file:
        while done < bytes_max and (data := file.read(min(CHUNK_BYTES, bytes_max - done))):
            bases = np.concatenate((tail, unpack(data)))
            done += len(data)
            tail = bases[len(bases) - (k - 1) :]
            yield bases, done


def spell(code: int, k: int) -> str:
    """A k-mer's letters."""
    return "".join(LETTERS[code >> (2 * (k - 1 - i)) & 3] for i in range(k))


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Count one file; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genome", type=Path, default=Path("data/genome.2bit"))
    parser.add_argument("--k", type=int, default=9)
    parser.add_argument("--bytes-max", type=int, default=4 << 20, help="read no more of the file than this")
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    if args.k % 2 == 0:
        raise SystemExit(f"--k {args.k} is even: a k-mer could be its own reverse complement; use an odd k")
    size = min(args.genome.stat().st_size, args.bytes_max)
    counts = np.zeros(4**args.k, dtype=np.int64)
    make_up = np.zeros(4, dtype=np.int64)
    for bases, done in windows(args.genome, args.k, args.bytes_max):
        counts += np.bincount(codes(bases, args.k), minlength=len(counts))
        make_up += np.bincount(bases[-4 * min(CHUNK_BYTES, len(bases) // 4) :], minlength=4)
        tell_progress(1000 * done // size)
    # Of each pair of strands one code is used: half of all, as k is odd.
    kinds = len(counts) // 2
    seen = counts[counts > 0]
    mean = counts.sum() / kinds
    variance = float(np.sum(seen.astype(float) ** 2)) / kinds - mean**2
    args.out.mkdir(parents=True, exist_ok=True)
    times, how_many = np.unique(seen, return_counts=True)
    with (args.out / "spectrum.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("times", "k_mers"), *zip(times.tolist(), how_many.tolist(), strict=True)])
    report = {
        "bases": size * 4,
        "k": args.k,
        "k_mers_counted": int(counts.sum()),
        "distinct": len(seen),
        "possible": kinds,
        "gc_permille": round(1000 * int(make_up[1] + make_up[3]) / (size * 4)),
        "mean_count": round(float(mean), 3),
        "variance_over_mean": round(variance / mean, 3),
        "most_frequent": spell(int(counts.argmax()), args.k),
        "most_frequent_count": int(counts.max()),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
