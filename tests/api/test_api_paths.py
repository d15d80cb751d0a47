"""What became of the path of a running task, as explain tells it: over the real API, on a real brain."""

import time

import pytest

from suanwang.model.path_report import PathFault, PathReport
from suanwang.model.view import Explain


@pytest.fixture
def crossing(user, grid):
    """A running task whose path has links, with what explain says of it."""
    origin = grid.here.brain.index.grid.default_origin
    others = [site.id for site in grid.here.brain.index.grid.sites if site.id != origin and site.pools]
    task = {
        "name": "far",
        "run": "sleep 60",
        "origin": origin,
        "sites": others,
        "bandwidth": "1Mbps",
        "resources": {"cpu": 1, "memory": "1MiB", "wall_time": "10m"},
        "tags": {"fake.duration-us": str(60 * 10**6)},
    }
    made = user.post("/v1/tasks", json=task).json()
    until_s = time.monotonic() + 20
    while (view := user.get(f"/v1/tasks/{made['task_id']}").json())["phase"] != "running":
        assert time.monotonic() < until_s, view
        time.sleep(0.05)
    yield view["task_id"]
    user.post(f"/v1/tasks/{view['task_id']}/cancel")


def explained(user, task_id: str) -> Explain:
    return Explain.model_validate(user.get(f"/v1/tasks/{task_id}/explain").json())


def test_explain_tells_what_was_seen_and_what_was_done(user, operator, grid, crossing):
    before = explained(user, crossing)
    assert before.paths == ()
    cut = before.plans[-1].plan.path.links[0].link
    assert operator.post(f"/v1/links/{cut}:fail").status_code == 204
    try:
        after = explained(user, crossing)
        (step,) = after.paths
        assert step.cause is not None
        assert (step.cause.kind, step.cause.avoid) == (PathFault.CUT, (cut,))
        assert after.task.phase == "running"
        if step.kind == "repaired":
            assert after.plans[-2].dropped is not None
            assert after.plans[-2].dropped.reason == "path_repaired"
            assert (after.task.generation, step.plan_id) == (2, after.plans[-1].plan.plan_id)
            assert step.sites == after.plans[-1].plan.path.sites
            assert step.latency_us == after.plans[-1].plan.path.latency_us
            assert after.attempts[-1].plan_id == step.plan_id
            assert after.task.quote_micro_yuan == before.task.quote_micro_yuan
        else:
            assert step.kind == "broken"
    finally:
        assert operator.post(f"/v1/links/{cut}:heal").status_code == 204


def test_a_report_of_the_network_stands_in_explain(user, grid, crossing):
    plan = explained(user, crossing).plans[-1].plan
    report = PathReport(
        task_id=crossing,
        plan_id=plan.plan_id,
        kind=PathFault.DELAY,
        measured_us=1,  # nothing is quicker than that
        promised_us=plan.path.latency_us,
        observed_at_us=grid.here.brain.clock(),
    )
    grid.here.brain.report_paths(grid.here.brain.authenticate(grid.here.key), [report])
    grid.here.brain.wait_tables()
    (step,) = explained(user, crossing).paths
    assert (step.kind, step.cause) == ("broken", report.observation())
    assert step.plan_id == plan.plan_id
