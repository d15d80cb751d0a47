"""net show, paths, reserve, resize, release, optimise, what-if, verify, export, policies, agent: the network that carries the grid.
Its switches are in `switches`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli import network_policies, switches
from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.model.network import NetOptimised

Source = Annotated[str, typer.Argument(help=t("cli.arg.net.source"), show_default=False)]
Target = Annotated[str, typer.Argument(help=t("cli.arg.net.target"), show_default=False)]
Words = list[str] | None


def _option(name: str, key: str) -> Any:
    return typer.Option(name, help=t(key), show_default=False)


Bandwidth = Annotated[str | None, _option("--bandwidth", "cli.option.net.bandwidth")]
Latency = Annotated[str | None, _option("--latency", "cli.option.net.latency")]
AvoidLink = Annotated[Words, _option("--avoid-link", "cli.option.net.avoid_link")]
AvoidSite = Annotated[Words, _option("--avoid-site", "cli.option.net.avoid_site")]
AvoidRisk = Annotated[Words, _option("--avoid-risk", "cli.option.net.avoid_risk")]
AvoidRegion = Annotated[Words, _option("--avoid-region", "cli.option.net.avoid_region")]
Protection = Annotated[str | None, _option("--protection", "cli.option.net.protection")]
Segments = Annotated[
    int | None, typer.Option("--segments", min=2, max=8, help=t("cli.option.net.segments_max"), show_default=False)
]
Start = Annotated[str | None, _option("--start", "cli.option.net.start")]
Until = Annotated[str | None, _option("--until", "cli.option.net.until")]
Lasts = Annotated[str | None, _option("--for", "cli.option.net.for")]


def add_to(app: typer.Typer) -> None:
    """Register `net ...`."""
    net = group("net")
    command(net, "show")(show)
    command(net, "paths")(paths)
    command(net, "reserve")(reserve)
    command(net, "resize")(resize)
    command(net, "release")(release)
    command(net, "what-if")(what_if)
    command(net, "optimise")(optimise)
    command(net, "verify")(verify)
    command(net, "export")(export)
    command(net, "policies")(network_policies.policies)
    command(net, "agent", brain=False)(network_policies.agent)
    switches.add_to(net)
    app.add_typer(net)


def show(
    session: Session,
    top: Annotated[int | None, typer.Option("--top", min=1, help=t("cli.option.net.top"), show_default=False)] = None,
    routers: Annotated[bool, typer.Option("--routers/--no-routers", help=t("cli.option.net.routers"))] = True,
) -> None:
    with session.client() as client:
        found = client.network()
    if session.as_json:
        session.document(found)
        return
    from suanwang.cli.show import network as view

    for one in view.whole(found, top, routers):
        session.console.print(one)


def paths(
    session: Session,
    source: Source,
    target: Target,
    bandwidth: Bandwidth = None,
    latency: Latency = None,
    avoid_link: AvoidLink = None,
    avoid_site: AvoidSite = None,
    avoid_risk: AvoidRisk = None,
    avoid_region: AvoidRegion = None,
    protection: Protection = None,
    start: Start = None,
    until: Until = None,
    lasts: Lasts = None,
    segments: Segments = None,
    count: Annotated[int, typer.Option("--count", min=1, max=10, help=t("cli.option.net.count"))] = 3,
) -> Exit:
    wanted = _wanted(source, target, bandwidth, latency, avoid_link, avoid_site, avoid_risk, avoid_region, protection)
    wanted |= _given(segments_max=segments)
    ask = {"wanted": wanted, "count": count} | _given(start=start, end=until, lasts=lasts)
    with session.client() as client:
        found = client.paths(ask)
    if session.as_json:
        session.document(found)
    else:
        from suanwang.cli.show import network_ways as view

        for one in view.paths(found):
            session.console.print(one)
    return Exit.OK if found.ways else Exit.REFUSED


def reserve(
    session: Session,
    source: Source,
    target: Target,
    bandwidth: Annotated[str, _option("--bandwidth", "cli.option.net.bandwidth")],
    latency: Latency = None,
    start: Start = None,
    until: Until = None,
    lasts: Lasts = None,
    avoid_link: AvoidLink = None,
    avoid_site: AvoidSite = None,
    avoid_risk: AvoidRisk = None,
    avoid_region: AvoidRegion = None,
    protection: Protection = None,
    segments: Segments = None,
    standby: Annotated[bool, typer.Option("--standby", help=t("cli.option.net.standby"))] = False,
    note: Annotated[str, typer.Option("--note", help=t("cli.option.net.note"), show_default=False)] = "",
) -> Exit:
    from suanwang.model.error import ConflictError

    wanted = _wanted(source, target, bandwidth, latency, avoid_link, avoid_site, avoid_risk, avoid_region, protection)
    wanted |= _given(segments_max=segments)
    ask = {"wanted": wanted, "note": note, "standby": standby} | _given(start=start, end=until, lasts=lasts)
    with session.client() as client:
        try:
            made = client.reserve(ask)
        except ConflictError as error:
            session.fail(error)
            return Exit.REFUSED
    if session.as_json:
        session.document(made)
        return Exit.OK
    from suanwang.cli.show import network_ways as view

    for one in view.reserved(made):
        session.console.print(one)
    return Exit.OK


def resize(
    session: Session,
    reservation: Annotated[str, typer.Argument(help=t("cli.arg.net.reservation"), show_default=False)],
    bandwidth: Annotated[str, _option("--bandwidth", "cli.option.net.bandwidth")],
) -> Exit:
    from suanwang.model.error import ConflictError

    with session.client() as client:
        try:
            made = client.resize(reservation, bandwidth)
        except ConflictError as error:
            session.fail(error)
            return Exit.REFUSED
    if session.as_json:
        session.document(made)
        return Exit.OK
    from suanwang.cli.show import network_ways as view

    for one in view.resized(made):
        session.console.print(one)
    return Exit.OK


def release(
    session: Session,
    reservation: Annotated[str, typer.Argument(help=t("cli.arg.net.reservation"), show_default=False)],
) -> None:
    with session.client() as client:
        client.release(reservation)
    if session.as_json:
        session.document({"reservation_id": reservation, "released": True})
        return
    from suanwang.cli.show.forms import done

    session.console.print(done(t("cli.net.released", reservation=reservation)))


def what_if(
    session: Session,
    cut: Annotated[Words, _option("--cut", "cli.option.net.cut")] = None,
    cut_risk: Annotated[Words, _option("--cut-risk", "cli.option.net.cut_risk")] = None,
) -> None:
    with session.client() as client:
        found = client.what_if_cut(cut or (), cut_risk or ())
    if session.as_json:
        session.document(found)
        return
    from suanwang.cli.show import network_ways as view

    for one in view.cut(found):
        session.console.print(one)


def optimise(
    session: Session,
    graph: Annotated[Path | None, _option("--graph", "cli.option.net.graph")] = None,
    demands: Annotated[Path | None, _option("--demands", "cli.option.net.demands")] = None,
    segments: Annotated[int, typer.Option("--segments", min=2, max=3, help=t("cli.option.net.segments"))] = 2,
    ways: Annotated[int, typer.Option("--ways", min=1, max=64, help=t("cli.option.net.ways"))] = 1,
    slack: Annotated[float, typer.Option("--slack", min=0.0, max=1.0, help=t("cli.option.net.slack"))] = 0.00005,
    bound_seconds: Annotated[
        int, typer.Option("--bound-seconds", min=1, max=600, help=t("cli.option.net.bound_seconds"))
    ] = 20,
    change_price: Annotated[
        float, typer.Option("--change-price", min=0.0, max=1.0, help=t("cli.option.net.change_price"))
    ] = 0.0,
    failures: Annotated[int, typer.Option("--failures", min=0, max=1_000, help=t("cli.option.net.failures"))] = 0,
    apply: Annotated[str, typer.Option("--apply", help=t("cli.option.net.apply"))] = "never",
) -> Exit:
    from suanwang.model.network import OptimiseAsk

    _never(apply)
    ask = OptimiseAsk(
        segments=segments,
        ways=ways,
        slack_ppm=round(slack * 1_000_000),
        bound_s=bound_seconds,
        change_price_ppm=round(change_price * 1_000_000),
        failures=failures,
    )
    found = _optimised(session, graph, demands, ask)
    if session.as_json:
        session.document(found)
    else:
        from suanwang.cli.show import network as view

        for one in view.optimised(found):
            session.console.print(one)
    return Exit.TASK_FAILED if found.faults else Exit.OK


def _optimised(session: Session, graph: Path | None, demands: Path | None, ask: Any) -> "NetOptimised":
    """Of the brain, or of a pair of files without one."""
    from suanwang.model.error import Fault, FaultsError

    if (graph is None) != (demands is None):
        raise FaultsError([Fault("net_file_pair", "--graph" if graph is None else "--demands")], "optimise")
    if graph is None or demands is None:
        with session.client() as client:
            return client.optimise_network(ask)
    from suanwang.runtime.network_optimise import optimise_files

    return optimise_files(graph, demands, ask)


def _never(apply: str) -> None:
    """Nothing is applied from here; a word that asks for it is refused."""
    from suanwang.model.error import Fault, FaultsError

    if apply != "never":
        raise FaultsError([Fault("net_apply", "--apply", apply)], "optimise")


def verify(session: Session) -> Exit:
    with session.client() as client:
        found = client.verify_network()
    if session.as_json:
        session.document(found)
    else:
        from suanwang.cli.show import network as view

        for one in view.verified(found):
            session.console.print(one)
    return Exit.TASK_FAILED if found.faults else Exit.OK


def export(
    session: Session,
    file: Annotated[Path | None, typer.Argument(help=t("cli.arg.net.export"), show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", help=t("cli.option.net.format"))] = "graphml",
    seed: Annotated[int, typer.Option("--seed", min=0, help=t("cli.option.seed"))] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=t("cli.option.output"), show_default=False)
    ] = None,
) -> None:
    from suanwang.model.error import Fault, FaultsError
    from suanwang.runtime.topologies import document_of_file, document_of_grid, written

    if form not in ("graphml", "json"):
        raise FaultsError([Fault("export_format", "--format", form)], "export")
    if file is not None:
        found = document_of_file(file, seed)
    else:
        with session.client() as client:
            found = document_of_grid(client.grid())
    text = written(found, form)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        fault = Fault("file_unwritable", str(output), str(output), None, {"why": error.strerror})
        raise FaultsError([fault], "export") from None
    if session.as_json:
        session.document({"written": str(output), "nodes": len(found.nodes), "links": len(found.links)})
        return
    from suanwang.cli.show.forms import done

    session.console.print(done(t("cli.net.exported", sites=len(found.nodes), links=len(found.links), path=str(output))))


def _wanted(
    source: str,
    target: str,
    bandwidth: str | None,
    latency: str | None,
    links: Words,
    sites: Words,
    risks: Words,
    regions: Words,
    protection: str | None,
) -> dict[str, Any]:
    """A way as it is asked for; sizes keep their units, and whoever reads it says what is wrong with them."""
    functions = [one.strip() for one in protection.split(",") if one.strip()] if protection else None
    return {"source": source, "target": target} | _given(
        bandwidth_bps=bandwidth,
        latency_us_max=latency,
        avoid_links=links,
        avoid_sites=sites,
        avoid_risks=risks,
        avoid_regions=regions,
        protection=functions,
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
