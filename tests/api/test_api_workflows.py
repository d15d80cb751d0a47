"""/v1/workflows over HTTP: statuses, problems, and whose they are."""

import json

FLOW = {
    "workflow": "w",
    "defaults": {"run": "x", "tags": {"fake.duration-us": "20000"}},
    "tasks": {"make": {"outputs": [{"path": "out"}]}, "take": {"inputs": [{"source": "task:make/out", "path": "in"}]}},
}


def test_a_workflow_is_made_once_by_its_key(user):
    head = {"Idempotency-Key": "api-flow"}
    made = user.post("/v1/workflows", json=FLOW, headers=head)
    assert made.status_code == 201
    body = made.json()
    assert made.headers["Location"] == f"/v1/workflows/{body['workflow_id']}"
    assert [one["after"] for one in body["steps"]] == [{}, {"make": "succeeded"}]
    again = user.post("/v1/workflows", json=FLOW, headers=head)
    assert (again.status_code, again.json()["workflow_id"]) == (200, body["workflow_id"])
    other = user.post("/v1/workflows", json={**FLOW, "workflow": "another"}, headers=head)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_reused")


def test_every_fault_at_once_and_yaml_with_lines(user):
    text = "workflow: w\ntasks:\n  a: {run: x, after: {b: ended}}\n  c: {run: x, cpu: 2}\n"
    answer = user.post("/v1/workflows", content=text, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 422
    assert [(one["code"], one["line"]) for one in answer.json()["faults"]] == [
        ("workflow_task_unknown", 3),
        ("unknown_field_near", 4),
    ]
    local = {**FLOW, "tasks": {"a": {"inputs": [{"source": "beside.txt", "path": "i"}]}}}
    (fault,) = user.post("/v1/workflows", json=local).json()["faults"]
    assert (fault["code"], fault["where"]) == ("source_local", "tasks.a.inputs[0].source")


def test_secrets_travel_beside_it(user):
    tasks = {"a": {"secrets": ["TOKEN"]}, "b": {}}
    bare = user.post("/v1/workflows", json={**FLOW, "tasks": tasks})
    assert (bare.status_code, bare.json()["state"], bare.json()["workflow_id"]) == (200, "refused", None)
    (step,) = bare.json()["steps"]
    assert (step["name"], step["refusals"][0]["reason"]) == ("a", "secret_missing")
    given = user.post("/v1/workflows", json={"request": {**FLOW, "tasks": tasks}, "secrets": {"TOKEN": "s3cret"}})
    assert given.status_code == 201
    assert "s3cret" not in given.text
    strange = user.post("/v1/workflows", json={"request": FLOW, "secret": {}})
    assert strange.json()["faults"][0]["code"] == "unknown_field"


def test_of_another_tenant_it_is_not_there(grid, user):
    flow = user.post("/v1/workflows", json=FLOW).json()["workflow_id"]
    with grid.http("other") as other:
        assert other.get(f"/v1/workflows/{flow}").json()["code"] == "workflow_unknown"
        assert other.post(f"/v1/workflows/{flow}/cancel").status_code == 404
        assert flow not in json.dumps(other.get("/v1/workflows").json())
    with grid.http("viewer") as viewer:
        assert viewer.get(f"/v1/workflows/{flow}").status_code == 200
        assert viewer.post("/v1/workflows", json=FLOW).status_code == 403
        page = viewer.get("/v1/workflows", params={"limit": 1}).json()
        assert page["items"][0]["workflow_id"] == flow
        after = viewer.get("/v1/workflows", params={"limit": 1, "cursor": page["next_cursor"]}).json()
        assert after["items"][0]["workflow_id"] != flow


def test_cancelled_twice_is_a_conflict(user):
    slow = {**FLOW, "defaults": {"run": "x", "tags": {"fake.duration-us": "600000000"}}}
    flow = user.post("/v1/workflows", json={**slow, "tasks": {"a": {"earliest_start": "2035-01-01T00:00:00Z"}}}).json()
    first = user.post(f"/v1/workflows/{flow['workflow_id']}/cancel")
    assert (first.status_code, first.json()["state"]) == (200, "cancelled")
    second = user.post(f"/v1/workflows/{flow['workflow_id']}/cancel")
    assert (second.status_code, second.json()["code"]) == (409, "workflow_ended")
