"""Search a radio telescope's filterbank for pulsars: dedisperse at many trial measures, look for periods, fold.

The input is 8-bit power, 64 frequency channels by time, at 1 ms. Into it the job injects one weak pulsar with the
period and dispersion of Vela, as surveys do to learn what they would miss, and searches both the plain and the
injected data blind: the injected one must be found, the plain one gives the false alarm.
Writes out/candidates.csv, out/profile.csv and out/report.json.
"""

import argparse
import csv
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

CHANNELS = 64
SAMPLE_S = 1e-3
LOW_GHZ, HIGH_GHZ = 1.05, 1.45  # an L-band receiver
DISPERSION_S = 4.148808e-3  # s GHz2 per pc/cm3
VELA_PERIOD_S, VELA_DM = 0.08933, 67.97
PULSE_S = 0.004
HARMONICS = (1, 2, 4, 8)
PERIOD_MIN_S, PERIOD_MAX_S = 0.02, 0.5


class Candidate(NamedTuple):
    """A possible pulsar; `sigma` is the significance of the folded profile's best window."""

    sigma: float
    period_s: float
    dm: float
    spectral_score: float


def frequencies_ghz() -> np.ndarray:
    """The centre of each channel, highest first."""
    edge = np.linspace(HIGH_GHZ, LOW_GHZ, CHANNELS + 1)
    return (edge[1:] + edge[:-1]) / 2


def delays_s(dm: float) -> np.ndarray:
    """How much later than the highest channel a pulse arrives in each."""
    f = frequencies_ghz()
    return DISPERSION_S * dm * (f**-2 - f[0] ** -2)


def read_filterbank(path: Path) -> np.ndarray:
    """Power (channel, time), each channel with mean 0 and spread 1; dead channels are zero."""
    raw = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    power = raw[: len(raw) // CHANNELS * CHANNELS].reshape(-1, CHANNELS).T.astype(float)
    if power.shape[1] < 1024:
        raise SystemExit(f"{path} holds {power.shape[1]} samples; a search needs 1024 (64 KiB)")
    power -= power.mean(axis=1, keepdims=True)
    spread = power.std(axis=1, keepdims=True)
    return np.divide(power, spread, out=np.zeros_like(power), where=spread > 0)


def inject(power: np.ndarray, amplitude: float) -> np.ndarray:
    """The data with a train of Gaussian pulses added, `amplitude` noise spreads high in each channel."""
    time = np.arange(power.shape[1]) * SAMPLE_S
    phase = (time[None, :] - delays_s(VELA_DM)[:, None] - 0.3 * VELA_PERIOD_S) / VELA_PERIOD_S
    off = (phase - np.round(phase)) * VELA_PERIOD_S
    return power + amplitude * np.exp(-0.5 * (off / (PULSE_S / 2.355)) ** 2)


def dedisperse(power: np.ndarray, dm: float) -> np.ndarray:
    """The sum of the channels, each shifted back by its delay, with spread 1."""
    shifts = np.round(delays_s(dm) / SAMPLE_S).astype(int)
    usable = power.shape[1] - int(shifts.max())
    series = np.sum([power[i, shift : shift + usable] for i, shift in enumerate(shifts)], axis=0)
    return (series - series.mean()) / series.std()


def best_period(series: np.ndarray, padded: int) -> tuple[float, float]:
    """The fundamental with the highest harmonic sum, and its score in spreads of the same sum over the band."""
    spectrum = np.abs(np.fft.rfft(series, padded)) ** 2 / len(series)
    bins = np.arange(int(padded * SAMPLE_S / PERIOD_MAX_S), int(padded * SAMPLE_S / PERIOD_MIN_S))
    best, score, total = 0.0, -np.inf, np.zeros(len(bins))
    for harmonic in range(1, HARMONICS[-1] + 1):
        total = total + spectrum[np.minimum(bins * harmonic, len(spectrum) - 1)]
        if harmonic in HARMONICS:
            # A sum of k exponential powers has mean k and variance k.
            scores = (total - harmonic) / np.sqrt(harmonic)
            if scores.max() > score:
                best, score = padded * SAMPLE_S / bins[scores.argmax()], float(scores.max())
    return best, score


def fold(series: np.ndarray, period_s: float, bins: int = 32) -> tuple[np.ndarray, float]:
    """The mean profile and the significance of its best window of three bins."""
    phase = np.arange(len(series)) * SAMPLE_S / period_s % 1.0
    place = (phase * bins).astype(int) % bins
    count = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=series, minlength=bins)
    window = np.roll(sums, 1) + sums + np.roll(sums, -1)
    covered = np.roll(count, 1) + count + np.roll(count, -1)
    return sums / np.maximum(count, 1), float((window / np.sqrt(np.maximum(covered, 1))).max())


def search(power: np.ndarray, dms: np.ndarray, progress: tuple[int, int]) -> list[Candidate]:
    """One candidate a dispersion measure, best first, each period refined by folding."""
    padded = 1 << int(np.ceil(np.log2(power.shape[1]))) + 3
    out = []
    for number, dm in enumerate(dms):
        series = dedisperse(power, float(dm))
        period, score = best_period(series, padded)
        # Over the whole span a period error of one part in the number of turns smears the pulse by one turn.
        near = period * (1 + np.linspace(-0.5, 0.5, 41) * period / (len(series) * SAMPLE_S))
        folds = [fold(series, trial)[1] for trial in near]
        out.append(Candidate(round(max(folds), 2), float(near[int(np.argmax(folds))]), float(dm), round(score, 2)))
        tell_progress(progress[0] + (progress[1] - progress[0]) * (number + 1) // len(dms))
    return sorted(out, reverse=True)


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Search one file; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/filterbank.bin"))
    parser.add_argument("--amplitude", type=float, default=0.25, help="of the injected pulses, in noise spreads")
    parser.add_argument("--dm-max", type=float, default=150.0)
    parser.add_argument("--dm-step", type=float, default=1.5)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    power = read_filterbank(args.data)
    dms = np.arange(0.0, args.dm_max + 1e-9, args.dm_step)
    plain = search(power, dms, (0, 500))
    found = search(inject(power, args.amplitude), dms, (500, 1000))
    best = found[0]
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "candidates.csv").open("w", newline="") as file:
        csv.writer(file).writerows([Candidate._fields, *found[:20]])
    profile, _ = fold(dedisperse(inject(power, args.amplitude), best.dm), best.period_s)
    with (args.out / "profile.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("phase_bin", "power"), *enumerate(np.round(profile, 4))])
    report = {
        "seconds_of_data": round(power.shape[1] * SAMPLE_S, 3),
        "trials": len(dms),
        "found_dm": best.dm,
        "true_dm": VELA_DM,
        "found_period_s": round(best.period_s, 6),
        "true_period_s": VELA_PERIOD_S,
        "sigma": best.sigma,
        "false_alarm_sigma": plain[0].sigma,
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
