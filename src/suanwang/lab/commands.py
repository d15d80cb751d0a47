"""The lines for `ip -batch` and `tc -batch` that make a layout. Pure: namespace -> lines."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Final

from suanwang.lab.layout import ACCESS_DEVICE, HOST_DEVICE, QUEUE_BYTES_MIN, QUEUE_US, Layout, Link, Way

EF_TRAFFIC_CLASS: Final = 46 << 2  # RFC 3246: DSCP 46; the encapsulation copies it to the outer header
EF_CLASS, BEST_EFFORT_CLASS = 10, 20
DEVICE_QUEUE_FRAMES: Final = 5_000
# The two ends of a veth pair get different numbers. Where both have one number, as they may when each namespace counts its
# own devices, Linux takes an end for a device without a peer, and a lost carrier waits for the next turn of linkwatch: up
# to a second (net/core/link_watch.c).
INDEX_FIRST: Final = 1_000

# Written before any device is made, so that each inherits `default`. DAD is off: a healed link is at once usable.
ROUTER_SYSCTLS: Final = {
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/fib_multipath_hash_policy": 1,
    **{
        f"net/ipv6/conf/{scope}/{name}": value
        for scope in ("all", "default", "lo")
        for name, value in (("seg6_enabled", 1), ("keep_addr_on_down", 1), ("accept_dad", 0), ("accept_ra", 0))
    },
    "net/ipv6/conf/default/router_solicitations": 0,
}
HOST_SYSCTLS: Final = {
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
}


def make_namespaces(layout: Layout) -> list[str]:
    return [f"netns add {name}" for name in layout.namespaces()]


def make_pairs(layout: Layout) -> list[str]:
    """Access links, and links too short for the relay; none of their ends is ever in the caller's namespace."""
    mtu, core = layout.access_mtu, layout.core_mtu
    out = []
    for node in range(layout.topology.n):
        near = f"{ACCESS_DEVICE} address {layout.access_mac(node, host=False)} mtu {mtu} netns {layout.router(node)}"
        far = f"{HOST_DEVICE} address {layout.access_mac(node, host=True)} mtu {mtu} netns {layout.host(node)}"
        out.append(f"link add {near} type veth peer name {far}")
    for link in layout.links:
        if not link.relayed:
            near, far = (
                f"{link.device} index {INDEX_FIRST + way.directed} address {layout.mac(way.directed)} mtu {core}"
                f" netns {layout.router(way.node)}"
                for way in link.ways
            )
            out.append(f"link add {near} type veth peer name {far}")
    return out


def ends(layout: Layout, node: int) -> Iterator[tuple[Link, Way]]:
    """The links at a router, with the direction that leaves it."""
    for link in layout.links:
        if link.a == node:
            yield link, link.forth
        if link.b == node:
            yield link, link.back


def router_lines(layout: Layout, node: int) -> list[str]:
    """`ip -batch` inside the router."""
    plan, core = layout.addressing, layout.core_mtu
    out = ["link set lo up", f"address add {plan.loopback(node)}/128 dev lo nodad"]
    for link, leaving in ends(layout, node):
        if link.relayed:
            out.append(f"tuntap add dev {link.device} mode tap")
            mac = layout.mac(leaving.directed)
            out.append(f"link set {link.device} address {mac} mtu {core} txqueuelen {DEVICE_QUEUE_FRAMES}")
        out.append(f"address add {plan.link_address(leaving.directed)}/64 dev {link.device} nodad")
        out.append(f"link set {link.device} up")
        out.append(neighbour_line(layout, link, node))
    out.append(f"address add {plan.router_on_host_link(node)}/64 dev {ACCESS_DEVICE} nodad")
    out.append(f"link set {ACCESS_DEVICE} up")
    host = f"{plan.host_address(node)} lladdr {layout.access_mac(node, host=True)}"
    out.append(f"neigh replace {host} dev {ACCESS_DEVICE} nud permanent")
    return out


