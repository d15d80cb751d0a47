"""Reed-Solomon erasure coding over GF(2^8) with a Cauchy matrix: any `data_shards` of the shards give the data back.

Writes the shards that were kept, out/shard-NNN.bin, and out/manifest.json.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

POLYNOMIAL = 0x11D


def tables():
    """Logarithms and powers of the generator 2."""
    power, log = np.zeros(512, dtype=np.int64), np.zeros(256, dtype=np.int64)
    x = 1
    for at in range(255):
        power[at], log[x] = x, at
        x <<= 1
        if x & 0x100:
            x ^= POLYNOMIAL
    power[255:510] = power[:255]
    return power, log


POWER, LOG = tables()


def times(a, row):
    """A number of the field times each byte of a row."""
    if a == 0:
        return np.zeros_like(row)
    return np.where(row == 0, 0, POWER[LOG[a] + LOG[row]]).astype(np.uint8)


def inverse(a):
    return int(POWER[255 - LOG[a]])


def matrix(data, parity):
    """The identity above a Cauchy matrix: every square part of it can be inverted."""
    cauchy = [[inverse((data + i) ^ j) for j in range(data)] for i in range(parity)]
    return np.vstack((np.eye(data, dtype=np.uint8), np.array(cauchy, dtype=np.uint8)))


def multiply(rows, shards):
    """Matrix times shards in the field."""
    out = np.zeros((len(rows), shards.shape[1]), dtype=np.uint8)
    for at, row in enumerate(rows):
        for a, shard in zip(row.tolist(), shards, strict=True):
            if a:
                out[at] ^= times(a, shard)
    return out


def inverted(square):
    """Gauss and Jordan in the field."""
    n = len(square)
    work = np.hstack((square.copy(), np.eye(n, dtype=np.uint8)))
    for at in range(n):
        pivot = at + int(np.argmax(work[at:, at] != 0))
        work[[at, pivot]] = work[[pivot, at]]
        work[at] = times(inverse(int(work[at, at])), work[at])
        for other in range(n):
            if other != at and work[other, at]:
                work[other] ^= times(int(work[other, at]), work[at])
    return work[:, n:]


def rebuild(kept, data, code):
    """The data from any `data` shards, by their numbers."""
    if len(kept) < data:
        raise ValueError(f"{len(kept)} shards are left and {data} are needed")
    numbers = sorted(kept)[:data]
    return multiply(inverted(code[numbers]), np.stack([kept[number] for number in numbers]))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    data = rng.bytes(p.size_kib * 1024)
    width = -(-len(data) // p.data_shards)
    padded = np.frombuffer(data.ljust(width * p.data_shards, b"\0"), dtype=np.uint8).reshape(p.data_shards, width)
    code = matrix(p.data_shards, p.parity_shards)
    shards = np.vstack((padded, multiply(code[p.data_shards :], padded)))
    progress(0.5)
    order = rng.permutation(len(shards))
    kept = {int(number): shards[number] for number in order[p.lost :]}
    back = rebuild(kept, p.data_shards, code).tobytes()[: len(data)]
    progress(0.9)
    try:
        rebuild({number: shards[number] for number in list(kept)[: p.data_shards - 1]}, p.data_shards, code)
        refused = False
    except ValueError:
        refused = True
    hashes = {f"shard-{n:03d}.bin": hashlib.sha256(shards[n].tobytes()).hexdigest() for n in sorted(kept)}
    for number in kept:
        (out / f"shard-{number:03d}.bin").write_bytes(shards[number].tobytes())
    (out / "manifest.json").write_text(json.dumps({"size": len(data), "data_shards": p.data_shards, "shards": hashes}))
    return {
        "bytes": len(data),
        "shards": len(shards),
        "lost": sorted(order[: p.lost].tolist()),
        "hash_equal": hashlib.sha256(back).digest() == hashlib.sha256(data).digest(),
        "overhead": shards.size / len(data) - 1,
        "one_more_lost_refused": refused,
    }
