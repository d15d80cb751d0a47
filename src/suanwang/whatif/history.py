"""A day of a store's log as arrivals: what was submitted that day, and how long it ran then."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from suanwang.model.error import Fault, FaultsError
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import AttemptId, SiteId, TaskId, TenantId
from suanwang.model.reason import NOT_THE_TASKS_FAULT, FailureReason
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    CancelRequested,
    GridAdopted,
    LinkChanged,
    Record,
    SecurityPoolChanged,
    SiteChanged,
    TaskEnded,
    TaskRefused,
    TaskSubmitted,
    TenantSet,
)
from suanwang.model.trace import Arrival, Note, Run, Trace
from suanwang.model.units import US_PER_S

OUTAGES = ("operator_failed", "heartbeat_lost")


@dataclass(frozen=True)
class Past:
    """A day as it was: the grid and the tenants of its end, what came, and the sites that nobody worked for by then."""

    grid: Grid
    tenants: tuple[Tenant, ...]
    trace: Trace
    absent: frozenset[SiteId] = frozenset()


@dataclass(slots=True)
class _Task:
    submitted: TaskSubmitted
    runs: list[Run] = field(default_factory=list)
    open: bool = False  # an attempt is under way
    ended: bool = False


@dataclass
class _Reading:
    from_us: int
    to_us: int
    grid_text: str = ""
    tenants: dict[TenantId, Tenant] = field(default_factory=dict)
    tasks: dict[TaskId, _Task] = field(default_factory=dict)
    open: dict[AttemptId, TaskId] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    answered: set[SiteId] = field(default_factory=set)

    def take(self, record: Record) -> None:
        early = record.at_us < self.to_us  # what came that day is followed to its end, whenever that was
        match record:
            case GridAdopted() if early:
                self.grid_text = record.text
            case TenantSet() if early:
                self.tenants[record.tenant.id] = record.tenant
            case TaskSubmitted() if early:
                self.tasks[record.task_id] = _Task(record)
            case AttemptOpened() if record.task_id in self.tasks:
                self.tasks[record.task_id].open = True
            case AttemptClosed() if record.task_id in self.tasks:
                self._closed(self.tasks[record.task_id], record)
            case TaskEnded() | TaskRefused() if record.task_id in self.tasks:
                self.tasks[record.task_id].ended = True
                if record.at_us < self.from_us:
                    del self.tasks[record.task_id]  # over before the day began
            case CancelRequested() if early and record.task_id in self.tasks:
                self.counts["history_cancelled"] += record.at_us >= self.from_us
            case SiteChanged(live=True) if early:
                self.answered.add(record.site)
            case SiteChanged(live=False) if early and record.cause in OUTAGES:
                self.counts["history_outages"] += record.at_us >= self.from_us
            case LinkChanged(up=False) | SecurityPoolChanged(up=False) if early:
                self.counts["history_outages"] += record.at_us >= self.from_us

    def _closed(self, task: _Task, record: AttemptClosed) -> None:
        """One more run of the task; what the grid did to it is no doing of its own, and of the day before nothing counts."""
        task.open = False
        start_us = max(record.held_start_us, self.from_us)
        if record.reason in NOT_THE_TASKS_FAULT or record.held_end_us <= start_us:
            return
        wall_us = task.submitted.request.resources.wall_time
        task.runs.append(Run(min(record.held_end_us - start_us, wall_us), _outcome(record)))


def _outcome(record: AttemptClosed) -> str:
    if record.succeeded or record.reason is FailureReason.CANCELLED:
        return "ok"
    if record.reason is FailureReason.SIGNAL:
        return f"signal:{record.signal or 9}"
    words = {FailureReason.OUT_OF_MEMORY: "oom", FailureReason.WALL_TIME: "hang"}
    return words.get(record.reason or FailureReason.EXIT_CODE, f"exit:{record.exit_code or 1}")


def read_history(batches: Iterable[Sequence[Record]], from_us: int, to_us: int, source: str) -> Past:
    """The day [from, to) of a log. Raises FaultsError where the log has no grid by then, or no task came."""
    reading = _Reading(from_us, to_us)
    for batch in batches:
        for record in batch:
            reading.take(record)
    if not reading.grid_text:
        raise FaultsError([Fault("history_no_grid", "", "", None, {})], source)
    arrivals = tuple(
        sorted((_arrival(one, reading) for one in reading.tasks.values()), key=lambda one: (one.at_us, one.key))
    )
    if not arrivals:
        raise FaultsError([Fault("trace_empty", "", "", None, {})], source)
    grid = Grid.model_validate_json(reading.grid_text)
    absent = frozenset(SiteId(site.id) for site in grid.sites if site.pools) - reading.answered
    reading.counts["history_absent"] = len(absent)
    notes = [Note(code, {"count": count}) for code, count in sorted(reading.counts.items()) if count]
    return Past(grid, tuple(reading.tenants.values()), Trace(arrivals, tuple(notes)), absent)


def _arrival(task: _Task, reading: _Reading) -> Arrival:
    made, request = task.submitted, task.submitted.request
    at_us = max(made.at_us, reading.from_us)
    reading.counts["history_carried"] += made.at_us < reading.from_us
    runs = tuple(task.runs)
    if not runs or task.open:
        reading.counts["history_unknown_run"] += 1
        runs = (*runs, Run(max(US_PER_S, request.resources.wall_time)))
    return Arrival(made.task_id, at_us, made.tenant, request, runs)
