"""How a task's traffic goes, in its record, and who holds a link: for the caller's own tasks, and for operators."""

import time
from collections.abc import Iterator

import httpx
import pytest
from served import Grid

from suanwang.client import Client
from suanwang.model.error import NotFoundError
from suanwang.model.network import LinkHeld
from suanwang.model.view import Explain
from suanwang.model.wanted import LinkUseReport, NetworkReport, ProbedPath

MBPS = 1_000_000


def ask(origin: str, place: str) -> dict:
    return {
        "name": "film",
        "run": "true",
        "origin": origin,
        "sites": [place],
        "bandwidth": "200 Mbps",
        "latency": "100 ms",
        "resources": {"cpu": 1, "memory": "1 MiB", "disk": "1 MiB"},
        "tags": {"fake.duration-us": "600000000"},
    }


def far_apart(grid: Grid, user: httpx.Client) -> dict:
    """A task whose path has two links or more, as a dry run says."""
    sites = [one.id for one in grid.here.brain.index.grid.sites]
    for origin in sites:
        for place in sites:
            if origin != place:
                plan = user.post("/v1/plan", json=ask(origin, place)).json()["plan"]
                if plan is not None and len(plan["path"]["links"]) >= 2:
                    return ask(origin, place)
    raise AssertionError("no two sites of the grid are two links apart")


@pytest.fixture(scope="module")
def task(grid: Grid) -> Iterator[dict]:
    """A task of astro that runs, with 200 Mbps and a bound, between two sites."""
    with grid.http("user") as user:
        made = user.post("/v1/tasks", json=far_apart(grid, user)).json()
        deadline = time.monotonic() + 60
        while (view := user.get(f"/v1/tasks/{made['task_id']}").json())["phase"] != "running":
            assert time.monotonic() < deadline, view
            time.sleep(0.05)
        yield view
        user.post(f"/v1/tasks/{made['task_id']}/cancel")


def explained(user: httpx.Client, task: dict) -> Explain:
    return Explain.model_validate(user.get(f"/v1/tasks/{task['task_id']}/explain").json())


def test_the_record_of_a_task_shows_its_segments_in_order_with_their_links(user, task):
    found = explained(user, task)
    (route,), plan = found.routes, found.plans[-1].plan
    assert (route.plan_id, route.live) == (plan.plan_id, True)
    assert (route.bandwidth_bps, route.promised_us) == (200 * MBPS, 100_000)
    assert route.latency_us == plan.path.latency_us
    (policy,) = route.policies
    assert (policy.headend, policy.endpoint) == (plan.path.sites[0], plan.site)
    planned = policy.ways[0]
    links = [f"{one.link}:{'ab' if one.forward else 'ba'}" for one in plan.path.links]
    assert [link for step in planned.steps for link in step.links] == links
    assert all(step.links for step in planned.steps)
    assert planned.latency_us == plan.path.latency_us
    for spare in policy.ways[1:]:
        assert spare.standby
        assert not {one for step in spare.steps for one in step.links} & set(links)
        assert spare.preference < planned.preference


def test_it_is_the_policy_that_the_routers_are_asked_for(user, operator, task):
    (policy,) = explained(user, task).routes[0].policies
    wanted = operator.get("/v1/network/policies").json()["wanted"]
    (mine,) = [one for one in wanted["tasks"] if one["flow"]["task_id"] == task["task_id"]]
    assert mine["policies"] == [[policy.headend, policy.color, policy.endpoint]]
    (asked,) = [
        one
        for one in wanted["policies"]
        if [one["headend"], one["color"], one["endpoint"]] == [policy.headend, policy.color, policy.endpoint]
    ]
    assert [[step.segment.model_dump(mode="json") for step in way.steps] for way in policy.ways] == [
        path["lists"][0]["segments"] for path in asked["paths"]
    ]


