"""How a function hangs on a router: the lines for `ip -batch` that make and remove it. Pure.

The router is a static SR proxy (draft-ietf-spring-sr-service-programming, End.AS). Its SID is End.DX6: the outer
headers come off, and the bare packet goes into the function. What comes out is looked up in a table of its own first,
where a segment list for the rest of the way may stand; where none does, it goes on by the router's main table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from suanwang.lab.functions.function import Place
from suanwang.lab.layout import ACCESS_DEVICE, QUEUE_BYTES_MIN, QUEUE_US, ROOT, Layout
from suanwang.model.grid import ProtectionFunction
from suanwang.net.addressing import SERVICE_TABLE_FIRST, sid_length

INWARD, OUTWARD = "in", "out"  # the function's devices
TABLE_FIRST: Final = SERVICE_TABLE_FIRST  # the table, and the priority of the rule, of function 0


@dataclass(frozen=True)
class Chained:
    """Function `number` of the lab, beside the router `node`. `peer` is the number of the other end of an encryption
    hop. `capacity_bps` is what its inward device is shaped to, frames whole; None is no shaping."""

    number: int
    node: int
    kind: ProtectionFunction
    peer: int | None = None
    capacity_bps: int | None = None

    def place(self, layout: Layout) -> Place:
        name = f"f{self.number}"
        return Place(layout.prefix + name, INWARD, OUTWARD, ROOT / layout.name / name)

    @property
    def near(self) -> str:
        """The router's end of the inward device."""
        return f"fi{self.number}"

    def sid(self, layout: Layout) -> IPv6Address:
        """The last segment of a list that ends in the function."""
        return layout.addressing.service_sid(self.node, self.number)

    def address(self, layout: Layout) -> IPv6Address:
        """The function's own, reached from every router."""
        return layout.addressing.service_address(self.node, self.number)


def chain_lines(layout: Layout, one: Chained) -> tuple[list[str], list[str], list[str]]:
    """What is done in no namespace once the function's own exists, in the function, and in the router.

    `gso_max_segs 1`: the kernel hands over packets as they are on a wire, not many of a stream in one.
    """
    place, router = one.place(layout), layout.router(one.node)
    into, out_of = (layout.addressing.service_link(one.node, one.number, outward=way) for way in (False, True))
    pairs, inside, beside = [], ["link set lo up"], []
    for device, own, prefix in ((INWARD, f"fi{one.number}", into), (OUTWARD, f"fo{one.number}", out_of)):
        near = f"{own} mtu {layout.core_mtu} netns {router}"
        pairs.append(
            f"link add {near} gso_max_segs 1 type veth peer name {device} mtu {layout.core_mtu} netns {place.namespace}"
        )
        inside += [f"address add {prefix[2]}/64 dev {device} nodad", f"link set {device} up"]
        beside += [f"address add {prefix[1]}/64 dev {own} nodad", f"link set {own} up"]
    inside.append(f"address add {one.address(layout)}/128 dev lo nodad")
    inside.append(f"route add default via {out_of[1]} dev {OUTWARD}")
    sid, table = one.sid(layout), TABLE_FIRST + one.number
    to_function = f"encap seg6local action End.DX6 nh6 {into[2]} dev fi{one.number}"
    beside.append(f"route add {sid}/{sid_length(sid)} {to_function}")
    beside.append(f"route add {one.address(layout)}/128 via {into[2]} dev {one.near}")
    beside.append(f"rule add iif fo{one.number} lookup {table} priority {table}")
    return pairs, inside, beside


def capacity_lines(layout: Layout, one: Chained) -> list[str]:
    """`tc -batch` in the router: no more than the capacity goes into the function, and what waits too long is lost."""
    rate = one.capacity_bps
    if rate is None:
        return []
    burst = max(2 * layout.core_mtu, rate // 8 // 1000)
    queue = max(QUEUE_BYTES_MIN, rate // 8 * QUEUE_US // 1_000_000)
    return [f"qdisc add dev {one.near} root tbf rate {rate}bit burst {burst} limit {queue}"]


def after_lines(layout: Layout, one: Chained, prefix: IPv6Network, segments: Sequence[IPv6Address] | None) -> list[str]:
    """In the router: what comes out of the function for a prefix goes on by a segment list; None takes that back."""
    table = TABLE_FIRST + one.number
    if segments is None:
        return [f"route del {prefix} table {table}"]
    encap = f"encap seg6 mode encap segs {','.join(map(str, segments))}"
    return [f"route replace {prefix} {encap} dev {ACCESS_DEVICE} table {table}"]


def unchain_lines(layout: Layout, one: Chained) -> list[str]:
    """In the router, before the namespace goes; some of it may be gone already."""
    sid, table = one.sid(layout), TABLE_FIRST + one.number
    return [
        f"route del {sid}/{sid_length(sid)}",
        f"route del {one.address(layout)}/128",
        f"rule del iif fo{one.number} lookup {table} priority {table}",
        f"route flush table {table}",
        f"link del fi{one.number}",
        f"link del fo{one.number}",
    ]
