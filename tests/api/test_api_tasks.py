"""A task over HTTP, from its submission to its bill."""

import json
import time

import pytest

QUICK = {"name": "quick", "run": "true", "tags": {"fake.duration-us": "50000"}}
SLOW = {"name": "slow", "run": "sleep", "tags": {"fake.duration-us": "600000000"}}


def submit(client, task=None, **headers):
    answer = client.post("/v1/tasks", json=task or QUICK, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer


def until(client, task_id, *phases, seconds=20.0):
    """Wait for a phase over the event stream's end, or by looking."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        view = client.get(f"/v1/tasks/{task_id}").json()
        if view["phase"] in phases:
            return view
        time.sleep(0.05)
    raise AssertionError(f"{view['phase']} after {seconds} s: {view}")


@pytest.fixture(scope="module")
def done(grid):
    """A task that has succeeded."""
    with grid.http("user") as client:
        task_id = submit(client).json()["task_id"]
        return until(client, task_id, "succeeded", "failed")


def test_a_task_runs_to_its_end_and_its_bill_is_the_sum_of_its_lines(user, done):
    assert done["phase"] == "succeeded"
    assert done["emulated"] is True
    bill = user.get(f"/v1/tasks/{done['task_id']}/bill").json()
    assert bill["charges"]
    assert bill["total_micro_yuan"] == sum(one["line"]["amount_micro_yuan"] for one in bill["charges"])
    assert bill["total_micro_yuan"] == done["billed_micro_yuan"] <= done["quote_micro_yuan"]


def test_submit_answers_201_with_its_place(user):
    answer = submit(user, SLOW)
    view = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/tasks/{view['task_id']}"
    assert view["request"]["run"] == "sleep"
    assert view["kind"] == "general"
    assert user.post(f"/v1/tasks/{view['task_id']}/cancel").status_code == 200
    assert until(user, view["task_id"], "cancelled")["ended_us"] is not None


def test_a_second_cancel_is_a_conflict(user, done):
    answer = user.post(f"/v1/tasks/{done['task_id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_ended")


def test_the_same_idempotency_key_gives_the_same_task(user):
    first = submit(user, QUICK, **{"Idempotency-Key": "once"})
    again = submit(user, QUICK, **{"Idempotency-Key": "once"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["task_id"] == again.json()["task_id"]


def test_an_idempotency_key_for_another_task_is_a_conflict(user):
    submit(user, QUICK, **{"Idempotency-Key": "reused"})
    answer = user.post("/v1/tasks", json=SLOW, headers={"Idempotency-Key": "reused"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_reused")


def test_a_task_file_may_be_yaml_and_its_faults_have_lines(user):
    text = "run: true\nresources:\n  cpu: many\n  memroy: 1 GiB\n"
    answer = user.post("/v1/tasks", content=text, headers={"Content-Type": "application/yaml"})
    faults = answer.json()["faults"]
    assert answer.status_code == 422
    assert {(one["where"], one["line"]) for one in faults} >= {("resources.cpu", 3), ("resources.memroy", 4)}
    assert all(one["text"] for one in faults)


def test_faults_speak_the_language_that_was_asked_for(user):
    texts = {
        lang: user.post("/v1/tasks", json={}, headers={"Accept-Language": lang}).json()["faults"][0]["text"]
        for lang in ("en", "zh-TW", "zh-CN")
    }
    assert len(set(texts.values())) == 3


def test_a_refused_task_is_kept_with_its_reasons(user):
    view = submit(user, {"run": "true", "sites": ["nowhere"]}).json()
    assert view["phase"] == "refused"
    assert view["refusals"][0]["reason"] == "site_unknown"
    explain = user.get(f"/v1/tasks/{view['task_id']}/explain").json()
    assert explain["admission"]["outcome"] == "refused"


def test_secrets_travel_beside_the_request_and_are_seen_nowhere(user, grid):
    value = "hunter2-unlikely-value"
    body = {"request": {**QUICK, "secrets": ["TOKEN"]}, "secrets": {"TOKEN": value}}
    task_id = submit(user, body).json()["task_id"]
    until(user, task_id, "succeeded", "failed")
    for path in ("", "/explain", "/bill", "/logs"):
        assert value not in user.get(f"/v1/tasks/{task_id}{path}").text
    store = grid.here.brain.settings.home / "store.db"
    assert value.encode() not in store.read_bytes()


def test_faults_about_secrets_name_them_and_hide_their_values(user):
    body = {"request": QUICK, "secrets": {"bad name": "s3cr3t", "OTHER": 5}, "more": 1}
    answer = user.post("/v1/tasks", json=body)
    assert answer.status_code == 422
    assert {one["code"] for one in answer.json()["faults"]} == {"env_name_form", "not_text", "unknown_field"}
    assert "s3cr3t" not in answer.text


def test_a_local_path_means_nothing_to_the_brain(user):
    answer = user.post("/v1/tasks", json={"run": "true", "inputs": [{"source": "data.csv", "path": "data.csv"}]})
    assert [one["code"] for one in answer.json()["faults"]] == ["source_local"]


def test_an_object_of_another_tenant_is_no_input(user, grid):
    digest = "a" * 64
    with grid.http("other") as other:
        from blake3 import blake3

        body = b"theirs"
        digest = blake3(body).hexdigest()
        assert other.put(f"/v1/objects/{digest}", content=body, headers=OCTETS).status_code == 201
    task = {"run": "true", "inputs": [{"source": f"object:{digest}", "path": "x"}]}
    assert [one["code"] for one in user.post("/v1/tasks", json=task).json()["faults"]] == ["object_unknown"]


OCTETS = {"Content-Type": "application/octet-stream"}


def test_explain_has_one_member_per_arrow(user, done):
    found = user.get(f"/v1/tasks/{done['task_id']}/explain").json()
    assert found["request"]["request"]["name"] == "quick"
    assert found["admission"]["outcome"] == "admitted"
    plan = found["plans"][-1]
    assert plan["plan"]["pool"] == done["pool"]
    assert plan["report"]["verdicts"] == []
    assert found["attempts"][-1]["succeeded"] is True
    assert [one["event"]["kind"] for one in found["observed"]][-1] == "finished"
    assert sum(one["line"]["amount_micro_yuan"] for one in found["charges"]) == done["billed_micro_yuan"]


def test_a_dry_plan_holds_and_writes_nothing(user, grid):
    before = grid.here.brain.snapshot()
    answer = user.post("/v1/plan", json={"run": "true", "name": "dry", "preference": "fastest"})
    after = grid.here.brain.snapshot()
    found = answer.json()
    assert answer.status_code == 200
    assert found["plan"]["quote_micro_yuan"] == sum(one["amount_micro_yuan"] for one in found["plan"]["quote"])
    assert found["request"]["resources"]["cpu"] == 1
    assert set(after.leases) <= set(before.leases)
    assert user.get("/v1/tasks", params={"text": "dry"}).json()["items"] == []


def test_a_plan_that_fits_nothing_says_what_would(user):
    found = user.post("/v1/plan", json={"run": "true", "price_limit": 0}).json()
    assert found["plan"] is None
    assert found["report"]["clauses"]


def test_pages_follow_one_another_without_gap_or_repeat(user):
    for _ in range(5):
        submit(user, {"run": "true", "name": "paged", "tags": {"page": "1", "fake.duration-us": "1"}})
    seen, cursor = [], None
    while True:
        params = {"tag": "page=1", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = user.get("/v1/tasks", params=params).json()
        seen += [one["task_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


def test_lists_filter_by_phase_group_and_text(user, done):
    ended = user.get("/v1/tasks", params={"phase": "ended", "limit": 500}).json()["items"]
    assert done["task_id"] in {one["task_id"] for one in ended}
    assert all(one["ended_us"] is not None for one in ended)
    assert user.get("/v1/tasks", params={"phase": "live", "text": done["task_id"]}).json()["items"] == []
    assert user.get("/v1/tasks", params={"text": "QUICK"}).json()["items"]
    assert user.get("/v1/tasks", params={"phase": "sleeping"}).status_code == 422


def test_events_come_in_order_end_and_resume(user, done):
    path = f"/v1/tasks/{done['task_id']}/events"
    whole = user.get(path).text
    blocks = [block for block in whole.split("\n\n") if block.startswith("id:")]
    kinds = [block.split("event: ")[1].split("\n")[0] for block in blocks]
    assert kinds[0] == "task_submitted"
    assert "task_ended" in kinds
    assert whole.rstrip().endswith("event: end\ndata: {}")
    third = blocks[2].split("id: ")[1].split("\n")[0]
    rest = user.get(path, headers={"Last-Event-ID": third}).text
    assert [block for block in rest.split("\n\n") if block.startswith("id:")] == blocks[3:]
    assert all(json.loads(block.split("data: ")[1])["t"] == kind for block, kind in zip(blocks, kinds, strict=True))


def test_events_of_a_live_task_come_while_it_goes_on(user):
    task_id = submit(user, SLOW).json()["task_id"]
    until(user, task_id, "running")
    kinds = []
    with user.stream("GET", f"/v1/tasks/{task_id}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            if line == "event: event_applied" and kinds.count("event_applied") == 1:
                user.post(f"/v1/tasks/{task_id}/cancel")
    assert kinds[-2:] == ["task_ended", "end"] or kinds[-1] == "end"
    assert "cancel_requested" in kinds


def test_the_log_is_the_bytes_from_an_offset(user, done):
    whole = user.get(f"/v1/tasks/{done['task_id']}/logs").content
    assert b"fake: started" in whole
    assert user.get(f"/v1/tasks/{done['task_id']}/logs", params={"offset": 6}).content == whole[6:]
    followed = user.get(f"/v1/tasks/{done['task_id']}/logs", params={"follow": 1}).content
    assert followed == whole


def test_an_attempt_of_another_task_is_not_found(user, done):
    answer = user.get(f"/v1/tasks/{done['task_id']}/logs", params={"attempt": "att-" + "0" * 26})
    assert (answer.status_code, answer.json()["code"]) == (404, "attempt_unknown")


def test_an_output_is_the_bytes_with_its_name(user):
    task = {**QUICK, "outputs": [{"path": "résumé.txt"}]}
    task_id = submit(user, task).json()["task_id"]
    view = until(user, task_id, "succeeded", "failed")
    output = view["outputs"][0]
    answer = user.get(f"/v1/tasks/{task_id}/outputs/{output['path']}")
    assert answer.status_code == 200
    assert len(answer.content) == output["size_bytes"]
    assert "filename*=UTF-8''r%C3%A9sum%C3%A9.txt" in answer.headers["content-disposition"]
    missing = user.get(f"/v1/tasks/{task_id}/outputs/../../etc/passwd")
    assert missing.status_code == 404
    assert user.get(f"/v1/tasks/{task_id}/outputs/none").json()["code"] == "output_unknown"
