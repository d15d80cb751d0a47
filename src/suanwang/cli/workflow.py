"""workflow run, plan, show, list, cancel: tasks with names, and what each comes after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.tasks import Files, Secret, read_secrets
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.client import Client
    from suanwang.model.workflow import WorkflowView

File = Annotated[str, typer.Argument(help=t("cli.arg.workflow_file"), show_default=False)]
Id = Annotated[str, typer.Argument(help=t("cli.arg.workflow"), show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register `workflow ...`."""
    flow = group("workflow")
    command(flow, "run")(run)
    command(flow, "plan")(plan)
    command(flow, "show")(show)
    command(flow, "list")(list_)
    command(flow, "cancel")(cancel)
    app.add_typer(flow)


def _given(file: str, files: Path | None) -> "tuple[dict[str, object], Path]":
    """The file's workflow, checked before any brain is asked, and the folder of its local inputs."""
    from suanwang.cli.tasks import read_bytes
    from suanwang.intent.workflow import read_workflow, written

    return written(read_workflow(read_bytes(Path(file)), file)), files or Path(file).parent


def run(
    session: Session,
    file: File,
    wait: Annotated[bool, typer.Option("--wait", "-w", help=t("cli.option.workflow_wait"))] = False,
    files: Files = None,
    secret: Secret = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help=t("cli.option.workflow_key"), show_default=False)
    ] = None,
) -> Exit:
    given, folder = _given(file, files)
    with session.client() as client:
        secrets = read_secrets(secret)
        view = client.submit_workflow(given, files=folder, secrets=secrets, idempotency_key=idempotency_key)
        if wait and view.workflow_id is not None:
            try:
                view = _follow(session, client, view)
            except KeyboardInterrupt:
                session.console.print(t("cli.workflow.interrupted", workflow=view.workflow_id))
                return Exit.INTERRUPTED
        else:
            _print(session, view)
    if session.as_json:
        session.document(view)
    return exit_of(view)


def _follow(session: Session, client: "Client", view: "WorkflowView") -> "WorkflowView":
    """A table that follows the run; where nobody can see it move, the steps as lines and the table at the end."""
    from suanwang.cli.show.workflow import changes, table

    assert view.workflow_id is not None, "only what was taken in is followed"
    if session.as_json:
        return client.wait_workflow(view.workflow_id)
    if session.console.is_terminal:
        from rich.live import Live

        with Live(table(view), console=session.console) as live:
            return client.wait_workflow(view.workflow_id, on_change=lambda now: live.update(table(now), refresh=True))
    seen: dict[str, str] = {}

    def told(now: "WorkflowView") -> None:
        for line in changes(now, seen):
            session.console.print(line)

    end = client.wait_workflow(view.workflow_id, on_change=told)
    session.console.print(table(end))
    return end


def _print(session: Session, view: "WorkflowView") -> None:
    from suanwang.cli.show.plan import refusals
    from suanwang.cli.show.workflow import table

    if session.as_json:
        return
    session.console.print(table(view))
    for one in view.steps:
        if one.refusals:
            session.console.print(one.name, style="bold")
            session.console.print(refusals(one.refusals))


def exit_of(view: "WorkflowView") -> Exit:
    """By how it stands: what still runs is no failure."""
    if view.state == "refused":
        return Exit.REFUSED
    return Exit.TASK_FAILED if view.state in ("failed", "cancelled") else Exit.OK


def plan(session: Session, file: File, files: Files = None) -> Exit:
    given, folder = _given(file, files)
    with session.client() as client:
        found = client.plan_workflow(given, files=folder)
        if session.as_json:
            session.document(found)
        else:
            from suanwang.cli.show.forms import Places
            from suanwang.cli.show.plan import refusals
            from suanwang.cli.show.workflow import plans

            session.console.print(plans(found, Places(client.grid())))
            for one in found.steps:
                if one.refusals:
                    session.console.print(one.name, style="bold")
                    session.console.print(refusals(one.refusals))
    return Exit.OK if all(one.plan is not None for one in found.steps) else Exit.REFUSED


def show(session: Session, workflow: Id) -> None:
    with session.client() as client:
        view = client.workflow(resolve(client, workflow))
    if session.as_json:
        session.document(view)
    else:
        _print(session, view)


def list_(
    session: Session,
    tenant: Annotated[str | None, typer.Option("--tenant", help=t("cli.option.tenant"), show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help=t("cli.option.limit"))] = 20,
) -> None:
    with session.client() as client:
        views = client.workflows(tenant=tenant, limit=limit)
    if session.as_json:
        session.document({"workflows": list(views)})
    elif not views:
        session.console.print(t("cli.workflow.none"), style="dim")
    else:
        from suanwang.cli.show.workflow import many

        session.console.print(many(views))


def cancel(session: Session, workflow: Id) -> None:
    with session.client() as client:
        view = client.cancel_workflow(resolve(client, workflow))
    if session.as_json:
        session.document(view)
    else:
        _print(session, view)


def resolve(client: "Client", workflow: str) -> str:
    """A workflow's id; `last` is the newest."""
    if workflow != "last":
        return workflow
    from suanwang.model.error import NotFoundError

    newest = client.workflows(limit=1)
    if not newest or newest[0].workflow_id is None:
        raise NotFoundError("no_workflow_yet")
    return newest[0].workflow_id
