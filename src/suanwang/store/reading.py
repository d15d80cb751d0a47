"""The reading half of every group of queries."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from suanwang.model.plan import Plan
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

    def logged_plans(self, where: Mapping[str, int]) -> dict[str, Plan]:
        """Plans that stand in batches of the log: by plan id, given the row of the log that holds each."""
        raise NotImplementedError

    def texts_of_plans(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """The JSON of plans, by their id, from rows of `plan_id`, `body` and `logged`."""
        made = self.logged_plans({row["plan_id"]: row["logged"] for row in rows if not row["body"]})
        return {row["plan_id"]: row["body"] or made[row["plan_id"]].model_dump_json() for row in rows}

    def _all(self, query: Select[Any]) -> list[dict[str, Any]]:
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
