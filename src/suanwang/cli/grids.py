"""grid show, validate, schema, generate, import."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.command import command, group
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.model.grid import Grid

Target = Annotated[Path | None, typer.Option("--output", "-o", help=t("cli.option.output"), show_default=False)]
SEED = Annotated[int, typer.Option("--seed", min=0, help=t("cli.option.seed"))]


def add_to(app: typer.Typer) -> None:
    """Register `grid ...`."""
    grid = group("grid")
    command(grid, "show", brain=False)(show)
    command(grid, "scarce")(scarce)
    command(grid, "validate", brain=False)(validate)
    command(grid, "schema", brain=False)(schema)
    command(grid, "generate", brain=False)(generate)
    command(grid, "import", brain=False)(import_)
    app.add_typer(grid)


def _load(file: Path | None) -> "Grid":
    from suanwang.grids import china_path, load_grid

    return load_grid(file if file is not None else china_path())


def show(
    session: Session,
    file: Annotated[Path | None, typer.Argument(help=t("cli.arg.grid"), show_default=False)] = None,
    sites: Annotated[bool, typer.Option("--sites", help=t("cli.option.sites"))] = False,
    text: Annotated[str | None, typer.Option("--text", help=t("cli.option.site_text"), show_default=False)] = None,
) -> None:
    grid = _load(file)
    if session.as_json:
        session.document(grid)
        return
    from suanwang.cli.show import grid as view

    if sites or text:
        session.console.print(view.sites(grid, text))
        return
    for one in view.whole(grid):
        session.console.print(one)


def scarce(session: Session) -> None:
    with session.client() as client:
        found, grid = client.scarcity(), client.grid()
    if session.as_json:
        session.document(found)
        return
    from suanwang.cli.show import scarce as view

    for one in view.whole(found, grid):
        session.console.print(one)


def validate(
    session: Session, file: Annotated[Path, typer.Argument(help=t("cli.arg.grid_file"), show_default=False)]
) -> None:
    grid = _load(file)
    if session.as_json:
        session.document({"valid": True, "grid": grid.id, "sites": len(grid.sites), "links": len(grid.links)})
        return
    from suanwang.cli.show.forms import done

    words = t("cli.grid.valid", grid=grid.id, sites=len(grid.sites), links=len(grid.links))
    session.console.print(done(words))


def schema(session: Session) -> None:
    from pydantic import TypeAdapter

    from suanwang.model.grid import Grid

    session.document(TypeAdapter(Grid).json_schema(mode="validation"))


def generate(
    session: Session,
    sites: Annotated[int, typer.Option("--sites", min=2, max=3000, help=t("cli.option.site_count"))] = 40,
    seed: SEED = 1,
    output: Target = None,
) -> None:
    from suanwang.grids import random_grid

    _write(session, random_grid(sites, seed), output)


def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(help=t("cli.arg.graphml"), show_default=False)],
    seed: SEED = 1,
    output: Target = None,
) -> None:
    from suanwang.grids import load_graphml

    _write(session, load_graphml(file, seed), output)


def _write(session: Session, grid: "Grid", output: Path | None) -> None:
    from suanwang.grids import dump_grid

    if output is not None:
        output.write_text(dump_grid(grid), "utf-8")
    if session.as_json:
        session.document(grid if output is None else {"written": str(output), "sites": len(grid.sites)})
    elif output is None:
        sys.stdout.write(dump_grid(grid))
    else:
        session.console.print(t("cli.written", path=str(output)))
