"""The independent score of routing policies, against figures worked out by hand."""

import numpy as np
import pytest

from suanwang.verify.routing import Lists, RoutedDemands, RoutedNet, RoutingFault, RoutingScore, score_routing

# 0 -> 1 -> 3 and 0 -> 2 -> 3 cost the same; 0 -> 3 is direct and dear; 3 -> 0 leads back; node 4 is alone.
ENDS = [(0, 1), (1, 3), (0, 2), (2, 3), (0, 3), (3, 0)]
NET = RoutedNet(
    5,
    np.array([a for a, _ in ENDS]),
    np.array([b for _, b in ENDS]),
    np.array([1, 1, 1, 1, 5, 1]),
    np.array([100, 100, 50, 100, 100, 100]),
    np.array([10, 10, 30, 5, 7, 1]),
    np.ones(6, np.bool_),
)


def score(lists: list[Lists], *flows: tuple[int, int, int], bound_us: list[int] | None = None) -> RoutingScore:
    source, target, bps = (np.array(column) for column in zip(*flows, strict=True))
    bound = None if bound_us is None else np.array(bound_us)
    return score_routing(NET, RoutedDemands(source, target, bps, bound), lists)


def test_the_igp_splits_evenly_and_the_worst_path_counts() -> None:
    found = score([()], (0, 3, 60))
    assert found.load_bps.tolist() == [30, 30, 30, 30, 0, 0]
    assert found.mlu == 30 / 50 and found.worst_us.tolist() == [35] and found.policies == 0 and not found.faults


def test_weights_share_the_traffic_over_node_and_adjacency_segments() -> None:
    lists: list[Lists] = [((3, (1, 3)), (1, (-5,)))]
    found = score(lists, (0, 3, 80))
    assert found.load_bps.tolist() == [60, 60, 0, 0, 20, 0]
    assert found.worst_us.tolist() == [20] and found.policies == 1 and found.lists == 2 and not found.faults


def test_an_adjacency_segment_inside_a_list() -> None:
    found = score([((1, (1, -2, 0, 3)),)], (0, 3, 8))
    assert found.load_bps.tolist() == [8 + 4, 8 + 4, 4, 4, 0, 8] and found.worst_us.tolist() == [10 + 10 + 1 + 35]


@pytest.mark.parametrize(
    ("lists", "fault"),
    [
        (((0, (3,)),), RoutingFault.WEIGHT),
        (((1, ()),), RoutingFault.LENGTH),
        (((1, (1, 3) * 6),), RoutingFault.LENGTH),
        (((1, (5, 3)),), RoutingFault.UNKNOWN_SEGMENT),
        (((1, (-7, 3)),), RoutingFault.UNKNOWN_SEGMENT),
        (((1, (-2, 3)),), RoutingFault.NOT_ADJACENT),
        (((1, (4, 3)),), RoutingFault.NO_PATH),
        (((1, (3, 1)),), RoutingFault.WRONG_END),
        (((1, (2, 3)),), RoutingFault.LATENCY_BOUND),
    ],
)
def test_each_fault_is_found(lists: Lists, fault: RoutingFault) -> None:
    assert score([lists], (0, 3, 10), bound_us=[20]).faults[0] == (0, fault)


def test_a_link_that_is_down_carries_nothing() -> None:
    down = NET._replace(usable=np.array([False, True, True, True, True, True]))
    one = RoutedDemands(np.array([0, 0]), np.array([3, 1]), np.array([10, 10]))
    found = score_routing(down, one, [((1, (-1, 3)),), ()])
    assert found.faults == ((0, RoutingFault.LINK_DOWN),) and found.unrouted == 1 and not found.load_bps.any()


def test_a_bound_that_the_igp_breaks_is_a_fault_too() -> None:
    assert score([()], (0, 3, 1), bound_us=[34]).faults == ((0, RoutingFault.LATENCY_BOUND),)
    assert not score([()], (0, 3, 1), bound_us=[35]).faults
