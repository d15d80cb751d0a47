"""A task whose array is shared out, as one: its own rows with those of its parts. Any other task is its only member."""

from collections.abc import Iterator
from heapq import merge
from typing import Any, Final

from suanwang.api.context import Context
from suanwang.model.event import EventKind, OutputFile
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.reason import WaitReason
from suanwang.model.record import ENDS, Phase
from suanwang.model.view import TaskPart, TaskView, Wait
from suanwang.store.listing import tasks_by_id
from suanwang.store.rows import AttemptRow, EventRow, PlanRow, TaskRow

_DIGITS_MAX: Final = 7  # of the number of an element
# The phase of the whole is the first of these that a part has, until all have ended.
_FIRST = (
    Phase.RUNNING,
    Phase.COLLECTING,
    Phase.DELIVERING,
    Phase.STAGING,
    Phase.DISPATCHED,
    Phase.STOPPING,
    Phase.PLANNED,
    Phase.WAITING,
)
# What begins and ends a part is not news of the whole.
_OF_PARTS = frozenset({"task_submitted", "task_admitted", "task_ended", "cancel_requested"})


def members(here: Context, task_id: str) -> tuple[str, ...]:
    """The task and the parts that run its array."""
    return (task_id, *here.brain.parts(TaskId(task_id)))


def attempts(here: Context, task_id: str) -> list[AttemptRow]:
    """The attempts of all members, oldest first."""
    found = [row for one in members(here, task_id) for row in here.brain.store.attempts(one)]
    return sorted(found, key=lambda row: row.opened_us)


def plans(here: Context, task_id: str) -> list[PlanRow]:
    """The plans of all members, oldest first."""
    found = [row for one in members(here, task_id) for row in here.brain.store.plans(one)]
    return sorted(found, key=lambda row: row.committed_us)


def events(here: Context, task_id: str) -> list[EventRow]:
    """The steps of the task, and those of its parts that are news of the whole, in the order of the log."""
    found = [_news(here.brain.store.events(one), one != task_id) for one in members(here, task_id)]
    return list(merge(*found, key=_place))


def events_after(here: Context, task_id: str, after: tuple[int, int], limit: int) -> list[EventRow]:
    """The next steps behind a place in the log. Empty only where there are none of any member."""
    store = here.brain.store
    found = [store.events_after(one, after, limit) for one in members(here, task_id)]
    # A member that has more than it gave hides what lies behind its last row.
    ends = [_place(rows[-1]) for rows in found if len(rows) == limit]
    until = min(ends, default=None)
    merged = merge(*(_news(rows, number > 0) for number, rows in enumerate(found)), key=_place)
    return [row for row in merged if until is None or _place(row) <= until]


def done_output(here: Context, task_id: str, path: str) -> OutputFile | None:
    """A file of an element that is done, of a task whose attempt has not succeeded (yet). Its path begins with the element's number."""
    number, _, rest = path.partition("/")
    if not rest or not number.isascii() or not number.isdecimal() or len(number) > _DIGITS_MAX:
        return None
    row = _member(here, task_id, int(number))
    if row is None or row.request.array == 1:
        return None
    told = here.brain.done_outputs(TaskId(row.task_id))
    if told is not None:
        return next((file for file in told if file.path == path), None)
    if row.phase not in ENDS:
        return next((OutputFile.model_validate(one) for one in _told(here, row.task_id) if one["path"] == path), None)
    found = here.told.of(row.task_id, lambda: {one["path"]: one for one in _told(here, row.task_id)}).get(path)
    return None if found is None else OutputFile.model_validate(found)


def _member(here: Context, task_id: str, element: int) -> TaskRow | None:
    """Who runs an element of an array: a part, or the task itself where it has none."""
    parts = here.brain.parts(TaskId(task_id))
    if not parts:
        return here.brain.store.task(task_id)
    for row in tasks_by_id(here.brain.store, parts).values():
        own = row.request.elements
        if own is not None and own.first <= element < own.first + own.count:
            return row
    return None


def _told(here: Context, task_id: str) -> Iterator[dict[str, Any]]:
    """The same of a task that has ended: what its events told, as long as it was the live attempt that told it."""
    for row in here.brain.store.events(task_id):
        if row.kind == "event_applied" and row.body["effective"] and row.body["event"]["kind"] == EventKind.CHECKPOINT:
            yield from row.body["event"].get("outputs", ())


def _news(rows: list[EventRow], of_part: bool) -> list[EventRow]:
    return [row for row in rows if not of_part or row.kind not in _OF_PARTS]


def _place(row: EventRow) -> tuple[int, int]:
    return row.position, row.ordinal


def as_one(here: Context, view: TaskView, whole: bool) -> TaskView:
    """The view of a task with the figures of its parts; as it is where it has none."""
    parts, number = here.brain.parts(view.task_id), here.brain.number_of(view.task_id)
    if not parts:
        return view.model_copy(update={"number": number})
    by_id = tasks_by_id(here.brain.store, parts)
    rows = [by_id[one] for one in parts if one in by_id]
    told = [row.progress_permille if row.phase not in ENDS else 1000 for row in rows]
    known = [one for one in told if one is not None]
    phases = {row.phase for row in rows}
    sites = {row.site for row in rows if row.site}
    quotes = [row.quote_micro_yuan for row in rows if row.quote_micro_yuan is not None]
    done = [
        out for row in rows for one in here.brain.store.attempts(row.task_id) if one.succeeded for out in one.outputs
    ]
    phase = view.phase if view.ended_us is not None else next((one for one in _FIRST if one in phases), view.phase)
    return view.model_copy(
        update={
            "number": number,
            "phase": phase,
            "site": SiteId(sites.pop()) if len(sites) == 1 else None,
            "emulated": any(row.emulated for row in rows),
            "quote_micro_yuan": sum(quotes) if quotes else None,
            "billed_micro_yuan": sum(row.billed_micro_yuan for row in rows),
            "attempts": sum(row.fence for row in rows),
            "progress_permille": sum(known) // len(rows) if known else None,
            "wait": _wait_of(view, rows) if phase is Phase.WAITING else None,
            "outputs": tuple(done) if whole else (),
            "parts": tuple(_part(row) for row in rows) if whole else (),
        }
    )


def _wait_of(view: TaskView, rows: list[TaskRow]) -> Wait | None:
    """What the first part that waits waits for: the whole itself waits for nothing."""
    for row in rows:
        if row.phase is Phase.WAITING and row.wait_reason:
            return Wait(reason=WaitReason(row.wait_reason), until_us=row.wait_until_us or 0)
    return view.wait


def _part(row: TaskRow) -> TaskPart:
    own = row.request.elements
    return TaskPart(
        task_id=TaskId(row.task_id),
        first=own.first if own is not None else 0,
        count=own.count if own is not None else row.request.array,
        phase=row.phase,
        site=SiteId(row.site) if row.site else None,
        progress_permille=row.progress_permille,
        quote_micro_yuan=row.quote_micro_yuan,
        billed_micro_yuan=row.billed_micro_yuan,
    )
