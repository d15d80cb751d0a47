"""The checker finds each fault: a sound plan with one thing changed."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

import suanwang.verify
from suanwang.model.grid import (
    Ability,
    DataSet,
    EnergyMix,
    Grid,
    Link,
    LinkKind,
    Names,
    Pool,
    PoolKind,
    PriceBook,
    ProtectionFunction,
    SecurityPool,
    Site,
    Tier,
    TimeOfUse,
)
from suanwang.model.ids import SiteId, TaskId, TenantId
from suanwang.model.plan import Demand, DirectedLink, Hold, Plan, StandbyPlace
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import SiteState, Snapshot, index_grid
from suanwang.model.task import Avoid, Input, Resources, TaskRequest
from suanwang.plan import PlanAsk, plan
from suanwang.verify import verify

NOW, S, HOUR, GIB = 1_700_000_000_000_000, 1_000_000, 3_600_000_000, 2**30


class Ids:
    def plan_id(self) -> str:
        return "plan-" + 26 * "1"

    def lease_id(self) -> str:
        return "lease-" + 26 * "1"


def site(name: str, **given) -> Site:
    return Site(
        id=name,
        names=Names(en=name, zh_hant=name, zh_hans=name),
        region=given.pop("region", "CN-A"),
        city=name,
        latitude=30,
        longitude=110,
        tier=Tier.EDGE,
        security_level=3,
        energy=EnergyMix(carbon_g_per_kwh=500, renewable_permille=0),
        price_book="book",
        **given,
    )


def link(name: str, a: str, b: str) -> Link:
    return Link(
        id=name,
        a=a,
        b=b,
        kind=LinkKind.OTN,
        length_km=100,
        capacity_bps=10**10,
        latency_us=1_000,
        price_micro_yuan_per_gbps_hour=700,
        price_micro_yuan_per_gib=300,
    )


GUARD = SecurityPool(
    id="m/fw", function=ProtectionFunction.FIREWALL, capacity_bps=10**9, price_micro_yuan_per_gbps_hour=900
)
POOL = Pool(
    id="b/general",
    kind=PoolKind.GENERAL,
    nodes=2,
    cores_per_node=4,
    memory_bytes_per_node=GIB,
    power_w_per_node=300,
    lacks=(Ability.IMAGES,),
)
AI = Pool(
    id="b/ai",
    kind=PoolKind.AI,
    nodes=1,
    cores_per_node=4,
    memory_bytes_per_node=GIB,
    accelerator_model="card-a",
    accelerators_per_node=4,
)
GRID = Grid(
    id="g",
    name="g",
    default_origin="a",
    price_books=(
        PriceBook(
            id="book",
            core_hour_micro_yuan=1_001,
            energy_kwh_micro_yuan=600_000,
            time_of_use=(TimeOfUse(from_hour=7, to_hour=9, permille=1_500),),
        ),
    ),
    sites=(site("a"), site("m", security_pools=(GUARD,)), site("b", pools=(POOL, AI)), site("c")),
    links=(link("am", "a", "m"), link("mb", "m", "b"), link("cb", "c", "b")),
    data_sets=(
        DataSet(id="d", name="d", size_bytes=GIB, replicas=("c",)),
        DataSet(id="e", name="e", size_bytes=GIB, replicas=("b",)),
    ),
)
REQUEST = TaskRequest(
    run="true",
    resources=Resources(cpu=2, memory=GIB // 4, wall_time=2 * HOUR),
    inputs=(Input(source="dataset:d", path="d"), Input(source="dataset:e", path="e")),
    bandwidth=10**9,
    protection=(ProtectionFunction.FIREWALL,),
    latency=5_000,
    residency=("CN",),
    deadline=NOW + 3 * HOUR,
    price_limit=10**7,
)


def snapshot(leases=None, live=True, links_down=(), security_down=()) -> Snapshot:
    sites = {one.id: SiteState(live=live) for one in GRID.sites}
    return Snapshot(1, index_grid(GRID), sites, leases or {}, frozenset(links_down), frozenset(security_down))


def sound() -> Plan:
    made = plan(snapshot(), [PlanAsk(TaskId("t"), TenantId("x"), REQUEST)], NOW, 0, Ids())[0].plan
    assert made is not None
    return made


def faults(made: Plan, request: TaskRequest = REQUEST, view: Snapshot | None = None) -> set[PlanFault]:
    return {fault for fault, _ in verify(made, request, view or snapshot())}


def edit(**update) -> Callable[[Plan], Plan]:
    return lambda made: made.model_copy(update=update)


def edit_path(**update) -> Callable[[Plan], Plan]:
    return lambda made: made.model_copy(update={"path": made.path.model_copy(update=update)})


def edit_move(**update) -> Callable[[Plan], Plan]:
    return lambda made: made.model_copy(update={"data": (made.data[0].model_copy(update=update), *made.data[1:])})


def longer_hold(made: Plan) -> Plan:
    first = made.holds[0]
    return made.model_copy(update={"holds": (first.model_copy(update={"end_us": first.end_us + 1}), *made.holds[1:])})


def dearer_line(made: Plan) -> Plan:
    first = made.quote[0]
    line = first.model_copy(update={"amount_micro_yuan": first.amount_micro_yuan + 1})
    return made.model_copy(update={"quote": (line, *made.quote[1:]), "quote_micro_yuan": made.quote_micro_yuan + 1})


EDITS = [
    (PlanFault.UNKNOWN_SITE, edit(site="nowhere")),
    (PlanFault.UNKNOWN_POOL, edit(pool="b/nothing")),
    (PlanFault.WRONG_SITE, edit(site="c")),
    (PlanFault.WRONG_SITE, edit(emulated=True)),
    (PlanFault.WRONG_KIND, edit(pool="b/ai")),
    (PlanFault.DEMAND_WRONG, edit(demand=Demand(cores=1, memory_bytes=GIB // 4))),
    (PlanFault.PATH_BROKEN, edit_path(sites=("a", "b"))),
    (PlanFault.PATH_BROKEN, edit_path(sites=("a", "m", "c"))),
    (
        PlanFault.PATH_BROKEN,
        edit_path(links=(DirectedLink(link="am", forward=False), DirectedLink(link="mb", forward=True))),
    ),
    (
        PlanFault.PATH_BROKEN,
        edit_path(links=(DirectedLink(link="zz", forward=True), DirectedLink(link="mb", forward=True))),
    ),
    (PlanFault.PATH_LATENCY, edit_path(latency_us=1_999)),
    (PlanFault.PROTECTION_MISSING, edit(protection=())),
    (PlanFault.DATA_MISSING, lambda made: made.model_copy(update={"data": made.data[1:]})),
    (PlanFault.DATA_MISSING, edit_move(size_bytes=1)),
    (PlanFault.DATA_REPLICA, edit_move(replica="m")),
    (PlanFault.DATA_TIME, edit_move(rate_bps=10**8)),
    (PlanFault.DATA_TIME, lambda made: edit_move(start_us=made.start_us - 1)(made)),
    (PlanFault.HOLDS_WRONG, lambda made: made.model_copy(update={"holds": made.holds[:-1]})),
    (PlanFault.HOLDS_WRONG, longer_hold),
    (PlanFault.HOLDS_WRONG, edit(bandwidth_bps=10**8)),
    (PlanFault.WINDOW, lambda made: made.model_copy(update={"end_us": made.end_us + 1})),
    (PlanFault.WINDOW, lambda made: made.model_copy(update={"run_start_us": made.run_start_us - 1})),
    (PlanFault.QUOTE_WRONG, dearer_line),
    (PlanFault.QUOTE_WRONG, lambda made: made.model_copy(update={"quote_micro_yuan": made.quote_micro_yuan - 1})),
    (PlanFault.QUOTE_WRONG, lambda made: made.model_copy(update={"quote": made.quote[1:]})),
    (PlanFault.CARBON_WRONG, lambda made: made.model_copy(update={"carbon_mg": made.carbon_mg + 1})),
    (PlanFault.GENERATION, edit(generation=2)),
    (PlanFault.GENERATION, edit(parent="plan-" + 26 * "0")),
]


def test_a_sound_plan_has_no_fault() -> None:
    made = sound()
    assert verify(made, REQUEST, snapshot()) == []
    assert (made.pool, made.path.sites, made.data[0].replica) == ("b/general", ("a", "m", "b"), "c")
    assert len({one.permille for one in made.quote}) == 2  # the run is cut at the edge of a price band


@pytest.mark.parametrize(("fault", "change"), EDITS)
def test_a_changed_plan_has_the_fault(fault: PlanFault, change: Callable[[Plan], Plan]) -> None:
    assert fault in faults(change(sound()))


REQUESTS = [
    (PlanFault.WRONG_SITE, {"sites": ("a",)}),
    (PlanFault.OWNER, {"owners": ("third-party",)}),
    (PlanFault.TOGETHER, {"together_with": {"app": "db"}}),
    (PlanFault.SECURITY_LEVEL, {"security_level": 4}),
    (PlanFault.RESIDENCY, {"residency": ("SG",)}),
    (PlanFault.AVOID, {"avoid": Avoid(regions=("CN",))}),
    (PlanFault.NODE_SHAPE, {"resources": Resources(cpu=5, memory=GIB // 4, wall_time=2 * HOUR)}),
    (
        PlanFault.ACCELERATOR,
        {"resources": Resources(cpu=2, memory=GIB // 4, wall_time=2 * HOUR, accelerator="card-a")},
    ),
    (PlanFault.ABILITY, {"image": "other:1"}),
    (PlanFault.DEMAND_WRONG, {"array": 2}),
    (PlanFault.LATENCY_BOUND, {"latency": 1_999}),
    (PlanFault.PROTECTION_MISSING, {"protection": (ProtectionFunction.IDS,)}),
    (PlanFault.DATA_MISSING, {"inputs": ()}),
    (PlanFault.WINDOW, {"earliest_start": NOW + 1}),
    (PlanFault.DEADLINE, {"deadline": NOW + HOUR}),
    (PlanFault.PRICE_LIMIT, {"price_limit": 1}),
    (PlanFault.PATH_BROKEN, {"origin": "c"}),
]


@pytest.mark.parametrize(("fault", "update"), REQUESTS)
def test_a_plan_for_another_request_has_the_fault(fault: PlanFault, update: dict) -> None:
    assert fault in faults(sound(), REQUEST.model_copy(update=update))


def lease(resource: str, key: str, start: int, end: int, cores: int = 0, bps: int = 0) -> dict:
    demand = Demand(cores=cores) if resource == "pool" else None
    hold = Hold(resource=resource, key=key, demand=demand, bps=bps, start_us=start, end_us=end)
    return {"lease-2": (hold,)}


LEASES = [
    (PlanFault.POOL_OVERSUBSCRIBED, lease("pool", "b/general", NOW, NOW + HOUR, cores=7)),
    (PlanFault.LINK_OVERSUBSCRIBED, lease("link", "am:ab", NOW + 2 * HOUR, NOW + 3 * HOUR, bps=9 * 10**9 + 1)),
    (PlanFault.LINK_OVERSUBSCRIBED, lease("link", "cb:ab", NOW, NOW + 1, bps=1)),
    (PlanFault.PROTECTION_OVERSUBSCRIBED, lease("protection", "m/fw", NOW, NOW + HOUR, bps=1)),
]


@pytest.mark.parametrize(("fault", "leases"), LEASES)
def test_what_others_hold_is_swept(fault: PlanFault, leases: dict) -> None:
    assert faults(sound(), view=snapshot(leases)) == {fault}


@pytest.mark.parametrize(
    "leases",
    [
        lease("pool", "b/general", NOW, NOW + HOUR, cores=6),
        lease("pool", "b/general", NOW + 3 * HOUR, NOW + 9 * HOUR, cores=8),
        lease("link", "am:ba", NOW, NOW + 9 * HOUR, bps=10**10),
        lease("link", "cb:ab", NOW + HOUR, NOW + 9 * HOUR, bps=10**10),
    ],
)
def test_what_does_not_overlap_is_no_fault(leases: dict) -> None:
    made = sound()
    view = snapshot(leases)
    assert verify(made, REQUEST, view) == []
    by_key = {f"{hold.resource}|{hold.key}": {one: holds} for one, holds in leases.items() for hold in holds}
    indexed = Snapshot(1, view.index, view.sites, view.leases, by_key=by_key)
    assert verify(made, REQUEST, indexed) == []


@pytest.mark.parametrize(("fault", "leases"), LEASES)
def test_the_index_by_resource_gives_the_same(fault: PlanFault, leases: dict) -> None:
    view = snapshot(leases)
    by_key = {f"{hold.resource}|{hold.key}": {one: holds} for one, holds in leases.items() for hold in holds}
    assert faults(sound(), view=Snapshot(1, view.index, view.sites, view.leases, by_key=by_key)) == {fault}


def test_a_site_without_an_agent_and_a_link_that_is_down() -> None:
    assert PlanFault.SITE_DOWN in faults(sound(), view=snapshot(live=False))
    assert PlanFault.PATH_BROKEN in faults(sound(), view=snapshot(links_down=("mb",)))


def test_a_security_pool_that_is_down() -> None:
    found = verify(sound(), REQUEST, snapshot(security_down=("m/fw",)), TenantId("x"))
    assert found == [(PlanFault.PROTECTION_MISSING, "m/fw is down")]


def test_one_that_it_keeps_apart_from_stands_there() -> None:
    made, view = sound(), snapshot()
    view.placements.place(TaskId("other"), TenantId("x"), SiteId("b"), TaskRequest(run="true", tags={"app": "db"}))
    apart = REQUEST.model_copy(update={"apart_from": {"app": "db"}})
    assert [fault for fault, _ in verify(made, apart, view, TenantId("x"))] == [PlanFault.APART]
    assert verify(made, apart, view, TenantId("y")) == [], "another tenant's"


def test_a_standby_place_that_nobody_asked_for_and_that_is_the_first_one() -> None:
    made = sound()
    same = StandbyPlace(site=made.site, pool=made.pool, emulated=False, path=made.path, protection=made.protection)
    found = faults(made.model_copy(update={"standby": same}))
    assert {PlanFault.STANDBY_MISSING, PlanFault.STANDBY_NEAR} <= found


def test_each_fault_has_a_case() -> None:
    told = {fault for fault, _ in [*EDITS, *REQUESTS, *LEASES]} | {PlanFault.SITE_DOWN, PlanFault.APART}
    told |= {PlanFault.STANDBY_MISSING, PlanFault.STANDBY_NEAR}
    told.add(PlanFault.LINK_MAINTENANCE)  # tests/verify/test_verify_maintenance.py
    told.add(PlanFault.REPAIR_CHANGED)  # tests/plan/test_plan_repair.py
    assert told == set(PlanFault)


def test_the_checker_does_not_import_the_planner() -> None:
    for path in Path(suanwang.verify.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            rules = [one for one in names if one != "suanwang.net.jit"]  # a compiler holds no rule of the planner
            assert not [one for one in rules if one.startswith(("suanwang.plan", "suanwang.net"))], path
            if isinstance(node, ast.ImportFrom) and node.module == "suanwang.model.tariff":
                assert [one.name for one in node.names] == ["LineRow", "line_row"]
