"""TES over HTTP on a brain with fake agents: addresses, keys, views, filters, pages, states and refusals."""

import base64
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from suanwang.api.tes_paths import bearer_of
from suanwang.api.tes_states import standings_of, state_of
from suanwang.model.record import Phase
from suanwang.model.tes import TesState
from suanwang.store.rows import Page

BASE = "/ga4gh/tes/v1"
NUMBER = itertools.count()


def document(**fields):
    tags = {"fake.duration-us": "20000", "n": str(next(NUMBER)), **fields.pop("tags", {})}
    return {"executors": [{"image": "host", "command": ["echo", "hello"]}], "tags": tags, **fields}


def create(client, **fields):
    answer = client.post(f"{BASE}/tasks", json=document(**fields))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": answer.json()["id"]}
    return answer.json()["id"]


def get(client, task_id, view="MINIMAL", base=BASE):
    answer = client.get(f"{base}/tasks/{task_id}", params={"view": view})
    assert answer.status_code == 200, answer.text
    return answer.json()


def until(client, task_id, *states, base=BASE):
    deadline = time.monotonic() + 20
    while (state := get(client, task_id, base=base)["state"]) not in states:
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    return get(client, task_id, "FULL")


def listed(client, **params):
    answer = client.get(f"{BASE}/tasks", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_service_says_what_it_is_without_a_key(grid):
    found = httpx.get(f"{grid.here.url}{BASE}/service-info").json()
    assert found["type"] == {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"}
    assert {"deadline", "budget", "latency", "gpu", "qpu", "priority"} <= set(found["tesResources_backend_parameters"])
    assert found["storage"]


@pytest.mark.parametrize("base", [BASE, "/tes/ga4gh/tes/v1", "/tes/v1"])
def test_each_address_that_clients_try_leads_to_the_same_tasks(grid, user, base):
    answer = user.post(f"{base}/tasks", json=document(name="by-base"))
    task_id = answer.json()["id"]
    assert get(user, task_id, base=base)["id"] == task_id
    assert task_id in {one["id"] for one in user.get(f"{base}/tasks").json()["tasks"]}
    assert user.post(f"{base}/tasks/{task_id}:cancel").json() == {}
    assert user.get(f"{base}/service-info").status_code == 200


def test_a_call_by_another_address_is_counted_as_the_route_that_it_is(grid):
    httpx.get(f"{grid.here.url}/tes/v1/service-info")
    assert 'route="/ga4gh/tes/v1/service-info"' in httpx.get(f"{grid.here.url}/metrics").text


def test_service_info_is_also_where_tes_1_0_had_it(grid):
    assert httpx.get(f"{grid.here.url}/tes/v1/tasks/service-info").json()["type"]["artifact"] == "tes"


def test_our_own_address_is_not_taken(user):
    assert user.post("/v1/tasks", json={"run": "true"}).status_code == 201
    assert user.post("/v1/tasks", json=document()).status_code == 422
    assert user.get("/tes/v2/tasks").status_code == 404


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize("pair", [("me", "KEY"), ("KEY", ""), ("KEY", "x")])
def test_a_key_may_come_as_basic(grid, pair):
    header = basic(*(grid.keys["user"] if one == "KEY" else one for one in pair))
    assert httpx.get(f"{grid.here.url}{BASE}/tasks", headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "key_missing"),
        ("Basic Tm9uZTpOb25l", "key_missing"),
        (basic("me", "guess"), "not_known"),
        ("Basic ???", "not_known"),
        ("Bearer sw_key-none_secret", "key_unknown"),
    ],
)
def test_without_a_good_key_nothing_is_told(grid, header, code):
    answer = httpx.get(f"{grid.here.url}{BASE}/tasks", headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_what_clients_without_credentials_send_is_none():
    assert bearer_of("Basic Tm9uZTpOb25l") == bearer_of(basic("", "")) == ""
    assert bearer_of("Bearer x") == "Bearer x"


def test_another_tenants_task_is_not_found(grid, user):
    task_id = create(user)
    with grid.http("other") as other:
        assert other.get(f"{BASE}/tasks/{task_id}").status_code == 404
        assert other.post(f"{BASE}/tasks/{task_id}:cancel").status_code == 404
        assert task_id not in other.get(f"{BASE}/tasks").text
    assert user.get(f"{BASE}/tasks/nonsense").json()["code"] == "task_unknown"


def test_a_viewer_reads_and_does_not_create(grid):
    with grid.http("viewer") as viewer:
        assert viewer.get(f"{BASE}/tasks").status_code == 200
        assert viewer.post(f"{BASE}/tasks", json=document()).status_code == 403


def test_a_task_of_our_own_door_is_no_tes_task(user):
    task_id = user.post("/v1/tasks", json={"run": "true"}).json()["task_id"]
    assert user.get(f"{BASE}/tasks/{task_id}").status_code == 404
    assert user.post(f"{BASE}/tasks/{task_id}:cancel").status_code == 404
    assert task_id not in {one["id"] for one in listed(user)["tasks"]}


def test_a_tes_task_is_one_of_ours_too(user):
    task_id = create(user, name="both doors")
    found = user.get(f"/v1/tasks/{task_id}").json()
    assert found["name"] == "both doors"
    assert found["request"]["run"].rstrip().endswith("run 0 0 '' '' ''")


def test_views_say_as_much_as_tes_says_they_do(user):
    sent = document(
        name="views",
        description="d",
        inputs=[{"path": "/data/in", "content": "secret text", "name": "i", "type": "FILE"}],
        resources={"cpu_cores": 1, "ram_gb": 0.5, "backend_parameters": {"Priority": "9", "other": "x"}},
        volumes=["/vol/a"],
    )
    task_id = user.post(f"{BASE}/tasks", json=sent).json()["id"]
    until(user, task_id, "COMPLETE")
    assert get(user, task_id) == {"id": task_id, "state": "COMPLETE"}
    assert user.get(f"{BASE}/tasks/{task_id}").json() == get(user, task_id)  # MINIMAL is what is not said
    basic_view, full = get(user, task_id, "BASIC"), get(user, task_id, "FULL")
    assert {name: full[name] for name in sent} == sent
    assert "content" not in basic_view["inputs"][0]
    assert basic_view["resources"] == sent["resources"]
    assert "system_logs" not in basic_view["logs"][0] and "stdout" not in basic_view["logs"][0]["logs"][0]
    assert any("other" in one for one in full["logs"][0]["system_logs"])
    assert "fake: started" in full["logs"][0]["logs"][0]["stdout"]
    assert full["creation_time"].endswith("Z")
    metadata = full["logs"][0]["metadata"]
    assert {"site", "pool", "path", "quote_micro_yuan", "billed_micro_yuan"} <= set(metadata)
    assert all(isinstance(value, str) for value in metadata.values())


def test_a_client_of_tes_1_0_is_spared_the_words_of_1_1(user):
    sent = document(
        inputs=[{"path": "/data/in", "content": "x", "streamable": True}],
        resources={"cpu_cores": 1, "backend_parameters": {"priority": "9"}, "backend_parameters_strict": True},
    )
    task_id = user.post("/tes/v1/tasks", json=sent).json()["id"]
    old, new = get(user, task_id, "FULL", "/tes/v1"), get(user, task_id, "FULL")
    assert old["resources"] == {"cpu_cores": 1}
    assert "streamable" not in old["inputs"][0]
    assert new["resources"] == sent["resources"]


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [("ok", "COMPLETE", 0), ("exit:3", "EXECUTOR_ERROR", 3), ("signal:9", "EXECUTOR_ERROR", 137)],
)
def test_an_end_is_told_with_its_code(user, outcome, state, code):
    found = until(user, create(user, tags={"fake.outcome": outcome}), state)
    assert [one["exit_code"] for one in found["logs"][0]["logs"]] == [code]
    assert len(found["logs"]) == 1  # a workflow engine tries again by itself


