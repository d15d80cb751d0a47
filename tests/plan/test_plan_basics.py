"""Plans on grids small enough to work out by hand."""

import base64
import zlib

import numpy as np
import pytest
from worlds import HOUR, MIB, NOW, Ids, S, general, grid_of, link_of, site_of, snapshot_of

from suanwang.model.grid import (
    DataSet,
    Pool,
    PoolKind,
    PriceBook,
    ProtectionFunction,
    SecurityPool,
    TimeOfUse,
)
from suanwang.model.ids import SiteId, TaskId, TenantId
from suanwang.model.plan import Demand, Hold
from suanwang.model.reason import WRITTEN_POOL_REASONS, PoolReason
from suanwang.model.snapshot import LeaseChange, Snapshot
from suanwang.model.task import Input, Preference, Resources, TaskRequest
from suanwang.plan import PlanAnswer, PlanAsk, explain_verdicts, plan
from suanwang.plan.build import pack, unpack
from suanwang.plan.clauses import CHOSEN, ORDER
from suanwang.verify import verify

FREE = PriceBook(id="free")
CHEAP = PriceBook(id="cheap", core_hour_micro_yuan=1_000)
DEAR = PriceBook(id="dear", core_hour_micro_yuan=3_000)
BOOKS = (FREE, CHEAP, DEAR)


def task(**given) -> TaskRequest:
    given.setdefault("resources", Resources(cpu=1, memory=MIB, wall_time=HOUR))
    return TaskRequest(run="true", **given)


def answer(snapshot: Snapshot, request: TaskRequest, now: int = NOW, excluded=frozenset()) -> PlanAnswer:
    found = plan(snapshot, [PlanAsk(TaskId("t"), TenantId("x"), request, 1, None, excluded)], now, 0, Ids())[0]
    if found.plan is not None:
        assert verify(found.plan, request, snapshot) == []
    return found


def two_sites(**link) -> Snapshot:
    """Near and dear at a, far and cheap at b."""
    sites = (site_of("a", [general("a")], book="dear"), site_of("b", [general("b")], book="cheap", carbon=100))
    return snapshot_of(grid_of(sites, [link_of("ab", "a", "b", **link)], books=BOOKS))


def test_what_stands_in_old_logs_for_a_reason_never_changes() -> None:
    """A plan of an old log: each of the first reasons, and the chosen one, as they were written then."""
    old = base64.b64encode(zlib.compress(bytes([*range(18), 255]))).decode()
    names = "kind site_list site_down security_level residency data_residency node_shape accelerator pool_size"
    names += " price_missing latency protection bandwidth data_path capacity deadline price_limit worse"
    assert [ORDER[code].value for code in unpack(old)[:18]] == names.split()
    assert unpack(old)[18] == CHOSEN
    assert set(WRITTEN_POOL_REASONS) == set(PoolReason)
    codes = np.array([*range(len(ORDER)), CHOSEN])
    assert list(unpack(pack(codes))) == codes.tolist()


def pool_hold(pool: str, start: int, end: int, cores: int = 4) -> tuple[Hold, ...]:
    return (Hold(resource="pool", key=pool, demand=Demand(cores=cores), start_us=start, end_us=end),)


@pytest.mark.parametrize(
    ("preference", "pool"),
    [(Preference.CHEAPEST, "b/general"), (Preference.FASTEST, "b/general"), (Preference.GREENEST, "b/general")],
)
def test_the_cheaper_and_greener_pool_wins(preference: Preference, pool: str) -> None:
    made = answer(two_sites(), task(preference=preference)).plan
    assert made is not None
    assert (made.pool, made.quote_micro_yuan, made.path.latency_us) == (pool, 1_000, 1_000)
    assert (made.start_us, made.run_start_us, made.end_us) == (NOW, NOW, NOW + HOUR)


def test_fastest_waits_for_nothing_that_another_has_now() -> None:
    snapshot = two_sites()
    snapshot = snapshot_of(snapshot.index.grid, {"l": pool_hold("b/general", NOW, NOW + 60 * S)})
    request = task(preference=Preference.CHEAPEST, deadline=NOW + 3 * HOUR)
    assert answer(snapshot, request).plan.start_us == NOW + 60 * S  # cheaper, though later
    assert answer(snapshot, request.model_copy(update={"preference": Preference.FASTEST})).plan.pool == "a/general"
    assert answer(snapshot, task()).plan.pool == "a/general"  # no deadline: the first start that does


