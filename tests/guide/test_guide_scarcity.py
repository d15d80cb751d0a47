"""What is scarce on a real snapshot: the short pool has the price and nothing else, and an empty answer says why."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.worlds import HOUR, MIB, NOW, general, grid_of, grids, leases, link_of, requests, site_of, snapshot_of

from suanwang.guide import snapshot as module
from suanwang.guide.program import Budget
from suanwang.guide.worth import scarcity_of
from suanwang.model.grid import Pool, PoolKind, PriceBook, ProtectionFunction, SecurityPool
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.plan import Demand, Hold
from suanwang.model.scarcity import ScarceResource, ScarcityState
from suanwang.model.task import Resources, TaskRequest
from suanwang.plan import PlanAsk

GBPS = 10**9


def cards(site: str, model: str, nodes: int) -> Pool:
    return Pool(
        id=f"{site}/ai",
        kind=PoolKind.AI,
        nodes=nodes,
        cores_per_node=64,
        memory_bytes_per_node=2**38,
        accelerator_model=model,
        accelerators_per_node=2,
        power_w_per_node=0,
    )


def asks(request: TaskRequest, many: int) -> list[PlanAsk]:
    return [PlanAsk(TaskId(f"task-{at}"), TenantId("t"), request) for at in range(many)]


def task(**given) -> TaskRequest:
    res = {"cpu": 1, "memory": MIB, "wall_time": HOUR} | given.pop("res", {})
    return TaskRequest(run="true", resources=Resources(**res), **given)


ONE_CARD = task(res={"accelerators": 1, "accelerator": "any"})
# Cards at 3.000000 yuan in the east, at 5.000001 in the west.
TWO_SITES = grid_of(
    [site_of("east", [cards("east", "card-b", 1)]), site_of("west", [cards("west", "card-a", 20)])],
    [link_of("road", "east", "west")],
)
DEARER = 5_000_001 - 3_000_000


def held(hold: Hold) -> dict:
    return {"lease-1": (hold,)}


def test_the_pool_whose_cards_are_short_has_the_price_and_nothing_else() -> None:
    found = scarcity_of(snapshot_of(TWO_SITES), asks(ONE_CARD, 3), asks(ONE_CARD, 2), NOW)
    assert (found.state, found.waiting, found.came, found.classes, found.placed) == (ScarcityState.SCARCE, 3, 2, 1, 5)
    (row,) = found.rows
    assert (row.resource, row.id, row.site, row.model) == (ScarceResource.CARD, "east/ai", "east", "card-b")
    assert (row.free, row.whole) == (2, 2)
    assert abs(row.micro_yuan - DEARER) <= 2  # one card more there saves what the west is dearer
    assert abs(row.whole_micro_yuan - 2 * DEARER) <= 4
    assert found.hold_us == HOUR
    assert 0 < found.bound_micro_yuan <= found.value_micro_yuan


def test_a_pool_that_is_full_still_has_its_price() -> None:
    hold = Hold(
        resource="pool",
        key="east/ai",
        demand=Demand(cores=2, memory_bytes=MIB, accelerators=2),
        start_us=NOW - HOUR,
        end_us=NOW + HOUR,
    )
    (row,) = scarcity_of(snapshot_of(TWO_SITES, held(hold)), asks(ONE_CARD, 1), [], NOW).rows
    assert (row.id, row.free, row.whole) == ("east/ai", 0, 2)
    assert abs(row.micro_yuan - DEARER) <= 2
    later = snapshot_of(TWO_SITES, held(hold.model_copy(update={"start_us": NOW + 1})))
    assert scarcity_of(later, asks(ONE_CARD, 1), [], NOW).rows == ()


def test_a_site_that_is_down_is_no_place_and_has_no_price() -> None:
    found = scarcity_of(snapshot_of(TWO_SITES, down=("east",)), asks(ONE_CARD, 5), [], NOW)
    assert (found.state, found.candidates) == (ScarcityState.ENOUGH, 1)


def test_where_nothing_is_short_there_are_no_rows_and_the_reason() -> None:
    snapshot = snapshot_of(TWO_SITES)
    assert scarcity_of(snapshot, [], [], NOW).state is ScarcityState.IDLE
    few = scarcity_of(snapshot, asks(ONE_CARD, 1), [], NOW)
    assert (few.state, few.rows, few.placed) == (ScarcityState.ENOUGH, (), 1)
    quantum = scarcity_of(snapshot, asks(task(res={"qubits": 9, "shots": 5}), 1), [], NOW)
    assert (quantum.state, quantum.rows) == (ScarcityState.NOWHERE, ())
    gift = grid_of([site_of("here", [general("here")], book="free")], [], books=(PriceBook(id="free"),))
    assert scarcity_of(snapshot_of(gift), asks(task(), 9), [], NOW).state is ScarcityState.UNPRICED
    late = scarcity_of(snapshot, asks(ONE_CARD, 5), [], NOW, Budget(rounds=0))
    assert (late.state, late.rows) == (ScarcityState.LATE, ())


def test_a_link_that_is_short_is_priced_by_its_direction() -> None:
    users = site_of("users", [])
    grid = grid_of(
        [users, site_of("cheap", [general("cheap", 50)], book="bands"), site_of("dear", [general("dear", 50)])],
        [link_of("thin", "cheap", "users", 2 * GBPS), link_of("wide", "users", "dear", 100 * GBPS)],
    )
    found = scarcity_of(snapshot_of(grid), asks(task(bandwidth=GBPS, origin="users"), 3), [], NOW)
    (row,) = found.rows
    assert (row.resource, row.id, row.site, row.to) == (ScarceResource.LINK, "thin:ba", "users", "cheap")
    assert (row.free, row.whole) == (2 * GBPS, 2 * GBPS)
    assert row.micro_yuan > 0


def test_a_road_round_a_full_link_is_a_candidate_too() -> None:
    ends = [("short", "a", "b", 1_000), ("one", "a", "c", 2_000), ("two", "c", "b", 2_000)]
    grid = grid_of(
        [site_of("a"), site_of("b", [general("b", 9)]), site_of("c")],
        [link_of(name, a, b, 10 * GBPS, price=price) for name, a, b, price in ends],
    )
    hold = Hold(resource="link", key="short:ab", bps=10 * GBPS, start_us=NOW, end_us=NOW + HOUR)
    found = scarcity_of(snapshot_of(grid, held(hold)), asks(task(bandwidth=GBPS, origin="a"), 2), [], NOW)
    assert (found.candidates, found.placed) == (2, 2)
    assert [one.id for one in found.rows] == ["short:ab"]
    assert found.rows[0].micro_yuan in range(2_990, 3_001)  # the way round costs 3,000 a Gbit/s and hour more


def test_security_pools_and_whole_nodes_have_names_of_their_own() -> None:
    wall = SecurityPool(id="a/wall", function=ProtectionFunction.FIREWALL, capacity_bps=GBPS)
    nodes = Pool(id="b/hpc", kind=PoolKind.HPC, nodes=4, cores_per_node=64, memory_bytes_per_node=2**38)
    grid = grid_of(
        [site_of("a", security=[wall]), site_of("b", [nodes], level=5)], [link_of("road", "a", "b", 10 * GBPS)]
    )
    guarded = task(bandwidth=GBPS, origin="a", protection=("firewall",), res={"nodes": 2})
    (row,) = scarcity_of(snapshot_of(grid), asks(guarded, 2), [], NOW).rows
    assert (row.resource, row.id, row.site, row.free) == (ScarceResource.SECURITY, "a/wall", "a", GBPS)
    (row,) = scarcity_of(snapshot_of(grid), asks(task(origin="a", res={"nodes": 2}), 3), [], NOW).rows
    assert (row.resource, row.id, row.free, row.whole) == (ScarceResource.NODE, "b/hpc", 4, 4)


def test_tasks_of_too_many_kinds_are_counted_as_left_out(monkeypatch) -> None:
    monkeypatch.setattr(module, "CLASSES_MAX", 1)
    found = scarcity_of(snapshot_of(TWO_SITES), asks(task(), 2) + asks(ONE_CARD, 5), [], NOW)
    assert (found.classes, found.unread, found.waiting) == (1, 2, 7)
    assert [one.id for one in found.rows] == ["east/ai"]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_property_the_same_world_gives_the_same_answer_and_the_bound_holds(data) -> None:
    grid = data.draw(grids())
    snapshot = snapshot_of(grid, data.draw(leases(grid)))
    wanted = [one for at in range(3) for one in asks(data.draw(requests(grid)), at + 1)]
    first, second = (scarcity_of(snapshot, wanted, [], NOW) for _ in range(2))
    assert first == second
    assert first.bound_micro_yuan <= first.value_micro_yuan + 10 + first.value_micro_yuan // 1000
    assert all(row.free <= row.whole and row.micro_yuan > 0 for row in first.rows)
