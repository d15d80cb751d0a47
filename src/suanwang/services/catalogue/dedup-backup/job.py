"""Back a changing folder up day by day into a deduplicating store, restore every day, and notice damage.

Files are cut where a rolling sum of 64 bytes says (so an insertion moves only the cuts beside it); pieces are kept once by their
BLAKE2b hash, compressed. Writes out/snapshots.json.
"""

import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

WINDOW, BITS, LEAST, MOST = 64, 11, 512, 1 << 14
TABLE = np.random.default_rng(64).integers(0, 2**32, 256, dtype=np.uint64)


def pieces(data: bytes) -> list[bytes]:
    """Cut by content."""
    if len(data) <= WINDOW:
        return [data]
    sums = np.cumsum(TABLE[np.frombuffer(data, dtype=np.uint8)], dtype=np.uint64)
    rolling = (sums[WINDOW:] - sums[:-WINDOW]) * np.uint64(0x9E3779B97F4A7C15)
    marks = (np.nonzero(rolling >> np.uint64(64 - BITS) == 0)[0] + WINDOW + 1).tolist()
    out, last = [], 0
    for mark in [*marks, len(data)]:
        while mark - last > MOST:
            out.append(data[last : last + MOST])
            last += MOST
        if mark - last >= LEAST or (mark == len(data) and last < mark):
            out.append(data[last:mark])
            last = mark
    return out


def back_up(folder: dict[str, bytes], store: dict[str, bytes]) -> dict[str, list[str]]:
    """Put new pieces into the store; the snapshot names each file's pieces."""
    snapshot = {}
    for name, data in folder.items():
        snapshot[name] = []
        for piece in pieces(data):
            digest = hashlib.blake2b(piece, digest_size=20).hexdigest()
            store.setdefault(digest, zlib.compress(piece, 1))
            snapshot[name].append(digest)
    return snapshot


def restore(snapshot: dict[str, list[str]], store: dict[str, bytes]) -> dict[str, bytes]:
    """The folder of a snapshot; a piece that is not what its name says is an error."""
    out = {}
    for name, digests in snapshot.items():
        parts = []
        for digest in digests:
            piece = zlib.decompress(store[digest])
            if hashlib.blake2b(piece, digest_size=20).hexdigest() != digest:
                raise ValueError(f"piece {digest} is damaged")
            parts.append(piece)
        out[name] = b"".join(parts)
    return out


def a_day_later(
    folder: dict[str, bytes], percent: float, rng: np.random.Generator
) -> tuple[dict[str, bytes], list[int]]:
    """Put bytes into the middle of some files; also how many into each of those."""
    out, inserted = dict(folder), []
    for name, data in folder.items():
        insert = int(len(data) * percent / 100)
        if insert and rng.random() < 0.6:
            at = int(rng.integers(0, len(data)))
            out[name] = data[:at] + rng.bytes(insert) + data[at:]
            inserted.append(insert)
    return out, inserted


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    shares = rng.dirichlet(np.full(p.files, 3.0)) * p.size_kib * 1024
    folder = {f"file-{n:04d}.bin": rng.bytes(max(16, int(size))) for n, size in enumerate(shares)}
    store, days, snapshots, whole = {}, [], [], 0
    new, changes = sum(map(len, folder.values())), 0  # bytes that were never there before
    for day in range(p.days):
        if day:
            folder, inserted = a_day_later(folder, p.change_percent, rng)
            new, changes = new + sum(inserted), changes + len(inserted)
        snapshots.append(back_up(folder, store))
        days.append({name: hashlib.sha256(data).digest() for name, data in folder.items()})
        whole += sum(map(len, folder.values()))
        progress(0.7 * (day + 1) / p.days)
    different = 0
    for snapshot, hashes in zip(snapshots, days, strict=True):
        back = restore(snapshot, store)
        different += len(set(back) ^ set(hashes))
        different += sum(hashlib.sha256(data).digest() != hashes[name] for name, data in back.items())
    victim = snapshots[-1]["file-0000.bin"][0]
    broken = bytearray(zlib.decompress(store[victim]))
    broken[len(broken) // 2] ^= 1
    try:
        restore(snapshots[-1], {**store, victim: zlib.compress(bytes(broken))})
        noticed = False
    except ValueError:
        noticed = True
    (out / "snapshots.json").write_text(json.dumps(snapshots))
    stored = sum(map(len, store.values()))
    pieces_bytes = sum(len(zlib.decompress(one)) for one in store.values())
    return {
        "bytes_backed_up": whole,
        "bytes_stored": stored,
        "stored_share": stored / whole,
        "pieces": len(store),
        "changes": changes,
        "again_per_change_bytes": (pieces_bytes - new) / max(1, changes),
        "files_different_after_restore": different,
        "damage_noticed": noticed,
    }
