"""One pool, one task, one clause: each reason that a pool can have, what would mend it, and whether to wait."""

import pytest
from worlds import HOUR, MIB, NOW, Ids, S, beside, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.grid import Ability, DataSet, Pool, PoolKind, PriceBook, ProtectionFunction
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Demand, Hold, PlanReport
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import Input, Resources, TaskRequest
from suanwang.plan import PlanAnswer, PlanAsk, plan

BOOK = PriceBook(id="book", core_hour_micro_yuan=1_000, accelerator_hour_micro_yuan={"card-a": 5})
DATA = DataSet(id="d", name="d", size_bytes=10**9, replicas=("o",), residency=("SG",))
FREE_DATA = DataSet(id="e", name="e", size_bytes=10**9, replicas=("far",))


def world(pool=None, leases=None, down=(), links_down=()) -> Snapshot:
    """Origin o, site s one link away with one pool, and a site without a link."""
    sites = (
        site_of("o", book="book"),
        site_of("s", [pool or general("s")], region="CN-B", level=3, book="book"),
        site_of("far", book="book"),
    )
    grid = grid_of(sites, [link_of("os", "o", "s", latency=4_000)], [DATA, FREE_DATA], books=(BOOK,))
    return snapshot_of(grid, leases, down, links_down)


def lacking(*abilities: str) -> Snapshot:
    return world(general("s").model_copy(update={"lacks": tuple(Ability(one) for one in abilities)}))


def task(cpu=1, memory=MIB, **given) -> TaskRequest:
    res = {
        key: given.pop(key)
        for key in ("accelerator", "accelerators", "kind", "nodes", "qubits", "network")
        if key in given
    }
    return TaskRequest(run="true", resources=Resources(cpu=cpu, memory=memory, wall_time=HOUR, **res), **given)


def ai(model="card-a") -> Pool:
    return Pool(
        id="s/ai",
        kind=PoolKind.AI,
        nodes=1,
        cores_per_node=8,
        memory_bytes_per_node=2**30,
        accelerator_model=model,
        accelerators_per_node=8,
    )


def ask(snapshot: Snapshot, request: TaskRequest) -> PlanAnswer:
    return plan(snapshot, [PlanAsk(TaskId("t"), TenantId("t"), request)], NOW, 0, Ids())[0]


FULL = {"l": (Hold(resource="pool", key="s/general", demand=Demand(cores=4), start_us=NOW, end_us=NOW + 9 * HOUR),)}
LINK_FULL = {"l": (Hold(resource="link", key="os:ab", bps=10**9, start_us=NOW, end_us=NOW + 9 * HOUR),)}
DB = TaskRequest(run="true", tags={"app": "db"})
WARY = TaskRequest(run="true", apart_from={"app": "db"})
TWO_DAYS = Pool(id="s/general", kind=PoolKind.GENERAL, nodes=2, cores_per_node=4, memory_bytes_per_node=8 * MIB)

