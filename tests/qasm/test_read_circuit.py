"""What is taken of OpenQASM 2 and 3, what is refused, and at which line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.model.error import FaultsError
from suanwang.qasm import CIRCUIT_BYTES_MAX, read_circuit
from suanwang.qasm.circuit import Barrier, Gate, If, Measure, Reset
from suanwang.qasm.expand import OPERATIONS_MAX
from suanwang.qasm.scope import QUBITS_MAX

V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
Q2 = V2 + "qreg q[3]; creg c[3];\n"
Q3 = V3 + "qubit[3] q; bit[3] c;\n"
END2, END3 = "\nmeasure q -> c;", "\nc = measure q;"


def operations(text: str) -> tuple:
    return read_circuit(text).operations


def gates(body: str, version: int = 3) -> list[tuple]:
    found = operations(Q2 + body + END2 if version == 2 else Q3 + body + END3)
    return [(one.name, one.qubits) for one in found if isinstance(one, Gate)]


def codes(text: str) -> list[tuple[str, int | None]]:
    with pytest.raises(FaultsError) as caught:
        read_circuit(text)
    return [(one.code, one.line) for one in caught.value.faults]


# Taken ---------------------------------------------------------------------------------------------------------


def test_a_bell_pair_of_either_version_is_the_same_circuit():
    two = read_circuit(V2 + "qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;")
    three = read_circuit(V3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;")
    assert two.operations == three.operations
    assert (two.version, three.version) == (2, 3)
    facts = three.facts()
    assert (facts.qubits, facts.bits, facts.measured, facts.size, facts.wide_gates, facts.depth) == (2, 2, 2, 2, 1, 3)
    assert facts.gates == {"cx": 1, "h": 1}
    assert not facts.conditional


# body -> (gate, qubits) of each
TAKEN_2 = [
    ("h q;", [("h", (0,)), ("h", (1,)), ("h", (2,))]),
    ("cx q[0], q[2]; // to the last\n", [("cx", (0, 2))]),
    ("qreg a[3]; cx q, a;", [("cx", (0, 3)), ("cx", (1, 4)), ("cx", (2, 5))]),
    ("cx q[0], q[1]; barrier q; CX q[1],q[2];", [("cx", (0, 1)), ("cx", (1, 2))]),
    ("gate both a,b { h a; cx a,b; } both q[1],q[2];", [("h", (1,)), ("cx", (1, 2))]),
    ("gate none a {} none q[0];", []),
    ("U(0,0,pi/2) q[0]; u1(0.5) q[1];", [("U", (0,)), ("p", (1,))]),
]
TAKEN_3 = [
    ("x q[-1];", [("x", (2,))]),
    ("x q[0:1];", [("x", (0,)), ("x", (1,))]),
    ("x q[2:-1:0];", [("x", (2,)), ("x", (1,)), ("x", (0,))]),
    ("x q[{0, 2}];", [("x", (0,)), ("x", (2,))]),
    ("let a = q[1:2]; x a[0];", [("x", (1,))]),
    ("let a = q[2] ++ q[0]; x a;", [("x", (2,)), ("x", (0,))]),
    ("for int i in [0:2] { x q[i]; }", [("x", (0,)), ("x", (1,)), ("x", (2,))]),
    ("for uint i in [2:-2:0] x q[i];", [("x", (2,)), ("x", (0,))]),
    ("for int i in {1, 1} { for int j in [0:i] { x q[j]; } }", [("x", (0,)), ("x", (1,))] * 2),
    ("for int i in [1:0] { x q[i]; }", []),
    ("const int n = 2; x q[n - 1];", [("x", (1,))]),
    ("ctrl @ x q[0], q[1];", [("x", (0, 1))]),
    ("inv @ s q[0]; pow(2) @ t q[0];", [("s", (0,)), ("t", (0,))]),
    ("gate two a, b { h a; x b; } pow(2) @ two q[0], q[1];", [("h", (0,)), ("x", (1,))] * 2),
    ("gate two a, b { h a; x b; } inv @ two q[0], q[1];", [("x", (1,)), ("h", (0,))]),
    ("gate two a, b { h a; x b; } pow(0) @ two q[0], q[1];", []),
    ("gphase(pi); ctrl @ gphase(pi) q[1];", [("p", (1,))]),
    ("negctrl @ gphase(pi) q[1];", [("x", (1,)), ("p", (1,)), ("x", (1,))]),
    ("phase(1) q[0]; /* two\nlines */ cphase(1) q[0], q[1];", [("p", (0,)), ("cp", (0, 1))]),
]


@pytest.mark.parametrize(("body", "expected"), TAKEN_2)
def test_version_2_is_taken(body, expected):
    assert gates(body, 2) == expected


@pytest.mark.parametrize(("body", "expected"), TAKEN_3)
def test_version_3_is_taken(body, expected):
    assert gates(body) == expected


def test_numbers_are_worked_out():
    (gate,) = [
        one for one in operations(Q2 + "u3(pi/2, -2*sin(pi/6)^2, 3e-1+(1-.5)) q[0];" + END2) if isinstance(one, Gate)
    ]
    assert gate.params == pytest.approx((math.pi / 2, -0.5, 0.8))
    # In version 3 whole numbers divide to whole numbers; in version 2 they do not.
    assert operations(Q3 + "rx(1/2) q[0];" + END3)[0].params == (0.0,)
    assert operations(Q2 + "rx(1/2) q[0];" + END2)[0].params == (0.5,)
    assert operations(Q3 + "rx(2**3 + 7 % 4 + 0x10 + τ*0) q[0];" + END3)[0].params == (27.0,)


def test_modifiers_become_controls_and_powers():
    first, second = operations(
        Q3
        + "negctrl @ ctrl @ pow(0.5) @ x q[0], q[1], q[2]; ctrl(2) @ inv @ s q;".replace(" q;", " q[2], q[1], q[0];")
        + END3
    )[:2]
    assert first == Gate("x", (), (0, 1, 2), (False, True), 0.5)
    assert second == Gate("s", (), (2, 1, 0), (True, True), -1.0)


def test_measurement_reset_barrier_and_conditions():
    found = operations(Q3 + "c[0] = measure q[2]; reset q[0]; barrier; measure q[1] -> c[1]; bit d = measure q[0];")
    assert found == (Measure(2, 0), Reset(0), Barrier((0, 1, 2)), Measure(1, 1), Measure(0, 3))
    x = Gate("x", (), (0,))
    for condition, expected in (
        ("c[1]", If((1,), 1, (x,))),
        ("!c[1]", If((1,), 0, (x,))),
        ("c == 5", If((0, 1, 2), 5, (x,))),
        ('c == "101"', If((0, 1, 2), 5, (x,))),
        ("c != 5", If((0, 1, 2), 5, (), (x,))),
        ("c[0] == true", If((0,), 1, (x,))),
    ):
        assert operations(Q3 + f"if ({condition}) {{ x q[0]; }}" + END3)[0] == expected
    both = operations(Q3 + "if (c[0]) x q[0]; else { h q[1]; }" + END3)[0]
    assert both == If((0,), 1, (x,), (Gate("h", (), (1,)),))
    old = operations(Q2 + "if (c==3) x q[0];" + END2)[0]
    assert old == If((0, 1, 2), 3, (x,))
    assert read_circuit(Q2 + "if (c==3) x q[0];" + END2).facts().conditional


def test_parameters_of_a_gate_are_filled_in_anew_each_time():
    text = Q2 + "gate turn(a, b) x1 { rx(a/b) x1; } turn(1, 2) q[0]; turn(3, 4) q[1]; turn(1, 2) q[2];" + END2
    assert [one.params for one in operations(text)[:3]] == [(0.5,), (0.75,), (0.5,)]


# Refused -------------------------------------------------------------------------------------------------------

# text -> code, line
REFUSED = [
    ("qreg q[1]; creg c[1]; U(0,0,0) q[0]; measure q -> c;", "qasm_version", 1),
    ("OPENQASM 4.0;\nqubit q;", "qasm_version", 1),
    (V2 + "qreg q[2]; creg c[2];\nx q[0]\nx q[1];", "qasm_syntax", 5),
    (Q2 + "x q[0],;" + END2, "qasm_expected_qubit", 4),
    (Q2 + "x c;" + END2, "qasm_expected_qubit", 4),
    (Q2 + "measure q -> q;", "qasm_expected_bit", 4),
    (Q2 + "\n;" + END2, "qasm_expected_statement", 5),
    (Q2 + "x q[0]; §" + END2, "qasm_expected_statement", 4),
    (Q2 + "qreg 4[2];" + END2, "qasm_expected_name", 4),
    (Q2 + "rx(,) q[0];" + END2, "qasm_expected_number", 4),
    (Q2 + "q q[0];" + END2, "qasm_expected_gate", 4),
    ('OPENQASM 2.0;\ninclude "/etc/passwd";', "qasm_include", 2),
    ("OPENQASM 2.0;\nqreg q[1];\nh q[0];", "qasm_include_missing", 3),
    (Q2 + "foo q[0];" + END2, "qasm_unknown_gate", 4),
    (Q2 + "gate a x1 { a x1; }" + END2, "qasm_unknown_gate", 4),
    (Q2 + "x r[0];" + END2, "qasm_unknown_name", 4),
    (Q2 + "rx(theta) q[0];" + END2, "qasm_unknown_name", 4),
    (Q2 + "\nqreg c[2];" + END2, "qasm_name_taken", 5),
    (Q2 + "gate h a { x a; }" + END2, "qasm_name_taken", 4),
    (Q2 + "x q[3];" + END2, "qasm_index", 4),
    (Q2 + "x q[-1];" + END2, "qasm_index", 4),
    (V3 + "qubit q; bit c;\nx q[0]; c = measure q;", "qasm_index", 4),
    (Q2 + "cx q[0];" + END2, "qasm_arity", 4),
    (Q3 + "ctrl @ x q[0];" + END3, "qasm_arity", 4),
    (Q2 + "rx q[0];" + END2, "qasm_params", 4),
    (Q2 + "cx q[0], q[0];" + END2, "qasm_twice", 4),
    (Q2 + "qreg a[2]; cx q, a;" + END2, "qasm_sizes", 4),
    (V2 + "qreg q[3]; creg c[2];" + END2, "qasm_sizes", 4),
    (Q2 + "rx(1/0) q[0];" + END2, "qasm_number", 4),
    (Q2 + "rx(ln(0)) q[0];" + END2, "qasm_number", 4),
    (Q2 + "rx(9^9^9) q[0];" + END2, "qasm_number", 4),
    (Q2 + "x q[0.5];" + END2, "qasm_not_whole", 4),
    (Q2 + "qreg r[0];" + END2, "qasm_size", 4),
    (Q3 + "ctrl(0) @ x q[0];" + END3, "qasm_size", 4),
    (Q3 + "gate two a, b { h a; x b; } pow(0.5) @ two q[0], q[1];" + END3, "qasm_power", 4),
    (Q2 + "if (c[0]==1) x q[0];" + END2, None, None),
    (Q2 + "if (c==8) x q[0];" + END2, "qasm_condition", 4),
    (Q3 + "if (c > 2) { x q[0]; }" + END3, "qasm_condition", 4),
    (Q3 + "if (c[0] && c[1]) { x q[0]; }" + END3, "qasm_condition", 4),
    (V2 + "opaque magic a;", "qasm_no_opaque", 3),
    (Q3 + "int n = 3;" + END3, "qasm_no_variables", 4),
    (Q3 + "def f(qubit a) { x a; }" + END3, "qasm_no_subroutines", 4),
    (Q3 + "input float[64] a;" + END3, "qasm_no_inputs", 4),
    (Q3 + "cal { }" + END3, "qasm_no_calibrations", 4),
    (Q3 + "delay[100ns] q[0];" + END3, "qasm_no_timing", 4),
    (Q3 + "while (c[0]) { x q[0]; }" + END3, "qasm_no_open_loops", 4),
    (Q3 + "#pragma fast\n" + END3, "qasm_no_pragmas", 4),
    (Q3 + "x $0;" + END3, "qasm_no_physical_qubits", 4),
    (Q3 + "if (c[0]) { qubit r; }" + END3, "qasm_no_inner_declarations", 4),
    (Q3 + "measure q[0];" + END3, "qasm_no_lost_measurements", 4),
    (Q3 + "c[0] = 1;" + END3, "qasm_no_assignments", 4),
    (Q3 + "rx(" + "(" * 60 + "1" + ")" * 60 + ") q[0];" + END3, "qasm_too_deep", 4),
    (Q3 + "if (c[0]) " * 30 + "x q[0];" + END3, "qasm_too_deep", 4),
    (Q3 + f"for int i in [0:{OPERATIONS_MAX}] {{ x q[0]; }}" + END3, "qasm_too_large", 4),
    (V3 + f"qubit[{QUBITS_MAX + 1}] q;", "qasm_too_wide", 3),
    (V3 + "bit c;", "qasm_without_qubits", 3),
    (Q3 + "x q[0];", "qasm_unmeasured", 4),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "line"), REFUSED)
def test_refused_with_its_line(text, code, line):
    if code is None:
        read_circuit(text)
        return
    assert (code, line) in codes(text)


def test_every_fault_is_told_at_once_and_once():
    text = Q3 + "foo q[0];\nx q[7];\nfor int i in [0:2] {\n  bar q[i];\n  rx(1/0) q[i];\n}\nx q[0];" + END3
    assert codes(text) == [
        ("qasm_unknown_gate", 4),
        ("qasm_index", 5),
        ("qasm_unknown_gate", 7),
        ("qasm_number", 8),
    ]


def test_faults_in_a_gate_are_told_where_it_is_made():
    text = Q2 + "gate wrong(a) x1, y1 {\n  rx(a) x1;\n  cx x1, x1;\n  foo y1;\n}\nwrong(1) q[0], q[1];" + END2
    assert codes(text) == [("qasm_twice", 6), ("qasm_unknown_gate", 7)]


def test_gates_of_gates_do_not_grow_without_bound():
    made = "gate g0 a { x a; }\n" + "".join(f"gate g{n} a {{ {f'g{n - 1} a; ' * 10} }}\n" for n in range(1, 12))
    assert codes(Q2 + made + "g11 q[0];" + END2) == [("qasm_too_large", 9)]


def test_a_text_that_is_too_large_or_none():
    for text, code in (("x" * (CIRCUIT_BYTES_MAX + 1), "too_large"), (b"\xff", "not_utf8"), (" \n", "empty")):
        with pytest.raises(FaultsError) as caught:
            read_circuit(text)
        assert [one.code for one in caught.value.faults] == [code]


WORDS = st.sampled_from(
    [
        "OPENQASM",
        "3.0",
        ";",
        "include",
        '"stdgates.inc"',
        "qubit",
        "[",
        "2",
        "]",
        "q",
        "bit",
        "c",
        "{",
        "}",
        "(",
        ")",
        "h",
        "cx",
        "x",
        "rx",
        "pi",
        "/",
        "0",
        ",",
        "->",
        "=",
        "measure",
        "if",
        "for",
        "int",
        "in",
        ":",
        "ctrl",
        "@",
        "pow",
        "inv",
        "gate",
        "let",
        "const",
        "++",
        "==",
        "!=",
        "!",
        '"',
        "$0",
        "#",
        "barrier",
        "reset",
        "1e400",
        "-1",
        "**",
        "\n",
    ]
)


@given(st.lists(WORDS, max_size=60))
def test_no_text_does_anything_but_read_or_fault(words):
    for head in ("", Q3, Q2):
        try:
            read_circuit(head + " ".join(words))
        except FaultsError:  # which always has one fault or more
            continue
