"""service list, show, plan, run, result: the catalogue of services from a terminal."""

import json
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli import tasks
from suanwang.cli.command import command, group
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.client import Client
    from suanwang.model.view import TaskView

Service = Annotated[str, typer.Argument(help=t("cli.arg.service"), show_default=False)]
Params = Annotated[
    list[str] | None, typer.Option("--param", "-p", help=t("cli.option.service.param"), show_default=False)
]
Fields = Annotated[list[str] | None, typer.Option("--task", help=t("cli.option.service.task"), show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register `service ...`."""
    service = group("service")
    command(service, "list")(list_)
    command(service, "show")(show)
    command(service, "plan")(plan)
    command(service, "run")(run)
    command(service, "result")(result)
    app.add_typer(service)


def list_(
    session: Session,
    of_group: Annotated[
        str | None, typer.Option("--group", help=t("cli.option.service.group"), show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help=t("cli.option.service.text"), show_default=False)] = None,
) -> None:
    from suanwang.model.service import ServiceGroup

    if of_group is not None and of_group not in list(ServiceGroup):
        known = ", ".join(ServiceGroup)
        raise typer.BadParameter(t("cli.service.group", got=of_group, known=known), param_hint="--group")
    with session.client() as client:
        found = client.services(group=of_group, text=text)
    if session.as_json:
        session.document({"services": found})
        return
    from suanwang.cli.show.services import lines

    session.console.print(lines(found))


def show(session: Session, service: Service) -> None:
    with session.client() as client:
        found = client.service(service)
    if session.as_json:
        session.document(found)
        return
    from suanwang.cli.show.services import whole

    session.console.print(whole(found))


def plan(session: Session, service: Service, param: Params = None, task: Fields = None) -> Exit:
    with session.client() as client:
        found = client.plan_service(service, _parameters(client, service, param), pairs(task, "--task"))
        return tasks.show_planned(session, client, [found])


def run(
    session: Session,
    service: Service,
    param: Params = None,
    task: Fields = None,
    wait: Annotated[bool, typer.Option("--wait", help=t("cli.option.service.wait"))] = False,
    outputs: Annotated[
        Path | None, typer.Option("--outputs", "-o", help=t("cli.option.outputs"), show_default=False)
    ] = None,
) -> Exit:
    with session.client() as client:
        view = client.run_service(service, _parameters(client, service, param), pairs(task, "--task"))
        if not wait or view.phase == "refused":
            return tasks.show_submitted(session, [view])
        try:
            return _wait(session, client, view, outputs)
        except KeyboardInterrupt:
            session.console.print(t("cli.run.interrupted", task=view.task_id))
            return Exit.INTERRUPTED


def _wait(session: Session, client: "Client", view: "TaskView", outputs: Path | None) -> Exit:
    view = tasks.follow(session, client, view)
    found = client.service_result(view.task_id)
    saved = client.outputs.save(view, outputs) if outputs is not None and view.outputs else ()
    bill = client.task_bill(view.task_id)
    if session.as_json:
        session.document({"task": view, "bill": bill, "result": found, "saved": [str(one) for one in saved]})
    else:
        from suanwang.cli.show.services import verdicts

        session.console.print(verdicts(found))
        tasks.print_run(session, client, view, bill, saved)
    ended = tasks.exit_of(view)
    return Exit.TASK_FAILED if ended is Exit.OK and not found.ok else ended


def result(session: Session, task: tasks.Task) -> Exit:
    with session.client() as client:
        found = client.service_result(tasks.resolve(client, task))
    if session.as_json:
        session.document(found)
    else:
        from suanwang.cli.show.services import verdicts

        session.console.print(verdicts(found))
    return Exit.OK if found.ok else Exit.TASK_FAILED


def _parameters(client: "Client", service: str, given: list[str] | None) -> dict[str, Any]:
    """The parameters of a service as they were given; one that is a text stays as it was typed, be it a number or not."""
    if not given:
        return {}
    texts = {one.name for one in client.service(service).parameters if one.type == "string"}
    return pairs(given, "--param", texts)


def pairs(given: list[str] | None, option: str, texts: Container[str] = ()) -> dict[str, Any]:
    """`name=value` by name. A value that reads as JSON is that, anything else is its text, and so is that of a name in `texts`."""
    found: dict[str, Any] = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals or not name or name in found:
            key = "cli.service.twice" if equals and name else "cli.service.pair"
            raise typer.BadParameter(t(key, got=one), param_hint=option)
        if name in texts:
            found[name] = value
            continue
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
