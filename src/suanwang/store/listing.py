"""Questions that only the edge asks: lists with their plans, bills by task and day, what a panorama shows.

The same rules as in `query.py`: frozen rows, one read transaction each, no decision. They stand apart because the
brain itself never asks them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, not_, or_, select

from suanwang.model.record import Phase
from suanwang.model.task import PART_OF
from suanwang.model.units import US_PER_DAY, US_PER_HOUR
from suanwang.store import schema as s
from suanwang.store.fold import clean
from suanwang.store.query import _tagged, _task, _text_match
from suanwang.store.reading import Reads
from suanwang.store.rows import Page, TaskRow

UTC8_US = 8 * US_PER_HOUR
BILL_TASKS_MAX = 500


@dataclass(frozen=True)
class TaskLine:
    """A task with what a list shows beside it: the newest plan's window, and when it last changed."""

    row: TaskRow
    run_start_us: int | None
    end_us: int | None
    updated_us: int


@dataclass(frozen=True)
class Standing:
    """Tasks in some phases; `reasons`: only those that ended for these, or, with `others`, for none of these;
    `cancelling`: only those that somebody asked to cancel, or nobody."""

    phases: frozenset[Phase]
    reasons: frozenset[str] | None = None
    others: bool = False
    cancelling: bool | None = None


@dataclass(frozen=True)
class TaskSum:
    row: TaskRow
    amount_micro_yuan: int
    lines: int
    emulated: bool


def _lines() -> Select[Any]:
    plans, log = s.plans.c, s.log.c
    joined = s.tasks.outerjoin(s.plans, plans.plan_id == s.tasks.c.plan_id).outerjoin(
        s.log, log.position == s.tasks.c.position
    )
    extra = (
        plans.run_start_us.label("plan_run_start_us"),
        plans.end_us.label("plan_end_us"),
        log.at_us.label("log_at_us"),
    )
    return select(s.tasks, *extra).select_from(joined)


def _line(row: dict[str, Any]) -> TaskLine:
    start, end, at_us = (row.pop(name) for name in ("plan_run_start_us", "plan_end_us", "log_at_us"))
    task = _task(row)
    return TaskLine(task, start, end, at_us if at_us is not None else task.ended_us or task.submitted_us)


def _rows(store: Reads, query: Select[Any]) -> list[dict[str, Any]]:
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def task_line(store: Reads, task_id: str) -> TaskLine | None:
    found = _rows(store, _lines().where(s.tasks.c.task_id == clean(task_id)))
    return _line(found[0]) if found else None


