"""Every example as a user meets it: its task file reads well, and its command makes the outputs that it names."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from suanwang.grids.load import china_path
from suanwang.intent.read import read_task
from suanwang.model.task import TaskRequest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/task.yaml"))
# Arguments that make a job small enough for the unit suite; the full size is run by `make soak`.
SMALL: dict[str, tuple[str, ...]] = {
    "backup-verify": (),
    "cylinder-flow": ("--width", "60", "--height", "24", "--diameter", "5", "--steps", "200"),
    "log-analytics": ("--lines", "6000"),
    "nbody-cluster": ("--bodies", "60", "--steps", "40"),
    "power-dispatch": (),
    "price-option": ("--paths", "20000", "--batch", "5000"),
    "pulsar-search": ("--dm-step", "15"),
    "quantum-search": ("--qubits", "6", "--shots", "256"),
    "reduce-ccd": ("--size", "96", "--stars", "3"),
    "render-frames": ("--width", "24", "--height", "16", "--samples", "2"),
    "screen-molecules": ("--shares", "40", "--keep", "10"),
    "shallow-water": ("--cells", "24", "--hours", "0.5"),
    "train-digits": ("--images", "300", "--folds", "3"),
}


def _runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_examples", ROOT / "tools" / "run_examples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = _runner()


def request_of(name: str) -> TaskRequest:
    """The example's task as read from its file."""
    return read_task((EXAMPLES / name / "task.yaml").read_text(encoding="utf-8"), source=f"{name}/task.yaml")


def test_there_are_enough_examples_and_each_has_a_small_size() -> None:
    assert len(NAMES) >= 12
    assert set(NAMES) == set(SMALL)


@pytest.mark.parametrize("name", NAMES)
def test_task_file_names_things_that_exist(name: str) -> None:
    request = request_of(name)
    with china_path().open(encoding="utf-8") as file:
        grid = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    sites = {site["id"] for site in grid["sites"]}
    public = {one["id"] for one in grid["data_sets"] if one.get("tenant") in (None, "demo")}
    assert request.origin in sites
    for item in request.inputs:
        scheme, _, rest = item.source.partition(":")
        assert rest in public if scheme == "dataset" else (EXAMPLES / name / item.source).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_command_makes_the_outputs_that_the_task_names(name: str, tmp_path: Path) -> None:
    request = request_of(name)
    result = RUNNER.run(name, tmp_path, SMALL[name], elements=1)
    assert result.reports[0]
    for output in request.outputs:
        assert list(tmp_path.glob(output.path)), output.path
    assert (tmp_path / "progress").read_text() == "1000"


def test_examples_differ_in_what_they_ask_of_the_grid() -> None:
    requests = [request_of(name) for name in NAMES]
    assert len({request.origin for request in requests}) >= 11
    assert {str(request.preference) for request in requests} == {"cheapest", "fastest", "greenest"}
    assert any(request.array > 1 for request in requests)
    assert any(request.resources.nodes > 1 for request in requests)
    assert any(request.resources.qubits for request in requests)
    assert any(request.resources.accelerators for request in requests)
    assert any(request.deadline for request in requests)
    assert {str(function) for request in requests for function in request.protection} == {
        "firewall",
        "ids",
        "encryption",
        "scrubbing",
    }


@pytest.mark.parametrize("name", NAMES)
def test_readme_has_a_result(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 1
    decoder, rest, reports = json.JSONDecoder(), blocks[0].strip(), []
    while rest:
        report, end = decoder.raw_decode(rest)
        reports.append(report)
        rest = rest[end:].strip()
    assert len(reports) == request_of(name).array


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_full_size_gives_the_result_of_the_readme(name: str, tmp_path: Path) -> None:
    result = RUNNER.run(name, tmp_path)
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    for report in result.reports:
        for key, value in report.items():
            assert f'"{key}"' in text
            # Figures that are rounding noise (1e-13) differ between machines; the rest is seeded.
            if isinstance(value, int | str) or (isinstance(value, float) and abs(value) > 1e-3):
                found = [json.loads(one) for one in re.findall(rf'"{key}": ([^,\n]+)', text)]
                assert any(
                    one == (pytest.approx(value, rel=0.05) if isinstance(value, float) else value) for one in found
                )
