"""A security pool dies, is taken out, or is full: who runs past it goes past another, and who waits for it wakes."""

import pytest
from pydantic import TypeAdapter
from tests.plan.worlds import FIREWALL
from tests.road.test_path_repair import MBPS, Mesh, firewall, replayed
from tests.road.test_reservations import SQUARE, checked, links_of, reserve, wanted
from tests.road.town import S, Town

from suanwang.model.grid import ProtectionFunction, SecurityPool
from suanwang.model.ids import SecurityPoolId, TaskId
from suanwang.model.network import NetFault, NoWay, Refusal
from suanwang.model.path_report import PathFault, PathOutcome
from suanwang.model.reason import PoolReason, WaitReason
from suanwang.model.record import Phase, Record
from suanwang.model.task import Standby
from suanwang.observe.state import State
from suanwang.twin.world import compare


def guarded(town: Mesh, **fields) -> TaskId:
    mine = town.running(protection=(FIREWALL,), **fields)
    assert walls(town, mine) == ["a/fw"]
    return mine


def walls(town: Mesh, task_id: TaskId) -> list[str]:
    return [one.security_pool for one in town.plan_of(task_id).protection]


# -- what runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", [None, "net-1"])
def test_what_runs_past_it_goes_past_another_and_the_attempt_goes_on(agent: str | None) -> None:
    town = Mesh()
    mine, other = guarded(town), town.running()
    before, attempt, batches = town.plan_of(mine), town.task(mine).attempt.attempt_id, len(town.log.batches)
    untouched = town.plan_of(other)
    town.now_us += 5 * S
    assert town.set_pool("a/fw", False, agent)
    after = town.plan_of(mine)
    assert (town.task(mine).phase, town.task(mine).attempt.attempt_id) == (Phase.RUNNING, attempt)
    assert (walls(town, mine), after.path.sites) == (["b/fw"], ("home", "b", "far"))
    assert (after.parent, after.lease_id, after.quote) == (before.plan_id, before.lease_id, before.quote)
    held = {one.key: one.start_us for one in town.road.state.leases[after.lease_id] if one.resource == "protection"}
    assert held == {"b/fw": town.now_us}
    assert town.plan_of(other) == untouched, "a path over the same site that needs no firewall is left alone"
    assert len(town.log.batches) == batches + 1
    (told,) = town.records("path_repaired")
    assert (told["cause"]["kind"], told["cause"]["avoid"], told["cause"]["avoid_pools"]) == ("cut", [], ["a/fw"])
    (changed,) = town.records("security_pool_changed")
    assert changed["cause"] == ("operator_failed" if agent is None else "agent_dead")
    assert replayed(town).security_down == {"a/fw"}
    town.until(mine, Phase.SUCCEEDED)
    assert [one["reason"] for one in town.records("attempt_closed")] == [None]


def test_without_another_the_path_is_broken_and_whole_again_when_it_comes_back() -> None:
    town = Mesh()
    town.set_pool("b/fw", False)
    mine = guarded(town)
    plan = town.plan_of(mine)
    town.set_pool("a/fw", False, "net-1")
    assert town.told(mine) == ["broken"]
    assert town.task(mine).phase is Phase.RUNNING
    town.set_pool("a/fw", False)  # an operator makes it theirs: the path is broken as it was
    assert town.told(mine) == ["broken"]
    assert not town.set_pool("a/fw", True, "net-1")
    town.set_pool("a/fw", True)
    assert town.told(mine) == ["broken", "restored"]
    assert town.plan_of(mine) == plan
    replayed(town)


def test_another_that_comes_back_is_taken() -> None:
    town = Mesh()
    town.set_pool("b/fw", False)
    mine = guarded(town)
    town.set_pool("a/fw", False)
    town.set_pool("b/fw", True)
    assert town.told(mine) == ["broken", "repaired"]
    assert walls(town, mine) == ["b/fw"]
    assert not town.road.state.broken


def test_a_path_that_lost_a_link_and_a_pool_is_whole_only_with_both() -> None:
    town = Mesh()
    town.set_pool("b/fw", False)
    mine = guarded(town)
    town.set_pool("a/fw", False)
    for link in ("home-b", "home-c", "a-far", "home-a"):
        town.set(link, False)
    town.set_pool("a/fw", True)
    assert town.told(mine)[-1] == "broken"
    for link in ("home-a", "a-far"):
        assert town.told(mine)[-1] == "broken"
        town.set(link, True)
    assert town.told(mine)[-1] == "restored"
    replayed(town)


