"""site cordon, drain, open, leave: what work a site takes."""

from typing import Annotated

import typer

from suanwang.cli.command import command
from suanwang.cli.session import Session
from suanwang.cli.words import t

Site = Annotated[str, typer.Argument(help=t("cli.arg.site_order"), show_default=False)]


def add_to(site: typer.Typer) -> None:
    """Register them with `site`."""
    command(site, "cordon")(cordon)
    command(site, "drain")(drain)
    command(site, "open")(open_)
    command(site, "leave")(leave)


def cordon(session: Session, site: Site) -> None:
    with session.client() as client:
        client.cordon_site(site)
    _say(session, site, "cordoned", "cli.site.cordoned")


def drain(session: Session, site: Site) -> None:
    with session.client() as client:
        client.drain_site(site)
    _say(session, site, "drained", "cli.site.drained")


def open_(session: Session, site: Site) -> None:
    with session.client() as client:
        client.open_site(site)
    _say(session, site, "open", "cli.site.open")


def leave(session: Session, site: Site) -> None:
    with session.client() as client:
        client.leave_site(site)
    _say(session, site, "left", "cli.site.left")


def _say(session: Session, site: str, order: str, said: str) -> None:
    if session.as_json:
        session.document({"site": site, "order": order})
        return
    from suanwang.cli.show.forms import done

    session.console.print(done(t(said, site=site)))
