"""Make the projections again from the log, in the order in which `append` made them."""

from collections.abc import Iterable

from suanwang.store.chain import GENESIS, LogRow, checked, open_row, texts_of
from suanwang.store.earlier import Remembered
from suanwang.store.fold import Fold
from suanwang.store.project import fold_records
from suanwang.store.writer import Writer


def replay(writer: Writer, rows: Iterable[LogRow]) -> int:
    """Inside a transaction over empty projections: project the whole log; gives the number of batches.

    StoreError `store_damaged` where the log is not whole.
    """
    earlier, batches = Remembered(writer, {}), 0
    for row in checked(rows, 0, GENESIS):
        records = open_row(row)
        fold = Fold(earlier)
        fold_records(records, texts_of(records), row.position, fold)
        writer.apply(fold)
        earlier.keep(fold)
        batches += 1
    return batches
