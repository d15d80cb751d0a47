"""What is scarce in a running brain: looked at under the lock, solved without it, and off where it is switched off."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, link_of, site_of

from suanwang.grids import dump_grid
from suanwang.model.event import Heartbeat
from suanwang.model.ids import AgentId, KeyId, SiteId
from suanwang.model.principal import Principal, Role, Submission
from suanwang.model.scarcity import ScarcityState
from suanwang.model.task import Resources, TaskRequest
from suanwang.runtime import clock
from suanwang.runtime import scarce as module
from suanwang.runtime.app import LOCAL_TENANT, open_brain
from suanwang.runtime.brain import Brain
from suanwang.runtime.settings import Settings

HOUR = 3_600_000_000
REQUEST = TaskRequest(run="true", resources=Resources(cpu=2, memory=1, wall_time=HOUR))
SITES = tuple(SiteId(one) for one in ("cheap", "dear"))
USER = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.USER)


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """Settings with two sites: four cores of low price, and dear ones."""
    sites = [
        site_of("cheap", [general("cheap", cores=4, memory=2**30)]),
        site_of("dear", [general("dear", nodes=50, memory=2**30)], carbon=1),
    ]
    books = grid_of(sites, []).price_books
    dear = books[0].model_copy(update={"id": "dear", "core_hour_micro_yuan": 900_000})
    sites[1] = sites[1].model_copy(update={"price_book": "dear"})
    file = tmp_path / "grid.yaml"
    file.write_text(dump_grid(grid_of(sites, [link_of("road", *SITES)], books=(*books, dear))), "utf-8")
    return Settings(home=tmp_path / "home", grid=str(file), heartbeat_lost_s=600)


@pytest.fixture
def brain(given: Settings) -> Iterator[Brain]:
    opened = open_brain(given)
    yield opened
    opened.close()


def submit(brain: Brain, request: TaskRequest, many: int) -> None:
    brain.submit(USER, [Submission(request=request)] * many)
    brain.road.plan_round()


def wake(brain: Brain) -> None:
    agent = Principal(key_id=KeyId("key"), tenant=LOCAL_TENANT, role=Role.AGENT, sites=SITES)
    brain.exchange(agent, Heartbeat(agent=AgentId("a"), adapter="fake", emulated=True, sites=SITES))


def test_tasks_that_came_make_the_short_pool_scarce(brain: Brain) -> None:
    wake(brain)
    assert brain.scarcity().state is ScarcityState.NOT_YET
    assert brain.scarce.make().state is ScarcityState.IDLE
    submit(brain, REQUEST, 4)  # two fill the cheap pool
    found = brain.scarce.make()
    assert (found.state, found.waiting, found.came, found.every_s) == (ScarcityState.SCARCE, 0, 4, 60)
    (row,) = found.rows
    assert (row.id, row.free, row.whole) == ("cheap/general", 0, 4)
    assert abs(row.micro_yuan - (900_000 - 100_001)) < 5
    assert brain.scarcity().age_us >= 0


def test_tasks_that_wait_count_and_those_of_a_later_day_do_not(brain: Brain) -> None:
    submit(brain, REQUEST, 3)  # no agent speaks: all wait
    submit(brain, REQUEST.model_copy(update={"earliest_start": brain.clock() + HOUR}), 2)
    found = brain.scarce.make()
    assert (found.state, found.waiting, found.came) == (ScarcityState.NOWHERE, 3, 0)


def test_tasks_beyond_the_most_that_are_read_are_counted(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_MAX", 2)
    submit(brain, REQUEST, 5)
    found = brain.scarce.make()
    assert (found.waiting, found.unread) == (2, 3)


def test_the_lock_is_free_while_it_is_solved(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    wake(brain)
    submit(brain, REQUEST, 2)
    held = []

    def solved(*_: object) -> None:
        held.append(brain._changed._is_owned())  # type: ignore[attr-defined]
        raise AssertionError("seen")

    monkeypatch.setattr("suanwang.guide.priced_scarcity", solved)
    with pytest.raises(AssertionError, match="seen"):
        brain.scarce.make()
    assert held == [False]


def test_a_running_brain_makes_it_by_itself(given: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    brain = open_brain(replace(given, scarcity_s=1))
    try:
        wake(brain)
        brain.start()
        brain.submit(USER, [Submission(request=REQUEST)] * 4)
        deadline_s = clock.monotonic_s() + 30
        while not brain.scarcity().rows:
            assert clock.monotonic_s() < deadline_s, brain.scarcity()
            clock.pause(0.05)
    finally:
        brain.close()


def test_a_fault_in_it_stops_nobody(brain: Brain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    tried = []

    def broken() -> None:
        tried.append(1)
        raise ValueError("a fault of the solver")

    monkeypatch.setattr(brain.scarce, "make", broken)
    brain.start()
    deadline_s = clock.monotonic_s() + 20
    while not tried:
        assert clock.monotonic_s() < deadline_s
        clock.pause(0.01)
    assert brain.failed is None
    assert brain.scarcity().state is ScarcityState.NOT_YET


def test_it_can_be_switched_off(given: Settings) -> None:
    brain = open_brain(replace(given, scarcity_s=0))
    try:
        brain.start()
        assert brain.scarce._thread is None
        assert brain.scarcity().state is ScarcityState.OFF
    finally:
        brain.close()
