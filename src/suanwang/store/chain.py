"""How a batch of records becomes one row of the log, and back.

The payload of single records is zlib (level 1) of a JSON array of the records with every field written out, defaults too: a later
default cannot change what an old record says. A row with a batch of many tasks in it is a magic number and parts: runs of
single records, written like that, and batches as packed columns (`columns`). Each row's checksum is BLAKE3 over the checksum of the row before,
the row's numbers and its payload, so a change, a loss or a swap anywhere shows from there on.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from suanwang.model.batch import BATCHES, AnyRecord
from suanwang.model.error import StoreError
from suanwang.model.record import RECORDS
from suanwang.store.columns import pack, unpack

GENESIS: Final = bytes(32)  # stands before the first row
_NUMBERS: Final = struct.Struct(">QqI")  # position, at_us, records
_MAGIC: Final = b"SWB1"  # a zlib stream never begins like this
_PART: Final = struct.Struct(">BI")  # kind, bytes
_SINGLE, _BATCH = 0, 1
_LEVEL: Final = 1  # a third of the time of level 6 for about a tenth more bytes


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of the log as it is stored."""

    position: int
    at_us: int
    records: int
    payload: bytes
    checksum: bytes


def texts_of(records: Sequence[AnyRecord]) -> list[str]:
    """The JSON text of each record; empty for a batch, which is packed."""
    return ["" if isinstance(record, BATCHES) else record.model_dump_json() for record in records]


def seal(before: bytes, position: int, at_us: int, records: Sequence[AnyRecord], texts: Sequence[str]) -> LogRow:
    """The row that follows the row with the checksum `before`."""
    payload = _packed(records, texts) if "" in texts else _plain(texts)
    return LogRow(position, at_us, len(texts), payload, checksum(before, position, at_us, len(texts), payload))


def _plain(texts: Sequence[str]) -> bytes:
    return zlib.compress(f"[{','.join(texts)}]".encode(), _LEVEL)


def _packed(records: Sequence[AnyRecord], texts: Sequence[str]) -> bytes:
    """The parts of a row in order: each a run of single records, or a batch."""
    parts: list[tuple[int, bytes]] = []
    run: list[str] = []
    for record, text in zip(records, texts, strict=True):
        if text:
            run.append(text)
            continue
        if run:
            parts.append((_SINGLE, _plain(run)))
        run = []
        parts.append((_BATCH, pack(record)))  # type: ignore[arg-type]  # only a batch has no text
    if run:
        parts.append((_SINGLE, _plain(run)))
    return _MAGIC + b"".join(_PART.pack(kind, len(part)) + part for kind, part in parts)


def _parts(payload: bytes) -> Iterator[AnyRecord]:
    for kind, part in _cut(payload):
        if kind == _BATCH:
            yield unpack(part)
        else:
            yield from RECORDS.validate_json(zlib.decompress(part))


def packs(row: LogRow) -> list[bytes]:
    """The packed batches of a row; none of a row of single records."""
    if not row.payload.startswith(_MAGIC):
        return []
    return [part for kind, part in _cut(row.payload) if kind == _BATCH]


def _cut(payload: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(_MAGIC)
    while at < len(payload):
        kind, size = _PART.unpack_from(payload, at)
        at += _PART.size
        part = payload[at : at + size]
        if len(part) < size or kind not in (_SINGLE, _BATCH):
            raise ValueError("a part is cut off, or of no known kind")
        at += size
        yield kind, part


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


def open_row(row: LogRow) -> list[AnyRecord]:
    """The records of a row. StoreError `store_damaged` where they cannot be read."""
    try:
        if row.payload.startswith(_MAGIC):
            records: list[AnyRecord] = list(_parts(row.payload))
        else:
            records = list(RECORDS.validate_json(zlib.decompress(row.payload)))
    except (zlib.error, ValueError, LookupError, struct.error) as error:
        raise StoreError("store_damaged", detail=f"log row {row.position}: {type(error).__name__}") from error
    if len(records) != row.records:
        raise StoreError("store_damaged", detail=f"log row {row.position}: {len(records)} records, not {row.records}")
    return records
