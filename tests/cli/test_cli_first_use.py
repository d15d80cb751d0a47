"""The first ten minutes: an empty home, a user's own command in the real sandbox, its outputs and its bill."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

TASK = """
name: count
run: |
  echo counting
  wc -l < in/words.txt | tr -d ' ' > lines.txt
  mkdir -p sub && sort -r in/words.txt > sub/sorted.txt
resources: {cpu: 1, memory: 64 MiB, disk: 32 MiB, wall_time: 1 min}
inputs:
- {source: words.txt, path: in/words.txt}
outputs:
- {path: lines.txt}
- {path: sub}
"""


@pytest.fixture
def shell(tmp_path):
    """Run `suanwang` as a program of its own, in a folder with a task file, on a home that is not there yet."""
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "words.txt").write_text("b\na\nc\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("SUANWANG_")}
    env |= {"SUANWANG_HOME": str(tmp_path / "home"), "COLUMNS": "100"}

    def call(*arguments):
        command = [sys.executable, "-m", "suanwang.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120, check=False)

    call.environment = env
    return call


def test_a_plan_on_an_empty_home_leaves_no_task(shell):
    planned = shell("plan", "task.yaml", "--json")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert json.loads(planned.stdout)["plan"]["emulated"]
    assert json.loads(shell("list", "--json").stdout) == {"tasks": []}
    assert json.loads(shell("bill", "--json").stdout)["lines"] == 0


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_command_of_ones_own_runs_and_returns_outputs_and_bill(shell, tmp_path):
    ran = shell("run", "task.yaml", "--json", "-o", "got")
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    done = json.loads(ran.stdout)
    assert (tmp_path / "got" / "lines.txt").read_text() == "3\n"
    assert (tmp_path / "got" / "sub" / "sorted.txt").read_text() == "c\nb\na\n"
    assert sorted(done["saved"]) == [str(tmp_path / "got" / one) for one in ("lines.txt", "sub/sorted.txt")]
    bill = done["bill"]
    assert {one["line"]["kind"] for one in bill["charges"]} >= {"core", "memory", "energy"}
    assert sum(one["line"]["amount_micro_yuan"] for one in bill["charges"]) == bill["total_micro_yuan"]
    assert bill["total_micro_yuan"] <= bill["quote_micro_yuan"]
    assert bill["emulated"]
    assert bill["usage"]["wall_us"] > 0
    assert bill["usage"]["bytes_in"] == 6
    again = shell("logs", "last")
    assert (again.returncode, again.stdout) == (0, "counting\n")


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_ctrl_c_says_how_to_go_on_and_nothing_else(shell, tmp_path):
    (tmp_path / "slow.yaml").write_text("run: echo begun && sleep 60\n")
    command = [sys.executable, "-m", "suanwang.cli", "run", "slow.yaml"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=shell.environment, **pipes) as process:
        for line in process.stdout:
            if "begun" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "suanwang cancel task-" in out
    assert json.loads(shell("cancel", "last", "--json").stdout)["phase"] in ("stopping", "cancelled")
