"""The quantum adapter under test, over the real simulator. Loading it takes seconds, so tests share one runner where they can."""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import sys
import time
from pathlib import Path

import pytest
from tests.agent.rigs import monotonic_us, now_us

from suanwang.agent.adapter import TERMINAL, StartOrder, Update
from suanwang.agent.adapters.quantum import Device, DeviceFile, QuantumAdapter, QuantumSettings
from suanwang.agent.adapters.quantum.settings import Calibration
from suanwang.agent.conformance import Work
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import CircuitEntry, Noise, Resources, TaskRequest
from suanwang.model.units import MIB, US_PER_DAY

QUANTUM = [
    pytest.mark.skipif(importlib.util.find_spec("qiskit_aer") is None, reason="needs qiskit-aer (suanwang[quantum])")
]
WAIT_S = 60.0
STEP_S = 0.01
V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
BELL = V2 + "qreg q[2];\ncreg c[2];\nh q[0];\ncx q[0], q[1];\nmeasure q -> c;\n"
# Measured in the middle, so that each of its many shots is run by itself: little memory, and no end.
ENDLESS = V3 + "qubit[12] q; bit[12] c; for int i in [0:199] { h q; rx(0.3) q; c = measure q; reset q; }"
# A state of 1 GiB, of rotations that only a whole state can hold.
LARGE = V3 + "qubit[26] q; bit[26] c; rx(0.3) q; ry(0.2) q; c = measure q;"
NOISY = Noise(gate1_ppm=5_000, gate2_ppm=50_000, readout_ppm=20_000)
KINDS_THAT_NO_CIRCUIT_IS = {
    Work.EXIT_3: "a circuit has no exit code of its own",
    Work.SIGNAL_15: "a circuit sends itself no signal",
    Work.SAVES: "a circuit writes no checkpoint",
}


def runners() -> list[int]:
    """The runners that this process has started and that still are."""
    return [pid for pid, parent, words in _processes() if parent == os.getpid() and b"quantum.runner" in words]


def children_of(pid: int) -> list[int]:
    return [one for one, parent, _ in _processes() if parent == pid]


def _processes() -> list[tuple[int, int, bytes]]:
    """(process, parent, command line) of all that have not ended."""
    out = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                out.append((int(entry.name), int(parent), (entry / "cmdline").read_bytes()))
    return out


def ghz(qubits: int) -> str:
    return V3 + (
        f"qubit[{qubits}] q; bit[{qubits}] c; h q[0];"
        f" for int i in [1:{qubits - 1}] {{ cx q[i - 1], q[i]; }} c = measure q;"
    )


def circuit(text: str, qubits: int, shots: int = 1000, *, wall_time: int = 60_000_000, **rest) -> TaskRequest:
    """A task that runs a circuit; `rest` are fields of its `run`, but for those that a task has."""
    task = {name: rest.pop(name) for name in list(rest) if name in TaskRequest.model_fields}
    resources = Resources(qubits=qubits, shots=shots, wall_time=wall_time)
    return TaskRequest(run=CircuitEntry(circuit=text, **rest), resources=resources, **task)


def device(site: str = "conformance", pool: str = "general", processors: int = 2, **changes) -> Device:
    return Device(PoolId(f"{site}/{pool}"), changes.pop("qubits", 100), processors, DeviceFile(**changes))


def every_kind() -> tuple[Device, ...]:
    """Devices of several kinds, for one rig that tests share."""
    all_day = Calibration(at="00:00", span=US_PER_DAY - 1)
    return (
        device(memory=512 * MIB),
        device(pool="single", processors=1),
        device(pool="noisy", noise=NOISY),
        device(pool="small", qubits=4, depth_max=5, shots_max=2000, methods=("automatic",), memory=64 * MIB),
        device(pool="closed", calibration=(all_day,)),
    )


