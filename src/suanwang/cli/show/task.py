"""Tasks: one, and a list."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import (
    PHASE_STYLE,
    Places,
    age,
    emulated,
    fit,
    instant,
    mark,
    money,
    phase_text,
    plain,
    span,
)
from suanwang.cli.show.plan import refusals
from suanwang.cli.words import t
from suanwang.model.record import Phase
from suanwang.model.units import show_bytes
from suanwang.model.view import TaskView

WIDE = 96  # columns of the terminal from which on a list shows places
NAME_WIDTH, PLACE_WIDTH = 16, 22


def outcome(task: TaskView) -> str:
    """Why it is where it is, in words."""
    words = ""
    if task.wait is not None:
        words = t(f"wait.{task.wait.reason.value}")
    elif task.reason is not None:
        words = t(f"failure.{task.reason.value}")
        if task.exit_code:
            words += f" ({task.exit_code})"
    detail = plain(task.detail)
    return f"{words}: {detail}" if words and detail else words or detail


def one(task: TaskView, places: Places, now_us: int) -> RenderableType:
    """A task's card."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    phase = Text.assemble(mark(task.phase), " ", phase_text(task.phase))
    if task.progress_permille is not None and task.ended_us is None:
        phase.append(f"  {task.progress_permille / 10:.0f} %")
    table.add_row(t("cli.task.phase"), phase)
    why = outcome(task)
    if why:
        table.add_row("", Text(why, "yellow"))
    if task.refusals:
        table.add_row("", refusals(task.refusals))
    if task.pool is not None:
        where = Text.assemble((places.pool(task.pool), "bold"), "  ", emulated(task.emulated))
        table.add_row(t("cli.task.where"), where)
    table.add_row(t("cli.task.origin"), places.name(task.origin))
    table.add_row(t("cli.task.submitted"), instant(task.submitted_us))
    if task.ended_us is not None:
        took = span(task.ended_us - task.submitted_us)
        table.add_row(t("cli.task.ended"), f"{instant(task.ended_us)}  ({t('cli.task.took', span=took)})")
    elif task.end_us is not None:
        table.add_row(t("cli.task.ends_by"), instant(task.end_us))
    attempts = f"{task.attempts}" + (f"  ({t('cli.task.plans', count=task.generation)})" if task.generation > 1 else "")
    table.add_row(t("cli.task.attempts"), attempts)
    table.add_row(t("cli.task.money"), _money(task))
    for part in task.parts:
        last = part.first + part.count - 1
        words = t("cli.task.part", first=part.first, last=last, phase=t(f"phase.{part.phase.value}"))
        at = places.name(part.site) if part.site is not None else ""
        label = t("cli.task.parts") if part is task.parts[0] else ""
        table.add_row(label, Text.assemble(words, f"  {at}  ", (money(part.billed_micro_yuan), "dim")))
    for output in task.outputs:
        table.add_row(t("cli.task.output"), f"{plain(output.path)}  ({show_bytes(output.size_bytes)})")
    if task.tags:
        table.add_row(t("cli.task.tags"), ", ".join(f"{key}={value}" for key, value in task.tags.items()))
    style = PHASE_STYLE.get(task.phase, "cyan")
    title = Text.assemble((fit(task.name, 40), "bold"), f"  {task.task_id}")
    return Panel(table, title=title, title_align="left", border_style=style, padding=(1, 2))


def _money(task: TaskView) -> str:
    quote = t("cli.task.quoted", amount=money(task.quote_micro_yuan))
    return f"{t('cli.task.billed', amount=money(task.billed_micro_yuan))} · {quote}"


def many(tasks: Sequence[TaskView], places: Places, now_us: int, width: int) -> Table:
    """A list, newest first. On a narrow terminal the place is left out: an id that is cut cannot be copied."""
    wide = width >= WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", width=1)
    table.add_column(t("cli.list.task"), no_wrap=True)
    table.add_column(t("cli.list.name"), overflow="fold", max_width=NAME_WIDTH)
    table.add_column(t("cli.task.phase"), no_wrap=True)
    if wide:
        table.add_column(t("cli.task.where"), overflow="fold", max_width=PLACE_WIDTH)
    table.add_column(t("cli.list.age"), justify="right", no_wrap=True)
    table.add_column(t("cli.list.billed"), justify="right", no_wrap=True)
    for task in tasks:
        phase = phase_text(task.phase)
        if task.phase is Phase.RUNNING and task.progress_permille is not None:
            phase.append(f" {task.progress_permille // 10} %")
        table.add_row(
            mark(task.phase),
            task.task_id,
            fit(task.name, NAME_WIDTH),
            phase,
            *([fit(places.name(task.site), PLACE_WIDTH)] if wide else []),
            age(now_us - task.submitted_us),
            money(task.billed_micro_yuan) if task.billed_micro_yuan or task.attempts else "",
        )
    return table
