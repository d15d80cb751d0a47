"""Services that are a circuit: its text from the parameters, and the figures of the counts that came back."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from suanwang.model.service import Scalar

HEAD: Final = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
Values = Mapping[str, Scalar]
Counts = Mapping[str, int]  # a row of bits, the last bit of the register first -> how often it came


class Maker(NamedTuple):
    text: Callable[[Values], str]
    figures: Callable[[Values, Counts], dict[str, Any]]

    def options(self, values: Values) -> dict[str, Any]:
        """The rest of `run`: the seed, and an exact device where no noise is asked for."""
        return {"seed": values["seed"]} | ({} if values["noise"] == "device" else {"noise": {}})


def _share(counts: Counts, *rows: str) -> float:
    return round(sum(counts.get(row, 0) for row in rows) / sum(counts.values()), 6)


def _ghz(values: Values) -> str:
    n = int(values["qubits"])
    chain = "".join(f"cx q[{at}],q[{at + 1}];\n" for at in range(n - 1))
    return f"{HEAD}qreg q[{n}];\ncreg c[{n}];\nh q[0];\n{chain}measure q -> c;\n"


def _ghz_figures(values: Values, counts: Counts) -> dict[str, Any]:
    """How much of the state is where it belongs, and how even its two halves are, in standard errors."""
    n, shots = int(values["qubits"]), sum(counts.values())
    zeros, ones = counts.get("0" * n, 0), counts.get("1" * n, 0)
    off = abs(zeros - ones) / math.sqrt(max(1, zeros + ones))
    return {"shots": shots, "both_share": _share(counts, "0" * n, "1" * n), "halves_apart_sigma": round(off, 3)}


def _bernstein(values: Values) -> str:
    """Bernstein and Vazirani: one call of the oracle tells a hidden row of bits."""
    n = int(values["qubits"])
    hidden = int(values["hidden"]) % 2**n
    each = "".join(f"h q[{at}];\n" for at in range(n))
    oracle = "".join(f"cx q[{at}],q[{n}];\n" for at in range(n) if hidden >> at & 1)
    measured = "".join(f"measure q[{at}] -> c[{at}];\n" for at in range(n))
    return f"{HEAD}qreg q[{n + 1}];\ncreg c[{n}];\nx q[{n}];\nh q[{n}];\n{each}{oracle}{each}{measured}"


def _bernstein_figures(values: Values, counts: Counts) -> dict[str, Any]:
    n = int(values["qubits"])
    hidden = int(values["hidden"]) % 2**n
    return {"found": int(max(counts, key=lambda row: counts[row]), 2), "share": _share(counts, f"{hidden:0{n}b}")}


# One layer on a ring: these angles are the best there are, and cut three edges of four on average.
QAOA_GAMMA, QAOA_BETA = math.pi / 4, math.pi / 8


def _ring_cut(values: Values) -> str:
    """QAOA with one layer for the greatest cut of a ring (Farhi, Goldstone and Gutmann, 2014)."""
    n = int(values["nodes"])
    start = "".join(f"h q[{at}];\n" for at in range(n))
    pairs = [(at, (at + 1) % n) for at in range(n)]
    cost = "".join(f"cx q[{a}],q[{b}];\nrz({-QAOA_GAMMA}) q[{b}];\ncx q[{a}],q[{b}];\n" for a, b in pairs)
    mixer = "".join(f"rx({2 * QAOA_BETA}) q[{at}];\n" for at in range(n))
    return f"{HEAD}qreg q[{n}];\ncreg c[{n}];\n{start}{cost}{mixer}measure q -> c;\n"


def _ring_cut_figures(values: Values, counts: Counts) -> dict[str, Any]:
    n, shots = int(values["nodes"]), sum(counts.values())
    cuts = {row: sum(row[at] != row[(at + 1) % n] for at in range(n)) for row in counts}
    mean = sum(cuts[row] * count for row, count in counts.items()) / shots
    return {"shots": shots, "cut_mean_share": round(mean / n, 5), "cut_best": max(cuts.values())}


CIRCUITS: Final[Mapping[str, Maker]] = {
    "ghz": Maker(_ghz, _ghz_figures),
    "bernstein-vazirani": Maker(_bernstein, _bernstein_figures),
    "ring-cut": Maker(_ring_cut, _ring_cut_figures),
}
