"""Short texts that ask for much: what reading them may take is counted in calls of the interpreter and bytes, not in seconds."""

import sys
import threading
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.model.error import FaultsError
from suanwang.qasm import read_circuit, scope, statements, tokens
from suanwang.qasm.circuit import Barrier, Circuit, Gate, If, Measure, Operation, Register, Reset
from suanwang.qasm.definitions import FAULTS_MAX, NESTED_MAX
from suanwang.qasm.scope import QUBITS_MAX

V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
Q3 = V3 + "qubit[3] q; bit[3] c;\n"
WIDE = V3 + f"qubit[{QUBITS_MAX}] q; bit[{QUBITS_MAX}] c;\n"
END = "c = measure q;"
STEPS = 20_000  # of the readings here
CALLS_A_STEP = 20  # measured: below 12
BYTES_A_STEP = 500
BYTES_ANYWAY = 24 * 2**20  # two registers of 100,000, and what the circuit's facts take


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(tokens, "STEPS_MAX", STEPS)


def codes(text: str) -> list[tuple[str, int | None]]:
    with pytest.raises(FaultsError) as caught:
        read_circuit(text)
    return [(one.code, one.line) for one in caught.value.faults]


def calls_of(text: str) -> int:
    """Calls of functions, those of the interpreter's own too, that reading takes."""
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        read_circuit(text)
    except FaultsError:
        pass
    finally:
        sys.setprofile(before)
    return count


def bytes_of(text: str) -> int:
    """The most memory that reading holds at a time."""
    tracemalloc.start()
    try:
        read_circuit(text)
    except FaultsError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


def doubling(levels: int) -> str:
    """Gates that come to nothing, each from two of the one before it with parameters of its own."""
    twice = "".join(f"gate g{n}(x) a {{ g{n - 1}(x*1.1) a; g{n - 1}(x*1.3+1) a; }}\n" for n in range(1, levels))
    return f"gate g0(x) a {{}}\n{twice}"


def names(count: int) -> str:
    return ", ".join(f"a{n}" for n in range(count))


LOOP = "for int i in [0:99999] "
# name -> text
WITHOUT_END = {
    "gates that double": Q3 + doubling(30) + END,
    "loops of nothing": Q3 + "".join(LOOP.replace("int i", f"int {name}") for name in "ijk") + "{}" + END,
    "long numbers in a loop": Q3 + LOOP + "{ rx(" + "+".join(["sin(i)"] * 200) + ") q[0]; }" + END,
    "barriers over everything": WIDE + "for int i in [1:200] { barrier; }" + END,
    "barriers over a register": WIDE + "for int i in [1:200] { barrier q; }" + END,
    "conditions over a range": WIDE + LOOP + "{ if (c[0:99999] == 0) { x q[0]; } }",
    "long words of bits in a loop": Q3 + LOOP + f'{{ if (c[0] == "{"0" * 5000}") {{ x q[0]; }} }}',
    "one qubit beside a register": V3 + f"qubit[{STEPS // 2}] q; gate g {names(200)} {{}} g "
    + "".join(f"q[{n}], " for n in range(199)) + "q[200:9000];",
    "parameters beside a register": V3 + f"qubit[9000] q; gate g({names(200)}) a {{}} g({', '.join('1' * 200)}) q;",
    "modifiers beside a register": V3 + "qubit[9000] q; " + "inv @ " * 2000 + "x q;",
    "controls of a large gate": V3 + f"qubit[999] q; gate g a {{ {'x a; ' * 400} }} ctrl(64) @ ctrl(64) @ g "
    + ", ".join(f"q[{n}]" for n in range(129)) + ";",
    "parts of parts": V3 + "qubit[9000] q; x q" + "[:]" * 9000 + ";",
    "a large gate in a loop": V3 + f"qubit[900] q; gate g {names(900)} {{}} {LOOP} {{ g "
    + ", ".join(f"q[{n}]" for n in range(900)) + "; }",
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_END)
def test_work_without_end_stops_at_the_budget_with_one_fault(name, few_steps):
    text = WITHOUT_END[name]
    assert [code for code, _ in codes(text)] == ["qasm_too_many_steps"]
    assert calls_of(text) < CALLS_A_STEP * (STEPS + len(text))
    assert bytes_of(text) < BYTES_ANYWAY + BYTES_A_STEP * (STEPS + len(text))


