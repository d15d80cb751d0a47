"""Hostile and broken requests: each gets its clear refusal, and the brain goes on."""

import json

import httpx
import pytest

from suanwang.api.guard import BODY_BYTES_MAX, body_limit
from suanwang.api.inputs import check_json
from suanwang.model.error import FaultsError

TASK = "task-" + "0" * 26


def codes(answer):
    return [one["code"] for one in answer.json().get("faults", [])]


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/plan"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "not_utf8"),
        (b"[1, 2]", "not_a_mapping"),
        (b'{"run": "a", "run": "b"}', "duplicate_key"),
        (b'{"run": "true", "resources": {"cpu": NaN}}', "not_finite"),
        (b'{"run": "true", "resources": {"cpu": -1}}', "below"),
        (b'{"run": "true", "resources": {"cpu": 1e400}}', "not_finite"),
        (b'{"run": "true", "array": 99999999999999999999}', "number_size"),
        (b'{"run": "true", "nonsense": 1}', "unknown_field_near"),
        (b'{"run": "a\\u0000b"}', "text_broken"),
        (b'{"run": "a\\ud800b"}', "text_broken"),
        (b'{"run": "true", "tags": {"\\u0000": "x"}}', "text_broken"),
        (b'{"run":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
        (b"run: &a [*a]", "yaml_alias"),
        (b"run: !!python/object:os.system x", "yaml_tag"),
    ],
)
def test_a_broken_task_is_refused_with_its_fault(user, path, body, expected):
    answer = user.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert expected in codes(answer)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_over_the_limit_is_refused_before_it_is_read(user):
    answer = user.post("/v1/tasks", content=b" " * (BODY_BYTES_MAX + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_that_hides_its_length_is_cut_at_the_limit(user):
    piece = b" " * 65536
    answer = user.post("/v1/tasks", content=(piece for _ in range(BODY_BYTES_MAX // len(piece) + 2)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_only_objects_bulk_and_agents_may_send_more():
    assert body_limit("/v1/tasks", 1 << 40) == body_limit("/v1/keys", 1 << 40) == BODY_BYTES_MAX
    assert body_limit("/v1/objects/aa", 1 << 40) == 1 << 40
    assert min(body_limit("/v1/tasks:bulk", 0), body_limit("/v1/agents/a/exchange", 0)) > BODY_BYTES_MAX


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=99999999999999999999",
        "limit=1e3",
        "cursor=%00",
        "text=a%00b",
        "phase=%F0%9F%98%80",
        "tenant=..%2F",
        "tag=" + "x" * 301,
    ],
)
def test_a_parameter_out_of_bounds_is_a_fault(user, query):
    answer = user.get(f"/v1/tasks?{query}")
    assert answer.status_code == 422
    assert codes(answer)[0] in ("parameter_form", "text_broken")


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize("value", ["-1", "9223372036854775808", "x"])
def test_an_instant_of_a_bill_fits_the_database(user, name, value):
    assert codes(user.get("/v1/bill", params={name: value})) == ["parameter_form"]


@pytest.mark.parametrize("offset", ["-1", str(2**63)])
def test_an_offset_of_a_log_fits_too(user, offset):
    assert codes(user.get(f"/v1/tasks/{TASK}/logs", params={"offset": offset})) == ["parameter_form"]


def test_nul_in_a_path_is_refused(user):
    assert user.get(f"/v1/tasks/{TASK}/outputs/a%00b").status_code == 422
    assert user.get("/v1/tasks/%00").status_code == 422


def test_a_cursor_that_is_none_of_ours_is_an_end_and_no_crash(user):
    assert user.get("/v1/tasks", params={"cursor": "0"}).json()["items"] == []


@pytest.mark.parametrize("media", ["application/xml", "multipart/form-data; boundary=x", "nonsense"])
def test_another_media_type_is_refused(user, media):
    answer = user.post("/v1/tasks", content=b"<a/>", headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type")


def test_what_is_not_there_and_what_is_not_taken_are_problems(user):
    missing = user.get("/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_route")
    method = user.put("/v1/plan")
    assert (method.status_code, method.json()["code"]) == (405, "method")
    assert method.headers["allow"] == "POST"


def test_an_idempotency_key_is_printable_and_short(user):
    for key in ("x" * 201, "with space"):
        answer = user.post("/v1/tasks", json={"run": "true"}, headers={"Idempotency-Key": key})
        assert codes(answer) == ["parameter_form"]


def test_every_answer_carries_the_headers_of_security(grid):
    for path in ("/", "/healthz", "/v1/nothing", "/assets/none.js"):
        headers = httpx.get(grid.here.url + path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_the_heartbeat_of_an_agent_fits_the_database(grid):
    site = grid.here.brain.index.grid.sites[0].id
    beat = {"agent": "door", "adapter": "fake", "emulated": True, "sites": [site]}
    event = {
        "agent": "door",
        "sequence": 10**30,
        "site": site,
        "attempt_id": "att-x",
        "fence": 1,
        "at_us": -(10**25),
        "kind": "running",
        "detail": "a\x00b",
    }
    with grid.http("agent") as agent:
        answer = agent.post("/v1/agents/door/exchange", json={**beat, "events": [event]})
        assert answer.status_code == 422
        assert set(codes(answer)) == {"number_size", "text_broken"}
        other = agent.post("/v1/agents/window/exchange", json=beat)
        assert codes(other) == ["agent_other"]
        assert codes(agent.post("/v1/agents/door/exchange", json={"agent": "door"}))[0] == "parameter_missing"
        assert agent.post("/v1/agents/door/exchange", content=b"{").status_code == 422


def test_an_agent_speaks_only_for_the_sites_of_its_key(grid):
    foreign = grid.here.brain.index.grid.sites[1].id
    beat = {"agent": "door", "adapter": "fake", "emulated": True, "sites": [foreign]}
    with grid.http("agent") as agent:
        answer = agent.post("/v1/agents/door/exchange", json=beat)
    assert (answer.status_code, answer.json()["code"]) == (403, "agent_site")


def test_a_name_that_does_not_exist_is_not_found(operator):
    for path, code in (
        ("/v1/sites/nowhere:fail", "site_unknown"),
        ("/v1/sites/nowhere:heal", "site_unknown"),
        ("/v1/links/nowhere:fail", "link_unknown"),
        ("/v1/security-pools/nowhere/firewall:fail", "security_pool_unknown"),
        ("/v1/security-pools/nowhere/firewall:heal", "security_pool_unknown"),
    ):
        answer = operator.post(path)
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    unknown = operator.post("/v1/keys", json={"tenant": "nobody", "role": "user"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "tenant_unknown")
    assert operator.delete("/v1/keys/key-none").json()["code"] == "key_unknown"


def test_clean_json_costs_no_second_parse(monkeypatch):
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("parsed"))
    check_json(b'{"run": "true", "resources": {"memory": 4294967296}}')


def test_an_escaped_backslash_before_u_is_no_nul():
    check_json(rb'{"run": "a\\u0000"}')
    with pytest.raises(FaultsError):
        check_json(rb'{"run": "a\u0000"}')
