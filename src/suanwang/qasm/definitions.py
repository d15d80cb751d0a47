"""Gates of the text's own: their definitions, and what an application of a gate comes to."""

from collections import ChainMap
from collections.abc import Callable
from typing import Final

from suanwang.qasm.circuit import Gate, Operation
from suanwang.qasm.expand import CONTROLS_MAX, OPERATIONS_MAX, Definition, Modifier, applied, too_many, weight
from suanwang.qasm.gates import LIBRARIES, Shape
from suanwang.qasm.scope import Row, Scope, broadcast
from suanwang.qasm.tokens import Cursor, Kind, Token, WrongError

MADE_MAX: Final = 2 * OPERATIONS_MAX  # gates made, those of definitions too
BODY_STEPS: Final = 10  # to begin the body of a gate takes as long as to read so many words
NESTED_MAX: Final = 32  # gates in gates
FAULTS_MAX: Final = 100  # more than a person reads
WRONG_MAX: Final = 1_000  # the same fault too
# A parameter that a definition is tried with: none of the values at which something is divided by zero.
TRIED: Final = 0.7390851332151607
_MODIFIERS: Final = ("ctrl", "negctrl", "inv", "pow")
_LAST: Final = ("qasm_too_large", "qasm_too_many_steps", "qasm_too_deep")  # nothing is read behind one of these