# text, code: bounded in other ways, and told as what is wrong
BOUNDED = [
    (V3 + "qubit[99] q; let a0 = q ++ q;" + "".join(f"let a{n} = a{n - 1} ++ a{n - 1};" for n in range(1, 12)), "qasm_too_wide"),
    (Q3 + "x q[2:-1:-5];", "qasm_index"),
    (Q3 + "x q[0:1000000000000];", "qasm_index"),
    (Q3 + "rx(2**(2**40)) q[0];", "qasm_number"),
    (Q3 + "rx(" + "9*" * 60 + "9) q[0];", "qasm_number"),
    (Q3 + "rx(" + "1" * 9_999 + ") q[0];", "qasm_number"),
    (Q3 + "rx(0." + "1" * 9_999 + ") q[0];", "qasm_number"),
    (Q3 + "rx(1e99999999) q[0];", "qasm_number"),
    (Q3 + "rx(" + "(" * 9_999 + ") q[0];", "qasm_too_deep"),
    (Q3 + "rx(" + "-" * 9_999 + "1) q[0];", "qasm_too_deep"),
    (Q3 + "rx(" + "2**" * 9_999 + "1) q[0];", "qasm_too_deep"),
    (Q3 + "ctrl(1000000) @ x q[0];", "qasm_size"),
    (Q3 + "gate two a { x a; y a; } pow(1e9) @ two q[0];", "qasm_too_large"),
    (Q3 + "pow(1e18) @ pow(1e18) @ x q[0];", "qasm_number"),
    (Q3 + "pow(1e18) @ pow(1e18) @ gphase(1);", "qasm_number"),
    (Q3 + f'if (c[0] == "{"1" * 9_999}") {{ x q[0]; }}', "qasm_condition"),
    (V3 + "qubit[1000000000000000] q;", "qasm_too_wide"),
    (V3 + "bit[1000000000000000] q;", "qasm_too_wide"),
    (Q3 + "for int i in [0:1000000000000000] {}", "qasm_too_large"),
    (Q3 + "/*" * 9_999, "qasm_expected_statement"),
    (Q3 + "if (c[0]) {" * 9_999, "qasm_too_deep"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), BOUNDED, ids=[f"{n} {code}" for n, (_, code) in enumerate(BOUNDED)])
def test_what_is_too_large_is_refused_before_it_is_made(text, code):
    assert codes(text)[0][0] == code
    assert bytes_of(text) < BYTES_ANYWAY + BYTES_A_STEP * len(text)


@pytest.mark.parametrize("text", ["let a = q[0]" + " ++ q[0]" * 2_000 + ";", "x q[{" + "0," * 2_000 + "0}];"])
def test_a_row_is_no_longer_than_a_device(text, monkeypatch):
    """Not by a qubit that is named again either."""
    for module in (scope, statements):
        monkeypatch.setattr(module, "QUBITS_MAX", 2_000)
    assert ("qasm_too_wide", 4) in codes(Q3 + text)


def test_a_gate_of_many_qubits_is_read_in_one_pass():
    count = 20_000
    assert codes(V3 + f"qubit q; gate g {names(count)} {{}} gate k {names(count)} {{}}") == [("qasm_unmeasured", 3)]


def test_reading_ends_at_as_many_faults_as_a_person_reads():
    assert len(codes(Q3 + "foo;\n" * 3 * FAULTS_MAX)) == FAULTS_MAX
    text = Q3 + "foo; " * 50_000
    assert codes(text) == [("qasm_unknown_gate", 4)]
    assert calls_of(text) < 4 * len(text), "one line, one fault; the others are not looked for"


def chain(length: int, params: str = "(x)") -> str:
    made = "".join(f"gate g{n}{params} a {{ g{n - 1}{params.replace('x', 'x*1.1')} a; }}\n" for n in range(1, length))
    return f"gate g0{params} a {{ {'rx(x)' if params else 'x'} a; }}\n{made}"


@pytest.mark.parametrize("params", ["(x)", ""])
def test_gates_of_gates_are_as_deep_as_is_said(params):
    given_ = params.replace("x", "0.5")
    text = Q3 + chain(NESTED_MAX, params) + f"g{NESTED_MAX - 1}{given_} q[0];" + END
    assert [type(one) for one in read_circuit(text).operations] == [Gate, Measure, Measure, Measure]
    assert codes(Q3 + chain(400, params) + f"g399{given_} q[0];" + END) == [("qasm_too_deep", 4 + NESTED_MAX)]