def neighbour_line(layout: Layout, link: Link, node: int) -> str:
    """The other end of a link as `node` knows it. A router's neighbours are known before traffic comes (its routing
    protocol spoke with them); asking for them over an emulated link would cost the first packet a round trip more."""
    far = link.back if node == link.a else link.forth
    gateway = layout.addressing.link_address(far.directed)
    return f"neigh replace {gateway} lladdr {layout.mac(far.directed)} dev {link.device} nud permanent"


def host_lines(layout: Layout, node: int) -> list[str]:
    """`ip -batch` inside the host."""
    plan = layout.addressing
    router = f"{plan.router_on_host_link(node)} lladdr {layout.access_mac(node, host=False)}"
    return [
        "link set lo up",
        *member_lines(layout, node, plan.host_address(node), HOST_DEVICE),
        f"neigh replace {router} dev {HOST_DEVICE} nud permanent",
    ]


def member_lines(layout: Layout, node: int, address: IPv6Address, device: str) -> list[str]:
    """One member of a site's segment. It has a /128 and reaches even its neighbours by the router, so that members on
    links of their own need no bridge."""
    router = layout.addressing.router_on_host_link(node)
    return [
        f"link set {device} up",
        f"address add {address}/128 dev {device} nodad",
        f"route add {router}/128 dev {device}",
        f"route add default via {router} dev {device}",
    ]


def switch_lines(layout: Layout, link: Link, wanted_up: bool, end: int | None) -> dict[str, list[str]]:
    """Router -> its lines that fail (both ends, or that of node `end`) or heal a link.

    The end that is not taken down loses its carrier. A veth pair sees to that itself; a TAP device is told.
    """
    carrier = "on" if wanted_up else "off"
    out = {}
    for node in (link.a, link.b):
        lines = []
        if link.relayed and (wanted_up or end not in (None, node)):
            lines.append(f"link set {link.device} carrier {carrier}")
        if wanted_up or end in (None, node):
            lines.append(f"link set {link.device} {'up' if wanted_up else 'down'}")
        if wanted_up:
            lines.append(neighbour_line(layout, link, node))  # forgotten when the device went down
        out[layout.router(node)] = lines
    return out


def class_lines(layout: Layout, link: Link, way: Way, ef_bps: int, verb: str) -> list[str]:
    """`tc -batch` lines that add or change the two classes of a direction, EF with a share of its own."""
    burst = max(2 * layout.core_mtu, way.rate_bps // 8 // 1000)
    return [
        f"class {verb} dev {link.device} parent 1:1 classid 1:{number} htb rate {held}bit ceil {way.rate_bps}bit"
        f" prio {priority} burst {burst} cburst {burst} quantum 3000"
        for number, held, priority in ((EF_CLASS, ef_bps, 0), (BEST_EFFORT_CLASS, way.rate_bps - ef_bps, 1))
    ]


def shaping_lines(layout: Layout, node: int) -> list[str]:
    """`tc -batch` inside the router: each leaving link held to its rate, EF ahead of the rest within its share.

    EF may use the whole link when it is idle (`ceil`); under load it keeps `ef_bps` and best effort the remainder.
    """
    out = []
    for link, way in ends(layout, node):
        at, rate = f"dev {link.device}", way.rate_bps
        burst = max(2 * layout.core_mtu, rate // 8 // 1000)
        queue = max(QUEUE_BYTES_MIN, rate // 8 * QUEUE_US // 1_000_000)
        out.append(f"qdisc add {at} root handle 1: htb default 20")
        out.append(f"class add {at} parent 1: classid 1:1 htb rate {rate}bit ceil {rate}bit burst {burst} quantum 3000")
        out += class_lines(layout, link, way, way.ef_bps, "add")
        for number in (EF_CLASS, BEST_EFFORT_CLASS):
            out.append(f"qdisc add {at} parent 1:{number} handle {number}: bfifo limit {queue}")
        match = f"match ip6 priority {EF_TRAFFIC_CLASS:#x} 0xfc"
        out.append(f"filter add {at} parent 1: protocol ipv6 prio 1 u32 {match} flowid 1:10")
    return out
