"""lab up, status, ping, iperf, fail-link, heal, down: real Linux routers on this machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from suanwang.cli import lab_functions
from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t

Named = Annotated[str, typer.Option("--name", help=t("cli.option.lab.name"))]
Source = Annotated[str, typer.Argument(help=t("cli.arg.lab.source"), show_default=False)]
Target = Annotated[str, typer.Argument(help=t("cli.arg.lab.target"), show_default=False)]
LinkId = Annotated[str, typer.Argument(help=t("cli.arg.lab.link"), show_default=False)]
BPS_PER_MBPS = 1_000_000


def add_to(app: typer.Typer) -> None:
    """Register `lab ...`."""
    lab = group("lab")
    command(lab, "up", brain=False)(up)
    command(lab, "status", brain=False)(status)
    command(lab, "ping", brain=False)(ping)
    command(lab, "iperf", brain=False)(iperf)
    command(lab, "fail-link", brain=False)(fail_link)
    command(lab, "heal", brain=False)(heal)
    command(lab, "chain", brain=False)(lab_functions.chain)
    command(lab, "unchain", brain=False)(lab_functions.unchain)
    command(lab, "down", brain=False)(down)
    app.add_typer(lab)


def up(
    session: Session,
    file: Annotated[Path | None, typer.Argument(help=t("cli.arg.lab.grid"), show_default=False)] = None,
    sites: Annotated[int, typer.Option("--sites", min=2, max=3000, help=t("cli.option.lab.sites"))] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0, help=t("cli.option.seed"))] = 1,
    name: Named = "lab",
    rate: Annotated[int, typer.Option("--rate", min=1, help=t("cli.option.lab.top_rate"))] = 100,
    ef_percent: Annotated[int, typer.Option("--ef-percent", help=t("cli.option.lab.ef_percent"))] = 30,
    mtu: Annotated[int, typer.Option("--mtu", help=t("cli.option.lab.mtu"))] = 1500,
    routes: Annotated[bool, typer.Option("--routes/--no-routes", help=t("cli.option.lab.routes"))] = True,
) -> None:
    from suanwang.model.units import show_span
    from suanwang.runtime import lab

    topology = lab.topology_of(file, sites, seed)
    layout, took_us = lab.up(
        topology, name, top_rate_bps=rate * BPS_PER_MBPS, ef_percent=ef_percent, access_mtu=mtu, routes=routes
    )
    if session.as_json:
        session.document(
            {
                "name": name,
                "topology": topology.name,
                "routers": layout.topology.n,
                "links": len(layout.links),
                "took_us": took_us,
                "core_mtu": layout.core_mtu,
                "access_mtu": layout.access_mtu,
                "hosts": {
                    site: str(layout.addressing.host_address(at)) for at, site in enumerate(layout.topology.nodes)
                },
            }
        )
        return
    words = t("cli.lab.up", name=name, routers=layout.topology.n, links=len(layout.links), took=show_span(took_us))
    _done(session, words)


def status(session: Session, name: Named = "lab") -> None:
    from suanwang.cli.show import lab as show
    from suanwang.runtime import lab

    now, found = lab.look(name)
    if session.as_json:
        session.document(show.document(now, found))
        return
    for one in show.whole(now, found):
        session.console.print(one)


def ping(
    session: Session,
    source: Source,
    target: Target,
    name: Named = "lab",
    count: Annotated[int, typer.Option("--count", "-c", min=1, max=1000, help=t("cli.option.lab.count"))] = 5,
) -> Exit:
    from suanwang.runtime import lab

    found, asked_us = lab.ping_hosts(name, source, target, count)
    rtt = found.rtt_us
    if session.as_json:
        session.document({"sent": found.sent, "lost": found.lost, "rtt_us": list(rtt), "promised_us": asked_us})
    else:
        figures = {"least": _ms(min(rtt)), "mean": _ms(found.mean_us), "most": _ms(max(rtt))} if rtt else {}
        session.console.print(t("cli.lab.lost", lost=found.lost, sent=found.sent))
        if rtt:
            session.console.print(t("cli.lab.rtt", **figures))
        if asked_us is not None:
            session.console.print(t("cli.lab.promised", asked=_ms(asked_us)))
    return Exit.OK if rtt else Exit.TASK_FAILED


def iperf(
    session: Session,
    source: Source,
    target: Target,
    name: Named = "lab",
    rate: Annotated[
        int | None, typer.Option("--rate", min=1, help=t("cli.option.lab.udp_rate"), show_default=False)
    ] = None,
    seconds: Annotated[int, typer.Option("--seconds", "-t", min=1, max=3600, help=t("cli.option.lab.seconds"))] = 5,
    ef: Annotated[bool, typer.Option("--ef", help=t("cli.option.lab.ef"))] = False,
    own: Annotated[bool, typer.Option("--own", help=t("cli.option.lab.own"))] = False,
) -> None:
    from suanwang.model.units import show_bps
    from suanwang.runtime import lab

    rate_bps = None if rate is None else rate * BPS_PER_MBPS
    found = lab.traffic(name, source, target, rate_bps, seconds, ef, own)
    if session.as_json:
        rows: dict[str, Any] = {"tool": found.tool, "received_bps": found.received_bps}
        session.document({**rows, "packets": found.packets, "lost": found.lost})
        return
    tool = "iperf3" if found.tool == "iperf3" else t("cli.lab.own_tool")
    session.console.print(t("cli.lab.received", rate=show_bps(found.received_bps), tool=tool))
    if found.packets is not None:
        session.console.print(t("cli.lab.lost", lost=found.lost, sent=found.packets))


def fail_link(
    session: Session,
    link: LinkId,
    name: Named = "lab",
    end: Annotated[str | None, typer.Option("--end", help=t("cli.option.lab.end"), show_default=False)] = None,
) -> None:
    from suanwang.runtime import lab

    lab.fail_link(name, link, end)
    if session.as_json:
        session.document({"link": link, "up": False, "end": end})
        return
    _done(session, t("cli.lab.failed", link=link))


def heal(session: Session, link: LinkId, name: Named = "lab") -> None:
    from suanwang.runtime import lab

    lab.heal(name, link)
    if session.as_json:
        session.document({"link": link, "up": True})
        return
    _done(session, t("cli.lab.healed", link=link))


def down(session: Session, name: Named = "lab") -> None:
    from suanwang.runtime import lab

    found = lab.down(name)
    if session.as_json:
        session.document({"namespaces": found.namespaces, "processes": found.processes})
    elif found.namespaces or found.processes:
        _done(session, t("cli.lab.down", namespaces=found.namespaces, processes=found.processes))
    else:
        session.console.print(t("cli.lab.nothing", name=name))


def _done(session: Session, words: str) -> None:
    from suanwang.cli.show.forms import done

    session.console.print(done(words))


def _ms(value_us: int) -> str:
    return f"{value_us / 1000:.2f} ms"
