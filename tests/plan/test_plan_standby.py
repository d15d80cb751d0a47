"""A second place: far enough away, over a way of its own, held and quoted; the best there is beside the first."""

from dataclasses import replace

import pytest
from brute_force import Brute
from hypothesis import HealthCheck, assume, given, settings
from worlds import HOUR, MIB, NOW, Ids, S, World, general, grid_of, link_of, site_of, snapshot_of, worlds

from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import ChargeKind, Demand, Hold, Plan
from suanwang.model.reason import PlanFault, PoolReason
from suanwang.model.snapshot import Snapshot, index_grid
from suanwang.model.task import Preference, Resources, Standby, TaskRequest
from suanwang.plan import PlanAnswer, PlanAsk, plan
from suanwang.verify import verify

TENANT = TenantId("t")
many = settings(deadline=None, suppress_health_check=list(HealthCheck))


def city(conduits: tuple[str, ...] = ("", "", "", "")) -> Snapshot:
    """Home; two places near each other; one far away in another region. A link each, home to each, and one between."""
    sites = [
        site_of("home"),
        site_of("near", [general("near")]),
        site_of("next", [general("next")], book="bands"),
        site_of("far", [general("far")], region="CN-B"),
    ]
    ends = (("home", "near"), ("home", "next"), ("home", "far"), ("near", "far"))
    links = [
        link_of(f"{a}-{b}", a, b).model_copy(update={"shared_risk_groups": (group,) if group else ()})
        for (a, b), group in zip(ends, conduits, strict=True)
    ]
    return snapshot_of(grid_of(sites, links))


def task(**fields) -> TaskRequest:
    fields.setdefault("standby", Standby.SITE)
    return TaskRequest(run="true", resources=Resources(cpu=2, memory=MIB, wall_time=HOUR), origin="home", **fields)


def answer(view: Snapshot, request: TaskRequest) -> PlanAnswer:
    return plan(view, [PlanAsk(TaskId("task-1"), TENANT, request)], NOW, 0, Ids())[0]


def made(view: Snapshot, **fields) -> Plan:
    found = answer(view, task(**fields)).plan
    assert found is not None
    assert verify(found, task(**fields), view, TENANT) == []
    return found


def test_a_second_place_is_held_over_the_same_window_and_has_its_own_lines() -> None:
    alone, both = made(city(), standby=None), made(city())
    assert (both.site, both.run_start_us, both.end_us) == (alone.site, alone.run_start_us, alone.end_us)
    assert both.standby.site != both.site
    held = [one for one in both.holds if one.key == both.standby.pool]
    assert [(one.demand, one.start_us, one.end_us) for one in held] == [(both.demand, both.run_start_us, both.end_us)]
    lines = [one for one in both.quote if one.item == both.standby.pool]
    assert lines
    assert ChargeKind.ENERGY not in {one.kind for one in lines}, "what idles uses no energy"
    assert both.quote_micro_yuan == alone.quote_micro_yuan + sum(one.amount_micro_yuan for one in lines)
    assert both.carbon_mg == alone.carbon_mg


def test_another_region_where_asked() -> None:
    found = made(city(), standby=Standby.REGION)
    regions = {one.id: one.region for one in city().index.grid.sites}
    assert regions[found.site] != regions[found.standby.site]


def test_where_bandwidth_is_held_the_ways_share_no_link_and_no_risk() -> None:
    found = made(city(), bandwidth=10**7, sites=("near", "far"))
    assert {one.link for one in found.path.links}.isdisjoint(one.link for one in found.standby.path.links)
    shared = city(conduits=("tunnel", "", "tunnel", ""))
    assert answer(shared, task(bandwidth=10**7, sites=("near", "far"))).plan is None
    assert made(shared, sites=("near", "far")).standby is not None, "without bandwidth no way is held"
    assert made(shared, bandwidth=10**7).standby is not None, "by the third place"


def test_the_latency_bound_is_for_both_ways() -> None:
    assert made(city(), latency=1_000).standby.path.latency_us <= 1_000
    assert answer(city(), task(latency=1_000, sites=("near", "far"), bandwidth=10**7)).plan is not None
    cut = replace(city(), links_down=frozenset({"home-far"}))
    assert answer(cut, task(latency=1_500, sites=("near", "far"))).plan is None


def test_a_task_without_room_for_a_second_place_waits_for_it() -> None:
    full = Hold(resource="pool", key="far/general", demand=Demand(cores=4), start_us=NOW, end_us=NOW + 3 * HOUR)
    view = replace(city(), leases={"lease-1": (full,)})
    found = made(view, standby=Standby.REGION)
    assert found.run_start_us == NOW + 3 * HOUR


def test_the_reason_and_what_would_help() -> None:
    found = answer(city(), task(sites=("near",)))
    assert found.plan is None
    assert not found.ever
    report = found.report()
    assert {one.reason for one in report.verdicts if one.pool == "near/general"} == {PoolReason.STANDBY}
    helps = {(one.field, one.asked, one.needed) for one in report.relaxations}
    assert ("standby", "site", "none") in helps
    near = answer(city(), task(sites=("near", "next"), standby=Standby.REGION))
    assert {(one.field, one.needed) for one in near.report().relaxations} >= {("standby", "site")}


