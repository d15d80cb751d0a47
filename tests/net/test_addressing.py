"""The addressing plan: every address is its own, lies where it must, and the published form stays."""

from ipaddress import IPv6Address, IPv6Network

import numpy as np
import pytest

from suanwang.grids import random_grid
from suanwang.net.addressing import BLOCK, COLOR_MAX, SERVICES_MAX, Addressing, sid_length
from suanwang.net.topology import make_topology, topology_of_grid

GRID = topology_of_grid(random_grid(40, 3))


def test_the_published_form() -> None:
    plan = Addressing(GRID)
    assert plan.locator(0) == IPv6Network("fcbb:bb00:1::/48")
    assert plan.locator(30) == IPv6Network("fcbb:bb00:1f::/48")
    assert plan.end_sid(30) == IPv6Address("fcbb:bb00:1f::")
    assert plan.dt6_sid(2) == IPv6Address("fcbb:bb00:3:f006::")
    assert plan.b6_sid(2, 7) == IPv6Address("fcbb:bb00:3:f107::")
    assert plan.service_sid(2, 3) == IPv6Address("fcbb:bb00:3:f013::")
    assert plan.service_address(2, 3) == IPv6Address("fcbb:bb00:3:f013::1")
    assert plan.service_link(2, 3, outward=True) == IPv6Network("fd02:3:3:1::/64")
    assert plan.loopback(2) == IPv6Address("fcbb:bb00:3::1")
    assert plan.host_prefix(2) == IPv6Network("fd00:3::/64")
    assert (plan.router_on_host_link(2), plan.host_address(2)) == (IPv6Address("fd00:3::1"), IPv6Address("fd00:3::2"))
    assert (plan.link_address(0), plan.link_address(1)) == (IPv6Address("fd01::1"), IPv6Address("fd01::2"))
    assert plan.link_prefix(7) == IPv6Network("fd01:0:0:6::/64")


def test_no_address_is_used_twice_and_each_is_at_home() -> None:
    plan = Addressing(GRID)
    links, nodes = range(GRID.m), range(GRID.n)
    sids = [*map(plan.end_x_sid, links), *map(plan.dt6_sid, nodes), *map(plan.end_sid, nodes)]
    sids += [plan.b6_sid(node, color) for node in nodes for color in (0, COLOR_MAX)]
    sids += [plan.service_sid(node, service) for node in nodes for service in (0, SERVICES_MAX - 1)]
    others = [*map(plan.link_address, links), *map(plan.host_address, nodes), *map(plan.router_on_host_link, nodes)]
    others += map(plan.loopback, nodes)
    assert len(set(sids + others)) == len(sids + others)
    for link in links:
        assert plan.end_x_sid(link) in plan.locator(int(GRID.source[link]))
        assert plan.gateway(link) == plan.link_address(int(GRID.reverse[link]))
        assert plan.link_prefix(link) == plan.link_prefix(int(GRID.reverse[link]))
        assert plan.link_address(link) in plan.link_prefix(link) and plan.link_address(link) not in BLOCK


def test_the_route_of_a_sid_has_a_length() -> None:
    plan = Addressing(GRID)
    assert {sid_length(plan.end_sid(node)) for node in range(GRID.n)} == {48}
    assert {sid_length(plan.end_x_sid(link)) for link in range(GRID.m)} == {64}


def test_a_link_without_a_way_back_has_its_own_prefix() -> None:
    one = np.array([1], np.int64)
    plan = Addressing(make_topology("t", ["a", "b"], ["ab"], one - 1, one, one, one, one))
    assert (plan.link_address(0), plan.gateway(0)) == (IPv6Address("fd01::1"), IPv6Address("fd01::2"))


def test_what_does_not_exist_has_no_address() -> None:
    plan = Addressing(GRID)
    for call in (lambda: plan.locator(GRID.n), lambda: plan.link_address(-1), lambda: plan.b6_sid(0, COLOR_MAX + 1)):
        with pytest.raises(AssertionError):
            call()
