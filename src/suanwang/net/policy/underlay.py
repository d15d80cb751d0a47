"""What every router has without any policy: routes of the IGP, local SIDs, the source of outer headers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from suanwang.model.sr_program import Behavior, Hop, Item, LocalSid, Route, Source
from suanwang.net.addressing import BLOCK_BITS, FUNCTION_LENGTH, NODE_BITS, Addressing
from suanwang.net.igp import Plane


@dataclass(frozen=True, slots=True)
class Devices:
    """Names of devices: of the source end of a directed link, and the one that local SIDs are kept on. The latter is
    to be up as long as the router is: its SIDs go when it goes, and Linux allows neither lo nor none at all."""

    of_link: Callable[[int], str]
    of_sids: str


def hop(addressing: Addressing, devices: Devices, link: int) -> Hop:
    return Hop(str(addressing.gateway(link)), devices.of_link(link))


def routes(addressing: Addressing, plane: Plane, devices: Devices, node: int) -> Iterator[Item]:
    """A route to the locator and host prefix of every other node, over all equal-cost next links."""
    source = str(addressing.loopback(node))
    for target in range(plane.topology.n):
        links = plane.hops[plane.first[target, node] : plane.first[target, node + 1]].tolist()
        if links:
            hops = tuple(sorted(hop(addressing, devices, link) for link in links))
            for prefix in (addressing.locator(target), addressing.host_prefix(target)):
                yield Route(str(prefix), hops, source)


def local_sids(addressing: Addressing, plane: Plane, devices: Devices, node: int) -> Iterator[Item]:
    """Source, uN (End), a uA (End.X) for each usable link that leaves, and End.DT6."""
    yield Source(str(addressing.loopback(node)))
    on = devices.of_sids
    yield LocalSid(str(addressing.locator(node)), Behavior.END, on, "", (), BLOCK_BITS, NODE_BITS)
    yield LocalSid(f"{addressing.dt6_sid(node)}/{FUNCTION_LENGTH}", Behavior.END_DT6, on)
    topology = plane.topology
    for link in topology.out[topology.first[node] : topology.first[node + 1]].tolist():
        if plane.usable[link] and topology.reverse[link] >= 0:
            to = hop(addressing, devices, link)
            prefix = f"{addressing.end_x_sid(link)}/{FUNCTION_LENGTH}"
            # The function goes with the node id: both are behind once the adjacency is taken (RFC 9800, 4.1.2).
            yield LocalSid(prefix, Behavior.END_X, to.device, to.gateway, (), BLOCK_BITS, 2 * NODE_BITS)
