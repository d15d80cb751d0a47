"""store rebuild, verify, backup, restore: on the store itself, while no brain uses it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.command import command, group
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.runtime.settings import Settings

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


def _settings(session: Session, home: Path | None, store: str | None) -> "Settings":
    session.home = home
    return session.settings(store_url=store)


def rebuild(session: Session, store: Address = None, home: Home = None) -> None:
    from suanwang.runtime import operate

    batches = operate.rebuild(_settings(session, home, store))
    _say(session, {"batches": batches}, t("cli.store.rebuilt", batches=f"{batches:,}"))


def verify(session: Session, store: Address = None, home: Home = None) -> None:
    from suanwang.runtime import operate

    position = operate.verify(_settings(session, home, store))
    _say(session, {"sound": True, "position": position}, t("cli.store.sound", position=f"{position:,}"))


def backup(session: Session, file: Archive, store: Address = None, home: Home = None) -> None:
    from suanwang.runtime import operate

    batches, records = operate.backup(_settings(session, home, store), file)
    document = {"file": str(file), "batches": batches, "records": records}
    _say(session, document, t("cli.store.backed_up", path=str(file), batches=f"{batches:,}"))


def restore(session: Session, file: Archive, store: Address = None, home: Home = None) -> None:
    from suanwang.runtime import operate

    batches, records = operate.restore(_settings(session, home, store), file)
    document = {"file": str(file), "batches": batches, "records": records}
    _say(session, document, t("cli.store.restored", path=str(file), batches=f"{batches:,}"))


def _say(session: Session, document: dict[str, Any], words: str) -> None:
    if session.as_json:
        session.document(document)
    else:
        from suanwang.cli.show.forms import done

        session.console.print(done(words))
