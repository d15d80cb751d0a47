"""The gates that a circuit may name without making them: how many parameters and qubits each takes.

`qelib1.inc` as Qiskit writes it (the file of the OpenQASM 2 paper, arXiv:1707.03429, with what came later), `stdgates.inc` as the
OpenQASM 3 specification has it. The words of both files are one table; each file has its part.
"""

from typing import Final, NamedTuple


class Shape(NamedTuple):
    params: int
    qubits: int


_ONE: Final = dict.fromkeys(("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx"), Shape(0, 1))
_TURNS: Final = dict.fromkeys(("rx", "ry", "rz", "p", "u1"), Shape(1, 1))
_TWO: Final = dict.fromkeys(("cx", "cy", "cz", "ch", "swap"), Shape(0, 2))
_TWO_TURNS: Final = dict.fromkeys(("crx", "cry", "crz", "cp"), Shape(1, 2))
_COMMON: Final = {
    **_ONE,
    **_TURNS,
    **_TWO,
    **_TWO_TURNS,
    "u2": Shape(2, 1),
    "u3": Shape(3, 1),
    "cu": Shape(4, 2),
    "ccx": Shape(0, 3),
    "cswap": Shape(0, 3),
}
QELIB1: Final[dict[str, Shape]] = {
    **_COMMON,
    "u0": Shape(1, 1),
    "u": Shape(3, 1),
    "sxdg": Shape(0, 1),
    "cu1": Shape(1, 2),
    "cu3": Shape(3, 2),
    "csx": Shape(0, 2),
    "rxx": Shape(1, 2),
    "rzz": Shape(1, 2),
    "rccx": Shape(0, 3),
    "rc3x": Shape(0, 4),
    "c3x": Shape(0, 4),
    "c3sqrtx": Shape(0, 4),
    "c4x": Shape(0, 5),
}
STDGATES: Final[dict[str, Shape]] = {
    **_COMMON,
    "phase": Shape(1, 1),
    "cphase": Shape(1, 2),
    "CX": Shape(0, 2),
}
BUILT_IN: Final[dict[int, dict[str, Shape]]] = {
    2: {"U": Shape(3, 1), "CX": Shape(0, 2)},
    3: {"U": Shape(3, 1), "gphase": Shape(1, 0)},
}
LIBRARIES: Final = {2: ("qelib1.inc", QELIB1), 3: ("stdgates.inc", STDGATES)}
# Other words for a gate; what is run knows one of each.
SAME: Final = {"phase": "p", "cphase": "cp", "CX": "cx", "u1": "p", "cu1": "cp", "u": "U", "u0": "id"}
