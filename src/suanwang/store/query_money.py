"""Questions about money: charges one by one, and their sums."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, select, tuple_

from suanwang.store import schema as s
from suanwang.store.query import PAGE_MAX
from suanwang.store.reading import Reads
from suanwang.store.rows import Bill, BillLine, ChargeRow, Page


class MoneyQueries(Reads):
    """The part of the store that bills are made of."""

    def charges(
        self,
        tenant: str | None = None,
        task_id: str | None = None,
        from_us: int | None = None,
        to_us: int | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[ChargeRow]:
        """Charges as they were posted, oldest first, with `from_us <= at_us < to_us`."""
        c = s.charges.c
        query = select(s.charges).order_by(c.position, c.ordinal)
        query = query.where(*_charge_filter(tenant, task_id, from_us, to_us))
        if cursor is not None:
            query = query.where(tuple_(c.position, c.ordinal) > tuple_(*_place(cursor)))
        limit = max(1, min(limit, PAGE_MAX))
        rows = tuple(_charge(row) for row in self._all(query.limit(limit + 1)))
        last = f"{rows[limit - 1].position}.{rows[limit - 1].ordinal}" if len(rows) > limit else None
        return Page(rows[:limit], last)

    def bill(self, tenant: str, from_us: int, to_us: int) -> Bill:
        """The sums of a tenant's charges with `from_us <= at_us < to_us`, by kind and by creditor."""
        c = s.charges.c
        amount, here = func.sum(c.amount_micro_yuan), _charge_filter(tenant, None, from_us, to_us)
        by_kind = select(c.kind, c.emulated, func.count(), amount).where(*here).group_by(c.kind, c.emulated)
        by_creditor = select(c.creditor, amount).where(*here).group_by(c.creditor).order_by(c.creditor)
        with self.reading() as connection:
            found = connection.execute(by_kind.order_by(c.kind, c.emulated)).all()
            # PostgreSQL sums 64-bit integers as decimals; int() is exact on both.
            lines = tuple(BillLine(kind, bool(emulated), count, int(total)) for kind, emulated, count, total in found)
            credits = tuple((creditor, int(total)) for creditor, total in connection.execute(by_creditor))
        total = sum(line.amount_micro_yuan for line in lines)
        assert total == sum(amount for _, amount in credits), "debits and credits differ"
        return Bill(tenant, from_us, to_us, lines, credits, sum(line.charges for line in lines), total)


def _charge(row: Mapping[str, Any]) -> ChargeRow:
    return ChargeRow(**dict(row) | {"quantity": int(row["quantity"]), "per": int(row["per"])})


def _place(cursor: str) -> tuple[int, int]:
    position, _, ordinal = cursor.partition(".")
    if not (position.isdecimal() and ordinal.isdecimal() and len(cursor) < 30):
        return (0, -1)  # not one of ours: from the start
    return int(position), int(ordinal)


def _charge_filter(
    tenant: str | None, task_id: str | None, from_us: int | None, to_us: int | None
) -> list[ColumnElement[bool]]:
    c = s.charges.c
    filters: list[ColumnElement[bool]] = []
    filters += [c.tenant == tenant] if tenant is not None else []
    filters += [c.task_id == task_id] if task_id is not None else []
    filters += [c.at_us >= from_us] if from_us is not None else []
    filters += [c.at_us < to_us] if to_us is not None else []
    return filters
