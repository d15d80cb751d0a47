"""Snapshots of a disk image: the first is whole, each later one has the blocks that changed; a Merkle tree over the block hashes.

Old snapshots are merged into the next one until `keep` are left. Writes out/chain.json.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def leaves(image: np.ndarray) -> list[bytes]:
    return [hashlib.sha256(block.tobytes()).digest() for block in image]


def tree(level: list[bytes]) -> list[list[bytes]]:
    """All levels, leaves first; an odd one is carried up."""
    levels = [level]
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
        levels.append(level)
    return levels


def first_difference(a: list[list[bytes]], b: list[list[bytes]]) -> int | None:
    """The first leaf that differs, found from the root down."""
    if a[-1] == b[-1]:
        return None
    at = 0
    for level in range(len(a) - 2, -1, -1):
        at *= 2
        if a[level][at] == b[level][at]:
            at += 1
    return at


def changed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A day's work: a run of blocks and a few lone bytes."""
    out = image.copy()
    start = int(rng.integers(0, len(image)))
    run = out[start : start + max(1, len(image) // 16)]
    run[:] = rng.integers(0, 256, run.shape, dtype=np.uint8)
    for _ in range(3):
        out[rng.integers(0, len(out)), rng.integers(0, out.shape[1])] ^= 0xFF
    return out


def restore(chain: list[dict[int, bytes]], upto: int, shape: tuple[int, int]) -> np.ndarray:
    out = np.zeros(shape, dtype=np.uint8)
    for delta in chain[: upto + 1]:
        for at, block in delta.items():
            out[at] = np.frombuffer(block, dtype=np.uint8)
    return out


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    width = p.block_kib * 1024
    image = rng.integers(0, 256, (p.size_mib * 1024 * 1024 // width, width), dtype=np.uint8)
    chain, roots, hashes, before = [], [], [], None
    for number in range(p.snapshots):
        image = image if number == 0 else changed(image, rng)
        now = leaves(image)
        delta = [at for at in range(len(image)) if before is None or before[at] != now[at]]
        chain.append({at: image[at].tobytes() for at in delta})
        roots.append(tree(now)[-1][0].hex())
        hashes.append(hashlib.sha256(image.tobytes()).hexdigest())
        before = now
        progress(0.6 * (number + 1) / p.snapshots)
    stored = sum(len(block) for delta in chain for block in delta.values())
    while len(chain) > p.keep:
        chain[:2] = [{**chain[0], **chain[1]}]
        roots, hashes = roots[1:], hashes[1:]
    good, equal = 0, True
    for at in range(len(chain)):
        back = restore(chain, at, image.shape)
        good += hashlib.sha256(back.tobytes()).hexdigest() == hashes[at]
        equal = equal and tree(leaves(back))[-1][0].hex() == roots[at]
    victim = int(rng.integers(0, len(image)))
    damaged = image.copy()
    damaged[victim, 17] ^= 1
    (out / "chain.json").write_text(json.dumps({"roots": roots, "blocks": [sorted(delta) for delta in chain]}))
    return {
        "blocks": len(image),
        "stored_share": stored / (image.nbytes * p.snapshots),
        "restored_equal": good,
        "roots_equal": equal,
        "wrong_block_found": first_difference(tree(leaves(image)), tree(leaves(damaged))) == victim,
    }
