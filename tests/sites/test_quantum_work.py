"""Circuits on simulated devices: what comes out, what is refused, and what becomes of them when something breaks."""

import io
import json
import os
import signal
from pathlib import Path

import pytest
from tests.sites.quantum_rig import (
    BELL,
    ENDLESS,
    NOISY,
    QUANTUM,
    V2,
    V3,
    QuantumRig,
    children_of,
    circuit,
    device,
    ghz,
    runners,
)

from suanwang.agent.adapters.quantum.settings import Calibration
from suanwang.model.error import BackendError, ConflictError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason as R
from suanwang.model.task import Input, Noise, Output, Resources, TaskRequest

pytestmark = QUANTUM


@pytest.fixture
def rig(quantum):
    return quantum


def share(found: dict, *rows: str) -> float:
    """Of all shots, those that came to one of the rows."""
    return sum(found["counts"].get(one, 0) for one in rows) / found["shots"]


# Physics ------------------------------------------------------------------------------------------------------


def test_twenty_qubits_in_one_state_are_all_0_or_all_1(rig):
    found = rig.counts(circuit(ghz(20), 20, seed=11, method="statevector"))
    assert set(found["counts"]) == {"0" * 20, "1" * 20}
    assert sum(found["counts"].values()) == found["shots"] == 1000
    assert min(found["counts"].values()) > 400, "far outside of five standard deviations would be 421"
    assert (found["method"], found["qubits"], found["depth"], found["openqasm"]) == ("statevector", 20, 21, 3)
    assert found["qpu_us"] > 0


def test_a_bell_pair_is_even_and_comes_out_the_same_with_its_seed(rig):
    first = rig.counts(circuit(BELL, 2, 10_000, seed=3))
    assert set(first["counts"]) == {"00", "11"}
    assert abs(share(first, "00") - 0.5) < 0.025, "five standard deviations"
    again = rig.counts(circuit(BELL, 2, 10_000, seed=3))
    other = rig.counts(circuit(BELL, 2, 10_000, seed=4))
    assert first["counts"] == again["counts"] != other["counts"]
    unsaid = rig.counts(circuit(BELL, 2, 10_000))
    assert rig.counts(circuit(BELL, 2, 10_000, seed=unsaid["seed"]))["counts"] == unsaid["counts"]


def test_noise_is_the_devices_own_unless_the_task_says_otherwise(rig):
    noisy = rig.counts(circuit(BELL, 2, 4000, seed=5), "noisy")
    clean = rig.counts(circuit(BELL, 2, 4000, seed=5, noise=Noise()), "noisy")
    worse = rig.counts(circuit(BELL, 2, 4000, seed=5, noise=Noise(readout_ppm=250_000)), "noisy")
    assert share(clean, "00", "11") == 1.0
    assert 0.85 < share(noisy, "00", "11") < 0.97
    # Each bit is read wrongly in a quarter of the cases: both or none is 1/16 + 9/16.
    assert abs(share(worse, "00", "11") - 0.625) < 0.04
    assert noisy["noise"] == NOISY.model_dump()


def test_sixty_qubits_fit_as_a_row_of_matrices(rig):
    found = rig.counts(circuit(ghz(60), 60, 200, seed=1, method="matrix_product_state"))
    assert set(found["counts"]) == {"0" * 60, "1" * 60}
    assert found["method"] == "matrix_product_state"


def test_registers_and_conditions_come_out_as_qiskit_writes_them(rig):
    text = V2 + "qreg q[2]; creg a[2]; creg b[1]; x q[1]; measure q -> a; if (a==2) x q[0]; measure q[0] -> b[0];"
    assert rig.counts(circuit(text, 2, 100))["counts"] == {"1 10": 100}


def test_elements_of_an_array_have_seeds_that_count_on(rig):
    request = circuit(BELL, 2, 1000, seed=8, array=2, outputs=(Output(path="counts.json"),))
    end = rig.run(request)
    parts = []
    for output in end.outputs:
        with rig.objects.open(output.blake3) as stream:
            parts.append(json.load(stream))
    assert [one.path for one in end.outputs] == ["0/counts.json", "1/counts.json"]
    assert [one["seed"] for one in parts] == [8, 9]
    assert parts[1]["counts"] == rig.counts(circuit(BELL, 2, 1000, seed=9))["counts"]


# Refused ------------------------------------------------------------------------------------------------------

