"""One circuit on qiskit-aer: what a process of the runner does before it ends.

Its last word is the result's file, or a note why there is none; see `Told`. It has no other way to say anything, and
whatever else ends it is seen in its exit status.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from suanwang.model.error import Fault, FaultsError
from suanwang.model.reason import FailureReason
from suanwang.qasm import Circuit, read_circuit
from suanwang.texts import text as text_of

SHOWN: Final = 8  # rows of bits in the log
US_PER_S: Final = 1_000_000
# Aer's words for what does not fit into the memory that it may use.
_MEMORY_WORDS: Final = ("insufficient memory", "bad_alloc", "cannot allocate", "out of memory")


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and within which bounds, as it travels to the runner. Noise in parts of a million."""

    shots: int
    seed: int
    method: str
    gate1_ppm: int
    gate2_ppm: int
    readout_ppm: int
    qubits_max: int
    depth_max: int
    memory_bytes: int
    threads: int
    device: str


class RefusedError(Exception):
    """Why there is no result, by its reason."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def run(text: bytes, job: Job, say: Callable[[str], None]) -> dict[str, Any]:
    """The content of the result's file. `say` prints a line into the task's log. Raises RefusedError."""
    circuit = _read(text, job)
    from suanwang.agent.adapters.quantum import build

    facts = circuit.facts()
    say(
        f"started: OpenQASM {facts.version}, {facts.qubits} qubits, {facts.size} gates, depth {facts.depth},"
        f" {job.shots} shots, seed {job.seed}, method {job.method}"
    )
    try:
        lowered = build.built(circuit)
        noise = build.noise_model(job.gate1_ppm, job.gate2_ppm, job.readout_ppm)
        found = _simulated(lowered, noise, job)
    except MemoryError:
        raise RefusedError(FailureReason.OUT_OF_MEMORY, f"needs more than {job.memory_bytes} bytes") from None
    out = {**found, "shots": job.shots, "seed": job.seed, "qubits": facts.qubits, "gates": facts.size}
    out |= {"depth": facts.depth, "openqasm": facts.version, "device": job.device, "noise": _noise(job)}
    say(f"finished: {out['qpu_us'] / US_PER_S:.3f} s on the device, by {out['method']}; {_shown(out['counts'])}")
    return out


def _noise(job: Job) -> dict[str, int]:
    return {name: value for name, value in asdict(job).items() if name.endswith("_ppm")}


def _read(text: bytes, job: Job) -> Circuit:
    try:
        circuit = read_circuit(text)
    except FaultsError as error:
        raise RefusedError(FailureReason.CIRCUIT_REFUSED, "; ".join(_words(one) for one in error.faults[:5])) from None
    depth = circuit.facts().depth
    if circuit.qubits > job.qubits_max:
        detail = f"the circuit has {circuit.qubits} qubits; {job.qubits_max} were asked for, or are here"
        raise RefusedError(FailureReason.CIRCUIT_REFUSED, detail)
    if depth > job.depth_max:
        raise RefusedError(
            FailureReason.CIRCUIT_REFUSED, f"the circuit has depth {depth}; the device takes {job.depth_max}"
        )
    return circuit


def _words(fault: Fault) -> str:
    line = f"line {fault.line}: " if fault.line is not None else ""
    return line + text_of(f"fault.{fault.code}", "en", got=fault.got, where="the circuit", **fault.params)


def _simulated(lowered: Any, noise: Any, job: Job) -> dict[str, Any]:
    from qiskit_aer import AerSimulator

    backend = AerSimulator(
        method=job.method,
        noise_model=noise,
        max_memory_mb=max(1, job.memory_bytes >> 20),
        max_parallel_threads=job.threads,
    )
    result = backend.run(lowered, shots=job.shots, seed_simulator=job.seed).result()
    first = result.results[0] if result.results else None
    if not result.success or first is None:
        raise _refusal(str(first.status if first is not None else result.status), job)
    return {
        "counts": dict(sorted(result.get_counts().items(), key=lambda one: (-one[1], one[0]))),
        "method": str(first.metadata.get("method", job.method)),
        "qpu_us": round(first.time_taken * US_PER_S),
        "backend": f"qiskit-aer {result.backend_version}",
    }


def _refusal(words: str, job: Job) -> RefusedError:
    """Aer says in words alone why it ran nothing: too little memory, or a gate that the method does not know."""
    words = words.removeprefix("ERROR:").strip()
    if any(one in words.lower() for one in _MEMORY_WORDS):
        return RefusedError(FailureReason.OUT_OF_MEMORY, f"needs more than {job.memory_bytes} bytes: {words}")
    return RefusedError(FailureReason.CIRCUIT_REFUSED, words)


def _shown(counts: Mapping[str, int]) -> str:
    rows = [f"{bits}: {count}" for bits, count in list(counts.items())[:SHOWN]]
    more = len(counts) - len(rows)
    return ", ".join(rows) + (f" and {more} more" if more > 0 else "")


def note(reason: FailureReason, detail: str) -> bytes:
    """Why there is no result, for the folder of the task."""
    return json.dumps({"reason": reason.value, "detail": detail[:2000]}).encode()
