"""The stand-in server answers in the shapes of the real one: the page is developed against what it will meet."""

import time
from collections.abc import Callable

import pytest
from webserver import Server

from suanwang.model.grid import Grid, Tenant
from suanwang.model.scarcity import Scarcity
from suanwang.model.view import Bill, Explain, Page, Panorama, PlanView, Share, TaskView, WhoAmI

REQUEST = {"name": "one", "run": "true", "resources": {"cpu": 2}}


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/whoami", WhoAmI),
        ("/grid", Grid),
        ("/panorama", Panorama),
        ("/scarcity", Scarcity),
        ("/tasks?limit=200", Page[TaskView]),
        ("/bill?from=0", Bill),
        ("/shares", Page[Share]),
        ("/tenants", Page[Tenant]),
    ],
)
def test_answers_have_the_models_shape(server: Server, path: str, model: type) -> None:
    model.model_validate(server.call(path))  # type: ignore[attr-defined]


def test_explain_of_every_task_has_the_models_shape(server: Server) -> None:
    wanted, until_s = {"succeeded", "refused", "failed"}, time.monotonic() + 20
    tasks = server.call("/tasks?limit=200")["items"]
    while not wanted <= {one["phase"] for one in tasks} and time.monotonic() < until_s:
        time.sleep(0.2)  # the stand-in has only just begun to play its day
        tasks = server.call("/tasks?limit=200")["items"]
    assert wanted <= {one["phase"] for one in tasks}
    for task in tasks:
        record = Explain.model_validate(server.call(f"/tasks/{task['task_id']}/explain"))
        assert record.task.task_id == task["task_id"]


def test_a_dry_plan_has_the_models_shape_and_adds_no_task(start_server: Callable[..., Server]) -> None:
    server = start_server("--tasks", "0")
    found = PlanView.model_validate(server.call("/plan", REQUEST))
    assert found.plan is not None
    assert found.plan.quote_micro_yuan == sum(line.amount_micro_yuan for line in found.plan.quote)
    assert server.call("/tasks")["items"] == []
