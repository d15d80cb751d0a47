"""Bandwidth that is held: each link's EF class gets what is held on it, and flows are marked at their ingress. Pure.

A flow is EF up to what it holds and best effort above it (RFC 2697's idea with one rate), so that nobody lives on
another's share. The mark is in the inner header; the encapsulation copies it to the outer one. What is closed is
dropped at the ingress.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from suanwang.lab.commands import class_lines, ends
from suanwang.lab.layout import Layout, Way

TABLE: Final = "suanwang-ingress"
BEST_EFFORT_PERMILLE: Final = 50  # of a link is left to the rest, whatever is held
# Held figures are of users' packets; headers of the encapsulation and of Ethernet come on top (1500 bytes: 8 %).
OVERHEAD_PERMILLE: Final = 1_100
BURST_US: Final = 20_000


@dataclass(frozen=True)
class Ingress:
    """A flow at the router that it enters by, to one address or to several that share what it holds. `rate_bps` 0: nothing is
    held, it stays as it is."""

    addresses: tuple[str, ...]
    rate_bps: int
    closed: bool = False


def ef_bps(way: Way, held_bps: int) -> int:
    """The rate of a direction's EF class while so much is held on it."""
    most = way.rate_bps - max(1_000, way.rate_bps * BEST_EFFORT_PERMILLE // 1000)
    return min(most, max(way.ef_bps, held_bps * OVERHEAD_PERMILLE // 1000))


def change_lines(layout: Layout, node: int, ef: Mapping[int, int]) -> list[str]:
    """`tc -batch` lines of one router: directed link -> its EF rate."""
    out: list[str] = []
    for link, way in ends(layout, node):
        if way.directed in ef:
            out += class_lines(layout, link, way, ef[way.directed], "change")
    return out


def ruleset(flows: Iterable[Ingress]) -> str:
    """The text for `nft -f` of one router; it replaces what was there in one step."""
    rules: list[str] = []
    for flow in flows:
        match = f"ip6 daddr {{ {', '.join(flow.addresses)} }}"
        if flow.closed:
            rules.append(f"{match} counter drop")
        elif flow.rate_bps:
            rate, burst = flow.rate_bps // 8, max(15_000, flow.rate_bps // 8 * BURST_US // 1_000_000)
            limit = f"limit rate over {rate} bytes/second burst {burst} bytes"
            rules.append(f"{match} {limit} counter ip6 dscp set cs0 accept")
            rules.append(f"{match} counter ip6 dscp set ef")
    body = "".join(f"    {rule}\n" for rule in rules)
    hook = "type filter hook prerouting priority mangle; policy accept;"
    chain = f"table ip6 {TABLE} {{\n  chain ingress {{\n    {hook}\n{body}  }}\n}}\n"
    return f"table ip6 {TABLE} {{}}\ndelete table ip6 {TABLE}\n" + (chain if rules else "")
