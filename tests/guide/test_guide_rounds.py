"""The gap of a round of planning: the bound is never above any decision, and nothing is left where nothing is scarce."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from tests.plan.worlds import HOUR, MIB, NOW, Ids, general, grid_of, link_of, requests, site_of, snapshot_of, worlds

from suanwang.guide import rounds as module
from suanwang.guide.rounds import Prices, RoundProver, is_counted
from suanwang.guide.worth import priced_scarcity
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Demand, Hold
from suanwang.model.scarcity import RoundGap
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Input, Preference, Resources, TaskRequest
from suanwang.plan import PlanAsk, Round, plan, plan_batch, round_before

PRICE_LIMITS = (0, 1, 2**16, 2**24, 2**34, 2**60)


def asks(*some: TaskRequest) -> list[PlanAsk]:
    return [PlanAsk(TaskId(f"task-{at}"), TenantId("t"), request) for at, request in enumerate(some)]


def planned(snapshot: Snapshot, wanted: list[PlanAsk]) -> Round:
    before = round_before(snapshot, wanted, NOW)
    return before._replace(plans=tuple(one.plan for one in plan_batch(snapshot, wanted, NOW, 0, Ids())))


def task(**given) -> TaskRequest:
    res = {"cpu": 1, "memory": MIB, "wall_time": HOUR} | given.pop("res", {})
    return TaskRequest(run="true", resources=Resources(**res), **given)


def least_cost(done: Round) -> int:
    """Of every way to place the counted tasks or not, in exact figures: the planner's price of each site alone."""
    view = Snapshot(0, done.grid_index, done.sites, {}, done.links_down, done.security_down)
    order = done.grid_index.pool_order
    room = {
        pool: tuple(have - int(used) for have, used in zip(whole_of(done, pool), held, strict=True))
        for pool, held in zip(order, done.held, strict=True)
    }
    for ask, made in zip(done.asks, done.plans, strict=True):
        if made is not None and made.run_start_us <= NOW and not is_counted(ask.request, NOW):
            room[made.pool] = minus(room[made.pool], made.demand)
    choices = [places(view, ask) for ask in done.asks if is_counted(ask.request, NOW)]
    best = None
    for way in product(*choices):
        left = dict(room)
        for _, pool, demand in way:
            if pool is not None:
                left[pool] = minus(left[pool], demand)
        fits = all(min(left[pool]) >= 0 for _, pool, _ in way if pool is not None)
        cost = sum(price for price, _, _ in way)
        if fits and (best is None or cost < best):
            best = cost
    assert best is not None, "refusing all of them is a way"
    return best


def whole_of(done: Round, name: str) -> tuple[int, ...]:
    pool, _ = done.grid_index.pools[name]
    per = (pool.cores_per_node, pool.memory_bytes_per_node, pool.accelerators_per_node, 1)
    return tuple(pool.nodes * one for one in per)


def minus(room, demand: Demand):
    used = (demand.cores, demand.memory_bytes, demand.accelerators, demand.nodes)
    return tuple(have - one for have, one in zip(room, used, strict=True))


def places(view: Snapshot, ask: PlanAsk) -> list[tuple[int, str | None, Demand]]:
    """(price, pool, demand) of each pool that takes the task at once on the empty grid; and refusing it."""
    found = []
    for pool, site in view.index.pools.values():
        others = [
            other.model_copy(update={"pools": tuple(one for one in other.pools if one.id == pool.id)})
            for other in view.index.grid.sites
        ]
        grid = view.index.grid.model_copy(update={"sites": tuple(others)})
        down = [one for one, state in view.sites.items() if not state.live]
        alone = replace(snapshot_of(grid, {}, down), links_down=view.links_down, security_down=view.security_down)
        made = plan(alone, [ask], NOW, 0, Ids())[0].plan
        if made is not None:
            if made.start_us != NOW:
                reject()  # behind a link that is in maintenance: the round is of what can begin at once
            assert made.site == site.id
            found.append((made.quote_micro_yuan, pool.id, made.demand))
    refuse = 2 * int(np.median([price for price, _, _ in found])) if found else 0
    return [*found, (refuse, None, Demand())]


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25)
@given(st.data())
def test_property_no_decision_costs_less_than_the_bound_at_any_prices(data: st.DataObject) -> None:
    world = data.draw(worlds())
    grid = world.snapshot.index.grid
    plain = {"inputs": (), "deadline": None, "earliest_start": None, "together_with": {}, "apart_from": {}}
    plain |= {"preference": Preference.CHEAPEST, "owners": ()}
    some = [data.draw(requests(grid)) for _ in range(data.draw(st.integers(1, 4)))]
    wanted = asks(*[one.model_copy(update=plain) if data.draw(st.booleans()) else one for one in some])
    done = planned(world.snapshot, wanted)
    count = len(done.grid_index.pool_order)
    drawn = data.draw(st.lists(st.sampled_from(PRICE_LIMITS), min_size=4 * count, max_size=4 * count))
    prices = Prices(done.grid_index, np.array(drawn, np.int64).reshape(count, 4), NOW - 5)
    found = RoundProver().prove(done, prices)
    least = least_cost(done)
    assert found.bound_micro_yuan <= least <= found.cost_micro_yuan
    assert found == RoundProver().prove(done, prices)
    assert 0 <= found.gap_ppm <= 1_000_000


