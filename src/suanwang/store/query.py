"""Questions about tasks: the list, one task, its plans, attempts and steps."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_

from suanwang.model.plan import Plan
from suanwang.model.record import Phase
from suanwang.store import schema as s
from suanwang.store.reading import Reads
from suanwang.store.rows import AttemptRow, EventRow, Page, PlanRow, TaskRow

PAGE_MAX = 1_000  # rows of one page: about a megabyte of tasks


class TaskQueries(Reads):
    """The part of the store that a task's page, list and explanation are made of."""

    def task(self, task_id: str) -> TaskRow | None:
        found = self._all(select(s.tasks).where(s.tasks.c.task_id == task_id))
        return _task(found[0]) if found else None

    def tasks(
        self,
        tenant: str | None = None,
        phase: Phase | None = None,
        tag: str | None = None,
        text: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[TaskRow]:
        """Newest first. `tag` is `key` or `key=value`; `text` is looked for in the name, and is a task id's start.
        A task that is submitted meanwhile comes before the first page and moves nothing."""
        query = select(s.tasks).order_by(s.tasks.c.task_id.desc())
        if tenant is not None:
            query = query.where(s.tasks.c.tenant == tenant)
        if phase is not None:
            query = query.where(s.tasks.c.phase == phase.value)
        if tag is not None:
            query = query.where(s.tasks.c.task_id.in_(_tagged(tag)))
        if text is not None:
            query = query.where(_text_match(text))
        if cursor is not None:
            query = query.where(s.tasks.c.task_id < cursor)
        limit = max(1, min(limit, PAGE_MAX))
        rows = tuple(_task(row) for row in self._all(query.limit(limit + 1)))
        return Page(rows[:limit], rows[limit - 1].task_id if len(rows) > limit else None)

    def counts(self, tenant: str | None = None) -> dict[Phase, int]:
        """How many tasks are in each phase; every phase is named."""
        query = select(s.tasks.c.phase, func.count()).group_by(s.tasks.c.phase)
        if tenant is not None:
            query = query.where(s.tasks.c.tenant == tenant)
        with self.reading() as connection:
            found = {phase: int(count) for phase, count in connection.execute(query)}
        return {phase: found.get(phase.value, 0) for phase in Phase}

    def plans(self, task_id: str) -> list[PlanRow]:
        """The plans of a task, oldest first."""
        c = s.plans.c
        columns = (
            c.lease_end_us,
            c.plan_id,
            c.task_id,
            c.generation,
            c.site,
            c.pool,
            c.committed_us,
            c.released_us,
            c.drop_reason,
        )
        query = select(*columns, c.body, c.logged).where(c.task_id == task_id)
        rows = self._all(query.order_by(c.generation))
        texts = self.texts_of_plans(rows)
        return [
            PlanRow(plan_json=texts[row["plan_id"]], **{column.name: row[column.name] for column in columns})
            for row in rows
        ]

    def latest_plan(self, task_id: str) -> Plan | None:
        """The newest plan of a task, dropped or not."""
        found = self.plans(task_id)
        return found[-1].plan if found else None

    def attempts(self, task_id: str) -> list[AttemptRow]:
        """The attempts of a task, by fence."""
        query = select(s.attempts).where(s.attempts.c.task_id == task_id).order_by(s.attempts.c.fence)
        return [_attempt(row) for row in self._all(query)]

    def attempt(self, attempt_id: str) -> AttemptRow | None:
        found = self._all(select(s.attempts).where(s.attempts.c.attempt_id == attempt_id))
        return _attempt(found[0]) if found else None

    def events(self, task_id: str) -> list[EventRow]:
        """Every step of a task, in order."""
        return self.events_after(task_id, (0, 0))

    def events_after(self, task_id: str, after: tuple[int, int], limit: int | None = None) -> list[EventRow]:
        """The steps of a task after the step at (position, ordinal)."""
        c = s.task_events.c
        later = tuple_(c.position, c.ordinal) > tuple_(*after)
        query = select(c.position, c.ordinal, c.task_id, c.at_us, c.kind, c.body.label("body_json"))
        query = query.where(c.task_id == task_id, later).order_by(c.position, c.ordinal).limit(limit)
        return [EventRow(**row) for row in self._all(query)]

    def idempotent(self, tenant: str, key: str) -> TaskRow | None:
        """The task that a tenant submitted with an idempotency key."""
        c = s.tasks.c
        found = self._all(select(s.tasks).where(c.tenant == tenant, c.idempotency_key == key))
        return _task(found[0]) if found else None


def _task(row: Mapping[str, Any]) -> TaskRow:
    plain = {name: value for name, value in row.items() if name not in ("phase", "tags", "request")}
    return TaskRow(**plain, phase=Phase(row["phase"]), tags=json.loads(row["tags"]), request_json=row["request"])


def _attempt(row: Mapping[str, Any]) -> AttemptRow:
    plain = {name: value for name, value in row.items() if name not in ("usage", "outputs", "position", "ordinal")}
    return AttemptRow(**plain, usage_json=row["usage"], outputs_json=row["outputs"])


def _tagged(tag: str) -> Select[Any]:
    key, given, value = tag.partition("=")
    query = select(s.task_tags.c.task_id).where(s.task_tags.c.tag == key)
    return query.where(s.task_tags.c.value == value) if given else query


def _text_match(text: str) -> ColumnElement[bool]:
    name = func.lower(s.tasks.c.name).contains(text.lower(), autoescape=True)
    # A range, not LIKE: it can use the primary key.
    return or_(name, and_(s.tasks.c.task_id >= text, s.tasks.c.task_id < text + "\U0010ffff")) if text else name
