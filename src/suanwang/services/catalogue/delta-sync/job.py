"""The algorithm of rsync (Tridgell, 1996): the old copy's blocks by a weak rolling sum and a strong hash, matched at every offset.

Writes out/delta.json (what was sent, without the bytes).
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def weak_at_all(data, block):
    """The rolling sum of each window, as two halves of 16 bits."""
    x = np.frombuffer(data, dtype=np.uint8).astype(np.int64)
    total = np.concatenate(([0], np.cumsum(x)))
    ramp = np.concatenate(([0], np.cumsum(x * np.arange(len(x)))))
    n = len(x) - block + 1
    at = np.arange(n)
    a = total[at + block] - total[at]
    b = (at + block) * a - (ramp[at + block] - ramp[at])
    return (a & 0xFFFF) | (b & 0xFFFF) << 16


def signature(old, block):
    """Weak sum -> [(strong hash, number of the block)]; the last, shorter block is left out."""
    out = {}
    for number in range(len(old) // block):
        piece = old[number * block : (number + 1) * block]
        weak = int(weak_at_all(piece, block)[0])
        out.setdefault(weak, []).append((hashlib.blake2b(piece, digest_size=16).digest(), number))
    return out


def delta(new, known, block):
    """Instructions: a block's number, or bytes."""
    if len(new) < block:
        return [new]
    weak = weak_at_all(new, block)
    fits = np.isin(weak, np.array(list(known), dtype=np.int64)) if known else np.zeros(len(weak), dtype=bool)
    places = np.nonzero(fits)[0]
    out, done = [], 0
    at = 0
    while at < len(places):
        place = int(places[at])
        strong = hashlib.blake2b(new[place : place + block], digest_size=16).digest()
        number = next((one for digest, one in known[int(weak[place])] if digest == strong), None)
        if number is None:
            at += 1
            continue
        if place > done:
            out.append(new[done:place])
        out.append(number)
        done = place + block
        at = int(np.searchsorted(places, done))
    if done < len(new):
        out.append(new[done:])
    return out


def patched(old, instructions, block):
    return b"".join(old[one * block : (one + 1) * block] if isinstance(one, int) else one for one in instructions)


def edited(old, edits, rng):
    """Insertions, deletions and overwritten bytes, and one part moved."""
    out = bytearray(old)
    for _ in range(edits):
        at, kind = int(rng.integers(len(out) - 300)), rng.integers(3)
        if kind == 0:
            out[at:at] = rng.bytes(int(rng.integers(1, 120)))
        elif kind == 1:
            del out[at : at + int(rng.integers(1, 120))]
        else:
            out[at : at + 40] = rng.bytes(40)
    third = len(out) // 3
    return bytes(out[third:] + out[:third])


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    old = rng.bytes(p.size_kib * 1024)
    new = edited(old, p.edits, rng)
    known = signature(old, p.block)
    progress(0.4)
    instructions = delta(new, known, p.block)
    progress(0.9)
    back = patched(old, instructions, p.block)
    fresh = sum(len(one) for one in instructions if isinstance(one, bytes))
    copied = sum(isinstance(one, int) for one in instructions)
    # What goes over the wire: sums one way (20 bytes a block), numbers and bytes the other.
    wire = 20 * (len(old) // p.block) + 8 * len(instructions) + fresh
    (out / "delta.json").write_text(
        json.dumps([one if isinstance(one, int) else {"bytes": len(one)} for one in instructions])
    )
    return {
        "bytes": len(new),
        "blocks_copied": copied,
        "bytes_fresh": fresh,
        "sent_share": wire / len(new),
        "hash_equal": hashlib.sha256(back).digest() == hashlib.sha256(new).digest(),
    }
