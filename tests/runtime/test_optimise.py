"""The background optimiser in a running brain: found beside it, checked again on the live state, committed as records."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.event import Heartbeat
from suanwang.model.ids import AgentId, KeyId, SiteId, TaskId
from suanwang.model.principal import Principal, Role, Submission
from suanwang.model.record import Phase, PlanDropped
from suanwang.model.task import Resources, TaskRequest
from suanwang.observe.state import State
from suanwang.runtime import clock
from suanwang.runtime.app import LOCAL_TENANT, open_brain
from suanwang.runtime.brain import Brain
from suanwang.runtime.settings import Settings

HOUR = 3_600_000_000
SITES = tuple(SiteId(one) for one in ("a", "mid", "z"))
USER = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.USER)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """Two sites that cost the same and are as near; the first by name is taken first."""
    grid = grid_of(
        [site_of("a", [general("a")]), site_of("mid"), site_of("z", [general("z")])],
        [link_of("one", "a", "mid"), link_of("two", "mid", "z")],
    )
    file = tmp_path / "grid.yaml"
    file.write_text(dump_grid(grid), "utf-8")
    return Settings(home=tmp_path / "home", grid=str(file), heartbeat_lost_s=600, scarcity_s=0)


@pytest.fixture
def brain(given: Settings) -> Iterator[Brain]:
    opened = open_brain(given)
    wake(opened)
    yield opened
    opened.close()


def wake(brain: Brain) -> None:
    agent = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.AGENT, sites=SITES)
    brain.exchange(agent, Heartbeat(agent=AgentId("a"), adapter="fake", emulated=True, sites=SITES))


def submit(brain: Brain, **given: object) -> TaskId:
    """A task that takes a whole pool for an hour, an hour from now."""
    at_us = brain.clock() // HOUR * HOUR + 2 * HOUR
    request = TaskRequest.model_validate(
        {
            "run": "true",
            "resources": Resources(cpu=4, memory=1, wall_time=HOUR),
            "earliest_start": at_us,
            "origin": "mid",
        }
        | given
    )
    (done,) = brain.submit(USER, [Submission(request=request)])
    brain.road.plan_round()
    return done.task_id


def site(brain: Brain, task_id: TaskId) -> str | None:
    plan = brain.road.state.tasks[task_id].plan
    return None if plan is None else plan.site


def test_one_stands_aside_and_the_records_say_so(brain: Brain) -> None:
    first, second = submit(brain), submit(brain, sites=("a",))
    old = {one: brain.road.state.tasks[one].plan for one in (first, second)}
    assert [site(brain, first), site(brain, second)] == ["a", "a"]
    position = brain.road.position
    assert brain.optimiser.make() == 1
    assert [site(brain, first), site(brain, second)] == ["z", "a"]
    for one in (first, second):
        task = brain.road.state.tasks[one]
        assert task.phase is Phase.PLANNED
        assert task.plan is not None
        assert (task.generation, task.plan.parent) == (2, old[one].plan_id)  # type: ignore[union-attr]
    assert brain.road.position == position + 1, "one batch"
    assert brain.improved() == type(brain.improved())(2, 0, 0, HOUR, 0)
    assert brain.optimiser.make() == 0


def test_the_log_says_why_and_replays_to_the_same_state(brain: Brain) -> None:
    first, second = submit(brain), submit(brain, sites=("a",))
    brain.optimiser.make()
    replayed = State(brain.index)
    records = [record for _, batch in brain.store.read() for record in batch]
    replayed.apply_all(records)
    assert replayed.tasks == brain.road.state.tasks
    assert replayed.leases == brain.road.state.leases
    dropped = {record.task_id: record.reason for record in records if isinstance(record, PlanDropped)}
    assert dropped == dict.fromkeys((first, second), "improved")


def test_a_task_that_waits_comes_in(brain: Brain) -> None:
    first = submit(brain)
    begin_us = brain.road.state.tasks[first].request.earliest_start  # type: ignore[union-attr]
    late = submit(brain, sites=("a",), deadline=begin_us + HOUR)  # type: ignore[operator]
    assert site(brain, late) is None
    assert brain.optimiser.make() == 1
    assert [site(brain, first), site(brain, late)] == ["z", "a"]
    assert (brain.improved().plans, brain.improved().placed) == (1, 1)


def test_a_proposal_that_no_longer_holds_changes_nothing(brain: Brain) -> None:
    first, second = submit(brain), submit(brain, sites=("a",))
    view, standing = brain._movable()
    from suanwang.plan import Improver

    (found,) = Improver(view.index).look(view, standing, brain.clock, brain.ids)
    third = submit(brain, sites=("z",))  # takes the place that the first would go to
    position, stands = brain.road.position, {one: site(brain, one) for one in (first, second, third)}
    assert not brain._improve(found)
    assert brain.road.position == position
    assert {one: site(brain, one) for one in (first, second, third)} == stands
    brain.cancel(USER, third)
    assert brain._improve(found)
    assert not brain._improve(found), "the plans that it would replace stand no more"
    assert brain.improved().outdated == 2


def test_a_task_is_left_alone_after_it_was_moved(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(brain)
    second = submit(brain, sites=("a",))
    brain.optimiser.make()
    assert [one.ask.task_id for one in brain._movable()[1]] == []
    now_us = brain.clock() + 61_000_000
    monkeypatch.setattr(brain.road, "clock", lambda: now_us)
    assert second in [one.ask.task_id for one in brain._movable()[1]]


def test_who_runs_beside_others_or_is_sought_by_them_is_left_alone(brain: Brain) -> None:
    sought = submit(brain, tags={"app": "db"})
    beside = submit(brain, tags={"app": "web"}, together_with={"app": "db"})
    free = submit(brain, tags={"app": "other"})
    movable = {one.ask.task_id for one in brain._movable()[1]}
    assert free in movable
    assert not movable & {sought, beside}


def test_a_running_brain_does_it_by_itself_and_can_be_told_not_to(given: Settings) -> None:
    brain = open_brain(replace(given, optimise_s=1))
    try:
        wake(brain)
        first, second = submit(brain), submit(brain, sites=("a",))
        brain.start()
        deadline_s = clock.monotonic_s() + 30
        while site(brain, first) != "z":
            assert clock.monotonic_s() < deadline_s
            clock.pause(0.05)
        assert site(brain, second) == "a"
    finally:
        brain.close()
    off = open_brain(replace(given, home=given.home / "off", optimise_s=0))
    try:
        off.start()
        assert off.optimiser._thread is None
    finally:
        off.close()
