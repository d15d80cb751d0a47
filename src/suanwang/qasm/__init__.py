"""Circuits in OpenQASM: text in, a circuit or every fault out."""

from suanwang.qasm.circuit import Circuit, Facts
from suanwang.qasm.read import CIRCUIT_BYTES_MAX, read_circuit

__all__ = ["CIRCUIT_BYTES_MAX", "Circuit", "Facts", "read_circuit"]
