"""A keyed spread-spectrum watermark in the DCT of 8 x 8 blocks, read blind after JPEG. Writes out/marked.y4m."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from clip import psnr, scene, write_y4m
from PIL import Image
from scipy.fft import dctn, idctn

TEXT_BYTES = 48  # twelve characters of up to four bytes in UTF-8
PLACES = [(1, 2), (2, 1), (2, 2), (0, 3), (3, 0), (1, 3), (3, 1)]  # middle frequencies of a block


def blocks(frame):
    h, w = frame.shape[0] // 8 * 8, frame.shape[1] // 8 * 8
    return frame[:h, :w].reshape(h // 8, 8, w // 8, 8).transpose(0, 2, 1, 3)


def unblocked(parts, frame):
    out = frame.astype(float)
    h, w = parts.shape[0] * 8, parts.shape[1] * 8
    out[:h, :w] = parts.transpose(0, 2, 1, 3).reshape(h, w)
    return out


def pattern(key, number, shape, bits):
    """For a frame: which bit each coefficient carries, and its sign."""
    rng = np.random.default_rng([key, number])
    return rng.integers(0, bits, shape), rng.choice([-1.0, 1.0], shape)


def marked(frame, number, message, key, strength):
    parts = dctn(blocks(frame).astype(float), axes=(2, 3), norm="ortho")
    which, sign = pattern(key, number, (*parts.shape[:2], len(PLACES)), len(message))
    for at, (a, b) in enumerate(PLACES):
        parts[:, :, a, b] += strength * sign[..., at] * message[which[..., at]]
    return np.clip(unblocked(idctn(parts, axes=(2, 3), norm="ortho"), frame).round(), 0, 255).astype(np.uint8)


def evidence(frames, key, bits):
    """For each bit the sum over all coefficients that carry it; large ones, which are the picture's own, count less."""
    out = np.zeros(bits)
    for number, frame in enumerate(frames):
        parts = dctn(blocks(frame).astype(float), axes=(2, 3), norm="ortho")
        which, sign = pattern(key, number, (*parts.shape[:2], len(PLACES)), bits)
        for at, (a, b) in enumerate(PLACES):
            value = np.clip(parts[:, :, a, b], -15, 15)
            np.add.at(out, which[..., at].ravel(), (value * sign[..., at]).ravel())
    return out


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    rng = np.random.default_rng(p.seed)
    raw = p.text.encode().ljust(TEXT_BYTES, b"\0")
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8))
    message = bits * 2.0 - 1
    source = scene(p.frames, p.height, p.width, rng)
    clip = np.stack([marked(frame, n, message, p.seed, p.strength) for n, frame in enumerate(source)])
    write_y4m(out / "marked.y4m", clip)
    progress(0.5)
    coded = []
    for frame in clip:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=p.quality)
        coded.append(np.asarray(Image.open(io.BytesIO(file.getvalue()))))
    found = evidence(coded, p.seed, len(bits)) > 0
    other = evidence(coded, p.seed + 1, len(bits)) > 0
    text = np.packbits(found).tobytes().rstrip(b"\0")
    return {
        "bits": len(bits),
        "psnr_db": psnr(source, clip),
        "bit_errors": float((found != bits.astype(bool)).mean()),
        "text_read": text == p.text.encode(),
        "wrong_key_bit_errors": float((other != bits.astype(bool)).mean()),
    }
