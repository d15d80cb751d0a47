"""How a batch of records becomes one row of the log, and back.

The payload is zlib (level 1) of a JSON array of the records with every field written out, defaults too: a later
default cannot change what an old record says. Each row's checksum is BLAKE3 over the checksum of the row before,
the row's numbers and its payload, so a change, a loss or a swap anywhere shows from there on.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from blake3 import blake3
from pydantic import ValidationError

from suanwang.model.error import StoreError
from suanwang.model.record import RECORDS, Record

GENESIS: Final = bytes(32)  # stands before the first row
_NUMBERS: Final = struct.Struct(">QqI")  # position, at_us, records
_LEVEL: Final = 1  # a third of the time of level 6 for about a tenth more bytes


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the log as it is stored."""

    position: int
    at_us: int
    records: int
    payload: bytes
    checksum: bytes


def texts_of(records: Sequence[Record]) -> list[str]:
    """The JSON text of each record."""
    return [record.model_dump_json() for record in records]


def seal(before: bytes, position: int, at_us: int, texts: Sequence[str]) -> LogRow:
    """The row that follows the row with the checksum `before`."""
    payload = zlib.compress(f"[{','.join(texts)}]".encode(), _LEVEL)
    return LogRow(position, at_us, len(texts), payload, checksum(before, position, at_us, len(texts), payload))


def checksum(before: bytes, position: int, at_us: int, records: int, payload: bytes) -> bytes:
    """32 bytes that depend on this row and on every row before it."""
    return blake3(before + _NUMBERS.pack(position, at_us, records) + payload).digest()


def is_sound(before: bytes, row: LogRow) -> bool:
    """Whether `row` is unchanged and follows the row with the checksum `before`."""
    return checksum(before, row.position, row.at_us, row.records, row.payload) == row.checksum


def checked(rows: Iterable[LogRow], position: int, before: bytes) -> Iterator[LogRow]:
    """The rows that follow the row at `position`, whose checksum is `before`. StoreError `store_damaged` at the
    first that was changed or is missing."""
    for row in rows:
        if row.position != position + 1 or not is_sound(before, row):
            raise StoreError("store_damaged", detail=f"log row {row.position} breaks the chain")
        position, before = row.position, row.checksum
        yield row


def open_row(row: LogRow) -> list[Record]:
    """The records of a row. StoreError `store_damaged` where they cannot be read."""
    try:
        records = RECORDS.validate_json(zlib.decompress(row.payload))
    except (zlib.error, ValidationError) as error:
        raise StoreError("store_damaged", detail=f"log row {row.position}: {type(error).__name__}") from error
    if len(records) != row.records:
        raise StoreError("store_damaged", detail=f"log row {row.position}: {len(records)} records, not {row.records}")
    return records