def test_each_attempt_is_one_log(user):
    resources = {"backend_parameters": {"retries": "1"}}
    found = until(user, create(user, tags={"fake.outcome": "exit:1,ok"}, resources=resources), "COMPLETE")
    assert [one["logs"][0]["exit_code"] for one in found["logs"]] == [1, 0]
    assert [one["metadata"]["attempt"] for one in found["logs"]] == ["1", "2"]


def test_an_image_that_stands_for_nothing_is_a_system_error(user):
    answer = user.post(f"{BASE}/tasks", json={**document(), "executors": [{"image": "no/such:1", "command": ["x"]}]})
    found = until(user, answer.json()["id"], "SYSTEM_ERROR")
    assert any("no/such:1" in line for line in found["logs"][-1]["system_logs"])


def test_a_refused_task_is_a_system_error_that_says_why(user):
    task_id = create(user, resources={"backend_parameters": {"sites": "nowhere"}})
    found = get(user, task_id, "FULL")
    assert found["state"] == "SYSTEM_ERROR"
    assert any("nowhere" in line for line in found["logs"][0]["system_logs"])
    assert found["logs"][0]["logs"] == found["logs"][0]["outputs"] == []


def test_a_cancel_ends_it_and_may_be_sent_again(user):
    task_id = create(user, tags={"fake.duration-us": "600000000"})
    until(user, task_id, "RUNNING")
    assert user.post(f"{BASE}/tasks/{task_id}:cancel").json() == {}
    assert get(user, task_id)["state"] in ("CANCELED", "CANCELING")
    assert get(user, task_id, base="/tes/v1")["state"] == "CANCELED"
    until(user, task_id, "CANCELED")
    assert user.post(f"{BASE}/tasks/{task_id}:cancel").status_code == 200
    assert get(user, task_id)["state"] == "CANCELED"


