"""A brain, an agent's process with the quantum adapter, and circuits that are planned, run, counted and charged."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of
from tests.sites.quantum_rig import BELL, QUANTUM, V3, children_of

from suanwang.cli.main import run
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.intent.circuits import circuit_task
from suanwang.model.grid import Pool, PoolKind, PriceBook
from suanwang.model.ids import TenantId
from suanwang.model.plan import ChargeKind
from suanwang.model.principal import Role
from suanwang.model.reason import FailureReason, PoolReason
from suanwang.model.record import Phase
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings

pytestmark = QUANTUM
WAIT_S = 90.0
FILE = """
devices:
  lab/qpu:
    memory: 512 MiB
    noise: {readout_ppm: 10000}
"""
# Some seconds of one core, in little memory.
LONG = (
    V3 + "qubit[12] q; bit[12] c; for int i in [0:49] { h q; rx(0.3) q; c = measure q; reset q; } h q; c = measure q;"
)


def qpu(site: str, qubits: int, nodes: int = 1) -> Pool:
    return Pool(id=f"{site}/qpu", kind=PoolKind.QUANTUM, nodes=nodes, qubits_per_node=qubits, power_w_per_node=1_000)


def grid_file(folder: Path) -> Path:
    """The laboratory, a device that is cheaper and too small, and a place for people."""
    books = (
        PriceBook(id="plain", qpu_hour_micro_yuan=36_000_000, qpu_shot_micro_yuan=10),
        PriceBook(id="cheap", qpu_hour_micro_yuan=1_000, qpu_shot_micro_yuan=1),
    )
    sites = [
        site_of("home", [general("home")]),
        site_of("lab", [qpu("lab", 30)]),
        site_of("small", [qpu("small", 2)], book="cheap"),
    ]
    links = [link_of("one", "home", "lab", latency=4_000), link_of("two", "home", "small")]
    file = folder / "grid.yaml"
    file.write_text(dump_grid(grid_of(sites, links, books=books)), "utf-8")
    return file


class Lab:
    """A brain in this process, and the agent of the laboratory in one of its own."""

    def __init__(self, folder: Path, here) -> None:
        self.folder, self.here = folder, here
        self.client = Client(here.url, here.key)
        operator = here.brain.authenticate(here.key)
        self.key = here.brain.issue_key(operator, TenantId("local"), Role.AGENT, ("lab",))[1]
        (folder / "quantum.yaml").write_text(FILE)
        self.agent: subprocess.Popen | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "SUANWANG_URL": self.here.url,
            "SUANWANG_KEY": self.key,
            "SUANWANG_HOME": str(self.folder / "agent"),
            "SUANWANG_QUANTUM_FILE": str(self.folder / "quantum.yaml"),
        }
        command = [sys.executable, "-m", "suanwang.cli", "agent", "--adapter", "quantum", "--site", "lab"]
        self.agent = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def below(self) -> list[int]:
        """The runner, and what it runs."""
        runner = children_of(self.agent.pid)
        return [*runner, *(one for pid in runner for one in children_of(pid))]

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.agent is not None:
            below = self.below()
            self.agent.send_signal(number)
            self.agent.wait(30)
            self.until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in below))

    def until(self, holds):
        deadline = time.monotonic() + WAIT_S
        while not (found := holds()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    def submit(self, text: str, **asked):
        return self.client.submit(circuit_task(text, "circuit", **asked)[0])

    def counts(self, task) -> dict:
        return json.loads(b"".join(self.client.outputs.read(task, "counts.json")))


@contextmanager
def laboratory(folder: Path):
    settings = Settings(home=folder / "home", grid=str(grid_file(folder)), port=0, heartbeat_lost_s=60)
    with serving(settings, with_agent=False) as here:
        made = Lab(folder, here)
        made.start()
        try:
            made.until(lambda: any(site.live for site in made.client.panorama().sites if site.id == "lab"))
            yield made
        finally:
            made.client.close()
            made.end()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with laboratory(tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_a_circuit_is_planned_run_counted_and_charged(lab):
    """At the laboratory, though the small device is cheaper: three qubits do not fit there."""
    text = V3 + "qubit[3] q; bit[3] c; h q[0]; cx q[0], q[1]; cx q[1], q[2]; c = measure q;"
    task = lab.submit(text, shots=2000, seed=7, noise="none", latency="provincial", budget="200 yuan")
    done = lab.client.wait(task.task_id, timeout_s=WAIT_S)
    assert done.phase is Phase.SUCCEEDED
    counts = lab.counts(done)
    assert set(counts["counts"]) == {"000", "111"}
    assert (counts["shots"], counts["seed"], counts["device"]) == (2000, 7, "lab/qpu")
    bill = lab.client.task_bill(task.task_id)
    lines = {charge.line.kind: charge.line for charge in bill.charges}
    assert lines[ChargeKind.QPU_SHOT].amount_micro_yuan == 2000 * 10
    held_us = lines[ChargeKind.QPU].quantity
    assert held_us >= counts["qpu_us"]
    # 36 yuan an hour are one hundredth of a yuan a second.
    assert lines[ChargeKind.QPU].amount_micro_yuan == (held_us * 36_000_000 + 1_800_000_000) // 3_600_000_000
    assert bill.total_micro_yuan <= bill.quote_micro_yuan
    assert not bill.emulated, "a site that sells simulation"


def test_too_many_qubits_are_refused_with_the_reason(lab):
    text = V3 + "qubit[31] q; bit[31] c; h q; c = measure q;"
    answer = lab.client.plan(circuit_task(text, "wide")[0])
    assert answer.plan is None
    assert {one.reason for one in answer.report.clauses} >= {PoolReason.KIND, PoolReason.NODE_SHAPE}
    (hint,) = answer.report.relaxations
    assert (hint.field, hint.asked, hint.needed, hint.pool) == ("resources.qubits", "31", "30", "lab/qpu")
    assert lab.client.wait(lab.submit(text).task_id, timeout_s=WAIT_S).phase is Phase.REFUSED


def test_a_device_that_is_down_is_not_waited_for_at_once_again(lab):
    """Two qubits would fit at the small device, whose agent is not there; so the plan waits or goes to the laboratory."""
    done = lab.client.wait(lab.submit(BELL, shots=100).task_id, timeout_s=WAIT_S)
    assert done.phase is Phase.SUCCEEDED
    assert lab.counts(done)["noise"]["readout_ppm"] == 10_000, "the device's own"


def test_a_circuit_in_a_file_that_is_none_fails_once(lab, tmp_path):
    (tmp_path / "bad.qasm").write_text("OPENQASM 2.0;\nqreg q[1];\nfoo q[0];\n")
    task = {
        "run": {"file": "bad.qasm"},
        "inputs": [{"source": "bad.qasm", "path": "bad.qasm"}],
        "resources": {"qubits": 3, "shots": 1},
    }
    done = lab.client.wait(lab.client.submit(task, files=tmp_path).task_id, timeout_s=WAIT_S)
    assert (done.phase, done.reason) == (Phase.FAILED, FailureReason.CIRCUIT_REFUSED)
    assert done.attempts == 1


def test_a_cancelled_circuit_ends(lab):
    task = lab.submit(LONG, shots=1_000_000)
    lab.until(lambda: lab.client.task(task.task_id).phase is Phase.RUNNING)
    assert len(lab.below()) == 2
    lab.client.cancel(task.task_id)
    assert lab.client.wait(task.task_id, timeout_s=WAIT_S).phase is Phase.CANCELLED
    lab.until(lambda: len(lab.below()) == 1)


def test_the_command_line_runs_a_file(lab, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SUANWANG_URL", lab.here.url)
    monkeypatch.setenv("SUANWANG_KEY", lab.here.key)
    file = tmp_path / "bell.qasm"
    file.write_text(BELL)
    asked = ["--shots", "400", "--seed", "3", "--noise", "none", "--site", "lab"]
    assert run(["qasm", "run", str(file), *asked, "--wait", "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "400 shots" in out
    assert "quantum shots" in out
    assert (tmp_path / "out/counts.json").exists()
    assert run(["qasm", "run", str(file), *asked, "--wait", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sum(said["counts"]["counts"].values()) == 400
    assert run(["qasm", "run", str(file), *asked]) == 0
    assert run(["plan", str(file), "--json"]) == 0
    assert run(["submit", str(file)]) == 0


def test_an_agent_killed_under_a_circuit_goes_on_with_it(lab):
    """The same attempt, begun again with the same seed; the brain never hears that anything was lost."""
    task = lab.submit(LONG, shots=10, seed=5, name="long")
    lab.until(lambda: lab.client.task(task.task_id).phase is Phase.RUNNING)
    lab.until(lambda: len(lab.below()) == 2)
    lab.end(signal.SIGKILL)
    lab.start()
    done = lab.client.wait(task.task_id, timeout_s=WAIT_S)
    assert done.phase is Phase.SUCCEEDED
    assert done.attempts == 1
    assert b"begun again" in b"".join(lab.client.logs(task.task_id))
    assert sum(lab.counts(done)["counts"].values()) == 10


def test_the_hybrid_example_finds_the_ground_state(lab):
    """The loop of examples/hybrid-vqe, against the exact lowest eigenvalue, on a device whose readout errs."""
    path = Path(__file__).parents[2] / "examples/hybrid-vqe/vqe.py"
    spec = importlib.util.spec_from_file_location("vqe", path)
    vqe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vqe)
    pauli = {"i": np.eye(2), "z": np.diag([1, -1]), "x": np.array([[0, 1], [1, 0]])}
    terms = {"ii": vqe.CONSTANT, "iz": vqe.Z0, "zi": vqe.Z1, "zz": vqe.ZZ, "xx": vqe.XX}
    hamiltonian = sum(weight * np.kron(pauli[one[0]], pauli[one[1]]) for one, weight in terms.items())
    assert vqe.exact() == pytest.approx(np.linalg.eigvalsh(hamiltonian)[0], abs=1e-12)
    assert vqe.exact() == pytest.approx(-1.857275, abs=1e-6), "the value of the literature"
    angle, energy = vqe.solve(lab.client, shots=4000, sweeps=2, seed=1)
    # A readout error of 1 % shrinks each mean by 2 % and each mean of a product by 4 %: no more than 0.03 hartree here.
    assert abs(energy - vqe.exact()) < 0.04
    assert abs(angle + 0.2235) < 0.1