# request, pool -> reason, words of the detail
AT_THE_DOOR = [
    (TaskRequest(run="true", resources=Resources(qubits=1, shots=1)), "general", R.LIMIT_UNSUPPORTED, "no commands"),
    (circuit(BELL, 2, image="other"), "general", R.IMAGE_UNKNOWN, "other"),
    (circuit(BELL, 2), "nowhere", R.BACKEND, "no device"),
    (circuit(BELL, 5), "small", R.CIRCUIT_REFUSED, "5 qubits; the device has 4"),
    (circuit(BELL, 2, 2001), "small", R.CIRCUIT_REFUSED, "2001 shots"),
    (circuit(BELL, 2, method="stabilizer"), "small", R.CIRCUIT_REFUSED, "method stabilizer"),
]


@pytest.mark.parametrize(("request_", "pool", "reason", "words"), AT_THE_DOOR)
def test_refused_before_it_is_taken(rig, request_, pool, reason, words):
    rig.base += 1
    with pytest.raises(BackendError) as caught:
        rig.start(request_, 0, pool)
    assert caught.value.reason is reason
    assert words in caught.value.detail


# text, pool, changes (`qubits` are asked for, 4 where nothing is said) -> reason, words of the detail
ON_THE_DEVICE = [
    ("OPENQASM 2.0;\nqreg q[1];\nfoo q[0];", "general", {}, R.CIRCUIT_REFUSED, "line 3: There is no gate `foo`"),
    ('OPENQASM 2.0;\ninclude "/etc/passwd";', "general", {}, R.CIRCUIT_REFUSED, "cannot be included"),
    (ghz(4), "small", {"seed": 1}, None, ""),
    (ghz(6), "small", {}, R.CIRCUIT_REFUSED, "the circuit has 6 qubits"),
    (ghz(5), "general", {}, R.CIRCUIT_REFUSED, "the circuit has 5 qubits; 4 were asked for"),
    (V3 + "qubit q; bit c; for int i in [1:6] { x q; } c = measure q;", "small", {}, R.CIRCUIT_REFUSED, "depth 7"),
    (BELL.replace("h q", "t q"), "general", {"method": "stabilizer"}, R.CIRCUIT_REFUSED, "invalid instructions"),
    (ghz(30), "general", {"method": "statevector", "qubits": 30}, R.OUT_OF_MEMORY, "nsufficient memory"),
]


@pytest.mark.parametrize(("text", "pool", "changes", "reason", "words"), ON_THE_DEVICE)
def test_refused_by_the_device(rig, text, pool, changes, reason, words):
    """What nobody could see before: the circuit is a file."""
    request = circuit(text, **{"qubits": 4, "shots": 100, **changes})
    stored = rig.objects.put(io.BytesIO(text.encode()))
    run = request.run.model_copy(update={"circuit": None, "file": "in/circuit.qasm"})
    source = Input(source=f"object:{stored.blake3}", path="in/circuit.qasm")
    end = rig.run(request.model_copy(update={"run": run, "inputs": (source,)}), pool)
    assert end.reason is reason
    assert words in end.detail
    if reason is not None:
        assert f"refused: {reason.value}" in rig.log(end)


def test_a_circuit_that_was_not_staged_is_missing(rig):
    run = circuit(BELL, 2).run.model_copy(update={"circuit": None, "file": "gone.qasm"})
    assert rig.run(circuit(BELL, 2).model_copy(update={"run": run})).reason is R.INPUT_MISSING


def test_counts_that_do_not_fit(rig):
    text = V3 + "qubit[12] q; bit[12] c; h q; c = measure q;"
    request = circuit(text, 12, 5000)
    resources = request.resources.model_copy(update={"disk": 4096})
    assert rig.run(request.model_copy(update={"resources": resources})).reason is R.DISK_FULL


# The device ---------------------------------------------------------------------------------------------------


def test_one_circuit_at_a_time_on_a_processor(rig):
    rig.base += 2
    rig.start(circuit(ENDLESS, 12, 1_000_000), 0, "single")
    first = rig.until_kind(EventKind.RUNNING).attempt_id
    seen = rig.seen
    rig.start(circuit(BELL, 2), 1, "single")
    rig.seen = seen
    for _ in range(20):
        rig.seen += rig.adapter.poll()
        rig.pass_time()
    assert [one.attempt_id for one in rig.seen if one.kind is EventKind.RUNNING] == [first]
    rig.adapter.stop(first)
    rig.until(lambda: any(one.kind is EventKind.FINISHED for one in rig.seen))
    kinds = [(one.attempt_id == first, one.kind) for one in rig.seen]
    assert kinds.index((True, EventKind.STOPPED)) < kinds.index((False, EventKind.FINISHED))
    rig.base += 1


def test_a_stopped_circuit_leaves_no_process(rig):
    (runner,) = runners()
    rig.base += 1
    order = rig.start(circuit(ENDLESS, 12, 1_000_000), 0)
    rig.until_kind(EventKind.RUNNING)
    rig.until(lambda: children_of(runner))
    (pid,) = children_of(runner)
    rig.adapter.stop(order.attempt_id)
    assert rig.end().kind is EventKind.STOPPED
    rig.until(lambda: not children_of(runner))
    if os.geteuid() == 0:
        assert pid != runner


