"""store rebuild, verify, backup, restore: on the store itself, while no brain uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.store import Store

Archive = Annotated[Path, typer.Argument(help=t("cli.arg.archive"), show_default=False)]
Address = Annotated[str | None, typer.Option("--store", help=t("cli.option.store"), show_default=False)]
Home = Annotated[Path | None, typer.Option("--home", help=t("cli.option.home"), show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register `store ...`."""
    store = group("store")
    command(store, "rebuild", brain=False)(rebuild)
    command(store, "verify", brain=False)(verify)
    command(store, "backup", brain=False)(backup)
    command(store, "restore", brain=False)(restore)
    app.add_typer(store)


@contextmanager
def _open(session: Session, home: Path | None, store: str | None) -> "Iterator[Store]":
    from suanwang.store import Store

    session.home = home
    settings = session.settings(store_url=store)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Store(settings.database_url) as opened:
        yield opened


def rebuild(session: Session, store: Address = None, home: Home = None) -> None:
    from suanwang.store import rebuild as act

    with _open(session, home, store) as opened:
        batches = act(opened)
    _say(session, {"batches": batches}, t("cli.store.rebuilt", batches=f"{batches:,}"))


def verify(session: Session, store: Address = None, home: Home = None) -> Exit:
    from suanwang.store import verify as act

    with _open(session, home, store) as opened:
        faults = act(opened)
        position = opened.last_position()
    if faults:
        from suanwang.model.error import FaultsError

        raise FaultsError(faults, "store")
    _say(session, {"sound": True, "position": position}, t("cli.store.sound", position=f"{position:,}"))
    return Exit.OK


def backup(session: Session, file: Archive, store: Address = None, home: Home = None) -> None:
    from suanwang.store import backup as act

    with _open(session, home, store) as opened:
        manifest = act(opened, file)
    document = {"file": str(file), "batches": manifest.batches, "records": manifest.records}
    _say(session, document, t("cli.store.backed_up", path=str(file), batches=f"{manifest.batches:,}"))


def restore(session: Session, file: Archive, store: Address = None, home: Home = None) -> None:
    from suanwang.store import restore as act

    with _open(session, home, store) as opened:
        manifest = act(opened, file)
    document = {"file": str(file), "batches": manifest.batches, "records": manifest.records}
    _say(session, document, t("cli.store.restored", path=str(file), batches=f"{manifest.batches:,}"))


def _say(session: Session, document: dict[str, object], words: str) -> None:
    if session.as_json:
        session.document(document)
    else:
        session.console.print(f"[green]✓[/] {words}")