def test_filters_by_state_and_name(user):
    name = f"Filtered-{next(NUMBER)}"
    done = create(user, name=f"{name}-done")
    failed = create(user, name=f"{name}-failed", tags={"fake.outcome": "exit:1"})
    refused = create(user, name=f"{name}-refused", resources={"backend_parameters": {"sites": "nowhere"}})
    running = create(user, name=f"{name}-runs", tags={"fake.duration-us": "600000000"})
    until(user, done, "COMPLETE"), until(user, failed, "EXECUTOR_ERROR"), until(user, running, "RUNNING")

    def ids(**params):
        return {one["id"] for one in listed(user, name_prefix=name, **params)["tasks"]}

    assert ids() == {done, failed, refused, running}
    assert ids(state="COMPLETE") == {done}
    assert ids(state="EXECUTOR_ERROR") == {failed}
    assert ids(state="SYSTEM_ERROR") == {refused}
    assert ids(state="RUNNING") == {running}
    for state in ("PREEMPTED", "PAUSED", "UNKNOWN", "QUEUED", "CANCELING"):
        assert ids(state=state) == set()
    assert listed(user, name_prefix=name.lower())["tasks"] == []
    user.post(f"{BASE}/tasks/{running}:cancel")


def test_a_prefix_longer_than_the_tables_hold_and_a_task_without_a_name(user):
    name = "x" * 250 + "-end"
    task_id = create(user, name=name)
    create(user)
    assert [one["id"] for one in listed(user, name_prefix=name)["tasks"]] == [task_id]
    assert listed(user, name_prefix=name + "!")["tasks"] == []
    assert listed(user, name_prefix="task")["tasks"] == []


def test_filters_by_tags(user):
    mark = f"Mark {next(NUMBER)}"
    task_id = create(user, tags={mark: "yes", "Lorem Ipsum": "x" * 300, "empty": ""})
    create(user, tags={mark: "no"})

    def ids(keys, values):
        return [one["id"] for one in listed(user, tag_key=keys, tag_value=values)["tasks"]]

    assert ids([mark], ["yes"]) == [task_id]
    assert len(ids([mark], [])) == len(ids([mark], [""])) == 2
    assert ids(["empty", mark, "Lorem Ipsum"], ["", "yes", "x" * 300]) == [task_id]
    assert ids([mark, "extra"], ["yes"]) == []
    assert ids([mark], ["maybe"]) == []


def test_pages_follow_one_another_without_gap_or_repeat(user):
    mark = str(next(NUMBER))
    made = [create(user, tags={"page": mark}) for _ in range(5)]
    seen, token = [], ""
    while True:
        params = {"tag_key": "page", "tag_value": mark, "page_size": 2, "page_token": token}
        page = listed(user, **params)
        assert all(set(one) == {"id", "state"} for one in page["tasks"])
        seen += [one["id"] for one in page["tasks"]]
        token = page.get("next_page_token")
        if token is None:
            break
    assert seen == list(reversed(made))


def paged(client, **params):
    pages, token = [], ""
    while token is not None:
        page = listed(client, page_token=token, **params)
        pages.append([one["id"] for one in page["tasks"]])
        token = page.get("next_page_token")
    return pages


@pytest.mark.parametrize("view", ["BASIC", "FULL"])
def test_a_page_ends_where_it_has_read_its_bytes_and_the_next_one_goes_on(user, monkeypatch, view):
    mark = f"bytes-{next(NUMBER)}"
    made = [create(user, description="x" * 1000, tags={"page": mark}) for _ in range(5)]
    of = {"tag_key": "page", "tag_value": mark, "view": view}
    assert paged(user, **of) == [made[::-1]]
    monkeypatch.setattr("suanwang.api.tes.PAGE_BYTES", 1500)
    pages = paged(user, **of)
    assert [one for page in pages for one in page] == made[::-1]
    assert all(1 <= len(page) <= 2 for page in pages)
    assert paged(user, **{**of, "view": "MINIMAL"}) == [made[::-1]]
    # A look at names reads the documents too; a page on which none fits has a next one all the same.
    assert [one for page in paged(user, **of, name_prefix="task") for one in page] == []
    assert len(paged(user, **of, name_prefix="task")) > 1


def test_a_minimal_list_reads_no_document(user, monkeypatch):
    create(user)
    monkeypatch.setattr("suanwang.api.tes_view.TesViewer._bytes", None)
    assert listed(user)["tasks"]


