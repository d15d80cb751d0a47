"""SR policies compiled: SIDs, containers, groups, refusals."""

from typing import TypeVar

import pytest
from tests.net.five_routers import devices, mtu, plan

from suanwang.model.error import FaultsError
from suanwang.model.sr import CandidatePath, Segment, SegmentList, SrPolicy, adjacency, binding, node, service
from suanwang.model.sr_program import (
    METRIC_ACTIVE,
    METRIC_STANDBY,
    Behavior,
    Group,
    Hop,
    LocalSid,
    Member,
    Route,
    RouterProgram,
    Steer,
)
from suanwang.net.policy import Compiled, Mtu, compile_policies
from suanwang.net.policy.members import spread
from suanwang.texts import catalogue, languages

HOSTS = "fd00:5::/64"


def listed(*segments: Segment, weight: int = 1) -> SegmentList:
    return SegmentList(segments=segments, weight=weight)


def policy(*paths: SegmentList | tuple[SegmentList, ...], bound: bool = False, color: int = 20) -> SrPolicy:
    """From r1 to r5; the first path has the greatest preference."""
    made = [
        CandidatePath(preference=200 - at, lists=one if isinstance(one, tuple) else (one,))
        for at, one in enumerate(paths)
    ]
    return SrPolicy(headend="r1", color=color, endpoint="r5", paths=tuple(made), steers=(HOSTS,), binding=bound)


def compiled(
    *policies: SrPolicy, down: tuple[str, ...] = (), compress: bool = True, room: Mtu | None = None
) -> Compiled:
    addressing, plane = plan(down)
    return compile_policies(
        addressing, plane, policies, room or mtu(), devices(), services={"wall": ("r3", 2)}, compress=compress
    )


T = TypeVar("T")


def of(program: RouterProgram, kind: type[T]) -> list[T]:
    return [one for one in program.items.values() if isinstance(one, kind)]


def sids(*segments: Segment, compress: bool = True) -> tuple[str, ...]:
    (placed,) = compiled(policy(listed(*segments)), compress=compress).placed
    return placed.active[0].sids


@pytest.mark.parametrize(
    ("segments", "container"),
    [
        ((), "fcbb:bb00:5:f006::"),
        ((node("r2"),), "fcbb:bb00:2:5:f006::"),
        ((node("r3"), node("r4")), "fcbb:bb00:3:4:5:f006::"),
        ((node("r3"), node("r5")), "fcbb:bb00:3:5:f006::"),  # the last segment is the endpoint itself
        ((node("r1"), node("r3"), node("r3")), "fcbb:bb00:3:5:f006::"),  # where one is already
        ((adjacency("r3-r4"),), "fcbb:bb00:3:e001:5:f006::"),
        ((node("r3"), adjacency("r3-r4")), "fcbb:bb00:3:e001:5:f006::"),  # End.X is r3's own SID
        ((adjacency("r1-r3"), node("r4")), "fcbb:bb00:1:e001:4:5:f006:0"),
    ],
)
def test_a_list_becomes_one_container(segments: tuple[Segment, ...], container: str) -> None:
    assert sids(*segments) == (container,)


def test_more_than_six_micro_sids_take_another_container_and_no_pair_is_cut() -> None:
    up_and_down = [adjacency("r1-r3"), adjacency("r3-r4"), adjacency("r4-r3"), node("r1"), node("r2")]
    assert sids(*up_and_down) == ("fcbb:bb00:1:e001:3:e001:4:e000", "fcbb:bb00:1:2:5:f006::")
    pair_would_be_cut = [node("r2"), node("r1"), node("r2"), node("r1"), node("r2"), adjacency("r1-r3")]
    assert sids(*pair_would_be_cut) == ("fcbb:bb00:2:1:2:1:2:0", "fcbb:bb00:1:e001:5:f006::")


def test_without_compression_each_segment_is_a_sid_and_costs_a_routing_header() -> None:
    (placed,) = compiled(policy(listed(node("r3"), adjacency("r3-r4"))), compress=False).placed
    assert placed.active[0].sids == ("fcbb:bb00:3:e001::", "fcbb:bb00:5:f006::")
    assert placed.active[0].overhead_bytes == 40 + 8 + 16  # the reduced form leaves one SID out of the header
    (short,) = compiled(policy(listed(node("r3"), adjacency("r3-r4")))).placed
    assert short.active[0].overhead_bytes == 40


