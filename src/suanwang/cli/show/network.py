"""The network as tables: routers, links with what is held, reservations; faults; what an optimiser found."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from suanwang.cli.show.forms import instant, latency, plain, span
from suanwang.cli.words import name_of, t
from suanwang.model.network import (
    LinkNow,
    Mlu,
    NetFault,
    NetFaultFound,
    NetOptimised,
    NetVerified,
    NetworkNow,
    ReservationView,
    WayState,
)
from suanwang.model.units import show_bps

IDS = ("reservation",)  # to be copied whole
BUSY_PPM = 800_000  # from here on a link is marked


def whole(found: NetworkNow, top: int | None, routers: bool) -> Iterator[RenderableType]:
    """Routers, links (the busiest only where so many are asked for), the busiest link, reservations."""
    if routers:
        yield _routers(found)
    yield _links(found, top)
    figures = {"routers": len(found.routers), "links": len(found.links), "down": sum(not one.up for one in found.links)}
    yield Text(t("cli.net.is", **figures, maintenance=sum(one.in_maintenance for one in found.links)))
    if found.security_down:
        yield Text(t("cli.net.pools_out", pools=", ".join(found.security_down)), "bold red")
    yield Text(mlu_words(found.mlu), "bold")
    if found.reservations:
        yield _reservations(found.reservations)


def table(keys: str, numeric: str = "") -> Table:
    """A table with these columns; the numeric ones stand to the right."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for key in keys.split():
        right = key in numeric.split()
        made.add_column(
            t(f"cli.net.col.{key}"), justify="right" if right else "left", overflow="fold", no_wrap=right or key in IDS
        )
    return made


def percent(ppm: int) -> str:
    return f"{ppm / 10_000:.2f} %"


def mlu_words(mlu: Mlu) -> str:
    if mlu.link is None:
        return t("cli.net.idle")
    return t("cli.net.mlu", use=percent(mlu.use_ppm), link=mlu.link)


def _routers(found: NetworkNow) -> Table:
    made = table("site name region links agent", "links")
    for one in found.routers:
        agent = Text(t("cli.net.live"), "green") if one.live else Text(t("cli.net.silent"), "yellow")
        made.add_row(one.id, name_of(one.names), one.region, str(one.links), agent)
    return made


def _links(found: NetworkNow, top: int | None) -> Table:
    made = table("link ends capacity latency weight ab ba state", "capacity latency weight ab ba")
    rows = list(found.links)
    if top is not None:
        rows = sorted(rows, key=lambda one: -max(one.ab.use_ppm, one.ba.use_ppm))[:top]
    for one in rows:
        made.add_row(
            one.id,
            f"{one.a} – {one.b}",
            show_bps(one.capacity_bps),
            latency(one.latency_us),
            str(one.igp_weight),
            _use(one.ab),
            _use(one.ba),
            _state(one),
        )
    return made


def _use(way: WayState) -> Text:
    if not way.held_bps:
        return Text("—", "dim")
    return Text(f"{show_bps(way.held_bps)} {way.use_ppm / 10_000:.1f} %", "yellow" if way.use_ppm >= BUSY_PPM else "")


def _state(one: LinkNow) -> Text:
    """Up, down or in maintenance, then the groups that it shares a risk with."""
    state = _is(one)
    return state.append(" " + ", ".join(one.shared_risk_groups), "dim") if one.shared_risk_groups else state


def _is(one: LinkNow) -> Text:
    if not one.up:
        return Text(t("cli.net.down"), "bold red")
    if one.in_maintenance:
        return Text(t("cli.net.in_maintenance"), "bold yellow")
    if one.maintenance:
        return Text(t("cli.net.maintenance_at", at=instant(one.maintenance[0].start, seconds=False)), "yellow")
    return Text(t("cli.net.up"), "green")


def _reservations(rows: tuple[ReservationView, ...]) -> Table:
    made = table("reservation ends rate latency until state", "rate latency")
    for one in rows:
        style = {"broken": "bold red", "active": "green"}.get(one.state, "")
        made.add_row(
            one.reservation_id,
            f"{one.wanted.source} → {one.wanted.target}",
            show_bps(one.wanted.bandwidth_bps),
            latency(one.way.latency_us if one.way else None),
            instant(one.end_us, seconds=False),
            Text(t(f"reservation_state.{one.state}"), style)
            .append_text(_standby(one))
            .append(f" {plain(one.note)}", "dim"),
        )
    return made


