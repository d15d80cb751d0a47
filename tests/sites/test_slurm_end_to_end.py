"""A brain, an agent's process with the Slurm adapter, and a task that runs on the cluster and is charged."""

import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path

from tests.plan.worlds import general, grid_of, site_of
from tests.sites.slurm_cluster import SLURM, WORK_USER, SlurmCluster

import suanwang
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook
from suanwang.model.ids import TenantId
from suanwang.model.principal import Role
from suanwang.model.record import Phase
from suanwang.runtime import agent_main
from suanwang.runtime.app import Serving, serving
from suanwang.runtime.settings import Settings

pytestmark = SLURM
FILE = """
folder: {folder}
user: {user}
enforces: [cpu]
pools:
  cluster/general: {{partition: batch}}
"""
TASK = {
    "run": "echo on $SLURMD_NODENAME; sleep 1; echo $SLURM_JOB_ID > result.txt",
    "outputs": [{"path": "result.txt"}],
    "resources": {"cpu": 2, "memory": "64 MiB", "wall_time": "30 s"},
}


def settings_of(folder: Path, here: Serving, cluster: SlurmCluster) -> Settings:
    file = folder / "slurm.yaml"
    file.write_text(FILE.format(folder=cluster.folder / "work", user=WORK_USER))
    operator = here.brain.authenticate(here.key)
    key = here.brain.issue_key(operator, TenantId("local"), Role.AGENT, ("cluster",))[1]
    return Settings(home=folder / "agent", url=here.url, key=key, adapter="slurm", slurm_file=str(file), slurm_poll_s=0)


def functions(client: Client) -> tuple[object, ...]:
    """What Python functions give there: nothing of Suanwang is installed for the user that works."""
    task = suanwang.task(client=client, memory="64 MiB", wall_time="30 s")

    @task
    def square(x):
        return x * x, pwd.getpwuid(os.getuid()).pw_name

    @task
    def divide(x, one=1):
        return one / x

    value, user = square(3)
    return value, user, [found for found, _ in square.map(range(4), chunk=2)], divide.submit(0).exception(60)


def grid_file(folder: Path) -> Path:
    file = folder / "grid.yaml"
    book = PriceBook(id="plain", core_hour_micro_yuan=3_600_000)
    site = site_of("cluster", [general("cluster", nodes=3, cores=8, memory=2**31)])
    file.write_text(dump_grid(grid_of([site], [], books=(book,))), "utf-8")
    return file


def test_a_task_of_the_grid_runs_on_slurm_and_is_charged(tmp_path, steady, overdue, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(steady.conf))
    told: dict[str, object] = {}
    with (
        serving(Settings(home=tmp_path / "home", grid=str(grid_file(tmp_path)), port=0), with_agent=False) as here,
        Client(here.url, here.key) as client,
    ):

        def story(_: Callable[[], bool]) -> None:
            task = client.submit(TASK)
            told["task"] = client.wait(task.task_id, timeout_s=60)
            told["log"] = b"".join(client.logs(task.task_id)).decode()
            told["bill"] = client.task_bill(task.task_id)
            client.outputs.save(task.task_id, tmp_path / "out")
            told["functions"] = functions(client)
            late = client.submit({**TASK, "run": "sleep 100"})
            deadline = time.monotonic() + 30
            while client.task(late.task_id).phase is not Phase.RUNNING:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            client.cancel(late.task_id)
            told["late"] = client.wait(late.task_id, timeout_s=30)

        monkeypatch.setattr(agent_main, "until_signal", story)
        assert agent_main.run(settings_of(tmp_path, here, steady), None, ("cluster",)) == 0
    assert told["task"].phase is Phase.SUCCEEDED
    assert told["late"].phase is Phase.CANCELLED
    value, user, mapped, raised = told["functions"]
    assert (value, user, mapped) == (9, WORK_USER, [0, 1, 4, 9])
    assert isinstance(raised, ZeroDivisionError) and "one / x" in str(raised.__cause__)
    assert told["log"].startswith("on t")
    number = (tmp_path / "out/result.txt").read_text().strip()
    said = steady.run("scontrol", "show", "job", number)
    assert f"UserId={WORK_USER}" in said
    assert "JobState=COMPLETED" in said
    assert "NumCPUs=2" in said
    bill = told["bill"]
    # Two cores for at least a second, at one thousandth of a yuan a core second; no more than was quoted.
    assert 1_900 <= bill.total_micro_yuan <= bill.quote_micro_yuan
    # Measured from when the agent sees it at work, which may be a look after its begin.
    assert bill.usage.wall_us >= 900_000
    assert not bill.emulated, "a real site"
    assert len(steady.jobs()) <= 1, "all but the one that waits for its time to be over"
