"""A batch planned at once: the same plans, one for one and to the last figure, as by the planner of single tasks."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.plan.worlds import NOW, Ids, World, requests, worlds

from suanwang.grids import china_path, load_grid
from suanwang.model.compact import CompactPlan, full_plan
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Demand, Hold
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.model.task import Circle, Preference, Resources, TaskRequest
from suanwang.plan import PlanAsk, plan, plan_batch, sweep_tables
from suanwang.verify import verify

TENANT = TenantId("t")
# What keeps a task from being plain.
UNPLAIN = {
    "inputs": (),
    "deadline": None,
    "earliest_start": None,
    "together_with": {},
    "apart_from": {},
}


def both(snapshot: Snapshot, tasks: list[TaskRequest], excluded: frozenset = frozenset()) -> list[CompactPlan | None]:
    """Plans by `plan_batch`, after they were found equal to those of `plan`."""
    asks = [
        PlanAsk(TaskId(f"task-{number}"), TENANT, request, 1, None, excluded) for number, request in enumerate(tasks)
    ]
    one = [answer.plan for answer in plan(snapshot, asks, NOW, 0, Ids())]
    two = plan_batch(snapshot, asks, NOW, 0, Ids())
    for wanted, got in zip(one, two, strict=True):
        assert (got.plan and full_plan(got.plan)) == wanted
        assert wanted is None or list(got.plan.holds) == list(wanted.holds)
    return [answer.plan for answer in two]


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
@given(st.data())
def test_a_batch_gets_the_plans_of_single_tasks(data: st.DataObject) -> None:
    world: World = data.draw(worlds())
    some = [world.request, *(data.draw(requests(world.snapshot.index.grid)) for _ in range(2))]
    turns = data.draw(st.lists(st.tuples(st.sampled_from(some), st.booleans()), min_size=1, max_size=8))
    tasks = [one.model_copy(update=UNPLAIN) if plain else one for one, plain in turns]
    both(world.snapshot, tasks, world.excluded if data.draw(st.booleans()) else frozenset())


def draw_task(draw: Random, origins: list[str]) -> TaskRequest:
    cards = draw.choice((0, 0, 0, 1, 8))
    nodes = draw.choice((1, 1, 1, 4)) if not cards else 1
    return TaskRequest(
        run="true",
        resources=Resources(
            cpu=draw.choice((1, 8, 30)),
            accelerator="any" if cards else None,
            accelerators=cards,
            nodes=nodes,
            wall_time=draw.choice((60, 7_200)) * 1_000_000,
        ),
        origin=draw.choice(origins),
        latency=draw.choice((None, Circle.NATIONAL, Circle.PROVINCIAL, Circle.METRO)),
        bandwidth=draw.choice((0, 0, 10**7, 10**9)),
        protection=draw.choice(((), (), ("firewall",), ("firewall", "ids"))),
        preference=draw.choice(tuple(Preference)),
        array=draw.choice((1, 1, 200)),
        price_limit=draw.choice((None, None, 50_000)),
    )


def test_a_batch_on_the_national_grid() -> None:
    """Hundreds of tasks beside holds that make some sites full and some links tight."""
    index, draw = index_grid(load_grid(china_path())), Random(20261125)
    grid = index.grid
    sites = {site.id: SiteState(draw.random() < 0.95, draw.random() < 0.2) for site in grid.sites}
    leases = {}
    for number in range(300):
        pool, _ = index.pools[draw.choice(index.pool_order)]
        link = draw.choice(grid.links)
        start_us = NOW + draw.choice((-100, 0, 30, 3_000)) * 1_000_000
        window = {"start_us": start_us, "end_us": start_us + draw.choice((50, 5_000)) * 1_000_000}
        share = draw.choice((2, 1, 1))
        demand = Demand(
            cores=pool.nodes * pool.cores_per_node // share,
            accelerators=pool.nodes * pool.accelerators_per_node // share,
            nodes=pool.nodes // share,
        )
        most = link.capacity_bps - draw.choice((10**6, 10**8, 10**10))
        leases[f"lease-{number}"] = (
            Hold(resource="pool", key=pool.id, demand=demand, **window),
            Hold(resource="link", key=f"{link.id}:ab", bps=max(1, most), **window),
        )
    snapshot = Snapshot(7, index, sites, leases, frozenset({grid.links[5].id}))
    made = both(snapshot, [draw_task(draw, [site.id for site in grid.sites]) for _ in range(300)])
    compact = [one for one in made if isinstance(one, CompactPlan)]
    assert len(compact) > 50, "many find room at once"
    assert len({one.pool for one in compact}) > 10


def test_compact_plans_pass_the_independent_checker() -> None:
    index, draw = index_grid(load_grid(china_path())), Random(5)
    snapshot = Snapshot(7, index, {site.id: SiteState(True) for site in index.grid.sites}, {})
    tasks = [draw_task(draw, [site.id for site in index.grid.sites]) for _ in range(60)]
    leases: dict = {}
    for request, made in zip(tasks, both(snapshot, tasks), strict=True):
        if made is not None:
            view = Snapshot(7, index, snapshot.sites, dict(leases))
            assert verify(made, request, view, TENANT) == verify(full_plan(made), request, view, TENANT) == []
            leases[made.lease_id] = made.holds


def test_rows_that_have_grown_too_many_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of row by itself, between batches, and the plans stay the same."""
    index, draw = index_grid(load_grid(china_path())), Random(8)
    snapshot = Snapshot(7, index, {site.id: SiteState(True) for site in index.grid.sites}, {})
    monkeypatch.setattr(sweep_tables, "ROWS_MAX", 12)
    for _ in range(4):
        both(snapshot, [draw_task(draw, [site.id for site in index.grid.sites]) for _ in range(20)])


def test_a_task_on_which_the_planner_breaks_is_told_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    index, draw = index_grid(load_grid(china_path())), Random(3)
    snapshot = Snapshot(7, index, {site.id: SiteState(True) for site in index.grid.sites}, {})
    tasks = [draw_task(draw, [index.grid.sites[0].id]) for _ in range(5)]
    tasks[2] = tasks[2].model_copy(update={"origin": "nowhere"})
    asks = [PlanAsk(TaskId(f"task-{number}"), TENANT, request) for number, request in enumerate(tasks)]
    answers = plan_batch(snapshot, asks, NOW, 0, Ids())
    assert [isinstance(one.fault, KeyError) for one in answers] == [False, False, True, False, False]
