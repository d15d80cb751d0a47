"""While the tables are behind the log: what is taken is never said to be unknown, and agents go on."""

import time
from pathlib import Path

import pytest
from tests.api.served import Grid, served

from suanwang.model.record import Phase
from suanwang.runtime import brain as module

TASK = {"run": "true", "tags": {"fake.duration-us": "1000"}}
WITHIN_S = 30


@pytest.fixture
def behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A running grid whose tables stand still."""
    monkeypatch.setattr(module, "TABLES_S", 0.2)
    monkeypatch.setattr(module.Brain.wait_tables, "__defaults__", (0.2,))
    with served(tmp_path) as grid:
        grid.here.brain.projecting.stop()
        grid.here.brain.store.inline_max = 0
        yield grid


def until(grid: Grid, task_id: str, phase: Phase) -> None:
    until_s = time.monotonic() + WITHIN_S
    while grid.here.brain.road.state.tasks[task_id].phase is not phase:
        assert time.monotonic() < until_s
        time.sleep(0.02)


def catch_up(grid: Grid) -> None:
    while grid.here.brain.store.project():
        pass


def test_a_task_that_is_taken_is_not_unknown(behind: Grid) -> None:
    with behind.http() as http:
        answer = http.post("/v1/tasks", json=TASK, headers={"Idempotency-Key": "one"})
        assert (answer.status_code, answer.json()["code"]) == (503, "store_behind")
        (task_id,) = behind.here.brain.road.state.tasks
        assert http.get(f"/v1/tasks/{task_id}").json()["code"] == "store_behind"
        assert http.get("/healthz").json()["behind"] > 0
        with behind.http("other") as other:
            assert other.get(f"/v1/tasks/{task_id}").json()["code"] == "task_unknown"
        until(behind, task_id, Phase.SUCCEEDED)
        catch_up(behind)
        again = http.post("/v1/tasks", json=TASK, headers={"Idempotency-Key": "one"})
        assert (again.status_code, again.json()["task_id"]) == (200, task_id)
        assert http.get(f"/v1/tasks/{task_id}").json()["phase"] == "succeeded"


def test_the_log_of_a_live_attempt_is_taken(behind: Grid) -> None:
    """An agent ships the log of an attempt that no table knows yet."""
    with behind.http() as http:
        http.post("/v1/tasks", json=TASK)
        (task_id,) = behind.here.brain.road.state.tasks
        until(behind, task_id, Phase.SUCCEEDED)
        catch_up(behind)
        assert "fake: finished" in http.get(f"/v1/tasks/{task_id}/logs").text


def test_the_steps_of_a_task_end_when_the_tables_know_the_end(behind: Grid) -> None:
    with behind.http() as http:
        http.post("/v1/tasks", json=TASK)
        (task_id,) = behind.here.brain.road.state.tasks
        until(behind, task_id, Phase.SUCCEEDED)
        catch_up(behind)
        text = http.get(f"/v1/tasks/{task_id}/events").text
        assert "event: task_ended" in text and "event: end" in text
