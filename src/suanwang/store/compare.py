"""Two stores' rows of one table, side by side, whatever the engines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, select

_ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Differences:
    """How many rows differ, and of the first its key and how: `missing`, `extra` or `changed`; empty where none."""

    count: int = 0
    first: str = ""
    kind: str = ""


def differences(left: Connection, right: Connection, table: Table) -> Differences:
    """What `left` has otherwise than `right`, which is right. Both are read in the order of the primary key."""
    key_columns = [column.name for column in table.primary_key]
    count, first, kind = 0, "", ""
    ours, theirs = _rows(left, table, key_columns), _rows(right, table, key_columns)
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None or other is not None:
        if other is None or (mine is not None and mine[0] < other[0]):
            found, key = "extra", mine
            mine = next(ours, None)
        elif mine is None or other[0] < mine[0]:
            found, key = "missing", other
            other = next(theirs, None)
        else:
            found, key = ("", mine) if mine == other else ("changed", mine)
            mine, other = next(ours, None), next(theirs, None)
        if found:
            count += 1
            if not first and key is not None:
                first, kind = "/".join(map(str, key[0])), found
    return Differences(count, first, kind)


def _rows(connection: Connection, table: Table, key_columns: list[str]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    query = select(table).order_by(*table.primary_key)
    rows = connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(query)
    for row in rows.mappings():
        yield tuple(row[name] for name in key_columns), dict(row)
