"""A grid drives a grid: a TES server joins brain A, a task that A plans there runs on brain B, and A charges it."""

from collections.abc import Callable

import pytest
from tests.plan.worlds import general, grid_of, site_of
from tests.sites.tes_server import IMAGE, TES

from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.error import FaultsError
from suanwang.model.grid import PriceBook
from suanwang.model.record import Phase
from suanwang.runtime import agent_main, join_main
from suanwang.runtime.app import serving
from suanwang.runtime.join_main import Talk, Wish
from suanwang.runtime.settings import Settings
from suanwang.runtime.tes_site import TesWish

pytestmark = TES
TASK = {
    "run": "cat in.txt; sleep 1; tr a-z A-Z < in.txt > out/result.txt",
    "sites": ["beyond"],
    "outputs": [{"path": "out/*.txt"}],
    "resources": {"memory": "64 MiB", "wall_time": "30 s"},
}


def test_a_task_of_one_grid_runs_on_another_and_is_charged(tes_brain, tmp_path, monkeypatch):
    file, token = tmp_path / "grid.yaml", tmp_path / "token"
    token.write_text(tes_brain.key)
    site = site_of("core", [general("core", cores=1, memory=2**30)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    home = Settings(home=tmp_path / "brain", grid=str(file), port=0, scarcity_s=0, optimise_s=0)
    (tes_brain.storage / "a").mkdir()
    told: dict[str, object] = {}
    with serving(home, with_agent=False) as here, Client(here.url, here.key) as client:

        def say(key, values):
            if key == "cli.join.waits":
                told["join"] = client.approve_join(values["join"])

        def story(_: Callable[[], bool]) -> None:
            (tmp_path / "in.txt").write_text("one two\n")
            task = {**TASK, "run": "mkdir out; " + TASK["run"], "inputs": [{"source": "in.txt", "path": "in.txt"}]}
            sent = client.submit(task, files=tmp_path)
            told["task"] = client.wait(sent.task_id, timeout_s=120)
            told["log"] = b"".join(client.logs(sent.task_id)).decode()
            told["bill"] = client.task_bill(sent.task_id)
            client.outputs.save(sent.task_id, tmp_path / "out")
            bound = {**TASK, "mounts": [{"path": "/data", "folder": "data"}]}
            told["refused"] = client.wait(client.submit(bound).task_id, timeout_s=30)

        monkeypatch.setattr(agent_main, "until_signal", story)
        own = Settings(home=tmp_path / "site", url=here.url, adapter="tes")
        tes = TesWish(
            url=tes_brain.url,
            image=IMAGE,
            storage=f"file://{tes_brain.storage}/a",
            token_file=str(token),
            nodes=1,
            cores=4,
            memory_bytes=2**33,
        )
        talk = Talk(say, lambda ask: True, lambda view: None)
        assert join_main.run(own, client.issue_key("local", "joiner").key, Wish(site="beyond", tes=tes), talk) == 0
    (pool,) = told["join"].proposed.site.pools
    assert {"mounts", "secrets", "checkpoints", "gangs"} <= set(pool.lacks)
    assert told["task"].phase is Phase.SUCCEEDED, told["task"].refusals
    assert told["log"] == "one two\n"
    assert (tmp_path / "out/out/result.txt").read_text() == "ONE TWO\n"
    bill = told["bill"]
    assert 0 < bill.total_micro_yuan <= bill.quote_micro_yuan
    assert bill.usage.wall_us >= 1_000_000
    assert told["refused"].phase is Phase.REFUSED


def test_what_tes_cannot_tell_has_to_be_said_and_all_of_it_is_asked_at_once(tmp_path):
    own = Settings(home=tmp_path, url="http://127.0.0.1:1", adapter="tes")
    with pytest.raises(FaultsError) as refused:
        join_main.run(own, "token", Wish(site="beyond", tes=TesWish(nodes=2)), Talk(print, bool, print))
    asked = ["--tes-url", "--tes-image", "--tes-storage", "--cores", "--memory"]
    assert [(one.code, one.where) for one in refused.value.faults] == [("join_tes_needs", one) for one in asked]
