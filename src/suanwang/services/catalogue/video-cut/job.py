"""Cut two pieces out of a YUV4MPEG2 clip and join them with a cross-fade. Writes out/source.y4m and out/cut.y4m."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from clip import RATE, read_y4m, scene, write_y4m


def piece(frames, start_s, end_s):
    """Frames whose time is in [start, end)."""
    return frames[round(start_s * RATE) : round(end_s * RATE)]


def joined(a, b, fade):
    """The end of one and the beginning of the other, mixed in even steps."""
    if fade == 0:
        return np.concatenate((a, b))
    weight = (np.arange(1, fade + 1) / (fade + 1))[:, None, None]
    mixed = np.floor(a[-fade:] * (1 - weight) + b[:fade] * weight + 0.5).astype(np.uint8)
    return np.concatenate((a[:-fade], mixed, b[fade:]))


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    write_y4m(out / "source.y4m", scene(p.frames, p.height, p.width, np.random.default_rng(p.seed)))
    progress(0.5)
    source = read_y4m(out / "source.y4m")
    a, b = piece(source, p.first_start, p.first_end), piece(source, p.second_start, p.second_end)
    write_y4m(out / "cut.y4m", joined(a, b, p.fade))
    back = read_y4m(out / "cut.y4m")
    before, after = len(a) - p.fade, len(b) - p.fade
    differ = int((back[:before] != a[:before]).any((1, 2)).sum())
    differ += int((back[len(back) - after :] != b[p.fade :]).any((1, 2)).sum())
    worst = 0.0
    for at in range(p.fade):
        share = (at + 1) / (p.fade + 1)
        exact = a[before + at].astype(float) + share * (b[at].astype(float) - a[before + at])
        worst = max(worst, float(np.abs(back[before + at] - exact).max()))
    return {"frames_in": len(source), "frames_out": len(back), "untouched_differ": differ, "fade_error_max": worst}