def test_everything_as_deep_as_it_may_be_fits_on_the_stack():
    brackets = "sin(" * 49 + "x" + ")" * 49
    gates = f"gate g0(x) a {{ rx({brackets}) a; }}\n" + "".join(
        f"gate g{n}(x) a {{ g{n - 1}(x*1.1) a; }}\n" for n in range(1, NESTED_MAX)
    )
    text = Q3 + gates + "if (c[0]) { " * 19 + f"g{NESTED_MAX - 1}(0.5) q[0];" + "}" * 19 + END
    found: list[Circuit] = []
    thread = threading.Thread(target=lambda: found.append(read_circuit(text)))  # as a worker of the API has it
    thread.start()
    thread.join()
    assert len(found) == 1, "no RecursionError"


def test_a_body_sees_the_names_where_it_is_defined():
    text = Q3 + "const float k = 0.25; gate g a { rx(k) a; } gate f(k) a { g a; rx(k) a; } f(0.5) q[0]; g q[1];" + END
    assert [one.params for one in read_circuit(text).operations[:3]] == [(0.25,), (0.5,), (0.25,)]


# Made by rules ------------------------------------------------------------------------------------------------

PARTS = st.sampled_from([
    "x q;", "g0(i) q;", "g1(0.1) q[0];", "barrier q;", "barrier;", "reset q;", "c = measure q;", "{", "}", "else",
    "for int i in [0:9999] {", "for int j in [0:50000]", "for int k in {1, 2, 3} {", "if (c == 5) {", "if (!c[0])",
    "let a = q ++ q[{0, 0, 1}];", "let b = a ++ a;", "gate g0(x) a {", "gate g1(x) a { g0(x*2) a; g0(x*3) a; }",
    "gate g2(x) a { g1(x*2) a; g1(x*3) a; }", "pow(99) @ g2(2) a;", "ctrl @ pow(9) @ g2(i) q[0], q[1];", "inv @ g1(3) q;",
    "x a;", "rx(2**i) b;", "rx(((i))) q[0:i];", "const int n = 99999;", "qubit[n] w;", "x w;", "x q[:][:];", "/*", "*/",
])  # fmt: skip


@given(st.lists(PARTS, max_size=40))
def test_no_text_takes_more_than_the_budget(parts):
    text = Q3 + " ".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "STEPS_MAX", 2_000)
        assert calls_of(text) < CALLS_A_STEP * (2_000 + len(text))


BITS = st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True).map(tuple)
QUBITS = st.lists(st.integers(0, 3), min_size=1, max_size=2, unique=True).map(tuple)
LEAVES = st.one_of(
    st.builds(lambda qubits: Gate("x", (), qubits), QUBITS),
    st.builds(Barrier, QUBITS),
    st.builds(Reset, st.integers(0, 3)),
    st.builds(Measure, st.integers(0, 3), st.integers(0, 4)),
)
OPERATIONS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        If,
        BITS,
        st.just(0),
        st.lists(inner, min_size=1, max_size=4).map(tuple),
        st.lists(inner, max_size=2).map(tuple),
    ),
    max_leaves=12,
)


def plain_depth(operations: Iterable[Operation], levels: dict, waits: tuple[int, ...] = ()) -> int:
    """By the definition: an operation in a branch waits for every bit of every condition around it, and lifts it."""
    for one in operations:
        if isinstance(one, If):
            plain_depth(one.then, levels, (*waits, *one.bits))
            plain_depth(one.otherwise, levels, (*waits, *one.bits))
            continue
        wires = {("bit", bit) for bit in waits}
        if isinstance(one, Measure):
            wires |= {("qubit", one.qubit), ("bit", one.bit)}
        else:
            wires |= {("qubit", qubit) for qubit in ((one.qubit,) if isinstance(one, Reset) else one.qubits)}
        level = max(levels.get(wire, 0) for wire in wires) + (not isinstance(one, Barrier))
        levels |= dict.fromkeys(wires, level)
    return max(levels.values(), default=0)


@given(st.lists(OPERATIONS, max_size=8))
def test_depth_through_branches(operations):
    circuit = Circuit(3, 4, (Register("c", 5),), tuple(operations))
    assert circuit.facts().depth == plain_depth(operations, {})
