"""What a circuit has declared so far: registers, constants, gates; and how a statement names parts of them."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

from suanwang.qasm.circuit import Measure, Register
from suanwang.qasm.expand import Definition
from suanwang.qasm.gates import BUILT_IN, LIBRARIES
from suanwang.qasm.numbers import Number, Sums
from suanwang.qasm.tokens import Cursor, Kind, Token, WrongError

QUBITS_MAX: Final = 100_000  # of a pool's processor, and so of a circuit
BITS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """Qubits or bits by their numbers. `single`: one that is no register, so that nothing is broadcast over it."""

    numbers: tuple[int, ...]
    single: bool


@dataclass
class Scope:
    version: int
    names: MutableMapping[str, Number] = field(default_factory=dict)
    qubits: dict[str, Row] = field(default_factory=dict)
    bits: dict[str, Row] = field(default_factory=dict)
    gates: dict[str, Definition] = field(default_factory=dict)
    registers: list[Register] = field(default_factory=list)
    qubit_count: int = 0
    bit_count: int = 0
    included: bool = False

    def __post_init__(self) -> None:
        if not self.gates:
            self.gates |= {name: Definition(shape) for name, shape in BUILT_IN[self.version].items()}

    # Declaring ------------------------------------------------------------------------------------------------

    def new_name(self, token: Token) -> str:
        """The name, which nothing has yet."""
        name = token.text
        if name in self.gates or name in self.qubits or name in self.bits or name in self.names:
            raise WrongError("qasm_name_taken", token)
        return name

    def include(self, token: Token) -> None:
        known, gates = LIBRARIES[self.version]
        if token.text.strip("\"'") != known:
            raise WrongError("qasm_include", token, known=known)
        if self.included:
            return
        for name in gates:
            if name in self.gates and name not in BUILT_IN[self.version]:
                raise WrongError("qasm_name_taken", token, name)
        self.gates |= {name: Definition(shape) for name, shape in gates.items() if name not in self.gates}
        self.included = True

    def declare_qubits(self, token: Token, size: int | None) -> None:
        name, count = self.new_name(token), 1 if size is None else size
        fits(token, self.qubit_count + count, QUBITS_MAX)
        first = self.qubit_count
        self.qubit_count += count
        self.qubits[name] = Row(tuple(range(first, self.qubit_count)), size is None)

    def declare_bits(self, token: Token, size: int | None) -> Row:
        name, count = self.new_name(token), 1 if size is None else size
        fits(token, self.bit_count + count, BITS_MAX)
        first = self.bit_count
        self.bit_count += count
        self.registers.append(Register(name, count))
        row = self.bits[name] = Row(tuple(range(first, self.bit_count)), size is None)
        return row

    # Naming ---------------------------------------------------------------------------------------------------

    def sums(self, cursor: Cursor) -> Sums:
        return Sums(cursor, self.version, self.names)

    def qubit_row(self, cursor: Cursor) -> Row:
        """Qubits that a statement names: a register, or a part of one."""
        return self._row(cursor, self.qubits, "qasm_expected_qubit")

    def bit_row(self, cursor: Cursor) -> Row:
        return self._row(cursor, self.bits, "qasm_expected_bit")

    def _row(self, cursor: Cursor, known: dict[str, Row], expected: str) -> Row:
        if cursor.next.kind is not Kind.NAME:
            raise cursor.unexpected(expected)
        token = cursor.take()
        row = known.get(token.text)
        if row is None:
            raise self._unknown(token, expected)
        while cursor.takes("["):
            if row.single:
                raise WrongError("qasm_index", token, f"{token.text}[…]", size=1)
            row = self._part(cursor, token, row)
            cursor.sign("]")
        cursor.spend(len(row.numbers))
        return row

    def _unknown(self, token: Token, expected: str) -> WrongError:
        if token.text.startswith("$"):
            return WrongError("qasm_no_physical_qubits", token)
        taken = token.text in self.gates or token.text in self.qubits or token.text in self.bits
        return WrongError(expected if taken else "qasm_unknown_name", token)

    def _part(self, cursor: Cursor, token: Token, row: Row) -> Row:
        """What stands in the brackets: a number, and in version 3 a range or a set of them."""
        sums = self.sums(cursor)
        if self.version == 3 and cursor.takes("{"):
            chosen = [self._at(token, row, sums.whole())]
            while cursor.takes(","):
                chosen.append(self._at(token, row, sums.whole()))
                fits(token, len(chosen), QUBITS_MAX)
            cursor.sign("}")
            return Row(tuple(chosen), single=False)
        first = None if cursor.sees(":") else sums.whole()
        if not cursor.sees(":") or self.version == 2:
            assert first is not None or self.version == 2, "no colon means a number"
            if first is None:
                raise cursor.unexpected("qasm_expected_number")
            return Row((self._at(token, row, first),), single=True)
        numbers = self.span(cursor, first, len(row.numbers))
        for end in (*numbers[:1], *numbers[-1:]):  # both inside: no part is longer than its register
            if not 0 <= end < len(row.numbers):
                raise WrongError("qasm_index", token, f"{token.text}[{end}]", size=len(row.numbers))
        cursor.spend(len(numbers))
        return Row(tuple(row.numbers[number] for number in numbers), single=False)

    def span(self, cursor: Cursor, first: int | None, size: int) -> range:
        """`a:b` or `a:step:b`, both ends included, from the colon on. `size`: of the register, for what is left out."""
        sums = self.sums(cursor)
        colon = cursor.sign(":")
        last = size - 1 if cursor.sees("]") else sums.whole()
        step = 1
        if cursor.takes(":"):
            step, last = last, size - 1 if cursor.sees("]") else sums.whole()
        if step == 0:
            raise WrongError("qasm_number", colon, "0")
        begin = 0 if first is None else first
        if size:
            begin, last = begin + size * (begin < 0), last + size * (last < 0)
        return range(begin, last + (1 if step > 0 else -1), step)

    def _at(self, token: Token, row: Row, index: int) -> int:
        size = len(row.numbers)
        least = -size if self.version == 3 else 0
        if not least <= index < size:
            raise WrongError("qasm_index", token, f"{token.text}[{index}]", size=size)
        return row.numbers[index]


def fits(token: Token, count: int, limit: int) -> None:
    if count > limit:
        raise WrongError("qasm_too_wide", token, str(count), limit=limit)


def broadcast(cursor: Cursor, token: Token, rows: list[Row]) -> list[tuple[int, ...]]:
    """The qubits of each application: registers of one size side by side, a single qubit with each of them."""
    sizes = {len(row.numbers) for row in rows if not row.single}
    if len(sizes) > 1:
        raise WrongError("qasm_sizes", token, sizes=", ".join(str(one) for one in sorted(sizes)))
    if not sizes:
        return [tuple(row.numbers[0] for row in rows)]
    cursor.spend(max(sizes) * len(rows))
    columns = [repeat(row.numbers[0]) if row.single else row.numbers for row in rows]
    return list(zip(*columns, strict=False))


def pairs(token: Token, qubits: Row, bits: Row) -> list[Measure]:
    if len(qubits.numbers) != len(bits.numbers):
        raise WrongError("qasm_sizes", token, sizes=f"{len(qubits.numbers)}, {len(bits.numbers)}")
    return [Measure(qubit, bit) for qubit, bit in zip(qubits.numbers, bits.numbers, strict=True)]
