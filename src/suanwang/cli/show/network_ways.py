"""Ways through the network: what would be admitted, what was reserved, what a cut would do."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import done, instant, latency, money
from suanwang.cli.show.network import mlu_words, percent, table
from suanwang.cli.words import t
from suanwang.model.network import CrossedWay, CutFound, LinkCut, PathsFound, Refusal, ReservationView
from suanwang.model.reservation import ReservedWay, Wanted
from suanwang.model.units import show_bps, show_span

LINKS_SHOWN = 20


def paths(found: PathsFound) -> Iterator[RenderableType]:
    """The ways, or why there is none."""
    wanted = found.wanted
    if found.refusal is not None:
        yield Text.assemble(("✗", "bold red"), " ", refusal_words(found.refusal, wanted))
        return
    for number, one in enumerate(found.ways, 1):
        yield _way(f"{number}", one.way, wanted.bandwidth_bps)
        room = t("cli.net.room", room=show_bps(one.room_bps), link=one.bottleneck, left=show_bps(one.residual_bps))
        yield Text(f"   {room}")
    window = {"start": instant(found.start_us), "end": instant(found.end_us)}
    yield Text(t("cli.net.not_held", rate=show_bps(wanted.bandwidth_bps), **window), "dim")


def reserved(made: ReservationView) -> Iterator[RenderableType]:
    """What is held now, and until when."""
    yield _held("cli.net.reserved", made)
    yield from _ways(made)


def resized(made: ReservationView) -> Iterator[RenderableType]:
    """What is held from now on."""
    yield _held("cli.net.resized", made)
    yield from _ways(made)


def _held(key: str, made: ReservationView) -> Text:
    wanted = made.wanted
    return done(
        t(
            key,
            reservation=made.reservation_id,
            rate=show_bps(wanted.bandwidth_bps),
            source=wanted.source,
            target=wanted.target,
            start=instant(made.start_us),
            end=instant(made.end_us),
        )
    )


def _ways(made: ReservationView) -> Iterator[Text]:
    bps = made.wanted.bandwidth_bps
    if made.way is not None:
        yield _way("", made.way, bps)
    if made.standby is not None:
        yield Text(f"   {t('cli.net.standby_way')}", "bold")
        yield _way("", made.standby, bps)
    elif made.standby_wanted:
        yield Text(f"   {t('cli.net.standby_lost')}", "yellow")


def _way(number: str, way: ReservedWay, bps: int) -> Text:
    """Latency and price, the segments, the links."""
    price = money(way.price_micro_yuan_per_gbps_hour)
    head = t("cli.net.way", latency=latency(way.latency_us), price=price)
    body = f"\n   {t('cli.net.segments')} {segments_words(way)}\n   {t('cli.net.links')} {_links_words(way, bps)}"
    return Text.assemble((f"{number:<3}", "bold"), (head, "bold"), body)


def segments_words(way: ReservedWay) -> str:
    """`bj, wuhan (delay), gz-hk:ab`, then the security pools that are passed."""
    parts = [f"{one.name} ({t('cli.net.delay_plane')})" if one.plane == "delay" else one.name for one in way.segments]
    pools = [f"[{step.security_pool}]" for step in way.protection]
    return " ".join([", ".join(parts), *pools])


def _links_words(way: ReservedWay, bps: int) -> str:
    """The links; of one that carries only a part, how much."""
    return ", ".join(
        one.link if one.bps >= bps else f"{one.link} ({percent(one.bps * 1_000_000 // bps)})" for one in way.links
    )


def refusal_words(found: Refusal, wanted: Wanted) -> str:
    """Why there is no way."""
    return t(
        f"error.no_way_{found.reason.value}",
        source=wanted.source,
        target=wanted.target,
        bandwidth=show_bps(wanted.bandwidth_bps),
        latency=show_span(wanted.latency_us_max or 0),
        least=show_span(found.least_us or 0),
        widest=show_bps(found.widest_bps or 0),
    )


# -- what a cut would do ---------------------------------------------------------------------------------------------


def cut(found: CutFound) -> Iterator[RenderableType]:
    """The ways over the cut, then the links whose load changes most."""
    yield Text(t("cli.net.cut.of", links=", ".join(found.cut) or "—"), "bold")
    if found.ways:
        yield from map(_crossed, found.ways)
        yield Text(t("cli.net.cut.sum", moved=found.moved, broken=found.broken), "bold red" if found.broken else "")
    else:
        yield Text(t("cli.net.cut.none"))
    if found.untried:
        yield Text(t("cli.net.cut.untried", count=f"{found.untried:,}"), "yellow")
    yield Text(f"{t('cli.net.cut.before')} {mlu_words(found.mlu_before)}")
    yield Text(f"{t('cli.net.cut.after')} {mlu_words(found.mlu_after)}")
    changed = [one for one in found.links if one.before_bps != one.after_bps]
    if changed:
        yield _changed(changed)


def _crossed(one: CrossedWay) -> Text:
    """Whose way it is, what it carries, its latency before and after beside the promise; where it goes, or why nowhere."""
    way = one.before
    head = f"{way.owner} ({t(f'net_holder.{way.kind.value}')}{f' {way.item}' if way.item else ''})"
    ends = f"{way.source} → {way.target}, {show_bps(way.bps)}, {latency(way.latency_us)}"
    after = f" → {latency(one.latency_us)}" if one.links is not None else ""
    promise = "" if way.promised_us is None else f" ({t('cli.net.cut.promised', latency=latency(way.promised_us))})"
    if one.links is None:
        then = Text(t(f"no_way.{one.refusal.reason.value if one.refusal else 'cut_off'}"), "bold red")
        mark = ("✗", "bold red")
    else:
        then, mark = Text(", ".join(one.segments or one.links), "green"), ("→", "green")
    return Text.assemble(mark, " ", (head, "bold"), f"\n   {ends}{after}{promise}\n   ", then)


def _changed(links: list[LinkCut]) -> Table:
    made = table("link capacity before after state", "capacity before after")
    links.sort(key=lambda one: -abs(one.after_bps - one.before_bps))
    for one in links[:LINKS_SHOWN]:
        state = Text(t("cli.net.up"), "green") if one.up else Text(t("cli.net.down"), "bold red")
        made.add_row(one.link, show_bps(one.capacity_bps), _use(one, one.before_bps), _use(one, one.after_bps), state)
    if len(links) > LINKS_SHOWN:
        made.add_row(t("cli.net.more", count=len(links) - LINKS_SHOWN), "", "", "", "")
    return made


def _use(one: LinkCut, bps: int) -> str:
    if not bps:
        return "—"
    return f"{show_bps(bps)} {percent(bps * 1_000_000 // one.capacity_bps if one.capacity_bps else 0)}"
