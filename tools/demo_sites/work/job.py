"""The work of the demo's steps, with the standard library alone: any site's Python runs it.

job.py prepare ELEMENT PACE     an element's edges of a weighted graph, found by a walk of many steps
job.py train PACE               angles of a circuit that cuts the graph, and the circuit itself
"""

import cmath
import json
import math
import os
import random
import sys
import time
from pathlib import Path

QUBITS = 8
WALK = 20_000
GRID = 12  # angles tried in each direction
Edges = dict[tuple[int, int], int]


def prepare(element: int, pace_s: float) -> None:
    """Steps of a random walk between eight places; an edge weighs as much as it was walked. The same element walks the same way."""
    Path("edges.txt").write_text("".join(f"{a} {b} {weight}\n" for (a, b), weight in sorted(walked(element).items())))
    time.sleep(pace_s)


def walked(element: int) -> Edges:
    draw = random.Random(element)
    edges: Edges = {}
    here = draw.randrange(QUBITS)
    for _ in range(WALK):
        there = (here + draw.choice((1, 1, 2, 3))) % QUBITS
        edge = (min(here, there), max(here, there))
        edges[edge] = edges.get(edge, 0) + 1
        here = there
    return edges


def together(parts: list[Edges]) -> Edges:
    whole: Edges = {}
    for part in parts:
        for edge, weight in part.items():
            whole[edge] = whole.get(edge, 0) + weight
    return whole


def read(path: Path) -> Edges:
    rows = [[int(word) for word in line.split()] for line in path.read_text().splitlines()]
    return {(a, b): weight for a, b, weight in rows}


def cut(edges: Edges, bits: int) -> int:
    """The weight of the edges whose ends are on different sides."""
    return sum(weight for (a, b), weight in edges.items() if (bits >> a ^ bits >> b) & 1)


def expected(cuts: list[int], scale: float, gamma: float, beta: float) -> float:
    """The mean cut of one layer of the circuit: a state vector of 256 amplitudes."""
    size = 1 << QUBITS
    state = [cmath.exp(-1j * gamma * one * scale) / math.sqrt(size) for one in cuts]
    c, s = math.cos(beta), -1j * math.sin(beta)
    for qubit in range(QUBITS):
        bit = 1 << qubit
        for at in range(size):
            if not at & bit:
                low, high = state[at], state[at | bit]
                state[at], state[at | bit] = c * low + s * high, s * low + c * high
    return sum(abs(one) ** 2 * weight for one, weight in zip(state, cuts, strict=True))


def train(pace_s: float) -> None:
    edges = together([read(path) for path in sorted(Path("parts").glob("*/edges.txt"))])
    cuts = [cut(edges, bits) for bits in range(1 << QUBITS)]
    scale = 1.0 / max(edges.values())
    tried = [(g * math.pi / GRID, b * math.pi / 2 / GRID) for g in range(1, GRID) for b in range(1, GRID)]
    gamma, beta = max(tried, key=lambda one: expected(cuts, scale, *one))
    Path("circuit.qasm").write_text(circuit(edges, scale, gamma, beta))
    Path("graph.txt").write_text("".join(f"{a} {b} {weight}\n" for (a, b), weight in sorted(edges.items())))
    mean = expected(cuts, scale, gamma, beta)
    Path("model.json").write_text(json.dumps({"gamma": gamma, "beta": beta, "mean": mean, "best": max(cuts)}))
    time.sleep(pace_s)


def circuit(edges: Edges, scale: float, gamma: float, beta: float) -> str:
    """One layer of the quantum approximate optimisation algorithm, as OpenQASM 2."""
    out = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{QUBITS}];", f"creg c[{QUBITS}];", "h q;"]
    for (a, b), weight in sorted(edges.items()):
        out += [f"cx q[{a}], q[{b}];", f"rz({-gamma * weight * scale:.12f}) q[{b}];", f"cx q[{a}], q[{b}];"]
    return "\n".join([*out, f"rx({2 * beta:.12f}) q;", "measure q -> c;"]) + "\n"


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(int(os.environ["SUANWANG_ARRAY_INDEX"]), float(sys.argv[2]))
    else:
        train(float(sys.argv[2]))
