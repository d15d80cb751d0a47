"""init and schema: what one writes before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import LANG, t


def add_to(app: typer.Typer) -> None:
    """Register `init` and `schema ...`."""
    command(app, "init", brain=False)(init)
    schema = group("schema")
    command(schema, "task", brain=False)(task)
    app.add_typer(schema)


def init(
    session: Session,
    file: Annotated[Path, typer.Argument(help=t("cli.arg.init"))] = Path("task.yaml"),
    force: Annotated[bool, typer.Option("--force", help=t("cli.option.force"))] = False,
) -> Exit:
    from suanwang.intent import init_text
    from suanwang.model.error import Fault, FaultsError

    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(init_text(LANG))
    except FileExistsError:
        raise FaultsError([Fault("file_exists", str(file), str(file))], "init") from None
    except OSError as error:
        raise FaultsError(
            [Fault("file_unwritable", str(file), str(file), None, {"why": error.strerror})], "init"
        ) from None
    if session.as_json:
        session.document({"written": str(file)})
    else:
        session.console.print(t("cli.init.written", path=str(file)))
    return Exit.OK


def task(session: Session) -> None:
    from suanwang.intent.read import task_schema

    session.document(task_schema())
