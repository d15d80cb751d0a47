"""Make the projections again from the log, in the order in which `append` made them."""

from collections.abc import Iterable

from suanwang.store.behind import Grids
from suanwang.store.chain import GENESIS, LogRow, checked, open_row, texts_of
from suanwang.store.earlier import Remembered
from suanwang.store.fold import Fold
from suanwang.store.project import fold_records
from suanwang.store.writer import Writer


def replay(writer: Writer, rows: Iterable[LogRow], until: int | None = None) -> int:
    """Inside a transaction over empty projections: project the log, up to a position or whole; gives the number of
    batches.

    StoreError `store_damaged` where the log is not whole.
    """
    earlier, grids, batches, position = Remembered(writer, {}), Grids(), 0, 0
    for row in checked(rows, 0, GENESIS):
        if until is not None and row.position > until:
            break
        records = open_row(row)
        grids.see(row.position, records)
        fold = Fold(earlier)
        fold_records(records, texts_of(records), row.position, fold)
        writer.apply(fold)
        earlier.keep(fold)
        batches, position = batches + 1, row.position
    writer.set_projected(position)
    return batches
