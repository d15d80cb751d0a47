"""The reading half of every group of queries."""

from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Select


class Reads:
    """Questions to the projections, from any thread; `reading` is one read transaction."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees one state of the store while the block runs."""
        raise NotImplementedError

    def _all(self, query: Select[Any]) -> list[dict[str, Any]]:
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