def test_without_room_the_start_waits_for_the_end_of_a_hold() -> None:
    leases = {
        "l1": pool_hold("a/general", NOW, NOW + 90 * S),
        "l2": pool_hold("b/general", NOW - 5, NOW + 60 * S + 7),
    }
    snapshot = snapshot_of(two_sites().index.grid, leases)
    made = answer(snapshot, task()).plan
    assert (made.pool, made.start_us) == ("b/general", NOW + 60 * S + 7)


def test_a_cheaper_hour_is_worth_waiting_for_within_the_deadline() -> None:
    book = PriceBook(
        id="night", core_hour_micro_yuan=1_000, time_of_use=(TimeOfUse(from_hour=8, to_hour=24, permille=2_000),)
    )
    grid = grid_of([site_of("a", [general("a")], book="night")], [], books=(book,))
    midnight = NOW - (NOW + 8 * HOUR) % (24 * HOUR) + 24 * HOUR  # NOW is 06:13 in UTC+8
    day = midnight - 15 * HOUR  # 09:00
    made = answer(snapshot_of(grid), task(deadline=day + 24 * HOUR), now=day).plan
    assert (made.start_us, made.quote_micro_yuan) == (midnight, 1_000)
    assert answer(snapshot_of(grid), task(deadline=day + 2 * HOUR), now=day).plan.quote_micro_yuan == 2_000
    assert answer(snapshot_of(grid), task(), now=day).plan.start_us == day


def test_bandwidth_takes_the_cheapest_path_within_the_bound() -> None:
    sites = (site_of("a", book="free"), site_of("m", book="free"), site_of("b", [general("b")], book="free"))
    links = (
        link_of("direct", "a", "b", latency=1_000, price=9_000_000),
        link_of("one", "a", "m", latency=4_000, price=1_000_000),
        link_of("two", "m", "b", latency=4_000, price=1_000_000),
    )
    snapshot = snapshot_of(grid_of(sites, links, books=BOOKS))
    wide = answer(snapshot, task(bandwidth=10**9)).plan
    assert (wide.path.sites, wide.quote_micro_yuan) == (("a", "m", "b"), 2_000_000)
    assert [(hold.key, hold.bps) for hold in wide.holds[1:]] == [("one:ab", 10**9), ("two:ab", 10**9)]
    near = answer(snapshot, task(bandwidth=10**9, latency=7_999)).plan
    assert (near.path.sites, near.quote_micro_yuan) == (("a", "b"), 9_000_000)
    assert answer(snapshot, task()).plan.path.sites == ("a", "b")  # nothing held: the least latency


def test_a_held_link_is_gone_round() -> None:
    sites = (site_of("a", book="free"), site_of("m", book="free"), site_of("b", [general("b")], book="free"))
    links = (link_of("direct", "a", "b"), link_of("one", "a", "m"), link_of("two", "m", "b"))
    hold = Hold(resource="link", key="direct:ab", bps=1, start_us=NOW + HOUR - 1, end_us=NOW + 2 * HOUR)
    snapshot = snapshot_of(grid_of(sites, links, books=BOOKS), {"l": (hold,)})
    assert answer(snapshot, task(bandwidth=10**9)).plan.path.sites == ("a", "m", "b")
    back = hold.model_copy(update={"key": "direct:ba"})
    snapshot = snapshot_of(snapshot.index.grid, {"l": (back,)})
    assert answer(snapshot, task(bandwidth=10**9)).plan.path.sites == ("a", "b")  # the other direction is free


def test_protection_is_passed_in_order_and_a_link_crossed_twice_is_held_twice() -> None:
    guard = SecurityPool(
        id="m/fw", function=ProtectionFunction.FIREWALL, capacity_bps=10**9, price_micro_yuan_per_gbps_hour=500_000
    )
    sites = (site_of("a", [general("a")], book="free"), site_of("m", security=[guard], book="free"))
    grid = grid_of(sites, [link_of("am", "a", "m", price=0)], books=BOOKS)
    made = answer(snapshot_of(grid), task(protection=(ProtectionFunction.FIREWALL,))).plan
    assert made.path.sites == ("a", "m", "a")
    assert made.bandwidth_bps == 10_000_000
    assert [(hold.key, hold.bps) for hold in made.holds[1:]] == [
        ("am:ab", 10**7),
        ("am:ba", 10**7),
        ("m/fw", 10**7),
    ]
    assert made.quote_micro_yuan == 5_000