def task_lines(
    store: Reads,
    tenant: str | None = None,
    phases: Collection[Phase] | None = None,
    tag: str | None = None,
    text: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[TaskLine]:
    """A page of tasks, newest first; `phases` keeps those in any of them."""
    query = _lines().order_by(s.tasks.c.task_id.desc())
    if tenant is not None:
        query = query.where(s.tasks.c.tenant == tenant)
    if phases is not None:
        query = query.where(s.tasks.c.phase.in_([one.value for one in phases]))
    if tag is not None:
        query = query.where(s.tasks.c.task_id.in_(_tagged(tag)))
    else:
        query = query.where(s.tasks.c.task_id.not_in(_tagged(PART_OF)))
    if text is not None:
        query = query.where(_text_match(clean(text)))
    if cursor is not None:
        query = query.where(s.tasks.c.task_id < clean(cursor))
    rows = tuple(_line(row) for row in _rows(store, query.limit(limit + 1)))
    return Page(rows[:limit], rows[limit - 1].row.task_id if len(rows) > limit else None)


def tagged_lines(
    store: Reads,
    tenant: str | None,
    tags: Collection[str],
    standings: Collection[Standing] | None = None,
    name_prefix: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page[TaskLine]:
    """A page of the tasks with all of `tags` (`key` or `key=value`), newest first; `standings` keeps those in any of
    them, none for an empty one."""
    c = s.tasks.c
    query = _lines().order_by(c.task_id.desc())
    if tenant is not None:
        query = query.where(c.tenant == tenant)
    for tag in tags:
        query = query.where(c.task_id.in_(_tagged(clean(tag))))
    if standings is not None:
        query = query.where(or_(false(), *(_stands(one) for one in standings)))
    if name_prefix:
        query = query.where(func.substr(c.name, 1, len(name_prefix)) == clean(name_prefix))
    if cursor is not None:
        query = query.where(c.task_id < clean(cursor))
    rows = tuple(_line(row) for row in _rows(store, query.limit(limit + 1)))
    return Page(rows[:limit], rows[limit - 1].row.task_id if len(rows) > limit else None)


def _stands(one: Standing) -> ColumnElement[bool]:
    c = s.tasks.c
    out = [c.phase.in_([phase.value for phase in one.phases])]
    if one.reasons is not None:
        known = func.coalesce(c.reason, "").in_(sorted(one.reasons))
        out.append(not_(known) if one.others else known)
    if one.cancelling is not None:
        out.append(c.cancel_us.is_not(None) if one.cancelling else c.cancel_us.is_(None))
    return and_(*out)


def tasks_by_id(store: Reads, task_ids: Iterable[str]) -> dict[str, TaskRow]:
    """The tasks of these ids, those that exist."""
    found = _rows(store, select(s.tasks).where(s.tasks.c.task_id.in_(list(task_ids))))
    return {row["task_id"]: _task(row) for row in found}


def plan_texts(store: Reads, plan_ids: Iterable[str]) -> dict[str, str]:
    """The JSON of these plans."""
    c = s.plans.c
    query = select(c.plan_id, c.body, c.logged).where(c.plan_id.in_(list(plan_ids)))
    return store.texts_of_plans(_rows(store, query))


def with_plan(store: Reads, tenant: str | None, phases: Collection[Phase], limit: int) -> list[TaskRow]:
    """The newest tasks in these phases that have a plan."""
    query = select(s.tasks).where(s.tasks.c.plan_id.is_not(None), s.tasks.c.phase.in_([one.value for one in phases]))
    if tenant is not None:
        query = query.where(s.tasks.c.tenant == tenant)
    return [_task(row) for row in _rows(store, query.order_by(s.tasks.c.task_id.desc()).limit(limit))]


def tasks_by_site(store: Reads, phases: Collection[Phase]) -> dict[str, int]:
    """How many tasks in these phases each site has."""
    query = select(s.tasks.c.site, func.count().label("tasks")).where(
        s.tasks.c.site.is_not(None), s.tasks.c.phase.in_([one.value for one in phases])
    )
    return {row["site"]: int(row["tasks"]) for row in _rows(store, query.group_by(s.tasks.c.site))}


def _span(tenant: str | None, from_us: int, to_us: int) -> list[ColumnElement[bool]]:
    c = s.charges.c
    where = [c.at_us >= from_us, c.at_us < to_us]
    return where if tenant is None else [c.tenant == tenant, *where]


def bill_by_kind(store: Reads, tenant: str | None, from_us: int, to_us: int) -> list[tuple[str, bool, int, int]]:
    """(kind, emulated, lines, micro-yuan), by kind."""
    c = s.charges.c
    query = select(c.kind, c.emulated, func.count().label("lines"), func.sum(c.amount_micro_yuan).label("amount"))
    query = query.where(*_span(tenant, from_us, to_us)).group_by(c.kind, c.emulated).order_by(c.kind, c.emulated)
    return [(row["kind"], bool(row["emulated"]), int(row["lines"]), int(row["amount"])) for row in _rows(store, query)]


def bill_by_day(store: Reads, tenant: str | None, from_us: int, to_us: int) -> list[tuple[int, int]]:
    """(start of a day of UTC+8 in us, micro-yuan), in order."""
    day = ((s.charges.c.at_us + UTC8_US) // US_PER_DAY).label("day")
    query = select(day, func.sum(s.charges.c.amount_micro_yuan).label("amount"))
    query = query.where(*_span(tenant, from_us, to_us)).group_by(day).order_by(day)
    return [(int(row["day"]) * US_PER_DAY - UTC8_US, int(row["amount"])) for row in _rows(store, query)]


def bill_by_task(store: Reads, tenant: str | None, from_us: int, to_us: int) -> list[TaskSum]:
    """The tasks with the greatest sums, greatest first, `BILL_TASKS_MAX` at most."""
    c = s.charges.c
    amount = func.sum(c.amount_micro_yuan).label("amount")
    emulated = func.max(case((c.emulated, 1), else_=0)).label("any_emulated")
    query = select(c.task_id, amount, func.count().label("lines"), emulated)
    query = query.where(*_span(tenant, from_us, to_us)).group_by(c.task_id)
    sums = _rows(store, query.order_by(amount.desc(), c.task_id).limit(BILL_TASKS_MAX))
    tasks = tasks_by_id(store, [row["task_id"] for row in sums])
    return [
        TaskSum(tasks[row["task_id"]], int(row["amount"]), int(row["lines"]), bool(row["any_emulated"])) for row in sums
    ]
