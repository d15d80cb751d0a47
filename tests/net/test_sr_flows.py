"""Paths of plans as SR policies: what pins them, what stands by, who shares what."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.net.graphs import random_topology
from tests.plan.worlds import FIREWALL, IDS, grid_of, link_of, site_of

from suanwang.model.ids import PlanId, SecurityPoolId, SiteId, TaskId
from suanwang.model.sr import CandidatePath, SegmentKind, SegmentList, SrPolicy, adjacency, node, service
from suanwang.model.wanted import PassedPool, TaskFlow
from suanwang.net.igp import build_plane
from suanwang.net.policy import Policies, Walker, pin
from suanwang.net.policy.spare import Spares
from suanwang.net.policy.walk import NoWay
from suanwang.net.topology import Topology, topology_of_grid


def walker_of(topology: Topology) -> Walker:
    nodes = {name: at for at, name in enumerate(topology.nodes)}
    return Walker(build_plane(topology), nodes, {name: at for at, name in enumerate(topology.links)})


def flow(*links: str, task: str = "1", pools: tuple[PassedPool, ...] = (), **more: object) -> TaskFlow:
    return TaskFlow.model_validate(
        {
            "task_id": TaskId(f"task-{task}"),
            "plan_id": PlanId("plan-1"),
            "origin": "a",
            "site": "d",
            "links": links,
            "pools": pools,
            "bandwidth_bps": 10**6,
            "latency_us": 3_000,
            **more,
        }
    )


# a to d by b (short) or by c (long); b and c have a link too.
GRID = grid_of(
    [site_of(one) for one in "abcd"],
    [
        link_of("ab", "a", "b", latency=1_000),
        link_of("bd", "b", "d", latency=1_000),
        link_of("ac", "a", "c", latency=2_000),
        link_of("cd", "c", "d", latency=2_000),
        link_of("bc", "b", "c", latency=500),
    ],
)
WALKER = walker_of(topology_of_grid(GRID))


@st.composite
def walks(draw: st.DrawFn) -> tuple[Walker, list[int]]:
    """A walk over any links of a random network."""
    topology = random_topology(draw(st.integers(0, 10**6)), draw(st.integers(3, 12)), draw(st.integers(0, 20)))
    at, links = draw(st.integers(0, topology.n - 1)), []
    seen = {at}
    for _ in range(draw(st.integers(1, 6))):
        leaving = [
            one
            for one in topology.out[topology.first[at] : topology.first[at + 1]].tolist()
            if int(topology.target[one]) not in seen
        ]
        if not leaving:
            break
        links.append(draw(st.sampled_from(leaving)))
        at = int(topology.target[links[-1]])
        seen.add(at)
    return walker_of(topology), links


@settings(max_examples=150, deadline=None)
@given(walks())
def test_safety_what_is_pinned_goes_over_these_links_and_no_other(case: tuple[Walker, list[int]]) -> None:
    walker, links = case
    topology = walker.plane.topology
    if not links:
        return
    names = [topology.links[one] for one in links]
    segments = pin(walker, names)
    start, end = int(topology.source[links[0]]), int(topology.target[links[-1]])
    found = walker.walk(SegmentList(segments=segments), start, end, {})
    assert not isinstance(found, NoWay)
    assert found.links == frozenset(links)
    assert len(segments) <= len(links)


def test_a_shortest_path_is_one_segment_and_another_one_is_as_few_as_can_be() -> None:
    assert pin(WALKER, ["ab:ab", "bd:ab"]) == (node("d"),)
    assert pin(WALKER, ["ac:ab", "cd:ab"]) == (adjacency("ac:ab"), adjacency("cd:ab"))  # both are longer than by b
    assert pin(WALKER, ["ab:ab", "bc:ab", "cd:ab"]) == (node("c"), adjacency("cd:ab"))


def test_flows_of_one_path_share_a_policy_and_its_color_stays() -> None:
    policies = Policies(WALKER)
    one, two = (policies.steer(flow("ac:ab", "cd:ab", task=task)) for task in "12")
    assert one.policies == two.policies and len(policies.made) == 1
    other = policies.steer(flow("ab:ab", "bd:ab"))
    assert other.policies != one.policies and len(policies.made) == 2
    assert Policies(WALKER).steer(flow("ac:ab", "cd:ab", task="9")).policies == one.policies


def test_a_chain_is_a_policy_for_each_stretch() -> None:
    pools = tuple(
        PassedPool(function=function, security_pool=SecurityPoolId(name), site=SiteId(site), after=after)
        for function, name, site, after in ((FIREWALL, "b/wall", "b", 1), (IDS, "d/ids", "d", 2))
    )
    policies = Policies(WALKER)
    steered = policies.steer(flow("ab:ab", "bd:ab", pools=pools, standby=("ac:ab", "cd:ab")))
    first, second = (policies.made[key] for key in steered.policies)
    assert (first.headend, first.endpoint, first.after) == ("a", "b", "")
    assert first.paths[0].lists[0].segments == (node("b"), service("b/wall"))
    assert (second.headend, second.endpoint, second.after) == ("b", "d", "b/wall")  # and d/ids is at the task's site
    assert second.paths[0].lists[0].segments == (node("d"), service("d/ids"))
    assert len(first.paths) == len(second.paths) == 1  # what passes functions has no way round them


def test_a_standby_shares_no_link_and_no_risk_and_keeps_the_bound_where_one_can() -> None:
    grid = GRID.model_copy(
        update={
            "links": tuple(
                one.model_copy(update={"shared_risk_groups": ("duct",)}) if one.id in ("ab", "ac") else one
                for one in GRID.links
            )
        }
    )
    path = flow("ab:ab", "bd:ab", promise_us=5_000)
    assert Spares.of(GRID).finder(GRID, frozenset())(path) == ("ac:ab", "cd:ab")
    assert Spares.of(grid).finder(grid, frozenset())(path) == ()  # both ways out of a lie in one duct
    assert Spares.of(GRID).finder(GRID, frozenset({"ac"}))(path) == ()
    late = flow("ab:ab", "bd:ab", promise_us=2_500)
    assert Spares.of(GRID).finder(GRID, frozenset())(late) == ("ac:ab", "cd:ab")  # late is better than lost
    assert Spares.of(GRID).finder(GRID, frozenset())(flow("ab:ab", "bd:ab", bandwidth_bps=10**12)) == ()


def test_the_planned_path_comes_first_and_the_standby_second() -> None:
    policies = Policies(WALKER)
    (key,) = policies.steer(flow("ab:ab", "bd:ab", standby=("ac:ab", "cd:ab"))).policies
    planned, standby = policies.made[key].by_preference
    assert planned.lists[0].segments == (node("d"),)
    assert [one.kind for one in standby.lists[0].segments] == [SegmentKind.ADJACENCY] * 2


def test_a_policy_to_itself_needs_a_function() -> None:
    plain, into = (CandidatePath(lists=(SegmentList(segments=one),)) for one in ((), (service("wall"),)))
    with pytest.raises(ValueError, match="one node"):
        SrPolicy(headend="a", color=1, endpoint="a", paths=(plain,))
    assert "function wall" in str(SrPolicy(headend="a", color=1, endpoint="a", paths=(into,)))