def test_every_router_has_its_sids_and_routes() -> None:
    program = compiled().programs["r3"]
    assert of(program, LocalSid) == [
        LocalSid("fcbb:bb00:3::/48", Behavior.END, "sids", "", (), 32, 16),
        LocalSid("fcbb:bb00:3:f006::/64", Behavior.END_DT6, "sids"),
        LocalSid("fcbb:bb00:3:e000::/64", Behavior.END_X, "to1", "fd01:0:0:4::1", (), 32, 32),
        LocalSid("fcbb:bb00:3:e001::/64", Behavior.END_X, "to4", "fd01:0:0:6::2", (), 32, 32),
    ]
    both = (Hop("fd01:0:0:4::1", "to1"), Hop("fd01:0:0:6::2", "to4"))
    routes = {one.prefix: one.hops for one in of(program, Route)}
    assert len(routes) == 8 and routes["fcbb:bb00:2::/48"] == both[:1]
    assert routes["fd00:5::/64"] == (both[1],)


def test_active_and_standby_are_two_routes_of_one_prefix() -> None:
    program = compiled(policy(listed(node("r2")), listed(node("r3"), node("r4")))).programs["r1"]
    steers = of(program, Steer)
    assert [(one.prefix, one.metric) for one in steers] == [(HOSTS, METRIC_ACTIVE), (HOSTS, METRIC_STANDBY)]
    groups = {one.id: one for one in of(program, Group)}
    members = {one.id: one for one in of(program, Member)}
    over = [[members[at].hop.device for at, _ in groups[one.group].members] for one in steers]
    assert over == [["to2"], ["to3"]]


def test_ids_stay_when_another_policy_comes_and_when_a_path_changes() -> None:
    mine = policy(listed(node("r2")), listed(node("r3")))
    other = SrPolicy(headend="r1", color=1, endpoint="r4", paths=(CandidatePath(lists=(listed(),)),))
    changed = policy(listed(node("r3")), listed(node("r2")))
    first, both, swapped = (compiled(*some).placed for some in ([mine], [other, mine], [changed]))
    group = (first[0].active_group, first[0].standby_group)
    assert (both[1].active_group, both[1].standby_group) == group
    assert (swapped[0].active_group, swapped[0].standby_group) == group
    assert swapped[0].active[0].members == first[0].standby[0].members


def test_lists_share_by_weight_and_equal_first_links_share_a_list() -> None:
    (placed,) = compiled(policy((listed(node("r2"), weight=3), listed(node("r3"))))).placed
    assert [one.weight for one in placed.active] == [3, 1]
    assert spread([((1, 2), 3), ((3,), 1)]) == ((1, 3), (2, 3), (3, 2))  # 3/8, 3/8, 2/8
    assert spread([((1,), 2), ((1, 2), 2)]) == ((1, 6), (2, 2))  # two lists of one form
    rounded = dict(spread([((1, 2, 3), 256), ((4,), 1)]))
    assert max(rounded.values()) == 256 and rounded[4] == 3


def test_a_path_that_is_not_valid_gives_way_to_the_next() -> None:
    mine = policy(listed(adjacency("r1-r2")), listed(node("r3")))
    made = compiled(mine, down=("r1-r2", "r2-r1"))
    assert made.placed[0].active[0].sids == ("fcbb:bb00:3:5:f006::",)
    assert made.placed[0].standby_group is None
    assert [(one.code, one.where) for one in made.notes] == [("sr_list_invalid", "policies[0].paths[0].lists[0]")]


def test_a_standby_over_the_same_first_link_is_noted() -> None:
    made = compiled(policy(listed(node("r3")), listed(adjacency("r3-r4"))))
    assert [(one.code, one.params["links"]) for one in made.notes] == [("sr_standby_shares", "r1-r3")]


