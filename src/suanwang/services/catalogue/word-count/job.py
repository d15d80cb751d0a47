"""Map and reduce with spills: shards are counted in a bounded buffer, written sorted, and merged. Writes out/counts.tsv."""

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np

SHARD = 50_000
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def word(number):
    out = ""
    while True:
        number, digit = divmod(number, len(LETTERS))
        out += LETTERS[digit]
        if number == 0:
            return out
        number -= 1


def shards(p, rng):
    """Texts of at most SHARD words by the law of Zipf; also their numbers, for the check."""
    chance = 1 / (np.arange(p.vocabulary) + 2.7)
    total = np.cumsum(chance / chance.sum())
    names = [word(number) for number in range(p.vocabulary)]
    left = p.words
    while left:
        drawn = np.minimum(np.searchsorted(total, rng.random(min(left, SHARD))), p.vocabulary - 1)
        left -= len(drawn)
        yield " ".join(names[at] for at in drawn), drawn


def mapped(text, folder, buffer, number):
    """Spill files of one shard, each sorted by word."""
    count, files = Counter(), []

    def spill():
        path = folder / f"{number:05d}-{len(files):03d}.tsv"
        path.write_text("".join(f"{one}\t{count[one]}\n" for one in sorted(count)))
        files.append(path)
        count.clear()

    for one in text.split():
        count[one] += 1
        if len(count) >= buffer:
            spill()
    spill()
    return files


def lines(path):
    with path.open() as file:
        for line in file:
            name, _, times = line.partition("\t")
            yield name, int(times)


def merged(files, folder, width=64):
    """One sorted stream of all spills; at most `width` files are open at once."""
    turn = 0
    while len(files) > width:
        path = folder / f"merge-{turn:05d}.tsv"
        with path.open("w") as file:
            for name, group in groupby(heapq.merge(*map(lines, files[:width])), key=lambda row: row[0]):
                file.write(f"{name}\t{sum(times for _, times in group)}\n")
        files = [*files[width:], path]
        turn += 1
    return heapq.merge(*map(lines, files))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    truth, files = np.zeros(p.vocabulary, dtype=np.int64), []
    with TemporaryDirectory(dir=".") as temporary:
        folder = Path(temporary)
        for number, (text, drawn) in enumerate(shards(p, np.random.default_rng(p.seed))):
            truth += np.bincount(drawn, minlength=p.vocabulary)
            files += mapped(text, folder, p.buffer, number)
            progress(0.7 * min(1, (number + 1) * SHARD / p.words))
        found = {}
        for name, group in groupby(merged(files, folder), key=lambda row: row[0]):
            found[name] = sum(times for _, times in group)
    order = sorted(found.items(), key=lambda row: (-row[1], row[0]))
    (out / "counts.tsv").write_text("".join(f"{name}\t{times}\n" for name, times in order))
    wanted = {word(at): int(times) for at, times in enumerate(truth) if times}
    top = np.array([times for _, times in order[5 : max(20, min(500, len(order) // 4))]])
    slope = np.polyfit(np.log(np.arange(6, 6 + len(top))), np.log(top), 1)[0]
    return {
        "words": sum(found.values()),
        "different": len(found),
        "spills": len(files),
        "counts_wrong": sum(found.get(name) != times for name, times in wanted.items()) + len(set(found) - set(wanted)),
        "words_lost": p.words - sum(found.values()),
        "zipf_slope": float(slope),
    }
