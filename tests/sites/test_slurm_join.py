"""A Slurm cluster joins a grid: what is found on the real one, and the first task on it."""

import time
from collections.abc import Callable

import pytest
from tests.plan.worlds import general, grid_of, site_of
from tests.sites.slurm_cluster import SLURM, WORK_USER

from suanwang.agent.adapters.remote.names import slug
from suanwang.agent.adapters.slurm.discover import records
from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.error import BackendError, FaultsError
from suanwang.model.grid import PoolKind, PriceBook
from suanwang.model.joining import Inventory
from suanwang.model.record import Phase
from suanwang.runtime import agent_main, join_main
from suanwang.runtime.app import serving
from suanwang.runtime.join_main import Talk, Wish
from suanwang.runtime.settings import Settings
from suanwang.runtime.slurm_site import discover_slurm

pytestmark = SLURM
FIRST_TASK_S = 300
TASK = {
    "run": "echo $SLURM_JOB_ID > result.txt",
    "sites": ["annex"],
    "outputs": [{"path": "result.txt"}],
    "resources": {"cpu": 2, "memory": "64 MiB", "wall_time": "30 s"},
}


def test_a_cluster_is_found_by_shapes_of_nodes_and_no_node_counts_twice(steady, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(steady.conf))
    found = discover_slurm()
    general_pool, cards = found.pools
    assert (general_pool.name, general_pool.kind, general_pool.nodes) == ("batch", PoolKind.GENERAL, 3)
    assert (general_pool.cores_per_node, general_pool.memory_bytes_per_node) == (8, 4000 * 2**20)
    assert general_pool.time_limit_us is None
    assert (cards.name, cards.kind, cards.nodes) == ("gpu", PoolKind.AI, 1)
    assert (cards.accelerator_model, cards.accelerators_per_node, cards.resource) == ("a100", 2, "gpu:a100")
    assert found.version.startswith("Slurm ")
    assert {"wall_time", "log"} <= set(found.limits)
    assert any("cannot hold a task to its files" in note for note in found.notes)


def test_nodes_that_are_drained_and_partitions_that_are_down_do_not_count(cluster, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    node = cluster.nodes[0]
    cluster.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=a broken fan = noise")
    cluster.run("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        found = discover_slurm()
    finally:
        cluster.run("scontrol", "update", f"nodename={node}", "state=resume")
        cluster.run("scontrol", "update", "partitionname=gpu", "state=up")
    assert [(pool.name, pool.nodes) for pool in found.pools] == [("batch", 2)]
    assert any(node in note for note in found.notes)
    assert any("gpu" in note for note in found.notes)


def test_a_controller_that_is_away_is_said(steady, monkeypatch, tmp_path):
    conf = tmp_path / "slurm.conf"
    conf.write_text(steady.conf.read_text().replace("SlurmctldPort=", "SlurmctldPort=1\n#"))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    with pytest.raises(BackendError):
        discover_slurm()


def test_lines_of_scontrol_are_read_whatever_is_in_their_values():
    (one,) = records("NodeName=n1 OS=Linux 5.10 #1 SMP Reason=a = b c=d CPUTot=8\n\n")
    assert (one["OS"], one["CPUTot"], one["NodeName"]) == ("Linux 5.10 #1 SMP", "8", "n1")
    assert [slug(text) for text in ("GPU_A100", "Ünïcode!", "---", "a" * 40)] == ["gpu_a100", "n-code", "x", "a" * 30]


def test_a_cluster_joins_and_runs_its_first_task(steady, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(steady.conf))
    file = tmp_path / "grid.yaml"
    site = site_of("core", [general("core", cores=1, memory=2**30)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    home = Settings(home=tmp_path / "brain", grid=str(file), port=0, scarcity_s=0, optimise_s=0)
    told: dict[str, object] = {}
    with serving(home, with_agent=False) as here, Client(here.url, here.key) as client:

        def say(key, values):
            if key == "cli.join.waits":
                client.approve_join(values["join"])

        def story(_: Callable[[], bool]) -> None:
            told["task"] = client.wait(client.submit(TASK).task_id, timeout_s=60)

        monkeypatch.setattr(agent_main, "until_signal", story)
        own = Settings(home=tmp_path / "site", url=here.url, adapter="slurm", slurm_poll_s=0)
        wish = Wish(site="annex", user=WORK_USER, shared_folder=str(steady.folder / "work"), enforces=("cpu",))
        begun_s = time.monotonic()
        talk = Talk(say, lambda ask: True, lambda view: None)
        assert join_main.run(own, client.issue_key("local", "joiner").key, wish, talk) == 0
    assert time.monotonic() - begun_s < FIRST_TASK_S
    assert told["task"].phase is Phase.SUCCEEDED, told["task"]
    assert not told["task"].emulated
    kept = (tmp_path / "site/agents/agent-annex/slurm.yaml").read_text()
    assert 'annex/gpu: {partition: "gpu", gres: "gpu:a100"}' in kept


def test_a_cluster_with_nothing_up_does_not_ask(tmp_path, monkeypatch):
    monkeypatch.setattr(join_main, "discover", lambda *_: Inventory(adapter="slurm", pools=()))
    own = Settings(home=tmp_path, url="http://127.0.0.1:1", adapter="slurm")
    with pytest.raises(FaultsError) as refused:
        join_main.run(own, "token", Wish(site="annex", user=WORK_USER), Talk(lambda key, values: None, bool, print))
    assert [fault.code for fault in refused.value.faults] == ["join_nothing"]


def test_an_agent_that_is_root_needs_somebody_that_work_runs_as(tmp_path):
    own = Settings(home=tmp_path, url="http://127.0.0.1:1", adapter="slurm")
    with pytest.raises(FaultsError) as unknown:
        join_main.run(own, "token", Wish(site="annex", user=WORK_USER, enforces=("speed",)), Talk(print, bool, print))
    assert [fault.code for fault in unknown.value.faults] == ["join_limit"]
    for user, code in ((None, "slurm_user_needed"), ("root", "slurm_user_wrong"), ("no-such", "slurm_user_unknown")):
        with pytest.raises(FaultsError) as refused:
            join_main.run(own, "token", Wish(site="annex", user=user), Talk(print, bool, print))
        assert [fault.code for fault in refused.value.faults] == [code]
