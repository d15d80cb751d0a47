"""What every loader is told, and what it makes up where a trace is silent."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Grid
from suanwang.model.ids import SiteId
from suanwang.model.trace import Arrival, Note, Trace
from suanwang.model.units import SPAN_US_MAX, US_PER_S

# Midnight of 2026-01-01 in China Standard Time: the day of a trace that has no date, so that hours of the price books
# begin where a day begins.
NO_DATE_US: Final = 1_767_196_800 * US_PER_S
FAULTS_MAX: Final = 1_000  # more than a person reads; the rest are counted


@dataclass(frozen=True)
class Rules:
    """`origin`: where every user is; None: drawn from the seed for each task, evenly over the sites of the grid.

    `node_cores`: a task of more processors than this is spread over as many nodes as it takes. `lenient`: bad lines
    are left out and counted; else they are faults.
    """

    grid: Grid
    seed: int = 0
    origin: SiteId | None = None
    start_us: int = NO_DATE_US
    node_cores: int = 32
    lenient: bool = False


@dataclass
class Reader:
    """Gathers faults, counts and arrivals of one trace."""

    rules: Rules
    source: str
    faults: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._draw = random.Random(f"{self.rules.seed}/origins")
        self._sites = [site.id for site in self.rules.grid.sites]
        self.models = frozenset(
            pool.accelerator_model for site in self.rules.grid.sites for pool in site.pools if pool.accelerator_model
        )

    def bad(self, code: str, line: int, where: str, got: str = "", **params: str | int) -> None:
        self.faults.append(Fault(code, where, got[:80], line, dict(params)))

    def origin(self) -> SiteId:
        """Where the next task's user is. Drawn for every line that is kept, so that it depends on nothing else."""
        return self.rules.origin if self.rules.origin is not None else self._draw.choice(self._sites)

    def done(self) -> Trace:
        """The trace. Raises FaultsError with every bad line, or where no task is left."""
        if self.faults and not self.rules.lenient:
            shown = self.faults[:FAULTS_MAX]
            if len(self.faults) > FAULTS_MAX:
                shown.append(Fault("more_faults", "", "", None, {"count": len(self.faults) - FAULTS_MAX}))
            raise FaultsError(shown, self.source)
        if self.faults:
            lines = ", ".join(str(one.line) for one in self.faults[:20]) + (" …" if len(self.faults) > 20 else "")
            self.notes.append(Note("bad_lines", {"count": len(self.faults), "lines": lines}))
        if not self.arrivals:
            raise FaultsError([Fault("trace_empty", "", "", None, {})], self.source)
        self.notes += [Note(code, {"count": count}) for code, count in sorted(self.counts.items()) if count]
        if self.rules.origin is None:
            self.notes.append(Note("origins_drawn", {"sites": len(self._sites)}))
        return Trace(tuple(sorted(self.arrivals, key=lambda one: (one.at_us, one.key))), tuple(self.notes))


def span_us(seconds: float) -> int:
    """Seconds of a trace as a span that a task may ask for: a second at least, a year at most."""
    return min(max(round(seconds * US_PER_S), US_PER_S), SPAN_US_MAX)


def spread(processors: int, node_cores: int) -> tuple[int, int]:
    """(nodes, cores on each) for so many processors; the last node may have some to spare."""
    nodes = -(-processors // node_cores)
    return nodes, -(-processors // nodes)


def first_line(lines: Iterable[str]) -> str:
    """The first line that says something, without a byte order mark."""
    return next((line.strip().removeprefix("\ufeff") for line in lines if line.strip()), "")