# reason, world, task, whether it would ever fit, (field, needed) of the relaxation of that clause
CASES = [
    (PoolReason.KIND, world(), task(kind=PoolKind.HPC, nodes=1), False, ("resources.kind", "general")),
    (PoolReason.SITE_LIST, world(), task(sites=("o",)), False, ("sites", "+ s")),
    (PoolReason.OWNER, world(), task(owners=("third-party",)), False, ("owners", "+ own")),
    (PoolReason.SITE_DOWN, world(down=("s",)), task(), True, ("site", "s")),
    (PoolReason.SECURITY_LEVEL, world(), task(security_level=5), False, ("security_level", "3")),
    (PoolReason.RESIDENCY, world(), task(residency=("SG",)), False, ("residency", "+ CN-B")),
    (
        PoolReason.DATA_RESIDENCY,
        world(),
        task(inputs=(Input(source="dataset:d", path="d"),)),
        False,
        ("inputs", "+ CN-B"),
    ),
    (PoolReason.NODE_SHAPE, world(), task(cpu=5), False, ("resources.cpu", "4")),
    (PoolReason.NODE_SHAPE, world(), task(memory=9 * MIB), False, ("resources.memory", "8 MiB")),
    (
        PoolReason.ACCELERATOR,
        world(ai()),
        task(accelerators=1, accelerator="card-z"),
        False,
        ("resources.accelerator", "card-a"),
    ),
    (
        PoolReason.ABILITY,
        lacking("network", "gangs"),
        task(network=True),
        False,
        ("resources.network", "without network"),
    ),
    (PoolReason.POOL_SIZE, world(), task(array=9), False, ("array", "4")),
    (
        PoolReason.POOL_SIZE,
        world(TWO_DAYS),
        task(cpu=3, nodes=3, kind=PoolKind.GENERAL),
        False,
        ("resources.nodes", "2"),
    ),
    (PoolReason.PRICE_MISSING, world(ai("card-q")), task(accelerators=1, accelerator="any"), False, None),
    (PoolReason.LATENCY, world(), task(latency=3_999), False, ("latency", "4 ms")),
    (
        PoolReason.PROTECTION,
        world(),
        task(protection=(ProtectionFunction.IDS,)),
        False,
        ("protection", "none"),
    ),
    (PoolReason.TOGETHER, world(), task(together_with={"app": "db"}), True, ("together_with", "+ s")),
    (PoolReason.APART, beside(world(), [("s", DB)]), task(apart_from={"app": "db"}), True, ("apart_from", "- s")),
    (PoolReason.APART, beside(world(), [("s", WARY)]), task(tags={"app": "db"}), True, ("apart_from", "- s")),
    (PoolReason.BANDWIDTH, world(), task(bandwidth=2 * 10**9), False, ("bandwidth", "1 Gbps")),
    (
        PoolReason.BANDWIDTH,
        world(leases=LINK_FULL),
        task(bandwidth=10**6, deadline=NOW + 2 * HOUR),
        True,
        ("bandwidth", "0 bps"),
    ),
    (
        PoolReason.DATA_PATH,
        world(),
        task(inputs=(Input(source="dataset:e", path="e"),)),
        False,
        ("inputs", "without e"),
    ),
    (PoolReason.CAPACITY, world(leases=FULL), task(deadline=NOW + 2 * HOUR), True, None),
    (
        PoolReason.DEADLINE,
        world(),
        task(deadline=NOW + HOUR - 1),
        False,
        ("deadline", "2023-11-15T07:13:20.000+08:00"),
    ),
    (PoolReason.PRICE_LIMIT, world(), task(price_limit=999), False, ("price_limit", "¥0.001")),
    (PoolReason.STANDBY, world(), task(standby="site"), False, ("standby", "none")),
]


@pytest.mark.parametrize(("reason", "snapshot", "request_", "ever", "mend"), CASES, ids=lambda one: str(one)[:20])
def test_each_reason_with_what_mends_it(reason, snapshot, request_, ever, mend) -> None:
    found = ask(snapshot, request_)
    assert found.plan is None
    report: PlanReport = found.report()
    assert [one.reason for one in report.verdicts] == [reason]
    assert [(one.reason, one.pools, one.sites) for one in report.clauses] == [(reason, 1, 1)]
    assert found.clauses == report.clauses
    assert (found.ever, report.waits, report.chosen) == (ever, ever, None)
    mends = [(one.field, one.needed) for one in report.relaxations if one.clause is reason]
    assert mends == ([mend] if mend else [])
    assert found.report(relax=False).relaxations == ()


def test_worse_and_chosen() -> None:
    second = general("s", cores=2, name="second")
    snapshot = world()
    site = snapshot.index.grid.sites[1].model_copy(update={"pools": (general("s"), second)})
    grid = snapshot.index.grid.model_copy(
        update={"sites": (snapshot.index.grid.sites[0], site, snapshot.index.grid.sites[2])}
    )
    report = ask(snapshot_of(grid), task()).report()
    assert [(one.pool, one.reason) for one in report.verdicts] == [
        ("s/general", None),
        ("s/second", PoolReason.WORSE),
    ]
    assert report.chosen == "s/general"
    assert report.objective == f"cheapest: price 1000, finish {NOW + HOUR}, latency 4000"
    assert report.relaxations == ()


def test_relaxations_are_true() -> None:
    """The bandwidth, latency, array and limit that are named do fit when they are asked for."""
    assert ask(world(), task(bandwidth=10**9)).plan is not None
    assert ask(world(), task(latency=4_000)).plan is not None
    assert ask(world(), task(array=4)).plan is not None
    assert ask(world(), task(price_limit=1_000)).plan is not None


def test_the_furthest_clause_over_all_starts_binds() -> None:
    """Full now, and too late after the hold: the deadline is what stands in the way."""
    hold = Hold(resource="pool", key="s/general", demand=Demand(cores=4), start_us=NOW, end_us=NOW + 9 * S)
    found = ask(world(leases={"l": (hold,)}), task(deadline=NOW + HOUR + 9 * S - 1))
    assert found.report().verdicts[0].reason is PoolReason.CAPACITY  # the later start is past the deadline
    assert ask(world(leases={"l": (hold,)}), task(deadline=NOW + HOUR + 9 * S)).plan is not None


def test_alternatives_of_a_refusal_come_nearest_first() -> None:
    found = ask(world(), task(price_limit=999)).report().alternatives
    assert [(one.pool, one.reason, one.price_micro_yuan) for one in found] == [
        ("s/general", PoolReason.PRICE_LIMIT, 1_000)
    ]
