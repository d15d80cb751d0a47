"""Small forms that all tables share: names of places, spans, instants, money, marks."""

import datetime as dt
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from suanwang.cli.words import name_of, t
from suanwang.model.grid import Grid, Site
from suanwang.model.plan import ChargeKind, Line
from suanwang.model.record import ENDS, Phase
from suanwang.model.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S, show_span, show_yuan

ZONE = dt.timezone(dt.timedelta(hours=8))
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
PHASE_STYLE = {
    Phase.SUCCEEDED: "bold green",
    Phase.FAILED: "bold red",
    Phase.CANCELLED: "yellow",
    Phase.REFUSED: "bold red",
    Phase.EXPIRED: "bold red",
    Phase.RUNNING: "bold cyan",
    Phase.WAITING: "yellow",
}
PATH_SITES_SHOWN = 6


class Places:
    """Sites by id, with their names in the reader's language."""

    def __init__(self, grid: Grid) -> None:
        self.sites: dict[str, Site] = {site.id: site for site in grid.sites}
        self.grid = grid

    def name(self, site_id: str | None) -> str:
        site = self.sites.get(site_id or "")
        return name_of(site.names) if site else site_id or "—"

    def pool(self, pool_id: str) -> str:
        """`Qingyang hub · general`."""
        site, _, pool = pool_id.partition("/")
        return f"{self.name(site)} · {pool}" if pool else self.name(site)

    def path(self, sites: Sequence[str]) -> str:
        """The walk by names; the middle of a long one is counted."""
        names = [self.name(one) for one in sites]
        if len(names) > PATH_SITES_SHOWN:
            left = len(names) - PATH_SITES_SHOWN + 1
            names = [*names[: PATH_SITES_SHOWN // 2], f"(+{left})", *names[-(PATH_SITES_SHOWN // 2 - 1) :]]
        return " → ".join(names)


def plain(words: str) -> str:
    """A site's or a task's words without control characters, which a terminal would obey."""
    return "".join(one if one.isprintable() else "\ufffd" for one in words)


def done(words: str) -> Text:
    """✓ and what was done."""
    return Text.assemble(("✓", "green"), " ", words)


def phase_text(phase: Phase) -> Text:
    return Text(t(f"phase.{phase.value}"), PHASE_STYLE.get(phase, ""))


def mark(phase: Phase) -> Text:
    """✓, ✗ or ● for a phase."""
    sign = "✓" if phase is Phase.SUCCEEDED else "✗" if phase in ENDS else "●"
    return Text(sign, PHASE_STYLE.get(phase, "cyan"))


def emulated(flag: bool) -> Text:
    """Said wherever work on a stand-in host is shown."""
    return Text(f" {t('cli.emulated')} ", "black on yellow") if flag else Text()


def instant(at_us: int, *, seconds: bool = True) -> str:
    """`2026-11-22 20:30:05`, in China Standard Time."""
    moment = (EPOCH + dt.timedelta(microseconds=at_us)).astimezone(ZONE)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def clock(at_us: int) -> str:
    return (EPOCH + dt.timedelta(microseconds=at_us)).astimezone(ZONE).strftime("%H:%M:%S")


def span(value_us: int) -> str:
    return show_span(value_us)


def age(value_us: int) -> str:
    """A span as short as it can be: `49 s`, `3 h`."""
    for unit, size in (("d", US_PER_DAY), ("h", US_PER_HOUR), ("min", US_PER_MINUTE)):
        if value_us >= size:
            return f"{value_us // size} {unit}"
    return f"{max(0, value_us) // US_PER_S} s"


def latency(value_us: int | None) -> str:
    return "—" if value_us is None else f"{value_us / 1000:.2f} ms"


def money(value: int | None) -> str:
    return "—" if value is None else show_yuan(value)


def carbon(value_mg: int | None) -> str:
    if value_mg is None:
        return "—"
    for unit, size in (("t", 10**9), ("kg", 10**6), ("g", 10**3)):
        if value_mg >= size:
            return f"{value_mg / size:.3g} {unit}"
    return f"{value_mg} mg"


# The unit that is priced; the one for little of it, and how many of these make one of those.
_UNITS: dict[ChargeKind, tuple[str, str, int]] = {
    ChargeKind.CORE: ("core·h", "core·s", 3_600),
    ChargeKind.MEMORY: ("GiB·h", "GiB·s", 3_600),
    ChargeKind.ACCELERATOR: ("card·h", "card·s", 3_600),
    ChargeKind.NODE: ("node·h", "node·s", 3_600),
    ChargeKind.QPU: ("QPU·h", "QPU·s", 3_600),
    ChargeKind.QPU_SHOT: ("shots", "shots", 1),
    ChargeKind.ENERGY: ("kWh", "Wh", 1_000),
    ChargeKind.BANDWIDTH: ("Gbps·h", "Gbps·s", 3_600),
    ChargeKind.PROTECTION: ("Gbps·h", "Gbps·s", 3_600),
    ChargeKind.TRANSFER: ("GiB", "KiB", 1_048_576),
}
LITTLE = 0.01  # below this share of the priced unit the small one reads better


def quantity(line: Line) -> str:
    """What was metered, in the unit that is priced, or in a smaller one where there is little."""
    if line.kind not in _UNITS:
        return ""
    unit, small, parts = _UNITS[line.kind]
    amount = line.quantity / line.per
    if 0 < amount < LITTLE:
        return f"{amount * parts:,.3g} {small}"
    return f"{amount:,.4g} {unit}"


def fit(words: str, width: int) -> str:
    """Cut to a width of the terminal, where Chinese characters take two columns."""
    if cell_len(words) <= width:
        return words
    out = ""
    for one in words:
        if cell_len(out + one) > width - 1:
            break
        out += one
    return out + "…"
