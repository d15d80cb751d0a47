"""What the kernel says of a lab's links: state, shaped rate and counters, read and not remembered."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from suanwang.lab import netns, processes
from suanwang.lab.functions import LOOK, Chained, Counter
from suanwang.lab.layout import Layout, Link
from suanwang.model.grid import ProtectionFunction

# `tc -s class show` of iproute2 6.1 prints htb's rates as words, even with -j.
CLASS: Final = re.compile(
    r"class htb 1:(?P<number>\d+)\b.*?\brate (?P<rate>\S+?)bit\b.*?\n\s*"
    r"Sent (?P<bytes>\d+) bytes (?P<packets>\d+) pkt \(dropped (?P<dropped>\d+)"
)
UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
WHOLE, EF, BEST_EFFORT = "1", "10", "20"


@dataclass(frozen=True)
class Direction:
    """One way of a link, at its sender: the rates that tc holds, and what was sent and dropped in each class."""

    up: bool
    rate_bps: int
    ef_rate_bps: int
    sent_bytes: int
    sent_packets: int
    ef_packets: int
    dropped: int


@dataclass(frozen=True)
class LinkStatus:
    link: Link
    a: str
    b: str
    forth: Direction
    back: Direction

    @property
    def up(self) -> bool:
        return self.forth.up and self.back.up


@dataclass(frozen=True)
class FunctionStatus:
    """A protection function beside a router, and what it counted by its own names.

    `use_bps` is what went into it between two readings, frames whole, as the capacity counts them; `dropped` are the
    packets that its capacity had no room for. `alive` is false where its process, or its table in the kernel, is gone.
    """

    number: int
    site: str
    kind: ProtectionFunction
    sid: IPv6Address
    counters: dict[str, Counter]
    alive: bool
    use_bps: int
    capacity_bps: int | None
    dropped: int
    peer: int | None
    folder: Path


@dataclass(frozen=True)
class LabStatus:
    name: str
    routers: tuple[str, ...]
    links: tuple[LinkStatus, ...]
    functions: tuple[FunctionStatus, ...]
    relay_alive: bool
    core_mtu: int
    access_mtu: int


# Between the readings that give a function's use: long beside a packet, short beside a person's patience.
USE_US: Final = 500_000


def status(
    layout: Layout, functions: Sequence[Chained], now_us: Callable[[], int], sleep: Callable[[float], None]
) -> LabStatus:
    """Raises UnreachableError where a namespace or a device is gone. `now_us` never goes back."""
    before = [_reading(layout, one, now_us) for one in functions]
    nodes = range(layout.topology.n)
    ups = [_ups(layout.router(node)) for node in nodes]
    found: dict[int, Direction] = {}
    for link in layout.links:
        for way in link.ways:
            up = ups[way.node].get(link.device, False)
            found[way.directed] = _direction(layout.router(way.node), link.device, up)
    names = layout.topology.nodes
    return LabStatus(
        layout.name,
        names,
        tuple(
            LinkStatus(x, names[x.a], names[x.b], found[x.forth.directed], found[x.back.directed]) for x in layout.links
        ),
        _functions(layout, functions, before, now_us, sleep),
        bool(processes.relays(layout.prefix)) or not any(link.relayed for link in layout.links),
        layout.core_mtu,
        layout.access_mtu,
    )


def functions_of(
    layout: Layout, functions: Sequence[Chained], now_us: Callable[[], int], sleep: Callable[[float], None]
) -> tuple[FunctionStatus, ...]:
    """Of the functions alone. Raises UnreachableError where a namespace or a device is gone."""
    return _functions(layout, functions, [_reading(layout, one, now_us) for one in functions], now_us, sleep)


def _functions(
    layout: Layout,
    functions: Sequence[Chained],
    before: Sequence[tuple[int, int]],
    now_us: Callable[[], int],
    sleep: Callable[[float], None],
) -> tuple[FunctionStatus, ...]:
    if before and (left := before[-1][0] + USE_US - now_us()) > 0:
        sleep(left / 1_000_000)
    out = []
    for one, (then_us, then_bytes) in zip(functions, before, strict=True):
        at_us, size = _reading(layout, one, now_us)
        place = one.place(layout)
        looked = LOOK[one.kind](place)
        out.append(
            FunctionStatus(
                one.number,
                layout.topology.nodes[one.node],
                one.kind,
                one.sid(layout),
                looked.counters,
                looked.alive,
                (size - then_bytes) * 8 * 1_000_000 // max(1, at_us - then_us),
                one.capacity_bps,
                _dropped(layout, one),
                one.peer,
                place.folder,
            )
        )
    return tuple(out)


def _reading(layout: Layout, one: Chained, now_us: Callable[[], int]) -> tuple[int, int]:
    """When, and the bytes that the router has sent into the function: those that its capacity had room for."""
    size = netns.sent(layout.router(one.node), one.near).bytes_out
    return now_us(), size


def _dropped(layout: Layout, one: Chained) -> int:
    if one.capacity_bps is None:
        return 0
    rows = json.loads(netns.ask(["tc", "-n", layout.router(one.node), "-s", "-j", "qdisc", "show", "dev", one.near]))
    return sum(int(row.get("drops", 0)) for row in rows)


def _ups(namespace: str) -> dict[str, bool]:
    rows = json.loads(netns.ask(["ip", "-n", namespace, "-j", "link", "show"]))
    return {row["ifname"]: {"UP", "LOWER_UP"} <= set(row["flags"]) for row in rows}


def _direction(namespace: str, device: str, up: bool) -> Direction:
    text = netns.ask(["tc", "-n", namespace, "-s", "class", "show", "dev", device])
    rows = {one["number"]: one for one in CLASS.finditer(text)}
    parts = [rows[number] for number in (EF, BEST_EFFORT) if number in rows]
    return Direction(
        up,
        rate_bps=bps_of_tc(rows[WHOLE]["rate"]) if WHOLE in rows else 0,
        ef_rate_bps=bps_of_tc(rows[EF]["rate"]) if EF in rows else 0,
        sent_bytes=sum(int(one["bytes"]) for one in parts),
        sent_packets=sum(int(one["packets"]) for one in parts),
        ef_packets=int(rows[EF]["packets"]) if EF in rows else 0,
        dropped=sum(int(one["dropped"]) for one in parts),
    )


def bps_of_tc(words: str) -> int:
    """`100M`, `2500K` or `1Gbit` without its `bit`, as tc writes rates (in thousands)."""
    unit = words[-1] if words[-1] in "KMGT" else ""
    return round(float(words.removesuffix(unit)) * UNITS[unit])