def test_a_process_that_was_killed_from_outside_is_told_as_its_signal(rig):
    (runner,) = runners()
    rig.base += 1
    rig.start(circuit(ENDLESS, 12, 1_000_000), 0)
    rig.until(lambda: children_of(runner))
    os.kill(children_of(runner)[0], signal.SIGTERM)
    end = rig.end()
    assert (end.reason, end.signal) == (R.SIGNAL, 15)


def test_a_circuit_has_no_rights(rig):
    """Its process is another user's, may gain nothing, sees no network, and ends with its parent."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give rights up")
    (runner,) = runners()
    rig.base += 1
    order = rig.start(circuit(ENDLESS, 12, 1_000_000), 0)
    rig.until(lambda: b"started" in rig.adapter.read_logs(order.attempt_id, 0, 100))
    (pid,) = children_of(runner)
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    assert set(status["Uid"].split()) == {"65534"}
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapEff"], 16) == 0
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    rig.adapter.stop(order.attempt_id)
    rig.end()


def test_a_device_that_is_calibrated_takes_nothing(rig):
    end = rig.run(circuit(BELL, 2), "closed")
    assert end.reason is R.BACKEND
    assert "takes no circuit for" in end.detail
    assert "calibration" in end.detail


def test_who_waits_longer_than_it_may_is_planned_again(rig):
    rig.base += 2
    first = rig.start(circuit(ENDLESS, 12, 1_000_000), 0, "single")
    rig.until_kind(EventKind.RUNNING)
    rig.start(circuit(BELL, 2, max_queue=200_000), 1, "single")
    end = rig.end()
    assert end.reason is R.BACKEND
    assert "no processor within 0.2 s" in end.detail
    rig.adapter.stop(first.attempt_id)
    rig.base += 1


def test_calibrations_are_times_of_the_day():
    one = device(calibration=(Calibration(at="02:00", span=3_600_000_000), Calibration(at="23:30", span=3_600_000_000)))
    hour, midnight = 3_600_000_000, 16 * 3_600_000_000  # of 1970-01-02 in UTC+8
    assert one.until_us(midnight + 2 * hour) == midnight + 3 * hour
    assert one.until_us(midnight + 3 * hour) is None
    assert one.until_us(midnight + hour // 4) == midnight + hour // 2
    assert one.until_us(midnight + 12 * hour) is None


def test_the_runner_is_replaced_when_it_dies(rig):
    (runner,) = runners()
    rig.base += 1
    rig.start(circuit(ENDLESS, 12, 1_000_000), 0)
    rig.until(lambda: children_of(runner))
    (task,) = children_of(runner)
    os.kill(runner, signal.SIGKILL)
    end = rig.end()
    assert end.reason is R.BACKEND
    assert "the device's process ended" in end.detail
    assert rig.counts(circuit(BELL, 2, 100, seed=1))["shots"] == 100
    assert runners() != [runner]
    assert task not in children_of(1)


def test_a_restart_begins_again_what_ran_and_comes_to_the_same(rig):
    """The attempt is the same: it is not told twice that it runs, and what it comes to is what it would have come to."""
    text = (
        V3
        + "qubit[10] q; bit[10] c; for int i in [0:40] { h q; rx(0.3) q; c = measure q; reset q; } h q; c = measure q;"
    )
    expected = rig.counts(circuit(text, 10, 30, seed=6))
    rig.base += 1
    order = rig.start(circuit(text, 10, 30, seed=6), 0)
    rig.until(lambda: b"started" in rig.adapter.read_logs(order.attempt_id, 0, 100))
    seen = rig.seen
    rig.reopen()
    rig.seen = seen
    end = rig.end()
    assert [one.kind for one in rig.seen].count(EventKind.RUNNING) == 1
    assert rig.content(end)["counts"] == expected["counts"]
    assert rig.log(order).startswith("started: ")
    assert "\nbegun again: the agent was restarted\nstarted: " in rig.log(order)
    rig.reopen()
    rig.seen = []
    assert rig.end() == end, "the last word is told again"


def test_two_agents_cannot_have_one_folder(rig):
    with pytest.raises(ConflictError):
        rig.new()


def test_a_simulator_that_does_not_start_is_a_device_that_is_down(tmp_path):
    for python in (("/bin/false",), ("/nonexistent/python",)):
        one = QuantumRig(tmp_path / python[0].rpartition("/")[2], device(), python=python)
        try:
            end = one.run(circuit(BELL, 2))
            assert end.reason is R.BACKEND
            assert "is down" in end.detail
        finally:
            one.close()
