"""what-if: a day played again, before and after a change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.command import command
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.model.change import Changes
    from suanwang.model.grid import Grid, Tenant
    from suanwang.model.what_if import WhatIf
    from suanwang.model.what_if_ask import WhatIfAsk
    from suanwang.runtime.what_if import Prepared

DAY, CHANGE, SIZE = t("cli.panel.what_if.day"), t("cli.panel.what_if.change"), t("cli.panel.what_if.size")


def _option(name: str, key: str, panel: str, **more: Any) -> Any:
    return typer.Option(name, help=t(key), rich_help_panel=panel, **more)


def add_to(app: typer.Typer) -> None:
    """Register `what-if`."""
    command(app, "what-if", brain=False)(what_if)


def what_if(
    session: Session,
    trace: Annotated[Path | None, _option("--trace", "cli.option.what_if.trace", DAY, show_default=False)] = None,
    history: Annotated[bool, _option("--history", "cli.option.what_if.history", DAY)] = False,
    day: Annotated[str | None, _option("--day", "cli.option.what_if.day", DAY, show_default=False)] = None,
    drawn: Annotated[int | None, _option("--drawn", "cli.option.what_if.drawn", DAY, min=1, show_default=False)] = None,
    trace_format: Annotated[
        str | None, _option("--format", "cli.option.what_if.format", DAY, show_default=False)
    ] = None,
    grid: Annotated[Path | None, _option("--grid", "cli.option.what_if.grid", DAY, show_default=False)] = None,
    store: Annotated[str | None, _option("--store", "cli.option.what_if.store", DAY, show_default=False)] = None,
    home: Annotated[Path | None, _option("--home", "cli.option.what_if.home", DAY, show_default=False)] = None,
    origin: Annotated[str | None, _option("--origin", "cli.option.what_if.origin", DAY, show_default=False)] = None,
    change: Annotated[Path | None, _option("--change", "cli.option.what_if.change", CHANGE, show_default=False)] = None,
    without_site: Annotated[
        list[str] | None, _option("--without-site", "cli.option.what_if.without_site", CHANGE, show_default=False)
    ] = None,
    scale_site: Annotated[
        list[str] | None, _option("--scale-site", "cli.option.what_if.scale_site", CHANGE, show_default=False)
    ] = None,
    cut_link: Annotated[
        list[str] | None, _option("--cut-link", "cli.option.what_if.cut_link", CHANGE, show_default=False)
    ] = None,
    scale_link: Annotated[
        list[str] | None, _option("--scale-link", "cli.option.what_if.scale_link", CHANGE, show_default=False)
    ] = None,
    price_factor: Annotated[
        list[str] | None, _option("--price-factor", "cli.option.what_if.price_factor", CHANGE, show_default=False)
    ] = None,
    tenant_cores: Annotated[
        list[str] | None, _option("--tenant-cores", "cli.option.what_if.tenant_cores", CHANGE, show_default=False)
    ] = None,
    tenant_accelerators: Annotated[
        list[str] | None,
        _option("--tenant-accelerators", "cli.option.what_if.tenant_accelerators", CHANGE, show_default=False),
    ] = None,
    tenant_weight: Annotated[
        list[str] | None, _option("--tenant-weight", "cli.option.what_if.tenant_weight", CHANGE, show_default=False)
    ] = None,
    preference: Annotated[
        str | None, _option("--preference", "cli.option.what_if.preference", CHANGE, show_default=False)
    ] = None,
    owners: Annotated[str | None, _option("--owners", "cli.option.what_if.owners", CHANGE, show_default=False)] = None,
    load: Annotated[float | None, _option("--load", "cli.option.what_if.load", CHANGE, show_default=False)] = None,
    later: Annotated[str | None, _option("--later", "cli.option.what_if.later", CHANGE, show_default=False)] = None,
    sample: Annotated[
        int | None, _option("--sample", "cli.option.what_if.sample", SIZE, min=1, show_default=False)
    ] = None,
    after: Annotated[str | None, _option("--after", "cli.option.what_if.after", SIZE, show_default=False)] = None,
    within: Annotated[str | None, _option("--within", "cli.option.what_if.within", SIZE, show_default=False)] = None,
    speed: Annotated[float | None, _option("--speed", "cli.option.what_if.speed", SIZE, show_default=False)] = None,
    squeeze: Annotated[
        float | None, _option("--squeeze", "cli.option.what_if.squeeze", SIZE, show_default=False)
    ] = None,
    node_cores: Annotated[
        int | None, _option("--node-cores", "cli.option.what_if.node_cores", SIZE, min=1, show_default=False)
    ] = None,
    skip_bad_lines: Annotated[bool, _option("--skip-bad-lines", "cli.option.what_if.skip_bad_lines", SIZE)] = False,
    seed: Annotated[int | None, _option("--seed", "cli.option.what_if.seed", SIZE, min=0, show_default=False)] = None,
    processes: Annotated[
        int | None, _option("--processes", "cli.option.what_if.processes", SIZE, min=1, show_default=False)
    ] = None,
) -> None:
    from suanwang.cli.what_if_flags import Flags, changes_of, checked
    from suanwang.runtime.ids import new_seed
    from suanwang.runtime.what_if import run

    flags = Flags(
        change=change,
        without_site=without_site or (),
        scale_site=scale_site or (),
        cut_link=cut_link or (),
        scale_link=scale_link or (),
        price_factor=price_factor or (),
        tenant_cores=tenant_cores or (),
        tenant_accelerators=tenant_accelerators or (),
        tenant_weight=tenant_weight or (),
        preference=preference,
        owners=owners,
        load=load,
        later=later,
    )
    changes = changes_of(flags)
    size = {"sample": sample, "after": after, "within": within, "speed": speed, "squeeze": squeeze}
    size |= {"node_cores": node_cores, "origin": origin, "skip_bad_lines": skip_bad_lines or None, "seed": seed}
    ask = checked(_day(trace, history, day, drawn, trace_format), size, changes)
    chosen = seed if seed is not None else new_seed()
    session.console.print(t("cli.what_if.seed", seed=chosen), style="dim")
    settings = session_settings(session, home, store)
    prepared = _prepare(ask, chosen, grid, settings.database_url, change, flags)
    if session.as_json:
        session.document(run(prepared, lambda *_: None, processes))
        return
    _show(session, prepared, _played(session, prepared, processes), changes)


def session_settings(session: Session, home: Path | None, store: str | None) -> Any:
    session.home = home
    return session.settings(store_url=store)


def _day(
    trace: Path | None, history: bool, day: str | None, drawn: int | None, trace_format: str | None
) -> "dict[str, Any]":
    """The day of the flags. Raises FaultsError where there is none, or two."""
    from suanwang.model.error import Fault, FaultsError
    from suanwang.runtime.what_if import read_text

    if sum((trace is not None, history, drawn is not None)) != 1:
        raise FaultsError([Fault("what_if_flags", "--trace", "", None, {})], "what-if")
    if history and day is None:
        raise FaultsError([Fault("what_if_no_day", "--day", "", None, {})], "what-if")
    found: dict[str, Any] = {"history": day if history else None, "drawn": drawn, "format": trace_format}
    if trace is not None:
        found |= {"trace": read_text(trace), "name": trace.name[:200]}
    return found


def _prepare(
    ask: "WhatIfAsk", seed: int, grid: Path | None, database_url: str, change: Path | None, flags: Any
) -> "Prepared":
    from suanwang.grids import china_path, load_grid
    from suanwang.runtime.what_if import log_of, prepare
    from suanwang.whatif import read_change

    given = load_grid(grid) if grid is not None else None
    if given is None and ask.day.history is None:
        given = load_grid(china_path())

    def fits(grid: "Grid", tenants: "tuple[Tenant, ...]") -> None:
        if change is not None:
            read_change(flags.text(), str(change), grid, tenants)

    return prepare(ask, seed, given, (), log_of(database_url), fits)


def _played(session: Session, prepared: "Prepared", processes: int | None) -> "WhatIf":
    """Play with a bar where somebody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from suanwang.runtime.what_if import run

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session.console, transient=True, disable=not session.console.is_terminal) as bar:
        shown = bar.add_task(t("cli.what_if.playing"), total=prepared.tasks)
        return run(prepared, lambda ended, tasks: bar.update(shown, completed=ended, total=tasks), processes)


def _show(session: Session, prepared: "Prepared", found: "WhatIf", changes: "Changes") -> None:
    from suanwang.cli.show.what_if import whole
    from suanwang.whatif.grid_after import grid_after

    for part in whole(found, grid_after(prepared.case.grid, changes)):
        session.console.print(part)