FEW = grid_of(
    [
        site_of("cheap", [general("cheap", cores=4, memory=4 * MIB)], book="bands"),
        site_of("dear", [general("dear", nodes=9, cores=4)], book="plain"),
    ],
    [link_of("road", "cheap", "dear")],
)


def test_where_nothing_is_scarce_the_gap_is_zero_without_prices() -> None:
    done = planned(snapshot_of(FEW), asks(*[task()] * 3))
    found = RoundProver().prove(done, None)
    assert (found.looked_at, found.placed, found.gap_ppm, found.prices_made_us) == (3, 3, 0, None)
    assert found.cost_micro_yuan == found.bound_micro_yuan > 0


def test_prices_prove_what_no_prices_cannot() -> None:
    snapshot, wanted = snapshot_of(FEW), asks(*[task()] * 9)
    done = planned(snapshot, wanted)
    assert len({one.site for one in done.plans if one is not None}) == 2, "the cheap site is short"
    without = RoundProver().prove(done, None)
    assert without.gap_ppm > 1_000
    fresh = RoundProver().prove(done, priced_scarcity(snapshot, wanted, [], NOW)[1])
    assert fresh.gap_ppm <= 5  # the planner's is the best, up to the rounding of prices
    _, prices = priced_scarcity(snapshot, wanted, [], NOW - 60_000_000)
    found = RoundProver().prove(done, prices)  # the price band that ends within the hour was further off then
    assert fresh.gap_ppm < found.gap_ppm < without.gap_ppm // 2
    assert (found.prices_made_us, found.prices_age_us) == (NOW - 60_000_000, 60_000_000)
    other = RoundProver().prove(done, prices._replace(grid_index=snapshot_of(grid_of(FEW.sites, ())).index))
    assert other == without, "prices of another grid are no prices"


def test_a_task_that_finds_no_room_costs_twice_the_median_on_both_sides() -> None:
    full = Hold(resource="pool", key="cheap/general", demand=Demand(cores=4), start_us=NOW - 1, end_us=NOW + HOUR)
    also = full.model_copy(update={"key": "dear/general", "demand": Demand(cores=36)})
    done = planned(snapshot_of(FEW, {"lease-1": (full,), "lease-2": (also,)}), asks(task()))
    found = RoundProver().prove(done, None)
    assert (found.looked_at, found.placed) == (1, 0)
    assert found.cost_micro_yuan == sum(price for price, pool, _ in places(snapshot_of(FEW), done.asks[0]) if not pool)


@pytest.mark.parametrize(
    "given",
    [
        {"deadline": NOW + 9 * HOUR},
        {"earliest_start": NOW + 1},
        {"preference": Preference.FASTEST},
        {"owners": ("own", "third-party")},
        {"together_with": {"a": "b"}},
        {"apart_from": {"a": "b"}},
        {"inputs": (Input(source="file", path="file", size=1),)},
    ],
)
def test_what_does_not_go_by_price_alone_is_not_looked_at(given) -> None:
    assert is_counted(task(), NOW)
    assert not is_counted(task(**given), NOW)
    found = RoundProver().prove(planned(snapshot_of(FEW), asks(task(**given))), None)
    assert found == RoundGap(
        made_us=NOW, tasks=1, looked_at=0, placed=0, cost_micro_yuan=0, bound_micro_yuan=0, gap_ppm=0
    )


def test_of_a_large_round_a_sample_is_looked_at(monkeypatch) -> None:
    monkeypatch.setattr(module, "TASKS_MAX", 4)
    found = RoundProver().prove(planned(snapshot_of(FEW), asks(*[task()] * 11)), None)
    assert (found.tasks, found.looked_at) == (11, 4)
    monkeypatch.setattr(module, "KINDS_MAX", 1)
    mixed = [task(res={"cpu": 1 + at % 2}) for at in range(4)]
    assert RoundProver().prove(planned(snapshot_of(FEW), asks(*mixed)), None).looked_at == 2
