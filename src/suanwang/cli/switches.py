"""net fail-link, heal-link, fail-pool, heal-pool: the operator's switches of the network."""

from typing import Annotated

import typer

from suanwang.cli.command import command
from suanwang.cli.session import Session
from suanwang.cli.words import t

Link = Annotated[str, typer.Argument(help=t("cli.arg.net.link"), show_default=False)]
Pool = Annotated[str, typer.Argument(help=t("cli.arg.net.pool"), show_default=False)]


def add_to(net: typer.Typer) -> None:
    """Register them with `net`."""
    command(net, "fail-link")(fail_link)
    command(net, "heal-link")(heal_link)
    command(net, "fail-pool")(fail_pool)
    command(net, "heal-pool")(heal_pool)


def fail_link(session: Session, link: Link) -> None:
    with session.client() as client:
        client.fail_link(link)
    _say(session, "link", link, up=False)


def heal_link(session: Session, link: Link) -> None:
    with session.client() as client:
        client.heal_link(link)
    _say(session, "link", link, up=True)


def fail_pool(session: Session, pool: Pool) -> None:
    with session.client() as client:
        client.fail_security_pool(pool)
    _say(session, "security_pool", pool, up=False)


def heal_pool(session: Session, pool: Pool) -> None:
    with session.client() as client:
        client.heal_security_pool(pool)
    _say(session, "security_pool", pool, up=True)


def _say(session: Session, kind: str, name: str, *, up: bool) -> None:
    if session.as_json:
        session.document({kind: name, "up": up})
        return
    from suanwang.cli.show.forms import done

    words = t("cli.net.back", name=name) if up else t("cli.net.out", name=name)
    session.console.print(done(words))
