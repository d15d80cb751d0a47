"""plan, submit, run, status, logs, explain, cancel, list, bill."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.command import command
from suanwang.cli.doors import one_task, open_file
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suanwang.client import Client
    from suanwang.model.task import TaskRequest
    from suanwang.model.view import PlanView, TaskView

File = Annotated[str, typer.Argument(help=t("cli.arg.file"), show_default=False)]
Task = Annotated[str, typer.Argument(help=t("cli.arg.task"), show_default=False)]
Files = Annotated[Path | None, typer.Option("--files", help=t("cli.option.files"), show_default=False)]
Form = Annotated[str | None, typer.Option("--form", help=t("cli.option.form"), show_default=False)]
Secret = Annotated[list[str] | None, typer.Option("--secret", help=t("cli.option.secret"), show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register the commands about tasks."""
    command(app, "plan")(plan)
    command(app, "submit")(submit)
    command(app, "run")(run)
    command(app, "status")(status)
    command(app, "logs")(logs)
    command(app, "explain")(explain)
    command(app, "cancel")(cancel)
    command(app, "list")(list_)
    command(app, "bill")(bill)


def plan(session: Session, file: File, files: Files = None, form: Form = None) -> Exit:
    given = open_file(file, files, form)
    with session.client() as client:
        return show_plans(session, client, given.tasks(client), given.folder)


def show_plan(session: Session, task: "TaskRequest", folder: Path) -> Exit:
    """Where a task would run, when and at what price; nothing is submitted."""
    with session.client() as client:
        return show_plans(session, client, [task], folder)


def show_plans(session: Session, client: "Client", tasks: "Sequence[TaskRequest]", folder: Path) -> Exit:
    """The same of several tasks."""
    return show_planned(session, client, [client.plan(one, files=folder) for one in tasks])


def show_planned(session: Session, client: "Client", found: "Sequence[PlanView]") -> Exit:
    """Plans that were asked for."""
    if session.as_json:
        session.document(found[0] if len(found) == 1 else {"plans": found})
    else:
        for one in found:
            _print_plan(session, client, one)
    return Exit.OK if all(one.plan is not None and not one.refusals for one in found) else Exit.REFUSED


