"""Find the cuts of a clip: the part of a frame's change that neither motion nor a change of light explains.

Writes out/sheet.png (a key frame a scene), out/preview.gif and out/cuts.csv.
"""

import csv
import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from clip import RATE, scene
from PIL import Image


def shifted_match(a, b):
    """How alike two frames are at their best shift: the height of normalised cross-correlation, 1 for the same."""
    a, b = (one - one.mean() for one in (a.astype(float), b.astype(float)))
    window = np.hanning(a.shape[0])[:, None] * np.hanning(a.shape[1])[None]
    a, b = a * window, b * window
    cross = np.fft.irfft2(np.fft.rfft2(a) * np.conj(np.fft.rfft2(b)), a.shape)
    return float(cross.max() / np.sqrt((a**2).sum() * (b**2).sum()))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    parts = [scene(p.length, p.height, p.width, rng, tuple(rng.uniform(-3, 3, 2))) for _ in range(p.scenes)]
    # The light of one scene goes down slowly: no cut.
    dim = p.scenes // 2
    parts[dim] = (parts[dim] * np.linspace(1, 0.45, p.length)[:, None, None]).astype(np.uint8)
    clip = np.concatenate(parts)
    true = {p.length * number for number in range(1, p.scenes)}
    progress(0.4)
    match = np.array([shifted_match(clip[at - 1], clip[at]) for at in range(1, len(clip))])
    usual = np.median(match)
    found = {at + 1 for at in range(len(match)) if match[at] < usual - 0.25}
    progress(0.8)
    with (out / "cuts.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("frame", "second", "match"), *((at, at / RATE, match[at - 1]) for at in sorted(found))]
        )
    starts = [0, *sorted(found), len(clip)]
    keys = [clip[(a + b) // 2] for a, b in itertools.pairwise(starts)]
    columns = int(np.ceil(np.sqrt(len(keys))))
    keys += [np.zeros_like(keys[0])] * (-len(keys) % columns)
    rows = [np.hstack(keys[at : at + columns]) for at in range(0, len(keys), columns)]
    Image.fromarray(np.vstack(rows)).save(out / "sheet.png")
    small = [Image.fromarray(frame[::2, ::2]) for frame in clip[::4]]
    small[0].save(out / "preview.gif", save_all=True, append_images=small[1:], duration=4 * 1000 // RATE, loop=0)
    return {
        "frames": len(clip),
        "cuts": len(true),
        "found": len(found),
        "recall": len(found & true) / len(true),
        "precision": len(found & true) / max(1, len(found)),
        "match_usual": float(usual),
    }
