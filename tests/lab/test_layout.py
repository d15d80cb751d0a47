"""What is decided before anything is made: pure, and the same on every machine."""

import numpy as np
import pytest
from lab_rig import MBPS, cables

from suanwang.grids import random_grid
from suanwang.lab import commands
from suanwang.lab.layout import OVERHEAD_BYTES, RATE_MIN_BPS, check, make_layout
from suanwang.lab.state import Stored
from suanwang.lab.status import bps_of_tc
from suanwang.lab.underlay import plane_of, route_lines
from suanwang.model.error import FaultsError, TooLargeError
from suanwang.net.topology import make_topology, topology_of_grid

DIAMOND = cables("d", "abcd", [("ab", 100, 500, 1), ("bd", 50, 500, 1), ("ac", 10, 500, 1), ("cd", 1, 100, 1)])


def test_the_largest_link_gets_the_rate_and_the_others_their_proportion() -> None:
    layout = make_layout(DIAMOND, top_rate_bps=20 * MBPS, ef_percent=25)
    assert [link.forth.rate_bps for link in layout.links] == [20 * MBPS, 10 * MBPS, 2 * MBPS, RATE_MIN_BPS]
    assert [link.back.ef_bps for link in layout.links] == [5 * MBPS, 2_500_000, 500_000, 250_000]
    assert [link.relayed for link in layout.links] == [True, True, True, False]
    assert layout.core_mtu - layout.access_mtu == OVERHEAD_BYTES == 208


def test_a_grids_links_keep_their_ids_and_names_fit_the_kernel() -> None:
    grid = random_grid(60, 3)
    layout = make_layout(topology_of_grid(grid), "abcdefgh")
    assert [link.id for link in layout.links] == [link.id for link in grid.links]
    assert len(layout.namespaces()) == len(set(layout.namespaces())) == 120
    assert max(len(link.device) for link in layout.links) < 16  # IFNAMSIZ
    again = make_layout(topology_of_grid(grid), "abcdefgh")
    assert [commands.router_lines(layout, k) for k in range(60)] == [commands.router_lines(again, k) for k in range(60)]


def test_every_address_of_a_link_is_on_one_device_at_each_end() -> None:
    layout = make_layout(topology_of_grid(random_grid(12, 5)))
    lines = [line for node in range(12) for line in commands.router_lines(layout, node) if " dev l" in line]
    addresses = [line.split()[2] for line in lines if line.startswith("address add fd01")]
    assert len(addresses) == len(set(addresses)) == 2 * len(layout.links)


def test_too_many_sites_are_refused() -> None:
    with pytest.raises(TooLargeError) as caught:
        check(topology_of_grid(random_grid(61, 1)))
    assert (caught.value.code, caught.value.params) == ("lab_too_large", {"sites": 61, "limit": 60})


def test_a_link_without_a_way_back_is_a_fault_and_one_to_itself_is_left_out() -> None:
    ones = np.ones(4, np.int64)
    source, target = np.array([0, 1, 1, 1], np.int64), np.array([1, 0, 1, 2], np.int64)
    topology = make_topology("t", "abc", ["ab", "ba", "bb", "bc"], source, target, ones, ones, ones)
    with pytest.raises(FaultsError) as caught:
        check(topology)
    assert [(fault.code, fault.where, fault.got) for fault in caught.value.faults] == [
        ("lab_one_way", "links[3]", "bc")
    ]
    assert [(link.a, link.b) for link in make_layout(topology).links] == [(0, 1)]


def test_a_stored_topology_is_the_same_topology() -> None:
    again = Stored.of(DIAMOND).topology()
    assert make_layout(again).links == make_layout(DIAMOND).links
    assert again.nodes == DIAMOND.nodes and again.weight.tolist() == DIAMOND.weight.tolist()


def test_routes_split_over_equal_ways_and_go_round_what_is_down() -> None:
    layout = make_layout(DIAMOND)
    wanted, gone = route_lines(layout, plane_of(layout), 0)
    both = [line for line in wanted if " fd00:4::/64 " in line]
    assert len(both) == 1 and both[0].count("nexthop via") == 2 and gone == []
    wanted, gone = route_lines(layout, plane_of(layout, frozenset({0})), 0)
    assert [line.count("nexthop") for line in wanted] == [0] * 6 and all(" dev l2" in line for line in wanted)
    wanted, gone = route_lines(layout, plane_of(layout, frozenset({0, 2})), 0)
    assert wanted == [] and len(gone) == 6


def test_the_far_end_of_one_failed_end_loses_its_carrier() -> None:
    layout = make_layout(DIAMOND)
    relayed, pair = layout.links[0], layout.links[3]
    a, b = layout.router(0), layout.router(1)
    assert commands.switch_lines(layout, relayed, False, None) == {a: ["link set l0 down"], b: ["link set l0 down"]}
    assert commands.switch_lines(layout, relayed, False, 0) == {a: ["link set l0 down"], b: ["link set l0 carrier off"]}
    healed = commands.switch_lines(layout, relayed, True, None)
    up = ["link set l0 carrier on", "link set l0 up"]
    assert (healed[a][:2], healed[b][:2]) == (up, up)
    assert healed[a][2] == "neigh replace fd01::2 lladdr 02:00:00:00:00:01 dev l0 nud permanent"
    assert commands.switch_lines(layout, pair, False, 3) == {
        layout.router(2): [],
        layout.router(3): ["link set l3 down"],
    }


@pytest.mark.parametrize(
    ("words", "bps"), [("100M", 10**8), ("2500K", 2_500_000), ("1G", 10**9), ("800", 800), ("1234567", 1_234_567)]
)
def test_rates_as_tc_writes_them(words: str, bps: int) -> None:
    assert bps_of_tc(words) == bps
