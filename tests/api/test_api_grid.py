"""The grid, the panorama and its stream, objects, money, health, metrics, the page."""

import json
import time

import httpx
import pytest
from blake3 import blake3

from suanwang.api import objects, page, streams
from suanwang.api.context import as_seen
from suanwang.api.metrics import METRICS
from suanwang.model.grid import DataSet, Grid
from suanwang.model.ids import TenantId
from suanwang.model.view import Panorama
from suanwang.observe.panorama import difference

OCTETS = {"Content-Type": "application/octet-stream"}
SLOW = {"name": "slow", "run": "sleep", "tags": {"fake.duration-us": "600000000"}}


def frames(answer):
    """The data of each message of a stream."""
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.fixture
def running(user):
    """A task that runs, and its view; cancelled afterwards."""
    task_id = user.post("/v1/tasks", json=SLOW).json()["task_id"]
    deadline = time.monotonic() + 20
    while (view := user.get(f"/v1/tasks/{task_id}").json())["phase"] != "running":
        assert time.monotonic() < deadline, view
        time.sleep(0.05)
    yield view
    user.post(f"/v1/tasks/{task_id}/cancel")


def test_the_grid_is_whole_and_is_not_sent_twice(user, operator, grid):
    whole = grid.here.brain.index.grid
    assert Grid.model_validate_json(operator.get("/v1/grid").content) == whole
    answer = user.get("/v1/grid")
    assert Grid.model_validate_json(answer.content) == as_seen(whole, TenantId("astro"))
    again = user.get("/v1/grid", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = user.get("/v1/grid", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == answer.json()


def test_the_grid_does_not_tell_of_other_tenants(grid):
    with grid.http("other") as client:
        assert [one["id"] for one in client.get("/v1/grid").json()["tenants"]] == ["bio"]


def test_a_data_set_of_another_tenant_is_not_in_the_grid(grid):
    own, theirs = (
        DataSet(id=name, name=name, size_bytes=1, replicas=("a",), tenant=tenant)
        for name, tenant in (("mine", "astro"), ("secret-scans", "bio"))
    )
    public = own.model_copy(update={"id": "free", "tenant": None})
    whole = grid.here.brain.index.grid.model_copy(update={"data_sets": (own, theirs, public)})
    assert [one.id for one in as_seen(whole, TenantId("astro")).data_sets] == ["mine", "free"]
    assert as_seen(whole, None) is whole


def test_a_tenant_has_so_many_streams_and_others_have_theirs(user, grid, running, monkeypatch):
    monkeypatch.setattr(streams, "STREAMS_MAX", 1)
    log = f"/v1/tasks/{running['task_id']}/logs"
    with user.stream("GET", "/v1/panorama/stream") as first:
        lines = first.iter_lines()  # kept: a reader that is dropped closes the stream
        next(lines)
        for path in ("/v1/panorama/stream", f"/v1/tasks/{running['task_id']}/events", f"{log}?follow=1"):
            with user.stream("GET", path) as refused:
                assert refused.status_code == 429
                assert json.loads(refused.read())["code"] == "too_many_streams"
            assert refused.headers["retry-after"]
        assert user.get(log).status_code == 200
        with grid.http("other") as other, other.stream("GET", "/v1/panorama/stream") as theirs:
            assert theirs.status_code == 200
    deadline = time.monotonic() + 20
    while True:
        with user.stream("GET", "/v1/panorama/stream") as again:
            if again.status_code == 200:
                break
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_panorama_shows_every_site_and_the_flow_of_a_running_task(user, grid, running):
    found = Panorama.model_validate(user.get("/v1/panorama").json())
    assert [one.id for one in found.sites] == [site.id for site in grid.here.brain.index.grid.sites]
    flow = next(one for one in found.flows if one.task_id == running["task_id"])
    assert flow.sites[-1] == running["site"]
    place = next(one for one in found.sites if one.id == running["site"])
    assert place.tasks >= 1
    assert place.load_permille == max(pool.load_permille for pool in place.pools) >= 1
    assert found.totals.phases["running"] >= 1
    assert found.totals.live_sites == found.totals.sites == len(found.sites)
    assert any(one.task_id == running["task_id"] and one.phase == "running" for one in found.recent)


def test_a_drained_site_is_closed_with_its_cause_and_its_task_goes_elsewhere(user, operator, running):
    site = running["site"]
    assert operator.post(f"/v1/sites/{site}:drain").status_code == 204
    try:
        deadline = time.monotonic() + 20
        while (view := user.get(f"/v1/tasks/{running['task_id']}").json())["site"] in (site, None):
            assert time.monotonic() < deadline, view
            time.sleep(0.05)
        first = user.get(f"/v1/tasks/{running['task_id']}/explain").json()["attempts"][0]
        assert (first["site"], first["reason"]) == (site, "drained")
        seen = next(one for one in user.get("/v1/panorama").json()["sites"] if one["id"] == site)
        assert (seen["live"], seen["cause"]) == (False, "drained")
    finally:
        assert operator.post(f"/v1/sites/{site}:open").status_code == 204
    seen = next(one for one in user.get("/v1/panorama").json()["sites"] if one["id"] == site)
    assert (seen["live"], seen["cause"]) == (True, None)


def test_a_failed_site_is_down_with_its_cause_and_its_task_goes_elsewhere(user, operator, running):
    site = running["site"]
    assert operator.post(f"/v1/sites/{site}:fail").status_code == 204
    try:
        deadline = time.monotonic() + 20
        while (view := user.get(f"/v1/tasks/{running['task_id']}").json())["site"] in (site, None):
            assert time.monotonic() < deadline, view
            time.sleep(0.05)
        assert view["generation"] == 2
        seen = next(one for one in user.get("/v1/panorama").json()["sites"] if one["id"] == site)
        assert (seen["live"], seen["cause"]) == (False, "operator_failed")
        explained = user.get(f"/v1/tasks/{running['task_id']}/explain").json()
        assert len(explained["plans"]) == 2
    finally:
        assert operator.post(f"/v1/sites/{site}:heal").status_code == 204


def test_a_failed_link_is_down_in_the_panorama_until_it_is_healed(operator, grid):
    link = grid.here.brain.index.grid.links[0].id
    assert operator.post(f"/v1/links/{link}:fail").status_code == 204
    down = [one for one in operator.get("/v1/panorama").json()["links"] if one["id"] == link]
    assert operator.post(f"/v1/links/{link}:heal").status_code == 204
    assert [one["up"] for one in down] == [False]
    assert link not in [one["id"] for one in operator.get("/v1/panorama").json()["links"] if not one["up"]]


def test_a_failed_security_pool_is_down_in_the_panorama_and_in_the_network_until_it_is_healed(operator, grid):
    pool = grid.here.brain.index.security_order[0]
    for _ in range(2):  # to take out what is out already changes nothing
        assert operator.post(f"/v1/security-pools/{pool}:fail").status_code == 204
    seen = operator.get("/v1/panorama").json()["security_pools"]
    network = operator.get("/v1/network").json()
    metrics = operator.get("/metrics").text
    assert operator.post(f"/v1/security-pools/{pool}:heal").status_code == 204
    assert [one["up"] for one in seen if one["id"] == pool] == [False]
    assert network["security_down"] == [pool]
    assert "suanwang_security_pools_down 1.0" in metrics
    assert not [one for one in operator.get("/v1/panorama").json()["security_pools"] if not one["up"]]
    assert operator.get("/v1/network").json()["security_down"] == []


def test_the_stream_is_whole_first_and_then_only_news(user, operator, grid):
    link = grid.here.brain.index.grid.links[1].id
    with user.stream("GET", "/v1/panorama/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        messages = frames(answer)
        first = next(messages)
        assert len(first["sites"]) == len(grid.here.brain.index.grid.sites)
        operator.post(f"/v1/links/{link}:fail")
        news = next(one for one in messages if one["links"])
        assert len(news["sites"]) < len(first["sites"])
        assert {"id": link, "up": False, "used_ab_bps": 0, "used_ba_bps": 0} in news["links"]
        operator.post(f"/v1/links/{link}:heal")
        back = next(one for one in messages if one["links"])
        assert {"id": link, "up": True, "used_ab_bps": 0, "used_ba_bps": 0} in back["links"]


def test_the_difference_of_equal_pictures_is_none(user):
    one = Panorama.model_validate(user.get("/v1/panorama").json())
    assert difference(one, one.model_copy(update={"at_us": one.at_us + 1})) is None


@pytest.mark.parametrize("size", [0, 1, objects.SPOOL_BYTES + 1])
def test_an_object_comes_back_as_it_went(user, size):
    body = b"x" * size
    digest = blake3(body).hexdigest()
    assert user.head(f"/v1/objects/{digest}").status_code == 404
    put = user.put(f"/v1/objects/{digest}", content=body, headers=OCTETS)
    assert (put.status_code, put.json()) == (201, {"blake3": digest, "size_bytes": size})
    assert user.put(f"/v1/objects/{digest}", content=body, headers=OCTETS).status_code == 201
    head = user.head(f"/v1/objects/{digest}")
    assert (head.status_code, head.headers["content-length"]) == (200, str(size))
    assert user.get(f"/v1/objects/{digest}").content == body


def test_bytes_with_another_hash_are_refused(user):
    answer = user.put(f"/v1/objects/{'0' * 64}", content=b"other", headers=OCTETS)
    assert [one["code"] for one in answer.json()["faults"]] == ["object_hash"]
    assert user.get(f"/v1/objects/{'0' * 64}").status_code == 404


def test_an_agent_reads_what_any_tenant_put(user, grid):
    body = b"for the agent"
    digest = blake3(body).hexdigest()
    user.put(f"/v1/objects/{digest}", content=body, headers=OCTETS)
    with grid.http("agent") as agent:
        assert agent.get(f"/v1/objects/{digest}").content == body


def test_the_bill_adds_up_in_every_direction(user, operator):
    bill = user.get("/v1/bill").json()
    assert bill["tenant"] == "astro"
    total = bill["total_micro_yuan"]
    assert sum(one["amount_micro_yuan"] for one in bill["by_kind"]) == total
    assert sum(one["amount_micro_yuan"] for one in bill["by_task"]) == total
    assert sum(one["amount_micro_yuan"] for one in bill["by_day"]) == total
    assert sum(one["lines"] for one in bill["by_kind"]) == bill["lines"]
    assert bill["emulated_micro_yuan"] <= total
    everybody = operator.get("/v1/bill").json()
    assert everybody["tenant"] is None
    assert everybody["total_micro_yuan"] >= total
    assert user.get("/v1/bill", params={"to": 1}).json()["total_micro_yuan"] == 0


def test_health_and_metrics_need_no_key_from_this_machine(grid):
    assert httpx.get(f"{grid.here.url}/healthz").json()["position"] > 0
    text = httpx.get(f"{grid.here.url}/metrics").text
    for one in METRICS:
        assert f"# HELP {one.name}" in text, one.name
    assert f'suanwang_sites{{state="live"}} {len(grid.here.brain.index.grid.sites)}' in text
    assert 'suanwang_http_requests_total{method="GET",route="/healthz",status="200"}' in text


def test_texts_are_published_in_each_language(grid):
    with grid.http("nobody") as client:
        assert client.get("/v1/texts/zh-hant").json()["phase.running"] == "執行中"
        assert client.get("/v1/texts/fr").status_code == 422


def test_without_a_built_page_the_root_says_how_to_build_one(tmp_path):
    from fastapi import FastAPI

    app = FastAPI()
    page.install(app, tmp_path)
    transport = httpx.ASGITransport(app)

    async def get(path):
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get(path)

    import asyncio

    assert "make web" in asyncio.run(get("/")).text
    (tmp_path / "index.html").write_text("<p>built</p>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.123.js").write_text("1")
    built = asyncio.run(get("/"))
    assert (built.text, built.headers["cache-control"]) == ("<p>built</p>", "no-cache")
    script = asyncio.run(get("/assets/a.123.js"))
    assert "immutable" in script.headers["cache-control"]
    assert asyncio.run(get("/assets/../index.html")).status_code in (200, 404)
