"""A security pool that is out is in no plan: one by one, in a batch, at a standby place, in what would help."""

from dataclasses import replace

import pytest
from worlds import FIREWALL, IDS, MIB, NOW, Ids, S, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.compact import full_plan
from suanwang.model.grid import SecurityPool
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Resources, Standby, TaskRequest
from suanwang.plan import PlanAnswer, PlanAsk, plan, plan_batch
from suanwang.verify import sound, verify

GBPS = 10**9


def wall(site: str, price: int, capacity_bps: int = GBPS, function=FIREWALL, name: str = "fw") -> SecurityPool:
    return SecurityPool(
        id=f"{site}/{name}", function=function, capacity_bps=capacity_bps, price_micro_yuan_per_gbps_hour=price
    )


def town(security_down=(), leases=None) -> Snapshot:
    """home reaches work over a (whose firewall is cheap) and over b; only b has an IDS."""
    places = [
        site_of("home"),
        site_of("a", security=[wall("a", 100)]),
        site_of("b", security=[wall("b", 9_000), wall("b", 1, function=IDS, name="ids")]),
        site_of("work", [general("work")]),
        site_of("far", [general("far")], region="CN-B"),
    ]
    ends = (("home", "a"), ("a", "work"), ("home", "b"), ("b", "work"), ("b", "far"))
    links = [link_of(f"{one}-{two}", one, two, price=10, latency=1_000) for one, two in ends]
    return snapshot_of(grid_of(places, links), leases, (), (), security_down)


def task(**given) -> TaskRequest:
    resources = Resources(cpu=1, memory=MIB, wall_time=60 * S)
    given = {"bandwidth": 10**7, "protection": (FIREWALL,), "sites": ("work",), **given}
    return TaskRequest(run="true", resources=resources, **given)


def ask(request: TaskRequest, number: int = 0) -> PlanAsk:
    return PlanAsk(TaskId(f"t{number}"), TenantId("t"), request)


def one(view: Snapshot, request: TaskRequest) -> PlanAnswer:
    return plan(view, [ask(request)], NOW, 0, Ids())[0]


def swept(view: Snapshot, request: TaskRequest) -> PlanAnswer:
    return plan_batch(view, [ask(request, at) for at in range(3)], NOW, 0, Ids())[0]


def passed(found: PlanAnswer) -> list[str]:
    assert found.plan is not None
    return [step.security_pool for step in full_plan(found.plan).protection]


@pytest.mark.parametrize("way", [one, swept])
@pytest.mark.parametrize("bandwidth", [0, 10**7])
def test_the_next_best_pool_is_taken(way, bandwidth) -> None:
    request = task(bandwidth=bandwidth)
    assert passed(way(town(), request)) == ["a/fw"]
    dark = town({"a/fw"})
    found = way(dark, request)
    assert passed(found) == ["b/fw"]
    assert verify(found.plan, request, dark, TenantId("t")) == []
    assert passed(way(town({"b/fw"}), request)) == ["a/fw"]


@pytest.mark.parametrize("way", [one, swept])
def test_without_one_that_works_the_task_waits_and_is_told_which_is_out(way) -> None:
    found = way(town({"a/fw", "b/fw"}), task())
    assert found.plan is None
    assert found.ever
    report = found.report()
    assert {one.reason for one in report.verdicts if one.pool == "work/general"} == {PoolReason.PROTECTION}
    mends = [(one.field, one.asked, one.needed) for one in report.relaxations if one.clause is PoolReason.PROTECTION]
    assert mends == [("security_pool", "up", "a/fw"), ("protection", "firewall", "none")]
    assert one(town({"b/fw"}), task()).plan is not None  # what was said is true


def test_of_a_chain_every_pool_that_must_come_back_is_named() -> None:
    found = one(town({"a/fw", "b/fw", "b/ids"}), task(protection=(FIREWALL, IDS)))
    (mend,) = [one.needed for one in found.report().relaxations if one.field == "security_pool"]
    gone = {"a/fw", "b/fw", "b/ids"} - set(mend.split(", "))
    assert one(town(gone), task(protection=(FIREWALL, IDS))).plan is not None
    assert "b/ids" in mend


def test_the_sweep_keeps_nothing_of_what_was_up() -> None:
    """The same batch, while a pool falls and comes back: the rows of one state serve no other."""
    view = town()
    for dark in ((), ("a/fw",), ("a/fw", "b/fw"), ("b/fw",), ()):
        now = replace(view, security_down=frozenset(dark))
        for request in (task(), task(bandwidth=0), task(latency=2_000)):
            alone, many = one(now, request), swept(now, request)
            assert (alone.plan is None) == (many.plan is None) == (len(dark) == 2)
            if alone.plan is not None:
                assert passed(alone) == passed(many) == ["b/fw" if "a/fw" in dark else "a/fw"]


def test_crossings_are_counted_over_what_is_up() -> None:
    """Twice past a firewall: one each where the cheap one has room for one crossing, both at the other where it is out."""
    places = [
        site_of("home"),
        site_of("a", security=[wall("a", 1, 10**7)]),
        site_of("b", security=[wall("b", 9, 2 * 10**7)]),
        site_of("work", [general("work")]),
    ]
    links = [link_of(f"{x}-{y}", x, y, capacity=GBPS) for x, y in (("home", "a"), ("a", "b"), ("b", "work"))]
    view = snapshot_of(grid_of(places, links))
    twice = task(protection=(FIREWALL, FIREWALL), bandwidth=10**7)
    assert passed(one(view, twice)) == ["a/fw", "b/fw"]
    dark = replace(view, security_down=frozenset({"a/fw"}))
    assert passed(one(dark, twice)) == ["b/fw", "b/fw"]
    wide = task(protection=(FIREWALL, FIREWALL), bandwidth=10**7 + 1)
    assert one(dark, wide).plan is None
    assert passed(one(dark, task(bandwidth=10**7 + 1))) == ["b/fw"]


def test_neither_way_of_a_task_with_a_standby_place_passes_it() -> None:
    request = task(sites=("work", "far"), standby=Standby.SITE, bandwidth=0)
    both = full_plan(one(town({"a/fw"}), request).plan)
    steps = (*both.protection, *both.standby.protection)
    assert [step.security_pool for step in steps] == ["b/fw", "b/fw"]
    assert verify(both, request, town({"a/fw"}), TenantId("t")) == []
    faults = verify(both, request, town({"b/fw"}), TenantId("t"))
    assert [detail for _, detail in faults] == ["b/fw is down"] * 2


def test_the_checker_of_batches_sees_it() -> None:
    view, request = town(), task()
    made = swept(view, request).plan
    assert sound([(made, request)], view) == [True]
    assert sound([(made, request)], town({"a/fw"})) == [False]
    dark = replace(view, security_down=frozenset({"a/fw"}))
    assert sound([(made, request)], dark) == [False]
    assert sound([(made, request)], view) == [True]
