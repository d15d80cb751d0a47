"""A circuit as it is run: every loop unrolled, every gate of the user's own taken apart, every number worked out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of the library. The first of `qubits` are its controls, each with the value that it waits for; `power` is
    applied before the controls (-1: the inverse). Parameters in radians."""

    name: str
    params: tuple[float, ...]
    qubits: tuple[int, ...]
    controls: tuple[bool, ...] = ()
    power: float = 1.0


@dataclass(frozen=True, slots=True)
class Measure:
    qubit: int
    bit: int


@dataclass(frozen=True, slots=True)
class Reset:
    qubit: int


@dataclass(frozen=True, slots=True)
class Barrier:
    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class If:
    """`then` where the bits, the first the lowest, read `value`; `otherwise` where they do not."""

    bits: tuple[int, ...]
    value: int
    then: tuple["Operation", ...]
    otherwise: tuple["Operation", ...] = ()


Operation = Gate | Measure | Reset | Barrier | If


@dataclass(frozen=True, slots=True)
class Register:
    """A named row of classical bits; its bits are numbered on from those of the registers before it."""

    name: str
    size: int


@dataclass(frozen=True)
class Circuit:
    """`version` is that of OpenQASM, 2 or 3."""

    version: int
    qubits: int
    registers: tuple[Register, ...]
    operations: tuple[Operation, ...] = field(repr=False)

    @property
    def bits(self) -> int:
        return sum(one.size for one in self.registers)

    def facts(self) -> "Facts":
        """What there is to know of it before it is run."""
        flat = list(_flat(self.operations))
        gates = Counter(_shown(one) for one in flat if isinstance(one, Gate))
        wide = sum(isinstance(one, Gate) and len(one.qubits) > 1 for one in flat)
        measured = {one.bit for one in flat if isinstance(one, Measure)}
        return Facts(
            version=self.version,
            qubits=self.qubits,
            bits=self.bits,
            measured=len(measured),
            gates=dict(sorted(gates.items(), key=lambda one: (-one[1], one[0]))),
            wide_gates=wide,
            depth=_depth(self.operations),
            conditional=any(isinstance(one, If) for one in self.operations),
        )


@dataclass(frozen=True)
class Facts:
    """`wide_gates` act on two qubits or more. `depth`: the longest row of gates, measurements and resets of which each
    waits for the one before it."""

    version: int
    qubits: int
    bits: int
    measured: int
    gates: dict[str, int]
    wide_gates: int
    depth: int
    conditional: bool

    @property
    def size(self) -> int:
        """Gates in all; of a branch, both sides."""
        return sum(self.gates.values())


def _flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    for one in operations:
        yield one
        if isinstance(one, If):
            yield from _flat(one.then)
            yield from _flat(one.otherwise)


def _shown(gate: Gate) -> str:
    return "c" * len(gate.controls) + gate.name if gate.controls else gate.name


def _depth(operations: Iterable[Operation]) -> int:
    levels: dict[tuple[str, int], int] = {}
    _deepen(operations, levels, None)
    return max(levels.values(), default=0)


def _deepen(operations: Iterable[Operation], levels: dict[tuple[str, int], int], floor: int | None) -> int | None:
    """`floor`: in a branch, the level of the bits that it waits for, of which there may be many; each operation in it waits
    for them, and lifts them. Back: where they are then."""
    for one in operations:
        wires: list[tuple[str, int]] = []
        match one:
            case If():
                bits = [("bit", bit) for bit in one.bits]
                inner = max((levels.get(bit, 0) for bit in bits), default=0)
                inner = _deepen(one.then, levels, max(inner, floor or 0)) or 0
                inner = _deepen(one.otherwise, levels, inner) or 0
                levels.update(dict.fromkeys(bits, inner))
                floor = None if floor is None else inner
                continue
            case Gate() | Barrier():
                wires = [("qubit", qubit) for qubit in one.qubits]
            case Measure():
                wires = [("qubit", one.qubit), ("bit", one.bit)]
            case Reset():
                wires = [("qubit", one.qubit)]
        level = max((levels.get(wire, 0) for wire in wires), default=0)
        level = max(level, floor or 0) + (not isinstance(one, Barrier))
        levels.update(dict.fromkeys(wires, level))
        floor = None if floor is None else level
    return floor
