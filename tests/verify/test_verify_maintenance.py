"""A plan that uses a link in its planned maintenance does not pass, in whatever form, with bandwidth and without."""

from dataclasses import replace

import pytest
from tests.plan.worlds import NOW, Ids, S, World, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.compact import CompactPlan
from suanwang.model.grid import DataSet, Grid
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Plan
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Input, Resources, Standby, TaskRequest
from suanwang.plan import PlanAsk, plan, plan_batch
from suanwang.verify import sound, verify

WALL = 60 * S


def world(closed=(), data_closed=()) -> Snapshot:
    """home - work - far; the data are far."""
    sites = [site_of("home"), site_of("work", [general("work", nodes=9)]), site_of("far")]
    links = [
        link_of("h-w", "home", "work", closed=closed),
        link_of("w-f", "work", "far", closed=data_closed),
    ]
    data = [DataSet(id="sky", name="sky", size_bytes=12_500_000, replicas=("far",))]
    grid: Grid = grid_of(sites, links, data)
    return snapshot_of(grid)


def request(bandwidth: int, *inputs: str) -> TaskRequest:
    return TaskRequest(
        run="true",
        resources=Resources(cpu=1, memory=1, wall_time=WALL),
        inputs=tuple(Input(source=f"dataset:{one}", path=one) for one in inputs),
        origin="home",
        bandwidth=bandwidth,
        sites=("work",),
    )


def planned(asked: TaskRequest) -> Plan:
    made = plan(world(), [World(world(), asked).ask], NOW, 0, Ids())[0].plan
    assert isinstance(made, Plan)
    return made


@pytest.mark.parametrize("bandwidth", [0, 10**8])
@pytest.mark.parametrize(
    ("start", "end", "bad"),
    [(-5, 0, False), (-5, 1, True), (1, 2, True), (WALL - 1, WALL + 9, True), (WALL, WALL + 9, False)],
)
def test_a_window_that_overlaps_the_run_is_a_fault(bandwidth, start, end, bad):
    asked = request(bandwidth)
    made = planned(asked)
    found = verify(made, asked, world([(NOW + start, NOW + end)]))
    assert [fault for fault, _ in found] == ([PlanFault.LINK_MAINTENANCE] if bad else [])


def test_data_on_its_way_is_looked_at_in_its_own_time():
    asked = request(0, "sky")
    made = planned(asked)
    (move,) = made.data
    assert verify(made, asked, world((), [(move.end_us, made.end_us)])) == []
    found = verify(made, asked, world((), [(move.start_us, move.start_us + 1)]))
    assert [fault for fault, _ in found] == [PlanFault.LINK_MAINTENANCE]


def test_a_standby_way_is_looked_at_too():
    sites = [site_of("home"), *(site_of(one, [general(one)]) for one in ("work", "other"))]
    links = [link_of("h-w", "home", "work"), link_of("h-o", "home", "other")]
    open_ = snapshot_of(grid_of(sites, links))
    asked = request(10**8).model_copy(update={"sites": (), "standby": Standby.SITE})
    made = plan(open_, [World(open_, asked).ask], NOW, 0, Ids())[0].plan
    assert isinstance(made, Plan)
    assert made.standby is not None
    second = made.standby.path.links[0].link
    closed = [replace_link(one, second) for one in links]
    found = verify(made, asked, snapshot_of(grid_of(sites, closed)))
    assert [fault for fault, _ in found] == [PlanFault.LINK_MAINTENANCE]


def replace_link(one, name):
    return link_of(one.id, one.a, one.b, closed=[(NOW, NOW + 1)]) if one.id == name else one


@pytest.mark.parametrize("bandwidth", [0, 10**8])
def test_a_compact_plan_is_not_plainly_sound_then(bandwidth):
    asks = [PlanAsk(TaskId(f"task-{at}"), TenantId("t"), request(bandwidth), 1, None) for at in range(2)]
    answers = plan_batch(world(), asks, NOW, 0, Ids())
    items = [(one.plan, ask.request) for one, ask in zip(answers, asks, strict=True)]
    assert all(isinstance(made, CompactPlan) for made, _ in items)
    assert sound(items, world()) == [True, True]
    later, now = world([(NOW + WALL, NOW + 2 * WALL)]), world([(NOW + WALL - 1, NOW + 2 * WALL)])
    moved = [replace_index(items, view) for view in (later, now)]
    assert sound(moved[0], later) == [True, True]
    assert sound(moved[1], now) == [False, False]


def replace_index(items, view: Snapshot):
    """The same plans over another grid, made again there where nothing is closed."""
    plain = replace(view)
    asks = [PlanAsk(made.task_id, TenantId("t"), asked, 1, None) for made, asked in items]
    bare = [link.model_copy(update={"maintenance": ()}) for link in view.index.grid.links]
    open_ = snapshot_of(view.index.grid.model_copy(update={"links": tuple(bare)}))
    made = [one.plan for one in plan_batch(open_, asks, NOW, 0, Ids())]
    for one in made:
        assert isinstance(one, CompactPlan)
        one.index = plain.index
    return [(one, ask.request) for one, ask in zip(made, asks, strict=True)]
