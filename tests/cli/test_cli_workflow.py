"""`suanwang workflow`: the example with real commands in the sandbox, and the rest against a brain of fakes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suanwang.cli.exits import Exit
from suanwang.client import Client
from suanwang.model.grid import Tenant

EXAMPLE = Path(__file__).parents[2] / "examples" / "genome-kmers"
FAST = "defaults: {run: x, retries: 0, tags: {fake.duration-us: '20000'}}\n"
PAIR = f"""workflow: pair
{FAST}tasks:
  make: {{outputs: [{{path: out}}]}}
  take: {{inputs: [{{source: "task:make/out", path: in}}]}}
"""
BROKEN = f"""workflow: broken
{FAST}tasks:
  count: {{tags: {{fake.outcome: "exit:1"}}}}
  mend: {{after: {{count: failed}}}}
  report: {{after: {{count: succeeded}}}}
"""


def test_the_example_runs_on_an_empty_home_with_real_commands(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "flow")
    env = {name: value for name, value in os.environ.items() if not name.startswith("SUANWANG_")}
    env |= {"SUANWANG_HOME": str(tmp_path / "home"), "COLUMNS": "120"}

    command = [sys.executable, "-m", "suanwang.cli", "workflow", "run", "--wait", "--json"]
    command.append(str(tmp_path / "flow" / "workflow.yaml"))
    ran = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert ran.returncode == Exit.OK, ran.stdout + ran.stderr
    shown = json.loads(ran.stdout)
    assert {one["name"]: one["state"] for one in shown["steps"]} == {
        "prepare": "succeeded",
        "count": "succeeded",
        "mend": "skipped",
        "report": "succeeded",
    }
    assert shown["state"] == "succeeded"
    kept = [path.read_bytes() for path in (tmp_path / "home" / "objects").glob("??/*")]
    (report,) = [json.loads(one) for one in kept if b'"spectrum"' in one and one.startswith(b"{")]
    # Each of 2,000 reads has 80 k-mers of 21 letters; each of the genome's 20,000 is in eight of the reads that cover it.
    assert report == {"parts": 4, "different": 20_000, "in_all": 160_000, "spectrum": {"8": 20_000}}


def test_run_wait_shows_each_step_and_its_exit_says_the_result(sw, task_file) -> None:
    ran = sw("workflow", "run", task_file(PAIR), "--wait")
    assert ran.exit == Exit.OK
    assert "✓ succeeded" in ran.out
    mended = sw("workflow", "run", task_file(BROKEN), "--wait", "--json")
    assert mended.exit == Exit.OK, "the failure was handled"
    assert [one["state"] for one in mended.json["steps"]] == ["failed", "succeeded", "skipped"]
    bare = sw("workflow", "run", task_file(BROKEN.replace("  mend", "  #")), "--wait", "--json")
    assert bare.exit == Exit.TASK_FAILED
    assert bare.json["state"] == "failed"


def test_faults_come_all_at_once_with_their_lines_before_any_brain_is_asked(cli, task_file) -> None:
    text = "workflow: w\ntasks:\n  a: {run: x, after: {b: failed}}\n  b: {run: x, after: {a: ended}, retries: 99}\n"
    ran = cli("workflow", "run", task_file(text), "--json", "--url", "http://127.0.0.1:9")
    assert ran.exit == Exit.FAULTS
    found = {(one["code"], one["line"]) for one in ran.json["error"]["faults"]}
    assert found == {("workflow_circle", 3), ("above", 4)}


def test_plan_puts_each_behind_the_others_and_counts_the_move(sw, task_file) -> None:
    text = PAIR.replace("path: in}", "path: in, size: 1 GiB}")
    ran = sw("workflow", "plan", task_file(text), "--json")
    assert ran.exit == Exit.OK
    make, take = (one["plan"] for one in ran.json["steps"])
    assert take["start_us"] >= make["end_us"]
    assert [(one["replica"], one["size_bytes"]) for one in take["data"]] == [(make["site"], 2**30)]
    assert ran.json["quote_micro_yuan"] == make["quote_micro_yuan"] + take["quote_micro_yuan"]
    assert "make" in sw("workflow", "plan", task_file(PAIR)).out


def test_list_show_and_cancel(sw, task_file) -> None:
    slow = PAIR.replace("'20000'", "'600000000'")
    begun = sw("workflow", "run", task_file(slow), "--json")
    assert begun.exit == Exit.OK
    flow = begun.json["workflow_id"]
    assert flow in sw("workflow", "list").out
    assert sw("workflow", "show", flow, "--json").json["state"] == "running"
    assert sw("workflow", "cancel", flow).exit == Exit.OK
    assert sw("workflow", "show", "flow-none").exit == Exit.NOT_FOUND


def test_a_refused_task_refuses_all(sw, task_file) -> None:
    text = PAIR.replace("  take: {", "  take: {priority: 100, sites: [nowhere], ")
    ran = sw("workflow", "run", task_file(text))
    assert ran.exit == Exit.REFUSED
    assert "nowhere" in ran.out
    assert "make" not in sw("list", "--text", "make", "--phase", "waiting").out


def test_the_sdk_waits_repeats_and_keeps_tenants_apart(grid) -> None:
    with Client(grid.here.url, grid.keys["user"]) as client, Client(grid.here.url, grid.keys["other"]) as other:
        import yaml

        begun = client.submit_workflow(yaml.safe_load(PAIR), idempotency_key="sdk-flow")
        again = client.submit_workflow(yaml.safe_load(PAIR), idempotency_key="sdk-flow")
        assert again.workflow_id == begun.workflow_id
        assert begun.workflow_id is not None
        end = client.wait_workflow(begun.workflow_id, timeout_s=60)
        assert end.counts == {"succeeded": 2}
        assert begun.workflow_id in {one.workflow_id for one in client.workflows()}
        assert begun.workflow_id not in {one.workflow_id for one in other.workflows()}
        task = client.task(str(end.steps[1].task_id))
        assert task.tags["suanwang.workflow"] == begun.workflow_id
        assert task.tags["suanwang.step"] == "take"


def test_the_last_of_none_says_how_to_begin(tmp_path, grid) -> None:
    from suanwang.cli.workflow import resolve
    from suanwang.model.error import NotFoundError

    operator = Client(grid.here.url, grid.keys["operator"])
    tenant = {"id": "nobody", "name": "Nobody"}
    operator.set_tenant(Tenant.model_validate(tenant))
    key = operator.issue_key("nobody", "user").key
    with Client(grid.here.url, key) as client, pytest.raises(NotFoundError) as caught:
        resolve(client, "last")
    assert caught.value.code == "no_workflow_yet"
    operator.close()
