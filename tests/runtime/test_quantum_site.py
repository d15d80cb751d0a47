"""The operator's file of a quantum site, held against the grid; and circuits beside a host that emulates sites."""

import importlib.util
import os
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.beside import CircuitsBeside
from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.model.error import FaultsError
from suanwang.model.event import EventKind
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import CircuitEntry, Resources, TaskRequest
from suanwang.runtime import quantum_site
from suanwang.runtime.adapters import adapter_faults
from suanwang.runtime.quantum_site import (
    QuantumWish,
    discover_quantum,
    quantum_adapter,
    read_quantum_file,
    with_circuits,
)
from suanwang.runtime.settings import Settings

QPU = Pool(id="lab/qpu", kind=PoolKind.QUANTUM, nodes=2, qubits_per_node=20)
POOLS = {PoolId("lab/qpu"): QPU}


def codes(folder: Path, text: str | None, pools=None) -> list[tuple[str, int | None]]:
    file = folder / "quantum.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(FaultsError) as caught:
        read_quantum_file(
            Settings(home=folder, quantum_file=str(file) if text is not None else ""), POOLS if pools is None else pools
        )
    return [(one.code, one.line) for one in caught.value.faults]


def test_without_a_file_each_quantum_pool_has_a_device(tmp_path):
    assert set(read_quantum_file(Settings(home=tmp_path), POOLS).devices) == {"lab/qpu"}
    assert codes(tmp_path, None, {}) == [("quantum_no_pool", None)]


def test_what_a_file_can_have_wrong(tmp_path):
    head = "devices:\n  lab/qpu: {}\n"
    assert codes(tmp_path, "devices:\n  lab/other: {}\n") == [("quantum_pool_missing", 1), ("quantum_pool_unknown", 2)]
    assert codes(tmp_path, "devices:\n  lab/qpu:\n    qubits: 8\n") == [("quantum_qubits", 3)]
    assert codes(tmp_path, head, {**POOLS, PoolId("lab/g"): general("lab")}) == [("quantum_other_pool", 1)]
    if os.geteuid() == 0:
        assert codes(tmp_path, head + "user: root\n") == [("quantum_user_root", 3)]
        assert codes(tmp_path, head + "user: nobody-of-that-name\n") == [("quantum_user_unknown", 3)]
    with pytest.raises(FaultsError) as caught:
        read_quantum_file(Settings(home=tmp_path, quantum_file=str(tmp_path / "gone")), POOLS)
    assert [one.code for one in caught.value.faults] == ["quantum_file_unread"]


def test_an_agent_without_the_simulator_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    settings = Settings(home=tmp_path, adapter="quantum")
    assert adapter_faults(settings) == []
    with pytest.raises(FaultsError) as caught:
        quantum_adapter(settings, tmp_path, None, grid_of([site_of("lab", [QPU])], []), ("lab",))
    assert [(one.code, one.params) for one in caught.value.faults] == [
        ("quantum_needs", {"extra": "suanwang[quantum]"})
    ]


class Clock:
    now_us = 1_000_000

    def __call__(self) -> int:
        return self.now_us


def order(number: int, request: TaskRequest) -> StartOrder:
    return StartOrder(
        site=SiteId("lab"),
        pool=PoolId("lab/qpu"),
        task_id=TaskId(f"task-{number:026d}"),
        attempt_id=AttemptId(f"att-{number:026d}"),
        fence=1,
        request=request,
    )


def test_circuits_go_to_the_devices_and_everything_else_to_the_host():
    clock, made = Clock(), []

    def devices() -> FakeAdapter:
        made.append(FakeAdapter(clock, seed=2))
        return made[-1]

    host = FakeAdapter(clock, seed=1)
    both = CircuitsBeside(host, devices, at_once=False)
    plain = order(1, TaskRequest(run="true", tags={"fake.outcome": "hang"}))
    both.start(plain)
    assert not made, "nothing comes into being before the first circuit"
    run = CircuitEntry(circuit="OPENQASM 3;")
    circuit = order(2, TaskRequest(run=run, resources=Resources(qubits=1, shots=1), tags={"fake.outcome": "hang"}))
    both.start(circuit)
    (own,) = made
    assert (host.knows(plain.attempt_id), own.knows(circuit.attempt_id)) == (True, True)
    assert not host.knows(circuit.attempt_id)
    clock.now_us += 60_000_000
    assert {one.attempt_id for one in both.poll()} == {plain.attempt_id, circuit.attempt_id}
    for one in (plain, circuit):
        both.save(one.attempt_id)
        both.stop(one.attempt_id)
    clock.now_us += 60_000_000
    ends = [one.attempt_id for one in both.poll() if one.kind is EventKind.STOPPED]
    assert sorted(ends) == [plain.attempt_id, circuit.attempt_id]
    for one in (plain, circuit):
        assert both.knows(one.attempt_id)
        assert isinstance(both.read_logs(one.attempt_id, 0, 10), bytes)
        both.deliver(one.attempt_id, ())
        both.forget(one.attempt_id)
        assert not both.knows(one.attempt_id)
    assert both.manifest is host.manifest
    both.next_wake_us()
    both.close()


def test_a_host_has_devices_only_where_there_are_pools_and_a_simulator(tmp_path, monkeypatch):
    host = FakeAdapter(Clock(), seed=1)
    settings, lab = Settings(home=tmp_path), grid_of([site_of("lab", [QPU])], [])
    monkeypatch.setattr(quantum_site, "has_simulator", lambda: False)
    assert with_circuits(host, settings, tmp_path, None, lab, {}) is host
    monkeypatch.setattr(quantum_site, "has_simulator", lambda: True)
    assert with_circuits(host, settings, tmp_path, None, grid_of([site_of("g", [general("g")])], []), {}) is host
    assert isinstance(with_circuits(host, settings, tmp_path, None, lab, {}), CircuitsBeside)


@pytest.mark.skipif(importlib.util.find_spec("qiskit_aer") is None, reason="needs qiskit-aer (suanwang[quantum])")
def test_a_site_that_joins_has_a_device_as_large_as_was_said_or_as_its_memory_holds():
    (said,) = discover_quantum(QuantumWish(processors=3, qubits=40)).pools
    assert (said.kind, said.nodes, said.qubits_per_node) == (PoolKind.QUANTUM, 3, 40)
    found = discover_quantum(QuantumWish())
    assert (found.pools[0].nodes, found.pools[0].qubits_per_node) == (1, 26)
    assert found.version.startswith("qiskit-aer ")
    assert "cpu" not in found.limits and "memory" in found.limits


def test_without_the_simulator_no_site_joins(monkeypatch):
    monkeypatch.setattr(quantum_site, "has_simulator", lambda: False)
    with pytest.raises(FaultsError) as refused:
        discover_quantum(QuantumWish())
    assert [fault.code for fault in refused.value.faults] == ["quantum_needs"]