def test_a_brain_that_starts_knows_who_took_it_out() -> None:
    town = Mesh()
    town.set_pool("a/fw", False, "net-1")
    town.road = town.opened()
    assert not town.set_pool("a/fw", True, "net-2")
    assert town.set_pool("a/fw", True, "net-1")
    assert town.road.state.security_down == frozenset()


def test_a_task_with_a_standby_place_goes_there_where_no_other_firewall_is_up() -> None:
    town = Mesh()
    mine = town.running(protection=(FIREWALL,), standby=Standby.SITE, sites=("far", "b"))
    first = town.plan_of(mine)
    (used,), (spare,) = walls(town, mine), [one.security_pool for one in first.standby.protection]
    for one in {"a/fw", "b/fw"} - {used, spare}:
        town.set_pool(one, False)
    town.set_pool(used, False)
    second = town.plan_of(mine)
    assert used not in walls(town, mine)
    assert (second.site, second.took_over) in ((first.site, False), (first.standby.site, True))
    town.until(mine, Phase.SUCCEEDED)
    replayed(town)


# -- what has not begun --------------------------------------------------------------------------------------------


def test_what_is_planned_past_it_is_planned_again() -> None:
    town = Mesh()
    mine = town.send(protection=(FIREWALL,), earliest_start=town.now_us + 100 * S)
    town.until(mine, Phase.PLANNED)
    assert walls(town, mine) == ["a/fw"]
    town.set_pool("a/fw", False)
    assert [one["reason"] for one in town.records("plan_dropped")] == ["security_pool_down"]
    town.until(mine, Phase.PLANNED)
    assert walls(town, mine) == ["b/fw"]


def test_what_waits_for_it_says_so_and_wakes() -> None:
    town = Mesh()
    town.set_pool("a/fw", False, "net-1")
    town.set_pool("b/fw", False)
    mine, bare = town.send(protection=(FIREWALL,)), town.send()
    town.until(bare, Phase.RUNNING)
    assert (town.task(mine).phase, town.task(mine).wait_reason) == (Phase.WAITING, WaitReason.NETWORK_DOWN)
    (waits,) = [one for one in town.records("task_waits") if one["task_id"] == mine]
    assert PoolReason.PROTECTION in {one["reason"] for one in waits["clauses"]}
    for _ in range(5):
        town.round()
    assert len([one for one in town.records("task_waits") if one["task_id"] == mine]) == 1
    town.set_pool("b/fw", True)
    town.until(mine, Phase.RUNNING)
    assert walls(town, mine) == ["b/fw"]


# -- who may ---------------------------------------------------------------------------------------------------------

ME, ONE, TWO = None, "net-1", "net-2"


@pytest.mark.parametrize(
    ("words", "changes", "down"),
    [
        # (who, up), ... -> whether each changed anything, and whether it is out at the end
        ([(ME, False), (ME, False)], [True, False], True),
        ([(ME, True)], [False], False),
        ([(ONE, True)], [False], False),
        ([(ME, False), (ONE, True)], [True, False], True),
        ([(ME, False), (ONE, False), (ONE, True), (ME, True)], [True, False, False, True], False),
        ([(ONE, False), (ONE, False), (ONE, True)], [True, False, True], False),
        ([(ONE, False), (TWO, False), (TWO, True), (ONE, True)], [True, False, False, True], False),
        ([(ONE, False), (ME, False), (ONE, True), (ME, True)], [True, True, False, True], False),
        ([(ONE, False), (ME, True), (ONE, False)], [True, True, True], True),
    ],
)
def test_an_agent_does_not_argue_with_an_operator(words, changes, down) -> None:
    """What changes nothing is no record, of a security pool as of a link."""
    town = Mesh()
    assert [town.set_pool("a/fw", up, who) for who, up in words] == changes
    assert [town.set("home-a", up, who) for who, up in words] == changes
    assert town.road.state.security_down == (frozenset({"a/fw"}) if down else frozenset())
    assert town.road.state.links_down == (frozenset({"home-a"}) if down else frozenset())
    for kind in ("security_pool_changed", "link_changed"):
        assert len(town.records(kind)) == sum(changes)
    compare(town.road.state, town.log.replay(State(town.index)))
    town.road = town.opened()
    assert town.set("home-a", True) is town.set_pool("a/fw", True) is down, "an operator mends what anybody took out"


def test_a_record_of_before_agents_were_told_is_an_operators() -> None:
    text = '{"t":"link_changed","at_us":1,"link":"home-a","up":false,"principal":"key-1"}'
    town = Mesh()
    town.road.emit(TypeAdapter(Record).validate_json(text))
    town.road.commit()
    assert town.road.state.links_down == {"home-a"}
    assert not town.set("home-a", True, "net-1")
    assert town.set("home-a", True)
    assert replayed(town).links_out == {}


