"""A workflow, for people."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import Places, instant, money, plain
from suanwang.cli.words import t
from suanwang.model.workflow import StepState, StepView, WorkflowPlan, WorkflowView

_SIGNS = {
    StepState.WAITING: ("○", "dim"),
    StepState.RUNNING: ("●", "cyan"),
    StepState.SUCCEEDED: ("✓", "green"),
    StepState.FAILED: ("✗", "red"),
    StepState.CANCELLED: ("✗", "yellow"),
    StepState.SKIPPED: ("–", "dim"),
}


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in columns:
        table.add_column(t(f"cli.workflow.col.{name}"), no_wrap=name in ("step", "id"), overflow="fold")
    return table


def _state(one: StepView) -> Text:
    sign, style = _SIGNS[one.state]
    words = t(f"cli.workflow.state.{one.state.value}")
    handled = f", {t('cli.workflow.handled')}" if one.handled else ""
    return Text(f"{sign} {words}{handled}", style)


def _after(one: StepView) -> str:
    return ", ".join(name if when == "succeeded" else f"{name} ({when})" for name, when in one.after.items())


def _counts(view: WorkflowView) -> str:
    return ", ".join(f"{count} {t(f'cli.workflow.state.{state.value}')}" for state, count in view.counts.items())


def table(view: WorkflowView) -> Table:
    """Each of its tasks, and what came of it."""
    state = t(f"cli.workflow.whole.{view.state.value}")
    title = f"{plain(view.name)}  {view.workflow_id or ''}  {state}"
    out = _table("step", "state", "after", "site", "task", title=title)
    for one in view.steps:
        out.add_row(one.name, _state(one), _after(one), one.site or "", one.task_id or "")
    return out


def changes(view: WorkflowView, seen: dict[str, str]) -> Iterator[Text]:
    """A line for each task that stands otherwise than `seen`, which is kept up to date."""
    for one in view.steps:
        if seen.get(one.name) != one.state.value:
            seen[one.name] = one.state.value
            yield Text.assemble(_state(one), "  ", (one.name, "bold"), "  ", (one.site or "", "dim"))


def many(views: Sequence[WorkflowView]) -> Table:
    """One row each."""
    out = _table("id", "name", "whole", "counts", "submitted")
    for one in views:
        state = t(f"cli.workflow.whole.{one.state.value}")
        out.add_row(one.workflow_id or "", plain(one.name), state, _counts(one), instant(one.submitted_us))
    return out


def plans(found: WorkflowPlan, places: Places) -> Table:
    """Where each would run, when, and at what price; what is moved to it from where."""
    title = t("cli.workflow.plan", name=plain(found.name), price=money(found.quote_micro_yuan))
    out = _table("step", "pool", "start", "end", "price", "moves", title=title)
    for one in found.steps:
        plan = one.plan
        if plan is None:
            out.add_row(one.name, Text(t("cli.workflow.nowhere"), "red"), "", "", "", "")
            continue
        moves = ", ".join(f"{move.replica} → {plan.site}" for move in plan.data if move.path.links)
        moves += f" {t('cli.workflow.unknown_data')}" if one.unknown_data else ""
        pool, price = places.pool(plan.pool), money(plan.quote_micro_yuan)
        out.add_row(one.name, pool, instant(plan.run_start_us), instant(plan.end_us), price, moves.strip())
    return out
