"""YUV4MPEG2 to Motion JPEG in AVI (RIFF with `movi` and `idx1`), and back. Writes out/source.y4m and out/clip.avi."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from clip import RATE, psnr, read_y4m, scene, write_y4m
from PIL import Image


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listed(name, data):
    return chunk(b"LIST", name + data)


def write_avi(path, jpegs, width, height):
    largest = max(map(len, jpegs))
    avih = struct.pack(
        "<14I", 1_000_000 // RATE, largest * RATE, 0, 0x10, len(jpegs), 0, 1, largest, width, height, 0, 0, 0, 0
    )
    strh = b"vidsMJPG" + struct.pack(
        "<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, RATE, 0, len(jpegs), largest, 10_000, 0, 0, 0, width, height
    )
    strf = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
    head = listed(b"hdrl", chunk(b"avih", avih) + listed(b"strl", chunk(b"strh", strh) + chunk(b"strf", strf)))
    body, index, at = [], [], 4
    for data in jpegs:
        piece = chunk(b"00dc", data)
        index.append(b"00dc" + struct.pack("<III", 0x10, at, len(data)))
        body.append(piece)
        at += len(piece)
    path.write_bytes(chunk(b"RIFF", b"AVI " + head + listed(b"movi", b"".join(body)) + chunk(b"idx1", b"".join(index))))


def chunks(data, start, end):
    while start + 8 <= end:
        size = struct.unpack_from("<I", data, start + 4)[0]
        yield data[start : start + 4], start + 8, size
        start += 8 + size + size % 2


def read_avi(path):
    """The frames of `movi` by walking, and those that the index names."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"AVI "
    walked, named, movi = [], [], 0
    for name, at, size in chunks(data, 12, len(data)):
        if name == b"LIST" and data[at : at + 4] == b"movi":
            movi = at
            walked = [data[a : a + s] for n, a, s in chunks(data, at + 4, at + size) if n == b"00dc"]
        elif name == b"idx1":
            for entry in range(at, at + size, 16):
                place, length = struct.unpack_from("<II", data, entry + 8)
                named.append(data[movi + place + 8 : movi + place + 8 + length])
    return walked, named


def run(p: SimpleNamespace, out: Path, progress: Callable[[float], None]) -> dict[str, object]:
    write_y4m(out / "source.y4m", scene(p.frames, p.height, p.width, np.random.default_rng(p.seed)))
    source = read_y4m(out / "source.y4m")
    jpegs = []
    for at, frame in enumerate(source):
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=p.quality)
        jpegs.append(file.getvalue())
        progress(0.6 * (at + 1) / len(source))
    write_avi(out / "clip.avi", jpegs, p.width, p.height)
    walked, named = read_avi(out / "clip.avi")
    back = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in walked])
    worst = min(psnr(a, b) for a, b in zip(source, back, strict=True))
    return {
        "frames_read": len(walked),
        "psnr_db": psnr(source, back),
        "psnr_lowest_db": worst,
        "index_right": named == walked,
        "size_share": (out / "clip.avi").stat().st_size / source.nbytes,
    }
