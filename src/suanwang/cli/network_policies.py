"""net policies, net agent: what routers are to do for the live plans, and the process that makes them do it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suanwang.cli.session import Session
from suanwang.cli.words import t

if TYPE_CHECKING:
    from suanwang.model.wanted import NetworkView
    from suanwang.runtime.dry_run import DryRun


def policies(
    session: Session,
    task: Annotated[str | None, typer.Argument(help=t("cli.arg.net.task"), show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("cli.option.net.dry_run"))] = False,
) -> None:
    from suanwang.cli.tasks import resolve

    with session.client() as client:
        task_id = client.task(resolve(client, task)).task_id if task is not None else None
        found = client.policies()
        grid = client.grid() if dry_run else None
    if grid is not None:
        from suanwang.runtime.dry_run import dry_run as on_paper

        _show_dry(session, on_paper(grid, found.wanted, task_id))
        return
    if task_id is not None:
        found = _of_task(found, task_id)
    if session.as_json:
        session.document(found)
        return
    from suanwang.cli.show import network_policies as view

    for one in view.whole(found):
        session.console.print(one)


def _of_task(found: "NetworkView", task_id: str) -> "NetworkView":
    """The same for one task: its policies, and what was measured of it."""
    tasks = tuple(one for one in found.wanted.tasks if one.flow.task_id == task_id)
    keys = {key for one in tasks for key in one.policies}
    wanted = found.wanted.model_copy(
        update={"tasks": tasks, "policies": tuple(one for one in found.wanted.policies if one.key in keys)}
    )
    reports = tuple(
        one.model_copy(
            update={
                "paths": tuple(path for path in one.paths if path.task_id == task_id),
                "policies": tuple(use for use in one.policies if use.key in keys),
            }
        )
        for one in found.reports
    )
    return found.model_copy(update={"wanted": wanted, "reports": reports})


def _show_dry(session: Session, found: "DryRun") -> None:
    if session.as_json:
        rows: list[dict[str, Any]] = [
            {"router": one.router, "commands": list(one.commands), "frr": one.frr} for one in found.routers
        ]
        session.document({"routers": rows, "faults": list(found.faults)})
        return
    from suanwang.cli.show import network_policies as view

    for line in view.dry(found):
        session.console.print(line, soft_wrap=True)


def agent(
    session: Session,
    lab: Annotated[str | None, typer.Option("--lab", help=t("cli.option.lab.of"), show_default=False)] = None,
    url: Annotated[str | None, typer.Option("--url", help=t("cli.option.url"), show_default=False)] = None,
    key: Annotated[str | None, typer.Option("--key", help=t("cli.option.net.key"), show_default=False)] = None,
    name: Annotated[str | None, typer.Option("--name", help=t("cli.option.agent_name"), show_default=False)] = None,
    home: Annotated[Path | None, typer.Option("--home", help=t("cli.option.home"), show_default=False)] = None,
) -> int:
    from suanwang.cli.session import quiet_logs
    from suanwang.runtime import network_main

    quiet_logs()
    session.home = home
    return network_main.run(session.settings(url=url, key=key, lab=lab), name)
