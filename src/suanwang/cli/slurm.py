"""sbatch and scancel: what people who know Slurm type, on the grid. The views are in `slurm_views.py`."""

import os
import sys
import time
from datetime import timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from suanwang.cli.command import command
from suanwang.cli.exits import Exit
from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suanwang.cli.slurm_views import Wanted
    from suanwang.client import Client
    from suanwang.intent.slurm import Command, Desk, SbatchRead
    from suanwang.model.error import Fault
    from suanwang.model.ids import TaskId
    from suanwang.model.view import TaskView

RAW: Final = "sbatch"  # its options are those of Slurm: nobody else reads them
STDIN_NAME: Final = "sbatch"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "sbatch")(sbatch)
    command(app, "scancel")(scancel)


def raw(arguments: "Sequence[str]") -> list[str]:
    """A command line in which everything behind `sbatch` is left to it, but for the request for help."""
    at = next((number for number, one in enumerate(arguments) if not one.startswith("-")), None)
    if at is None or arguments[at] != RAW or list(arguments[at + 1 :]) in (["--help"], ["-h"]):
        return list(arguments)
    return [*arguments[: at + 1], "--", *arguments[at + 1 :]]


def user_name() -> str:
    """Who sits here, for file names and variables of a job."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "user"


def sbatch(
    session: Session,
    words: Annotated[list[str] | None, typer.Argument(help=t("cli.arg.sbatch"), show_default=False)] = None,
) -> Exit:
    from suanwang.intent.slurm import read_command, read_sbatch

    asked = read_command(words or [])
    _common(session, asked)
    if asked.has("help") or asked.has("usage"):
        session.console.print(t("cli.sbatch.usage"))
        return Exit.OK
    if asked.has("version"):
        from importlib.metadata import version

        sys.stdout.write(f"suanwang {version('suanwang')}\n")
        return Exit.OK
    script, source = _script(asked)
    with session.client() as client:
        found = read_sbatch(script, source, asked, desk_of(client), client.doors())
        warn(found.warnings, source)
        if found.test_only:
            return _test(session, client, found)
        return _submit(session, client, found)


def _common(session: Session, asked: "Command") -> None:
    """The options that every command of ours has."""
    for one in asked.given:
        if one.option.name == "json":
            session.as_json = True
        elif one.option.name == "url":
            session.url = one.value
        elif one.option.name == "home":
            session.home = Path(one.value)


def _script(asked: "Command") -> tuple[bytes, str]:
    """The text of the script and where it is from."""
    if asked.wrapped is not None:
        return f"#!/bin/sh\n{asked.wrapped}\n".encode(), STDIN_NAME
    if asked.script is None:
        return sys.stdin.buffer.read(), STDIN_NAME
    from suanwang.cli.tasks import read_bytes

    return read_bytes(Path(asked.script)), asked.script


def desk_of(client: "Client") -> "Desk":
    """Who sits here, when, and which tasks have numbers."""
    from suanwang.intent.slurm import Desk
    from suanwang.model.error import NotFoundError
    from suanwang.model.ids import TaskId

    def job(number: int) -> "TaskId | None":
        try:
            return TaskId(client.task(str(number)).task_id)
        except NotFoundError:
            return None

    now_us = client.whoami().now_us
    offset = time.localtime(now_us // 1_000_000).tm_gmtoff
    return Desk(user_name(), now_us, timezone(timedelta(seconds=offset)), os.environ, job)


def warn(warnings: "Sequence[Fault]", source: str) -> None:
    """What was written and has no effect, on the standard error."""
    for one in warnings:
        place = ":".join(str(part) for part in (source, one.line) if part)
        words = t(f"warning.{one.code}", **{"got": one.got, **one.params})
        sys.stderr.write(f"{t('cli.warning')}: {place} {one.where}: {words}\n")


def _submit(session: Session, client: "Client", found: "SbatchRead") -> Exit:
    from suanwang.cli.tasks import read_secrets

    secrets = read_secrets(list(found.request.secrets))
    view = client.submit(found.request, files=Path(), secrets=secrets)
    if view.phase == "refused":
        _refused(session, view)
        return Exit.REFUSED
    if session.as_json and not found.waits:
        session.document(view)
    elif not session.as_json:
        # Programs read this line, so it is the same in every language.
        sys.stdout.write(f"{view.number}\n" if found.parsable else f"Submitted batch job {view.number}\n")
        sys.stdout.flush()
    return _wait(session, client, view) if found.waits else Exit.OK


def _refused(session: Session, view: "TaskView") -> None:
    if session.as_json:
        session.document(view)
        return
    from rich.console import Console

    from suanwang.cli.show.plan import refusals

    Console(stderr=True, highlight=False, markup=False, emoji=False).print(refusals(view.refusals))


def _wait(session: Session, client: "Client", view: "TaskView") -> Exit:
    """To its end; what it printed comes to where it was submitted. The exit status is the job's own."""
    view = client.wait(view.task_id)
    if view.outputs:
        client.outputs.save(view, Path())
    if session.as_json:
        session.document(view)
    if view.phase == "succeeded":
        return Exit.OK
    if view.phase == "refused":
        _refused(session, view)
        return Exit.REFUSED
    raise typer.Exit(view.exit_code or Exit.TASK_FAILED)