def test_the_same_direction_twice_needs_twice_the_bandwidth() -> None:
    """a -> m (firewall) -> a -> m: the run is at m, whose IDS stands at a."""
    guards = {
        "m": SecurityPool(id="m/fw", function=ProtectionFunction.FIREWALL, capacity_bps=10**9),
        "a": SecurityPool(id="a/ids", function=ProtectionFunction.IDS, capacity_bps=10**9),
    }
    sites = (
        site_of("a", security=[guards["a"]], book="free"),
        site_of("m", [general("m")], security=[guards["m"]], book="free"),
    )
    chain = (ProtectionFunction.FIREWALL, ProtectionFunction.IDS)
    wide = snapshot_of(grid_of(sites, [link_of("am", "a", "m", capacity=2 * 10**9)], books=BOOKS))
    assert answer(wide, task(protection=chain, bandwidth=10**9)).plan.path.sites == ("a", "m", "a", "m")
    tight = snapshot_of(grid_of(sites, [link_of("am", "a", "m", capacity=2 * 10**9 - 1)], books=BOOKS))
    found = answer(tight, task(protection=chain, bandwidth=10**9))
    assert found.plan is None
    assert not found.ever
    assert {one.reason for one in found.report().verdicts} == {PoolReason.BANDWIDTH}


