"""A checked circuit as the simulator takes it. Only the runner's processes import this: it loads Qiskit."""

from collections.abc import Iterable
from typing import Any, Final

from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import Clbit, Qubit
from qiskit.circuit import library as gates
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from suanwang.qasm.circuit import Barrier, Circuit, Gate, If, Measure, Operation, Reset

# Every gate that `suanwang.qasm` may hand on, by its name there.
LIBRARY: Final[dict[str, Any]] = {
    "U": gates.UGate, "p": gates.PhaseGate, "u2": gates.U2Gate, "u3": gates.U3Gate, "id": gates.IGate, "x": gates.XGate,
    "y": gates.YGate, "z": gates.ZGate, "h": gates.HGate, "s": gates.SGate, "sdg": gates.SdgGate, "t": gates.TGate,
    "tdg": gates.TdgGate, "sx": gates.SXGate, "sxdg": gates.SXdgGate, "rx": gates.RXGate, "ry": gates.RYGate,
    "rz": gates.RZGate, "cx": gates.CXGate, "cy": gates.CYGate, "cz": gates.CZGate, "ch": gates.CHGate, "cp": gates.CPhaseGate,
    "crx": gates.CRXGate, "cry": gates.CRYGate, "crz": gates.CRZGate, "cu": gates.CUGate, "cu3": gates.CU3Gate,
    "csx": gates.CSXGate, "swap": gates.SwapGate, "rxx": gates.RXXGate, "rzz": gates.RZZGate, "ccx": gates.CCXGate,
    "cswap": gates.CSwapGate, "rccx": gates.RCCXGate, "rc3x": gates.RC3XGate, "c3x": gates.C3XGate,
    "c3sqrtx": gates.C3SXGate, "c4x": gates.C4XGate,
}  # fmt: skip
# What the simulator is given. All are its own; of the Clifford gates enough that a stabilizer circuit stays one.
ONE_QUBIT: Final = ("id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "t", "tdg", "p", "rx", "ry", "rz", "u")
TWO_QUBITS: Final = ("cx", "cy", "cz", "swap", "cp", "rxx", "rzz")
BASIS: Final = (*ONE_QUBIT, *TWO_QUBITS, "if_else")
MILLION: Final = 1_000_000


def built(circuit: Circuit) -> QuantumCircuit:
    """The circuit, lowered to BASIS."""
    out = QuantumCircuit(circuit.qubits)
    for register in circuit.registers:
        out.add_register(ClassicalRegister(register.size, register.name))
    _append(out, circuit.operations, out.qubits, out.clbits)
    if all(_is_basic(one) for one in circuit.operations):
        return out
    # Not by way of qubits that are 0 at that moment: what comes out is the circuit, whatever it begins with.
    return transpile(out, basis_gates=list(BASIS), optimization_level=0, qubits_initially_zero=False)


def _is_basic(one: Operation) -> bool:
    if isinstance(one, If):
        return all(_is_basic(inner) for inner in (*one.then, *one.otherwise))
    return not isinstance(one, Gate) or (one.name.lower() in BASIS and not one.controls and one.power == 1)


def _append(out: QuantumCircuit, operations: Iterable[Operation], qubits: list[Qubit], bits: list[Clbit]) -> None:
    for one in operations:
        match one:
            case Gate():
                out.append(_gate(one), [qubits[at] for at in one.qubits])
            case Measure():
                out.measure(qubits[one.qubit], bits[one.bit])
            case Reset():
                out.reset(qubits[one.qubit])
            case Barrier():
                out.barrier([qubits[at] for at in one.qubits])
            case If():
                _append_if(out, one, qubits, bits)


def _append_if(out: QuantumCircuit, one: If, qubits: list[Qubit], bits: list[Clbit]) -> None:
    condition: Any
    if len(one.bits) == 1:
        condition = (bits[one.bits[0]], one.value)
    else:
        condition = (_register(out, [bits[at] for at in one.bits]), one.value)
    with out.if_test(condition) as otherwise:
        _append(out, one.then, qubits, bits)
    if one.otherwise:
        with otherwise:
            _append(out, one.otherwise, qubits, bits)


def _register(out: QuantumCircuit, wanted: list[Clbit]) -> ClassicalRegister:
    """The register of just these bits. What is compared as a whole is always one."""
    return next(register for register in out.cregs if list(register) == wanted)


def _gate(one: Gate) -> Any:
    gate = LIBRARY[one.name](*one.params)
    if one.power != 1:
        gate = gate.inverse() if one.power == -1 else gate.power(one.power)
    if one.controls:
        # The lowest digit of the state is the first control's.
        state = sum(1 << at for at, value in enumerate(one.controls) if value)
        gate = gate.control(len(one.controls), ctrl_state=state)
    return gate


def noise_model(gate1_ppm: int, gate2_ppm: int, readout_ppm: int) -> NoiseModel | None:
    """Depolarising errors behind each gate and flips of what is read; None where there are none."""
    if not gate1_ppm and not gate2_ppm and not readout_ppm:
        return None
    model = NoiseModel(basis_gates=[one for one in BASIS if one != "if_else"])
    if gate1_ppm:
        # Not after `id`, which stands for doing nothing.
        model.add_all_qubit_quantum_error(depolarizing_error(gate1_ppm / MILLION, 1), list(ONE_QUBIT[1:]))
    if gate2_ppm:
        model.add_all_qubit_quantum_error(depolarizing_error(gate2_ppm / MILLION, 2), list(TWO_QUBITS))
    if readout_ppm:
        flip = readout_ppm / MILLION
        model.add_all_qubit_readout_error(ReadoutError([[1 - flip, flip], [flip, 1 - flip]]))
    return model
