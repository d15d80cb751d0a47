"""TES tasks that really run: the cases of the GA4GH compliance suite, and what they leave, on a brain with the local agent."""

import itertools
import shutil
import sys
import time
from pathlib import Path

import httpx
import pytest
from tes_rig import create, ended, executor, look, run, shell, task_of, tes_grid

from suanwang.model.task import OWN_FOLDERS

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

ECHO = executor("echo", "hello")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tes")
    folder.chmod(0o755)
    with tes_grid(folder) as found:
        yield found


@pytest.fixture
def client(real):
    with real.http() as found:
        yield found


def test_service_info(client):
    assert client.get("/service-info").json()["type"]["artifact"] == "tes"


def test_create_and_run_echo_hello(client):
    found = run(client, {"name": "CompTest", "description": "CompTest", "executors": [ECHO]})
    assert found["state"] == "COMPLETE"
    log = found["logs"][0]["logs"][0]
    assert (log["exit_code"], log["stdout"], log["stderr"]) == (0, "hello\n", "")
    assert found["creation_time"] <= log["start_time"] <= log["end_time"]
    assert found["logs"][0]["start_time"] <= found["logs"][0]["end_time"]


def test_create_with_resources_and_an_unknown_zone(client):
    resources = {"cpu_cores": 4, "preemptible": False, "ram_gb": 1, "disk_gb": 4, "zones": ["us-west-1"]}
    found = run(client, {"executors": [ECHO, ECHO], "resources": resources})
    assert found["state"] == "COMPLETE"
    assert found["resources"] == resources
    assert any("us-west-1" in line for line in found["logs"][0]["system_logs"])


@pytest.mark.parametrize("more", [{}, {"type": "FILE"}, {"streamable": True}])
def test_create_with_inputs_in_a_bucket_that_is_not_there(client, more):
    one = {"url": "s3://my-object-store/file-1", "path": "/data/file1", **more}
    found = run(client, task_of(ECHO, inputs=[one]))
    assert found["state"] == "SYSTEM_ERROR"
    assert found["inputs"] == [one]


@pytest.mark.parametrize("more", [{}, {"type": "FILE"}])
def test_create_with_outputs_in_a_bucket_that_is_not_there(client, more):
    found = run(
        client, task_of(ECHO, outputs=[{"url": "s3://my-object-store/outfile-1", "path": "/data/outfile", **more}])
    )
    assert found["state"] == "SYSTEM_ERROR"


def test_create_with_backend_parameters_and_strict_ones(client):
    unknown = {"VmSize": "Standard_D64_v3", "Caching": "ReadWrite"}
    found = run(
        client, {"executors": [ECHO], "resources": {"backend_parameters": unknown, "backend_parameters_strict": False}}
    )
    assert found["state"] == "COMPLETE"
    assert sum("VmSize" in line or "Caching" in line for line in found["logs"][0]["system_logs"]) == 2
    strict = {"backend_parameters": {"INVALID": "PARAMETER"}, "backend_parameters_strict": True}
    answer = client.post("/tasks", json={"executors": [ECHO], "resources": strict})
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["code"] == "tes_parameter"


def test_a_failing_executor_ends_the_task_unless_it_is_ignored(client):
    first = run(client, task_of(executor("ERROR", ignore_error=False), ECHO))
    assert first["state"] == "EXECUTOR_ERROR"
    assert [one["exit_code"] for one in first["logs"][0]["logs"]] == [127]
    assert "ERROR" in first["logs"][0]["logs"][0]["stderr"]
    second = run(client, task_of(executor("ERROR", ignore_error=True), ECHO))
    assert second["state"] == "COMPLETE"
    assert [one["exit_code"] for one in second["logs"][0]["logs"]] == [127, 0]


def test_cancel_a_task_that_runs(client):
    task_id = create(client, task_of(executor("sleep", "240")))
    deadline = time.monotonic() + 20
    while look(client, task_id, "MINIMAL")["state"] != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert client.post(f"/tasks/{task_id}:cancel").json() == {}
    assert look(client, task_id, "MINIMAL")["state"] in ("CANCELED", "CANCELING")
    assert ended(client, task_id)["state"] == "CANCELED"


