"""A task whose array is shared out, over HTTP: one task to whoever asks, with its parts beside it."""

import pytest
from test_api_tasks import submit, until

WHOLE = {
    "name": "swarm",
    "run": "true",
    "array": 6,
    "spread": {"sites": 3},
    "outputs": [{"path": "out.txt"}],
    "resources": {"memory": "1 MiB"},
    "tags": {"fake.duration-us": "300000", "swarm": "yes"},
}


@pytest.fixture(scope="module")
def done(grid):
    with grid.http("user") as client:
        return until(client, submit(client, WHOLE).json()["task_id"], "succeeded", "failed")


def test_it_is_one_task_with_its_parts(user, done):
    assert done["phase"] == "succeeded"
    assert [(one["first"], one["count"], one["phase"]) for one in done["parts"]] == [
        (0, 2, "succeeded"),
        (2, 2, "succeeded"),
        (4, 2, "succeeded"),
    ]
    assert len({one["site"] for one in done["parts"]}) == 3
    assert sorted(one["path"] for one in done["outputs"]) == [f"{index}/out.txt" for index in range(6)]
    assert done["attempts"] == 3
    assert done["billed_micro_yuan"] == sum(one["billed_micro_yuan"] for one in done["parts"])


def test_an_output_is_found_by_the_number_of_its_element(user, done):
    answer = user.get(f"/v1/tasks/{done['task_id']}/outputs/5/out.txt")
    assert answer.status_code == 200
    assert answer.text


def test_its_bill_has_the_lines_of_all_parts(user, done):
    bill = user.get(f"/v1/tasks/{done['task_id']}/bill").json()
    assert {one["task_id"] for one in bill["charges"]} == {one["task_id"] for one in done["parts"]}
    assert bill["total_micro_yuan"] == done["billed_micro_yuan"] <= done["quote_micro_yuan"]
    assert bill["usage"]["core_us"] > 0


def test_it_is_explained_with_every_plan_and_attempt(user, done):
    found = user.get(f"/v1/tasks/{done['task_id']}/explain").json()
    assert len(found["plans"]) == len(found["attempts"]) == 3
    assert found["request"]["request"]["spread"] == {"sites": 3, "per_site_max": None}
    assert [one["task_id"] for one in found["task"]["parts"]] == [one["task_id"] for one in done["parts"]]
    assert found["admission"]["outcome"] == "admitted"


def test_the_list_shows_the_whole_and_the_parts_by_their_tag(user, done):
    listed = user.get("/v1/tasks", params={"text": "swarm"}).json()["items"]
    assert [(one["task_id"], one["phase"]) for one in listed] == [(done["task_id"], "succeeded")]
    tagged = user.get("/v1/tasks", params={"tag": f"suanwang.part-of={done['task_id']}"}).json()["items"]
    assert {one["task_id"] for one in tagged} == {one["task_id"] for one in done["parts"]}


def test_its_events_are_those_of_all_parts_with_one_begin_and_one_end(user, done):
    kinds: list[str] = []
    with user.stream("GET", f"/v1/tasks/{done['task_id']}/events") as stream:
        kinds += [line.removeprefix("event: ") for line in stream.iter_lines() if line.startswith("event: ")]
    assert (kinds[0], kinds[-1]) == ("task_submitted", "end")
    assert [kinds.count(one) for one in ("task_submitted", "task_ended", "attempt_opened", "attempt_closed")] == [
        1,
        1,
        3,
        3,
    ]


def test_a_log_of_any_part_is_read_through_the_whole(user, done):
    attempts = user.get(f"/v1/tasks/{done['task_id']}/explain").json()["attempts"]
    for one in attempts:
        text = user.get(f"/v1/tasks/{done['task_id']}/logs", params={"attempt": one["attempt_id"]}).text
        assert "fake: finished" in text


def test_cancelling_it_cancels_its_parts(user):
    slow = WHOLE | {"tags": {"fake.duration-us": "600000000"}}
    task_id = submit(user, slow).json()["task_id"]
    running = until(user, task_id, "running")
    assert user.post(f"/v1/tasks/{task_id}/cancel").status_code == 200
    ended = until(user, task_id, "cancelled")
    assert {one["phase"] for one in ended["parts"]} == {"cancelled"}
    assert len(running["parts"]) == 3


def test_a_dry_plan_says_in_how_many_parts(user):
    found = user.post("/v1/plan", json=WHOLE).json()
    assert found["parts"] == 3
    assert found["plan"]["demand"]["cores"] == 2


def test_another_tenant_does_not_find_it(grid, done):
    with grid.http("other") as other:
        assert other.get(f"/v1/tasks/{done['task_id']}").status_code == 404
        assert other.get(f"/v1/tasks/{done['parts'][0]['task_id']}").status_code == 404
