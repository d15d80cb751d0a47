"""The checker of batches: what it lets pass the checker of plans lets pass too, and it notices what is wrong."""

from copy import copy
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.plan.test_plan_batch import UNPLAIN, draw_task
from tests.plan.worlds import NOW, Ids, World, requests, worlds

from suanwang.grids import china_path, load_grid
from suanwang.model.compact import CompactPlan, Route
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Demand
from suanwang.model.snapshot import LeaseChange, SiteState, Snapshot, index_grid
from suanwang.model.task import TaskRequest
from suanwang.plan import PlanAsk, plan_batch
from suanwang.verify import sound, verify

TENANT = TenantId("t")
INDEX = index_grid(load_grid(china_path()))
SITES = {site.id: SiteState(True) for site in INDEX.grid.sites}
EMPTY = Snapshot(1, INDEX, SITES, {})
Items = list[tuple[CompactPlan, TaskRequest]]


def compact(snapshot: Snapshot, tasks: list[TaskRequest]) -> Items:
    asks = [PlanAsk(TaskId(f"task-{number}"), TENANT, request) for number, request in enumerate(tasks)]
    made = zip(plan_batch(snapshot, asks, NOW, 0, Ids()), tasks, strict=True)
    return [(answer.plan, request) for answer, request in made if isinstance(answer.plan, CompactPlan)]


@pytest.fixture(scope="module")
def items() -> Items:
    draw = Random(9)
    return compact(EMPTY, [draw_task(draw, [site.id for site in INDEX.grid.sites]) for _ in range(120)])


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=120)
@given(st.data())
def test_safety_what_is_sound_together_passes_one_by_one(data: st.DataObject) -> None:
    world: World = data.draw(worlds())
    some = [world.request, *(data.draw(requests(world.snapshot.index.grid)) for _ in range(2))]
    turns = data.draw(st.lists(st.sampled_from(some), min_size=1, max_size=6))
    items = compact(world.snapshot, [one.model_copy(update=UNPLAIN) for one in turns])
    leases = dict(world.snapshot.leases)
    for (made, request), passes in zip(items, sound(items, world.snapshot), strict=True):
        view = Snapshot(
            1,
            world.snapshot.index,
            world.snapshot.sites,
            dict(leases),
            world.snapshot.links_down,
            world.snapshot.security_down,
        )
        assert not passes or verify(made, request, view, TENANT) == []
        leases[made.lease_id] = made.holds


def test_a_batch_of_the_planner_is_sound(items: Items) -> None:
    assert len(items) > 40 and all(sound(items, EMPTY))


def longer(made: CompactPlan) -> Route:
    edges = made.route.edges
    return Route(INDEX, made.route.path.sites[0], (*edges, edges[-1] ^ 1), made.route.pools, made.route.path.latency_us)


WRONG = {
    "quote": lambda p: setattr(p, "quote_micro_yuan", p.quote_micro_yuan + 1),
    "carbon": lambda p: setattr(p, "carbon_mg", p.carbon_mg + 1),
    "demand": lambda p: setattr(p, "demand", Demand(cores=p.demand.cores + 1, nodes=p.demand.nodes)),
    "end": lambda p: setattr(p, "end_us", p.end_us + 1),
    "bandwidth": lambda p: setattr(p, "bandwidth_bps", p.bandwidth_bps + 1),
    "generation": lambda p: setattr(p, "generation", 2),
    "emulated": lambda p: setattr(p, "emulated", True),
    "shots": lambda p: setattr(p, "shots", 1),
    "route": lambda p: setattr(p, "route", longer(p)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_not_sound(items: Items, what: str) -> None:
    for made, request in [one for one in items if one[0].route.edges][:10]:
        bad = copy(made)
        WRONG[what](bad)
        bad.forget()
        assert sound([(bad, request)], EMPTY) == [False]


def test_a_site_that_is_down_and_a_limit_that_is_passed_are_not_sound(items: Items) -> None:
    made, request = items[0]
    down = Snapshot(1, INDEX, SITES | {made.site: SiteState(False)}, {})
    assert sound([(made, request)], down) == [False]
    cheap = request.model_copy(update={"price_limit": made.quote_micro_yuan - 1})
    assert sound([(made, cheap)], EMPTY) == [False]


def test_safety_no_room_is_given_twice(items: Items) -> None:
    """The same plan so often that its pool is full: together they are not sound, and beside leases they are not."""
    made, request = next(one for one in items if one[0].demand.cores)
    pool, _ = INDEX.pools[made.pool]
    fits = pool.nodes * pool.cores_per_node // made.demand.cores
    few, many = [(made, request)] * 3, [made.holds] * fits
    assert all(sound(few, EMPTY)) and not any(sound(few, EMPTY, many))
    history = [LeaseChange(f"lease-{number}", made.holds, True) for number in range(min(fits, 4_000))]
    held = {one.lease_id: one.holds for one in history}
    beside = Snapshot(2, INDEX, SITES, held, history=history, history_end=len(history))
    assert all(sound(few, beside)) is (fits > 4_003)
    assert not any(sound(few, beside, many)), "what the history holds is counted"
    gone = [*history, *(one._replace(added=False) for one in history)]
    history.extend(gone[len(history) :])
    after = Snapshot(3, INDEX, SITES, {}, history=history, history_end=len(history))
    assert all(sound(few, after)), "what was let go of is free"
