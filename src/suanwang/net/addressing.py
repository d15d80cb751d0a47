"""Which IPv6 addresses and SRv6 SIDs a topology's routers, links and hosts have.

The block is cut as RFC 9800 cuts it for NEXT-CSID: 32 bits of block, 16 of node, 16 of function. Node ids (the global
part) are below 0xe000, functions (the local part) from 0xe000, so that a container of 16-bit uSIDs tells them apart:

    fcbb:bb00:<node>::/48          locator, and the node's uSID (End)
    fcbb:bb00:<node>:<e000 + k>::  End.X over the k-th link that leaves the node
    fcbb:bb00:<node>:f006::        End.DT6
    fcbb:bb00:<node>:<f010 + f>::  End.DX6 to the protection function f beside the node
    fcbb:bb00:<node>:<f010 + f>::1 the function's own address, reached by the locator
    fcbb:bb00:<node>:<f100 + c>::  End.B6.Encaps, the binding SID of color c
    fcbb:bb00:<node>::1            loopback of the router
    fd00:<node>::/64               hosts: ::1 is the router, ::2 the host
    fd01:<cable>::/64              a link: ::1 is the lower directed link's source, ::2 the other end
    fd02:<node>:<f>:<0 or 1>::/64  into and out of a protection function: ::1 is the router, ::2 the function

`<node>` is the node's number plus one. A SID is an address; the route that carries it has the length `sid_length`.
"""

from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network
from typing import Final

import numpy as np

from suanwang.net.network import Ints
from suanwang.net.topology import NODES_MAX, Topology

BLOCK: Final = IPv6Network("fcbb:bb00::/32")
BLOCK_BITS: Final = 32  # lblen of NEXT-CSID
NODE_BITS: Final = 16  # nflen of NEXT-CSID
LOCATOR_LENGTH: Final = 48
FUNCTION_LENGTH: Final = 64  # the prefix length of a SID with a function

END_X_FIRST: Final = 0xE000
END_X_LINKS_MAX: Final = 0x1000
DT6: Final = 0xF006
SERVICE_FIRST: Final = 0xF010
SERVICES_MAX: Final = 0xE0
SERVICE_TABLE_FIRST: Final = 1000  # the routing table of what comes out of function 0 of a router
B6_FIRST: Final = 0xF100
COLOR_MAX: Final = 0x0EFF

_HOSTS: Final = 0xFD00 << 112
_LINKS: Final = 0xFD01 << 112
_LINK_CABLE_SHIFT: Final = 64
_SERVICES: Final = 0xFD02 << 112
assert NODES_MAX < END_X_FIRST, "node ids stay below the functions"


@dataclass(frozen=True, eq=False)
class Addressing:
    """The plan of one topology. Nodes are 0..n-1, links the directed ones 0..m-1."""

    topology: Topology
    block: IPv6Network = field(default=BLOCK, init=False)

    def node_id(self, node: int) -> int:
        """The 16 bits of a node in every prefix: its number plus one, since a uSID of zero ends a container."""
        assert 0 <= node < self.topology.n, f"no node {node}"
        return node + 1

    def locator(self, node: int) -> IPv6Network:
        """The /48 that the IGP spreads for the node."""
        return IPv6Network((self._node_base(node), LOCATOR_LENGTH))

    def loopback(self, node: int) -> IPv6Address:
        """The router's own address, the source of its outer headers."""
        return IPv6Address(self._node_base(node) + 1)

    def end_sid(self, node: int) -> IPv6Address:
        """End; with NEXT-CSID its route is the whole locator."""
        return IPv6Address(self._node_base(node))

    def end_x_sid(self, link: int) -> IPv6Address:
        """End.X at the link's source, over that link."""
        assert 0 <= link < self.topology.m, f"no link {link}"
        return self._function(int(self.topology.source[link]), END_X_FIRST + int(self._place[link]))

    def dt6_sid(self, node: int) -> IPv6Address:
        """End.DT6 into the main table, where the node's hosts are."""
        return self._function(node, DT6)

    def b6_sid(self, node: int, color: int) -> IPv6Address:
        """The binding SID of the node's policy of a color, 0 to COLOR_MAX."""
        assert 0 <= color <= COLOR_MAX, f"colors are 0 to {COLOR_MAX}"
        return self._function(node, B6_FIRST + color)

    def service_sid(self, node: int, service: int) -> IPv6Address:
        """End.DX6: takes the outer headers off and hands the packet to a protection function beside the node."""
        assert 0 <= service < SERVICES_MAX, f"services are 0 to {SERVICES_MAX - 1}"
        return self._function(node, SERVICE_FIRST + service)

    def service_address(self, node: int, service: int) -> IPv6Address:
        """Of the protection function itself, where others reach it: inside the locator, so that the underlay has it."""
        return self.service_sid(node, service) + 1

    def service_link(self, node: int, service: int, *, outward: bool) -> IPv6Network:
        """Between a router (::1) and a protection function (::2); what comes out comes on a link of its own."""
        assert 0 <= service < SERVICES_MAX, f"services are 0 to {SERVICES_MAX - 1}"
        return IPv6Network((_SERVICES | self.node_id(node) << 96 | service << 80 | outward << 64, 64))

    def host_prefix(self, node: int) -> IPv6Network:
        return IPv6Network((_HOSTS | self.node_id(node) << 96, 64))

    def router_on_host_link(self, node: int) -> IPv6Address:
        """The router's end of the access link, the host's gateway."""
        return self.host_prefix(node)[1]

    def host_address(self, node: int) -> IPv6Address:
        return self.host_prefix(node)[2]

    def link_prefix(self, link: int) -> IPv6Network:
        """The /64 of the cable that the directed link is a direction of."""
        return IPv6Network((_LINKS | self._cable(link) << _LINK_CABLE_SHIFT, 64))

    def link_address(self, link: int) -> IPv6Address:
        """The address of the link's source end; the other end has that of the reverse link."""
        return self.link_prefix(link)[1 if self._cable(link) == link else 2]

    def gateway(self, link: int) -> IPv6Address:
        """The address of the link's far end, the `via` of a route over it."""
        return self.link_prefix(link)[2 if self._cable(link) == link else 1]

    def _node_base(self, node: int) -> int:
        return int(BLOCK.network_address) | self.node_id(node) << (128 - LOCATOR_LENGTH)

    def _function(self, node: int, function: int) -> IPv6Address:
        return IPv6Address(self._node_base(node) | function << (128 - FUNCTION_LENGTH))

    def _cable(self, link: int) -> int:
        """The lower of both directions; 32 bits of it fit into the prefix."""
        assert 0 <= link < self.topology.m, f"no link {link}"
        other = int(self.topology.reverse[link])
        return min(link, other) if other >= 0 else link

    @cached_property
    def _place(self) -> Ints:
        """(m,): the place of each link among those that leave its source."""
        topology = self.topology
        place = np.empty(topology.m, np.int64)
        place[topology.out] = np.arange(topology.m) - np.repeat(topology.first[:-1], np.diff(topology.first))
        assert not topology.m or int(place.max()) < END_X_LINKS_MAX, "an End.X SID for each link of a node"
        return place


def sid_length(sid: IPv6Address) -> int:
    """The prefix length of a SID's route: the locator's for End, one with its function else."""
    return FUNCTION_LENGTH if int(sid) >> (128 - FUNCTION_LENGTH) & 0xFFFF else LOCATOR_LENGTH
