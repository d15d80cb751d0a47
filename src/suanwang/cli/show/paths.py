"""What became of the path of a running task, in two lines: what was seen, and what was done."""

from rich.text import Text

from suanwang.cli.show.forms import Places, clock, latency, plain
from suanwang.cli.words import t
from suanwang.model.path_report import PathFault, PathObservation
from suanwang.model.view import PathStep

_STYLES = {"repaired": ("✓ ", "green"), "restored": ("✓ ", "green"), "broken": ("✗ ", "red")}


def path_lines(step: PathStep, places: Places) -> list[Text]:
    """The lines of one step."""
    at = (f"{clock(step.at_us)}  ", "dim")
    lines = []
    if step.cause is not None:
        lines.append(Text.assemble(at, ("● ", "yellow"), seen(step.cause)))
    done = t(f"path.done.{step.kind}", path=places.path(step.sites), latency=latency(step.latency_us))
    return [*lines, Text.assemble(at, _STYLES[step.kind], done)]


def seen(cause: PathObservation) -> str:
    """What was seen of a path, in words."""
    links = plain(", ".join(cause.avoid))
    words = t(
        f"path.seen.{cause.kind.value}",
        links=links,
        measured=latency(cause.measured_us),
        promised=latency(cause.promised_us),
        lost=f"{cause.lost_permille / 10:.1f}",
    )
    suspected = links and cause.kind is not PathFault.CUT
    return f"{words}  {t('path.suspected', links=links)}" if suspected else words
