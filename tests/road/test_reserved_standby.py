"""Reservations with a standby, with another bandwidth, and with few segments."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.worlds import link_of
from tests.road.test_reservations import SQUARE, checked, cut, faults_of, links_of, reserve, square, wanted
from tests.road.town import S, Town

from suanwang.livenet import CutLook, LineBook, LivePaths, find_pair, reservation_ways
from suanwang.model.error import NotFoundError
from suanwang.model.ids import LinkId, ReservationId, SiteId
from suanwang.model.network import HolderKind, NetFault, NoWay, Refusal
from suanwang.model.reservation import Reservation, WaySegment
from suanwang.observe.reserved import Reserved
from suanwang.verify.reserved import reservation_faults

GBPS = 10**9
# A long way of its own, and one whose first link shares a duct with a-b.
THREE = (*SQUARE, link_of("a-e", "a", "e", latency=9_000, price=90), link_of("e-d", "e", "d", latency=9_000, price=90))


def three(links=THREE) -> Town:
    return Town("a", "b", "c", "d", "e", links=links)


def with_standby(town: Town, what=None, **more) -> Reserved | Refusal:
    """As `reserve`, with a standby asked for."""
    made, start_us = len(town.records("reservation_made")), town.now_us
    one = Reservation(
        reservation_id=ReservationId(f"resv-{made:026d}"),
        principal="op",
        wanted=what or wanted(**more),
        start_us=start_us,
        end_us=start_us + 3_600 * S,
        standby=True,
    )
    return town.road.reserve(one)


def both(kept: Reserved) -> tuple[list[str], list[str] | None]:
    return links_of(kept), None if kept.standby is None else [one.link for one in kept.standby.links]


def held(town: Town, kept: Reserved) -> dict[str, int]:
    return {one.key: one.bps for one in town.road.state.leases[kept.lease_id]}


def test_both_ways_are_held_as_one_lease_and_given_back_together():
    town = square()
    kept = with_standby(town)
    assert both(kept) == (["a-b:ab", "b-d:ab"], ["a-c:ab", "c-d:ab"])
    assert held(town, kept) == dict.fromkeys(("a-b:ab", "b-d:ab", "a-c:ab", "c-d:ab"), 600_000_000)
    found = checked(town)
    assert (found.ways, found.faults) == (2, ())
    town.road.release(kept.reservation.reservation_id, "op")
    assert not town.road.state.leases


def test_a_standby_shares_no_risk_group_and_none_is_half_reserved():
    duct = [
        one.model_copy(update={"shared_risk_groups": ("duct",)}) if one.id in ("a-b", "a-c") else one for one in THREE
    ]
    town = three(duct)
    assert both(with_standby(town)) == (["a-b:ab", "b-d:ab"], ["a-e:ab", "e-d:ab"])
    one = square()
    one.road.set_link(LinkId("c-d"), False, "op")
    assert with_standby(one) == Refusal(reason=NoWay.NO_STANDBY)
    assert not one.road.state.leases and not one.road.state.reservations


def test_where_the_cheapest_way_leaves_no_second_a_dearer_first_one_is_taken():
    """The trap: the cheapest way from a to d takes a link of each of the two that are apart."""
    links = (
        link_of("a-b", "a", "b", price=1),
        link_of("b-c", "b", "c", price=1),
        link_of("c-d", "c", "d", price=1),
        link_of("a-c", "a", "c", price=50),
        link_of("b-d", "b", "d", price=50),
    )
    town = Town("a", "b", "c", "d", links=links)
    assert links_of(reserve(town)) == ["a-b:ab", "b-c:ab", "c-d:ab"]
    town = Town("a", "b", "c", "d", links=links)
    assert sorted(both(with_standby(town))) == [["a-b:ab", "b-d:ab"], ["a-c:ab", "c-d:ab"]]


def test_at_a_cut_the_standby_takes_over_with_the_room_that_it_held_and_another_is_looked_for():
    town = three()
    kept = with_standby(town)
    full = reserve(town, wanted(bps=400_000_000))  # beside the first way: nothing is left there
    assert isinstance(full, Reserved)
    cut(town, "b-d")
    assert both(kept) == (["a-c:ab", "c-d:ab"], ["a-e:ab", "e-d:ab"])
    assert (kept.moves, kept.broken_by) == (1, None)
    assert not town.records("reservation_broken")[:-1], "only the other one had to look for a way"
    assert not checked(town).faults
    cut(town, "a-e")
    assert both(kept) == (["a-c:ab", "c-d:ab"], None)
    assert (kept.moves, checked(town).faults) == (1, ())
    cut(town, "b-d", up=True)
    assert both(kept) == (["a-c:ab", "c-d:ab"], ["a-b:ab", "b-d:ab"])
    assert set(held(town, kept)) == {"a-b:ab", "b-d:ab", "a-c:ab", "c-d:ab"}


def test_one_way_is_held_where_there_is_but_one_and_the_other_when_room_is_made():
    town = three()
    kept = with_standby(town)
    cut(town, "a-b")
    cut(town, "a-c")
    assert both(kept) == (["a-e:ab", "e-d:ab"], None)
    cut(town, "a-e")
    assert (kept.way, kept.standby, kept.lease_id) == (None, None, None)
    cut(town, "a-c", up=True)
    assert both(kept) == (["a-c:ab", "c-d:ab"], None)
    cut(town, "a-e", up=True)
    other = reserve(town, wanted("a", "e", GBPS, avoid_sites=("d",)))
    assert both(kept) == (["a-c:ab", "c-d:ab"], ["a-e:ab", "e-d:ab"]) and isinstance(other, Refusal)
    assert not checked(town).faults


def test_a_lost_standby_is_looked_for_again_when_room_is_made():
    town = square()
    kept = with_standby(town)
    cut(town, "a-c")
    assert both(kept)[1] is None
    other = reserve(town, wanted("c", "d"))
    cut(town, "a-c", up=True)
    assert both(kept)[1] is None, "c-d is taken by now"
    town.road.release(other.reservation.reservation_id, "op")
    town.road.tick()
    assert both(kept)[1] == ["a-c:ab", "c-d:ab"]


@pytest.mark.parametrize(
    ("bps", "ways"),
    [
        (300_000_000, (["a-b:ab", "b-d:ab"], ["a-c:ab", "c-d:ab"])),
        (800_000_000, (["a-b:ab", "b-d:ab"], ["a-c:ab", "c-d:ab"])),
        (GBPS + 1, Refusal(reason=NoWay.NO_ROOM, widest_bps=GBPS)),
    ],
)
def test_another_bandwidth_keeps_the_ways_where_they_have_the_room(bps: int, ways):
    town = square()
    kept = with_standby(town)
    before = (kept.lease_id, held(town, kept))
    found = town.road.resize(kept.reservation.reservation_id, bps, "op")
    if isinstance(ways, Refusal):
        assert isinstance(found, Refusal) and found.reason is NoWay.NO_ROOM
        assert (kept.lease_id, held(town, kept)) == before and not town.records("reservation_resized")
        return
    assert found is kept and both(kept) == ways and kept.moves == 0
    assert held(town, kept) == dict.fromkeys([*ways[0], *ways[1]], bps)
    assert kept.reservation.wanted.bandwidth_bps == bps
    assert not checked(town).faults
    assert town.opened().state.reservations == town.road.state.reservations


def test_what_grows_too_large_for_its_way_goes_another():
    town = square()
    kept, other = reserve(town), reserve(town, wanted(bps=300_000_000))
    assert links_of(other) == links_of(kept) == ["a-b:ab", "b-d:ab"]
    town.road.resize(other.reservation.reservation_id, 500_000_000, "op")
    assert links_of(other) == ["a-c:ab", "c-d:ab"]
    town.road.resize(kept.reservation.reservation_id, GBPS, "op")
    assert links_of(kept) == ["a-b:ab", "b-d:ab"] and not checked(town).faults
    with pytest.raises(NotFoundError) as error:
        town.road.resize(ReservationId("resv-x"), 1, "op")
    assert error.value.code == "reservation_unknown"


def test_a_broken_one_that_asks_for_less_may_find_a_way():
    town = square()
    kept, other = reserve(town), reserve(town, wanted(avoid_sites=("b",)))
    cut(town, "a-b")
    assert kept.way is None and isinstance(other, Reserved)
    town.road.resize(kept.reservation.reservation_id, 400_000_000, "op")
    assert links_of(kept) == ["a-c:ab", "c-d:ab"] and kept.broken_by is None
    assert not checked(town).faults


def test_a_split_list_is_resized_part_by_part():
    even = tuple(one.model_copy(update={"latency_us": 1_000, "price_micro_yuan_per_gbps_hour": 10}) for one in SQUARE)
    town = Town("a", "b", "c", "d", links=even)
    kept = reserve(town, wanted(bps=1_500_000_000))
    before = held(town, kept)
    assert set(before) == {"a-b:ab", "b-d:ab", "a-c:ab", "c-d:ab"}
    town.road.resize(kept.reservation.reservation_id, 1_800_000_000, "op")
    now = held(town, kept)
    for name, bps in now.items():  # half each, rounded up by a few bits
        assert 0 <= bps - 900_000_000 < 10 and 0 <= before[name] - 750_000_000 < 10
    assert set(now) == set(before) and not checked(town).faults


def test_no_list_has_more_segments_than_were_asked_for():
    """A row of sites beside a hub whose links the IGP would rather take: the cheap way needs a segment at each site."""
    sites = "abcdef"
    row = [link_of(f"{x}-{y}", x, y, latency=9_000, price=1) for x, y in pairwise(sites)]
    hub = [link_of(f"h-{x}", "h", x, latency=1_000, price=500) for x in sites]
    town = Town(*sites, "h", links=[*row, *hub])
    long = reserve(town, wanted("a", "f", 1_000_000))
    assert len(long.way.segments) > 2 and len(long.way.links) == 5
    short = reserve(town, wanted("a", "f", 1_000_000, segments_max=2))
    assert len(short.way.segments) <= 2
    assert short.way.price_micro_yuan_per_gbps_hour > long.way.price_micro_yuan_per_gbps_hour
    assert NetFault.SEGMENTS in faults_of(town, long, wanted={"segments_max": 2})


@pytest.mark.parametrize(
    ("change", "fault"), [({}, None), ({"links": "same"}, NetFault.NOT_APART), ({"risk": True}, NetFault.NOT_APART)]
)
def test_the_checker_sees_a_standby_that_is_not_apart(change, fault):
    links = [
        one.model_copy(update={"shared_risk_groups": ("duct",)}) if change.get("risk") and one.id[0] == "a" else one
        for one in SQUARE
    ]
    town = square()
    kept = with_standby(town)
    one, way, standby = kept.reservation, kept.way, kept.standby
    holds = town.road.state.leases[kept.lease_id]
    snapshot = Town("a", "b", "c", "d", links=links).road.state.snapshot()
    if change.get("links"):
        standby = way
    found = reservation_faults(one, way, holds, kept.lease_id, snapshot, one.start_us, None, standby)
    assert (fault in {each.fault for each in found}) if fault else not found


def test_what_if_takes_the_standby_first_and_looks_for_the_other_apart_from_it():
    town = three()
    kept = with_standby(town)
    snapshot, index = town.road.state.snapshot(), town.index
    ways = list(reservation_ways(kept.reservation, kept.way, kept.standby))

    def look(*cut_links: str):
        book = LineBook(index)
        book.follow(snapshot)
        paths = LivePaths(index, frozenset(map(LinkId, cut_links)))

        def rehome(one, room, beside):
            found = paths.cheapest(one.wanted, room, beside)
            return Refusal(reason=NoWay.NO_STANDBY) if found is None else found

        return CutLook(book, snapshot, tuple(map(LinkId, cut_links)), town.now_us, rehome).look(ways)

    found = look("a-b")
    assert [(one.before.kind, list(one.links)) for one in found.ways] == [
        (HolderKind.RESERVATION, ["a-c:ab", "c-d:ab"])
    ]
    after = {one.link: one.after_bps for one in found.links if one.after_bps}
    assert after == dict.fromkeys(("a-c:ab", "c-d:ab"), 600_000_000), "it holds its room once"
    found = look("a-c")
    assert [(one.before.kind, list(one.links)) for one in found.ways] == [(HolderKind.STANDBY, ["a-e:ab", "e-d:ab"])]
    found = look("a-b", "c-d")
    assert [(one.before.kind, one.links is None) for one in found.ways] == [
        (HolderKind.RESERVATION, False),
        (HolderKind.STANDBY, True),
    ]


def test_the_pair_is_found_past_functions_that_both_pass():
    town = square()
    paths, book = LivePaths(town.index, frozenset()), LineBook(town.index)
    book.follow(town.road.state.snapshot())
    one = Reservation(
        reservation_id=ReservationId("resv-x"), principal="op", wanted=wanted(), start_us=0, end_us=S, standby=True
    )
    found = find_pair(paths, one, book.room(0, S, frozenset()))
    assert not isinstance(found, Refusal) and found.standby is not None
    assert found.way.segments == (WaySegment(kind="node", name=SiteId("d")),)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("reserve"),
            st.sampled_from("abcd"),
            st.sampled_from("abcd"),
            st.sampled_from((1, 300_000_000, 600_000_000, GBPS)),
            st.booleans(),
        ),
        st.tuples(st.just("link"), st.sampled_from([one.id for one in THREE]), st.booleans()),
        st.tuples(st.just("resize"), st.integers(0, 4), st.sampled_from((1, 200_000_000, 700_000_000, GBPS))),
        st.tuples(st.just("release"), st.integers(0, 4)),
        st.tuples(st.just("time"), st.sampled_from((1, 60))),
    ),
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_safety_with_standbys_and_other_bandwidths_nothing_is_oversubscribed(steps):
    town = three()
    for kind, *rest in steps:
        ids = list(town.road.state.reservations)
        if kind == "reserve":
            source, target, bps, standby = rest
            if source != target:
                (with_standby if standby else reserve)(town, wanted(source, target, bps))
        elif kind == "link":
            cut(town, rest[0], rest[1])
        elif kind == "resize" and rest[0] < len(ids):
            town.road.resize(ids[rest[0]], rest[1], "op")
        elif kind == "release" and rest[0] < len(ids):
            town.road.release(ids[rest[0]], "op")
        elif kind == "time":
            town.now_us += rest[0] * S
            town.road.tick()
        assert not checked(town).faults
    again = town.opened().state
    assert (again.leases, again.reservations) == (town.road.state.leases, town.road.state.reservations)
