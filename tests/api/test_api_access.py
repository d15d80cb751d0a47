"""Who may call what: every row of the access table with every role, and nobody sees another tenant's things."""

import json
import time

import httpx
import pytest
from blake3 import blake3

from suanwang.api.access import ACCESS, BY_ROUTE, Scope, check_routes
from suanwang.model.principal import Role

OBJECT = b"an object of astro"
HASH = blake3(OBJECT).hexdigest()
OCTETS = {"Content-Type": "application/octet-stream"}
ROLES = ("viewer", "user", "operator", "agent")
# What a route needs to answer well; without an entry it needs nothing.
BODIES = {
    ("POST", "/v1/tasks"): {"json": {"run": "true", "tags": {"fake.duration-us": "1"}}},
    ("POST", "/v1/tasks:bulk"): {
        "content": b'{"run": "true", "tags": {"fake.duration-us": "1"}}',
        "headers": {"Content-Type": "application/x-ndjson"},
    },
    ("POST", "/v1/plan"): {"json": {"run": "true"}},
    ("POST", "/v1/doors"): {"json": {"run": "true"}},
    ("POST", "/v1/services/{service_id}:plan"): {"json": {}},
    ("POST", "/v1/services/{service_id}:run"): {"json": {"task": {"tags": {"fake.duration-us": "1"}}}},
    ("POST", "/ga4gh/tes/v1/tasks"): {"json": {"executors": [{"image": "host", "command": ["true"]}]}},
    ("PATCH", "/v1/network/reservations/{reservation_id}"): {"json": {"bandwidth_bps": 1}},
    ("POST", "/v1/workflows"): {"json": {"workflow": "w", "tasks": {"a": {"run": "true"}}}},
    ("POST", "/v1/workflows:plan"): {"json": {"workflow": "w", "tasks": {"a": {"run": "true"}}}},
    ("POST", "/v1/what-if"): {"json": {"day": {"drawn": 1}}},
    ("PUT", "/v1/objects/{blake3}"): {"content": OBJECT, "headers": OCTETS},
    ("POST", "/v1/agents/{agent_id}/bus"): {"json": {}},
    ("POST", "/v1/joins/probe"): {"content": b"x", "headers": OCTETS},
    ("POST", "/v1/joins/{join_id}:approve"): {"json": {}},
    ("POST", "/v1/joins/{join_id}:refuse"): {"json": {}},
    ("POST", "/v1/agents/{agent_id}/logs/{attempt_id}"): {"content": b"x", "headers": OCTETS},
    ("PUT", "/v1/tenants/{tenant_id}"): {"json": {"name": "Bio"}},
    ("POST", "/v1/keys"): {"json": {"tenant": "bio", "role": "viewer"}},
}
# Allowed by role, and refused for what the caller is or the state is in.
EXPECTED = {
    ("POST", "/v1/what-if"): {202, 409},  # one at a time
    ("GET", "/v1/what-if/{run_id}"): {404},
    ("GET", "/v1/workflows/{workflow_id}"): {404},
    ("POST", "/v1/workflows/{workflow_id}/cancel"): {404},
    ("POST", "/v1/sites/{site_id}:check"): {404},  # it has not joined
    ("POST", "/v1/sites/{site_id}:leave"): {204, 409},  # it may not be drained
    ("POST", "/v1/joins"): {422},  # an empty request
    ("GET", "/v1/joins/{join_id}"): {404},
    ("POST", "/v1/joins/{join_id}:approve"): {404},
    ("POST", "/v1/joins/{join_id}:refuse"): {404},
    ("DELETE", "/v1/what-if/{run_id}"): {404},
    ("GET", "/v1/network/what-if"): {422},  # nothing is cut
    ("PATCH", "/v1/network/reservations/{reservation_id}"): {404},
    ("DELETE", "/v1/network/reservations/{reservation_id}"): {404},
    ("GET", "/ga4gh/tes/v1/tasks/{task_id}"): {404},  # the task did not come as TES
    ("POST", "/ga4gh/tes/v1/tasks/{task_id}:cancel"): {404},
    ("GET", "/v1/tasks/{task_id}/service"): {404},  # the task is of no service
    ("POST", "/v1/tasks/{task_id}/cancel"): {409},  # the task has ended
    ("POST", "/v1/agents/{agent_id}/exchange"): {200, 409},  # the site may speak through the hands already
    ("POST", "/v1/network/agents/{agent_id}/exchange"): {200, 403},  # an agent's key of some sites is not enough
    ("POST", "/v1/agents/{agent_id}/logs/{attempt_id}"): {403},  # of a site that is not the key's
}
STREAMS = {"/v1/panorama/stream"}


