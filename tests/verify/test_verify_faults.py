"""The checker sees every kind of fault: a sound plan, spoilt in one way a row, and the fault that must be named."""

from collections.abc import Callable

import pytest
from tests.plan.worlds import FIREWALL, IDS, NOW, Ids, World, beside, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.grid import Ability, DataSet, Grid, Pool, PoolKind, SecurityPool
from suanwang.model.ids import TenantId
from suanwang.model.plan import Demand, DirectedLink, Hold, Path, Plan
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Avoid, Input, Resources, TaskRequest
from suanwang.plan import plan
from suanwang.verify import verify

F = PlanFault
S = 1_000_000
GBPS = 10**9


def _grid() -> Grid:
    """home - wall - work - far: the task runs at work, the wall has the protection, the data are far."""
    wall = [
        SecurityPool(id="wall/fw", function=FIREWALL, capacity_bps=GBPS, price_micro_yuan_per_gbps_hour=1_000),
        SecurityPool(id="wall/ids", function=IDS, capacity_bps=GBPS, price_micro_yuan_per_gbps_hour=1_000),
    ]
    cards = Pool(
        id="work/cards", kind=PoolKind.AI, nodes=1, cores_per_node=4, memory_bytes_per_node=2**30,
        accelerator_model="card-b", accelerators_per_node=2,
    )  # fmt: skip
    sites = [
        site_of("home"),
        site_of("wall", security=wall),
        site_of(
            "work", [general("work", nodes=2, memory=2**30).model_copy(update={"lacks": (Ability.MOUNTS,)}), cards]
        ),
        site_of("far"),
    ]
    links = [link_of("h-w", "home", "wall"), link_of("w-w", "wall", "work"), link_of("w-f", "work", "far")]
    data = [DataSet(id="sky", name="sky", size_bytes=12_500_000, replicas=("far",))]
    return grid_of(sites, links, data)


BASE = TaskRequest(
    run="true",
    resources=Resources(cpu=2, memory=2**20, wall_time=60 * S),
    inputs=(Input(source="dataset:sky", path="sky"),),
    origin="home",
    latency=5_000,
    bandwidth=10**8,
    protection=(FIREWALL,),
    deadline=NOW + 3_600 * S,
    price_limit=10**9,
    sites=("work",),
)


def _planned(request: TaskRequest = BASE, snapshot: Snapshot | None = None) -> tuple[Plan, Snapshot]:
    snapshot = snapshot or snapshot_of(_grid())
    made = plan(snapshot, [World(snapshot, request).ask], NOW, 0, Ids())[0].plan
    assert made is not None
    assert verify(made, request, snapshot) == []
    return made, snapshot


def _changed(made: Plan, **changes: object) -> Plan:
    return made.model_copy(update=changes)


def _path(made: Plan, **changes: object) -> Path:
    return made.path.model_copy(update=changes)


def _move(made: Plan, **changes: object) -> Plan:
    return _changed(made, data=(made.data[0].model_copy(update=changes),))


def _line(made: Plan) -> Plan:
    first = made.quote[0]
    return _changed(made, quote=(first.model_copy(update={"amount_micro_yuan": 0}), *made.quote[1:]))


