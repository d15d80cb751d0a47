"""The workflow of the demo, and what must be true of it in the end."""

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from suanwang.client import Client
from suanwang.model.record import Phase
from suanwang.model.view import Explain
from suanwang.model.workflow import WorkflowView

WORK: Final = Path(__file__).parent / "work"
ELEMENTS: Final = 6
SHOTS: Final = 2_000
SEED: Final = 7
PACE_S: Final = 6  # each step lasts at least so long, so that something can be killed while it is at work
STEPS: Final = ("prepare", "train", "sample", "report")
# Where each step would be at home, and who does it where that is not here; the sandbox of this host in the end.
HOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "prepare": ("slurm", "ray", "local"),
    "train": ("ray", "slurm", "local"),
    "sample": ("quantum",),
    "report": ("kubernetes", "slurm", "ray", "local"),
}
DEVIATION_MAX: Final = 0.05  # of the sampled mean from the computed one, as a part of it


def homes(here: Sequence[str]) -> dict[str, str]:
    """The site of each step that can be done; without a quantum site the circuit is not sampled."""
    return {
        step: next(site for site in wanted if site in here)
        for step, wanted in HOMES.items()
        if any(site in here for site in wanted)
    }


def workflow(at: Mapping[str, str], pace_s: float = PACE_S) -> dict[str, Any]:
    """The file, as a person writes it. Without `sample` there is nothing to report either."""
    job = {"source": "job.py", "path": "job.py"}
    small = {"cpu": 1, "memory": "256 MiB", "wall_time": "3 min"}
    steps: dict[str, dict[str, Any]] = {
        "prepare": {
            "run": ["python3", "job.py", "prepare", str(pace_s)],
            "array": ELEMENTS,
            "inputs": [job],
            "outputs": [{"path": "edges.txt"}],
            "resources": small,
        },
        "train": {
            "run": ["python3", "job.py", "train", str(pace_s)],
            "inputs": [job, {"source": "task:prepare/*/edges.txt", "path": "parts"}],
            "outputs": [{"path": "circuit.qasm"}, {"path": "graph.txt"}, {"path": "model.json"}],
            "resources": small | ({"accelerators": 1, "accelerator": "a100"} if at.get("train") == "ray" else {}),
        },
        "sample": {
            "run": {"file": "circuit.qasm", "seed": SEED},
            "inputs": [{"source": "task:train/circuit.qasm", "path": "circuit.qasm"}],
            "resources": {"qubits": 8, "shots": SHOTS, "wall_time": "2 min"},
        },
        "report": {
            "run": ["/bin/sh", "report.sh", str(round(pace_s / 2))],
            "inputs": [
                {"source": "report.sh", "path": "report.sh"},
                {"source": "task:sample/counts.json", "path": "counts.json"},
                {"source": "task:train/graph.txt", "path": "graph.txt"},
            ],
            "outputs": [{"path": "report.txt"}],
            "resources": small,
        },
    }
    kept = STEPS if "sample" in at else STEPS[:2]
    return {
        "workflow": "demo of real sites",
        "defaults": {"retries": 5},
        "tasks": {name: steps[name] | {"sites": [at[name]]} for name in kept},
    }


@dataclass(frozen=True)
class Check:
    """One thing that must be so. `key` is its text."""

    key: str
    good: bool
    values: Mapping[str, object]


def checks(client: Client, done: WorkflowView, jobs: Sequence[tuple[str, str]], folder: Path) -> Iterator[Check]:
    """`jobs`: (state, name) of what the Slurm cluster's own controller knows."""
    steps = {one.name: one.task_id for one in done.steps if one.task_id is not None}
    told = told_of(client, done)
    well = [one.name for one in done.steps if one.phase is Phase.SUCCEEDED]
    yield Check("steps", len(well) == len(done.steps), {"well": len(well), "all": len(done.steps)})
    yield _attempts(told)
    if jobs:
        yield _jobs(told, jobs)
    yield from _bills(client, told)
    for name, task_id in steps.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        client.outputs.save(task_id, folder / name)
    yield from _results(folder, "report" in steps)


