"""The lab for the command line: the real clock, and names of sites and links as people write them."""

from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from suanwang.grids import load_graphml, load_grid, random_grid
from suanwang.grids.load import read_file
from suanwang.lab import beside, build, probe, state
from suanwang.lab.beside import Attached
from suanwang.lab.build import Removed
from suanwang.lab.commands import EF_TRAFFIC_CLASS
from suanwang.lab.functions import Firewall, Function, Ids, Rule
from suanwang.lab.layout import (
    ACCESS_MTU,
    ACCESS_MTU_MAX,
    ACCESS_MTU_MIN,
    EF_PERCENT,
    NAME,
    RATE_MIN_BPS,
    TOP_RATE_BPS,
    Layout,
    Link,
    Way,
    check,
)
from suanwang.lab.ping import Pinged, ping
from suanwang.lab.state import State, Stored
from suanwang.lab.status import LabStatus, status
from suanwang.lab.traffic import Ask, Measured, Tool, best_tool, measure
from suanwang.lab.underlay import plane_of
from suanwang.model.error import Fault, FaultsError, NotFoundError
from suanwang.net.igp import NO_PATH
from suanwang.net.topology import Topology, read_graph, topology_of_grid
from suanwang.runtime import clock

__all__ = [
    "EF_PERCENT",
    "TOP_RATE_BPS",
    "Attached",
    "Firewall",
    "Ids",
    "LabStatus",
    "Layout",
    "Link",
    "Measured",
    "Pinged",
    "Removed",
    "Rule",
    "State",
    "Tool",
    "Way",
]

GRAPH_BYTES_MAX: Final = 4 * 1024**2  # the largest public REPETITA graph has 0.1 MiB


def topology_of(file: Path | None, sites: int, seed: int) -> Topology:
    """A grid file, a GraphML file, a REPETITA graph (`.graph`), or without a file a grid drawn from the seed."""
    if file is None:
        return topology_of_grid(random_grid(sites, seed))
    if file.suffix == ".graph":
        return read_graph(read_file(file, GRAPH_BYTES_MAX).decode("utf-8", "replace"), file.stem, str(file))
    return topology_of_grid(load_graphml(file, seed) if file.suffix == ".graphml" else load_grid(file))


def up(
    topology: Topology,
    name: str,
    *,
    top_rate_bps: int = TOP_RATE_BPS,
    ef_percent: int = EF_PERCENT,
    access_mtu: int = ACCESS_MTU,
    routes: bool = True,
) -> tuple[Layout, int]:
    """Make the lab of a topology; the layout and the time that it took, in us. One clear error for what cannot be."""
    _check_name(name)
    faults = [
        Fault("lab_range", where, str(got), params={"least": least, "most": most})
        for where, got, least, most in (
            ("--rate", top_rate_bps, RATE_MIN_BPS, 10**11),
            ("--ef-percent", ef_percent, 1, 99),
            ("--mtu", access_mtu, ACCESS_MTU_MIN, ACCESS_MTU_MAX),
        )
        if not least <= got <= most
    ]
    if faults:
        raise FaultsError(faults, "lab")
    check(topology)
    probe.require_root()
    wanted = State(name, Stored.of(topology), top_rate_bps, ef_percent, access_mtu, routes=routes)
    begin = clock.monotonic_us()
    return build.up(wanted, clock.pause), clock.monotonic_us() - begin


def down(name: str) -> Removed:
    _check_name(name)
    probe.require_root()
    return build.down(name, clock.pause)


def look(name: str) -> tuple[State, LabStatus]:
    now = require(name)
    return now, status(now.layout(), now.functions, clock.monotonic_us, clock.pause)


def ping_hosts(name: str, source: str, target: str, count: int) -> tuple[Pinged, int | None]:
    """The answers, and the round trip that the grid's latencies promise on the IGP's way (the worst of equal ones)."""
    now = require(name)
    layout = now.layout()
    a, b = site_of(layout, source), site_of(layout, target)
    plane = plane_of(layout, frozenset(now.down_links))
    asked = int(plane.worst_us[a, b]) + int(plane.worst_us[b, a])
    found = ping(layout.host(a), layout.addressing.host_address(b), clock.monotonic_ns, count=count)
    return found, asked if asked < NO_PATH else None


def traffic(name: str, source: str, target: str, rate_bps: int | None, seconds: int, ef: bool, own: bool) -> Measured:
    layout = require(name).layout()
    a, b = site_of(layout, source), site_of(layout, target)
    traffic_class = EF_TRAFFIC_CLASS if ef else 0
    to = layout.addressing.host_address(b)
    ask = Ask(layout.host(a), layout.host(b), to, layout.access_mtu, seconds, rate_bps, traffic_class)
    return measure(ask, "own" if own else best_tool(), clock.monotonic_ns, clock.pause)


def fail_link(name: str, link: str, end: str | None) -> None:
    """Take both ends of a link down, or the one at a site."""
    layout = require(name).layout()
    one = _link(layout, link)
    node = None if end is None else site_of(layout, end)
    if node not in (None, one.a, one.b):
        raise NotFoundError("lab_not_an_end", site=end, link=link)
    build.fail_link(name, one.at, node, clock.pause)


def heal(name: str, link: str) -> None:
    build.heal(name, _link(require(name).layout(), link).at, clock.pause)


def chain(name: str, site: str, function: Function, capacity_bps: int | None = None) -> tuple[int, IPv6Address]:
    """Put a protection function beside a site's router: its number, and the SID that ends a list of segments in it."""
    layout = require(name).layout()
    one = beside.chain(name, site_of(layout, site), function, clock.pause, capacity_bps)
    return one.number, one.sid(layout)


def unchain(name: str, number: int) -> None:
    """Take it away, and both ends of an encryption hop."""
    require(name)
    beside.unchain(name, number, clock.pause)


def attach(name: str, site: str, pid: int, label: str = "") -> Attached:
    """Give the network namespace of a process (of a task's sandbox) a device in a site's segment."""
    return beside.attach(name, site_of(require(name).layout(), site), Path(f"/proc/{pid}/ns/net"), clock.pause, label)


def detach(name: str, attached: Attached) -> None:
    require(name)
    beside.detach(name, attached, clock.pause)


def require(name: str) -> State:
    """A lab that is up. Raises FaultsError, NotAllowedError, NotFoundError, or ConflictError where half of one is."""
    _check_name(name)
    probe.require_root()
    return state.require(name)


def site_of(layout: Layout, site: str) -> int:
    """The number of a site's router."""
    try:
        return layout.topology.nodes.index(site)
    except ValueError:
        raise NotFoundError("lab_site_unknown", site=site, name=layout.name) from None


def _link(layout: Layout, ident: str) -> Link:
    for one in layout.links:
        if one.id == ident:
            return one
    raise NotFoundError("lab_link_unknown", link=ident, name=layout.name)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise FaultsError([Fault("lab_name", "--name", name)], "lab")
