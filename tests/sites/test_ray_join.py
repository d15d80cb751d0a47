"""A real Ray cluster joins a grid as an ai pool, and its first task runs on its cards: `make test-sites`."""

import json
from collections.abc import Callable

from tests.plan.worlds import general, grid_of, site_of
from tests.sites.ray_head import SITES

from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook
from suanwang.model.record import Phase
from suanwang.runtime import agent_main, join_main
from suanwang.runtime.app import serving
from suanwang.runtime.join_main import Talk, Wish
from suanwang.runtime.ray_site import RayWish
from suanwang.runtime.settings import Settings

pytestmark = SITES
TASK = {
    "run": 'echo "on $CUDA_VISIBLE_DEVICES"; tr a-z A-Z < in.txt > result.txt',
    "sites": ["annex"],
    "outputs": [{"path": "result.txt"}],
    "inputs": [{"source": "in.txt", "path": "in.txt"}],
    "resources": {"accelerators": 1, "accelerator": "a100", "memory": "64 MiB", "wall_time": "30 s"},
}


def test_a_cluster_joins_and_runs_its_first_task(ray_head, tmp_path, monkeypatch):
    file, folder = tmp_path / "grid.yaml", tmp_path / "shared"
    site = site_of("core", [general("core", cores=1, memory=2**30)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    (tmp_path / "in.txt").write_text("one two\n")
    home = Settings(home=tmp_path / "brain", grid=str(file), port=0, scarcity_s=0, optimise_s=0)
    told: dict[str, object] = {}
    with serving(home, with_agent=False) as here, Client(here.url, here.key) as client:

        def say(key, values):
            if key == "cli.join.waits":
                told["join"] = client.approve_join(values["join"])

        def story(_: Callable[[], bool]) -> None:
            sent = client.submit(TASK, files=tmp_path)
            told["task"] = client.wait(sent.task_id, timeout_s=90)
            told["log"] = b"".join(client.logs(sent.task_id)).decode()
            told["bill"] = client.task_bill(sent.task_id)
            client.outputs.save(sent.task_id, tmp_path / "out")
            told["refused"] = client.wait(
                client.submit({**TASK, "secrets": ["KEY"]}, files=tmp_path).task_id, timeout_s=30
            )

        monkeypatch.setattr(agent_main, "until_signal", story)
        own = Settings(home=tmp_path / "site", url=here.url, adapter="ray")
        wish = Wish(site="annex", shared_folder=str(folder), enforces=("cpu",), ray=RayWish(url=ray_head.url))
        talk = Talk(say, lambda ask: True, lambda view: None)
        assert join_main.run(own, client.issue_key("local", "joiner").key, wish, talk) == 0
    (pool,) = told["join"].proposed.site.pools
    assert (pool.kind.value, pool.accelerator_model, pool.accelerators_per_node) == ("ai", "a100", 2)
    assert {"mounts", "secrets", "gangs", "images"} <= set(pool.lacks)
    assert told["task"].phase is Phase.SUCCEEDED, told["task"]
    assert told["log"] in ("on 0\n", "on 1\n")
    assert (tmp_path / "out/result.txt").read_text() == "ONE TWO\n"
    assert 0 < told["bill"].total_micro_yuan <= told["bill"].quote_micro_yuan
    assert told["refused"].phase is Phase.REFUSED
    kept = json.loads((tmp_path / "site/agents/agent-annex/ray.yaml").read_text())
    assert kept["pools"] == {"annex/a100": {"accelerator": "GPU", "resources": {"accelerator_type:A100": 0.001}}}
