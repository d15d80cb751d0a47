"""Many asks that need the same, in one batch: each gets what it would have got alone."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_plan_basics import task, two_sites
from test_plan_properties import key_of
from worlds import HOUR, NOW, Ids, World, beside, requests, worlds

from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Plan
from suanwang.model.task import Resources, TaskRequest
from suanwang.plan import PlanAsk, plan, planner
from suanwang.plan.build import unpack
from suanwang.plan.decide import decide


def alone(world: World, tasks: list[TaskRequest]) -> list[Plan | None]:
    """One call each, with the plans before it as leases."""
    ids, snapshot, placed, out = Ids(), world.snapshot, world.others, []
    for number, request in enumerate(tasks):
        ask = PlanAsk(TaskId(f"task-{number}"), TenantId("t"), request, 1, None, world.excluded)
        made = plan(snapshot, [ask], NOW, 0, ids)[0].plan
        out.append(made)
        if made is not None:
            snapshot = replace(snapshot, leases=snapshot.leases | {made.lease_id: made.holds}, history=None)
            placed += ((made.site, request),)
            snapshot = replace(snapshot, placements=beside(snapshot, placed).placements)
    return out


def together(world: World, tasks: list[TaskRequest]) -> list[Plan | None]:
    asks = [
        PlanAsk(TaskId(f"task-{number}"), TenantId("t"), request, 1, None, world.excluded)
        for number, request in enumerate(tasks)
    ]
    return [one.plan for one in plan(world.snapshot, asks, NOW, 0, Ids())]


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_batch_is_as_good_as_one_call_each(data: st.DataObject) -> None:
    world = data.draw(worlds())
    needs = [world.request, data.draw(requests(world.snapshot.index.grid))]
    turns = data.draw(st.lists(st.sampled_from(needs), min_size=2, max_size=6))
    for one, both, request in zip(alone(world, turns), together(world, turns), turns, strict=True):
        index = world.snapshot.index
        assert (one and key_of(one, request, index)) == (both and key_of(both, request, index))
        assert (one and one.holds) == (both and both.holds)


def test_a_need_is_decided_again_only_where_its_place_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    decided = []
    monkeypatch.setattr(planner, "decide", lambda scene, need: decided.append(need) or decide(scene, need))
    world = World(two_sites(), task())
    plans = together(world, [task()] * 9)
    assert [one.pool for one in plans] == ["b/general"] * 4 + ["a/general"] * 4 + ["b/general"]
    assert len(decided) == 3, "once for each place, and once for the later start"
    assert len({one.plan_id for one in plans} | {one.lease_id for one in plans}) == 18


def test_where_nothing_ever_fits_it_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decided = []
    monkeypatch.setattr(planner, "decide", lambda scene, need: decided.append(need) or decide(scene, need))
    large = task(resources=Resources(cpu=5, memory=1, wall_time=HOUR))
    assert together(World(two_sites(), large), [large] * 4) == [None] * 4
    assert len(decided) == 1


@pytest.mark.parametrize(("limit", "times"), [(10**9, 1), (2_000, 3)])
def test_a_price_limit_that_keeps_nothing_out_is_as_good_as_none(
    limit: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided = []
    monkeypatch.setattr(planner, "decide", lambda scene, need: decided.append(need) or decide(scene, need))
    tasks = [task(price_limit=limit - number) for number in range(3)]  # a budget that is being used up
    assert [one.pool for one in together(World(two_sites(), task()), tasks)] == ["b/general"] * 3
    assert len(decided) == times


@pytest.mark.parametrize("given", [{"deadline": NOW + 9 * HOUR}])
def test_what_weighs_time_against_price_is_decided_each_time(given: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = []
    monkeypatch.setattr(planner, "decide", lambda scene, need: decided.append(need) or decide(scene, need))
    together(World(two_sites(), task()), [task(**given)] * 3)
    assert len(decided) == 3


def test_a_limit_that_keeps_a_candidate_out_says_so_whoever_was_asked_before() -> None:
    """The dear pool costs 3,000: feasible for the first, past the limit of the second."""
    world = World(two_sites(), task())
    last = together(world, [task(), task(price_limit=2_000)])[-1]
    assert last is not None
    assert unpack(last.verdicts) == unpack(together(world, [task(price_limit=2_000)])[0].verdicts)
