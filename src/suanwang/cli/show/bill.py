"""Bills: of one task, of a tenant."""

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import Places, emulated, fit, instant, money, phase_text, span
from suanwang.cli.show.plan import price_table
from suanwang.cli.words import t
from suanwang.model.event import Usage
from suanwang.model.units import GIB, US_PER_S, show_bytes
from suanwang.model.view import Bill, TaskBill


def of_task(bill: TaskBill, places: Places) -> list[RenderableType]:
    """Every billed line, then what was measured beside it."""
    if not bill.charges:
        return [Text(t("cli.bill.none"), "dim")]
    lines = price_table((one.line for one in bill.charges), bill.total_micro_yuan, places)
    lines.title = t("cli.bill.title")
    head = Text.assemble(
        t("cli.bill.held", span=span(bill.held_us)),
        " · ",
        t("cli.task.quoted", amount=money(bill.quote_micro_yuan)),
        "  ",
        emulated(bill.emulated),
    )
    return [lines, head, Text(measured(bill.usage), "dim")]


def measured(usage: Usage) -> str:
    """The site's own figures: shown, not billed."""
    return t(
        "cli.bill.measured",
        wall=span(usage.wall_us),
        cpu=f"{usage.core_us / US_PER_S:,.3g}",
        memory=f"{usage.memory_byte_us / GIB / US_PER_S:,.3g}",
        peak=show_bytes(usage.memory_peak_bytes),
        bytes_in=show_bytes(usage.bytes_in),
        bytes_out=show_bytes(usage.bytes_out),
    )


def of_tenant(bill: Bill, places: Places) -> list[RenderableType]:
    """By kind, then by task."""
    who = bill.tenant or t("cli.bill.everybody")
    since = instant(bill.from_us, seconds=False) if bill.from_us else t("cli.bill.beginning")
    head = Text.assemble(
        (who, "bold"),
        f" · {since} – {instant(bill.to_us, seconds=False)} · ",
        (money(bill.total_micro_yuan), "bold green"),
    )
    if bill.emulated_micro_yuan:
        head.append(f"  {t('cli.bill.of_it_emulated', amount=money(bill.emulated_micro_yuan))}", "yellow")
    if not bill.lines:
        return [head, Text(t("cli.bill.none"), "dim")]
    return [head, _kinds(bill), _tasks(bill, places)]


def _kinds(bill: Bill) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.price.kind"))
    table.add_column(t("cli.bill.lines"), justify="right")
    table.add_column(t("cli.price.amount"), justify="right")
    for one in sorted(bill.by_kind, key=lambda one: -one.amount_micro_yuan):
        table.add_row(t(f"charge.{one.kind.value}"), f"{one.lines:,}", money(one.amount_micro_yuan))
    return table


def _tasks(bill: Bill, places: Places) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.list.task"), no_wrap=True)
    table.add_column(t("cli.list.name"), overflow="fold", max_width=16)
    table.add_column(t("cli.task.phase"), no_wrap=True)
    table.add_column(t("cli.task.where"), overflow="fold", max_width=16)
    table.add_column(t("cli.price.amount"), justify="right", no_wrap=True)
    for one in bill.by_task:
        where = fit(places.name(one.site), 16)
        row = (one.task_id, fit(one.name, 16), phase_text(one.phase), where, money(one.amount_micro_yuan))
        table.add_row(*row)
    return table
