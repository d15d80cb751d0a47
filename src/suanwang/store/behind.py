"""Projections that may stand behind the log, and the grids that a log has adopted.

A batch of many tasks is durable when its row of the log is; its projection follows. `Projector` brings the projections
forward, many rows of the log in one transaction, and moves the mark that says how far they are in the same one. It
needs no more than a writer, so that a process beside the brain may do it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from blake3 import blake3

from suanwang.model.batch import BATCHES, AnyRecord, PlansMade
from suanwang.model.error import StoreError
from suanwang.model.grid import Grid
from suanwang.model.record import GridAdopted
from suanwang.model.snapshot import GridIndex, index_grid
from suanwang.store.chain import LogRow, open_row, texts_of
from suanwang.store.earlier import Remembered
from suanwang.store.fold import Fold
from suanwang.store.project import fold_records
from suanwang.store.side import drop_secrets
from suanwang.store.writer import OvertakenError, Writer

# Rows of the log are folded together until they hold so many records: then what they did to a row is one statement.
FOLD_RECORDS = 2_048


def weight(records: Iterable[AnyRecord]) -> int:
    """How many records these are, rows of batches counted one by one."""
    return sum(_rows(one) if isinstance(one, BATCHES) else 1 for one in records)


def _rows(batch: AnyRecord) -> int:
    if isinstance(batch, PlansMade) and batch.unbound is not None:
        return len(batch.unbound)
    return len(batch.rows) if isinstance(batch, BATCHES) else 1


class Grids:
    """The grids of a log, by the position at which each was adopted: what numbers in plans mean."""

    def __init__(self) -> None:
        self._at: list[int] = []
        self._texts: list[str] = []
        self._made: dict[str, GridIndex] = {}

    def know(self, index: GridIndex) -> None:
        """An index that is made already serves where the log has adopted its grid."""
        self._made[_digest(index.grid.model_dump_json())] = index

    def see(self, position: int, records: Iterable[AnyRecord]) -> None:
        """Note what a row of the log adopts, and tell its plans their grid. Rows may come more than once."""
        for record in records:
            if isinstance(record, GridAdopted):
                self.adopted(position, record.text)
            elif isinstance(record, PlansMade) and record.unbound is not None:
                record.bind(self.at(position))

    def adopted(self, position: int, text: str) -> None:
        at = bisect_right(self._at, position)
        if not at or self._at[at - 1] != position:
            self._at.insert(at, position)
            self._texts.insert(at, text)

    def at(self, position: int) -> GridIndex:
        """The grid in force at a position. StoreError `store_damaged` where the log has adopted none before."""
        at = bisect_right(self._at, position)
        if not at:
            raise StoreError("store_damaged", detail=f"log row {position} has plans, and no grid was adopted before")
        text = self._texts[at - 1]
        digest = _digest(text)
        if digest not in self._made:
            self._made[digest] = index_grid(Grid.model_validate_json(text))
        return self._made[digest]


def _digest(text: str) -> str:
    return blake3(text.encode()).hexdigest()


class Projector:
    """Brings the projections forward along the log."""

    def __init__(self, writer: Writer, grids: Grids) -> None:
        self._writer, self.grids = writer, grids
        self.earlier = Remembered(writer, writer.open_attempts())
        for position, text in writer.grids():
            grids.adopted(position, text)

    def fold(self, position: int, records: Sequence[AnyRecord], texts: Sequence[str]) -> Fold:
        """What a row of the log does to the projections."""
        fold = Fold(self.earlier)
        fold_records(records, texts, position, fold)
        return fold

    def apply(self, fold: Fold, before: int, position: int) -> None:
        """Inside a transaction: move the mark, and carry it out. OvertakenError where another process was here: a brain
        that was killed may have left one that still projects."""
        self._writer.move_projected(before, position)
        self._writer.apply(fold)
        if fold.ended:
            drop_secrets(self._writer, fold.ended)

    def step(self, rows: Sequence[LogRow], guard: AbstractContextManager[object]) -> int:
        """Project rows of the log in one transaction, as many as are worth one; returns how many. Only the transaction is
        inside the guard, so that whoever writes the log waits for no more."""
        fold, records, taken = Fold(self.earlier), 0, 0
        for row in rows:
            if taken and records >= FOLD_RECORDS:
                break
            opened = open_row(row)
            self.grids.see(row.position, opened)
            fold_records(opened, texts_of(opened), row.position, fold)
            records, taken = records + weight(opened), taken + 1
        if not taken:
            return 0
        try:
            with guard, self._writer.transaction():
                self.apply(fold, rows[0].position - 1, rows[taken - 1].position)
        except OvertakenError:
            return 0
        self.earlier.keep(fold)
        return taken
