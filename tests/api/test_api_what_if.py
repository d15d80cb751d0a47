"""/v1/what-if: one at a time, beside the brain and not under its lock; an operator's alone."""

import time

import pytest

from suanwang.model.what_if_ask import SERVED_TASKS_MAX, WhatIfView

ENDS_WITHIN_S = 120
DRAWN = {"day": {"drawn": 30}, "seed": 5}


def ended(client, run_id) -> WhatIfView:
    until_s = time.monotonic() + ENDS_WITHIN_S
    while True:
        found = WhatIfView.model_validate(client.get(f"/v1/what-if/{run_id}").json())
        if found.state != "running":
            return found
        assert time.monotonic() < until_s, found
        time.sleep(0.1)


def start(client, body) -> str:
    """Begin, once whatever another test began has ended."""
    until_s = time.monotonic() + ENDS_WITHIN_S
    while (answer := client.post("/v1/what-if", json=body)).status_code == 409:
        assert time.monotonic() < until_s
        time.sleep(0.1)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/what-if/{answer.json()['run_id']}"
    return str(answer.json()["run_id"])


def test_a_drawn_day_before_and_after(operator, grid):
    site = grid.here.brain.index.grid.sites[0].id
    run_id = start(operator, DRAWN | {"changes": {"sites": {"remove": [site]}, "prices": {"all": 2}}})
    found = ended(operator, run_id)
    assert found.state == "done", found.problem
    assert found.result is not None
    assert (found.tasks, found.ended) == (60, 60)
    assert found.result.seed == 5
    assert [one.code for one in found.result.changes] == ["change.site_removed", "change.price_all"]
    assert found.result.before.tasks == found.result.after.tasks == 30
    assert found.result.after.cost_micro_yuan > found.result.before.cost_micro_yuan
    listed = operator.get("/v1/what-if").json()["items"]
    assert listed[0]["run_id"] == run_id
    assert listed[0]["result"] is None


def test_a_day_of_the_brains_own_history(operator, user, grid):
    body = {"name": "was", "run": "true", "tags": {"fake.duration-us": "1000"}}
    task_id = user.post("/v1/tasks", json=body).json()["task_id"]
    until_s = time.monotonic() + 60
    while user.get(f"/v1/tasks/{task_id}").json()["ended_us"] is None:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    at_us = user.get(f"/v1/tasks/{task_id}").json()["submitted_us"]
    day = time.strftime("%Y-%m-%d", time.gmtime(at_us / 1e6 + 8 * 3600))
    found = ended(operator, start(operator, {"day": {"history": day}, "seed": 1}))
    assert found.state == "done", found.problem
    assert found.result is not None
    assert found.result.before.tasks >= 1
    assert found.result.before == found.result.after


def test_one_at_a_time_and_it_can_be_stopped(operator):
    run_id = start(operator, {"day": {"drawn": 4000}, "seed": 5})
    second = operator.post("/v1/what-if", json=DRAWN)
    assert second.status_code == 409
    assert second.json()["code"] == "what_if_running"
    assert run_id in second.json()["detail"]
    assert operator.get("/v1/whoami").status_code == 200, "the brain answers meanwhile"
    assert operator.delete(f"/v1/what-if/{run_id}").status_code == 204
    assert ended(operator, run_id).state == "cancelled"
    assert operator.delete(f"/v1/what-if/{run_id}").status_code == 204


def test_a_run_that_is_not_known(operator):
    for answer in (operator.get("/v1/what-if/what-if-none"), operator.delete("/v1/what-if/what-if-none")):
        assert answer.status_code == 404
        assert answer.json()["code"] == "what_if_unknown"


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"day": {}}, [("what_if_day", "day")]),
        ({"day": {"drawn": 5, "history": "2026-01-01"}}, [("what_if_day", "day")]),
        ({"day": {"history": "2026-02-30"}}, [("day_form", "day")]),
        ({"day": {"drawn": 5}, "sample": 0, "loud": 1}, [("below", "sample"), ("unknown_field_near", "loud")]),
        (
            {"day": {"drawn": 5}, "changes": {"sites": {"remove": ["no"]}, "links": {"cut": ["no"]}}},
            [("change_unknown", "changes.sites.remove[0]"), ("change_unknown", "changes.links.cut[0]")],
        ),
    ],
)
def test_what_cannot_be_played_is_refused_at_once(operator, body, faults):
    answer = operator.post("/v1/what-if", json=body)
    assert answer.status_code == 422, answer.text
    found = [(one["code"], one["where"]) for one in answer.json()["faults"]]
    assert sorted(found) == sorted(faults)


def test_a_trace_with_bad_lines_fails_with_their_numbers(operator):
    found = ended(operator, start(operator, {"day": {"trace": "; Version: 2.2\n1 2 3\n", "name": "bad.swf"}}))
    assert found.state == "failed"
    assert found.problem is not None
    assert [(one.line, one.code) for one in found.problem.faults] == [(2, "trace_fields")]
    assert found.problem.status == 422


def test_more_than_fits_beside_a_brain_is_refused(operator):
    found = ended(operator, start(operator, {"day": {"drawn": SERVED_TASKS_MAX}, "seed": 1}))
    assert found.state == "failed"
    assert found.problem is not None
    assert [one.code for one in found.problem.faults] == ["what_if_large"]


def test_a_process_that_dies_is_a_failure(operator, grid):
    run_id = start(operator, {"day": {"drawn": 4000}, "seed": 6})
    grid.here.brain.desk._entries[run_id].process.kill()
    found = ended(operator, run_id)
    assert found.state == "failed"
    assert found.problem is not None
    assert found.problem.code == "what_if_failed"