ROWS: list[tuple[PlanFault, str, Callable[[Plan], Plan]]] = [
    (F.UNKNOWN_SITE, "no such site", lambda p: _changed(p, site="nowhere")),
    (F.UNKNOWN_POOL, "no such pool", lambda p: _changed(p, pool="work/none")),
    (F.WRONG_SITE, "a pool of another site", lambda p: _changed(p, site="far")),
    (F.WRONG_SITE, "emulated, and not said", lambda p: _changed(p, emulated=True)),
    (F.WRONG_KIND, "an AI pool for a general task", lambda p: _changed(p, pool="work/cards")),
    (F.DEMAND_WRONG, "half the cores", lambda p: _changed(p, demand=Demand(cores=1, memory_bytes=2**20))),
    (F.PATH_BROKEN, "a link is left out", lambda p: _changed(p, path=_path(p, links=p.path.links[:1]))),
    (F.PATH_BROKEN, "a link the wrong way", lambda p: _changed(p, path=_path(p, links=_turned(p)))),
    (F.PATH_BROKEN, "it begins elsewhere", lambda p: _changed(p, path=_path(p, sites=("far", *p.path.sites[1:])))),
    (F.PATH_LATENCY, "faster than light", lambda p: _changed(p, path=_path(p, latency_us=1))),
    (F.LATENCY_BOUND, "beyond the bound", lambda p: _changed(p, path=_path(p, latency_us=5_001))),
    (F.PROTECTION_MISSING, "no firewall", lambda p: _changed(p, protection=())),
    (F.PROTECTION_MISSING, "a firewall elsewhere", lambda p: _step(p, site="home")),
    (F.PROTECTION_MISSING, "an IDS that is called a firewall", lambda p: _step(p, security_pool="wall/ids")),
    (F.DATA_MISSING, "the data stay behind", lambda p: _changed(p, data=())),
    (F.DATA_MISSING, "half of the data", lambda p: _move(p, size_bytes=1)),
    (F.DATA_REPLICA, "from where they are not", lambda p: _move(p, replica="home")),
    (F.DATA_TIME, "in no time", lambda p: _move(p, end_us=p.data[0].start_us + 1)),
    (F.DATA_TIME, "at no rate", lambda p: _move(p, rate_bps=0)),
    (F.WINDOW, "runs before the data are there", lambda p: _changed(p, run_start_us=p.run_start_us - 1)),
    (F.WINDOW, "a second too long", lambda p: _changed(p, end_us=p.end_us + S)),
    (F.GENERATION, "a first plan with a parent", lambda p: _changed(p, parent="plan-x")),
    (F.GENERATION, "a second plan without one", lambda p: _changed(p, generation=2)),
    (F.HOLDS_WRONG, "nothing held", lambda p: _changed(p, holds=())),
    (F.HOLDS_WRONG, "one hold twice", lambda p: _changed(p, holds=(*p.holds, p.holds[0]))),
    (F.HOLDS_WRONG, "less bandwidth than asked", lambda p: _changed(p, bandwidth_bps=1)),
    (F.QUOTE_WRONG, "a line for nothing", _line),
    (F.QUOTE_WRONG, "another sum", lambda p: _changed(p, quote_micro_yuan=p.quote_micro_yuan + 1)),
    (F.CARBON_WRONG, "greener than it is", lambda p: _changed(p, carbon_mg=p.carbon_mg - 1)),
]  # fmt: skip


def _turned(made: Plan) -> tuple[DirectedLink, ...]:
    first = made.path.links[0]
    return (first.model_copy(update={"forward": not first.forward}), *made.path.links[1:])


def _step(made: Plan, **changes: object) -> Plan:
    return _changed(made, protection=(made.protection[0].model_copy(update=changes),))


@pytest.mark.parametrize(("fault", "why", "spoil"), ROWS, ids=[f"{row[0].value}: {row[1]}" for row in ROWS])
def test_a_spoilt_plan_is_named(fault: PlanFault, why: str, spoil: Callable[[Plan], Plan]) -> None:
    made, snapshot = _planned()
    assert fault in {found for found, _ in verify(spoil(made), BASE, snapshot)}, why


# What is wrong with a plan as soon as the request or the world is another one.
ASKED: list[tuple[PlanFault, dict[str, object]]] = [
    (F.WRONG_SITE, {"sites": ("far",)}),
    (F.TOGETHER, {"together_with": {"app": "db"}}),
    (F.OWNER, {"owners": ("third-party", "p1")}),
    (F.SECURITY_LEVEL, {"security_level": 4}),
    (F.RESIDENCY, {"residency": ("SG",)}),
    (F.AVOID, {"avoid": Avoid(links=("w-w",))}),
    (F.NODE_SHAPE, {"resources": Resources(cpu=64, memory=2**20, wall_time=60 * S)}),
    (F.ACCELERATOR, {"resources": Resources(accelerator="card-a", accelerators=1, wall_time=60 * S)}),
    (F.ABILITY, {"mounts": ({"path": "/data", "folder": "data"},)}),
    (F.LATENCY_BOUND, {"latency": 1}),
    (F.PROTECTION_MISSING, {"protection": (FIREWALL, IDS)}),
    (F.WINDOW, {"earliest_start": NOW + 10 * S}),
    (F.DEADLINE, {"deadline": NOW + 1}),
    (F.PRICE_LIMIT, {"price_limit": 0}),
    (F.DATA_MISSING, {"inputs": ()}),
    (F.STANDBY_MISSING, {"standby": "site"}),
]


