"""Reservations of the live network: held like a plan's lease, moved when a link falls, ended in time, and replayed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.worlds import link_of
from tests.road.town import NOW, S, Town

from suanwang.model.error import NotFoundError
from suanwang.model.grid import ProtectionFunction, SecurityPool
from suanwang.model.ids import LinkId, ReservationId, SiteId
from suanwang.model.network import NetFault, NoWay, Refusal
from suanwang.model.record import Phase
from suanwang.model.reservation import CarriedLink, Reservation, Wanted, WaySegment
from suanwang.model.task import Resources
from suanwang.observe.reserved import Reserved
from suanwang.observe.state import State
from suanwang.verify.network import StandingPlan, StandingReservation, verify_network
from suanwang.verify.reserved import Tracer, reservation_faults

GBPS = 10**9
# a and d are joined over b (cheap), over c (dear and slow) and, where it is up, by a long link of their own.
SQUARE = (
    link_of("a-b", "a", "b", latency=1_000, price=10),
    link_of("b-d", "b", "d", latency=1_000, price=10),
    link_of("a-c", "a", "c", latency=3_000, price=50),
    link_of("c-d", "c", "d", latency=3_000, price=50),
)


def square() -> Town:
    return Town("a", "b", "c", "d", links=SQUARE)


def wanted(source: str = "a", target: str = "d", bps: int = 600_000_000, **more) -> Wanted:
    return Wanted(source=SiteId(source), target=SiteId(target), bandwidth_bps=bps, **more)


def reserve(town: Town, what: Wanted | None = None, start_s: int = 0, lasts_s: int = 3_600) -> Reserved | Refusal:
    made = len(town.records("reservation_made"))
    start_us = town.now_us + start_s * S
    one = Reservation(
        reservation_id=ReservationId(f"resv-{made:026d}"),
        principal="op",
        wanted=what or wanted(),
        start_us=start_us,
        end_us=start_us + lasts_s * S,
    )
    return town.road.reserve(one)


def links_of(kept: Reserved) -> list[str]:
    assert kept.way is not None
    return [one.link for one in kept.way.links]


def cut(town: Town, link: str, up: bool = False) -> None:
    town.road.set_link(LinkId(link), up, "op")
    town.road.commit()


def checked(town: Town):
    state = town.road.state
    plans = [
        StandingPlan(task.plan, task.request, max(hold.end_us for hold in state.leases[task.plan.lease_id]))
        for group in (state.planned, *state.by_site.values())
        for task in group.values()
        if task.plan is not None
    ]
    reservations = [
        StandingReservation(one.reservation, one.way, one.lease_id, one.standby)
        for one in state.reservations.values()
        if one.way is not None
    ]
    return verify_network(state.snapshot(), plans, reservations, town.now_us)


def test_the_cheapest_way_is_held_in_both_the_state_and_the_log():
    town = square()
    kept = reserve(town)
    assert links_of(kept) == ["a-b:ab", "b-d:ab"]
    assert kept.way.latency_us == 2_000
    assert kept.way.price_micro_yuan_per_gbps_hour == 20
    assert [(one.key, one.bps) for one in town.road.state.leases[kept.lease_id]] == [
        ("a-b:ab", 600_000_000),
        ("b-d:ab", 600_000_000),
    ]
    assert len(town.records("reservation_made")) == 1
    assert not checked(town).faults


def test_the_next_goes_round_and_the_third_is_refused_with_what_is_left():
    town = square()
    reserve(town)
    assert links_of(reserve(town)) == ["a-c:ab", "c-d:ab"]
    refused = reserve(town)
    assert refused == Refusal(reason=NoWay.NO_ROOM, widest_bps=400_000_000)
    assert len(town.road.state.reservations) == 2
    assert not checked(town).faults


def test_a_bound_in_time_and_what_is_avoided_are_kept_or_refused():
    town = square()
    assert links_of(reserve(town, wanted(avoid_sites=("b",)))) == ["a-c:ab", "c-d:ab"]
    refused = reserve(town, wanted(avoid_sites=("b",), latency_us_max=5_999))
    assert refused == Refusal(reason=NoWay.TOO_FAR, least_us=6_000)
    assert reserve(town, wanted(avoid_sites=("b", "c"))) == Refusal(reason=NoWay.AVOIDED)
    assert reserve(town, wanted(protection=(ProtectionFunction.IDS,))) == Refusal(reason=NoWay.NO_POOL)


def test_a_security_pool_on_the_way_is_held_too():
    pool = SecurityPool(id="c/ids", function=ProtectionFunction.IDS, capacity_bps=GBPS)
    town = Town("a", "b", "c", "d", links=SQUARE, security={"c": [pool]})
    kept = reserve(town, wanted(protection=(ProtectionFunction.IDS,)))
    assert links_of(kept) == ["a-c:ab", "c-d:ab"]
    assert [one.security_pool for one in kept.way.protection] == ["c/ids"]
    held = {(one.resource, one.key): one.bps for one in town.road.state.leases[kept.lease_id]}
    assert held["protection", "c/ids"] == 600_000_000
    assert isinstance(reserve(town, wanted(protection=(ProtectionFunction.IDS,))), Refusal)
    assert not checked(town).faults


def test_the_planner_leaves_a_reservation_its_room_and_takes_it_once_it_is_given_back():
    town = Town("a", "b")
    kept = reserve(town, wanted("a", "b"))
    task = town.submit(origin="a", sites=("b",), bandwidth=500_000_000, resources=Resources(cpu=1, wall_time=60 * S))
    town.round()
    planned = town.task(task)
    assert planned.plan is None or planned.plan.start_us >= kept.reservation.end_us
    town.road.release(kept.reservation.reservation_id, "op")
    town.until(task, Phase.RUNNING, Phase.SUCCEEDED)
    assert town.now_us < kept.reservation.end_us
    assert not checked(town).faults


def test_a_reservation_leaves_a_plan_its_room():
    town = Town("a", "b")
    task = town.submit(origin="a", sites=("b",), bandwidth=500_000_000, resources=Resources(cpu=1, wall_time=60 * S))
    town.round()
    assert town.task(task).plan is not None
    assert reserve(town, wanted("a", "b")) == Refusal(reason=NoWay.NO_ROOM, widest_bps=500_000_000)
    later = reserve(town, wanted("a", "b"), start_s=3_600)
    assert isinstance(later, Reserved)
    assert not checked(town).faults


def test_when_a_link_falls_it_moves_and_when_none_is_left_it_breaks_until_one_comes_back():
    town = square()
    kept = reserve(town)
    first = kept.lease_id
    cut(town, "a-b")
    assert links_of(kept) == ["a-c:ab", "c-d:ab"]
    assert (kept.moves, kept.broken_by) == (1, None)
    assert first not in town.road.state.leases
    cut(town, "c-d")
    assert (kept.way, kept.lease_id, kept.broken_by) == (None, None, "c-d")
    assert not town.road.state.leases
    assert [one["link"] for one in town.records("reservation_broken")] == ["a-b", "c-d"]
    cut(town, "a-b", up=True)
    assert links_of(kept) == ["a-b:ab", "b-d:ab"]
    assert kept.broken_by is None
    assert not checked(town).faults


def test_a_broken_one_comes_back_when_room_is_made():
    town = square()
    one, two = reserve(town), reserve(town)
    cut(town, "a-b")
    assert one.way is None  # the other holds what it would need
    town.road.release(two.reservation.reservation_id, "op")
    town.road.tick()
    assert links_of(one) == ["a-c:ab", "c-d:ab"]


def test_it_ends_by_itself():
    town = square()
    kept = reserve(town, lasts_s=10)
    town.now_us += 10 * S
    town.road.tick()
    assert not town.road.state.reservations
    assert not town.road.state.leases
    (ended,) = town.records("reservation_ended")
    assert (ended["reservation_id"], ended["why"]) == (kept.reservation.reservation_id, "over")
    with pytest.raises(NotFoundError) as error:
        town.road.release(kept.reservation.reservation_id, "op")
    assert error.value.code == "reservation_unknown"


def test_equal_paths_share_the_flow_and_a_link_that_comes_back_is_followed():
    even = tuple(one.model_copy(update={"latency_us": 1_000, "price_micro_yuan_per_gbps_hour": 10}) for one in SQUARE)
    town = Town("a", "b", "c", "d", links=even)
    cut(town, "a-c")
    kept = reserve(town)
    assert links_of(kept) == ["a-b:ab", "b-d:ab"]
    cut(
        town, "a-c", up=True
    )  # the IGP now splits: the list of one node would send half over links that it does not hold
    assert not checked(town).faults
    held = {one.key: one.bps for one in town.road.state.leases[kept.lease_id]}
    assert sum(bps for key, bps in held.items() if key.startswith("a-")) >= 600_000_000


def test_the_memory_is_made_again_from_the_log():
    town = square()
    reserve(town)
    reserve(town, lasts_s=10)
    cut(town, "a-b")
    town.now_us += 10 * S
    town.road.tick()
    again = town.opened().state
    assert again.reservations == town.road.state.reservations
    assert again.leases == town.road.state.leases
    assert again.by_key == town.road.state.by_key


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            st.sampled_from("abcd"),
            st.sampled_from("abcd"),
            st.sampled_from((1, 300_000_000, 600_000_000, GBPS)),
            st.sampled_from((0, 100)),
        ),
        st.tuples(st.just("link"), st.sampled_from([one.id for one in SQUARE]), st.booleans()),
        st.tuples(st.just("release"), st.integers(0, 5)),
        st.tuples(st.just("time"), st.sampled_from((1, 60, 200))),
        st.tuples(st.just("task"), st.sampled_from("abcd"), st.sampled_from((0, 200_000_000, 700_000_000))),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_safety_nothing_is_ever_oversubscribed_and_the_log_gives_the_same_again(steps):
    town = square()
    for kind, *rest in steps:
        if kind == "reserve":
            source, target, bps, start_s = rest
            if source != target:
                reserve(town, wanted(source, target, bps), start_s, 150)
        elif kind == "link":
            cut(town, rest[0], rest[1])
        elif kind == "release" and rest[0] < len(town.road.state.reservations):
            town.road.release(list(town.road.state.reservations)[rest[0]], "op")
        elif kind == "task":
            town.submit(origin=rest[0], bandwidth=rest[1], resources=Resources(cpu=1, wall_time=60 * S))
            town.round()
        elif kind == "time":
            town.now_us += rest[0] * S
            town.road.tick()
        found = checked(town).faults
        # A task that runs stays on a link that was cut; that is no fault of what is held.
        assert not [one for one in found if one.fault is not NetFault.LINK_DOWN]
    again = town.opened().state
    assert (again.leases, again.reservations) == (town.road.state.leases, town.road.state.reservations)


# -- the checker ---------------------------------------------------------------------------------------------------


def faults_of(town: Town, kept: Reserved, **changed) -> set[NetFault]:
    one, way = kept.reservation, kept.way.model_copy(update=changed.get("way", {}))
    holds = tuple(hold.model_copy(update=changed.get("hold", {})) for hold in town.road.state.leases[kept.lease_id])
    one = one.model_copy(update={"wanted": one.wanted.model_copy(update=changed.get("wanted", {}))})
    found = reservation_faults(one, way, holds, kept.lease_id, town.road.state.snapshot(), one.start_us)
    return {fault.fault for fault in found}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, None),
        ({"way": {"latency_us": 1_999}}, NetFault.LATENCY),
        ({"wanted": {"latency_us_max": 1_999}}, NetFault.LATENCY),
        ({"wanted": {"avoid_sites": ("b",)}}, NetFault.AVOIDED),
        ({"wanted": {"bandwidth_bps": 700_000_000}}, NetFault.NOT_HELD),
        ({"wanted": {"protection": (ProtectionFunction.IDS,)}}, NetFault.NOT_CONNECTED),
        ({"way": {"links": (CarriedLink(link="a-b:ab", bps=600_000_000),)}}, NetFault.NOT_HELD),
        ({"way": {"segments": (WaySegment(kind="node", name="c"),)}}, NetFault.NOT_CONNECTED),
        ({"way": {"segments": (WaySegment(kind="adjacency", name="c-d:ab"),)}}, NetFault.NOT_CONNECTED),
        ({"hold": {"bps": 599_999_999}}, NetFault.NOT_HELD),
        ({"hold": {"bps": GBPS + 1}}, NetFault.OVERSUBSCRIBED),
        ({"hold": {"end_us": NOW + 1}}, NetFault.NOT_HELD),
    ],
)
def test_the_checker_sees_what_is_wrong(changed, fault):
    town = square()
    kept = reserve(town)
    found = faults_of(town, kept, **changed)
    assert fault in found if fault else not found


def test_the_tracer_splits_evenly_and_says_the_worst_latency():
    links = (*SQUARE[:2], link_of("a-c", "a", "c", latency=1_000), link_of("c-d", "c", "d", latency=1_000))
    town = Town("a", "b", "c", "d", links=links)
    found = Tracer(town.index, frozenset()).follow(SiteId("a"), SiteId("d"), [WaySegment(kind="node", name="d")])
    assert {key: float(part) for key, part in found.parts.items()} == dict.fromkeys(
        ("a-b:ab", "b-d:ab", "a-c:ab", "c-d:ab"), 0.5
    )
    assert found.worst_us == 2_000


def test_verify_names_each_kind_of_fault():
    town = Town("a", "b")
    task = town.submit(origin="a", sites=("b",), bandwidth=500_000_000, resources=Resources(cpu=1, wall_time=600 * S))
    town.until(task, Phase.RUNNING)
    kept = reserve(town, wanted("a", "b", 400_000_000))
    assert not checked(town).faults
    state: State = town.road.state
    plan = town.task(task).plan
    cut(town, "a-b")
    assert {(one.fault, one.what) for one in checked(town).faults} == {(NetFault.LINK_DOWN, task)}
    cut(town, "a-b", up=True)
    assert kept.way is not None
    # Holds that nobody has checked: more than there is, and of something that does not exist.
    holds = state.leases[plan.lease_id]
    state.leases[plan.lease_id] = tuple(one.model_copy(update={"bps": 2 * one.bps}) for one in holds)
    (fault,) = checked(town).faults
    assert (fault.fault, fault.what, fault.used, fault.limit) == (
        NetFault.OVERSUBSCRIBED,
        "link a-b:ab",
        1_400_000_000,
        GBPS,
    )
    state.leases[plan.lease_id] = tuple(one for one in holds if one.resource != "link")
    assert {(one.fault, one.what) for one in checked(town).faults} == {(NetFault.NOT_HELD, task)}
    state.leases[plan.lease_id] = (*holds, holds[0].model_copy(update={"key": "nowhere/general"}))
    assert {one.fault for one in checked(town).faults} == {NetFault.UNKNOWN}


def test_the_log_of_a_reservation_is_plain_to_read():
    town = square()
    reserve(town)
    (record,) = town.records("reservation_made")
    assert record["reservation"]["wanted"]["target"] == "d"
    assert record["way"]["segments"] == [{"kind": "node", "name": "d", "plane": "igp"}]
    assert json.loads(json.dumps(record))["lease_id"].startswith("lease-")


def test_a_run_without_bandwidth_that_outlasts_into_a_maintenance_is_named():
    closed = (NOW + 95 * S, NOW + 200 * S)
    town = Town("a", "b", links=[link_of("a-b", "a", "b", closed=[closed])])
    task = town.submit(
        origin="a", sites=("b",), tags={"fake.outcome": "hang"}, resources=Resources(cpu=1, wall_time=90 * S)
    )
    town.until(task, Phase.RUNNING)
    assert not checked(town).faults
    while town.now_us < NOW + 88 * S:
        town.round()
    (fault,) = checked(town).faults
    assert (fault.fault, fault.what, fault.detail, fault.at_us) == (NetFault.MAINTENANCE, task, "a-b:ab", closed[0])


def test_a_link_in_maintenance_is_not_reserved_and_a_use_of_it_is_a_fault():
    links = (link_of("a-b", "a", "b", closed=[(NOW + 100 * S, NOW + 200 * S)]), link_of("a-c", "a", "c"))
    town = Town("a", "b", "c", links=(*links, link_of("c-b", "c", "b")))
    assert links_of(reserve(town, wanted("a", "b"), lasts_s=100)) == ["a-b:ab"]
    kept = reserve(town, wanted("a", "b", 100_000_000), lasts_s=101)
    assert links_of(kept) == ["a-c:ab", "c-b:ab"]
    assert not checked(town).faults
    # A lease that nobody has checked.
    state: State = town.road.state
    holds = tuple(one.model_copy(update={"key": "a-b:ab"}) for one in state.leases[kept.lease_id][:1])
    state.leases[kept.lease_id] = (*state.leases[kept.lease_id], *holds)
    (fault,) = checked(town).faults
    assert (fault.fault, fault.what, fault.at_us) == (NetFault.MAINTENANCE, "link a-b:ab", NOW + 100 * S)
