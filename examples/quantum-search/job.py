"""Find one marked state among 2^n with Grover's search, on an exact state-vector simulator of n qubits.

The circuit is built of gates (H, X, multi-controlled Z), applied one by one to the state; shots are drawn from
the final probabilities. The chance of success has a closed form, sin^2((2k+1) asin(2^(-n/2))), which the counts
are held against. A Bell pair is run first as the smoke test of the machine (its CHSH value must pass 2).
Writes out/counts.csv and out/report.json.
"""

import argparse
import csv
import json
import math
import os
from pathlib import Path

import numpy as np

HADAMARD = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
PAULI_X = np.array([[0, 1], [1, 0]])
CHSH_BOUND = 2.0 * math.sqrt(2.0)  # Tsirelson


def zero_state(qubits: int) -> np.ndarray:
    """|00...0>, as an array with one axis of two a qubit."""
    state = np.zeros((2,) * qubits, dtype=complex)
    state[(0,) * qubits] = 1.0
    return state


def apply_gate(state: np.ndarray, gate: np.ndarray, qubit: int) -> np.ndarray:
    """One single-qubit gate."""
    return np.moveaxis(np.tensordot(gate, state, axes=(1, qubit)), 0, qubit)


def apply_cnot(state: np.ndarray, control: int, target: int) -> np.ndarray:
    """Flip the target where the control is 1."""
    out = state.copy()
    ones: list[slice | int] = [slice(None)] * state.ndim
    ones[control] = 1
    axis = target - (target > control)
    out[tuple(ones)] = np.flip(state[tuple(ones)], axis)
    return out


def apply_all_ones_phase(state: np.ndarray) -> np.ndarray:
    """The multi-controlled Z on all qubits: minus one on |11...1>."""
    out = state.copy()
    out[(1,) * state.ndim] *= -1.0
    return out


def on_each(state: np.ndarray, gate: np.ndarray, qubits: list[int]) -> np.ndarray:
    """The same gate on each of some qubits."""
    for qubit in qubits:
        state = apply_gate(state, gate, qubit)
    return state


def grover(qubits: int, marked: int, rounds: int) -> tuple[np.ndarray, int]:
    """The state after the search and how many gates it took."""
    every = list(range(qubits))
    zeros = [q for q in every if not marked >> (qubits - 1 - q) & 1]
    state = on_each(zero_state(qubits), HADAMARD, every)
    gates = qubits
    for number in range(rounds):
        # The oracle: turn the marked state into all ones, flip its sign, turn back.
        state = on_each(apply_all_ones_phase(on_each(state, PAULI_X, zeros)), PAULI_X, zeros)
        # The mirror about the mean.
        state = on_each(on_each(state, HADAMARD, every), PAULI_X, every)
        state = apply_all_ones_phase(state)
        state = on_each(on_each(state, PAULI_X, every), HADAMARD, every)
        gates += 2 * len(zeros) + 4 * qubits + 2
        tell_progress(100 + 850 * (number + 1) // rounds)
    return state, gates


def sample(state: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Measured basis states of each shot, as integers."""
    probability = np.abs(state.reshape(-1)) ** 2
    return rng.choice(len(probability), size=shots, p=probability / probability.sum())


def chsh(shots: int, rng: np.random.Generator) -> float:
    """The CHSH value of a Bell pair from four settings of the two analysers."""
    pair = apply_cnot(apply_gate(zero_state(2), HADAMARD, 0), 0, 1)
    value = 0.0
    for a, b, sign in ((0, 1, 1), (0, 3, -1), (2, 1, 1), (2, 3, 1)):
        turned = pair
        for qubit, eighth in ((0, a), (1, b)):
            half = eighth * math.pi / 8
            turn = np.array([[math.cos(half), math.sin(half)], [-math.sin(half), math.cos(half)]])
            turned = apply_gate(turned, turn, qubit)
        bits = sample(turned, shots, rng)
        value += sign * float(np.mean(1 - 2 * ((bits >> 1) ^ (bits & 1))))
    return value


def tell_progress(permille: int) -> None:
    """How far the job is, in thousandths, where the grid asks for it."""
    if path := os.environ.get("SUANWANG_PROGRESS"):
        Path(path).write_text(str(permille))


def main(argv: list[str] | None = None) -> dict[str, object]:
    """Run both circuits; returns what is written to out/report.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qubits", type=int, default=12)
    parser.add_argument("--shots", type=int, default=4096)
    parser.add_argument("--marked", type=int, default=2026)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("out"))
    args = parser.parse_args(argv)
    rng = np.random.default_rng(args.seed)
    bell = chsh(args.shots, rng)
    angle = math.asin(2 ** (-args.qubits / 2))
    rounds = math.floor(math.pi / (4 * angle))
    state, gates = grover(args.qubits, args.marked % 2**args.qubits, rounds)
    shots = sample(state, args.shots, rng)
    values, counts = np.unique(shots, return_counts=True)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / "counts.csv").open("w", newline="") as file:
        rows = sorted(zip(counts.tolist(), values.tolist(), strict=True), reverse=True)
        csv.writer(file).writerows([("state", "count"), *((f"{v:0{args.qubits}b}", c) for c, v in rows)])
    expected = math.sin((2 * rounds + 1) * angle) ** 2
    report = {
        "qubits": args.qubits,
        "gates": gates,
        "rounds": rounds,
        "shots": args.shots,
        "found": int(values[counts.argmax()]),
        "success_share": round(float(np.mean(shots == args.marked % 2**args.qubits)), 5),
        "success_expected": round(expected, 5),
        "norm_error": float(f"{abs(float(np.sum(np.abs(state) ** 2)) - 1):.3g}"),
        "chsh": round(bell, 3),
        "chsh_bound": round(CHSH_BOUND, 3),
    }
    (args.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    tell_progress(1000)
    print(json.dumps(report))
    return report


if __name__ == "__main__":
    main()