class QuantumRig:
    """One adapter in a folder of its own. Every wait is bounded."""

    def __init__(self, folder: Path, *devices: Device, **changes) -> None:
        self.folder = folder
        self.objects = LocalObjects(folder / "objects")
        self.clock = now_us
        self.devices = devices or (device(memory=512 * MIB),)
        self.changes = changes
        self.base = 0
        self.open()

    def open(self) -> None:
        self.adapter = self.new()
        self.gives_up_s = time.monotonic() + WAIT_S

    def new(self) -> QuantumAdapter:
        devices = {one.pool: one for one in self.devices}
        nobody = pwd.getpwnam("nobody")
        user = (nobody.pw_uid, nobody.pw_gid) if os.geteuid() == 0 else None
        changes = {"python": (sys.executable,), "user": user, **self.changes}
        settings = QuantumSettings(folder=self.folder / "quantum", devices=devices, **changes)
        return QuantumAdapter(settings, self.objects, now_us, monotonic_us, lambda _: None)

    def reopen(self) -> None:
        """The agent's process is replaced."""
        self.adapter.close()
        self.open()

    def restart(self) -> None:
        """The site loses all that it knows, and the agent's process is replaced."""
        self.adapter.close()
        shutil.rmtree(self.folder / "quantum")
        self.open()

    def request(self, work: Work) -> TaskRequest:
        match work:
            case Work.OK:
                return circuit(BELL, 2, seed=7, result="result.txt")
            case Work.OUT_OF_MEMORY:
                return circuit(LARGE, 26, method="statevector")
            case Work.FOREVER:
                return circuit(ENDLESS, 12, shots=1_000_000)
            case _:
                raise AssertionError(f"no circuit is {work.name}")

    def clean(self) -> None:
        """Nothing is known of any attempt, and nothing is left to hear."""
        for record in (self.folder / "quantum/records").iterdir():
            self.adapter.forget(AttemptId(record.stem))
        self.gives_up_s = time.monotonic() + WAIT_S
        while any((self.folder / "quantum/records").iterdir()):
            assert self.pass_time(), "an attempt was not forgotten"
        self.adapter.poll()
        self.gives_up_s = time.monotonic() + WAIT_S

    def pass_time(self) -> bool:
        time.sleep(STEP_S)
        return time.monotonic() < self.gives_up_s

    def close(self) -> None:
        self.adapter.close()

    # For tests beyond conformance -----------------------------------------------------------------------------

    def start(self, request: TaskRequest, number: int = 1, pool: str = "general", kept=None) -> StartOrder:
        order = StartOrder(
            site=SiteId("conformance"),
            pool=PoolId(f"conformance/{pool}"),
            task_id=TaskId(f"task-{self.base + number:026d}"),
            attempt_id=AttemptId(f"att-{self.base + number:026d}"),
            fence=1,
            request=request,
            kept=kept,
        )
        self.adapter.start(order)
        self.gives_up_s = time.monotonic() + WAIT_S
        self.seen: list[Update] = []
        self.latest = order.attempt_id
        return order

    def until(self, done) -> None:
        while not done():
            self.seen += self.adapter.poll()
            assert self.pass_time(), f"waited in vain: {self.seen}"

    def until_kind(self, kind) -> Update:
        self.until(lambda: any(one.kind is kind for one in self.seen))
        return next(one for one in self.seen if one.kind is kind)

    def end(self) -> Update:
        """Wait for the last word of the attempt that was started last."""

        def found() -> list[Update]:
            return [one for one in self.seen if one.kind in TERMINAL and one.attempt_id == self.latest]

        self.until(found)
        (last,) = found()
        return last

    def run(self, request: TaskRequest, pool: str = "general") -> Update:
        """Start the next attempt, and wait for its end."""
        self.base += 1
        self.start(request, 0, pool)
        return self.end()

    def counts(self, request: TaskRequest, pool: str = "general") -> dict:
        """The whole content of the counts' file."""
        end = self.run(request, pool)
        assert end.exit_code == 0, end
        return self.content(end)

    def content(self, end: Update) -> dict:
        (output,) = end.outputs
        with self.objects.open(output.blake3) as stream:
            return json.loads(stream.read())

    def log(self, attempt: StartOrder | Update) -> str:
        return self.adapter.read_logs(attempt.attempt_id, 0, 1 << 20).decode(errors="replace")
