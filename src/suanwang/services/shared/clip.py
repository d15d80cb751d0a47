"""Clips as (frames, height, width) of 8-bit luma, made or read from YUV4MPEG2 (4:2:0), and how much two of them differ."""

import numpy as np

RATE = 25


def scene(frames, height, width, rng, shift=(1.5, 0.5)):
    """A smooth random pattern that drifts by `shift` pixels a frame, over a still gradient."""
    big = rng.normal(size=(height + 64, width + 64))
    reach = np.hypot(np.fft.fftfreq(big.shape[0])[:, None], np.fft.fftfreq(big.shape[1])[None])
    spectrum = np.fft.fft2(big) / (reach + 0.01) * np.exp(-((reach / 0.12) ** 2))
    turn_y, turn_x = np.fft.fftfreq(big.shape[0])[:, None], np.fft.fftfreq(big.shape[1])[None]
    out = np.empty((frames, height, width), dtype=np.uint8)
    tone = float(rng.uniform(70, 180))
    for at in range(frames):
        moved = np.fft.ifft2(spectrum * np.exp(-2j * np.pi * at * (turn_y * shift[1] + turn_x * shift[0]))).real
        moved = moved[:height, :width] / moved.std()
        out[at] = np.clip(tone + 28 * moved, 0, 255).round()
    return out


def write_y4m(path, frames):
    """Luma with grey chroma."""
    count, height, width = frames.shape
    grey = bytes([128]) * (2 * ((height + 1) // 2) * ((width + 1) // 2))
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for at in range(count):
            file.write(b"FRAME\n" + frames[at].tobytes() + grey)


def read_y4m(path):
    """The luma of a file that has it in 4:2:0."""
    data = path.read_bytes()
    head, _, rest = data.partition(b"\n")
    words = head.split()
    if words[0] != b"YUV4MPEG2" or not any(word.startswith(b"C420") for word in words):
        raise ValueError(f"{path.name} is no YUV4MPEG2 in 4:2:0")
    width, height = (int(next(word[1:] for word in words if word[:1] == name)) for name in (b"W", b"H"))
    size = len(b"FRAME\n") + width * height + 2 * ((height + 1) // 2) * ((width + 1) // 2)
    if len(rest) % size:
        raise ValueError(f"{path.name} ends within a frame")
    rows = np.frombuffer(rest, dtype=np.uint8).reshape(-1, size)
    return rows[:, 6 : 6 + width * height].reshape(-1, height, width)


def psnr(a, b):
    """Decibels; infinite where they are the same."""
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)