@pytest.mark.parametrize(
    "params", [{"page_size": 2048}, {"page_size": -1}, {"view": "ALL"}, {"state": "DONE"}, {"page_token": "é"}]
)
def test_wrong_parameters_are_400(user, params):
    answer = user.get(f"{BASE}/tasks", params=params)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_faults_are_400_all_at_once_in_the_readers_language(user):
    body = {"executors": [{"image": "A B", "command": ["x"]}], "inputs": [{"path": "/a", "content": ""}]}
    answers = [user.post(f"{BASE}/tasks", json=body, headers={"Accept-Language": lang}) for lang in ("en", "zh-TW")]
    assert [one.status_code for one in answers] == [400, 400]
    assert {one["code"] for one in answers[0].json()["faults"]} == {"image_form", "tes_path_root"}
    assert answers[0].json()["faults"][0]["text"] != answers[1].json()["faults"][0]["text"]


def test_an_object_that_is_not_the_tenants_is_a_fault_at_its_url(user):
    inputs = [{"path": "/data/in", "url": f"object:{'0' * 64}"}]
    answer = user.post(f"{BASE}/tasks", json=document(inputs=inputs))
    assert [(one["code"], one["where"]) for one in answer.json()["faults"]] == [("object_unknown", "inputs[0].url")]


def test_a_body_of_another_type_or_no_json_is_refused(user):
    as_text = {"Content-Type": "text/plain"}
    assert user.post(f"{BASE}/tasks", content=b"{}", headers=as_text).status_code == 415
    as_json = {"Content-Type": "application/json"}
    assert user.post(f"{BASE}/tasks", content=b'{"executors": [', headers=as_json).status_code == 400
    nul = json.dumps({"executors": [{"image": "host", "command": ["a\0b"]}]})
    assert user.post(f"{BASE}/tasks", content=nul, headers=as_json).json()["faults"][0]["code"] == "text_broken"


def test_the_same_body_sent_again_is_the_same_task(grid, user):
    body = document(name="again")
    first, again = (user.post(f"{BASE}/tasks", json=body).json()["id"] for _ in range(2))
    assert first == again
    other_key = {"Idempotency-Key": f"apart-{first}"}
    apart = user.post(f"{BASE}/tasks", json=body, headers=other_key).json()["id"]
    assert apart != first
    with grid.http("other") as other:
        assert other.post(f"{BASE}/tasks", json=body).json()["id"] not in (first, apart)


def test_the_same_body_is_another_task_later(grid, user, monkeypatch):
    body = document(name="later")
    first = user.post(f"{BASE}/tasks", json=body).json()["id"]
    monkeypatch.setattr("suanwang.api.tes.AGAIN_US", 1)
    time.sleep(0.01)
    assert user.post(f"{BASE}/tasks", json=body).json()["id"] != first


def test_the_same_body_is_the_same_task_though_the_tables_are_behind_and_a_span_begins(user, monkeypatch):
    body = document(name="spans")
    span_us = time.time_ns() // 1000 + 1_000_000  # the first span ends a second from now, the next one is as long
    monkeypatch.setattr("suanwang.api.tes.AGAIN_US", span_us)
    monkeypatch.setattr("suanwang.api.tes.tagged_lines", lambda *_, **__: Page((), None))
    first = user.post(f"{BASE}/tasks", json=body).json()["id"]
    assert time.time_ns() // 1000 < span_us, "the first was sent in time"
    time.sleep(1.1)
    assert user.post(f"{BASE}/tasks", json=body).json()["id"] == first


def test_bodies_that_come_at_once_are_one_task(grid, monkeypatch):
    monkeypatch.setattr("suanwang.api.tes.AGAIN_US", 10**15)  # no span ends meanwhile
    body = document(name="at once")

    def send(_):
        with grid.http("user") as client:
            return client.post(f"{BASE}/tasks", json=body).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(8)))) == 1


class Row:
    def __init__(self, phase, reason=None, cancel_us=None):
        self.phase, self.reason, self.cancel_us = phase, reason, cancel_us


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("reason", [None, "exit_code", "out_of_memory", "disk_full", "site_lost"])
@pytest.mark.parametrize("cancel_us", [None, 5])
def test_each_task_is_in_the_filter_of_its_own_state_and_of_no_other(phase, reason, cancel_us):
    row = Row(phase, reason, cancel_us)

    def stands(one):
        known = one.reasons is None or ((reason or "") in one.reasons) is not one.others
        cancelling = one.cancelling is None or one.cancelling is (cancel_us is not None)
        return phase in one.phases and known and cancelling

    inside = [state for state in TesState if any(stands(one) for one in standings_of(state))]
    assert inside == [state_of(row)]
