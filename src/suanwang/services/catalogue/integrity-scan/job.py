"""Hash a tree and hold it against a baseline (authenticated by HMAC) and known-bad hashes (Bloom filter, then exact).

Writes out/report.json. All files are made; a "bad" one is one whose hash is on the list.
"""

import hashlib
import hmac
import json
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace


class Bloom:
    """About one false hit in a hundred."""

    def __init__(self, n):
        self.bits = max(64, math.ceil(n * 9.6))
        self.rounds = 7
        self.field = bytearray(self.bits // 8 + 1)

    def _places(self, digest):
        a, b = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big") | 1
        return [(a + at * b) % self.bits for at in range(self.rounds)]

    def add(self, digest):
        for place in self._places(digest):
            self.field[place // 8] |= 1 << place % 8

    def __contains__(self, digest):
        return all(self.field[place // 8] >> place % 8 & 1 for place in self._places(digest))


def signed(baseline, key):
    text = json.dumps(baseline, sort_keys=True)
    return {"baseline": baseline, "mac": hmac.new(key, text.encode(), "sha256").hexdigest()}


def opened(document, key):
    text = json.dumps(document["baseline"], sort_keys=True)
    if not hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), document["mac"]):
        raise ValueError("the baseline is not the one that was signed")
    return document["baseline"]


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.bin"))
    }


def judged(now, baseline, bad, bloom):
    """Each path's class."""
    gone = {digest: path for path, digest in baseline.items() if path not in now}
    out = {}
    for path, digest in now.items():
        raw = bytes.fromhex(digest)
        if raw in bloom and raw in bad:
            out[path] = "bad"
        elif baseline.get(path) == digest:
            out[path] = "same"
        elif path in baseline:
            out[path] = "changed"
        else:
            out[path] = "moved" if digest in gone else "new"
    out.update({path: "gone" for path in baseline if path not in now and baseline[path] not in now.values()})
    return out


def tampered(folder, rng, bad):
    """Change the tree; the class that each path must get."""
    paths = sorted(folder.rglob("*.bin"))
    rng.shuffle(paths)
    share = max(2, len(paths) // 20)
    truth = {}
    for at, path in enumerate(paths[: 4 * share]):
        kind = ("changed", "moved", "gone", "bad")[at // share]
        name = path.relative_to(folder).as_posix()
        if kind == "changed":
            data = bytearray(path.read_bytes())
            data[rng.randrange(len(data))] ^= 1
            path.write_bytes(bytes(data))
        elif kind == "moved":
            other = path.with_name("moved-" + path.name)
            path.rename(other)
            name = other.relative_to(folder).as_posix()
        elif kind == "gone":
            path.unlink()
        else:
            data = rng.randbytes(200)
            path.write_bytes(data)
            bad.add(hashlib.sha256(data).digest())
        truth[name] = kind
    for at in range(share):
        path = folder / f"new-{at:04d}.bin"
        path.write_bytes(rng.randbytes(150))
        truth[path.name] = "new"
    return truth


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = random.Random(p.seed)
    key = rng.randbytes(32)
    bad = {rng.randbytes(32) for _ in range(p.known_bad)}
    with TemporaryDirectory(dir=".") as temporary:
        folder = Path(temporary)
        for number in range(p.files):
            path = folder / f"d{number % 23:02d}" / f"f{number:06d}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(rng.randbytes(rng.randrange(50, 4000)))
        document = signed(digests(folder), key)
        truth = tampered(folder, rng, bad)
        progress(0.5)
        bloom = Bloom(len(bad))
        for one in bad:
            bloom.add(one)
        now = digests(folder)
        found = judged(now, opened(document, key), bad, bloom)
    progress(0.9)
    forged = json.loads(json.dumps(document))
    forged["baseline"][next(iter(now))] = "00" * 32
    try:
        opened(forged, key)
        refused = False
    except ValueError:
        refused = True
    strangers = [rng.randbytes(32) for _ in range(5000)]
    wrong = sum(found.get(path, "same") != kind for path, kind in truth.items())
    wrong += sum(kind != "same" for path, kind in found.items() if path not in truth)
    (out / "report.json").write_text(
        json.dumps({path: kind for path, kind in found.items() if kind != "same"}, indent=1)
    )
    return {
        "files": len(now),
        "classes": dict(Counter(found.values())),
        "misjudged": wrong,
        "bloom_missed": sum(one not in bloom for one in bad),
        "bloom_false_share": sum(one in bloom for one in strangers) / len(strangers),
        "forged_baseline_refused": refused,
    }
