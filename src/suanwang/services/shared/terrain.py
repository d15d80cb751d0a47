"""Made landscapes."""

import numpy as np


def hills(side, rng, relief_m=800.0):
    """A height map (side, side) in metres with the power law of real relief, tilted to the south."""
    y, x = np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]
    reach = np.hypot(y, x)
    reach[0, 0] = 1
    waves = np.fft.fft2(rng.normal(size=(side, side))) / reach**1.9
    waves[0, 0] = 0
    rough = np.fft.ifft2(waves).real
    tilt = np.linspace(1, 0, side)[:, None] * 2
    height = rough / rough.std() + tilt
    return (height - height.min()) / np.ptp(height) * relief_m
