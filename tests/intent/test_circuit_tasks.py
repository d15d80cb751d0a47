"""Circuits in task files, and the task that a circuit's file becomes."""

import pytest

from suanwang.intent.circuits import circuit_task, noise_of
from suanwang.intent.read import read_task
from suanwang.model.error import FaultsError
from suanwang.model.grid import PoolKind
from suanwang.model.task import Circle, CircuitEntry, Noise, pool_kind

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q; bit[2] c;\nh q[0]; cx q[0], q[1];\nc = measure q;\n'
TASK = "run:\n  circuit: |\n" + "".join(f"    {line}\n" for line in BELL.splitlines())


def found(text: str) -> list[tuple[str, str]]:
    with pytest.raises(FaultsError) as caught:
        read_task(text)
    return [(one.code, one.where) for one in caught.value.faults]


def test_a_task_file_with_a_circuit():
    task = read_task(
        TASK + "  seed: 4\n  noise: {readout_ppm: 20}\n  max_queue: 5 min\nresources: {qubits: 2, shots: 10}"
    )
    assert task.run == CircuitEntry(circuit=BELL, seed=4, noise=Noise(readout_ppm=20), max_queue=300_000_000)
    assert pool_kind(task.resources) is PoolKind.QUANTUM


# text -> code, where
FAULTS = [
    (TASK + "resources: {qubits: 1, shots: 10}", "circuit_qubits", "resources.qubits"),
    ("run: {file: a.qasm}\ninputs: [{source: a.qasm, path: a.qasm}]", "circuit_qubits", "resources.qubits"),
    (TASK + "  file: a.qasm\nresources: {qubits: 2, shots: 1}", "circuit_entry", "run"),
    ("run: {seed: 1}\nresources: {qubits: 2, shots: 1}", "circuit_entry", "run"),
    ("run: {file: a.qasm}\nresources: {qubits: 2, shots: 1}", "circuit_file", "run.file"),
    (TASK + "secrets: [A]\nresources: {qubits: 2, shots: 1}", "circuit_with", "secrets"),
    (TASK + "environment: {A: b}\nresources: {qubits: 2, shots: 1}", "circuit_with", "environment"),
    (TASK + "checkpoint: a\nresources: {qubits: 2, shots: 1}", "circuit_with", "checkpoint"),
    (TASK + "resources: {qubits: 2, shots: 1, network: true}", "circuit_with", "resources.network"),
    (TASK + "resources: {qubits: 2}", "qubits_without_shots", "resources.qubits"),
    (TASK.replace("h q[0]", "foo q[0]"), "qasm_unknown_gate", "run.circuit.line 4"),
    (TASK + "  method: fast", "not_one_of", "run.method"),
    (TASK + "  seed: -1", "below", "run.seed"),
    (TASK + "  noise: {gate1_ppm: 2000000}", "above", "run.noise.gate1_ppm"),
    (TASK + "  sed: 1", "unknown_field_near", "run.sed"),
]


@pytest.mark.parametrize(("text", "code", "where"), FAULTS)
def test_faults_of_a_circuit_in_a_task_file(text, code, where):
    assert (code, where) in found(text)


def test_a_circuits_file_as_a_task():
    asked = {"shots": 500, "seed": 3, "noise": "gate2=0.01", "latency": "provincial", "budget": "2 yuan"}
    task, circuit = circuit_task(BELL, "bell.qasm", name="bell", **asked)
    assert (task.name, task.latency, task.price_limit) == ("bell", Circle.PROVINCIAL, 2_000_000)
    assert (task.resources.qubits, task.resources.shots) == (2, 500)
    assert [one.path for one in task.outputs] == ["counts.json"]
    assert task.run == CircuitEntry(circuit=BELL, seed=3, noise=Noise(gate2_ppm=10_000))
    assert circuit.qubits == 2
    assert circuit_task(BELL, "bell.qasm", noise="none")[0].run.noise == Noise()
    assert circuit_task(BELL, "bell.qasm", noise="device")[0].run.noise is None
    assert circuit_task(BELL.encode(), "bell.qasm")[0].resources.shots == 1_000


@pytest.mark.parametrize("noise", ["loud", "gate3=0.1", "gate1=2", "gate1=", "gate1=0.1,"])
def test_noise_that_is_none(noise):
    with pytest.raises(FaultsError) as caught:
        noise_of(noise)
    assert [one.code for one in caught.value.faults] == ["noise_form"]


def test_faults_of_what_was_asked_beside_the_circuit():
    with pytest.raises(FaultsError) as caught:
        circuit_task(BELL, "bell.qasm", latency="near", seed=-4)
    assert {one.where for one in caught.value.faults} == {"latency", "run.seed"}