def test_views_of_one_and_of_many(client):
    task_id = create(client, task_of(ECHO, name="CompViews", inputs=[{"path": "/data/x", "content": "c"}]))
    ended(client, task_id)
    for view, has in (("MINIMAL", {"id", "state"}), ("BASIC", {"executors", "logs"}), ("FULL", {"executors", "logs"})):
        listed = client.get("/tasks", params={"view": view, "name_prefix": "CompViews"}).json()["tasks"]
        assert [one["id"] for one in listed] == [task_id]
        assert has <= set(listed[0])
        assert listed[0] == look(client, task_id, view)
    assert "content" not in look(client, task_id, "BASIC")["inputs"][0]
    assert look(client, task_id)["inputs"][0]["content"] == "c"


def test_filters_and_pages(client):
    for number in range(3):
        create(client, task_of(ECHO, name=f"CompPage{number}", tags={"foo": "bar", "baz": "bat", "abcxyz": ""}))
    pages = client.get("/tasks", params={"page_size": 1}).json()
    assert len(pages["tasks"]) == 1
    after = client.get("/tasks", params={"page_size": 1, "page_token": pages["next_page_token"]}).json()
    assert after["tasks"][0]["id"] != pages["tasks"][0]["id"]
    params = {"tag_key": ["baz", "foo"], "tag_value": ["bat"], "view": "BASIC"}
    assert {one["name"] for one in client.get("/tasks", params=params).json()["tasks"]} == {
        "CompPage0",
        "CompPage1",
        "CompPage2",
    }
    assert client.get("/tasks", params={"tag_key": "foo", "tag_value": "wrong"}).json()["tasks"] == []
    assert len(client.get("/tasks", params={"tag_key": "abcxyz"}).json()["tasks"]) == 3


def test_content_streams_folders_volumes_and_environment_over_three_executors(client, real):
    text = "line one\nline two\n" + "x" * 200_000
    document = task_of(
        shell("wc -c </data/in.txt; echo $WHO >/vol/a/who; pwd", env={"WHO": "me & you"}, workdir="/job/deep"),
        shell("cat; echo oops >&2", stdin="/vol/a/who", stdout="/out/copy.txt", stderr="/out/err.txt"),
        shell("mkdir /out/d && cp /data/in.txt /out/d/ && tr a-z A-Z </out/copy.txt && touch /tmp/t"),
        inputs=[{"path": "/data/in.txt", "content": text, "url": "s3://ignored/x"}],
        outputs=[
            {"path": "/out/copy.txt", "url": f"file://{real.delivered}/renamed.txt"},
            {"path": "/out/d", "url": f"file://{real.delivered}/folder/", "type": "DIRECTORY"},
            {"path": "/out/*.txt", "path_prefix": "/out", "url": f"file://{real.delivered}/wild"},
            {"path": "/out/copy.txt", "url": f"file://{real.delivered}/wild/other.txt"},
        ],
        volumes=["/vol/a"],
        tags={"Project": "α"},
    )
    found = run(client, document)
    assert found["state"] == "COMPLETE", found
    assert {name: found[name] for name in document} == document
    logs = found["logs"][0]["logs"]
    assert [one["exit_code"] for one in logs] == [0, 0, 0]
    assert logs[0]["stdout"].split() == [str(len(text)), "/job/deep"]
    assert logs[1]["stdout"] == "me & you\n" and logs[1]["stderr"] == "oops\n"
    assert logs[2]["stdout"] == "ME & YOU\n"
    assert all(one["end_time"] <= two["start_time"] for one, two in itertools.pairwise(logs))
    root = real.delivered
    assert (root / "renamed.txt").read_text() == (root / "wild" / "copy.txt").read_text() == "me & you\n"
    assert (root / "folder" / "in.txt").read_text() == text
    assert (root / "wild" / "other.txt").read_text() == "me & you\n"
    assert (root / "wild" / "err.txt").read_text() == "oops\n"
    outputs = {(one["path"], one["url"]): one["size_bytes"] for one in found["logs"][0]["outputs"]}
    assert outputs["/out/copy.txt", f"file://{root}/renamed.txt"] == "9"
    assert outputs["/out/d/in.txt", f"file://{root}/folder/in.txt"] == str(len(text))
    assert len(outputs) == 5