def test_data_come_from_the_cheapest_replica_and_the_run_waits_for_them() -> None:
    sites = (site_of("a", [general("a")], book="free"), site_of("b", book="free"), site_of("c", book="free"))
    links = (link_of("ba", "b", "a", gib=5_000), link_of("ca", "c", "a", gib=3_000, latency=2_000))
    data = DataSet(id="d", name="d", size_bytes=2**30, replicas=("b", "c"))
    snapshot = snapshot_of(grid_of(sites, links, [data], books=BOOKS))
    made = answer(snapshot, task(inputs=(Input(source="dataset:d", path="d"),))).plan
    move = made.data[0]
    sending = -(-(2**30) * 8 * S // 10**9)
    assert (move.replica, move.rate_bps, move.end_us) == ("c", 10**9, NOW + sending + 2_000)
    assert (made.run_start_us, made.quote_micro_yuan) == (move.end_us, 3_000)
    assert made.holds[-1].key == "ca:ab"


def test_two_data_sets_share_a_link() -> None:
    sites = (site_of("a", [general("a")], book="free"), site_of("b", book="free"))
    data = [DataSet(id=f"d{at}", name="d", size_bytes=125_000_000, replicas=("b",)) for at in (1, 2)]
    inputs = tuple(Input(source=f"dataset:d{at}", path=f"d{at}") for at in (1, 2))
    for capacity, seconds in ((2 * 10**9, 1), (10**9 + 10**8, 10), (10**9, 10), (2 * 10**8, 10)):
        grid = grid_of(sites, [link_of("ab", "a", "b", capacity=capacity, latency=0)], data, books=BOOKS)
        made = answer(snapshot_of(grid), task(inputs=inputs)).plan
        assert made.run_start_us - NOW == seconds * S, capacity
    narrow = grid_of(sites, [link_of("ab", "a", "b", capacity=199_999_999, latency=0)], data, books=BOOKS)
    moves = answer(snapshot_of(narrow), task(inputs=inputs)).plan.data
    assert sorted(one.rate_bps for one in moves) == [30_000_000, 30_000_000]


@pytest.mark.parametrize(
    ("capacity_bps", "rate_bps"),
    [(2_500, 1_000), (64_000, 30_000), (29_000_000, 10_000_000), (91_844_559, 30_000_000), (10**8, 10**8)],
)
def test_data_comes_over_a_line_of_any_width(capacity_bps: int, rate_bps: int) -> None:
    sites = (site_of("a", [general("a")], book="free"), site_of("b", book="free"))
    data = [DataSet(id="d", name="d", size_bytes=1_000, replicas=("b",))]
    grid = grid_of(sites, [link_of("ab", "a", "b", capacity=capacity_bps)], data, books=BOOKS)
    (move,) = answer(snapshot_of(grid), task(inputs=(Input(source="dataset:d", path="d"),))).plan.data
    assert move.rate_bps == rate_bps


def test_a_batch_sees_the_holds_of_those_before_it() -> None:
    snapshot = two_sites()
    asks = [PlanAsk(TaskId(f"t{at}"), TenantId("x"), task()) for at in range(9)]
    plans = [one.plan for one in plan(snapshot, asks, NOW, 0, Ids())]
    assert [one.pool for one in plans] == ["b/general"] * 4 + ["a/general"] * 4 + ["b/general"]
    assert plans[-1].start_us == NOW + HOUR
    assert snapshot.leases == {}


def test_following_a_history_equals_reading_the_leases() -> None:
    grid = two_sites().index
    history: list[LeaseChange] = []
    leases: dict = {}
    for at in range(12):
        holds = pool_hold(("a/general", "b/general")[at % 2], NOW + at * S, NOW + (at + 40) * S, 1)
        leases[f"l{at}"] = holds
        history.append(LeaseChange(f"l{at}", holds, True))
        if at % 3 == 2:
            history.append(LeaseChange(f"l{at - 1}", leases.pop(f"l{at - 1}"), False))
        base = snapshot_of(grid.grid)
        followed = Snapshot(at, grid, base.sites, leases, history=history, history_end=len(history))
        fresh = Snapshot(at, base.index, base.sites, dict(leases))
        request = task(resources=Resources(cpu=3, memory=MIB, wall_time=S))
        one, two = answer(followed, request).plan, answer(fresh, request).plan
        assert (one.pool, one.start_us) == (two.pool, two.start_us)


def test_an_old_view_can_be_asked_again() -> None:
    """The report of an answer is made on the view of the answer, wherever the ledger has gone meanwhile."""
    index = two_sites().index
    states = two_sites().sites
    history = [LeaseChange("l1", pool_hold("a/general", NOW, NOW + HOUR), True)]
    leases = {"l1": history[0].holds}
    old = Snapshot(1, index, states, dict(leases), history=history, history_end=1)
    assert answer(old, task()).plan.pool == "b/general"
    history.append(LeaseChange("l2", pool_hold("b/general", NOW, NOW + HOUR), True))
    leases["l2"] = history[1].holds
    new = Snapshot(2, index, states, leases, history=history, history_end=2)
    assert answer(new, task()).plan.start_us == NOW + HOUR
    assert answer(old, task()).plan.pool == "b/general"
    assert answer(old, task()).plan.start_us == NOW


def test_the_same_arguments_give_the_same_plan() -> None:
    first, second = (answer(two_sites(), task(bandwidth=10**8)).plan for _ in range(2))
    assert first == second


def test_a_pool_with_more_memory_than_64_bits_count() -> None:
    huge = Pool(id="a/huge", kind=PoolKind.GENERAL, nodes=10**7, cores_per_node=4, memory_bytes_per_node=2**60)
    grid = grid_of([site_of("a", [huge], book="plain")], [])
    resources = Resources(cpu=1, memory=2**59, wall_time=HOUR)
    made = answer(snapshot_of(grid), task(resources=resources)).plan
    assert made.demand.memory_bytes == 2**59  # priced with more than 64 bits, and verified above


def test_excluded_sites_are_left_out() -> None:
    assert answer(two_sites(), task(), excluded=frozenset({SiteId("b")})).plan.pool == "a/general"
    none = answer(two_sites(), task(), excluded=frozenset({SiteId("a"), SiteId("b")}))
    assert none.plan is None
    assert not none.ever


def test_verdicts_of_a_plan_name_each_pool() -> None:
    snapshot = two_sites()
    made = answer(snapshot, task()).plan
    verdicts = explain_verdicts(made, snapshot.index)
    assert [(one.pool, one.reason) for one in verdicts] == [("a/general", PoolReason.WORSE), ("b/general", None)]
    assert [(one.pool, one.price_micro_yuan) for one in made.alternatives] == [("a/general", 3_000)]