@pytest.mark.parametrize(("fault", "change"), ASKED, ids=[row[0].value for row in ASKED])
def test_a_plan_for_another_request_is_named(fault: PlanFault, change: dict[str, object]) -> None:
    made, snapshot = _planned()
    assert fault in {found for found, _ in verify(made, BASE.model_copy(update=change), snapshot)}


def _lease(made: Plan, resource: str, key: str, **held: object) -> Snapshot:
    hold = Hold(resource=resource, key=key, start_us=made.end_us - 1, end_us=made.end_us + S, **held)
    return snapshot_of(_grid(), {"lease-other": (hold,)})


@pytest.mark.parametrize(
    ("fault", "resource", "key", "held"),
    [
        (F.POOL_OVERSUBSCRIBED, "pool", "work/general", {"demand": Demand(cores=7)}),
        (F.POOL_OVERSUBSCRIBED, "pool", "work/general", {"demand": Demand(memory_bytes=2**31)}),
        (F.LINK_OVERSUBSCRIBED, "link", "h-w:ab", {"bps": GBPS}),
        (F.PROTECTION_OVERSUBSCRIBED, "protection", "wall/fw", {"bps": GBPS - 10**8 + 1}),
    ],
)
def test_another_lease_in_the_way_is_named(fault: PlanFault, resource: str, key: str, held: dict) -> None:
    made, _ = _planned()
    found = verify(made, BASE, _lease(made, resource, key, **held))
    assert [one for one, _ in found] == [fault]


@pytest.mark.parametrize(
    ("resource", "key", "held"),
    [
        ("pool", "work/general", {"demand": Demand(cores=6)}),
        ("link", "h-w:ab", {"bps": GBPS - 10**8}),
        ("link", "h-w:ba", {"bps": GBPS}),  # the other direction
        ("protection", "wall/fw", {"bps": GBPS - 10**8}),
        ("protection", "wall/ids", {"bps": GBPS}),  # another pool
    ],
)
def test_a_lease_that_leaves_room_is_no_fault(resource: str, key: str, held: dict) -> None:
    made, _ = _planned()
    assert verify(made, BASE, _lease(made, resource, key, **held)) == []


def test_a_lease_that_ends_as_the_run_begins_is_no_fault() -> None:
    made, _ = _planned()
    full = Demand(cores=8)
    hold = Hold(resource="pool", key="work/general", demand=full, start_us=NOW, end_us=made.run_start_us)
    assert verify(made, BASE, snapshot_of(_grid(), {"lease-other": (hold,)})) == []


def test_the_plans_own_lease_is_not_counted_against_it() -> None:
    made, _ = _planned()
    assert verify(made, BASE, snapshot_of(_grid(), {made.lease_id: made.holds})) == []


def test_a_site_or_link_that_went_down_is_named() -> None:
    made, _ = _planned()
    assert {one for one, _ in verify(made, BASE, snapshot_of(_grid(), down=("work",)))} == {F.SITE_DOWN}
    assert F.PATH_BROKEN in {one for one, _ in verify(made, BASE, snapshot_of(_grid(), links_down=("w-w",)))}


def test_company_that_came_meanwhile_is_named() -> None:
    made, snapshot = _planned()
    tagged = BASE.model_copy(update={"tags": {"app": "web"}})
    view = beside(snapshot, [("work", TaskRequest(run="true", apart_from={"app": "web"}))])
    assert {one for one, _ in verify(made, tagged, view, TenantId("t"))} == {F.APART}


def test_every_fault_has_a_row() -> None:
    full = {F.APART, F.POOL_OVERSUBSCRIBED, F.LINK_OVERSUBSCRIBED, F.PROTECTION_OVERSUBSCRIBED, F.SITE_DOWN}
    full |= {F.STANDBY_NEAR, F.REPAIR_CHANGED}  # tests/plan/test_plan_standby.py, test_plan_repair.py
    full.add(F.LINK_MAINTENANCE)  # test_verify_maintenance.py
    assert {row[0] for row in ROWS} | {row[0] for row in ASKED} | full == set(PlanFault)
