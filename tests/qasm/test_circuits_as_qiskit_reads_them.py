"""What is run is what Qiskit's own readers make of the same text: states compared to the last digit that counts."""

import importlib.util
import random

import pytest

from suanwang.qasm import read_circuit
from suanwang.qasm.gates import QELIB1, SAME, STDGATES

if any(importlib.util.find_spec(name) is None for name in ("qiskit", "qiskit_aer", "qiskit_qasm3_import")):
    pytest.skip("needs qiskit, qiskit-aer and qiskit-qasm3-import", allow_module_level=True)

V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
TOLERANCE = 1e-9


def unitary(circuit):
    from qiskit.quantum_info import Operator

    plain = circuit.remove_final_measurements(inplace=False)
    return Operator(plain)


def ours(text: str):
    from suanwang.agent.adapters.quantum.build import built

    return built(read_circuit(text))


def same(text: str) -> bool:
    """Whether both readers make the same unitary of a text, but for a phase of the whole."""
    from qiskit import qasm2, qasm3

    if text.startswith("OPENQASM 2"):
        theirs = qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
    else:
        theirs = qasm3.loads(text)
    return unitary(ours(text)).equiv(unitary(theirs), atol=TOLERANCE, rtol=0)


def call(name: str, shape, numbers, qubits) -> str:
    params = f"({', '.join(numbers[: shape.params])})" if shape.params else ""
    return f"{name}{params} {', '.join(f'q[{one}]' for one in qubits[: shape.qubits])};"


NUMBERS = ["pi/3", "-0.7", "2*pi/5", "1.25"]


def test_every_gate_of_qelib1():
    for name, shape in QELIB1.items():
        text = V2 + "qreg q[5]; creg c[5]; " + call(name, shape, ["1"] if name == "u0" else NUMBERS, [3, 0, 4, 1, 2])
        text += "measure q -> c;"
        assert same(text), name


def test_every_gate_of_stdgates_and_the_modifiers():
    for name, shape in STDGATES.items():
        text = V3 + "qubit[5] q; bit[5] c; " + call(name, shape, NUMBERS, [3, 0, 4, 1, 2])
        assert same(text + "c = measure q;"), name
        if name in ("u2", "u3"):
            continue  # Qiskit leaves out the phase that the specification gives these; see the next test
        for modifier in ("inv @ ", "ctrl @ ", "negctrl @ inv @ ", "pow(2) @ "):
            wide = shape._replace(qubits=shape.qubits + ("ctrl" in modifier))
            text = V3 + "qubit[5] q; bit[5] c; h q; " + modifier + call(name, wide, NUMBERS, [3, 0, 4, 1, 2])
            assert same(text + "c = measure q;"), modifier + name


def test_a_controlled_u_has_the_phase_of_the_specification():
    """`U(θ, φ, λ)` is e^(iθ/2) times Qiskit's UGate (openqasm.com, "Built-in gates"), which a control makes visible."""
    import numpy as np
    from qiskit.quantum_info import Operator

    theta, phi, lam = 0.7, 0.3, -0.4
    text = V3 + f"qubit[2] q; bit[2] c; ctrl @ U({theta}, {phi}, {lam}) q[0], q[1]; c = measure q;"
    found = Operator(ours(text).remove_final_measurements(inplace=False)).data
    e = np.exp
    u = 0.5 * np.array(
        [
            [1 + e(1j * theta), -1j * e(1j * lam) * (1 - e(1j * theta))],
            [1j * e(1j * phi) * (1 - e(1j * theta)), e(1j * (phi + lam)) * (1 + e(1j * theta))],
        ]
    )
    block = found[np.ix_([1, 3], [1, 3])]  # where the control, the lowest digit, is 1
    assert np.allclose(block / found[0, 0], u, atol=TOLERANCE)


def random_circuit(draw: random.Random, version: int) -> str:
    """A handful of gates, with one of the text's own among them."""
    table = QELIB1 if version == 2 else STDGATES
    names = sorted(name for name in table if name not in ("u2", "u3", "u0"))
    numbers = lambda: [f"{draw.uniform(-4, 4):.6f}" for _ in range(4)]  # noqa: E731 - of each call anew
    lines = ["gate mine(a, b) x1, y1 { rx(a) x1; cx x1, y1; rz(a - b) y1; h x1; }"]
    lines.append("qreg q[5]; creg c[5];" if version == 2 else "qubit[5] q; bit[5] c;")
    for _ in range(20):
        name = draw.choice(names)
        lines.append(call(name, table[name], numbers(), draw.sample(range(5), 5)))
        if draw.random() < 0.3:
            modifier = draw.choice(["", "inv @ ", "ctrl @ ", "pow(2) @ "]) if version == 3 else ""
            count = 3 if "ctrl" in modifier else 2
            qubits = ", ".join(f"q[{one}]" for one in draw.sample(range(5), count))
            lines.append(f"{modifier}mine({', '.join(numbers()[:2])}) {qubits};")
    lines.append("measure q -> c;" if version == 2 else "c = measure q;")
    return (V2 if version == 2 else V3) + "\n".join(lines)


@pytest.mark.parametrize("version", [2, 3])
def test_random_circuits(version):
    draw = random.Random(20 + version)
    for _ in range(8):
        text = random_circuit(draw, version)
        assert same(text), text


def test_every_gate_that_may_come_out_of_a_text_can_be_built():
    from suanwang.agent.adapters.quantum.build import LIBRARY

    named = {SAME.get(name, name) for name in (*QELIB1, *STDGATES, "U", "CX")}
    assert named == set(LIBRARY)


def test_conditions_and_measurements_in_the_middle_give_the_same_counts():
    """Teleportation of a 1, and a register compared as a whole: their ends are certain, so that counts compare exactly."""
    from qiskit import qasm2, qasm3
    from qiskit_aer import AerSimulator

    teleport = V3 + (
        "qubit[3] q; bit[1] a; bit[1] b; bit[1] out; x q[0]; h q[1]; cx q[1], q[2]; cx q[0], q[1]; h q[0];"
        "a[0] = measure q[0]; b[0] = measure q[1]; if (b[0] == true) { x q[2]; } if (a[0] == true) { z q[2]; }"
        "out[0] = measure q[2];"
    )
    compare = V2 + (
        "qreg q[2]; creg c[2]; creg d[1]; x q; measure q -> c; reset q;"
        "if(c==3) x q[0]; if(c==2) x q[0]; measure q[0] -> d[0];"
    )

    def counts(circuit) -> dict[str, int]:
        return AerSimulator().run(circuit, shots=200, seed_simulator=5).result().get_counts()

    for circuit in (ours(teleport), qasm3.loads(teleport)):
        found = counts(circuit)
        assert sum(found.values()) == 200
        assert {bits.split()[0] for bits in found} == {"1"}
        assert len(found) == 4, "what was measured on the way is random"
    assert counts(ours(compare)) == counts(qasm2.loads(compare)) == {"1 11": 200}
