"""Clients of others against the real brain: py-tes 1.1 and pydantic-tes, as their users call them, and py-tes 0.4's calls as they
go over the wire. py-tes stops at every field that it does not know, so a task that it reads has none."""

import shutil
import time
from datetime import UTC, datetime

import httpx
import pytest
from tes_rig import executor, shell, tes_grid

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
tes = pytest.importorskip("tes", reason="py-tes is not installed")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    folder.chmod(0o755)
    with tes_grid(folder, tes_open=False) as found:
        yield found


@pytest.fixture
def client(real):
    return tes.HTTPClient(real.here.url, token=real.here.key, timeout=10)


SMALL = tes.Resources(cpu_cores=1, ram_gb=0.0625, disk_gb=0.0625)


def task(*command, **more):
    return tes.Task(executors=[tes.Executor(image="alpine", command=list(command))], resources=SMALL, **more)


def test_py_tes_reads_the_service(client):
    info = client.get_service_info()
    assert info.type["artifact"] == "tes"
    assert info.storage


def test_py_tes_creates_waits_and_reads_the_views(client):
    task_id = client.create_task(task("echo", "hello", name="py-tes", tags={"Any Text": "x"}))
    assert client.wait(task_id, timeout=30).state == "COMPLETE"
    full = client.get_task(task_id, view="FULL")
    assert full.logs[0].logs[0].stdout == "hello\n"
    assert full.logs[0].metadata["site"] == "here"
    assert full.tags == {"Any Text": "x"}
    assert full.creation_time <= full.logs[0].start_time <= datetime.now(UTC)
    assert client.get_task(task_id, view="BASIC").logs[0].logs[0].stdout is None
    assert client.get_task(task_id, view="MINIMAL").executors is None


def test_py_tes_lists_by_pages(client):
    made = [client.create_task(task("true", name=f"paged-{number}")) for number in range(3)]
    first = client.list_tasks(view="BASIC", page_size=2)
    rest = client.list_tasks(view="FULL", page_size=2, page_token=first.next_page_token)
    assert [one.id for one in (*first.tasks, rest.tasks[0])] == list(reversed(made))
    assert first.tasks[0].name == "paged-2"


def test_py_tes_cancels(client):
    task_id = client.create_task(task("sleep", "100"))
    client.cancel_task(task_id)
    deadline = time.monotonic() + 30
    while (state := client.get_task(task_id, view="MINIMAL").state) != "CANCELED":
        assert state == "CANCELING" and time.monotonic() < deadline
        time.sleep(0.05)
    client.cancel_task(task_id)


def test_py_tes_with_executors_that_fail_and_parameters(client):
    wanted = tes.Task(
        executors=[
            tes.Executor(image="alpine", command=["sh", "-c", "exit 4"], ignore_error=True),
            tes.Executor(image="alpine", command=["sh", "-c", "exit 5"]),
        ],
        resources=tes.Resources(cpu_cores=1, ram_gb=0.1, backend_parameters={"Priority": "50", "x": "y"}),
        inputs=[tes.Input(path="/data/a", content="c", type="FILE")],
        volumes=["/vol/x"],
    )
    task_id = client.create_task(wanted)
    assert client.wait(task_id, timeout=30).state == "EXECUTOR_ERROR"
    full = client.get_task(task_id, view="FULL")
    assert [one.exit_code for one in full.logs[0].logs] == [4, 5]
    assert full.resources.backend_parameters == {"Priority": "50", "x": "y"}


def test_py_tes_is_told_of_faults(client):
    bad = task("true", inputs=[tes.Input(path="/etc/x", content="c", type="FILE")])
    with pytest.raises(Exception, match="400"):
        client.create_task(bad)


def test_pydantic_tes_creates_reads_lists_and_cancels(real, client):
    """It sends every field that it knows, most of them null."""
    pytest.importorskip("pydantictes", reason="pydantic-tes is not installed")
    from pydantictes import api, models

    headers = {"Authorization": f"Bearer {real.here.key}"}
    other = api.TesClient(f"{real.here.url}/tes/ga4gh/tes/", headers=headers)
    assert "gpu" in other.service_info().tesResources_backend_parameters
    echo = models.TesExecutor(image="alpine", command=["echo", "pydantic"])
    made = other.create_task(models.TesTask(executors=[echo]))
    client.wait(made.id, timeout=30)
    found = other.get_task(made, "FULL")
    assert found.state.value == "COMPLETE"
    assert found.logs[0].logs[0].stdout == "pydantic\n"
    assert made.id in {one.id for one in other.list_tasks().tasks}
    other.cancel_task(made)


def test_what_py_tes_0_4_sends_works_below_tes(real):
    """Its own calls, without it: it pins another version of the same package."""
    base = f"{real.here.url}/tes/v1/tasks"
    with httpx.Client(auth=("user", real.here.key)) as http:
        body = {"executors": [executor("true")], "inputs": [{"path": "/tmp/s", "content": "x", "type": "FILE"}]}
        made = http.post(
            base, content=httpx.Request("POST", base, json=body).content, headers={"Content-type": "application/json"}
        )
        task_id = made.json()["id"]
        assert http.get(f"{base}/service-info").status_code == 200
        assert http.get(f"{base}/{task_id}", params={"view": "MINIMAL"}).json()["id"] == task_id
        assert http.post(f"{base}/{task_id}:cancel").status_code == 200
    assert httpx.get(base, headers={"Authorization": "Basic Tm9uZTpOb25l"}).status_code == 401


def test_a_file_of_more_than_128_kib_inside_the_task_arrives(client):
    content = "x" * (300 * 1024)
    wanted = tes.Task(
        executors=[tes.Executor(**shell("wc -c </data/big"))],
        inputs=[tes.Input(path="/data/big", content=content, type="FILE")],
        resources=SMALL,
    )
    task_id = client.create_task(wanted)
    assert client.wait(task_id, timeout=30).state == "COMPLETE"
    assert client.get_task(task_id, view="FULL").logs[0].logs[0].stdout.strip() == str(len(content))
