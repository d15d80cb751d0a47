"""What the road does for many tasks together is what it does for each alone: the same records, the same state."""

import pytest
from tests.road.town import FREE, Town
from tests.store.test_store_batches import Day, figures, history

from suanwang import flow, judge
from suanwang.dispatch import intake
from suanwang.fair.line import Line
from suanwang.model.batch import expanded
from suanwang.model.grid import PriceBook
from suanwang.model.record import Phase
from suanwang.model.snapshot import index_grid
from suanwang.store import Store

TASKS = 24


def each_alone(applier, heartbeat, now_us) -> None:
    for event in heartbeat.events:
        if event.sequence > applier.state.cursors.get(heartbeat.agent, 0):
            applier.take(event, heartbeat, now_us)


def played() -> Day:
    day = Day(Store("sqlite://"), 1)
    day.play(TASKS)
    return day


@pytest.fixture(scope="module")
def together() -> Day:
    return played()


@pytest.mark.parametrize(
    ("owner", "name", "alone"),
    [
        (intake, "take_all", each_alone),
        (flow, "plainly_admitted", lambda requests, way_up, index: [False] * len(requests)),
        (judge.batches, "quotas_hold", lambda state, tasks: False),
        (Line, "_alone", lambda self: None),
    ],
    ids=["events", "admission", "plans", "turns"],
)
def test_safety_together_or_alone_is_one_history(together, monkeypatch, owner, name, alone):
    monkeypatch.setattr(owner, name, alone)
    other = played()
    assert [*expanded(history(other.store))] == [*expanded(history(together.store))]
    assert figures(other.road.state) == figures(together.road.state)


def test_bills_are_of_the_grid_as_it_is_now():
    """A grid grows, and its prices change, while the brain runs: what was kept of the one before is of no use."""
    town = Town()
    dear = PriceBook(id=FREE.id, core_hour_micro_yuan=3_600_000_000)
    index = town.road.state.index
    assert town.road.bills is town.road.bills
    first = town.submit()
    town.until(first, Phase.SUCCEEDED)
    assert town.task(first).billed_micro_yuan == 0
    town.road.state.index = index_grid(index.grid.model_copy(update={"price_books": (dear,)}))
    second = town.submit()
    town.until(second, Phase.SUCCEEDED)
    assert town.task(second).billed_micro_yuan > 0
