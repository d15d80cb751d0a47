"""Assemble a genome from short reads: k-mer counts, an error filter, unitigs of the de Bruijn graph. Writes out/contigs.fasta."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

TURN = str.maketrans("ACGT", "TGCA")


def twin(text: str) -> str:
    """The other strand."""
    return text.translate(TURN)[::-1]


def reads_of(genome: str, p, rng: random.Random):
    """From both strands, with letters read wrongly. The ends are read as well as the middle, as from a ring."""
    ring = genome + genome[: p.read]
    for _ in range(len(genome) * p.coverage // p.read):
        at = rng.randrange(len(genome))
        read = list(ring[at : at + p.read])
        errors = sum(rng.random() * 100 < p.error_percent for _ in read)
        for place in rng.sample(range(len(read)), errors):
            read[place] = rng.choice([one for one in "ACGT" if one != read[place]])
        text = "".join(read)
        yield text if rng.random() < 0.5 else twin(text)


def kmers(reads, k: int) -> Counter:
    """Each under the smaller of its two strands."""
    count: Counter = Counter()
    for read in reads:
        other = twin(read)
        last = len(read) - k
        for at in range(last + 1):
            a, b = read[at : at + k], other[last - at : last - at + k]
            count[a if a < b else b] += 1
    return count


def solid(count: Counter) -> set[str]:
    """Above the valley of the histogram: errors make many k-mers that are seen once or twice."""
    histogram = Counter(count.values())
    least = 2
    while least < 12 and histogram[least + 1] <= histogram[least]:
        least += 1
    return {kmer for kmer, times in count.items() if times >= least}


def contigs(known: set[str]) -> list[str]:
    """Walks that have one way on and one way back, each once."""

    def has(kmer: str) -> bool:
        return min(kmer, twin(kmer)) in known

    def after(kmer: str) -> list[str]:
        return [kmer[1:] + base for base in "ACGT" if has(kmer[1:] + base)]

    def walk(start: str) -> list[str]:
        path = [start]
        while True:
            ways = after(path[-1])
            if len(ways) != 1 or len(after(twin(ways[0]))) != 1:
                return path
            name = min(ways[0], twin(ways[0]))
            if name in used:
                return path
            used.add(name)
            path.append(ways[0])

    used: set[str] = set()
    out = []
    for kmer in sorted(known):
        if kmer not in used:
            used.add(kmer)
            ahead = walk(kmer)
            back = walk(twin(kmer))
            path = [twin(one) for one in reversed(back[1:])] + ahead
            out.append(path[0] + "".join(one[-1] for one in path[1:]))
    return out


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    genome = "".join(rng.choices("ACGT", k=p.genome))
    count = kmers(reads_of(genome, p, rng), p.k)
    progress(0.7)
    known = solid(count)
    found = sorted((one for one in contigs(known) if len(one) >= 2 * p.k), key=len, reverse=True)
    progress(0.9)
    (out / "contigs.fasta").write_text(
        "".join(f">contig-{n} length={len(one)}\n{one}\n" for n, one in enumerate(found))
    )
    ring = genome + genome
    both = (ring, twin(ring))
    covered, wrong = bytearray(p.genome), 0
    for one in found:
        one = one[: p.genome]
        at = both[0].find(one)
        if at < 0 and (other := both[1].find(one)) >= 0:
            at = (2 * p.genome - other - len(one)) % p.genome
        if at < 0:
            wrong += 1
            continue
        for place in range(at, at + len(one)):
            covered[place % p.genome] = 1
    total, half, n50 = sum(map(len, found)), 0, 0
    for one in found:
        half += len(one)
        if half * 2 >= total:
            n50 = len(one)
            break
    return {
        "kmers_seen": len(count),
        "kmers_kept": len(known),
        "contigs": len(found),
        "n50": n50,
        "covered_share": sum(covered) / p.genome,
        "wrong_contigs": wrong,
    }
