"""lab chain, lab unchain: protection functions beside the routers of a lab."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.runtime.lab_functions import Joined

Named = Annotated[str, typer.Option("--name", help=t("cli.option.lab.name"))]
BPS_PER_MBPS = 1_000_000


def chain(
    session: Session,
    site: Annotated[str, typer.Argument(help=t("cli.arg.lab.site"), show_default=False)],
    kind: Annotated[str, typer.Argument(help=t("cli.arg.lab.kind"), show_default=False)],
    name: Named = "lab",
    rules: Annotated[Path | None, typer.Option("--rules", help=t("cli.option.lab.rules"), show_default=False)] = None,
    to: Annotated[str | None, typer.Option("--to", help=t("cli.option.lab.to"), show_default=False)] = None,
    capacity: Annotated[
        int | None, typer.Option("--capacity", min=1, help=t("cli.option.lab.capacity"), show_default=False)
    ] = None,
) -> None:
    from suanwang.runtime.lab_functions import Asked
    from suanwang.runtime.lab_functions import chain as join

    capacity_bps = None if capacity is None else capacity * BPS_PER_MBPS
    made = join(name, Asked(site, kind, rules, to, capacity_bps))
    if session.as_json:
        session.document([_row(one) | {"kind": kind} for one in made])
        return
    for one in made:
        words = t(f"protection.{kind}")
        _done(session, t("cli.lab.chained", number=one.number, kind=words, site=one.site, sid=one.sid))


def unchain(
    session: Session,
    number: Annotated[int, typer.Argument(help=t("cli.arg.lab.number"), show_default=False)],
    name: Named = "lab",
) -> None:
    from suanwang.runtime.lab_functions import unchain as leave

    gone = leave(name, number)
    if session.as_json:
        session.document([_row(one) for one in gone])
        return
    for one in gone:
        _done(session, t("cli.lab.unchained", number=one.number, site=one.site))


def _row(one: "Joined") -> dict[str, Any]:
    return {
        "number": one.number,
        "site": one.site,
        "sid": str(one.sid),
        "namespace": one.namespace,
        "peer": one.peer,
    }


def _done(session: Session, words: str) -> None:
    from suanwang.cli.show.forms import done

    session.console.print(done(words))
