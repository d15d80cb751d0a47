"""A lab's links: what tc and the kernel say of each, and what the grid asked for."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.words import t
from suanwang.model.units import show_bps, show_bytes, show_span

if TYPE_CHECKING:
    from suanwang.runtime.lab import LabStatus, Link, State, Way


def whole(now: "State", found: "LabStatus") -> list[RenderableType]:
    """A line of what it is, the table of links, and what emulates the latency."""
    head = t("cli.lab.is", name=found.name, routers=len(found.routers), links=len(found.links))
    mtus = t("cli.lab.mtus", core=found.core_mtu, access=found.access_mtu)
    out: list[RenderableType] = [Text(head, "bold"), _links(found)]
    if found.functions:
        out.append(_functions(found))
    out.append(Text(mtus, "dim"))
    netem = t("cli.lab.netem_there") if now.netem else t("cli.lab.netem_missing")
    out.append(Text(netem, "dim"))
    if not found.relay_alive:
        out.append(Text(t("cli.lab.relay_dead"), "bold red"))
    return out


def _links(found: "LabStatus") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for key in ("link", "ends", "state", "rate", "ef", "latency", "sent", "dropped"):
        numeric = key in ("rate", "ef", "latency", "sent", "dropped")
        table.add_column(t(f"cli.lab.col.{key}"), justify="right" if numeric else "left")
    for one in found.links:
        state = Text(t("cli.lab.link_up"), "green") if one.up else Text(t("cli.lab.link_down"), "bold red")
        table.add_row(
            one.link.id,
            f"{one.a} – {one.b}",
            state,
            show_bps(one.forth.rate_bps),
            show_bps(one.forth.ef_rate_bps),
            _latency(one.link),
            f"{show_bytes(one.forth.sent_bytes)} / {show_bytes(one.back.sent_bytes)}",
            str(one.forth.dropped + one.back.dropped),
        )
    return table


def _functions(found: "LabStatus") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for key in ("number", "function", "site", "state", "use", "capacity", "dropped", "sid", "counters"):
        numeric = key in ("number", "use", "capacity", "dropped")
        table.add_column(t(f"cli.lab.col.{key}"), justify="right" if numeric else "left")
    for one in found.functions:
        counted = ", ".join(f"{name} {count.packets}" for name, count in one.counters.items())
        state = Text(t("cli.lab.alive"), "green") if one.alive else Text(t("cli.lab.dead"), "bold red")
        kind = t(f"protection.{one.kind}")
        table.add_row(
            str(one.number),
            kind if one.peer is None else t("cli.lab.with_peer", kind=kind, peer=one.peer),
            one.site,
            state,
            show_bps(one.use_bps),
            "" if one.capacity_bps is None else show_bps(one.capacity_bps),
            str(one.dropped),
            str(one.sid),
            counted,
        )
    return table


def _latency(link: "Link") -> str:
    """What is emulated, of both directions where they differ."""
    if not link.relayed:
        return "0"
    spans = dict.fromkeys(show_span(way.latency_us) for way in link.ways)
    return " / ".join(spans)


def _way(link: "Link", way: "Way") -> dict[str, int]:
    emulated_us = way.latency_us if link.relayed else 0
    return {"capacity_bps": way.capacity_bps, "latency_us": way.latency_us, "emulated_us": emulated_us}


def document(now: "State", found: "LabStatus") -> dict[str, Any]:
    """The same for programs."""
    return {
        "name": found.name,
        "core_mtu": found.core_mtu,
        "access_mtu": found.access_mtu,
        "emulation": "relay",
        "kernel_has_netem": now.netem,
        "relay_alive": found.relay_alive,
        "routers": list(found.routers),
        "functions": [
            {
                "number": one.number,
                "site": one.site,
                "kind": one.kind.value,
                "sid": str(one.sid),
                "peer": one.peer,
                "alive": one.alive,
                "use_bps": one.use_bps,
                "capacity_bps": one.capacity_bps,
                "dropped": one.dropped,
                "folder": str(one.folder),
                "counters": {name: asdict(count) for name, count in one.counters.items()},
            }
            for one in found.functions
        ],
        "links": [
            {
                "id": one.link.id,
                "a": one.a,
                "b": one.b,
                "up": one.up,
                "forth": _way(one.link, one.link.forth) | asdict(one.forth),
                "back": _way(one.link, one.link.back) | asdict(one.back),
            }
            for one in found.links
        ],
    }
