"""Bills as aligned rows: what is held, for how long, at what price; the expected amount last."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.model.grid import EnergyMix, Grid, Link, LinkKind, Names, Pool, PoolKind, PriceBook, Site, Tier, TimeOfUse
from suanwang.model.ids import LeaseId, LinkId, PlanId, PoolId, PriceBookId, SiteId, TaskId
from suanwang.model.plan import ChargeKind, DataMove, Demand, DirectedLink, Path, Plan
from suanwang.model.reason import FailureReason
from suanwang.model.snapshot import index_grid
from suanwang.model.tariff import bands, total_micro_yuan
from suanwang.model.units import GIB, US_PER_DAY, US_PER_HOUR
from suanwang.settle import capped, settle

HOUR = US_PER_HOUR
NIGHT = 20_000 * US_PER_DAY - 8 * HOUR  # midnight in UTC+8
NAMES = Names(en="A", zh_hant="甲", zh_hans="甲")


def grid(time_of_use=()):
    book = PriceBook(
        id=PriceBookId("book"),
        core_hour_micro_yuan=100_000,
        gib_hour_micro_yuan=20_000,
        accelerator_hour_micro_yuan={"a1": 10_000_000},
        node_hour_micro_yuan=5_000_000,
        qpu_shot_micro_yuan=100,
        qpu_hour_micro_yuan=36_000_000,
        energy_kwh_micro_yuan=500_000,
        time_of_use=time_of_use,
    )
    pools = (
        Pool(
            id=PoolId("a/g"),
            kind=PoolKind.GENERAL,
            nodes=10,
            cores_per_node=64,
            memory_bytes_per_node=256 * GIB,
            power_w_per_node=640,
        ),
        Pool(
            id=PoolId("a/ai"),
            kind=PoolKind.AI,
            nodes=4,
            cores_per_node=64,
            memory_bytes_per_node=GIB * 512,
            accelerator_model="a1",
            accelerators_per_node=8,
        ),
        Pool(id=PoolId("a/h"), kind=PoolKind.HPC, nodes=8, cores_per_node=64, memory_bytes_per_node=GIB * 512),
        Pool(id=PoolId("a/q"), kind=PoolKind.QUANTUM, nodes=1, qubits_per_node=60),
    )
    energy = EnergyMix(carbon_g_per_kwh=500, renewable_permille=300, pue_permille=1_000)
    a = Site(
        id=SiteId("a"),
        names=NAMES,
        region="CN-BJ",
        city="A",
        latitude=40,
        longitude=116,
        tier=Tier.HUB,
        security_level=3,
        energy=energy,
        price_book=book.id,
        pools=pools,
    )
    b = Site(
        id=SiteId("b"),
        names=NAMES,
        region="CN-TJ",
        city="B",
        latitude=39,
        longitude=117,
        tier=Tier.EDGE,
        security_level=3,
        energy=energy,
        price_book=book.id,
    )
    link = Link(
        id=LinkId("l"),
        a=SiteId("b"),
        b=SiteId("a"),
        kind=LinkKind.OTN,
        length_km=100,
        capacity_bps=10**10,
        latency_us=500,
        price_micro_yuan_per_gbps_hour=3_000_000,
        price_micro_yuan_per_gib=1_000,
    )
    return Grid(id="g", name="G", default_origin=b.id, price_books=(book,), sites=(a, b), links=(link,))


def plan_of(pool, demand, bandwidth_bps=0, moved_bytes=0):
    path = Path(sites=(SiteId("b"), SiteId("a")), links=(DirectedLink(link=LinkId("l"), forward=True),), latency_us=500)
    move = DataMove(
        data_set="d",
        version=1,
        replica=SiteId("b"),
        size_bytes=moved_bytes,
        path=path,
        rate_bps=10**9,
        start_us=0,
        end_us=1,
    )
    return Plan(
        plan_id=PlanId("plan-1"), task_id=TaskId("task-1"), lease_id=LeaseId("lease-1"), generation=1, snapshot_version=1,
        site=SiteId("a"), pool=PoolId(pool), emulated=False, demand=demand, start_us=NIGHT, run_start_us=NIGHT, end_us=NIGHT + HOUR,
        path=path, bandwidth_bps=bandwidth_bps, data=(move,) if moved_bytes else (), holds=(), quote=(), quote_micro_yuan=0, carbon_mg=0,
    )  # fmt: skip


# pool    demand                                        held      shots  Gbps  GiB   billed micro-yuan
ROWS = [
    ("a/g",  Demand(cores=2, memory_bytes=4 * GIB),     HOUR,     0,     0,    0,    2 * 100_000 + 4 * 20_000 + 10_000),
    ("a/g",  Demand(cores=2, memory_bytes=4 * GIB),     HOUR / 2, 0,     0,    0,    100_000 + 40_000 + 5_000),
    ("a/g",  Demand(cores=1, memory_bytes=0),           1,        0,     0,    0,    0),
    ("a/g",  Demand(cores=1, memory_bytes=0),           18_000,   0,     0,    0,    1),
    ("a/ai", Demand(cores=8, memory_bytes=0, accelerators=2), HOUR, 0,   0,    0,    2 * 10_000_000 + 800_000),
    ("a/h",  Demand(nodes=3),                           2 * HOUR, 0,     0,    0,    30_000_000),
    ("a/q",  Demand(nodes=1),                           HOUR,     1_000, 0,    0,    36_000_000 + 100_000),
    ("a/q",  Demand(nodes=3),                           1_000_000, 10,   0,    0,    3 * 10_000 + 1_000),  # 0.01 yuan a second
    ("a/h",  Demand(nodes=1),                           HOUR,     0,     2,    0,    5_000_000 + 6_000_000),
    ("a/h",  Demand(nodes=1),                           HOUR,     0,     0,    50,   5_000_000 + 50_000),
    ("a/h",  Demand(nodes=1),                           0,        0,     2,    50,   50_000),
]  # fmt: skip


@pytest.mark.parametrize(("pool", "demand", "held_us", "shots", "gbps", "gib", "billed"), ROWS)
def test_bill(pool, demand, held_us, shots, gbps, gib, billed):
    plan = plan_of(pool, demand, gbps * 10**9, gib * GIB)
    lines = settle(plan, index_grid(grid()), shots, NIGHT, NIGHT + int(held_us), None)
    assert total_micro_yuan(lines) == billed


def test_an_attempt_that_its_site_lost_is_free():
    lines = settle(plan_of("a/h", Demand(nodes=1)), index_grid(grid()), 0, NIGHT, NIGHT + HOUR, FailureReason.SITE_LOST)
    assert lines == []


def test_a_failure_of_the_task_itself_is_billed():
    lines = settle(plan_of("a/h", Demand(nodes=1)), index_grid(grid()), 0, NIGHT, NIGHT + HOUR, FailureReason.EXIT_CODE)
    assert total_micro_yuan(lines) == 5_000_000


def test_time_of_use_splits_a_hold_at_the_edge_of_the_band():
    night = (TimeOfUse(from_hour=0, to_hour=6, permille=500),)
    plan = plan_of("a/h", Demand(nodes=1))
    lines = settle(plan, index_grid(grid(night)), 0, NIGHT + 5 * HOUR, NIGHT + 8 * HOUR, None)
    assert [(line.permille, line.amount_micro_yuan) for line in lines] == [(500, 2_500_000), (1_000, 10_000_000)]


@given(
    st.integers(0, 3 * US_PER_DAY),
    st.integers(0, 3 * US_PER_DAY),
    st.lists(st.tuples(st.integers(0, 23), st.integers(1, 24), st.integers(1, 10_000)), max_size=4),
)
def test_safety_bands_cover_a_hold_once_and_in_order(start, length, cuts):
    use = tuple(TimeOfUse(from_hour=a, to_hour=b, permille=c) for a, b, c in cuts)
    found = list(bands(PriceBook(id=PriceBookId("b"), time_of_use=use), start, start + length))
    assert sum(to - begin for begin, to, _ in found) == length
    assert all(one[1] == after[0] for one, after in pairwise(found))


@given(st.integers(0, 20_000_000), st.integers(0, 5 * HOUR))
def test_safety_the_bill_never_passes_the_consent_and_says_what_was_cut(room, held_us):
    lines = settle(plan_of("a/h", Demand(nodes=1)), index_grid(grid()), 0, NIGHT, NIGHT + held_us, None)
    bill = capped(lines, room)
    assert total_micro_yuan(bill) == min(room, total_micro_yuan(lines))
    caps = [line for line in bill if line.kind is ChargeKind.QUOTE_CAP]
    assert len(caps) == (total_micro_yuan(lines) > room)
    assert all(line.amount_micro_yuan < 0 for line in caps)
