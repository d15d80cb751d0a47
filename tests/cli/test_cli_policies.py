"""`suanwang net policies`: tables, one task's part, JSON, and what routers would get."""

import re
import time

import httpx
import pytest
from served import served

from suanwang.bus.http import HttpNetworkBus
from suanwang.cli.exits import Exit
from suanwang.client import Client
from suanwang.grids import SMALL, dump_grid, random_grid
from suanwang.model.task import TaskRequest
from suanwang.model.wanted import NetworkReport, PolicyUseReport, ProbedPath


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A brain of its own: tasks of other tests, that begin and end, would change what is wanted here."""
    with served(tmp_path_factory.mktemp("policies")) as found:
        yield found


@pytest.fixture
def tasks(grid):
    """Two tasks that run until they are cancelled, from two users' sites to a third."""
    sites = grid.here.brain.index.grid.sites
    target = next(site for site in sites if any(pool.kind == "general" for pool in site.pools))
    far = [site.id for site in sites if site.id != target.id][-2:]
    with Client(grid.here.url, grid.keys["operator"]) as client:
        made = [
            client.submit(
                TaskRequest(
                    run="true",
                    bandwidth=10_000_000,
                    latency=60_000,
                    origin=origin,
                    sites=(target.id,),
                    tags={"fake.outcome": "hang"},
                )
            ).task_id
            for origin in far
        ]
        end = time.monotonic() + 60
        while len({one.flow.task_id for one in client.policies().wanted.tasks} & set(made)) < 2:
            assert time.monotonic() < end, "in time"
            time.sleep(0.05)
        yield made
        for task in made:
            client.cancel(task)


@pytest.fixture
def say(grid):
    """A network agent's word."""

    def speak(**fields) -> None:
        headers = {"Authorization": f"Bearer {grid.keys['operator']}"}
        with httpx.Client(base_url=grid.here.url, headers=headers, timeout=60) as client:
            HttpNetworkBus(client, "spoken").exchange(
                NetworkReport(**{"agent": "spoken", "at_us": 1, "interval_us": 1} | fields), 0
            )

    return speak


def test_policies_and_who_takes_them_are_shown_with_promise_and_measurement(sw, grid, tasks, say):
    one = tasks[0]
    before = sw("net", "policies", "--json").json
    plan_id = next(row["flow"]["plan_id"] for row in before["wanted"]["tasks"] if row["flow"]["task_id"] == one)
    path = ProbedPath(
        task_id=one, plan_id=plan_id, sent=10, received=9, mean_us=5_000, p90_us=61_500, maximum_us=70_000
    )
    keys = [(one["headend"], one["color"], one["endpoint"]) for one in before["wanted"]["policies"]]
    mine = next(map(tuple, row["policies"]) for row in before["wanted"]["tasks"] if row["flow"]["task_id"] == one)
    used = tuple(
        PolicyUseReport(headend=headend, color=color, endpoint=endpoint, packets=2_469, standby_packets=2 * at)
        for at, (headend, color, endpoint) in enumerate(keys)
    )
    said = {"measured_at_us": 1, "interval_us": 2_000_000, "paths": (path,), "policies": used}
    say(installed=before["wanted"]["digest"], **said)
    ran = sw("net", "policies")
    assert ran.exit == 0
    assert "Packets/s" in ran.out and ran.out.count("1,234") == len(keys)
    (report,) = sw("net", "policies", one, "--json").json["reports"]
    assert [(row["headend"], row["color"], row["endpoint"]) for row in report["policies"]] == list(mine)
    for policy in before["wanted"]["policies"]:
        assert str(policy["color"]) in ran.out
    assert "60.00 ms" in ran.out and "61.50 ms" in ran.out and "10.00 %" in ran.out
    assert "spoken: the routers have all of it." in ran.out
    assert len(before["wanted"]["tasks"]) >= 2


def test_what_is_not_on_the_routers_is_said(sw, tasks, say):
    say(installed="other", links_down=())
    assert "spoken: the routers still have what was wanted before." in sw("net", "policies").out
    digest = sw("net", "policies", "--json").json["wanted"]["digest"]
    say(installed=digest, faults=("network_hop: refused",))
    out = sw("net", "policies").out
    assert "spoken: the routers have it but for 1 faults." in out and "network_hop: refused" in out


def test_one_task_has_its_own_policies_only(sw, tasks):
    all_of_it = sw("net", "policies", "--json").json["wanted"]
    found = sw("net", "policies", tasks[0], "--json").json["wanted"]
    assert [row["flow"]["task_id"] for row in found["tasks"]] == [tasks[0]]
    keys = [tuple(key) for key in found["tasks"][0]["policies"]]
    assert [(one["headend"], one["color"], one["endpoint"]) for one in found["policies"]] == keys
    assert len(all_of_it["policies"]) > len(found["policies"])
    assert tasks[0] in sw("net", "policies", tasks[0]).out


def test_an_unknown_task_is_not_found(sw, grid):
    ran = sw("net", "policies", "task-" + "0" * 26, "--json")
    assert (ran.exit, ran.json["error"]["code"]) == (Exit.NOT_FOUND, "task_unknown")


def test_the_dry_run_prints_what_each_router_would_get(sw, grid, tasks):
    found = sw("net", "policies", tasks[0], "--dry-run", "--json").json
    policy = sw("net", "policies", tasks[0], "--json").json["wanted"]["policies"][0]
    routers = {one["router"]: one for one in found["routers"]}
    assert found["faults"] == []
    assert {policy["headend"], policy["endpoint"]} <= routers.keys()
    head = routers[policy["headend"]]
    steered = [line for line in head["commands"] if " nhid " in line]
    assert len(steered) >= 1 and all(
        re.match(r"ip route add fd00:[0-9a-f]+::10/128 metric [12]00 ", one) for one in steered
    )
    assert any("encap seg6 mode encap.red segs " in line for line in head["commands"])
    assert head["frr"].startswith(f"! {policy['headend']}\nhostname {policy['headend']}\nsegment-routing\n")
    assert "encap-behavior H_Encaps_Red" in head["frr"]
    far = routers[policy["endpoint"]]
    assert any("action End.DT6" in line for line in far["commands"])
    links = {link for one in grid.here.brain.index.grid.links for link in (one.id,)}
    devices = set(re.findall(r"via \S+ dev (\S+)", "\n".join(head["commands"])))
    assert devices <= {f"l{at}" for at in range(len(links))}  # named as in a lab of the grid
    text = sw("net", "policies", tasks[0], "--dry-run").out
    assert all(line in text for line in head["commands"])


def test_without_a_live_plan_there_is_nothing_to_print(cli, tmp_path, monkeypatch):
    file = tmp_path / "grid.yaml"
    file.write_text(dump_grid(random_grid(3, 5, SMALL)), "utf-8")
    monkeypatch.setenv("SUANWANG_GRID", str(file))
    ran = cli("net", "policies", "--dry-run")
    assert (ran.exit, ran.out.strip()) == (0, "No live plan wants a policy: no router would get anything.")
    ran = cli("net", "policies")
    assert "0 SR policies for 0 tasks." in ran.out
    assert "No network agent has spoken lately" in ran.out