def test_what_an_agent_measures_stands_beside_what_was_promised(user, operator, task):
    assert explained(user, task).routes[0].probe is None
    plan = explained(user, task).plans[-1].plan.plan_id
    path = ProbedPath(
        task_id=task["task_id"],
        plan_id=plan,
        sent=10,
        received=9,
        mean_us=7_100,
        p90_us=8_200,
        maximum_us=9_000,
        segments=("fd00::1",),
    )
    report = NetworkReport(agent="net", at_us=2, measured_at_us=1, interval_us=1_000_000, paths=(path,))
    assert operator.post("/v1/network/agents/net/exchange", json=report.model_dump(mode="json")).status_code == 200
    probe = explained(user, task).routes[0].probe
    assert probe is not None
    assert (probe.sent, probe.received, probe.mean_us, probe.maximum_us) == (10, 9, 7_100, 9_000)
    assert (probe.agent, probe.sids) == ("net", ("fd00::1",))
    assert (probe.p90_us, probe.late) == (8_200, False)
    slow = path.model_copy(update={"p90_us": 170_000, "maximum_us": 170_000})
    late = report.model_copy(update={"measured_at_us": 2, "paths": (slow,)})
    operator.post("/v1/network/agents/net/exchange", json=late.model_dump(mode="json"))
    probe = explained(user, task).routes[0].probe
    assert probe is not None and probe.late
    of_another_plan = path.model_copy(update={"plan_id": "plan-" + "0" * 26})
    old = report.model_copy(update={"paths": (of_another_plan,)})
    operator.post("/v1/network/agents/net/exchange", json=old.model_dump(mode="json"))
    assert explained(user, task).routes[0].probe is None


def test_no_other_tenant_reads_the_route(grid, task):
    with grid.http("other") as other:
        assert other.get(f"/v1/tasks/{task['task_id']}/explain").status_code == 404


def test_a_task_that_asked_nothing_of_its_path_has_no_route(user):
    made = user.post("/v1/tasks", json={"run": "true", "tags": {"fake.duration-us": "600000000"}}).json()
    try:
        assert explained(user, made).routes == ()
    finally:
        user.post(f"/v1/tasks/{made['task_id']}/cancel")


def held(client: httpx.Client, link: str) -> LinkHeld:
    return LinkHeld.model_validate(client.get(f"/v1/network/links/{link}").json())


def test_a_link_says_who_holds_it_and_the_sum_is_what_is_held(grid, user, operator, task):
    link, _, side = explained(user, task).routes[0].policies[0].ways[0].steps[0].links[0].rpartition(":")
    with Client(grid.here.url, grid.keys["operator"]) as sdk:
        one = sdk.network_link(link).link
        made = sdk.reserve(
            {"wanted": {"source": one.a, "target": one.b, "bandwidth_bps": 50 * MBPS}, "lasts": "1 h", "note": "relay"}
        )
        try:
            found = held(operator, link)
            reserved = [bps.link for bps in made.way.links if bps.link.startswith(f"{link}:")]
        finally:
            sdk.release(made.reservation_id)
    by_name = {holder.name: holder for holder in found.holders}
    assert by_name["film"].tenant == "astro"
    assert getattr(by_name["film"], f"{side}_bps") == 200 * MBPS
    assert ("relay" in by_name) == bool(reserved)
    assert all(holder.tenant is None for holder in found.holders if holder.way.kind == "reservation")
    for way in ("ab", "ba"):
        now = [one for one in found.holders if one.way.start_us <= found.at_us < one.way.end_us]
        assert sum(getattr(one, f"{way}_bps") for one in now) == getattr(found.link, way).held_bps


def test_a_tenant_sees_its_own_tasks_on_a_link_and_how_much_is_held_in_all(grid, user, task):
    link, _, side = explained(user, task).routes[0].policies[0].ways[0].steps[0].links[0].rpartition(":")
    assert [one.name for one in held(user, link).holders] == ["film"]
    with grid.http("other") as other:
        seen = held(other, link)
    assert seen.holders == ()
    assert getattr(seen.link, side).held_bps >= 200 * MBPS


def test_an_unknown_link_is_not_found(grid):
    with Client(grid.here.url, grid.keys["operator"]) as sdk, pytest.raises(NotFoundError) as error:
        sdk.network_link("nowhere")
    assert error.value.code == "link_unknown"


def test_what_the_routers_carry_is_told_to_operators_alone(user, operator, task):
    link = explained(user, task).routes[0].policies[0].ways[0].steps[0].links[0]
    use = LinkUseReport(link=link, bandwidth_bps=123 * MBPS, packets=9, dropped=0)
    report = NetworkReport(agent="net", at_us=3, measured_at_us=3, interval_us=1_000_000, links=(use,))
    operator.post("/v1/network/agents/net/exchange", json=report.model_dump(mode="json"))
    seen = operator.get("/v1/network/policies").json()["reports"]
    assert [one["bandwidth_bps"] for told in seen for one in told["links"] if one["link"] == link] == [123 * MBPS]
    assert user.get("/v1/network/policies").status_code == 403
