"""tenant set, list, show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.command import command, group
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.model.view import Quota, Share


def add_to(app: typer.Typer) -> None:
    """Register `tenant ...`."""
    tenant = group("tenant")
    command(tenant, "set")(set_)
    command(tenant, "list")(list_)
    command(tenant, "show")(show)
    app.add_typer(tenant)


def _option(name: str, words: str) -> Any:
    return typer.Option(name, help=words, show_default=False)


def set_(
    session: Session,
    tenant: Annotated[str, typer.Argument(help=t("cli.arg.tenant"), show_default=False)],
    name: Annotated[str | None, _option("--name", t("cli.tenant.name"))] = None,
    parent: Annotated[str | None, _option("--parent", t("cli.tenant.parent"))] = None,
    weight: Annotated[int | None, _option("--weight", t("cli.tenant.weight"))] = None,
    cores: Annotated[int | None, _option("--cores", t("cli.tenant.cores"))] = None,
    accelerators: Annotated[int | None, _option("--accelerators", t("cli.tenant.accelerators"))] = None,
    live_tasks: Annotated[int | None, _option("--live-tasks", t("cli.tenant.live_tasks"))] = None,
    budget: Annotated[str | None, _option("--budget", t("cli.tenant.budget"))] = None,
    priority: Annotated[int | None, _option("--priority", t("cli.tenant.priority"))] = None,
    borrow_cores: Annotated[int | None, _option("--borrow-cores", t("cli.tenant.borrow"))] = None,
    borrow_accelerators: Annotated[int | None, _option("--borrow-accelerators", t("cli.tenant.borrow"))] = None,
    lend_cores: Annotated[int | None, _option("--lend-cores", t("cli.tenant.lend"))] = None,
    lend_accelerators: Annotated[int | None, _option("--lend-accelerators", t("cli.tenant.lend"))] = None,
) -> None:
    given = {
        "name": name,
        "weight": weight,
        "cores_max": cores,
        "accelerators_max": accelerators,
        "live_tasks_max": live_tasks,
        "priority_max": priority,
        "cores_borrowed_max": borrow_cores,
        "accelerators_borrowed_max": borrow_accelerators,
        "cores_lent_max": lend_cores,
        "accelerators_lent_max": lend_accelerators,
    }
    changed: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    changed |= {} if parent is None else {"parent": parent or None}
    changed |= {} if budget is None else {"budget_micro_yuan": budget or None}
    _set(session, tenant, changed)


def _set(session: Session, tenant: str, changed: dict[str, Any]) -> None:
    """Change what was given and leave the rest as it is."""
    import json

    from suanwang.intent import parse, validate
    from suanwang.model.grid import Tenant

    with session.client() as client:
        known = next((one for one in client.tenants() if one.id == tenant), None)
        before = known.model_dump(mode="json") if known is not None else {"name": tenant}
        wanted = json.dumps({**before, **changed, "id": tenant})
        made = client.set_tenant(validate(Tenant, parse(wanted, "tenant")))
    if session.as_json:
        session.document(made)
    else:
        session.console.print(t("cli.tenant.done", tenant=made.id))


def list_(session: Session) -> None:
    with session.client() as client:
        shares = client.shares()
    if session.as_json:
        session.document({"shares": list(shares)})
        return
    _table(session, shares)


def show(
    session: Session, tenant: Annotated[str, typer.Argument(help=t("cli.arg.tenant"), show_default=False)]
) -> None:
    from suanwang.model.error import NotFoundError

    with session.client() as client:
        found = [one for one in client.shares() if one.tenant == tenant]
    if not found:
        raise NotFoundError("tenant_unknown", tenant=tenant)
    if session.as_json:
        session.document(found[0])
        return
    _table(session, found)


def _table(session: Session, shares: "Sequence[Share]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from suanwang.model.units import show_yuan

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for words in (
        t("cli.tenant.col.tenant"),
        t("cli.tenant.col.parent"),
        t("cli.tenant.col.weight"),
        t("cli.tenant.col.share"),
        t("cli.tenant.col.cores"),
        t("cli.tenant.col.accelerators"),
        t("cli.tenant.col.live"),
        t("cli.tenant.col.spent"),
    ):
        table.add_column(words)
    for one in shares:
        budget = "" if one.budget_micro_yuan is None else f" / {show_yuan(one.budget_micro_yuan)}"
        table.add_row(
            one.tenant,
            one.parent or "—",
            str(one.weight),
            f"{one.share_ppm / 10_000:.2f} %" + (f" {one.resource}" if one.resource else ""),
            _quota(one.cores),
            _quota(one.accelerators),
            f"{one.live_tasks:,}",
            show_yuan(one.spent_micro_yuan) + budget,
        )
    session.console.print(table)


def _quota(quota: "Quota") -> str:
    """`12 / 60 +8 -0`: held of the quota, borrowed, lent; without a quota only what is held."""
    limit = f" / {quota.limit:,}" if quota.limit < 10**9 else ""
    moved = f" +{quota.borrowed:,}" if quota.borrowed else ""
    return f"{quota.held:,}{limit}{moved}" + (f" -{quota.lent:,}" if quota.lent else "")
