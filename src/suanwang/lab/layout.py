"""A topology as a lab: names of namespaces and devices, MTUs, shaped rates and latencies. Pure and deterministic.

Router and host k are the namespaces `<prefix>r<k>` and `<prefix>h<k>`. Link l has a device `l<l>` at both ends.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from suanwang.model.error import Fault, FaultsError, TooLargeError
from suanwang.net.addressing import Addressing
from suanwang.net.topology import Topology

ROOT: Final = Path("/run/suanwang-lab")  # what labs leave on disk while they live
NODES_MAX: Final = 60  # 120 namespaces; more is a matter of more machines
NAME: Final = re.compile(r"[a-z][a-z0-9]{0,7}")
HOST_DEVICE: Final = "eth0"
ACCESS_DEVICE: Final = "host"
# RFC 8754: IPv6 header 40, routing header 8, 16 a segment. Ten segments are more than any policy here has.
SEGMENTS_MAX: Final = 10
OVERHEAD_BYTES: Final = 40 + 8 + 16 * SEGMENTS_MAX
ACCESS_MTU: Final = 1500
ACCESS_MTU_MIN, ACCESS_MTU_MAX = 1280, 9000
TOP_RATE_BPS: Final = 100_000_000
RATE_MIN_BPS: Final = 1_000_000  # below it one packet alone takes longer than most latencies
EF_PERCENT: Final = 30
QUEUE_US: Final = 50_000  # a queue before a shaped rate holds this much of it
QUEUE_BYTES_MIN: Final = 64_000
# A relay in user space adds about this much by itself: a shorter link is a plain veth pair.
RELAY_LATENCY_US_MIN: Final = 200


@dataclass(frozen=True)
class Way:
    """One direction of a link: the topology's directed link `directed`, shaped to `rate_bps` with `ef_bps` held."""

    directed: int
    node: int  # that it leaves
    capacity_bps: int
    rate_bps: int
    ef_bps: int
    latency_us: int


@dataclass(frozen=True)
class Link:
    """The cable `at`, in the order of the topology; `forth` leaves a, `back` leaves b."""

    at: int
    id: str
    device: str
    forth: Way
    back: Way

    @property
    def ways(self) -> tuple[Way, Way]:
        return self.forth, self.back

    @property
    def a(self) -> int:
        return self.forth.node

    @property
    def b(self) -> int:
        return self.back.node

    @property
    def relayed(self) -> bool:
        """Whether user space carries its frames with the latency; a veth pair else, with none."""
        return max(self.forth.latency_us, self.back.latency_us) >= RELAY_LATENCY_US_MIN


@dataclass(frozen=True, eq=False)
class Layout:
    """Everything that is decided about a lab before anything is made."""

    name: str
    topology: Topology
    addressing: Addressing
    links: tuple[Link, ...]
    access_mtu: int

    @property
    def core_mtu(self) -> int:
        return self.access_mtu + OVERHEAD_BYTES

    @property
    def prefix(self) -> str:
        return prefix_of(self.name)

    def router(self, node: int) -> str:
        return f"{self.prefix}r{node}"

    def host(self, node: int) -> str:
        return f"{self.prefix}h{node}"

    def namespaces(self) -> list[str]:
        nodes = range(self.topology.n)
        return [*map(self.router, nodes), *map(self.host, nodes)]

    def device(self, directed: int) -> str:
        """The device at the source of a directed link."""
        return self._devices[directed]

    def mac(self, directed: int) -> str:
        """Of the device at the source of a directed link: locally administered, and known without asking."""
        return f"02:00:00:00:{directed >> 8:02x}:{directed & 0xFF:02x}"

    def access_mac(self, node: int, *, host: bool) -> str:
        return f"02:00:00:{1 + host:02x}:{node >> 8:02x}:{node & 0xFF:02x}"

    @cached_property
    def _devices(self) -> dict[int, str]:
        return {end: link.device for link in self.links for end in (link.forth.directed, link.back.directed)}


def prefix_of(name: str) -> str:
    """What every namespace of the lab begins with."""
    assert NAME.fullmatch(name), "checked where it came in"
    return f"swlab-{name}-"


def check(topology: Topology) -> None:
    """Raises TooLargeError, or FaultsError with every link that no cable can be: one that has no way back."""
    if topology.n > NODES_MAX:
        raise TooLargeError("lab_too_large", sites=topology.n, limit=NODES_MAX)
    lonely = np.flatnonzero((topology.reverse < 0) & (topology.source != topology.target)).tolist()
    if lonely:
        raise FaultsError([Fault("lab_one_way", f"links[{at}]", topology.links[at]) for at in lonely], topology.name)


def make_layout(
    topology: Topology,
    name: str = "lab",
    *,
    top_rate_bps: int = TOP_RATE_BPS,
    ef_percent: int = EF_PERCENT,
    access_mtu: int = ACCESS_MTU,
) -> Layout:
    """The lab of a topology that `check` lets pass; a link from a node to itself is left out.

    The largest capacity becomes `top_rate_bps` and the others keep their proportion, but none is below RATE_MIN_BPS.
    """
    assert 1 <= ef_percent <= 99 and ACCESS_MTU_MIN <= access_mtu <= ACCESS_MTU_MAX and top_rate_bps >= RATE_MIN_BPS
    largest = max(1, int(topology.capacity_bps.max())) if topology.m else 1

    def way(directed: int) -> Way:
        capacity = int(topology.capacity_bps[directed])
        rate = max(RATE_MIN_BPS, capacity * top_rate_bps // largest)
        latency_us = int(topology.latency_us[directed])
        return Way(directed, int(topology.source[directed]), capacity, rate, rate * ef_percent // 100, latency_us)

    links: list[Link] = []
    for forth, back in enumerate(topology.reverse.tolist()):
        if forth < back and topology.source[forth] != topology.target[forth]:
            ident = topology.links[forth].removesuffix(":ab")
            links.append(Link(len(links), ident, f"l{len(links)}", way(forth), way(back)))
    return Layout(name, topology, Addressing(topology), tuple(links), access_mtu)
