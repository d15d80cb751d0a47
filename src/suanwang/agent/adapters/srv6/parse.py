"""What `ip -j` prints, as items. Pure. Anything of ours that this project does not write comes back as it is, so that
it differs from all that is wanted and is put right."""

import json
from collections.abc import Iterator, Mapping
from ipaddress import IPv6Network
from typing import Any, Final

from suanwang.agent.adapters.srv6.port import Count, Counters
from suanwang.model.sr_program import Behavior, Group, Hop, Item, LocalSid, Member, Route, Source, Steer

NO_SOURCE: Final = "::"
NO_GATEWAY: Final = ""
_BEHAVIORS: Final = {one.value: one for one in Behavior}
Row = Mapping[str, Any]


def documents(text: str) -> list[Any]:
    """The JSON values that a batch printed one after the other."""
    decoder, at, out = json.JSONDecoder(), 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        out.append(value)
    return out


def down_devices(links: list[Row]) -> frozenset[str]:
    """Devices that are not up, or have no carrier."""
    return frozenset(one["ifname"] for one in links if not {"UP", "LOWER_UP"} <= set(one["flags"]))


def next_hops(rows: list[Row]) -> Iterator[Item]:
    for row in rows:
        if "group" in row:
            yield Group(row["id"], tuple(sorted((one["id"], one.get("weight", 1)) for one in row["group"])))
        else:
            hop = Hop(row.get("gateway", NO_GATEWAY), row.get("dev", ""))
            yield Member(row["id"], hop, tuple(row.get("segs", ())), row.get("mode", row.get("encap", "none")))


def routes(rows: list[Row], down: frozenset[str]) -> Iterator[Item]:
    for row in rows:
        prefix = str(IPv6Network(row["dst"] if row["dst"] != "default" else "::/0"))
        metric = row.get("metric", 0)
        if "nhid" in row:
            yield Steer(prefix, row["nhid"], metric, _number(row.get("table", "main")))
        elif row.get("encap") == "seg6local":
            yield _local_sid(prefix, row, metric)
        else:
            hops = [Hop(one.get("gateway", NO_GATEWAY), one.get("dev", "")) for one in row.get("nexthops", [row])]
            living = tuple(sorted(hop for hop in hops if hop.device not in down))
            if living:  # the kernel goes on showing hops that are dead
                yield Route(prefix, living, row.get("prefsrc", ""), metric)


def _number(table: str) -> int:
    """Of a routing table; 0 is the main one."""
    return 0 if table == "main" else int(table) if table.isdecimal() else -1


def source(row: list[Row]) -> Iterator[Item]:
    address = row[0]["tunsrc"]
    if address != NO_SOURCE:
        yield Source(address)


def _local_sid(prefix: str, row: Row, metric: int) -> Item:
    behavior = _BEHAVIORS.get(row.get("action", ""))
    if behavior is None:  # one of ours never: a route that differs from all that is wanted
        return Route(prefix, (), row.get("action", ""), metric)
    sids = tuple(row["srh"]["segs"]) if "srh" in row else ()
    block, node = (row.get("lblen", 0), row.get("nflen", 0)) if "next-csid" in row.get("flavors", ()) else (0, 0)
    return LocalSid(prefix, behavior, row.get("dev", ""), row.get("nh6", NO_GATEWAY), sids, block, node, metric)


def counters(route_rows: list[Row], link_rows: list[Row], members: Mapping[tuple[int, int], int]) -> Counters:
    """From `ip -j -s`: what SIDs took and devices sent."""
    sids = {}
    for row in route_rows:
        stats = row.get("stats64")
        if stats is not None:
            sids[str(IPv6Network(row["dst"]))] = Count(stats["packets"], stats["bytes"])
    sent = {row["ifname"]: row["stats64"]["tx"] for row in link_rows if "stats64" in row}
    return Counters(
        sids,
        {device: Count(tx["packets"], tx["bytes"]) for device, tx in sent.items()},
        {device: tx["dropped"] for device, tx in sent.items()},
        members,
    )
