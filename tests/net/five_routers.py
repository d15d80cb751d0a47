"""r1-{r2 | r3-r4}-r5, the network of the tests of SR policies: the way over r2 is the IGP's."""

import numpy as np

from suanwang.net.addressing import Addressing
from suanwang.net.igp import Plane, build_plane
from suanwang.net.policy import Devices, Mtu
from suanwang.net.topology import Topology, make_topology

CABLES = ((0, 1), (1, 4), (0, 2), (2, 3), (3, 4))
CORE_MTU = 1700
ACCESS_MTU = 1500


def five_routers() -> Topology:
    ends = [one for a, b in CABLES for one in ((a, b), (b, a))]
    nodes = [f"r{at + 1}" for at in range(5)]
    table = np.array(ends, np.int64)
    even = np.ones(len(ends), np.int64)
    links = [f"{nodes[a]}-{nodes[b]}" for a, b in ends]
    return make_topology("five", nodes, links, table[:, 0].copy(), table[:, 1].copy(), even, even * 10**9, even * 10)


def plan(down: tuple[str, ...] = ()) -> tuple[Addressing, Plane]:
    """The addresses, and the plane without the directed links that are down."""
    topology = five_routers()
    usable = np.array([link not in down for link in topology.links], np.bool_)
    return Addressing(topology), build_plane(topology, usable=usable)


def mtu(core: int = CORE_MTU, access: int = ACCESS_MTU) -> Mtu:
    return Mtu(access, np.full(2 * len(CABLES), core, np.int64))


def devices() -> Devices:
    """A device is called like the far end of its link: r2's towards r5 is `to5`."""
    topology = five_routers()
    return Devices(lambda link: f"to{int(topology.target[link]) + 1}", "sids")
