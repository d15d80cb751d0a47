"""The planner goes round a link in a window that overlaps its maintenance, or waits for its end."""

import pytest
from worlds import HOUR, NOW, Ids, S, World, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.ids import TaskId, TenantId
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Preference, Resources, TaskRequest
from suanwang.plan import PlanAsk, plan, plan_batch
from suanwang.verify import verify

WALL = 60 * S


def ring(closed=(), other_closed=()) -> Snapshot:
    """home - work by a short link, and round by way of hill."""
    sites = [site_of("home"), site_of("work", [general("work", nodes=40)]), site_of("hill")]
    links = [
        link_of("short", "home", "work", closed=closed),
        link_of("up", "home", "hill", latency=3_000, price=9_000),
        link_of("down", "hill", "work", latency=3_000, price=9_000, closed=other_closed),
    ]
    return snapshot_of(grid_of(sites, links))


def request(bandwidth: int, **more) -> TaskRequest:
    return TaskRequest(
        run="true",
        resources=Resources(cpu=1, memory=1, wall_time=WALL),
        origin="home",
        bandwidth=bandwidth,
        **more,
    )


def planned(view: Snapshot, asked: TaskRequest):
    made = plan(view, [World(view, asked).ask], NOW, 0, Ids())[0].plan
    if made is not None:
        assert verify(made, asked, view) == []
    return made


@pytest.mark.parametrize("bandwidth", [0, 10**8])
def test_it_goes_round_a_link_in_maintenance(bandwidth):
    made = planned(ring([(NOW + WALL - 1, NOW + HOUR)]), request(bandwidth))
    assert (made.start_us, [one.link for one in made.path.links]) == (NOW, ["up", "down"])
    clear = planned(ring([(NOW + WALL, NOW + HOUR)]), request(bandwidth))
    assert [one.link for one in clear.path.links] == ["short"]


@pytest.mark.parametrize("bandwidth", [0, 10**8])
def test_it_waits_for_the_end_where_the_way_round_is_too_far(bandwidth):
    made = planned(ring([(NOW, NOW + HOUR)]), request(bandwidth, latency=2_000))
    assert (made.start_us, [one.link for one in made.path.links]) == (NOW + HOUR, ["short"])


@pytest.mark.parametrize("bandwidth", [0, 10**8])
def test_no_way_within_the_deadline_is_no_plan(bandwidth):
    view = ring([(NOW, NOW + HOUR)])
    asked = request(bandwidth, latency=2_000, deadline=NOW + HOUR)
    assert planned(view, asked) is None


def test_a_full_pool_on_an_empty_grid_is_still_its_size_and_not_its_load():
    view = ring([(NOW + HOUR, NOW + 2 * HOUR)])
    asked = request(0).model_copy(update={"resources": Resources(cpu=1, memory=1, wall_time=WALL), "array": 9_999})
    answer = plan(view, [World(view, asked).ask], NOW, 0, Ids())[0]
    assert answer.plan is None
    assert {one.reason for one in answer.clauses} & {PoolReason.POOL_SIZE}


@pytest.mark.parametrize("bandwidth", [0, 10**8])
@pytest.mark.parametrize("start", [-2 * HOUR, -S, WALL - 1, WALL, HOUR])
def test_a_batch_is_planned_as_its_tasks_one_by_one(bandwidth, start):
    view = ring([(NOW + start, NOW + start + HOUR)])
    asks = [
        PlanAsk(TaskId(f"task-{at}"), TenantId("t"), request(bandwidth, preference=one), 1, None)
        for at, one in enumerate([Preference.CHEAPEST, Preference.FASTEST] * 4)
    ]
    batch = plan_batch(view, asks, NOW, 0, Ids())
    single = plan(view, asks, NOW, 0, Ids())
    for one, two, ask in zip(batch, single, asks, strict=True):
        assert (one.plan.path, one.plan.start_us, tuple(one.plan.holds)) == (
            two.plan.path,
            two.plan.start_us,
            tuple(two.plan.holds),
        )
        assert verify(one.plan, ask.request, view) == []
