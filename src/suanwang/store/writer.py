"""The one writing connection: explicit transactions, plain tuples to the driver."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine

from suanwang.store.chain import GENESIS, LogRow
from suanwang.store.connect import errors, lock_database
from suanwang.store.fold import Attempt, Fold
from suanwang.store.reading import LOG_SLICE
from suanwang.store.schema import PROJECTED, attempts, grids, log, plans, progress
from suanwang.store.statements import Statements

_ATTEMPT = (attempts.c.task_id, attempts.c.plan_id, attempts.c.site, attempts.c.fence)  # as in fold.Attempt


class OvertakenError(Exception):
    """Another process has projected what this one was about to."""


class Writer:
    """Owns the writing connection and, on PostgreSQL, the writer's lock. One thread at a time is inside."""

    def __init__(self, engine: Engine, lock: RLock, *, alone: bool = True) -> None:
        """`alone`: the writer of the log, of whom there is one; else only a projector beside it."""
        self.statements = Statements(engine.dialect.name)
        self._lock = lock
        self._proxied = engine.raw_connection()
        raw: Any = self._proxied.driver_connection
        self._begin = "BEGIN"
        if engine.dialect.name == "postgresql":
            raw.autocommit = True  # transactions are begun by hand on both engines
            try:
                if alone:
                    lock_database(raw, str(engine.url.database))
            except BaseException:
                self._proxied.close()
                raise
        else:
            self._begin = "BEGIN IMMEDIATE"
        self._cursor: Any = raw.cursor()
        self._log = self.statements.insert(log).sql
        made = self.statements.compiled
        self._projected = made(sqlalchemy.select(progress.c.position)).sql
        there = progress.c.position == sqlalchemy.bindparam("before")
        moved = progress.update().values(position=sqlalchemy.bindparam("to"))
        self._mark = (made(moved).sql, made(progress.insert()).sql, made(moved.where(there)).sql)
        self._find = made(
            sqlalchemy.select(*_ATTEMPT).where(attempts.c.attempt_id == sqlalchemy.bindparam("attempt_id"))
        ).sql

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; the commit is durable when this returns."""
        with self._lock, errors():
            self._cursor.execute(self._begin)
            try:
                yield
                self._cursor.execute("COMMIT")
            except BaseException:
                with suppress(Exception):  # the first error is the one to tell; a lost connection has no transaction
                    self._cursor.execute("ROLLBACK")
                raise

    def many(self, statement: Any, rows: Iterable[Sequence[Any]]) -> None:
        """Run a Core statement once a row; the values stand in the order of the statement's parameters."""
        if rows := list(rows):
            self._cursor.executemany(self.statements.compiled(statement).sql, rows)

    def add_log(self, rows: Sequence[LogRow]) -> None:
        self._cursor.executemany(
            self._log, [(row.position, row.at_us, row.records, row.payload, row.checksum) for row in rows]
        )

    def apply(self, fold: Fold) -> None:
        """Bring the projections up to date with a batch."""
        for sql, rows, must_hit in self.statements.of(fold):
            self._cursor.executemany(sql, rows)
            hit = self._cursor.rowcount
            assert not must_hit or hit == len(rows), f"{len(rows) - hit} rows are not there: {sql[:60]} {rows[0][-1]}"

    def projected(self) -> int:
        """The position of the last row of the log that the projections reflect."""
        self._cursor.execute(self._projected)
        row = self._cursor.fetchone()
        return int(row[0]) if row else 0

    def set_projected(self, position: int) -> None:
        """Inside a transaction: the projections reflect the log up to here, whatever the mark said before."""
        self._cursor.execute(self._mark[0], (position,))
        if self._cursor.rowcount == 0:
            self._cursor.execute(self._mark[1], ("projections", position))

    def move_projected(self, before: int, position: int) -> None:
        """Inside a transaction: the projections that reflected the log up to `before` reflect it up to `position`. Raises
        OvertakenError where they stand elsewhere: another process has moved them, and the transaction must not count."""
        self._cursor.execute(self._mark[2], (position, before))
        if self._cursor.rowcount == 0:
            if before or self._has_mark():
                raise OvertakenError
            self._cursor.execute(self._mark[1], ("projections", position))

    def _has_mark(self) -> bool:
        self._cursor.execute(self._projected)
        return self._cursor.fetchone() is not None

    def grids(self) -> list[tuple[int, str]]:
        """(position, text) of every grid that was adopted, in order."""
        return [
            tuple(row)
            for row in self._ask(sqlalchemy.select(grids.c.position, grids.c.text).order_by(grids.c.position))
        ]

    def rows_after(self, position: int) -> list[LogRow]:
        """The next rows of the log, LOG_SLICE at the most."""
        query = sqlalchemy.select(log).order_by(log.c.position).limit(LOG_SLICE).where(log.c.position > position)
        return [
            LogRow(at, at_us, records, bytes(payload), bytes(checksum))
            for at, at_us, records, payload, checksum in self._ask(query)
        ]

    def clear(self) -> None:
        """Empty every projected table."""
        for table in PROJECTED:
            self._cursor.execute(self.statements.compiled(table.delete()).sql)
        self.set_projected(0)

    def head(self) -> tuple[int, bytes]:
        """Position and checksum of the last row of the log; 0 and GENESIS of an empty one."""
        rows = self._ask(sqlalchemy.select(log.c.position, log.c.checksum).order_by(log.c.position.desc()).limit(1))
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, GENESIS)

    def open_attempts(self) -> dict[str, Attempt]:
        """The attempts that are not closed yet."""
        rows = self._ask(sqlalchemy.select(attempts.c.attempt_id, *_ATTEMPT).where(attempts.c.closed_us.is_(None)))
        return {row[0]: Attempt(*row[1:]) for row in rows}

    def find_attempt(self, attempt_id: str) -> Attempt | None:
        with self._lock, errors():
            self._cursor.execute(self._find, (attempt_id,))
            row = self._cursor.fetchone()
        return Attempt(*row) if row else None

    def find_plan(self, task_id: str, lease_id: str) -> str | None:
        """The newest plan of a task that has this lease."""
        c = plans.c
        of_lease = sqlalchemy.select(c.plan_id).where(c.task_id == task_id, c.lease_id == lease_id)
        rows = self._ask(of_lease.order_by(c.generation.desc()).limit(1))
        return str(rows[0][0]) if rows else None

    def log_rows(self, after: int) -> Iterator[LogRow]:
        """The log from `after` (not included) on, in order."""
        while True:
            rows = self.rows_after(after)
            yield from rows
            if len(rows) < LOG_SLICE:
                return
            after = rows[-1].position

    def _ask(self, query: sqlalchemy.Select[Any]) -> list[Any]:
        """The rows of a query, on the writing connection: inside a transaction it sees what the transaction wrote."""
        with self._lock, errors():
            self._cursor.execute(*self.statements.bound(query))
            return list(self._cursor.fetchall())

    def close(self) -> None:
        """Give the connection, and with it the lock, back."""
        with suppress(Exception):  # a connection that is lost already is closed
            self._cursor.close()
        self._proxied.close()
