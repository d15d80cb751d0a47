"""What is scarce: one row a resource, the most valuable first, and what the prices rest on."""

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import Places, age, money
from suanwang.cli.words import t
from suanwang.model.grid import Grid
from suanwang.model.scarcity import RoundGap, ScarceResource, ScarceRow, Scarcity, ScarcityState
from suanwang.model.units import show_bps, show_bytes

COMPUTED = frozenset(ScarcityState) - {ScarcityState.OFF, ScarcityState.NOT_YET, ScarcityState.IDLE}


def whole(found: Scarcity, grid: Grid) -> list[RenderableType]:
    """The rows, or why there are none; then what was computed."""
    out: list[RenderableType] = [Text(t(f"scarcity_state.{found.state.value}"), "bold")]
    if found.rows:
        out.append(_rows(found, Places(grid)))
        out.append(Text(t("cli.scarce.price", hold=age(found.hold_us))))
    if found.state in COMPUTED:
        figures = {key: f"{getattr(found, key):,}" for key in ("waiting", "came", "classes", "placed")}
        words = t("cli.scarce.tasks", **figures)
        if found.unread:
            words += " " + t("cli.scarce.unread", unread=f"{found.unread:,}")
        out.append(Text(words, "dim"))
        out.append(
            Text(
                t(
                    "cli.scarce.proof",
                    candidates=f"{found.candidates:,}",
                    resources=f"{found.resources:,}",
                    bound=money(found.bound_micro_yuan),
                    age=age(found.age_us),
                ),
                "dim",
            )
        )
    if found.gap is not None:
        out.append(Text(_quality(found.gap), "dim"))
    return out


def _quality(gap: RoundGap) -> str:
    """One line: how far the last round that was looked at may have been from the best."""
    if not gap.looked_at:
        return t("cli.scarce.no_gap", age=age(gap.age_us))
    words = t(
        "cli.scarce.gap",
        age=age(gap.age_us),
        tasks=f"{gap.looked_at:,}",
        of=f"{gap.tasks:,}",
        gap=percent(gap.gap_ppm),
        cost=money(gap.cost_micro_yuan),
    )
    if gap.prices_made_us is not None:
        words += " " + t("cli.scarce.gap_prices", age=age(gap.prices_age_us))
    return words


def percent(ppm: int) -> str:
    """Hundredths of a percent, rounded up: what is shown is never less than what was proven."""
    hundredths = -(-ppm // 100)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def _rows(found: Scarcity, places: Places) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(t("cli.scarce.col.resource"))
    table.add_column(t("cli.scarce.col.where"))
    for head in (t("cli.scarce.col.free"), t("cli.scarce.col.price"), t("cli.scarce.col.whole")):
        table.add_column(head, justify="right")
    for row in found.rows:
        name = t(f"scarce_resource.{row.resource.value}") + (f" {row.model}" if row.model else "")
        free = f"{_amount(row, row.free)} / {_amount(row, row.whole)}"
        table.add_row(name, _where(row, places), free, money(row.micro_yuan), money(row.whole_micro_yuan))
    return table


def _where(row: ScarceRow, places: Places) -> str:
    if row.resource is ScarceResource.LINK:
        return f"{places.name(row.site)} → {places.name(row.to)}"
    return places.pool(row.id)


def _amount(row: ScarceRow, amount: int) -> str:
    if row.resource is ScarceResource.MEMORY:
        return show_bytes(amount)
    if row.resource in (ScarceResource.LINK, ScarceResource.SECURITY):
        return show_bps(amount)
    return f"{amount:,}"
