"""The statements of a circuit, one method each."""

from typing import Final

from suanwang.qasm.circuit import Barrier, If, Operation, Reset
from suanwang.qasm.definitions import Definitions
from suanwang.qasm.expand import OPERATIONS_MAX, finished, too_many
from suanwang.qasm.gates import LIBRARIES
from suanwang.qasm.numbers import MAGNITUDE_MAX
from suanwang.qasm.scope import QUBITS_MAX, Row, Scope, fits, pairs
from suanwang.qasm.tokens import Cursor, Kind, Token, WrongError

DEPTH_MAX: Final = 20  # of blocks in blocks
# The first word of what is refused -> the code of the text that says why.
REFUSED: Final[dict[int, dict[str, str]]] = {
    2: {"opaque": "qasm_no_opaque"},
    3: {
        **dict.fromkeys(("int", "uint", "float", "angle", "bool", "complex", "array"), "qasm_no_variables"),
        **dict.fromkeys(("def", "return", "extern"), "qasm_no_subroutines"),
        **dict.fromkeys(("input", "output"), "qasm_no_inputs"),
        **dict.fromkeys(("defcal", "cal", "defcalgrammar"), "qasm_no_calibrations"),
        **dict.fromkeys(("delay", "box", "duration", "stretch"), "qasm_no_timing"),
        **dict.fromkeys(("while", "break", "continue", "end", "switch"), "qasm_no_open_loops"),
        "pragma": "qasm_no_pragmas",
        "opaque": "qasm_no_opaque",
    },
}


