"""The SQL of the writer, compiled once for an engine. Rows go to the driver as plain tuples.

The statements are SQLAlchemy Core, so both engines get their own dialect; what the driver receives is the compiled
text and one sequence of values a row, which is several times faster than execution through the ORM or Core.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Table, and_, bindparam, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.base import Executable

from suanwang.store.fold import Fold, Key, Row
from suanwang.store.schema import PROJECTED, metadata, outbox

# Parents first is of no matter, as there are no foreign keys: the log alone keeps the tables in step.
_ORDER = tuple(table.name for table in PROJECTED)


class Statement(NamedTuple):
    """SQL text and the names of its parameters in order. A `key.` name is a part of the primary key."""

    sql: str
    names: tuple[str, ...]


class Statements:
    """Compiled statements of one engine, made when first needed."""

    def __init__(self, engine: str) -> None:
        self._dialect: Dialect = (
            psycopg.PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
            if engine == "postgresql"
            else sqlite.dialect(paramstyle="qmark")
        )
        self._insert_of = postgresql.insert if engine == "postgresql" else sqlite.insert
        self._outbox_of_task = self.compiled(outbox.delete().where(outbox.c.task_id == bindparam("task")))
        self._made: dict[tuple[str, str, frozenset[str]], Statement] = {}

    def compiled(self, statement: Executable) -> Statement:
        """The text and parameter order of any Core statement."""
        made = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        return Statement(str(made), tuple(made.positiontup or ()))

    def bound(self, statement: Executable) -> tuple[str, tuple[Any, ...]]:
        """The text of a statement that holds its values, and these in order."""
        made = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        return str(made), tuple(made.params[name] for name in made.positiontup or ())

    def insert(self, table: Table) -> Statement:
        return self._get("insert", table, frozenset())

    def insert_new(self, table: Table) -> Executable:
        """An insert that leaves a row which is there as it is."""
        return self._insert_of(table).on_conflict_do_nothing()

    def of(self, fold: Fold) -> Iterator[tuple[str, list[tuple[Any, ...]], bool]]:
        """(SQL, rows, whether each row must hit one stored row) for everything in `fold`."""
        for name in _ORDER:
            table = metadata.tables[name]
            if rows := fold.lists.get(name):
                yield self.insert(table).sql, rows, False
            if added := fold.added.get(name):
                yield *self._rows(self.insert(table), added.items()), False
            if put := fold.put.get(name):
                yield *self._rows(self._get("upsert", table, frozenset()), put.items()), False
            if changed := fold.changed.get(name):
                yield from self._updates(table, changed)
            if gone := fold.gone.get(name):
                yield *self._rows(self._get("delete", table, frozenset()), ((key, {}) for key in gone)), False
        if fold.ended:
            yield self._outbox_of_task.sql, [(task_id,) for task_id in fold.ended], False

    def _updates(self, table: Table, changed: dict[Key, Row]) -> Iterator[tuple[str, list[tuple[Any, ...]], bool]]:
        groups: dict[frozenset[str], list[tuple[Key, Row]]] = {}
        for item in changed.items():
            groups.setdefault(frozenset(item[1]), []).append(item)
        for names, items in groups.items():
            yield *self._rows(self._get("update", table, names), items), True

    @staticmethod
    def _rows(statement: Statement, items: Iterable[tuple[Key, Row]]) -> tuple[str, list[tuple[Any, ...]]]:
        names = statement.names
        keys = sum(name.startswith("key.") for name in names)
        plain = names[: len(names) - keys]
        if not keys:
            return statement.sql, [tuple([row[name] for name in plain]) for _, row in items]
        rows = []
        for key, row in items:
            values = [row[name] for name in plain]
            values += key if isinstance(key, tuple) else (key,)
            rows.append(tuple(values))
        return statement.sql, rows

    def _get(self, verb: str, table: Table, names: frozenset[str]) -> Statement:
        found = self._made.get((verb, table.name, names))
        if found is None:
            found = self._made[verb, table.name, names] = self.compiled(self._build(verb, table, names))
        return found

    def _build(self, verb: str, table: Table, names: frozenset[str]) -> Executable:
        if verb == "insert":
            return table.insert()
        if verb == "upsert":
            statement = self._insert_of(table)
            rest = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
            return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=rest)
        where = and_(*(column == bindparam(f"key.{column.name}") for column in table.primary_key))
        if verb == "delete":
            return table.delete().where(where)
        # Sorted, so that the text of a statement does not depend on the hash seed.
        return table.update().where(where).values(dict(_assignment(table, name) for name in sorted(names)))


def _assignment(table: Table, name: str) -> tuple[str, Any]:
    """A column and what an update makes of it; the prefixes are those of `fold.py`."""
    column = table.c[name.lstrip("+?")]
    value = bindparam(name, type_=column.type)
    if name.startswith("+"):
        return column.name, column + value
    return column.name, func.coalesce(column, value) if name.startswith("?") else value
