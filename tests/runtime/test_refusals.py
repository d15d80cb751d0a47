"""What the programs of the runtime refuse, each with its own code."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.grids import dump_grid
from suanwang.judge import LARGE_ROUND, RELAXED_MAX
from suanwang.model.error import NotFoundError, StoreError
from suanwang.model.grid import PriceBook
from suanwang.model.ids import KeyId
from suanwang.model.principal import Principal, Role, Submission
from suanwang.model.task import Resources, TaskRequest
from suanwang.runtime import demo
from suanwang.runtime.app import LOCAL_TENANT, _await_start, open_brain
from suanwang.runtime.settings import Settings
from suanwang.services import manifest


def settings_with(tmp_path: Path, nodes: int) -> Settings:
    file = tmp_path / "grid.yaml"
    grid = grid_of([site_of("here", [general("here", nodes=nodes, memory=2**30)])], [], books=(PriceBook(id="plain"),))
    file.write_text(dump_grid(grid), "utf-8")
    return Settings(home=tmp_path / "home", grid=str(file))


def test_another_grid_is_refused_while_tasks_live_on_the_old_one(tmp_path: Path) -> None:
    brain = open_brain(settings_with(tmp_path, nodes=1))
    user = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.USER)
    task_id = brain.submit(user, [Submission(request=TaskRequest(run="true"))])[0].task_id
    brain.close()
    with pytest.raises(StoreError) as caught:
        open_brain(settings_with(tmp_path, nodes=2))
    assert (caught.value.code, caught.value.params["live"]) == ("grid_in_use", 1)
    brain = open_brain(settings_with(tmp_path, nodes=1))
    brain.cancel(user, task_id)
    brain.close()
    open_brain(settings_with(tmp_path, nodes=2)).close()


def test_an_api_whose_thread_ends_is_said_to_be_so() -> None:
    with pytest.raises(StoreError) as caught:
        _await_start(SimpleNamespace(started=False), threading.Thread())
    assert caught.value.code == "api_not_started"


def test_a_demo_without_its_jobs_says_where_they_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "__file__", str(tmp_path / "a" / "b" / "c" / "manifest.py"))
    with pytest.raises(NotFoundError) as caught:
        demo.examples_path()
    assert caught.value.code == "examples_missing"


def test_of_many_refusals_each_can_say_what_would_help(tmp_path: Path) -> None:
    """The first of a round say it at once, the others when they are asked."""
    brain = open_brain(settings_with(tmp_path, nodes=1))
    user = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.USER)
    large = TaskRequest(run="true", resources=Resources(cpu=1, memory=2**40, wall_time=60_000_000))
    made = brain.submit(user, [Submission(request=large)] * (RELAXED_MAX + 2))
    with brain._verb() as road:
        road.plan_round()
    bodies = [brain.store.events(one.task_id)[-1].body for one in made]
    assert [body["t"] for body in bodies] == ["task_refused"] * len(made)
    said = [[one["clause"] for one in body["relaxations"]] for body in bodies]
    assert said == [said[0]] * RELAXED_MAX + [[]] * 2 and "node_shape" in said[0]
    for one in made:
        report = brain.report(user, one.task_id)
        assert report is not None and [relaxed.clause.value for relaxed in report.relaxations] == said[0]
    brain.close()


def test_a_large_round_leaves_what_would_help_to_who_asks(tmp_path: Path) -> None:
    brain = open_brain(settings_with(tmp_path, nodes=1))
    user = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.USER)
    # Of one kind so many are looked at in a round; of sixteen kinds enough.
    shapes = [Resources(cpu=1, memory=2**40 + one % 16, wall_time=60_000_000) for one in range(LARGE_ROUND + 1)]
    made = brain.submit(user, [Submission(request=TaskRequest(run="true", resources=one)) for one in shapes])
    with brain._verb() as road:
        assert road.plan_round() == len(made)
    while brain.store.behind():
        brain.store.project()
    body = brain.store.events(made[0].task_id)[-1].body
    assert (body["t"], body["relaxations"]) == ("task_refused", [])
    report = brain.report(user, made[0].task_id)
    assert report is not None and "node_shape" in [one.clause.value for one in report.relaxations]
    brain.close()