def test_a_list_knows_every_link_that_it_may_take() -> None:
    (placed,) = compiled(policy(listed(node("r4")))).placed
    assert placed.active[0].links == {"r1-r3", "r3-r4", "r4-r5"}
    (even,) = compiled(SrPolicy(headend="r2", color=1, endpoint="r3", paths=(CandidatePath(lists=(listed(),)),))).placed
    assert even.active[0].links == {"r2-r1", "r1-r3"}


# The containers' one header is 40 bytes: 1500 + 40 fits into 1540 and not into 1539.
@pytest.mark.parametrize(
    ("compress", "core", "overhead"),
    [(True, 1540, None), (True, 1539, 40), (False, 1580, None), (False, 1579, 80)],
)
def test_a_policy_that_would_black_hole_is_refused(compress: bool, core: int, overhead: int | None) -> None:
    mine = policy(listed(node("r3"), node("r4")))
    if overhead is None:
        compiled(mine, compress=compress, room=mtu(core))
        return
    with pytest.raises(FaultsError) as caught:
        compiled(mine, compress=compress, room=mtu(core))
    (fault,) = caught.value.faults
    assert fault.code == "sr_mtu"
    assert fault.params == {
        "overhead": overhead,
        "access": 1500,
        "core": core,
        "link": "r1-r3",
        "most": core - overhead,
    }


def test_only_links_on_the_way_count_for_the_mtu() -> None:
    room = mtu()
    room.core[2] = 1500  # r2-r5
    compiled(policy(listed(node("r3"), node("r4"))), room=room)
    with pytest.raises(FaultsError, match="faults") as caught:
        compiled(policy(listed(node("r2"))), room=room)
    assert caught.value.faults[0].params["link"] == "r2-r5"


def test_a_binding_sid_takes_the_heaviest_list_and_its_headers_count_twice() -> None:
    lists = (listed(node("r2")), listed(node("r3"), weight=2))
    made = compiled(policy(lists, bound=True))
    (sid,) = [one for one in of(made.programs["r1"], LocalSid) if one.behavior is Behavior.END_B6_ENCAPS]
    assert (sid.prefix, sid.sids) == ("fcbb:bb00:1:f114::/64", ("fcbb:bb00:3:5:f006::",))
    assert made.placed[0].binding_sid == "fcbb:bb00:1:f114::"
    assert [one.code for one in made.notes] == ["sr_binding_one_list"]
    compiled(policy(listed(), bound=True), room=mtu(1500 + 64 + 64))
    with pytest.raises(FaultsError):
        compiled(policy(listed(), bound=True), room=mtu(1500 + 64 + 63))


def test_a_binding_segment_is_written_in_full() -> None:
    inner = SrPolicy(headend="r3", color=7, endpoint="r4", paths=(CandidatePath(lists=(listed(),)),), binding=True)
    made = compiled(policy(listed(binding("r3", 7))), inner)
    placed = next(one for one in made.placed if one.headend == "r1")
    assert placed.active[0].sids == ("fcbb:bb00:3:f107::", "fcbb:bb00:5:f006::")
    assert placed.active[0].links == {"r1-r3", "r3-r4", "r4-r5"}


R2 = CandidatePath(lists=(listed(node("r2")),))


def _from(headend: str, color: int, endpoint: str, *segments: Segment, **more: object) -> SrPolicy:
    path = CandidatePath(lists=(listed(*segments),))
    return SrPolicy.model_validate({"headend": headend, "color": color, "endpoint": endpoint, "paths": (path,), **more})


