"""key issue, list, revoke."""

from typing import Annotated

import typer

from suanwang.cli.command import command, group
from suanwang.cli.session import Session
from suanwang.cli.words import t


def add_to(app: typer.Typer) -> None:
    """Register `key ...`."""
    key = group("key")
    command(key, "issue")(issue)
    command(key, "list")(list_)
    command(key, "revoke")(revoke)
    app.add_typer(key)


def issue(
    session: Session,
    tenant: Annotated[str, typer.Argument(help=t("cli.arg.tenant"), show_default=False)],
    role: Annotated[str, typer.Option("--role", help=t("cli.option.role"))] = "user",
    site: Annotated[list[str] | None, typer.Option("--site", help=t("cli.option.site"), show_default=False)] = None,
    note: Annotated[str, typer.Option("--note", help=t("cli.option.note"))] = "",
) -> None:
    from suanwang.model.principal import Role

    if role not in list(Role):
        raise typer.BadParameter(t("cli.role", roles=", ".join(Role)), param_hint="--role")
    with session.client() as client:
        issued = client.issue_key(tenant, role, sites=tuple(site or ()), note=note)
    if session.as_json:
        session.document(issued)
        return
    session.console.print(t("cli.key.issued", key=issued.key_id))
    session.console.print(issued.key, style="bold green", soft_wrap=True)
    session.console.print(t("cli.key.once"), style="dim")


def list_(
    session: Session, revoked: Annotated[bool, typer.Option("--revoked", help=t("cli.option.revoked"))] = False
) -> None:
    with session.client() as client:
        keys = client.keys(revoked=revoked)
    if session.as_json:
        session.document({"keys": list(keys)})
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from suanwang.cli.show.forms import instant

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("key", "tenant", "role", "issued", "note"):
        table.add_column(t(f"cli.key.col.{name}"), no_wrap=name != "note")
    for one in keys:
        state = " ✗" if one.revoked_us is not None else ""
        table.add_row(
            one.key_id + state, one.tenant, t(f"role.{one.role.value}"), instant(one.issued_us, seconds=False), one.note
        )
    session.console.print(table)


def revoke(session: Session, key_id: Annotated[str, typer.Argument(help=t("cli.arg.key"), show_default=False)]) -> None:
    with session.client() as client:
        client.revoke_key(key_id)
    if session.as_json:
        session.document({"revoked": key_id})
    else:
        session.console.print(t("cli.key.revoked", key=key_id))
