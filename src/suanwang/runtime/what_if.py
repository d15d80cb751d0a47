"""A what-if from end to end: read the day, play both sides (at once, where there is a second core), compare."""

import datetime as dt
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from suanwang.model.batch import expanded
from suanwang.model.change import Changes, SiteChanges
from suanwang.model.error import Fault, FaultsError, SuanwangError
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import SiteId
from suanwang.model.record import Record
from suanwang.model.trace import Trace
from suanwang.model.units import US_PER_DAY, US_PER_S
from suanwang.model.what_if import WhatIf
from suanwang.model.what_if_ask import DayAsk, WhatIfAsk
from suanwang.runtime import clock
from suanwang.store import Store
from suanwang.traces import Rules, Shape, draw_day, read_trace, shaped
from suanwang.whatif import Case, answer, check_change, play
from suanwang.whatif.grid_after import grid_after
from suanwang.whatif.history import read_history
from suanwang.whatif.play import Played, with_tenants

TRACE_BYTES_MAX: Final = 1 << 30
CST: Final = dt.timezone(dt.timedelta(hours=8))
# A second process takes some seconds to load the planner: not worth it for less.
TASKS_FOR_TWO: Final = 600

Batches = Iterable[Sequence[Record]]
Fits = Callable[[Grid, tuple[Tenant, ...]], None]
Progress = Callable[[int, int], None]  # tasks that have ended, of all tasks of both sides


@dataclass(frozen=True)
class Prepared:
    """A day that was read and a change that fits it."""

    case: Case
    ask: WhatIfAsk
    trace: Trace
    source: str

    @property
    def tasks(self) -> int:
        """Of both sides."""
        return len(self.case.arrivals) + len(self.case.after(self.ask.changes).arrivals)


def prepare(
    ask: WhatIfAsk,
    seed: int,
    grid: Grid | None,
    tenants: tuple[Tenant, ...],
    log: Callable[[], Batches],
    fits: Fits = lambda *_: None,
) -> Prepared:
    """Read the day. `grid` None: the one that the log had that day. Raises FaultsError with everything that is wrong.

    `fits` may say first, in its own words, what of the change does not fit the grid and the tenants of the day.
    """
    day, source = ask.day, source_of(ask.day)
    if day.history is not None:
        from_us = day_start_us(day.history)
        past = read_history(log(), from_us, from_us + US_PER_DAY, source)
        grid, trace, tenants = _answered(grid or past.grid, past.absent), past.trace, past.tenants
    else:
        assert grid is not None, "a trace is played on a grid"
        trace = _traced(ask, seed, grid, source)
    shape = Shape(ask.after, ask.within, ask.sample, ask.speed, ask.squeeze)
    trace = shaped(trace, shape, seed)
    if not trace.arrivals:
        raise FaultsError([Fault("trace_empty", "", "", None, {})], source)
    everyone = with_tenants(grid, trace.arrivals, tenants)
    fits(grid, everyone)
    check_change(ask.changes, grid, everyone, "changes")
    return Prepared(Case(grid, everyone, trace.arrivals, seed), ask, trace, source)


def _answered(grid: Grid, absent: frozenset[SiteId]) -> Grid:
    """The grid without the compute of sites that no agent had worked for: nothing could have run there."""
    gone = tuple(site.id for site in grid.sites if site.id in absent)
    return grid_after(grid, Changes(sites=SiteChanges(remove=gone)))


def _traced(ask: WhatIfAsk, seed: int, grid: Grid, source: str) -> Trace:
    if ask.origin is not None and ask.origin not in {site.id for site in grid.sites}:
        raise FaultsError([Fault("unknown_site", "origin", ask.origin)], source)
    origin = SiteId(ask.origin) if ask.origin is not None else None
    rules = Rules(grid, seed, origin, node_cores=ask.node_cores, lenient=ask.skip_bad_lines)
    if ask.day.drawn is not None:
        return draw_day(ask.day.drawn, rules)
    assert ask.day.trace is not None, "one of the three"
    return read_trace(ask.day.trace.splitlines(), source, rules, ask.day.format)