def test_inputs_in_tmp_beside_the_sites_python_and_a_system_folder_as_workdir(client):
    """The folder at the top in which the site's Python lies may be one of the task's too."""
    top = next(one for one in (Path(sys.base_prefix).parts[1], "home") if one not in OWN_FOLDERS)
    text = f"cat /tmp/a/in /{top}/in; pwd; python -c 'print(6 * 7)'; mkdir /tmp/new /{top}/new"
    inputs = [{"path": "/tmp/a/in", "content": "given\n"}, {"path": f"/{top}/in", "content": "too\n"}]
    found = run(client, task_of(shell(text, workdir="/usr/bin"), inputs=inputs))
    assert found["state"] == "COMPLETE", found
    assert found["logs"][0]["logs"][0]["stdout"] == "given\ntoo\n/usr/bin\n42\n"


def test_what_failed_shows_what_it_printed_and_delivers_nothing(client, real):
    outputs = [{"path": "/out/x", "url": f"file://{real.delivered}/never"}]
    found = run(client, task_of(ECHO, shell("echo seen; echo why >&2; echo x >/out/x; exit 9"), ECHO, outputs=outputs))
    assert found["state"] == "EXECUTOR_ERROR"
    logs = found["logs"][0]["logs"]
    assert [one["exit_code"] for one in logs] == [0, 9]
    assert (logs[1]["stdout"], logs[1]["stderr"]) == ("seen\n", "why\n")
    assert found["logs"][0]["outputs"] == []
    with httpx.Client(headers={"Authorization": f"Bearer {real.here.key}"}) as http:
        task = f"{real.here.url}/v1/tasks/{found['id']}"
        assert {one["path"] for one in http.get(task).json()["outputs"]} >= {".tes/log", ".tes/1.err"}
        assert http.get(f"{task}/outputs/.tes/1.err").text == "why\n"
        assert http.get("/".join([task, "outputs", "root", "out", "x"])).status_code == 404
    assert not (real.delivered / "never").exists()


def test_an_executor_that_is_killed_for_its_memory_is_told_as_killed(client):
    hog = shell("echo begun; exec python -c 'x = bytearray(10**9)'")
    found = run(client, task_of(hog, ECHO))
    assert found["state"] == "EXECUTOR_ERROR"
    assert [one["exit_code"] for one in found["logs"][0]["logs"]] == [137]
    assert found["logs"][0]["logs"][0]["stdout"] == "begun\n"
    assert found["logs"][0]["metadata"]["reason"] == "out_of_memory"


def test_a_task_past_its_wall_time_keeps_the_ends_before(client):
    slow = task_of(ECHO, executor("sleep", "60"), resources={"backend_parameters": {"wall_time": "1 s"}})
    found = run(client, slow)
    assert found["state"] == "EXECUTOR_ERROR"
    assert [one["exit_code"] for one in found["logs"][0]["logs"]] == [0, 137]
    assert found["logs"][0]["metadata"]["reason"] == "wall_time"


def test_a_time_that_the_work_forged_spoils_no_answer(client):
    found = run(client, task_of(shell("echo '0 began 999999999999' >>/task/.tes/log"), ECHO, name="forged"))
    assert found["state"] == "COMPLETE"
    assert [one["exit_code"] for one in found["logs"][0]["logs"]] == [0, 0]
    assert len(client.get("/tasks", params={"view": "BASIC", "name_prefix": "forged"}).json()["tasks"]) == 1


def test_this_machine_needs_no_key_where_the_operator_says_so(real):
    made = httpx.post(f"{real.url}/tasks", json=task_of(ECHO, name="open")).json()["id"]
    none = {"Authorization": "Basic Tm9uZTpOb25l"}
    assert httpx.get(f"{real.url}/tasks/{made}", headers=none).status_code == 200
    assert httpx.get(f"{real.url}/tasks/{made}", headers={"Host": "evil.example"}).status_code == 401
    for name in (
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Via",
    ):  # a proxy of this machine
        assert httpx.get(f"{real.url}/tasks/{made}", headers={name: "127.0.0.1"}).status_code == 401
    assert httpx.get(f"{real.here.url}/v1/tasks").status_code == 401
    assert httpx.get(f"{real.url}/tasks", headers={"Authorization": "Bearer sw_x_y"}).status_code == 401


def test_the_log_of_our_own_door_has_what_it_printed(client, real):
    found = run(client, task_of(shell("echo to-the-log; echo err-too >&2")))
    with httpx.Client(headers={"Authorization": f"Bearer {real.here.key}"}) as http:
        log = http.get(f"{real.here.url}/v1/tasks/{found['id']}/logs").text
    assert set(log.split()) == {"to-the-log", "err-too"}
