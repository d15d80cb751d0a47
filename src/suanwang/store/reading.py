"""The reading half of every group of queries."""

from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from suanwang.store.chain import LogRow
from suanwang.store.schema import log

LOG_SLICE: Final = 64  # rows of the log that are held in memory at once


def log_slice(connection: Connection, after: int) -> list[LogRow]:
    """The next rows of the log, unchecked; fewer than LOG_SLICE at its end."""
    query = select(log).where(log.c.position > after).order_by(log.c.position).limit(LOG_SLICE)
    return [LogRow(**row) for row in connection.execute(query).mappings()]


class Reads:
    """Questions to the projections, from any thread; `reading` is one read transaction."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees one state of the store while the block runs."""
        raise NotImplementedError

    def _all(self, query: Select[Any]) -> list[dict[str, Any]]:
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