def source_of(day: DayAsk) -> str:
    """What the day is called."""
    if day.history is not None:
        return day.history
    return f"drawn {day.drawn}" if day.drawn is not None else day.name or "trace"


def day_start_us(day: str) -> int:
    """Midnight of a day in UTC+8. Raises FaultsError where there is no such day."""
    try:
        moment = dt.datetime.fromisoformat(day).replace(tzinfo=CST)
    except ValueError:
        raise FaultsError([Fault("day_form", "day", day)], "day") from None
    return int(moment.timestamp()) * US_PER_S


def read_text(path: Path) -> str:
    """The text of a trace. Raises FaultsError where it cannot be read."""
    try:
        if path.stat().st_size > TRACE_BYTES_MAX:
            raise FaultsError([Fault("too_large", "", str(path), None, {"limit": "1 GiB"})], str(path))
        return path.read_text("utf-8", errors="replace")
    except OSError as error:
        why = error.strerror or "not a file name"
        raise FaultsError([Fault("file_unreadable", "", str(path)[:200], None, {"why": why})], str(path)) from None


def log_of(database_url: str) -> Callable[[], Batches]:
    """The log of a store, which a brain may be using; it is opened when asked."""

    def batches() -> Batches:
        with Store(database_url, read_only=True) as store:
            for _, records in store.read():
                yield list(expanded(records))

    return batches


# -- playing -------------------------------------------------------------------------------------------------------


def run(prepared: Prepared, say: Progress, processes: int | None = None) -> WhatIf:
    """Play both sides. `processes` 1: one after the other in this one; None: as there are cores."""
    case, changes = prepared.case, prepared.ask.changes
    after_case = case.after(changes)
    tasks = len(case.arrivals) + len(after_case.arrivals)
    cores = len(os.sched_getaffinity(0)) if processes is None else processes
    say(0, tasks)
    began_s = clock.monotonic_s()
    if cores > 1 and tasks >= TASKS_FOR_TWO:
        before, after = _side_by_side(case, after_case, lambda ended: say(ended, tasks))
    else:
        before = play(case, clock.monotonic_s, lambda ended: say(ended, tasks))
        done = len(case.arrivals)
        after = play(after_case, clock.monotonic_s, lambda ended: say(done + ended, tasks))
    say(tasks, tasks)
    wall_s = clock.monotonic_s() - began_s
    return answer(case, changes, before, after, prepared.trace, prepared.source, wall_s)


def _side_by_side(one: Case, two: Case, say: Callable[[int], None]) -> tuple[Played, Played]:
    """The first in a process of its own, the second here."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_play_there, args=(theirs, one), daemon=True)
    child.start()
    theirs.close()
    there = _There(ours)
    try:

        def both(ended: int) -> None:
            there.hear()
            say(ended + there.ended)

        second = play(two, clock.monotonic_s, both)
        while there.played is None:
            there.hear(wait=True)
            say(len(two.arrivals) + there.ended)
        return there.played, second
    finally:
        child.terminate()
        child.join()
        ours.close()


class _There:
    """What is heard of the other process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.ended = 0
        self.played: Played | None = None

    def hear(self, wait: bool = False) -> None:
        """Take what came. Raises SuanwangError where the process ended without an answer."""
        while wait or self._pipe.poll():
            try:
                found: Any = self._pipe.recv()
            except EOFError:
                if self.played is None:
                    raise SuanwangError("what_if_failed") from None
                return
            if isinstance(found, Played):
                self.played = found
                return
            self.ended, wait = found, False


def _play_there(pipe: Connection, case: Case) -> None:
    """The body of the other process."""
    pipe.send(play(case, clock.monotonic_s, pipe.send))
    pipe.close()
