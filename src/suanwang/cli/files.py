"""init and schema: what one writes before anything runs."""

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import LANG, t

DEFAULT_FILE = "task.yaml"


def add_to(app: typer.Typer) -> None:
    """Register `init` and `schema ...`."""
    command(app, "init", brain=False)(init)
    schema = group("schema")
    command(schema, "task", brain=False)(task)
    command(schema, "what-if", brain=False)(what_if)
    app.add_typer(schema)


def init(
    session: Session,
    file: Annotated[str, typer.Argument(help=t("cli.arg.init"))] = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help=t("cli.option.force"))] = False,
) -> Exit:
    from suanwang.intent import init_text
    from suanwang.model.error import Fault, FaultsError

    if file == "-" or (file == DEFAULT_FILE and not session.as_json and _is_redirected()):
        sys.stdout.write(init_text(LANG))
        return Exit.OK
    try:
        with Path(file).open("w" if force else "x", encoding="utf-8") as out:
            out.write(init_text(LANG))
    except FileExistsError:
        raise FaultsError([Fault("file_exists", file, file)], "init") from None
    except OSError as error:
        raise FaultsError([Fault("file_unwritable", file, file, None, {"why": error.strerror})], "init") from None
    if session.as_json:
        session.document({"written": file})
    else:
        session.console.print(t("cli.init.written", path=file))
    return Exit.OK


def _is_redirected() -> bool:
    """`suanwang init > task.yaml`: whoever sends the output to a file wants the text there."""
    try:
        return stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return False  # no file stands behind it


def task(session: Session) -> None:
    from suanwang.intent.read import task_schema

    session.document(task_schema())


def what_if(session: Session) -> None:
    from suanwang.whatif import change_schema

    session.document(change_schema())
