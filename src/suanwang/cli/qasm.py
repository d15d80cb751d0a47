"""qasm check, plan, run, task: circuits in OpenQASM. A circuit is checked here, before any brain is asked."""

import sys
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
    from suanwang.model.task import TaskRequest
    from suanwang.model.view import TaskView

File = Annotated[str, typer.Argument(help=t("cli.arg.circuit"), show_default=False)]
Shots = Annotated[int, typer.Option("--shots", min=1, help=t("cli.option.shots"))]
Seed = Annotated[int | None, typer.Option("--seed", help=t("cli.option.circuit_seed"), show_default=False)]
Method = Annotated[str, typer.Option("--method", help=t("cli.option.method"))]
Noise = Annotated[str, typer.Option("--noise", help=t("cli.option.noise"))]
Latency = Annotated[str | None, typer.Option("--latency", help=t("cli.option.latency"), show_default=False)]
Budget = Annotated[str | None, typer.Option("--budget", help=t("cli.option.budget"), show_default=False)]
Queue = Annotated[str | None, typer.Option("--max-queue", help=t("cli.option.max_queue"), show_default=False)]
Wall = Annotated[str, typer.Option("--wall-time", help=t("cli.option.wall_time"))]
Sites = Annotated[list[str] | None, typer.Option("--site", help=t("cli.option.only_site"), show_default=False)]
Name = Annotated[str | None, typer.Option("--name", help=t("cli.option.circuit_name"), show_default=False)]
SHOTS, METHOD, NOISE, WALL = 1000, "automatic", "device", "10 min"


def add_to(app: typer.Typer) -> None:
    """Register `qasm ...`."""
    qasm = group("qasm")
    command(qasm, "check", brain=False)(check)
    command(qasm, "plan")(plan)
    command(qasm, "run")(run)
    command(qasm, "task", brain=False)(task)
    app.add_typer(qasm)


def check(session: Session, file: File) -> None:
    from suanwang.qasm import read_circuit

    facts = read_circuit(*_text(file)).facts()
    if session.as_json:
        session.document({**vars(facts), "size": facts.size})
        return
    from suanwang.cli.show.qasm import of_circuit

    session.console.print(of_circuit(facts))


def task(
    session: Session,
    file: File,
    shots: Shots = SHOTS,
    seed: Seed = None,
    method: Method = METHOD,
    noise: Noise = NOISE,
    latency: Latency = None,
    budget: Budget = None,
    max_queue: Queue = None,
    wall_time: Wall = WALL,
    site: Sites = None,
    name: Name = None,
) -> None:
    request = _task(file, locals())
    session.document(request.model_dump(mode="json", exclude_defaults=True))


def plan(
    session: Session,
    file: File,
    shots: Shots = SHOTS,
    seed: Seed = None,
    method: Method = METHOD,
    noise: Noise = NOISE,
    latency: Latency = None,
    budget: Budget = None,
    max_queue: Queue = None,
    wall_time: Wall = WALL,
    site: Sites = None,
    name: Name = None,
) -> Exit:
    return tasks.show_plan(session, _task(file, locals()), Path())


def run(
    session: Session,
    file: File,
    shots: Shots = SHOTS,
    seed: Seed = None,
    method: Method = METHOD,
    noise: Noise = NOISE,
    latency: Latency = None,
    budget: Budget = None,
    max_queue: Queue = None,
    wall_time: Wall = WALL,
    site: Sites = None,
    name: Name = None,
    wait: Annotated[bool, typer.Option("--wait", help=t("cli.option.wait"))] = False,
    outputs: Annotated[
        Path | None, typer.Option("--outputs", "-o", help=t("cli.option.outputs"), show_default=False)
    ] = None,
) -> Exit:
    request = _task(file, locals())
    with session.client() as client:
        view = client.submit(request)
        if not wait:
            return tasks.show_submitted(session, [view])
        try:
            return _wait(session, client, view, outputs)
        except KeyboardInterrupt:
            session.console.print(t("cli.run.interrupted", task=view.task_id))
            return Exit.INTERRUPTED


def _text(file: str) -> tuple[bytes, str]:
    """The text of a circuit, and what it is called in faults."""
    if file == "-":
        return sys.stdin.buffer.read(), "<stdin>"
    return tasks.read_bytes(Path(file)), file


def _task(file: str, asked: dict[str, Any]) -> "TaskRequest":
    from suanwang.intent.circuits import circuit_task

    text, source = _text(file)
    names = ("shots", "seed", "method", "noise", "latency", "budget", "max_queue", "wall_time")
    given = {name: asked[name] for name in names}
    sites = {"sites": list(asked["site"])} if asked["site"] else {}
    name = asked["name"] or ("circuit" if file == "-" else Path(file).stem)
    request, _ = circuit_task(text, source, name=name, **given, **sites)
    return request


def _wait(session: Session, client: "Client", view: "TaskView", outputs: Path | None) -> Exit:
    view = tasks.follow(session, client, view)
    counts = _counts(client, view)
    saved = client.outputs.save(view, outputs) if outputs is not None and view.outputs else ()
    bill = client.task_bill(view.task_id)
    if session.as_json:
        session.document({"task": view, "bill": bill, "counts": counts, "saved": [str(one) for one in saved]})
        return tasks.exit_of(view)
    if counts is not None:
        from suanwang.cli.show.qasm import of_counts

        session.console.print(of_counts(counts))
    tasks.print_run(session, client, view, bill, saved)
    return tasks.exit_of(view)


def _counts(client: "Client", view: "TaskView") -> dict[str, Any] | None:
    """The content of the counts' file, where there is one."""
    import json

    if not view.outputs or view.phase != "succeeded":
        return None
    found: dict[str, Any] = json.loads(b"".join(client.outputs.read(view, view.outputs[0].path)))
    return found