def _standby(one: ReservationView) -> Text:
    """Nothing, that there is one, or that it is lost."""
    if one.standby is not None:
        return Text(f", {t('cli.net.standby_held')}")
    return Text(f", {t('cli.net.standby_lost')}", "yellow") if one.standby_wanted else Text("")


# -- faults ----------------------------------------------------------------------------------------------------------


def verified(found: NetVerified) -> Iterator[RenderableType]:
    """What was looked at, then every fault."""
    figures = {key: f"{getattr(found, key):,}" for key in ("leases", "holds", "resources", "slots", "ways")}
    yield Text(t("cli.net.verified", **figures))
    yield Text(mlu_words(found.mlu))
    if not found.faults:
        yield Text.assemble(("✓", "green"), " ", t("cli.net.sound"))
        return
    made = table("fault what when detail")
    for one in found.faults:
        at = instant(one.at_us) if one.at_us is not None else ""
        made.add_row(Text(t(f"net_fault.{one.fault.value}"), "bold red"), one.what, at, _detail(one))
    yield made
    yield Text(t("cli.net.faults", count=len(found.faults)), "bold red")


def _detail(one: NetFaultFound) -> str:
    if one.used is None or one.limit is None:
        return one.detail
    form = latency if one.fault is NetFault.LATENCY else str if one.what.startswith("pool ") else show_bps
    return " ".join(part for part in (f"{form(one.used)} / {form(one.limit)}", one.detail) if part)


# -- what an optimiser found -----------------------------------------------------------------------------------------


def optimised(found: NetOptimised) -> Iterator[RenderableType]:
    """MLUs beside the bound, then the changes."""
    figures = {"nodes": f"{found.nodes:,}", "links": f"{found.links:,}", "demands": f"{found.demands:,}"}
    yield Text(t("cli.net.te.of", name=found.name, **figures), "bold")
    if not found.demands:
        yield Text(t("cli.net.te.nothing"))
        return
    made = table("what mlu", "mlu")
    for key, ppm in (("igp", found.igp_ppm), ("before", found.before_ppm), ("after", found.after_ppm)):
        made.add_row(t(f"cli.net.te.{key}"), percent(ppm))
    kind = t("cli.net.te.bound_lp") if found.bound_kind == "lp" else t("cli.net.te.bound_dual")
    made.add_row(kind, percent(found.bound_ppm))
    yield made
    if found.gap_ppm is not None:
        yield Text(t("cli.net.te.gap", gap=percent(found.gap_ppm)))
    share = percent(1_000_000 * found.policies // found.demands)
    yield Text(
        t("cli.net.te.policies", policies=f"{found.policies:,}", share=share, before=f"{found.policies_before:,}")
    )
    yield Text(t("cli.net.te.took", took=f"{found.seconds:.3f} s", bound=f"{found.bound_seconds:.3f} s"), "dim")
    yield Text(t("cli.net.te.changed", count=f"{len(found.changes):,}", of=f"{found.demands:,}"))
    if found.changes:
        yield _changes(found)
    if found.failures:
        yield Text(t("cli.net.te.failures", count=f"{len(found.failures):,}", of=f"{found.failures_of:,}"), "bold")
        yield _failures(found)
    for key, names in (("late", found.late), ("unrouted", found.unrouted)):
        if names:
            yield Text(t(f"cli.net.te.{key}", names=", ".join(names[:20]), count=len(names)), "yellow")
    for fault in found.faults:
        yield Text(t("cli.net.te.fault", fault=fault), "bold red")
    yield Text(t("cli.net.te.never"), "dim")


def _failures(found: NetOptimised) -> Table:
    made = table("fails left mended changed cut_off", "left mended changed cut_off")
    for one in found.failures:
        gone = Text(f"{one.cut_off:,}", "red" if one.cut_off else "")
        made.add_row(one.name, percent(one.left_ppm), percent(one.mended_ppm), f"{one.changed:,}", gone)
    return made


CHANGES_SHOWN = 40


def _changes(found: NetOptimised) -> Table:
    made = table("demand rate before after latency promise", "rate latency promise")
    for one in found.changes[:CHANGES_SHOWN]:
        made.add_row(
            one.demand,
            show_bps(one.bps),
            "\n".join(one.before) or t("cli.net.te.plain"),
            "\n".join(one.after) or t("cli.net.te.plain"),
            f"{latency(one.latency_us_before)} → {latency(one.latency_us)}",
            span(one.promised_us) if one.promised_us is not None else "—",
        )
    if len(found.changes) > CHANGES_SHOWN:
        made.add_row(t("cli.net.more", count=len(found.changes) - CHANGES_SHOWN), "", "", "", "", "")
    return made
