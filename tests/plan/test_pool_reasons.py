"""Why not there: one row a reason, with the smallest change that makes it the binding one."""

import pytest
from tests.plan.worlds import FIREWALL, NOW, Ids, World, beside, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.grid import Ability, DataSet, Grid, Pool, PoolKind, PriceBook, SecurityPool
from suanwang.model.plan import Demand, Hold, PlanReport
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Input, Resources, TaskRequest
from suanwang.plan import plan

R = PoolReason
S = 1_000_000
GBPS = 10**9
AWAY = "away/general"
BASE = {"run": "true", "origin": "home", "resources": {"cpu": 1, "memory": 2**20, "wall_time": 60 * S}}
BOOKS = (PriceBook(id="plain", core_hour_micro_yuan=100_000), PriceBook(id="dear", core_hour_micro_yuan=200_000))


def _grid(**away: object) -> Grid:
    """home, with a pool of its own and a firewall; away, behind one link, with a dearer pool."""
    wall = SecurityPool(id="home/fw", function=FIREWALL, capacity_bps=GBPS)
    settled = {"region": "CN-B", "book": "dear", **away}
    pools = settled.pop("pools", [general("away", nodes=2, memory=2**30)])
    sites = [
        site_of("home", [general("home", nodes=8, memory=2**30)], [wall]),
        site_of("away", pools, **settled),
        site_of("island", [], region="SG"),
    ]
    data = [
        DataSet(id="bound", name="b", size_bytes=8, replicas=("home",), residency=("CN-A",)),
        DataSet(id="lost", name="l", size_bytes=8, replicas=("island",)),
    ]
    return grid_of(sites, [link_of("h-a", "home", "away")], data, books=BOOKS)


def _report(snapshot: Snapshot, **changes: object) -> PlanReport:
    request = TaskRequest.model_validate(BASE | changes)
    return plan(snapshot, [World(snapshot, request).ask], NOW, 0, Ids())[0].report()


def _reason(report: PlanReport, pool: str = AWAY) -> PoolReason | None:
    return next(one.reason for one in report.verdicts if one.pool == pool)


ROWS: list[tuple[PoolReason, dict[str, object]]] = [
    (R.KIND, {"resources": Resources(nodes=2)}),
    (R.SITE_LIST, {"sites": ("home",)}),
    (R.OWNER, {"owners": ("third-party",)}),
    (R.SECURITY_LEVEL, {"security_level": 5}),
    (R.RESIDENCY, {"residency": ("CN-A",)}),
    (R.DATA_RESIDENCY, {"inputs": (Input(source="dataset:bound", path="b"),)}),
    (R.NODE_SHAPE, {"resources": Resources(cpu=5)}),
    (R.POOL_SIZE, {"array": 9}),
    (R.LATENCY, {"latency": 999}),
    (R.TOGETHER, {"together_with": {"app": "db"}}),
    (R.BANDWIDTH, {"bandwidth": GBPS + 1}),
    (R.DATA_PATH, {"inputs": (Input(source="dataset:lost", path="l"),)}),
    (R.DEADLINE, {"deadline": NOW + 59 * S}),
    (R.PRICE_LIMIT, {"price_limit": 1_700}),
    (R.STANDBY, {"standby": "site", "sites": ("away",)}),
    (R.WORSE, {}),
]


@pytest.mark.parametrize(("reason", "change"), ROWS, ids=[row[0].value for row in ROWS])
def test_the_request_is_why(reason: PoolReason, change: dict[str, object]) -> None:
    assert _reason(_report(snapshot_of(_grid()), **change)) is reason


def test_a_site_that_does_not_answer() -> None:
    assert _reason(_report(snapshot_of(_grid(), down=("away",)))) is R.SITE_DOWN


def test_another_accelerator_and_a_missing_price() -> None:
    cards = Pool(
        id="away/cards", kind=PoolKind.AI, nodes=1, cores_per_node=4, memory_bytes_per_node=2**40,
        accelerator_model="card-b", accelerators_per_node=2,
    )  # fmt: skip
    snapshot = snapshot_of(_grid(pools=[cards]))
    other = _report(snapshot, resources=Resources(accelerator="card-a", accelerators=1))
    assert _reason(other, "away/cards") is R.ACCELERATOR
    unpriced = _report(snapshot, resources=Resources(accelerator="card-b", accelerators=1))
    assert _reason(unpriced, "away/cards") is R.PRICE_MISSING


def test_what_the_pool_cannot_do() -> None:
    bare = general("away", nodes=2, memory=2**30).model_copy(update={"lacks": (Ability.MOUNTS, Ability.COMMANDS)})
    assert _reason(_report(snapshot_of(_grid(pools=[bare])))) is R.ABILITY


def test_no_way_through_the_protection() -> None:
    # The only firewall is at home: from away to home and back again would pass home twice.
    report = _report(snapshot_of(_grid()), origin="away", protection=(FIREWALL, FIREWALL, "ids"))
    assert _reason(report, "home/general") is R.PROTECTION


def test_one_that_it_keeps_apart_from_stands_there() -> None:
    snapshot = beside(snapshot_of(_grid()), [("away", TaskRequest(run="true", tags={"app": "db"}))])
    assert _reason(_report(snapshot, apart_from={"app": "db"})) is R.APART


def test_no_room_in_any_window() -> None:
    hold = Hold(resource="pool", key=AWAY, demand=Demand(cores=8), start_us=0, end_us=NOW + 10**15)
    assert _reason(_report(snapshot_of(_grid(), {"lease-1": (hold,)}))) is R.CAPACITY


def test_the_chosen_pool_has_no_reason_and_every_pool_a_verdict() -> None:
    report = _report(snapshot_of(_grid()))
    assert report.chosen == "home/general"
    assert _reason(report, "home/general") is None
    assert {one.pool for one in report.verdicts} == {"home/general", AWAY}


def test_every_reason_has_a_row() -> None:
    elsewhere = {
        R.APART,
        R.SITE_DOWN,
        R.ACCELERATOR,
        R.ABILITY,
        R.PRICE_MISSING,
        R.PROTECTION,
        R.CAPACITY,
        R.AVOID,
    }  # test_plan_avoid.py has the last
    assert {row[0] for row in ROWS} | elsewhere == set(PoolReason)