def _print_plan(session: Session, client: "Client", found: "PlanView") -> None:
    from suanwang.cli.show.forms import Places
    from suanwang.cli.show.plan import refusals, whole

    if found.refusals:
        session.console.print(refusals(found.refusals))
    places = Places(client.grid())
    if found.parts > 1:
        session.console.print(t("cli.plan.parts", count=found.parts))
    for one in whole(found.request, found.plan, found.report, places, client.whoami().now_us):
        session.console.print(one)


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises FaultsError where it cannot be read."""
    from suanwang.model.error import Fault, FaultsError

    try:
        return path.read_bytes()
    except OSError as error:
        fault = Fault("file_unreadable", "", str(path), None, {"why": error.strerror or type(error).__name__})
        raise FaultsError([fault], str(path)) from None


def read_secrets(given: list[str] | None) -> dict[str, str]:
    """`NAME=VALUE`, or `NAME` for the value of this environment variable, which no process list shows."""
    found = {}
    for one in given or ():
        name, equals, value = one.partition("=")
        if not equals and name not in os.environ:
            raise typer.BadParameter(t("cli.secret_unset", name=name), param_hint="--secret")
        found[name] = value if equals else os.environ[name]
    return found


def submit(
    session: Session,
    file: Annotated[list[str], typer.Argument(help=t("cli.arg.files"), show_default=False)],
    files: Files = None,
    secret: Secret = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help=t("cli.option.idempotency"), show_default=False)
    ] = None,
    form: Form = None,
) -> Exit:
    if len(file) == 1 and file[0].endswith(".ndjson"):
        return _submit_bulk(session, Path(file[0]), idempotency_key)
    given = [open_file(one, files, form) for one in file]
    with session.client() as client:
        tasks = [(task, one.folder) for one in given for task in one.tasks(client)]
        views = []
        for at, (task, folder) in enumerate(tasks):
            key = f"{idempotency_key}.{at}" if idempotency_key and len(tasks) > 1 else idempotency_key
            views.append(client.submit(task, files=folder, secrets=read_secrets(secret), idempotency_key=key))
        return show_submitted(session, views)


def show_submitted(session: Session, views: "list[TaskView]") -> Exit:
    """The ids of what was submitted, or why it was refused."""
    if session.as_json:
        session.document(views[0] if len(views) == 1 else {"tasks": views})
    else:
        from suanwang.cli.show.forms import mark
        from suanwang.cli.show.plan import refusals

        for view in views:
            session.console.print(mark(view.phase), view.task_id, view.name, t(f"phase.{view.phase.value}"))
            if view.refusals:
                session.console.print(refusals(view.refusals))
    return Exit.REFUSED if any(view.phase == "refused" for view in views) else Exit.OK


def _submit_bulk(session: Session, path: Path, key: str | None) -> Exit:
    from suanwang.intent.read import read_tasks_ndjson

    requests = read_tasks_ndjson(read_bytes(path), str(path))
    with session.client() as client:
        done = client.submit_many(requests, idempotency_key=key)
    if session.as_json:
        session.document(done)
    else:
        session.console.print(t("cli.bulk", accepted=f"{done.accepted:,}", refused=f"{done.refused:,}"))
    return Exit.REFUSED if done.refused else Exit.OK


def run(
    session: Session,
    file: File,
    outputs: Annotated[
        Path | None, typer.Option("--outputs", "-o", help=t("cli.option.outputs"), show_default=False)
    ] = None,
    files: Files = None,
    secret: Secret = None,
    form: Form = None,
) -> Exit:
    given = open_file(file, files, form)
    with session.client() as client:
        task = one_task(given.tasks(client))
        view = client.submit(task, files=given.folder, secrets=read_secrets(secret))
        try:
            return _run_on(session, client, view, outputs)
        except KeyboardInterrupt:
            session.console.print(t("cli.run.interrupted", task=view.task_id))
            return Exit.INTERRUPTED


def _run_on(session: Session, client: "Client", view: "TaskView", outputs: Path | None) -> Exit:
    view = follow(session, client, view)
    saved = client.outputs.save(view, outputs if outputs is not None else Path(view.name)) if view.outputs else ()
    cost = client.task_bill(view.task_id)
    if session.as_json:
        session.document({"task": view, "bill": cost, "saved": [str(one) for one in saved]})
    else:
        print_run(session, client, view, cost, saved)
    return exit_of(view)


def follow(session: Session, client: "Client", view: "TaskView") -> "TaskView":
    """Wait for the end of a task, telling what happens to it."""
    from suanwang.model.record import ENDS

    if view.phase in ENDS:
        return view
    if session.as_json:
        return client.wait(view.task_id)
    from suanwang.cli.follow import Follower
    from suanwang.cli.show.forms import Places

    Follower(client, session.console, Places(client.grid()), view.task_id).follow()
    return client.task(view.task_id)


def print_run(session: Session, client: "Client", view: "TaskView", cost: Any, saved: tuple[Path, ...]) -> None:
    from suanwang.cli.show.bill import of_task
    from suanwang.cli.show.forms import Places, plain
    from suanwang.cli.show.plan import refusals
    from suanwang.cli.show.task import outcome

    if view.refusals:
        session.console.print(refusals(view.refusals))
    elif exit_of(view) is not Exit.OK:
        session.console.print(outcome(view), style="bold red")
    for path in saved:
        session.console.print(t("cli.run.saved", path=plain(str(path))), soft_wrap=True)
    if cost.charges:
        for one in of_task(cost, Places(client.grid())):
            session.console.print(one)


def exit_of(view: "TaskView") -> Exit:
    if view.phase == "refused":
        return Exit.REFUSED
    return Exit.OK if view.phase == "succeeded" else Exit.TASK_FAILED


def resolve(client: "Client", task: str) -> str:
    """A task id; `last` is the newest task."""
    if task != "last":
        return task
    from suanwang.model.error import NotFoundError

    newest = next(client.list(limit=1), None)
    if newest is None:
        raise NotFoundError("no_task_yet")
    return newest.task_id


def status(session: Session, task: Task) -> None:
    with session.client() as client:
        view = client.task(resolve(client, task))
        if session.as_json:
            session.document(view)
            return
        from suanwang.cli.show.forms import Places
        from suanwang.cli.show.task import one

        session.console.print(one(view, Places(client.grid()), client.whoami().now_us))


def logs(
    session: Session,
    task: Task,
    follow: Annotated[bool, typer.Option("--follow", "-f", help=t("cli.option.follow"))] = False,
    attempt: Annotated[str | None, typer.Option("--attempt", help=t("cli.option.attempt"), show_default=False)] = None,
) -> None:
    with session.client() as client:
        offset = 0
        for piece in client.logs(resolve(client, task), follow=follow, attempt=attempt):
            if session.as_json:
                session.row({"offset": offset, "text": piece.decode("utf-8", "replace")})
            else:
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
            offset += len(piece)


def explain(session: Session, task: Task) -> None:
    with session.client() as client:
        task_id = resolve(client, task)
        found = client.explain(task_id)
        if session.as_json:
            session.document(found)
            return
        from suanwang.cli.show.explain import whole
        from suanwang.cli.show.forms import Places

        for one in whole(found, client.task_bill(task_id), Places(client.grid()), client.whoami().now_us):
            session.console.print(one)


def cancel(
    session: Session, task: Annotated[list[str], typer.Argument(help=t("cli.arg.tasks"), show_default=False)]
) -> None:
    with session.client() as client:
        views = [client.cancel(resolve(client, one)) for one in task]
    if session.as_json:
        session.document(views[0] if len(views) == 1 else {"tasks": views})
        return
    from suanwang.cli.show.forms import mark

    for view in views:
        session.console.print(mark(view.phase), view.task_id, t(f"phase.{view.phase.value}"))


def list_(
    session: Session,
    phase: Annotated[str | None, typer.Option("--phase", help=t("cli.option.phase"), show_default=False)] = None,
    tag: Annotated[str | None, typer.Option("--tag", help=t("cli.option.tag"), show_default=False)] = None,
    text: Annotated[str | None, typer.Option("--text", help=t("cli.option.text"), show_default=False)] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help=t("cli.option.tenant"), show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help=t("cli.option.limit"))] = 20,
) -> None:
    from suanwang.model.record import Phase

    phases = [*Phase, "live", "ended"]
    if phase is not None and phase not in phases:
        raise typer.BadParameter(t("cli.phase", phases=", ".join(phases)), param_hint="--phase")
    with session.client() as client:
        views = list(client.list(phase=phase, tag=tag, text=text, tenant=tenant, limit=limit))
        if session.as_json:
            session.document({"tasks": views})
            return
        if not views:
            session.console.print(t("cli.list.none"), style="dim")
            return
        from suanwang.cli.show.forms import Places
        from suanwang.cli.show.task import many

        session.console.print(many(views, Places(client.grid()), client.whoami().now_us, session.console.width))


def bill(
    session: Session,
    task: Annotated[str | None, typer.Argument(help=t("cli.arg.bill_task"), show_default=False)] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help=t("cli.option.tenant"), show_default=False)] = None,
    since: Annotated[str | None, typer.Option("--from", help=t("cli.option.from"), show_default=False)] = None,
    until: Annotated[str | None, typer.Option("--to", help=t("cli.option.to"), show_default=False)] = None,
) -> None:
    from suanwang.cli.show import bill as show

    with session.client() as client:
        found: Any
        if task is not None:
            found = client.task_bill(resolve(client, task))
        else:
            found = client.bill(tenant=tenant, from_us=_instant(since, "--from"), to_us=_instant(until, "--to"))
        if session.as_json:
            session.document(found)
            return
        from suanwang.cli.show.forms import Places

        places = Places(client.grid())
        for one in show.of_task(found, places) if task is not None else show.of_tenant(found, places):
            session.console.print(one)


def _instant(given: str | None, option: str) -> int | None:
    """An RFC 3339 instant, or a day of UTC+8."""
    if given is None:
        return None
    from pydantic_core import PydanticCustomError

    from suanwang.model.units import parse_instant

    day = len(given) == 10
    try:
        return int(parse_instant(f"{given}T00:00:00+08:00" if day else given))
    except PydanticCustomError:
        raise typer.BadParameter(t("cli.instant", got=given), param_hint=option) from None