@pytest.fixture(scope="module")
def task(grid):
    """An ended task of astro with an output, and an object of astro."""
    with grid.http("user") as client:
        body = {"run": "true", "outputs": [{"path": "out.txt"}], "tags": {"fake.duration-us": "1"}}
        task_id = client.post("/v1/tasks", json=body).json()["task_id"]
        client.put(f"/v1/objects/{HASH}", content=OBJECT, headers=OCTETS)
        deadline = time.monotonic() + 60
        while client.get(f"/v1/tasks/{task_id}").json()["ended_us"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return task_id


def filled(grid, row, task):
    """The path of a row with real names in its places."""
    brain = grid.here.brain
    attempts = brain.store.attempts(task)
    names = {
        "task_id": task,
        "service_id": "heat-plate",
        "path:path": "out.txt",
        "run_id": "what-if-none",
        "workflow_id": "flow-none",
        "join_id": "join-none",
        "reservation_id": "resv-" + "0" * 26,
        "site_id": brain.index.grid.sites[1].id,
        "link_id": brain.index.grid.links[0].id,
        "blake3": HASH,
        "agent_id": "door",
        "attempt_id": attempts[-1].attempt_id,
        "key_id": "key-" + "0" * 26,
        "lang": "en",
        "tenant_id": "bio",
    }
    if row.path.endswith((":cordon", ":drain", ":open", ":leave")):  # not where the task was, whose flows are looked at
        names["site_id"] = next(one.id for one in brain.index.grid.sites if one.id != attempts[-1].site)
    if "{pool}" in row.path:
        pool = next(pool.id for site in brain.index.grid.sites for pool in site.security_pools)
        names["site_id"], _, names["pool"] = pool.partition("/")
    path = row.path
    for name, value in names.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, "a place without a name"
    return path


def body_of(grid, row):
    if row.path == "/v1/network/agents/{agent_id}/exchange":
        return {"json": {"agent": "door", "at_us": 1, "interval_us": 1}}
    if row.path.endswith("/exchange"):
        sites = [grid.here.brain.index.grid.sites[0].id]
        beat = {"agent": "door", "adapter": "fake", "emulated": True, "sites": sites}
        return {"json": beat}
    if row.method == "POST" and row.path.startswith("/v1/network/"):
        link = grid.here.brain.index.grid.links[0]
        wanted = {"source": link.a, "target": link.b, "bandwidth_bps": 1}
        return {"json": {"wanted": wanted, "lasts": "1 s"}}
    return BODIES.get((row.method, row.path), {})


def call(grid, role, row, task):
    with grid.http(role) as client:
        path = filled(grid, row, task)
        if row.path in STREAMS:
            with client.stream(row.method, path) as answer:
                if answer.is_error:
                    answer.read()
                return answer
        return client.request(row.method, path, **body_of(grid, row))


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
@pytest.mark.parametrize("row", ACCESS, ids=lambda row: f"{row.method} {row.path}")
def test_each_route_lets_in_exactly_the_roles_of_its_row(grid, task, row, role):
    answer = call(grid, role, row, task)
    if row.scope in (Scope.OPEN, Scope.LOOPBACK):
        assert answer.status_code == 200
    elif role == "nobody":
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    elif Role(role) not in row.roles:
        assert answer.status_code == 403
        if row.method != "HEAD":
            assert answer.json()["code"] == "not_allowed"
    else:
        fine = EXPECTED.get((row.method, row.path))
        if fine is None and row.path == "/v1/keys/{key_id}":
            fine = {404}
        assert answer.status_code in (fine or {200, 201, 204}), answer.text


OWN = [row for row in ACCESS if row.scope is Scope.OWN and ("{task_id}" in row.path or "{blake3}" in row.path)]


@pytest.mark.parametrize("row", [row for row in OWN if row.method != "PUT"], ids=lambda row: f"{row.method} {row.path}")
def test_what_another_tenant_has_is_not_found_like_what_never_was(grid, task, row):
    theirs = call(grid, "other", row, task)
    with grid.http("other") as client:
        path = filled(grid, row, task).replace(task, "task-" + "0" * 26).replace(HASH, "0" * 64)
        nobodys = client.request(row.method, path)
    assert theirs.status_code == nobodys.status_code == 404
    if row.method != "HEAD":
        same = [json.dumps(one.json()).replace(task, "X").replace(HASH, "X") for one in (theirs, nobodys)]
        same[1] = same[1].replace("task-" + "0" * 26, "X").replace("0" * 64, "X")
        assert same[0] == same[1]


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/bill"])
def test_another_tenants_list_is_not_found_and_an_operators_holds_all(grid, task, path):
    with grid.http("other") as other, grid.http("operator") as operator:
        refused = other.get(path, params={"tenant": "astro"})
        assert (refused.status_code, refused.json()["code"]) == (404, "tenant_unknown")
        assert other.get(path, params={"tenant": "bio"}).status_code == 200
        assert operator.get(path, params={"tenant": "astro"}).status_code == 200
        assert task in operator.get(path).text
        assert task not in other.get(path).text


def test_flows_and_changes_in_the_panorama_are_ones_own(grid, task):
    with grid.http("other") as other, grid.http("user") as user:
        assert task in user.get("/v1/panorama").text
        assert task not in other.get("/v1/panorama").text


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "key_missing"),
        ("Bearer", "key_missing"),
        ("Basic abc", "not_known"),
        ("Bearer sw_key-none_secret", "key_unknown"),
        ("Bearer nonsense", "key_unknown"),
        ("Bearer " + "x" * 500, "not_known"),
    ],
)
def test_a_wrong_key_says_what_is_wrong_and_no_more(grid, header, code):
    answer = httpx.get(f"{grid.here.url}/v1/whoami", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_a_key_with_a_wrong_secret_is_as_unknown_as_no_key(grid):
    key = grid.keys["user"]
    wrong = httpx.get(f"{grid.here.url}/v1/whoami", headers={"Authorization": f"Bearer {key[:-1]}!"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "key_unknown")


def test_a_revoked_key_opens_nothing(grid):
    with grid.http("operator") as operator:
        issued = operator.post("/v1/keys", json={"tenant": "bio", "role": "user", "note": "short"}).json()
        headers = {"Authorization": f"Bearer {issued['key']}"}
        assert httpx.get(f"{grid.here.url}/v1/whoami", headers=headers).json()["tenant"] == "bio"
        assert issued["key_id"] in operator.get("/v1/keys").text
        assert issued["key"] not in operator.get("/v1/keys").text
        assert operator.delete(f"/v1/keys/{issued['key_id']}").status_code == 204
        assert httpx.get(f"{grid.here.url}/v1/whoami", headers=headers).status_code == 401
        assert issued["key_id"] not in operator.get("/v1/keys").text
        assert issued["key_id"] in operator.get("/v1/keys", params={"revoked": 1}).text


def test_an_operator_is_told_every_tenant_and_others_their_own(grid):
    with grid.http("operator") as operator, grid.http("viewer") as viewer:
        assert {"astro", "bio"} <= set(operator.get("/v1/whoami").json()["tenants"])
        assert viewer.get("/v1/whoami").json()["tenants"] == ["astro"]


def test_a_route_without_a_row_stops_the_start():
    check_routes(BY_ROUTE)
    with pytest.raises(AssertionError, match="without a row"):
        check_routes([*BY_ROUTE, ("GET", "/v1/secret")])
    with pytest.raises(AssertionError, match="without a route"):
        check_routes(list(BY_ROUTE)[1:])
