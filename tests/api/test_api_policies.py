"""/v1/network/policies and the exchange of network agents: who may, bad bodies, what an agent hears and what it changes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from served import served

from suanwang.bus.http import HttpNetworkBus
from suanwang.client import Client
from suanwang.model.error import ConflictError, NotAllowedError, NotKnownError, UnreachableError
from suanwang.model.ids import TenantId
from suanwang.model.principal import Role
from suanwang.model.task import TaskRequest
from suanwang.model.wanted import NetworkReport, NetworkView, ProbedPath, WantedNetwork

EXCHANGE = "/v1/network/agents/net/exchange"
PROBED = (
    '{"agent": "net", "at_us": 1, "interval_us": 1, "paths": [{"task_id": "%s", "plan_id": "%s", "sent": 9,'
    ' "received": 9, "maximum_us": 9, "mean_us": %s}]}'
)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A brain of its own: tasks of other tests, that begin and end, would change what is wanted here."""
    with served(tmp_path_factory.mktemp("policies")) as found:
        yield found


@pytest.fixture
def sdk(grid) -> Iterator[Client]:
    with Client(grid.here.url, grid.keys["operator"]) as client:
        yield client
        for task in client.list(limit=200):
            if task.phase not in ("succeeded", "failed", "cancelled", "refused", "expired"):
                with suppress(ConflictError):  # it has just ended
                    client.cancel(task.task_id)
        for link in client.network().links:
            if not link.up:
                client.heal_link(link.id)


@pytest.fixture(scope="module")
def key(grid) -> str:
    """An agent's key for every site."""
    brain = grid.here.brain
    sites = tuple(site.id for site in brain.index.grid.sites)
    return brain.issue_key(brain.authenticate(grid.here.key), TenantId("local"), Role.AGENT, sites)[1]


@contextmanager
def bus_of(grid, token: str, name: str = "net") -> Iterator[HttpNetworkBus]:
    with httpx.Client(base_url=grid.here.url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        yield HttpNetworkBus(client, name)


@pytest.fixture
def bus(grid, key) -> Iterator[HttpNetworkBus]:
    with bus_of(grid, key) as made:
        yield made


def report(**fields) -> NetworkReport:
    return NetworkReport(**{"agent": "net", "at_us": 1, "interval_us": 1_000} | fields)


def away(grid) -> dict:
    """A task whose traffic crosses links: its user is at a site, and it may run only at another one."""
    sites = grid.here.brain.index.grid.sites
    target = next(site for site in sites if any(pool.kind == "general" for pool in site.pools))
    far = [one for one in sites if one.id != target.id]
    return {"origin": far[-1].id, "sites": (target.id,)}


def submit(sdk: Client, grid, **fields) -> str:
    """One that runs until it is cancelled."""
    request = TaskRequest(run="true", bandwidth=1_000_000, tags={"fake.outcome": "hang"}, **away(grid), **fields)
    return sdk.submit(request).task_id


def wanted_of(sdk: Client, task_id: str) -> WantedNetwork:
    """What is wanted once the task has its policies."""
    end = time.monotonic() + 60
    while True:
        found = sdk.policies().wanted
        if any(one.flow.task_id == task_id for one in found.tasks):
            return found
        assert time.monotonic() < end, "in time"
        time.sleep(0.05)


# -- what is read ----------------------------------------------------------------------------------------------------


def test_a_live_tasks_policies_are_told_with_its_promise(sdk, grid):
    task_id = submit(sdk, grid, latency=50_000)
    wanted = wanted_of(sdk, task_id)
    (one,) = [one for one in wanted.tasks if one.flow.task_id == task_id]
    plan = sdk.explain(task_id).plans[-1].plan
    assert [link.rpartition(":")[0] for link in one.flow.links] == [link.link for link in plan.path.links]
    assert (one.flow.bandwidth_bps, one.flow.promise_us) == (1_000_000, 50_000)
    made = {policy.key: policy for policy in wanted.policies}
    (key_of,) = one.policies
    assert (made[key_of].headend, made[key_of].endpoint) == (one.flow.origin, one.flow.site)
    sdk.cancel(task_id)
    end = time.monotonic() + 60
    while sdk.policies().wanted.policies:
        assert time.monotonic() < end, "its end takes them along"
        time.sleep(0.05)


@pytest.mark.parametrize("role", ["viewer", "user", "other", "agent"])
def test_only_operators_read_every_tenants_policies(grid, role):
    with grid.http(role) as client:
        answer = client.get("/v1/network/policies")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize("role", ["viewer", "user", "other"])
def test_only_agents_and_operators_exchange(grid, role):
    with grid.http(role) as client:
        answer = client.post(EXCHANGE, content=report().model_dump_json())
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_without_a_key_nothing_is_told(grid):
    with grid.http("nobody") as client:
        assert client.get("/v1/network/policies").status_code == 401
        assert client.post(EXCHANGE, content=report().model_dump_json()).status_code == 401


# -- what is exchanged -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "parameter_form"),
        (b"[]", "parameter_form"),
        (b'{"agent": "net", "at_us": 1}', "parameter_missing"),
        (b'{"agent": "net", "at_us": 1, "interval_us": 0}', "parameter_form"),
        (b'{"agent": "net", "at_us": "soon", "interval_us": 1}', "parameter_form"),
        (b'{"agent": "net", "at_us": 1, "interval_us": 1, "more": 1}', "parameter_form"),
        (b'{"agent": "net", "at_us": 1, "interval_us": 4611686018427387904}', "parameter_form"),
        (b'{"agent": "net", "at_us": -1, "interval_us": 1}', "parameter_form"),
        (b'{"agent": "net", "at_us": 1, "interval_us": 1, "measured_at_us": -1}', "parameter_form"),
        ((PROBED % ("task-1", "plan-1", "4611686018427387904")).encode(), "parameter_form"),
        ((PROBED % ("task-1", "plan-1", "-1")).encode(), "parameter_form"),
        (b'{"agent": "other", "at_us": 1, "interval_us": 1}', "agent_other"),
    ],
)
def test_a_bad_report_is_refused_with_the_fault(operator, body, code):
    answer = operator.post(EXCHANGE, content=body)
    assert answer.status_code == 422, answer.text
    assert [one["code"] for one in answer.json()["faults"]] == [code], answer.text


