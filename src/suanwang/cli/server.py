"""serve, agent, demo, twin: what runs for long."""

from pathlib import Path
from typing import Annotated

import typer

from suanwang.cli.command import command
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t


def add_to(app: typer.Typer) -> None:
    """Register them; `agent`, `demo` and `twin` hand over to programs of their own."""
    command(app, "serve")(serve)
    command(app, "agent", brain=False)(agent)
    command(app, "demo", brain=False)(demo)
    command(app, "twin", brain=False)(twin)


def serve(
    session: Session,
    host: Annotated[str | None, typer.Option("--host", help=t("cli.option.host"), show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help=t("cli.option.port"), show_default=False)
    ] = None,
    grid: Annotated[str | None, typer.Option("--grid", help=t("cli.option.grid"), show_default=False)] = None,
    lab: Annotated[str | None, typer.Option("--lab", help=t("cli.option.lab.of"), show_default=False)] = None,
    bus: Annotated[str | None, typer.Option("--bus", help=t("cli.option.bus"), show_default=False)] = None,
    no_agent: Annotated[bool, typer.Option("--no-agent", help=t("cli.option.no_agent"))] = False,
) -> Exit:
    from suanwang.cli.session import quiet_logs
    from suanwang.runtime.app import serving
    from suanwang.runtime.wait import until_signal

    quiet_logs()
    with serving(session.settings(host=host, port=port, grid=grid, lab=lab, bus=bus), with_agent=not no_agent) as here:
        if session.as_json:
            session.row({"url": here.url, "key": here.key})
        else:
            session.console.print(t("cli.serve.ready", page=here.page), style="bold", soft_wrap=True)
            session.console.print(t("cli.serve.stop"), style="dim")
        until_signal(lambda: here.failed is not None or not here.thread.is_alive())
        return Exit.INTERNAL if here.failed is not None else Exit.OK


def agent(
    session: Session,
    url: Annotated[str | None, typer.Option("--url", help=t("cli.option.url"), show_default=False)] = None,
    site: Annotated[list[str] | None, typer.Option("--site", help=t("cli.option.site"), show_default=False)] = None,
    name: Annotated[str | None, typer.Option("--name", help=t("cli.option.agent_name"), show_default=False)] = None,
    adapter: Annotated[str | None, typer.Option("--adapter", help=t("cli.option.adapter"), show_default=False)] = None,
    lab: Annotated[str | None, typer.Option("--lab", help=t("cli.option.lab.of"), show_default=False)] = None,
    home: Annotated[Path | None, typer.Option("--home", help=t("cli.option.home"), show_default=False)] = None,
) -> int:
    from suanwang.cli.session import quiet_logs
    from suanwang.runtime import agent_main

    quiet_logs()
    session.home = home
    return int(agent_main.run(session.settings(url=url, lab=lab, adapter=adapter), name, tuple(site or ())) or 0)


def demo(
    session: Session,
    fast: Annotated[bool, typer.Option("--fast", help=t("cli.option.fast"))] = False,
    home: Annotated[Path | None, typer.Option("--home", help=t("cli.option.home"), show_default=False)] = None,
) -> int:
    from suanwang.cli.session import quiet_logs
    from suanwang.cli.words import LANG
    from suanwang.runtime import demo as program

    quiet_logs()
    session.home = home
    return int(program.run(session.settings(), fast=fast, as_json=session.as_json, lang=LANG) or 0)


def twin(
    session: Session,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help=t("cli.option.seed"), show_default=False)] = None,
    tasks: Annotated[int, typer.Option("--tasks", min=1, help=t("cli.option.tasks"))] = 200,
    sites: Annotated[
        int | None, typer.Option("--sites", min=2, help=t("cli.option.site_count"), show_default=False)
    ] = None,
) -> Exit:
    from suanwang.cli.show.twin import show_history
    from suanwang.runtime.ids import new_seed
    from suanwang.twin.checks import BrokenPromiseError
    from suanwang.twin.main import play

    chosen = seed if seed is not None else new_seed()
    try:
        history = play(chosen, tasks, sites, session.console.print)
    except BrokenPromiseError as error:
        session.console.print(str(error), style="red")
        return Exit.INTERNAL
    show_history(session, history)
    return Exit.OK
