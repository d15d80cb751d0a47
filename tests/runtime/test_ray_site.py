"""A Ray site without Ray: the operator's file with every fault, what a job is made of, its runner, and why an end was an end."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.ray import RayPool, RaySettings, job, runner, verdict
from suanwang.agent.adapters.ray.discover import shape_of
from suanwang.agent.adapters.ray.job import document_of, misfit, work_file
from suanwang.agent.adapters.ray.limits import check
from suanwang.agent.adapters.ray.server import Job, Node, gist
from suanwang.agent.adapters.ray.verdict import Ending, Told, judge
from suanwang.agent.objects import LocalObjects
from suanwang.model.error import BackendError, FaultsError
from suanwang.model.grid import Pool, PoolKind
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.joining import FoundPool, Inventory
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest
from suanwang.runtime.ray_site import RayWish, discover_ray, ray_adapter, ray_file_of
from suanwang.runtime.settings import Settings

QPU = Pool(id="s/qpu", kind=PoolKind.QUANTUM, nodes=1, qubits_per_node=5)
GIB = 2**30
R = FailureReason


def faults(tmp_path: Path, text: str | None, *pools: Pool) -> list[tuple[str, str]]:
    file = tmp_path / "ray.yaml"
    if text is not None:
        file.write_text(text)
    grid = grid_of([site_of("s", list(pools) or [general("s")])], [])
    settings = Settings(home=tmp_path, adapter="ray", ray_file=str(file))
    try:
        ray_adapter(settings, tmp_path, LocalObjects(tmp_path / "objects"), grid, ("s",)).close()
    except FaultsError as error:
        return [(one.code, one.where) for one in error.faults]
    return []


def test_a_file_as_join_writes_it_is_taken(tmp_path):
    (tmp_path / "token").write_text("key")
    pool = FoundPool(name="general", kind=PoolKind.GENERAL, nodes=1, cores_per_node=2, queue="GPU", resource="type:x")
    found = Inventory(adapter="ray", pools=(pool,))
    wish = RayWish("http://127.0.0.1:1", str(tmp_path / "token"))
    text = ray_file_of("s", wish, found, f"{tmp_path}/shared", str(os.geteuid()), ("cpu",))
    assert json.loads(text)["pools"] == {"s/general": {"accelerator": "GPU", "resources": {"type:x": 0.001}}}
    assert faults(tmp_path, text) == []


def test_every_fault_of_the_file_is_told(tmp_path):
    said = {
        "url": "http://127.0.0.1:1",
        "folder": f"{tmp_path}/none/shared",
        "token_file": f"{tmp_path}/none",
        "user": "nobody-of-this-name",
        "pools": {"s/else": {"runtime_env": {"pipp": ["torch"], "working_dir": "code/of/mine"}}},
    }
    found = dict(faults(tmp_path, json.dumps(said), general("s"), QPU))
    assert set(found) == {
        "ray_pool_unknown",
        "ray_pool_missing",
        "ray_pool_kind",
        "ray_environment_unknown",
        "ray_working_dir",
        "ray_token_unread",
        "ray_folder_missing",
        "ray_user_unknown",
    }
    assert "working_dir" in found["ray_working_dir"]


def test_an_agent_that_is_not_root_has_no_other_user(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    (fault,) = RayWish("http://x").faults("/tmp/shared", "4243")
    assert (fault.code, fault.where) == ("ray_user_wrong", "--user")
    assert RayWish("http://x").faults("/tmp/shared", "4242") == []


def test_a_file_that_is_not_there_or_not_named(tmp_path):
    assert faults(tmp_path, None) == [("ray_file_unread", "ray_file")]
    settings = Settings(home=tmp_path, adapter="ray")
    with pytest.raises(FaultsError) as refused:
        ray_adapter(settings, tmp_path, LocalObjects(tmp_path / "o"), grid_of([site_of("s")], []), ("s",))
    assert [one.code for one in refused.value.faults] == ["ray_file_needed"]


def test_what_a_join_needs_is_asked_for_at_once_and_a_head_that_is_away_is_said():
    assert [(one.code, one.where) for one in RayWish().faults(None, None)] == [
        ("join_ray_needs", "--ray-url"),
        ("join_ray_needs", "--shared-folder"),
    ]
    with pytest.raises(BackendError) as away:
        discover_ray(RayWish("http://127.0.0.1:1"), ())
    assert "127.0.0.1:1" in away.value.detail


# A job --------------------------------------------------------------------------------------------------------------

SETTINGS = RaySettings(
    folder=Path("/shared"),
    url="http://x",
    pools={
        PoolId("s/a"): RayPool(resources={"accelerator_type:A100": 0.001}, runtime_env={"pip": ["numpy"]}),
        PoolId("s/n"): RayPool(accelerator="NPU", labels={"zone": "east"}),
    },
)


def order_of(pool: str, **task) -> StartOrder:
    request = TaskRequest.model_validate({"run": "true", **task})
    ids = SiteId("s"), PoolId(pool), TaskId("task-" + "0" * 26), AttemptId("att-" + "1" * 26)
    return StartOrder(*ids, fence=1, request=request)


def test_a_job_reserves_what_the_task_holds_and_has_one_name_for_every_try():
    asked = {"cpu": 4, "memory": "8 GiB", "accelerators": 2, "accelerator": "a100"}
    made = document_of(order_of("s/a", resources=asked), 0, SETTINGS, Path("/shared/here"))
    assert made["submission_id"] == "att-" + "1" * 26
    assert (made["entrypoint_num_cpus"], made["entrypoint_num_gpus"], made["entrypoint_memory"]) == (4, 2, 8 * GIB)
    assert made["entrypoint_resources"] == {"accelerator_type:A100": 0.001}
    assert made["runtime_env"] == {"pip": ["numpy"]}
    assert made["entrypoint"] == "exec python3 -I /shared/here/runner.py /shared/here 0"
    array = document_of(
        order_of("s/n", array=3, resources={"accelerators": 1, "accelerator": "910b"}), 2, SETTINGS, Path("/h")
    )
    assert array["submission_id"].endswith("1-2")
    assert (array["entrypoint_resources"], array["entrypoint_label_selector"]) == ({"NPU": 1}, {"zone": "east"})
    assert "entrypoint_num_gpus" not in array


def node(**resources: float) -> Node:
    labels = {"zone": "east"} if resources.pop("east", 0) else {}
    return Node({name.replace("__", ":"): value for name, value in resources.items()}, labels, False)


NEVER = [
    # pool, asked, nodes -> why not
    ("s/a", {"cpu": 4}, [node(CPU=2, memory=4 * GIB, accelerator_type__A100=1)], "CPU 4 of 2"),
    ("s/a", {"memory": "8 GiB"}, [node(CPU=2, memory=4 * GIB, accelerator_type__A100=1)], "memory 8.0 GiB of 4.0 GiB"),
    ("s/a", {}, [node(CPU=2, memory=4 * GIB)], "accelerator_type:A100 0.001 of 0"),
    ("s/a", {"cpu": 4}, [node(CPU=8, memory=GIB), node(CPU=1, memory=9 * GIB, accelerator_type__A100=1)], "at once"),
    ("s/n", {}, [node(CPU=9, memory=9 * GIB)], "no node has the labels {'zone': 'east'}"),
    ("s/n", {}, [node(CPU=9, memory=9 * GIB, east=1)], ""),
    ("s/a", {}, [], "it has no node"),
]


@pytest.mark.parametrize(("pool", "asked", "nodes", "why"), NEVER)
def test_what_fits_on_no_node_is_known_before_it_is_handed_in(pool, asked, nodes, why):
    found = misfit(document_of(order_of(pool, resources=asked), 0, SETTINGS, Path("/h")), nodes)
    assert why in found if why else found == ""


def test_what_ray_has_no_walls_for_is_refused_at_the_start():
    for task in (
        {"mounts": [{"path": "/data", "folder": "data"}]},
        {"secrets": ["TOKEN"]},
        {"resources": {"nodes": 2}},
        {"resources": {"cpu": 2}},
        {"resources": {"processes": 9}},
        {"resources": {"kind": "hpc"}},
        {"security_level": 2},
    ):
        with pytest.raises(BackendError) as refused:
            check(order_of("s/a", **task).request, SETTINGS.pools, PoolId("s/a"), ())
        assert refused.value.reason is R.LIMIT_UNSUPPORTED
    with pytest.raises(BackendError) as refused:
        check(order_of("s/a").request, SETTINGS.pools, PoolId("s/b"), ())
    assert refused.value.reason is R.BACKEND


def test_nodes_that_lend_nothing_are_no_pool():
    assert shape_of(node(memory=GIB)) is None
    assert shape_of(node(CPU=4, memory=3 * GIB + 5)) == ("", "", 0, 4, 3 * GIB)
    assert shape_of(node(CPU=4, memory=GIB, NPU=8)) == ("NPU", "", 8, 4, GIB)


# An end -------------------------------------------------------------------------------------------------------------

ENDS = [
    # Ray's status and error, told status and cause -> reason, code, signal
    (("SUCCEEDED", ""), (0, ""), (None, 0, None)),
    (None, (0, ""), (None, 0, None)),
    (None, (3, ""), (R.EXIT_CODE, 3, None)),
    (None, (143, ""), (R.SIGNAL, None, 15)),
    (("STOPPED", ""), (143, ""), (R.BACKEND, None, None)),
    (("STOPPED", ""), (3, ""), (R.EXIT_CODE, 3, None)),
    (("STOPPED", ""), None, (R.BACKEND, None, None)),
    (None, (137, "memory"), (R.OUT_OF_MEMORY, None, 9)),
    (None, (137, "wall_time"), (R.WALL_TIME, None, None)),
    (("FAILED", "JOB_SUPERVISOR_ACTOR_DIED"), None, (R.BACKEND, None, None)),
    (("FAILED", "RUNTIME_ENV_SETUP_FAILURE"), None, (R.BACKEND, None, None)),
    (("FAILED", "JOB_ENTRYPOINT_COMMAND_ERROR"), None, (R.BACKEND, None, None)),
    (("SUCCEEDED", ""), None, (R.BACKEND, None, None)),
    (None, None, (R.LOST, None, None)),
]


@pytest.mark.parametrize(("said", "wrote", "found"), ENDS)
def test_why_an_end_was_an_end(said, wrote, found):
    ray, told = said and Job(*said), wrote and Told(*wrote)
    why = judge(Ending(ray, told))
    assert (why.reason, why.exit_code, why.signal) == found
    assert why.detail or why.reason is not R.BACKEND
    assert judge(Ending(ray, told, stopped=True)).reason is None
    if found[0] is not None:
        assert judge(Ending(ray, told, wall_over=True)).reason is R.WALL_TIME


def test_of_a_traceback_its_last_line_is_told():
    assert (
        gist("Traceback (most recent call last):\n  File x\nValueError: no such path\n") == "ValueError: no such path"
    )
    assert gist("no place\nmore") == "no place"
    assert gist("") == ""


# The runner ---------------------------------------------------------------------------------------------------------


class Cell:
    """What an agent puts into the shared folder, and the runner started on it as Ray does."""

    def __init__(self, tmp_path: Path, **task) -> None:
        self.here, self.licence = tmp_path / "here", tmp_path / "licences/att"
        self.licence.parent.mkdir()
        self.here.mkdir()
        self.licence.write_text("go\n")
        order = order_of("s/a", **task)
        (self.here / "work.json").write_bytes(work_file(order, SETTINGS, self.here, self.licence, ()))

    def begin(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-I", runner.__file__, str(self.here), "0"]
        return subprocess.Popen(words, start_new_session=True)

    def told(self) -> dict:
        return json.loads((self.here / "0/run/status").read_text())

    def log(self) -> str:
        return (self.here / "log-0").read_text()

    def until(self, done) -> None:
        gives_up_s = time.monotonic() + 20
        while not done():
            assert time.monotonic() < gives_up_s
            time.sleep(0.01)


def test_the_runner_runs_once_and_writes_down_how_it_ended(tmp_path):
    cell = Cell(tmp_path, run='echo "$SUANWANG_TASK_ID $HOME"; exit 5')
    assert cell.begin().wait() == 5
    assert cell.told()["code"] == 5
    assert cell.log() == f"task-{'0' * 26} {cell.here}/0/task\n"
    assert cell.begin().wait() == 98, "a second submission of the same element begins nothing"
    assert cell.log().count("\n") == 1


def test_the_runner_is_for_every_python_of_a_node_and_needs_nothing_else():
    tree = ast.parse(Path(runner.__file__).read_text(), feature_version=(3, 8))
    froms = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    names = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    assert froms | names <= sys.stdlib_module_names | {"__future__"}
    assert (runner.GO, runner.NOBODY_WAITS, runner.BEGUN_BEFORE) == (job.GO, verdict.NOBODY_WAITS, verdict.BEGUN_BEFORE)


def test_without_its_licence_the_runner_begins_nothing(tmp_path):
    cell = Cell(tmp_path)
    cell.licence.write_text("save\n")
    assert cell.begin().wait() == 97
    cell.licence.unlink()
    assert cell.begin().wait() == 97
    assert not (cell.here / "0").exists()


@pytest.mark.parametrize("how", ["withdrawn", "killed", "told to end"])
def test_when_nobody_waits_the_work_and_what_it_left_behind_is_ended(tmp_path, how):
    """By the agent, by a Ray that kills, and by a Ray that asks."""
    alive = tmp_path / "alive"
    beat = f"setsid sh -c 'while :; do date +%s%N >{alive}; sleep 0.02; done' & sleep 1000"
    cell = Cell(tmp_path, run=beat)
    outer = cell.begin()
    cell.until(alive.exists)
    if how == "withdrawn":
        cell.licence.unlink()
    else:
        os.killpg(outer.pid, signal.SIGKILL if how == "killed" else signal.SIGTERM)
    outer.wait()

    def still() -> bool:
        before = alive.read_text()
        time.sleep(0.1)
        return alive.read_text() == before

    cell.until(still)
    assert not (cell.here / "0/run/status").exists(), "whoever ended it knows why"


def test_more_memory_than_asked_is_its_end(tmp_path):
    hog = "import time; x = bytearray(200 << 20); time.sleep(60)"
    cell = Cell(tmp_path, run=[sys.executable, "-c", hog], resources={"memory": "64 MiB"})
    assert cell.begin().wait() == 137
    assert cell.told()["cause"] == "memory"
    assert cell.told()["memory_peak_bytes"] > 64 * 2**20
