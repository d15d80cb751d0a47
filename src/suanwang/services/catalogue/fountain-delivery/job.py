"""A random linear fountain over GF(2): a packet is the sum of about half of the parts, named by a seed of 32 bits.

The receiver eliminates as packets come and is done when it has full rank. Writes out/packets.csv (rank as packets come).
"""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def mask(seed, parts):
    """Which parts a packet sums, as bits packed into words."""
    bits = np.random.default_rng(seed).integers(0, 2, parts, dtype=np.uint8)
    return np.packbits(bits, bitorder="little")


class Receiver:
    """Rows in echelon form: by the first part that a row has."""

    def __init__(self, parts, size):
        self.parts = parts
        self.rows = {}
        self.size = size

    def take(self, row, data):
        """True where the packet told something new."""
        row, data = row.copy(), data.copy()
        while True:
            places = np.nonzero(row)[0]
            if not len(places):
                return False
            word = int(places[0])
            first = word * 8 + int(row[word] & -row[word]).bit_length() - 1
            if first not in self.rows:
                self.rows[first] = (row, data)
                return True
            row ^= self.rows[first][0]
            data ^= self.rows[first][1]

    def done(self):
        return len(self.rows) == self.parts

    def solved(self):
        """Back from the last part to the first."""
        out = np.zeros((self.parts, self.size), dtype=np.uint8)
        for first in range(self.parts - 1, -1, -1):
            row, data = self.rows[first]
            later = np.nonzero(np.unpackbits(row, bitorder="little")[: self.parts])[0][1:]
            out[first] = data ^ np.bitwise_xor.reduce(out[later], axis=0) if len(later) else data
        return out


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    data = rng.integers(0, 256, (p.parts, p.part_bytes), dtype=np.uint8)
    receiver, sent, received, rows = Receiver(p.parts, p.part_bytes), 0, 0, []
    while not receiver.done():
        seed = sent
        sent += 1
        if rng.random() * 100 < p.loss_percent:
            continue
        row = mask(seed, p.parts)
        chosen = np.nonzero(np.unpackbits(row, bitorder="little")[: p.parts])[0]
        received += 1
        receiver.take(
            row, np.bitwise_xor.reduce(data[chosen], axis=0) if len(chosen) else np.zeros(p.part_bytes, dtype=np.uint8)
        )
        rows.append((received, len(receiver.rows)))
        if received % 32 == 0:
            progress(len(receiver.rows) / p.parts)
    back = receiver.solved()
    with (out / "packets.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("received", "rank"), *rows])
    return {
        "parts": p.parts,
        "sent": sent,
        "received": received,
        "received_over_parts": received / p.parts,
        "loss_error": abs((sent - received) / sent - p.loss_percent / 100),
        "hash_equal": hashlib.sha256(back.tobytes()).digest() == hashlib.sha256(data.tobytes()).digest(),
    }