@pytest.mark.parametrize("wait", ["-1", "soon", "9999999"])
def test_a_wait_out_of_range_is_refused(operator, wait):
    assert operator.post(f"{EXCHANGE}?wait_ms={wait}", content=report().model_dump_json()).status_code == 422


def test_what_differs_is_answered_at_once_and_what_is_installed_is_waited_for(bus):
    wanted = bus.exchange(report(), 20_000)
    begin = time.monotonic()
    again = bus.exchange(report(installed=wanted.digest), 700)
    assert again == wanted
    assert 0.6 <= time.monotonic() - begin < 10


def test_a_long_poll_returns_when_a_plan_changes(bus, sdk, grid):
    wanted = bus.exchange(report(), 0)
    answers: list[tuple[float, WantedNetwork]] = []

    def listen() -> None:
        answers.append((time.monotonic(), bus.exchange(report(installed=wanted.digest), 30_000)))

    thread = threading.Thread(target=listen)
    thread.start()
    time.sleep(0.3)
    assert not answers
    begin = time.monotonic()
    task_id = submit(sdk, grid)
    thread.join(20)
    assert not thread.is_alive() and time.monotonic() - begin < 20
    assert answers[0][1].digest != wanted.digest
    assert task_id in {one.flow.task_id for one in answers[0][1].tasks}


def test_a_key_without_all_sites_is_refused(grid):
    with bus_of(grid, grid.keys["agent"]) as own, pytest.raises(NotAllowedError) as refused:
        own.exchange(report(), 0)
    assert refused.value.code == "agent_site"


def test_a_wrong_key_is_not_known(grid):
    with bus_of(grid, "sw_key_secret") as own, pytest.raises(NotKnownError):
        own.exchange(report(), 0)


def test_a_brain_that_has_gone_is_unreachable():
    with httpx.Client(base_url="http://127.0.0.1:9") as client, pytest.raises(UnreachableError):
        HttpNetworkBus(client, "net").exchange(report(), 0)


def test_a_link_that_an_agent_sees_down_is_cut_in_the_brain_and_healed_when_it_is_up(bus, sdk, grid):
    task_id = submit(sdk, grid)
    (before,) = [one.flow for one in wanted_of(sdk, task_id).tasks if one.flow.task_id == task_id]
    link = before.links[0].rpartition(":")[0]
    wanted = bus.exchange(report(links_down=(link,)), 0)
    assert link in wanted.links_down
    assert [one.id for one in sdk.network().links if not one.up] == [link]
    (after,) = [one.flow for one in wanted_of(sdk, task_id).tasks if one.flow.task_id == task_id]
    assert link not in {one.rpartition(":")[0] for one in after.links}  # the plan was repaired in the same round
    assert bus.exchange(report(links_down=(link,)), 0).links_down == (link,)  # said again: nothing happens
    assert bus.exchange(report(links_up=(link,)), 0).links_down == ()
    assert all(one.up for one in sdk.network().links)


def test_a_link_that_is_not_of_the_grid_is_passed_over(bus, sdk):
    """A lab may have more than the grid knows of for a moment; it is no reason to stop the rest."""
    assert bus.exchange(report(links_down=("nowhere",), links_up=("nowhere",)), 0).links_down == ()
    assert all(one.up for one in sdk.network().links)


def test_the_worst_figures_that_are_taken_are_told_like_others(bus, sdk, grid):
    """What is taken can be told: a fault of the brain, found late, would stop the agent."""
    task_id = submit(sdk, grid, latency=50_000)
    wanted = wanted_of(sdk, task_id)
    (one,) = [one for one in wanted.tasks if one.flow.task_id == task_id]
    most = 2**62 - 1
    for at_us in range(most - 3, most + 1):
        path = ProbedPath(
            task_id=task_id, plan_id=one.flow.plan_id, sent=most, received=most, mean_us=most, maximum_us=most
        )
        bus.exchange(report(at_us=at_us, measured_at_us=at_us, interval_us=most, paths=(path,)), 0)
    (seen,) = [one.cause for one in sdk.explain(task_id).paths][:1]
    assert (seen.kind, seen.measured_us) == ("delay", most)


def test_what_routers_said_is_told_to_people(bus, sdk, grid):
    task_id = submit(sdk, grid)
    wanted = wanted_of(sdk, task_id)
    (one,) = [one for one in wanted.tasks if one.flow.task_id == task_id]
    path = ProbedPath(task_id=task_id, plan_id=one.flow.plan_id, sent=10, received=9, mean_us=2_000, maximum_us=3_000)
    said = report(installed=wanted.digest, faults=("a fault",), measured_at_us=7, paths=(path,))
    bus.exchange(said, 0)
    found = sdk.policies()
    assert [one for one in found.reports if one.agent == "net"] == [said]
    assert NetworkView.model_validate_json(found.model_dump_json()) == found
