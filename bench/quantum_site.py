"""What a simulated quantum device takes: loading, one small circuit, wide ones. `python -m bench.quantum_site`."""

import json
import sys
import tempfile
import time
from pathlib import Path

from suanwang.agent.adapter import TERMINAL, StartOrder
from suanwang.agent.adapters.quantum import Device, DeviceFile, QuantumAdapter, QuantumSettings
from suanwang.agent.objects import LocalObjects
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.task import CircuitEntry, Resources, TaskRequest
from suanwang.model.units import GIB

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
POOL = PoolId("bench/qpu")


def bell() -> str:
    return HEAD + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"


def layers(qubits: int, depth: int = 10) -> str:
    """Rotations and half a layer of CNOTs, so often: a state that no shortcut holds."""
    pairs = "".join(f"cx q[{at}], q[{at + 1}]; " for at in range(0, qubits - 1, 2))
    body = "".join(f"ry({0.1 + step / 7:.4f}) q; {pairs}" for step in range(depth))
    return HEAD + f"qubit[{qubits}] q; bit[{qubits}] c; {body} c = measure q;"


def ghz(qubits: int) -> str:
    chain = "".join(f"cx q[{at}], q[{at + 1}]; " for at in range(qubits - 1))
    return HEAD + f"qubit[{qubits}] q; bit[{qubits}] c; h q[0]; {chain} c = measure q;"


class Bench:
    def __init__(self, folder: Path) -> None:
        device = Device(POOL, 200, 1, DeviceFile(memory=4 * GIB, threads=2))
        settings = QuantumSettings(folder / "quantum", {POOL: device}, (sys.executable,))
        self.objects = LocalObjects(folder / "objects")
        clock, monotonic = lambda: time.time_ns() // 1000, lambda: time.monotonic_ns() // 1000
        self.adapter = QuantumAdapter(settings, self.objects, clock, monotonic, lambda _: None)
        self.number = 0

    def run(self, text: str, qubits: int, method: str = "automatic") -> tuple[float, dict]:
        """Seconds from the order to the last word, and what the counts' file says."""
        self.number += 1
        ids = TaskId(f"task-{self.number:026d}"), AttemptId(f"att-{self.number:026d}")
        run = CircuitEntry(circuit=text, seed=1, method=method)
        request = TaskRequest(run=run, resources=Resources(qubits=qubits, shots=1000))
        since = time.monotonic()
        self.adapter.start(StartOrder(SiteId("bench"), POOL, *ids, 1, request))
        while True:
            for update in self.adapter.poll():
                if update.kind in TERMINAL:
                    assert update.exit_code == 0, update
                    with self.objects.open(update.outputs[0].blake3) as stream:
                        found = json.load(stream)
                    return time.monotonic() - since, found | {"peak": update.usage.memory_peak_bytes}
            time.sleep(0.002)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        first, _ = bench.run(bell(), 2)
        print(f"first circuit, with loading        {first:8.2f} s")
        times = sorted(bench.run(bell(), 2)[0] for _ in range(20))
        print(f"a Bell pair after that, median     {times[10]:8.3f} s")
        for qubits in (16, 20, 22, 24):
            span, found = bench.run(layers(qubits), qubits, "statevector")
            print(
                f"statevector, {qubits} qubits, depth {found['depth']:3}  {span:8.2f} s   {found['peak'] >> 20:5} MiB"
            )
        for method, qubits in (("matrix_product_state", 60), ("stabilizer", 100)):
            span, _ = bench.run(ghz(qubits), qubits, method)
            print(f"{method}, GHZ of {qubits:3}  {span:8.2f} s")
        bench.adapter.close()


if __name__ == "__main__":
    main()
