"""A plan: the decision in one table, its price, why not elsewhere; where nothing fits, what would make it fit."""

from collections.abc import Iterable

from rich.box import HEAVY_HEAD, SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import Places, carbon, clock, emulated, fit, instant, latency, money, quantity, span
from suanwang.cli.words import t
from suanwang.model.plan import Alternative, ClauseCount, DataMove, Line, Plan, PlanReport, Relaxation, StandbyPlace
from suanwang.model.reason import PoolReason
from suanwang.model.record import Refusal
from suanwang.model.task import TaskRequest, latency_us_max, pool_kind
from suanwang.model.units import show_bps, show_bytes

BAR_WIDTH = 28
NAME_WIDTH = 34


def decision(request: TaskRequest, plan: Plan, places: Places, now_us: int) -> RenderableType:
    """The decision table."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    site = places.sites[plan.site]
    where = Text.assemble((places.pool(plan.pool), "bold"), "  ", emulated(plan.emulated))
    table.add_row(t("cli.plan.where"), where)
    place = f"{plan.pool} · {t(f'tier.{site.tier.value}')} · {site.region} · {t('cli.plan.level', level=site.security_level)}"
    table.add_row("", Text(place, "dim"))
    table.add_row(t("cli.plan.path"), _path(request, plan, places))
    for step in plan.protection:
        table.add_row(t("cli.plan.protection"), f"{t(f'protection.{step.function.value}')} @ {places.name(step.site)}")
    if plan.standby is not None:
        table.add_row(t("cli.plan.standby"), _standby(plan.standby, places))
    if plan.quoted is not None:
        table.add_row("", Text(t("cli.plan.quoted", path=places.path(plan.quoted.path.sites)), "yellow"))
    if plan.took_over:
        table.add_row("", Text(t("cli.plan.took_over"), "yellow"))
    for move in plan.data:
        table.add_row(t("cli.plan.data"), _move(move, places))
    table.add_row(t("cli.plan.start"), _start(plan, now_us))
    table.add_row(t("cli.plan.end"), t("cli.plan.by", at=instant(plan.end_us)))
    price = Text.assemble(
        (money(plan.quote_micro_yuan), "bold green"), f"   {t('cli.plan.carbon')} {carbon(plan.carbon_mg)}"
    )
    table.add_row(t("cli.plan.price"), price)
    title = t("cli.plan.title", name=request.name, preference=t(f"preference.{request.preference.value}"))
    return Panel(table, title=Text(title, "bold"), title_align="left", border_style="green", padding=(1, 2))


def _path(request: TaskRequest, plan: Plan, places: Places) -> Text:
    bound = latency_us_max(request)
    limit = f" ({t('cli.plan.bound', bound=latency(bound))})" if bound is not None else ""
    if not plan.path.links:
        return Text(t("cli.plan.on_site") + limit)
    held = f" · {show_bps(plan.bandwidth_bps)}" if plan.bandwidth_bps else ""
    figures = f"{latency(plan.path.latency_us)}{limit} · {_hops(len(plan.path.links))}{held}"
    return Text.assemble(places.path(plan.path.sites), "\n", (figures, "dim"))


def _standby(place: StandbyPlace, places: Places) -> Text:
    """The second place, with its own way."""
    where = Text.assemble((places.pool(place.pool), "bold"), "  ", emulated(place.emulated))
    if place.path.links:
        figures = f"{latency(place.path.latency_us)} · {_hops(len(place.path.links))}"
        where = Text.assemble(where, "\n", places.path(place.path.sites), "\n", (figures, "dim"))
    return where


def _hops(count: int) -> str:
    return t("cli.plan.hop" if count == 1 else "cli.plan.hops", count=count)


def _move(move: DataMove, places: Places) -> str:
    what = f"{move.data_set} ({show_bytes(move.size_bytes)})"
    if not move.path.links:
        return t("cli.plan.data_stays", what=what)
    took = span(move.end_us - move.start_us)
    return t("cli.plan.data_moves", what=what, site=places.name(move.replica), rate=show_bps(move.rate_bps), took=took)


def _start(plan: Plan, now_us: int) -> str:
    wait_us = plan.run_start_us - now_us
    when = t("cli.plan.at_once") if wait_us < 1_000_000 else t("cli.plan.in", span=span(wait_us))
    return f"{when} · {instant(plan.run_start_us)}"


def price_table(lines: Iterable[Line], total: int, places: Places) -> Table:
    """One row a metered line; the last is the sum."""
    table = Table(
        box=SIMPLE_HEAD, title=t("cli.price.title"), title_justify="left", title_style="bold", show_footer=True
    )
    table.add_column(t("cli.price.kind"), t("cli.price.total"), footer_style="bold", no_wrap=True)
    table.add_column(t("cli.price.item"), overflow="fold", max_width=NAME_WIDTH)  # the one that gives way
    table.add_column(t("cli.price.quantity"), justify="right", no_wrap=True)
    table.add_column(t("cli.price.unit"), justify="right", no_wrap=True)
    table.add_column(t("cli.price.amount"), money(total), justify="right", footer_style="bold green", no_wrap=True)
    for line in lines:
        factor = f" x{line.permille / 1000:g}" if line.permille != 1000 else ""
        unit = money(line.price_micro_yuan) + factor if line.price_micro_yuan else ""
        kind = t(f"charge.{line.kind.value}")
        table.add_row(kind, fit(_item(line, places), NAME_WIDTH), quantity(line), unit, money(line.amount_micro_yuan))
    return table


def _item(line: Line, places: Places) -> str:
    site = line.item.partition("/")[0]
    return places.pool(line.item) if site in places.sites else line.item


def alternatives(chosen: Plan | None, others: tuple[Alternative, ...], places: Places) -> Table:
    """The chosen one first, then the best of the others, each with its binding reason."""
    table = Table(box=SIMPLE_HEAD, title=t("cli.why.title"), title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True, width=1)
    table.add_column(t("cli.why.pool"), max_width=NAME_WIDTH, overflow="fold")
    table.add_column(t("cli.why.price"), justify="right", no_wrap=True)
    table.add_column(t("cli.why.finish"), justify="right", no_wrap=True)
    table.add_column(t("cli.why.latency"), justify="right", no_wrap=True)
    table.add_column(t("cli.why.carbon"), justify="right", no_wrap=True)
    table.add_column(t("cli.why.reason"), overflow="fold")
    if chosen is not None:
        figures = (money(chosen.quote_micro_yuan), clock(chosen.end_us), latency(chosen.path.latency_us))
        name = fit(places.pool(chosen.pool), NAME_WIDTH)
        table.add_row("✓", name, *figures, carbon(chosen.carbon_mg), t("cli.why.chosen"), style="bold green")
    for one in others:
        table.add_row(
            "",
            fit(places.pool(one.pool), NAME_WIDTH),
            money(one.price_micro_yuan),
            clock(one.finish_us) if one.finish_us is not None else "—",
            latency(one.latency_us),
            carbon(one.carbon_mg),
            Text(_reason(one), "dim"),
        )
    return table


def _reason(one: Alternative) -> str:
    """One that fits says so in a word: its figures beside the chosen one's say why it is not the one."""
    return t("cli.why.fits") if one.reason is PoolReason.WORSE else t(f"pool_reason.{one.reason.value}")