def _test(session: Session, client: "Client", found: "SbatchRead") -> Exit:
    """Where and when it would run, and for how much; nothing is submitted."""
    from suanwang.cli.show.forms import Places, money
    from suanwang.cli.show.slurm import local_time

    answer = client.plan(found.request, files=Path())
    if session.as_json:
        session.document(answer)
    elif answer.plan is not None and not answer.refusals:
        plan, has = answer.plan, found.request.resources
        cores = has.cpu * has.nodes * found.request.array
        at, pool = local_time(plan.run_start_us), plan.pool.partition("/")[2]
        sys.stderr.write(
            f"sbatch: Job to start at {at} using {cores} processors on nodes {plan.site} in partition {pool}\n"
        )
        words = t("cli.sbatch.price", place=Places(client.grid()).pool(plan.pool), price=money(plan.quote_micro_yuan))
        sys.stderr.write(f"sbatch: {words}\n")
    else:
        from rich.console import Console

        from suanwang.cli.show.plan import refusals, whole

        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        if answer.refusals:
            console.print(refusals(answer.refusals))
        for one in whole(answer.request, answer.plan, answer.report, Places(client.grid()), client.whoami().now_us):
            console.print(one)
    return Exit.OK if answer.plan is not None and not answer.refusals else Exit.REFUSED


def scancel(
    session: Session,
    job: Annotated[list[str] | None, typer.Argument(help=t("cli.arg.jobs"), show_default=False)] = None,
    name: Annotated[list[str] | None, typer.Option("--name", "-n", help=t("cli.option.job_name"))] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help=t("cli.option.job_user"))] = None,
    me: Annotated[bool, typer.Option("--me", help=t("cli.option.job_me"))] = False,
    state: Annotated[str | None, typer.Option("--state", "-t", help=t("cli.option.job_state"))] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-Q", help=t("cli.option.job_quiet"))] = False,
) -> Exit:
    from suanwang.cli.slurm_views import Wanted

    if not (job or name or user or me or state):
        raise typer.BadParameter(t("cli.scancel.nothing"), param_hint="JOB")
    with session.client() as client:
        wanted = None
        if name or user or me or state:
            wanted = Wanted.of(client, None, user, me, state, ",".join(name or ()) or None, None)
        if not job:
            assert wanted is not None, "nothing else is left"
            _cancel_all(client, wanted)
            return Exit.OK
        unknown = [one for one in _named(job) if not _cancel(client, one, wanted)]
    for one in unknown if not quiet else ():
        sys.stderr.write(f"scancel: error: Kill job error on job id {one}: Invalid job id specified\n")
    return Exit.TASK_FAILED if unknown else Exit.OK


def _cancel_all(client: "Client", wanted: "Wanted") -> None:
    """What is live and wanted, however much that is. All of it is read before the first is cancelled: what ends leaves
    the list that is being read."""
    from suanwang.cli.slurm_views import live_of

    for one in [view.task_id for view in live_of(client, wanted)]:
        _cancel(client, one, None)


def _cancel(client: "Client", one: str, wanted: "Wanted | None") -> bool:
    """Whether there is such a job. Where a filter stands beside it, only a job that the filter holds for is cancelled."""
    from suanwang.cli.slurm_views import is_wanted
    from suanwang.model.error import ConflictError, NotFoundError

    try:
        if wanted is None or is_wanted(client.task(one), wanted):
            client.cancel(one)
    except ConflictError:
        pass  # it has ended by itself, which is what was wanted
    except NotFoundError:
        return False
    return True


def _named(job: list[str] | None) -> list[str]:
    return [one.strip() for word in job or () for one in word.split(",") if one.strip()]
