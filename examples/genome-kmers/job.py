"""The tasks of a small workflow: reads of a made genome, their k-mers counted part by part, one report.

job.py prepare PARTS   writes parts/<n>.txt, reads of 100 letters
job.py count K         counts the k-mers of this element's part into counts.json
job.py mend            says that counting failed
job.py report          adds all counts up into report.json
"""

import json
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

GENOME_LETTERS, READ_LETTERS, COVERAGE = 20_000, 100, 10
SEED = 7  # the same genome every time


def genome() -> str:
    """Letters drawn at random: a k-mer of 21 letters is in it once, almost surely."""
    return "".join(random.Random(SEED).choices("ACGT", k=GENOME_LETTERS))


def reads() -> list[str]:
    """Reads that cover the circular genome evenly: every letter, and every k-mer of it, equally often."""
    letters = genome()
    around, step = letters + letters[:READ_LETTERS], READ_LETTERS // COVERAGE
    return [around[at : at + READ_LETTERS] for at in range(0, GENOME_LETTERS, step)]


def prepare(parts: int) -> None:
    """Deal the reads out."""
    Path("parts").mkdir()
    made = reads()
    for part in range(parts):
        Path("parts", f"{part}.txt").write_text("\n".join(made[part::parts]) + "\n")


def kmers(read: str, k: int) -> Iterator[str]:
    return (read[at : at + k] for at in range(len(read) - k + 1))


def count(k: int) -> None:
    """The k-mers of this element's part."""
    part = Path("parts", f"{os.environ['SUANWANG_ARRAY_INDEX']}.txt")
    counts = Counter(kmer for read in part.read_text().split() for kmer in kmers(read, k))
    Path("counts.json").write_text(json.dumps({"k": k, "counts": counts}))


def mend() -> None:
    """What a person should look at."""
    Path("why.txt").write_text("Counting failed: see the log of the task `count`.\n")


def report() -> None:
    """How often each k-mer is in the reads, over all parts."""
    total: Counter[str] = Counter()
    found = sorted(Path("counts").glob("*/counts.json"))
    for path in found:
        total.update(json.loads(path.read_text())["counts"])
    spectrum = Counter(total.values())
    result = {"parts": len(found), "different": len(total), "in_all": sum(total.values()), "spectrum": dict(spectrum)}
    Path("report.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    {"prepare": prepare, "count": count, "mend": mend, "report": report}[verb](*(int(one) for one in rest))
