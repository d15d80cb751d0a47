"""The ground state of the hydrogen molecule by a loop of two halves: a classical one here, a quantum one on the grid.

    suanwang serve &                      # or the address of a brain in SUANWANG_URL, and a key in SUANWANG_KEY
    python examples/hybrid-vqe/vqe.py [--shots 20000] [--sweeps 2]

The molecule at 0.735 angstrom in the STO-3G basis, in parity form with two qubits taken off, is five Pauli terms (O'Malley et
al., Phys. Rev. X 6, 031007, 2016). The state has one angle. The energy is a sine of it, so three angles show the whole curve and
its lowest point (Nakanishi, Fujii and Todo, Phys. Rev. Research 2, 043158, 2020); each sweep measures anew around the last one.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence

from suanwang import Client
from suanwang.intent.circuits import circuit_task

# Hartree. II, ZI and IZ on qubits 0 and 1, ZZ, XX.
CONSTANT, Z0, Z1, ZZ, XX = (
    -1.052373245772859,
    0.39793742484318045,
    -0.39793742484318045,
    -0.01128010425623538,
    0.18093119978423156,
)
WAIT_S = 120.0

Counts = Mapping[str, int]


def circuit(theta: float, basis: str) -> str:
    """The state of an angle, measured in the basis of Z or of X."""
    turn = "h q;" if basis == "x" else ""
    return (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\n'
        f"x q[0];\nry({theta!r}) q[1];\ncx q[1], q[0];\n{turn}\nc = measure q;\n"
    )


def measured(client: Client, circuits: Sequence[str], shots: int, seed: int) -> list[Counts]:
    """The counts of each circuit, one after the other."""
    found = []
    for number, text in enumerate(circuits):
        request, _ = circuit_task(text, "vqe", name="vqe", shots=shots, seed=seed + number, wall_time="1 min")
        task = client.submit(request)
        done = client.wait(task.task_id, timeout_s=WAIT_S)
        if done.phase != "succeeded":
            raise SystemExit(f"{task.task_id}: {done.phase} {done.reason or ''} {done.detail}")
        found.append(json.loads(b"".join(client.outputs.read(done, "counts.json")))["counts"])
    return found


def mean(counts: Counts, *qubits: int) -> float:
    """The mean of the product of qubits' values, 1 for a measured 0 and -1 for a 1. Qubit 0 is the last digit."""
    values = (count * math.prod(1 - 2 * int(bits[-1 - qubit]) for qubit in qubits) for bits, count in counts.items())
    return sum(values) / sum(counts.values())


def energies(client: Client, angles: Sequence[float], shots: int, seed: int) -> list[float]:
    """Hartree at each angle."""
    found = measured(client, [circuit(angle, basis) for angle in angles for basis in "zx"], shots, seed)
    out = []
    for z, x in zip(found[::2], found[1::2], strict=True):
        out.append(CONSTANT + Z0 * mean(z, 0) + Z1 * mean(z, 1) + ZZ * mean(z, 0, 1) + XX * mean(x, 0, 1))
    return out


def lowest(middle: float, values: Sequence[float]) -> tuple[float, float]:
    """The angle and the energy at the lowest point of the sine through three points: a quarter turn before, at, and behind."""
    before, at, behind = values
    offset = (before + behind) / 2
    cosine, sine = at - offset, (behind - before) / 2
    return middle + math.atan2(-sine, -cosine), offset - math.hypot(cosine, sine)


def exact() -> float:
    """The lowest eigenvalue of the Hamiltonian, on the two states that the circuit can make."""
    first = CONSTANT - Z0 + Z1 - ZZ  # |01>: qubit 0 is 1
    second = CONSTANT + Z0 - Z1 - ZZ  # |10>
    return (first + second) / 2 - math.hypot((first - second) / 2, XX)


def solve(client: Client, shots: int, sweeps: int, seed: int) -> tuple[float, float]:
    """The angle and the energy that the loop comes to."""
    angle, energy = 0.0, 0.0
    for sweep in range(sweeps):
        values = energies(client, [angle - math.pi / 2, angle, angle + math.pi / 2], shots, seed + 100 * sweep)
        angle, energy = lowest(angle, values)
        print(
            f"sweep {sweep + 1}: angle {angle:+.4f}, energy {energy:.5f} hartree, {energy - exact():+.5f} from the exact one"
        )
    return angle, energy


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, default=20_000)
    parser.add_argument("--sweeps", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with Client() as client:
        solve(client, asked.shots, asked.sweeps, asked.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