REFUSED = [
    ("sr_node_unknown", "policies[0].headend", [_from("r9", 1, "r5")]),
    ("sr_node_unknown", "policies[0].paths[0].lists[0].segments[0]", [_from("r1", 1, "r5", node("r9"))]),
    ("sr_link_unknown", "policies[0].paths[0].lists[0].segments[0]", [_from("r1", 1, "r5", adjacency("r1-r9"))]),
    ("sr_twice", "policies[1]", [_from("r1", 1, "r5"), _from("r1", 1, "r5")]),
    ("sr_prefix", "policies[0].steers[0]", [_from("r1", 1, "r5", steers=("fd00:5::1/64",))]),
    ("sr_prefix", "policies[0].steers[0]", [_from("r1", 1, "r5", steers=("10.0.0.0/8",))]),
    ("sr_steered_twice", "policies[1].steers[0]", [_from("r1", c, "r5", steers=(HOSTS,)) for c in (1, 2)]),
    ("sr_binding_color", "policies[0].binding", [_from("r1", 0xF00, "r5", binding=True)]),
    ("sr_binding_taken", "policies[1].binding", [_from("r1", 1, end, binding=True) for end in ("r4", "r5")]),
    ("sr_binding_unknown", "policies[0].paths[0].lists[0].segments[0]", [_from("r1", 1, "r5", binding("r3", 7))]),
    ("sr_service_unknown", "policies[0].paths[0].lists[0].segments[0]", [_from("r1", 1, "r5", service("dog"))]),
    ("sr_service_unknown", "policies[0].after", [_from("r3", 1, "r5", after="dog")]),
    (
        "sr_service_place",
        "policies[0].paths[0].lists[0].segments[1]",
        [_from("r1", 1, "r5", node("r3"), service("wall"))],
    ),
    ("sr_service_place", "policies[0].after", [_from("r1", 1, "r5", after="wall")]),
    (
        "sr_service_last",
        "policies[0].paths[0].lists[0].segments[0]",
        [_from("r1", 1, "r3", service("wall"), node("r4"))],
    ),
    (
        "sr_binding_nested",
        "policies[0].paths[0].lists[0].segments[0]",
        [_from("r1", 1, "r5", binding("r1", 2)), _from("r1", 2, "r4", binding=True)],
    ),
]


@pytest.mark.parametrize(
    ("code", "where", "policies"), REFUSED, ids=[f"{at}-{one[0]}" for at, one in enumerate(REFUSED)]
)
def test_refusals_name_the_fault_and_its_place(code: str, where: str, policies: list[SrPolicy]) -> None:
    with pytest.raises(FaultsError) as caught:
        compiled(*policies)
    assert [(one.code, one.where) for one in caught.value.faults] == [(code, where)]
    assert all(f"fault.{code}" in catalogue(lang) for lang in languages())


def test_no_valid_path_is_refused() -> None:
    cut = ("r1-r2", "r2-r1", "r1-r3", "r3-r1")
    with pytest.raises(FaultsError) as caught:
        compiled(policy(listed()), down=cut)
    assert [one.code for one in caught.value.faults] == ["sr_no_valid_path"]


def test_all_faults_come_at_once() -> None:
    with pytest.raises(FaultsError) as caught:
        compiled(_from("r9", 1, "r5", node("r8")), _from("r1", 0xF00, "r5", binding=True))
    assert len(caught.value.faults) == 3


def test_a_list_ends_in_a_function_and_the_next_policy_takes_what_comes_out() -> None:
    """A chain is policies in a row: into the function at r3, and from its table on to r5."""
    into = _from("r1", 1, "r3", service("wall"), steers=("fd00:5::9/128",))
    on = _from("r3", 1, "r5", node("r4"), after="wall", steers=("fd00:5::9/128",))
    made = compiled(into, on)
    first, second = made.placed
    assert first.active[0].sids == ("fcbb:bb00:3:f012::",)  # r3 and its function 2, instead of DT6
    assert second.active[0].sids == ("fcbb:bb00:4:5:f006::",)
    assert [(one.metric, one.table) for one in of(made.programs["r1"], Steer)] == [(METRIC_ACTIVE, 0)]
    assert [(one.metric, one.table) for one in of(made.programs["r3"], Steer)] == [(METRIC_ACTIVE, 1002)]


def test_a_function_beside_the_headend_itself_is_reached_over_no_link() -> None:
    made = compiled(_from("r3", 1, "r3", service("wall"), steers=("fd00:5::9/128",)))
    (member,) = of(made.programs["r3"], Member)
    assert member.hop == Hop("", "sids") and member.sids == ("fcbb:bb00:3:f012::",)


def test_full_sids_end_in_a_function_too() -> None:
    made = compiled(_from("r1", 1, "r3", service("wall"), steers=("fd00:5::9/128",)), compress=False)
    assert made.placed[0].active[0].sids == ("fcbb:bb00:3:f012::",)
