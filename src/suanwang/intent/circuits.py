"""A circuit as a task: what its text says, and what was asked for beside it. Pure."""

from typing import Any, Final

from suanwang.intent.document import Document
from suanwang.intent.read import check_task, raise_found
from suanwang.model.error import Fault, FaultsError
from suanwang.model.task import TaskRequest
from suanwang.qasm import Circuit, read_circuit

SHOTS: Final = 1_000  # where nothing is said
WALL_TIME: Final = "10 min"
NOISE_NAMES: Final = {"gate1": "gate1_ppm", "gate2": "gate2_ppm", "readout": "readout_ppm"}


def circuit_task(text: str | bytes, source: str, **asked: Any) -> tuple[TaskRequest, Circuit]:
    """The task that runs the circuit of a text, and the circuit. `asked`: `name`, `shots`, `seed`, `method`, `noise` (device,
    none, or as `gate1=0.001,readout=0.02`), `latency`, `budget`, `deadline`, `wall_time`, `sites` and `max_queue` as in a
    task file; None is as if it were not there.

    Raises FaultsError with every fault of the circuit, each with its line, or with those of what was asked.
    """
    circuit = read_circuit(text, source)
    given = {name: value for name, value in asked.items() if value is not None}
    run: dict[str, Any] = {"circuit": text.decode() if isinstance(text, bytes) else text}
    run |= {name: given[name] for name in ("seed", "method", "max_queue") if name in given}
    if given.get("noise", "device") != "device":
        run["noise"] = noise_of(given["noise"])
    resources = {
        "qubits": circuit.qubits,
        "shots": given.get("shots", SHOTS),
        "wall_time": given.get("wall_time", WALL_TIME),
    }
    task: dict[str, Any] = {"run": run, "resources": resources, "outputs": [{"path": "counts.json"}]}
    fields = {"name": "name", "latency": "latency", "budget": "price_limit", "deadline": "deadline", "sites": "sites"}
    task |= {field: given[name] for name, field in fields.items() if name in given}
    document = Document(task, source, lambda: None)
    request, found = check_task(document, None)
    raise_found(found, document)
    assert request is not None, "no fault means a request"
    return request, circuit


def noise_of(text: str) -> dict[str, int]:
    """`none`, or errors as probabilities. Raises FaultsError."""
    out: dict[str, int] = {}
    if text == "none":
        return out
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if name not in NOISE_NAMES or not 0 <= share <= 1:
            raise FaultsError([Fault("noise_form", "noise", part.strip())], "noise")
        out[NOISE_NAMES[name]] = round(share * 1_000_000)
    return out