class Statements(Definitions):
    """Reads from the cursor to the end."""

    def __init__(self, cursor: Cursor) -> None:
        super().__init__(cursor)
        self._depth = 0
        self._count = 0

    def read(self) -> None:
        self._guarded(self._version)
        while self.cursor.next.kind is not Kind.END and not self._over:
            self._guarded(lambda: self._statement(self.operations))
            if self.cursor.sees("}"):
                self._guarded(self._stray)

    def _stray(self) -> None:
        raise WrongError("qasm_expected_statement", self.cursor.take())

    def _version(self) -> None:
        cursor = self.cursor
        if not cursor.sees("OPENQASM"):
            words = {cursor.peek(ahead).text for ahead in range(200)}
            self.scope = Scope(2 if "qreg" in words and "qubit" not in words else 3)
            self._keep(WrongError("qasm_version", cursor.next))
            return
        cursor.take()
        token = cursor.take()
        major = {"2": 2, "2.0": 2, "3": 3, "3.0": 3, "3.1": 3}.get(token.text)
        if major is None:
            raise WrongError("qasm_version", token)
        self.scope = Scope(major)
        cursor.sign(";")

    # One statement --------------------------------------------------------------------------------------------

    def _statement(self, out: list[Operation]) -> None:
        cursor, token = self.cursor, self.cursor.next
        if token.kind is Kind.SIGN and token.text in ("@", "#"):
            raise WrongError("qasm_no_pragmas", token)
        if token.kind is not Kind.NAME:
            raise cursor.unexpected("qasm_expected_statement")
        refused = REFUSED[self.scope.version].get(token.text)
        if refused is not None:
            raise WrongError(refused, token)
        if token.text == "if":
            self._if(out)
        elif token.text == "for" and self.scope.version == 3:
            self._for(out)
        elif not self._declares(token):
            self._operates(token, out)
        if len(out) + self._count > OPERATIONS_MAX:
            raise too_many(token)

    def _declares(self, token: Token) -> bool:
        """Read a declaration where it is one. They stand outside of blocks."""
        old = {"qreg": self._qreg, "creg": self._creg, "include": self._include, "gate": self._gate}
        new = {"qubit": self._qubit, "bit": self._bit, "const": self._const, "let": self._let}
        known = old if self.scope.version == 2 else {**old, **new}
        read = known.get(token.text)
        if read is None:
            return False
        if self._depth:
            raise WrongError("qasm_no_inner_declarations", token)
        self.cursor.take()
        read()
        return True

    def _operates(self, token: Token, out: list[Operation]) -> None:
        cursor = self.cursor
        if token.text == "measure":
            cursor.take()
            self._measure(out)
        elif token.text == "reset":
            cursor.take()
            row = self.scope.qubit_row(cursor)
            cursor.sign(";")
            out += [Reset(qubit) for qubit in row.numbers]
        elif token.text == "barrier":
            cursor.take()
            out.append(Barrier(self._barrier()))
        elif self.scope.version == 3 and token.text in self.scope.bits:
            self._assign(out)
        else:
            out += finished(self._calls())

    # Declarations ---------------------------------------------------------------------------------------------

    def _size(self) -> int:
        """A size in brackets."""
        self.cursor.sign("[")
        token = self.cursor.next
        size = self.scope.sums(self.cursor).whole()
        if size < 1:
            raise WrongError("qasm_size", token, str(size))
        self.cursor.sign("]")
        return size

    def _qreg(self) -> None:
        name = self.cursor.name()
        self.scope.declare_qubits(name, self._size() if self.cursor.sees("[") else None)
        self.cursor.sign(";")

    def _creg(self) -> None:
        name = self.cursor.name()
        self.scope.declare_bits(name, self._size() if self.cursor.sees("[") else None)
        self.cursor.sign(";")

    def _qubit(self) -> None:
        size = self._size() if self.cursor.sees("[") else None
        self.scope.declare_qubits(self.cursor.name(), size)
        self.cursor.sign(";")

    def _bit(self) -> None:
        size = self._size() if self.cursor.sees("[") else None
        row = self.scope.declare_bits(self.cursor.name(), size)
        if self.cursor.takes("="):
            if not self.cursor.takes("measure"):
                raise WrongError("qasm_no_assignments", self.cursor.next)
            self._measured(row, self.operations)
        self.cursor.sign(";")

    def _include(self) -> None:
        token = self.cursor.next
        if token.kind is not Kind.TEXT:
            raise self.cursor.unexpected("qasm_syntax", f'"{LIBRARIES[self.scope.version][0]}"')
        self.cursor.take()
        self.scope.include(token)
        self.cursor.sign(";")

    def _const(self) -> None:
        if not self.cursor.takes("int", "uint", "float", "angle"):
            raise self.cursor.unexpected("qasm_syntax", "`int`, `uint`, `float`, `angle`")
        whole = self.cursor.peek(-1).text in ("int", "uint")
        if self.cursor.sees("["):
            self._size()
        name = self.scope.new_name(self.cursor.name())
        self.cursor.sign("=")
        sums = self.scope.sums(self.cursor)
        self.scope.names[name] = sums.whole() if whole else float(sums.number())
        self.cursor.sign(";")

    def _let(self) -> None:
        name = self.cursor.name()
        self.scope.new_name(name)
        self.cursor.sign("=")
        row = self.scope.qubit_row(self.cursor)
        if self.cursor.sees("++"):
            numbers = list(row.numbers)
            while self.cursor.takes("++"):
                numbers += self.scope.qubit_row(self.cursor).numbers
                fits(name, len(numbers), QUBITS_MAX)
            row = Row(tuple(numbers), single=False)
        self.cursor.sign(";")
        self.scope.qubits[name.text] = row

    # Measuring ------------------------------------------------------------------------------------------------

    def _measure(self, out: list[Operation]) -> None:
        token = self.cursor.peek(-1)
        qubits = self.scope.qubit_row(self.cursor)
        if self.scope.version == 3 and self.cursor.sees(";"):
            raise WrongError("qasm_no_lost_measurements", token)
        self.cursor.sign("->")
        bits = self.scope.bit_row(self.cursor)
        self.cursor.sign(";")
        out += pairs(token, qubits, bits)

    def _assign(self, out: list[Operation]) -> None:
        bits = self.scope.bit_row(self.cursor)
        self.cursor.sign("=")
        if not self.cursor.takes("measure"):
            raise WrongError("qasm_no_assignments", self.cursor.next)
        self._measured(bits, out)
        self.cursor.sign(";")

    def _measured(self, bits: Row, out: list[Operation]) -> None:
        token = self.cursor.peek(-1)
        out += pairs(token, self.scope.qubit_row(self.cursor), bits)

    # Blocks ---------------------------------------------------------------------------------------------------

    def _if(self, out: list[Operation]) -> None:
        cursor = self.cursor
        cursor.take()
        cursor.sign("(")
        bits, value, equal = self._condition()
        cursor.sign(")")
        then: list[Operation] = []
        otherwise: list[Operation] = []
        self._block(then)
        if self.scope.version == 3 and cursor.takes("else"):
            self._block(otherwise)
        self._count += len(then) + len(otherwise)
        if not equal:
            then, otherwise = otherwise, then
        if then or otherwise:
            out.append(If(bits, value, tuple(then), tuple(otherwise)))

    def _condition(self) -> tuple[tuple[int, ...], int, bool]:
        """The bits, the value that they are compared with, and whether they have to be equal to it."""
        cursor, start = self.cursor, self.cursor.next
        turned = self.scope.version == 3 and cursor.takes("!")
        row = self.scope.bit_row(cursor)
        if self.scope.version == 3 and row.single and cursor.sees(")"):
            return row.numbers, 0 if turned else 1, True
        if turned or not (cursor.sees("==") or (self.scope.version == 3 and cursor.sees("!="))):
            raise WrongError("qasm_condition", start, cursor.next.text)
        equal = cursor.take().text == "=="
        value = self._compared()
        if not cursor.sees(")"):
            raise WrongError("qasm_condition", start, cursor.next.text)
        if not 0 <= value < 1 << len(row.numbers):
            shown = str(value) if abs(value) <= MAGNITUDE_MAX else cursor.peek(-1).text  # of a row of bits without end
            raise WrongError("qasm_condition", start, shown)
        return row.numbers, value, equal

    def _compared(self) -> int:
        if self.scope.version == 3 and self.cursor.takes("true", "false"):
            return int(self.cursor.peek(-1).text == "true")
        token = self.cursor.next
        if self.scope.version == 3 and token.kind is Kind.TEXT and token.text.strip("\"'_01") == "":
            self.cursor.spend(len(token.text))
            digits = self.cursor.take().text.strip("\"'").replace("_", "")
            return int(digits or "0", 2)
        return self.scope.sums(self.cursor).whole()

    def _for(self, out: list[Operation]) -> None:
        cursor = self.cursor
        cursor.take()
        if not cursor.takes("int", "uint"):
            raise cursor.unexpected("qasm_syntax", "`int`, `uint`")
        if cursor.sees("["):
            self._size()
        token = cursor.name()
        name = token.text
        if name in self.scope.names or name in self.scope.qubits or name in self.scope.bits:
            raise WrongError("qasm_name_taken", token)
        cursor.sign("in")
        values = self._turns()
        begin, wrong = cursor.at, self._wrong
        try:
            if not values:
                self._passed_over(name)
            for value in values:
                self.scope.names[name], cursor.at = value, begin
                self._block(out)
                if self._wrong > wrong or self._over:
                    break
                if len(out) > OPERATIONS_MAX:
                    raise too_many(token)
        finally:
            self.scope.names.pop(name, None)

    def _passed_over(self, name: str) -> None:
        """A loop without a turn: its block is read all the same."""
        self.scope.names[name] = 0
        self._block([])

    def _turns(self) -> range | list[int]:
        cursor, sums = self.cursor, self.scope.sums(self.cursor)
        if cursor.takes("{"):
            values = [sums.whole()]
            while cursor.takes(","):
                values.append(sums.whole())
            cursor.sign("}")
            return values
        cursor.sign("[")
        span = self.scope.span(cursor, sums.whole(), 0)
        token = cursor.sign("]")
        if len(span) > OPERATIONS_MAX:
            raise too_many(token)
        return span

    def _block(self, out: list[Operation]) -> None:
        """`{ … }`, or one statement."""
        if self._depth >= DEPTH_MAX:
            raise WrongError("qasm_too_deep", self.cursor.next, limit=DEPTH_MAX)
        self._depth += 1
        try:
            if self.scope.version == 2 or not self.cursor.takes("{"):
                self._statement(out)
                return
            while not self.cursor.takes("}") and not self._over:
                if self.cursor.next.kind is Kind.END:
                    raise self.cursor.unexpected("qasm_syntax", "`}`")
                self._guarded(lambda: self._statement(out))
        finally:
            self._depth -= 1