def told_of(client: Client, done: WorkflowView) -> dict[str, Explain]:
    """Every task of the workflow; of an array that was shared out each part, since these are what runs and is charged."""
    told: dict[str, Explain] = {}
    for step in done.steps:
        if step.task_id is not None:
            parts = client.task(step.task_id).parts
            for number, part in enumerate(parts):
                told[f"{step.name} {number}"] = client.explain(part.task_id)
            if not parts:
                told[step.name] = client.explain(step.task_id)
    return told


def _attempts(told: Mapping[str, Explain]) -> Check:
    """Of each task exactly one attempt succeeded, and none is open."""
    attempts = [attempt for one in told.values() for attempt in one.attempts]
    single = all(sum(attempt.succeeded is True for attempt in one.attempts) == 1 for one in told.values())
    closed = all(attempt.closed_us is not None for attempt in attempts)
    return Check("attempts", single and closed, {"attempts": len(attempts), "tasks": len(told)})


def _jobs(told: Mapping[str, Explain], jobs: Sequence[tuple[str, str]]) -> Check:
    """What the cluster completed is what was counted: each element of the attempt that succeeded, once."""
    wanted: dict[str, int] = {}
    for one in told.values():
        for attempt in one.attempts:
            if attempt.site == "slurm" and attempt.succeeded:
                wanted[attempt.attempt_id] = one.task.array
    completed = dict.fromkeys(wanted, 0)
    for state, name in jobs:
        for attempt_id in wanted:
            completed[attempt_id] += state == "COMPLETED" and attempt_id in name
    good = completed == wanted
    return Check("jobs", good, {"completed": sum(completed.values()), "wanted": sum(wanted.values())})


def _bills(client: Client, told: Mapping[str, Explain]) -> Iterator[Check]:
    """The total is the sum of the tasks, of the kinds, and of every charge of the log; none is over its quote."""
    whole = client.bill()
    tasks = sum(one.amount_micro_yuan for one in whole.by_task)
    kinds = sum(one.amount_micro_yuan for one in whole.by_kind)
    charged = sum(charge.line.amount_micro_yuan for one in told.values() for charge in one.charges)
    good = whole.total_micro_yuan == tasks == kinds == charged > 0
    yield Check("bill", good, {"micro_yuan": f"{whole.total_micro_yuan:,}"})
    bills = [client.task_bill(one.task.task_id) for one in told.values()]
    quoted = all(one.total_micro_yuan <= (one.quote_micro_yuan or 0) for one in bills)
    yield Check("quotes", quoted, {"tasks": len(bills)})


def _results(folder: Path, sampled: bool) -> Iterator[Check]:
    """What came out, against the same reckoned here at once."""
    job = job_module()
    parts = [job.walked(element) for element in range(ELEMENTS)]
    whole = job.together(parts)
    found = [job.read(path) for path in sorted((folder / "prepare").rglob("edges.txt"))]
    graph = job.read(folder / "train/graph.txt")
    good = _alike(found) == _alike(parts) and graph == whole
    yield Check("data", good, {"walked": sum(whole.values())})
    if not sampled:
        return
    lines = dict(line.split() for line in (folder / "report/report.txt").read_text().splitlines())
    counts = json.loads((folder / "sample/counts.json").read_text())["counts"]
    cuts = {bits: job.cut(whole, int(bits, 2)) for bits in counts}
    mean = sum(cuts[bits] * count for bits, count in counts.items()) / SHOTS
    model = json.loads((folder / "train/model.json").read_text())
    same = int(lines["best"]) == max(cuts.values()) and abs(float(lines["mean"]) - mean) < 1
    good = same and int(lines["shots"]) == sum(counts.values()) == SHOTS
    yield Check("report", good, {"best": lines["best"], "most": model["best"], "shots": SHOTS})
    near = abs(mean - model["mean"]) <= DEVIATION_MAX * model["mean"]
    yield Check("circuit", near, {"mean": f"{mean:,.0f}", "expected": f"{model['mean']:,.0f}"})


def _alike(parts: Sequence[Mapping[tuple[int, int], int]]) -> list[list[tuple[tuple[int, int], int]]]:
    """The parts in an order of their own, whichever element each is of."""
    return sorted(sorted(part.items()) for part in parts)


def job_module() -> ModuleType:
    """What the sites ran, as a module of ours."""
    spec = importlib.util.spec_from_file_location("demo_sites_job", WORK / "job.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