def test_the_price_limit_is_for_both() -> None:
    two = {"sites": ("near", "far")}  # whose prices are the same at all hours
    price = made(city(), **two).quote_micro_yuan
    assert made(city(), price_limit=price, **two).quote_micro_yuan == price
    assert answer(city(), task(price_limit=price - 1, **two)).plan is None


# what is wrong with the second place          what the checker says
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda one: {"standby": None}, PlanFault.STANDBY_MISSING),
        (lambda one: {"standby": one.standby.model_copy(update={"pool": "far/nothing"})}, PlanFault.STANDBY_MISSING),
        (lambda one: {"standby": one.standby.model_copy(update={"site": one.site, "pool": one.pool})}, PlanFault.STANDBY_NEAR),
        (lambda one: {"standby": one.standby.model_copy(update={"path": one.path})}, PlanFault.STANDBY_NEAR),
        (lambda one: {"standby": one.standby.model_copy(update={"path": one.path})}, PlanFault.PATH_BROKEN),
        (lambda one: {"standby": one.standby.model_copy(update={"emulated": True})}, PlanFault.WRONG_SITE),
        (lambda one: {"holds": one.holds[:1]}, PlanFault.HOLDS_WRONG),
        (lambda one: {"quote": one.quote[:-1]}, PlanFault.QUOTE_WRONG),
    ],
)  # fmt: skip
def test_the_checker_sees_it(change, fault: PlanFault) -> None:
    request = task(bandwidth=10**7, standby=Standby.REGION)
    one = answer(city(), request).plan
    bad = one.model_copy(update=change(one))
    assert fault in {found for found, _ in verify(bad, request, city(), TENANT)}


def test_the_checker_sees_a_second_place_in_the_same_region() -> None:
    one = made(city(), standby=Standby.SITE, sites=("near", "next"))
    asked = task(standby=Standby.REGION, sites=("near", "next"))
    assert {found for found, _ in verify(one, asked, city(), TENANT)} == {PlanFault.STANDBY_NEAR}


def wish(world: World, apart: Standby) -> World:
    """A world whose task wants a second place, without what is judged of the first place alone."""
    plain = {"standby": apart, "together_with": {}, "apart_from": {}, "tags": {}, "inputs": (), "deadline": None}
    return replace(world, request=world.request.model_copy(update=plain), others=())


@many
@given(worlds())
def test_safety_a_plan_with_a_second_place_passes_the_checker(world: World) -> None:
    for apart in Standby:
        wished = wish(world, apart)
        found = plan(wished.snapshot, [wished.ask], NOW, 0, Ids())[0].plan
        if found is not None:
            assert verify(found, wished.request, wished.snapshot, TENANT) == []


@many
@given(worlds())
def test_progress_the_second_place_is_as_good_as_brute_force(world: World) -> None:
    """Beside the first place: the best of all that share no risk with it. None, where there is none at that moment."""
    wished = wish(world, Standby.SITE)
    assume(wished.request.price_limit is None)
    found = plan(wished.snapshot, [wished.ask], NOW, 0, Ids())[0].plan
    start_us = max(NOW, wished.request.earliest_start or 0)
    for site in wished.snapshot.index.grid.sites:
        if wished.request.sites and site.id not in wished.request.sites:
            continue
        lone = wished.request.model_copy(update={"sites": (site.id,), "standby": None})
        first = plan(wished.snapshot, [replace(wished.ask, request=lone)], NOW, 0, Ids())[0].plan
        if first is None or first.run_start_us != start_us:
            continue
        second = beside(wished, first)
        if found is not None and (found.pool, found.run_start_us) == (first.pool, start_us):
            assert second is not None
            assert second.pool == found.standby.pool
            own = sum(one.amount_micro_yuan for one in found.quote) - first.quote_micro_yuan
            assert second.price == own
        elif found is None or found.run_start_us != start_us:
            assert second is None, f"{first.pool} with {second.pool} would do at once"


def beside(world: World, first: Plan):
    """The best second place at the moment of the first, by brute force."""
    grid = world.snapshot.index.grid
    used = {one.link for one in first.path.links} if first.bandwidth_bps else set()
    books = tuple(
        one.model_copy(update={"energy_kwh_micro_yuan": 0, "qpu_shot_micro_yuan": 0}) for one in grid.price_books
    )
    links = tuple(one for one in grid.links if one.id not in used)
    index = index_grid(grid.model_copy(update={"price_books": books, "links": links}))
    view = replace(world.snapshot, index=index, leases={**world.snapshot.leases, first.lease_id: first.holds})
    request = world.request.model_copy(update={"standby": None})
    brute = Brute(view, request, NOW, world.excluded | {first.site})
    return min(brute.candidates(first.run_start_us, brute.in_question()), key=lambda one: one.key, default=None)


def test_a_greener_second_place_where_green_is_preferred() -> None:
    view = city()
    sites = tuple(
        one.model_copy(update={"energy": one.energy.model_copy(update={"carbon_g_per_kwh": carbon})})
        for one, carbon in zip(view.index.grid.sites, (0, 100, 300, 200), strict=True)
    )
    green = snapshot_of(view.index.grid.model_copy(update={"sites": sites}))
    found = made(green, preference=Preference.GREENEST)
    assert (found.site, found.standby.site) == ("near", "far")


def test_a_moment_is_not_missed_for_a_second_of_wall_time() -> None:
    short = task().model_copy(update={"resources": Resources(cpu=2, memory=MIB, wall_time=S)})
    assert answer(city(), short).plan.end_us == NOW + S