def funnel(clauses: tuple[ClauseCount, ...], pools: int) -> Table:
    """How many pools each clause leaves, as a narrowing bar."""
    table = Table(
        box=SIMPLE_HEAD, title=t("cli.funnel.title"), title_justify="left", title_style="bold", pad_edge=False
    )
    table.add_column(t("cli.funnel.clause"), no_wrap=True, max_width=46, overflow="ellipsis")
    table.add_column(t("cli.funnel.removed"), justify="right", no_wrap=True)
    table.add_column(t("cli.funnel.left"), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    left = pools
    table.add_row(Text(t("cli.funnel.all"), "dim"), "", f"{left:,}", _bar(left, pools))
    for one in clauses:
        if not one.pools or one.reason is PoolReason.WORSE:
            continue
        left -= one.pools
        table.add_row(t(f"pool_reason.{one.reason.value}"), f"-{one.pools:,}", f"{left:,}", _bar(left, pools))
    return table


def _bar(left: int, pools: int) -> Text:
    filled = 0 if not left else max(1, round(BAR_WIDTH * left / max(1, pools)))
    return Text("█" * filled, "green") + Text("░" * (BAR_WIDTH - filled), "dim")


def relaxations(found: tuple[Relaxation, ...], places: Places) -> Table:
    """What to change: one row a clause, the smallest change of it alone that would do."""
    table = Table(
        box=HEAVY_HEAD, title=t("cli.relax.title"), title_justify="left", title_style="bold", border_style="yellow"
    )
    table.add_column(t("cli.relax.field"), style="cyan", no_wrap=True)
    table.add_column(t("cli.relax.asked"), overflow="fold")
    table.add_column(t("cli.relax.needed"), style="bold green", overflow="fold")
    table.add_column(t("cli.relax.pool"), overflow="fold")
    for one in found:
        table.add_row(one.field, one.asked, one.needed, places.pool(one.pool))
    return table


def refusals(found: tuple[Refusal, ...]) -> RenderableType:
    """Why admission does not take it; one paragraph a reason."""
    lines = [
        Text.assemble(
            ("✗ ", "bold red"),
            (f"{one.field}  " if one.field else "", "cyan"),
            t(f"refusal.{one.reason.value}", got=one.got, limit=one.limit, field=one.field),
        )
        for one in found
    ]
    return Group(*lines)


def whole(
    request: TaskRequest, plan: Plan | None, report: PlanReport | None, places: Places, now_us: int
) -> list[RenderableType]:
    """Everything that `suanwang plan` shows."""
    out: list[RenderableType] = []
    pools = sum(len(site.pools) for site in places.sites.values())
    if plan is not None:
        out += [decision(request, plan, places, now_us), price_table(plan.quote, plan.quote_micro_yuan, places)]
        out.append(alternatives(plan, plan.alternatives, places))
    elif report is not None:
        kind = t(f"pool_kind.{pool_kind(request.resources).value}")
        words = t("cli.plan.waits" if report.waits else "cli.plan.nothing", kind=kind, pools=pools)
        out.append(Panel(Text(words, "bold"), border_style="yellow" if report.waits else "red", padding=(0, 2)))
        if report.relaxations:
            out.append(relaxations(report.relaxations, places))
        elif not report.waits:
            out.append(Text(t("cli.relax.none"), "yellow"))
        if report.alternatives:
            out.append(alternatives(None, report.alternatives, places))
    if report is not None:
        out.append(funnel(report.clauses, pools))
    return out