def test_a_link_that_is_cut_already_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Mesh()
    town.running()
    for link in ("home-b", "home-c", "home-a"):
        town.set(link, False)
    looked, batches = [], len(town.log.batches)
    monkeypatch.setattr("suanwang.repair.repair", lambda *given: looked.append(given))
    assert not town.set("home-a", False)
    assert not town.set("a-far", True)
    assert (looked, len(town.log.batches)) == ([], batches)


# -- reports that it is full ---------------------------------------------------------------------------------------


def test_a_full_pool_is_left_and_the_links_need_not_be() -> None:
    town = Mesh()
    mine = guarded(town)
    found = town.report(mine, PathFault.LOSS, lost_permille=50, avoid_pools=("a/fw",))
    assert found is PathOutcome.REPAIRED
    assert walls(town, mine) == ["b/fw"]
    assert town.road.state.security_down == frozenset()
    (told,) = town.records("path_repaired")
    assert (told["cause"]["avoid"], told["cause"]["avoid_pools"]) == ([], ["a/fw"])


def test_both_lists_are_kept_to() -> None:
    town = Mesh()
    mine = guarded(town)
    assert town.report(mine, PathFault.LOSS, avoid=("home-b",), avoid_pools=("a/fw",)) is PathOutcome.REPAIRED
    assert walls(town, mine) == ["b/fw"]
    assert "home-b" not in {one.link for one in town.plan_of(mine).path.links}


def test_without_another_it_stays_and_is_told_once() -> None:
    town = Mesh()
    town.set_pool("b/fw", False)
    mine = guarded(town)
    for lost in (40, 50):
        found = town.report(mine, PathFault.LOSS, lost_permille=lost, avoid_pools=("a/fw",))
        assert found is PathOutcome.BROKEN
    assert town.told(mine) == ["broken"]
    assert town.report(mine, PathFault.LOSS, avoid=("a-far",), avoid_pools=("a/fw",)) is PathOutcome.BROKEN
    assert town.told(mine) == ["broken", "broken"], "other suspects are news"
    town.set_pool("b/fw", True)
    assert walls(town, mine) == ["b/fw"]


def test_a_path_without_links_may_still_leave_its_pool() -> None:
    """The user is where the work is, and so is the firewall."""
    town = Mesh()
    mine = town.running(sites=("a",), origin="a", protection=(FIREWALL,))
    assert (town.way(mine), walls(town, mine)) == (("a",), ["a/fw"])
    assert town.report(mine, PathFault.LOSS) is PathOutcome.IGNORED
    assert town.report(mine, PathFault.LOSS, avoid_pools=("a/fw",)) is PathOutcome.REPAIRED
    assert walls(town, mine) == ["b/fw"]
    assert len(town.way(mine)) > 1


# -- reservations ----------------------------------------------------------------------------------------------------


def test_a_reservation_goes_past_another_and_else_is_broken_until_one_comes_back() -> None:
    ids = ProtectionFunction.IDS
    pools = {one: [SecurityPool(id=f"{one}/ids", function=ids, capacity_bps=10**9)] for one in "bc"}
    town = Town("a", "b", "c", "d", links=SQUARE, security=pools)

    def switch(pool: str, up: bool) -> None:
        town.road.set_security_pool(SecurityPoolId(pool), up, "op")
        town.road.commit()

    made = reserve(town, wanted(protection=(ids,)))
    key = made.reservation.reservation_id
    assert links_of(made) == ["a-b:ab", "b-d:ab"]
    town.road.state.security_down = frozenset({"b/ids"})  # before anybody has followed it
    assert {one.fault for one in checked(town).faults} == {NetFault.SECURITY_DOWN}
    town.road.state.security_down = frozenset()
    switch("b/ids", False)
    moved = town.road.state.reservations[key]
    assert [one.security_pool for one in moved.way.protection] == ["c/ids"]
    assert not checked(town).faults
    switch("c/ids", False)
    assert town.road.state.reservations[key].way is None
    assert reserve(town, wanted(protection=(ids,))) == Refusal(reason=NoWay.NO_POOL)
    assert not isinstance(reserve(town, wanted()), Refusal)
    switch("c/ids", True)
    assert town.road.state.reservations[key].way is not None
    assert not checked(town).faults
    compare(town.road.state, town.log.replay(State(town.index)))


def test_the_walls_of_the_mesh_are_two() -> None:
    assert [one.id for one in (firewall("a"), firewall("b"))] == list(Mesh().index.security_order)
    assert Mesh().index.security_pools["a/fw"][0].capacity_bps == 100 * MBPS
