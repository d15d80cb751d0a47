"""The runner as a site runs it, beside jobs of both forms; and the verdict that the brain draws from what they left."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.model.error import NotFoundError
from suanwang.model.ids import TaskId
from suanwang.model.record import Phase
from suanwang.model.service import ServiceResult
from suanwang.services import find
from suanwang.services.circuits import CIRCUITS
from suanwang.services.request import ENVIRONMENT, RUNNER
from suanwang.services.result import figures_of, judged, result_paths, service_of

TASK = TaskId("task-" + "0" * 26)
OURS = "def run(p, out, progress):\n    progress(0.5)\n    return {'twice': 2 * p.n}\n"
EXAMPLES = """
import argparse
def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int)
    parser.add_argument("--out")
    return {"twice": 2 * parser.parse_args(argv).n}
"""


def ran(folder: Path, job: str, *arguments: str, needs: tuple[str, ...] = (), array: str = ""):
    shutil.copyfile(RUNNER, folder / "service.py")
    (folder / "job.py").write_text(job)
    checks = [{"figure": "twice", "at_most": 10}]
    brief = {"id": "twice", "needs": needs, "checks": checks, "array": array}
    environment = {**os.environ, ENVIRONMENT: json.dumps(brief), "SUANWANG_PROGRESS": str(folder / "progress")}
    command = [
        sys.executable,
        "-I",
        "-c",
        "import runpy, sys; sys.path.insert(0, ''); runpy.run_path('service.py', run_name='__main__')",
    ]
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("job", "array"), [(OURS, ""), (EXAMPLES, "elements")])
def test_a_job_of_either_form_leaves_its_figures_and_their_checks(tmp_path: Path, job: str, array: str) -> None:
    done = ran(tmp_path, job, "n=4", *(["elements=3"] if array else []), array=array)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["figures"] == {"twice": 8}
    assert result["checks"] == [{"figure": "twice", "at_most": 10, "got": 8, "ok": True}]
    assert (tmp_path / "progress").read_text() == "1000"
    assert "ok   twice = 8 (expected <= 10)" in done.stdout


def test_a_figure_out_of_bounds_is_an_exit_status_and_a_line(tmp_path: Path) -> None:
    done = ran(tmp_path, OURS, "n=6")
    assert done.returncode == 1
    assert "FAIL twice = 12 (expected <= 10)" in done.stdout
    assert json.loads((tmp_path / "out" / "result.json").read_text())["checks"][0]["ok"] is False


def test_a_site_that_lacks_a_package_says_which(tmp_path: Path) -> None:
    done = ran(tmp_path, OURS, "n=1", needs=("json", "no_such_package"))
    assert done.returncode == 69
    assert "twice needs the Python packages no_such_package" in done.stdout


def test_of_an_array_the_element_that_is_not_as_expected_stands_for_all() -> None:
    service = find("weather-ensemble")
    good = {"mass_error": 0.0, "energy_rose_by_max": 0.0, "energy_kept": 0.9}

    def verdict(*elements: dict[str, object], array: int, phase: Phase = Phase.SUCCEEDED) -> ServiceResult:
        return judged(TASK, service, service.defaults(), elements, array, phase)

    found = verdict(good, {**good, "mass_error": 0.5}, array=2)
    assert not found.ok
    assert found.figures["mass_error"] == 0.5
    assert (found.elements, found.array) == (2, 2)
    assert verdict(good, good, array=2).ok
    assert not verdict(good, good, array=2, phase=Phase.FAILED).ok
    for lacking in (verdict(array=1), verdict(good, array=3)):
        assert not lacking.ok
        assert {one.got for one in lacking.verdicts} == {None}
    for odd in (float("nan"), float("inf"), float("-inf"), [0.0], None, "low"):
        found = verdict({**good, "mass_error": odd}, array=1)
        assert not found.ok
        assert found.model_dump_json()


def test_results_are_found_below_the_numbers_of_elements() -> None:
    paths = ["10/out/result.json", "2/out/result.json", "2/out/other.json", "out/result.json.bak", "counts.json"]
    assert result_paths(find("weather-ensemble"), paths) == ["2/out/result.json", "10/out/result.json"]
    assert result_paths(find("ghz-state"), paths) == ["counts.json"]


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"figures": 3}', b"\xff", b'{"counts": {}}'])
def test_an_output_that_is_no_result_has_no_figures(text: bytes) -> None:
    for name in ("heat-plate", "ghz-state"):
        assert figures_of(find(name), find(name).defaults(), text) == {}


def test_a_task_without_the_tags_of_a_service_is_of_none() -> None:
    for tags in (
        {},
        {"service": "heat-plate", "service.cells": "many"},
        {"service": "heat-plate", "service.cells": '"64"'},
    ):
        with pytest.raises(NotFoundError) as caught:
            service_of(TASK, tags)
        assert caught.value.code == "task_of_no_service"
    service, parameters = service_of(TASK, {"service": "heat-plate", "service.cells": "1", "service.note": "x"})
    assert (service.id, parameters["cells"], parameters["mode"]) == ("heat-plate", 1, 2), (
        "ranges may have changed since"
    )
    assert "note" not in parameters


def test_counts_that_are_not_what_a_circuit_gives_are_told_from_those_that_are() -> None:
    values = {**find("ghz-state").defaults(), "qubits": 2, "shots": 100}
    good = CIRCUITS["ghz"].figures(values, {"00": 52, "11": 48})
    assert (good["both_share"], good["shots"]) == (1.0, 100)
    assert CIRCUITS["ghz"].figures(values, {"00": 50, "01": 50})["both_share"] == 0.5
    ring = {**find("ring-cut").defaults(), "nodes": 4}
    assert CIRCUITS["ring-cut"].figures(ring, {"0101": 10})["cut_mean_share"] == 1.0
    hidden = {**find("hidden-bits").defaults(), "qubits": 3, "hidden": 5}
    assert CIRCUITS["bernstein-vazirani"].figures(hidden, {"101": 9, "001": 1}) == {"found": 5, "share": 0.9}