class Definitions:
    """`faults`: everything wrong, each once, in the order it was found; behind the last of FAULTS_MAX nothing is read."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.operations: list[Operation] = []
        self.scope = Scope(3)
        self._found: dict[tuple[str, int, str], WrongError] = {}
        self._wrong = 0  # how often something was, the same fault too
        self._made = 0
        self._nested = 0
        self._over = False

    @property
    def faults(self) -> list[WrongError]:
        return list(self._found.values())

    def _keep(self, fault: WrongError) -> None:
        self._wrong += 1
        if not self._over:
            # Without its frames, which hold far more than the fault.
            self._found.setdefault((fault.code, fault.line, fault.got), fault.with_traceback(None))
        self._over |= fault.code in _LAST or len(self._found) >= FAULTS_MAX or self._wrong >= WRONG_MAX

    def _guarded(self, part: Callable[[], None]) -> None:
        """One part; what is wrong with it is kept, and reading goes on behind it."""
        at = self.cursor.at
        try:
            part()
        except WrongError as fault:
            self._keep(fault)
            if self.cursor.at == at or not self._is_behind():
                self.cursor.skip()

    def _is_behind(self) -> bool:
        """Whether the statement was read to its end before it was found wrong."""
        last = self.cursor.peek(-1)
        return last.kind is Kind.SIGN and last.text in (";", "}")

    def _barrier(self) -> tuple[int, ...]:
        rows: list[Row] = []
        while not self.cursor.sees(";"):
            if rows:
                self.cursor.sign(",")
            rows.append(self.scope.qubit_row(self.cursor))
        self.cursor.sign(";")
        if not rows:
            self.cursor.spend(self.scope.qubit_count)
            return tuple(range(self.scope.qubit_count))
        return tuple(dict.fromkeys(qubit for row in rows for qubit in row.numbers))

    # Gates ----------------------------------------------------------------------------------------------------

    def _gate(self) -> None:
        """A definition. Its body is tried once, so that its faults are found where they are, and then read again for every
        new set of parameters."""
        cursor = self.cursor
        token = cursor.name()
        name = self.scope.new_name(token)
        params = self._names_until(")") if cursor.takes("(") else []
        qubits = self._names_until("{")
        begin, wrong, home = cursor.at, self._wrong, self.scope
        self._nested = 0
        self._body(begin, home, params, qubits, tuple(TRIED + n for n in range(len(params))), report=True)
        end, broken, depth = cursor.at, self._wrong > wrong, self._nested + 1
        if depth > NESTED_MAX:
            raise WrongError("qasm_too_deep", token, limit=NESTED_MAX)
        kept: dict[tuple[float, ...], tuple[list[Gate], int]] = {}

        def body(values: tuple[float, ...], at: tuple[int, ...]) -> list[Gate]:
            if values not in kept:
                back = cursor.at
                try:
                    made = [] if broken else self._body(begin, home, params, qubits, values, report=False)
                    kept[values] = made, weight(made)
                finally:
                    cursor.at = back
            gates, steps = kept[values]
            cursor.spend(steps)
            return [
                Gate(one.name, one.params, tuple(at[q] for q in one.qubits), one.controls, one.power) for one in gates
            ]

        cursor.at = end
        self.scope.gates[name] = Definition(Shape(len(params), len(qubits)), body, depth)

    def _names_until(self, end: str) -> list[str]:
        names: dict[str, None] = {}
        while not self.cursor.sees(end):
            if names:
                self.cursor.sign(",")
            token = self.cursor.name()
            if token.text in names:
                raise WrongError("qasm_name_taken", token)
            names[token.text] = None
        self.cursor.sign(end)
        return list(names)

    def _body(
        self, begin: int, home: Scope, params: list[str], qubits: list[str], values: tuple[float, ...], *, report: bool
    ) -> list[Gate]:
        """The gates of a body on qubits 0, 1, …, from behind its `{` to behind its `}`. It sees the names of `home`, where it
        is defined, and none of where it is applied."""
        outer, cursor, out = self.scope, self.cursor, list[Gate]()
        cursor.spend(BODY_STEPS + len(params) + len(qubits))
        inner = Scope(home.version, ChainMap(dict(zip(params, values, strict=True)), home.names), gates=home.gates)
        inner.qubits = {name: Row((number,), single=True) for number, name in enumerate(qubits)}
        self.scope, cursor.at = inner, begin

        def one() -> None:
            if cursor.takes("barrier"):
                self._barrier()
            else:
                out.extend(self._calls())

        try:
            while not cursor.takes("}"):
                if cursor.next.kind is Kind.END:
                    raise cursor.unexpected("qasm_syntax", "`}`")
                if report:
                    self._guarded(one)
                else:
                    one()
                if self._over:
                    break
        finally:
            self.scope = outer
        return out

    def _calls(self) -> list[Gate]:
        """The application of a gate, once for each row of qubits that it names."""
        cursor, scope = self.cursor, self.scope
        modifiers = self._modifiers()
        token = cursor.name()
        definition = scope.gates.get(token.text)
        if definition is None:
            raise self._no_gate(token)
        params = self._params() if cursor.sees("(") else ()
        rows = [] if cursor.sees(";") else [scope.qubit_row(cursor)]
        while rows and cursor.takes(","):
            rows.append(scope.qubit_row(cursor))
        cursor.sign(";")
        controls = sum(int(one.value) for one in modifiers if one.name.endswith("ctrl"))
        shape = definition.shape
        if len(params) != shape.params:
            raise WrongError("qasm_params", token, needed=shape.params, given=len(params))
        if len(rows) != shape.qubits + controls:
            raise WrongError("qasm_arity", token, needed=shape.qubits + controls, given=len(rows))
        out: list[Gate] = []
        self._nested = max(self._nested, definition.depth)
        for qubits in broadcast(cursor, token, rows):
            if len(set(qubits)) < len(qubits):
                raise WrongError("qasm_twice", token)
            found = applied(token, definition, modifiers, params, qubits, scope.version, cursor.spend)
            self._made += len(found)
            out += found
            if self._made > MADE_MAX or len(out) > OPERATIONS_MAX:
                raise too_many(token)
        return out

    def _no_gate(self, token: Token) -> WrongError:
        file, gates = LIBRARIES[self.scope.version]
        if token.text in gates and not self.scope.included:
            return WrongError("qasm_include_missing", token, file=file)
        if token.text in self.scope.qubits or token.text in self.scope.bits or token.text in self.scope.names:
            return WrongError("qasm_expected_gate", token)
        return WrongError("qasm_unknown_gate", token, file=file)

    def _params(self) -> tuple[float, ...]:
        self.cursor.sign("(")
        values: list[float] = []
        while not self.cursor.takes(")"):
            if values:
                self.cursor.sign(",")
            values.append(float(self.scope.sums(self.cursor).number()))
        return tuple(values)

    def _modifiers(self) -> list[Modifier]:
        out: list[Modifier] = []
        cursor = self.cursor
        while self.scope.version == 3 and cursor.sees(*_MODIFIERS):
            token, value = cursor.take(), 1.0
            if token.text == "pow" or cursor.sees("("):
                cursor.sign("(")
                value = float(self.scope.sums(cursor).number())
                cursor.sign(")")
            counts = token.text.endswith("ctrl")
            if counts and (value != int(value) or not 1 <= value <= CONTROLS_MAX):
                raise WrongError("qasm_size", token, f"{value:g}")
            cursor.sign("@")
            out.append(Modifier(token, token.text, value))
        return out
