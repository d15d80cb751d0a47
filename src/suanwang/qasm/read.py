"""OpenQASM 2 and 3 to a `Circuit`, with every fault at once. Pure: no file is read, no gate is run.

Of version 3 this takes what a circuit is made of and leaves out what a program is made of; `docs/guide/quantum.md` has the
table. Specifications: arXiv:1707.03429 (version 2), openqasm.com (version 3).
"""

from collections.abc import Sequence
from typing import Final

from suanwang.model.error import Fault, FaultsError
from suanwang.qasm.circuit import Circuit
from suanwang.qasm.statements import Statements
from suanwang.qasm.tokens import Cursor, Kind, Token, WrongError, tokens_of

CIRCUIT_BYTES_MAX: Final = 1024**2


def read_circuit(text: str | bytes, source: str = "circuit") -> Circuit:
    """The circuit of a text. Raises FaultsError with every fault, each with its line."""
    clean = _decoded(text, source)
    try:
        words = tokens_of(clean)
    except WrongError as fault:
        raise FaultsError([_fault(fault)], source) from None
    reader = Statements(Cursor(words))
    reader.read()
    faults = reader.faults or _missing(reader, words)
    if faults:
        raise FaultsError([_fault(one) for one in sorted(faults, key=lambda one: one.line)], source)
    scope = reader.scope
    return Circuit(scope.version, scope.qubit_count, tuple(scope.registers), tuple(reader.operations))


def _decoded(text: str | bytes, source: str) -> str:
    if len(text) > CIRCUIT_BYTES_MAX:
        raise FaultsError([Fault("too_large", "", f"{len(text)} B", None, {"limit": "1 MiB"})], source)
    try:
        clean = text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise FaultsError([Fault("not_utf8", "", f"byte {error.start}")], source) from None
    clean = clean.removeprefix("\ufeff")
    if not clean.strip():
        raise FaultsError([Fault("empty", "", "")], source)
    return clean


def _fault(one: WrongError) -> Fault:
    return Fault(one.code, "", one.got, one.line, one.params)


def _missing(reader: Statements, words: Sequence[Token]) -> list[WrongError]:
    """What a circuit without a fault may still lack."""
    end = Token(Kind.END, "", words[-1].line)
    if not reader.scope.qubit_count:
        return [WrongError("qasm_without_qubits", end)]
    circuit = Circuit(reader.scope.version, 1, tuple(reader.scope.registers), tuple(reader.operations))
    if not circuit.facts().measured:
        return [WrongError("qasm_unmeasured", end)]
    return []
