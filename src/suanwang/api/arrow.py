"""The rows of an Arrow IPC stream, without letting a small body become a large memory.

Arrow unpacks whatever a stream says is packed: a compressed buffer, a dictionary or a view may stand for a thousand
times its bytes. So only plain columns are read, the one asked for alone, and a packed batch is refused by its header.
"""

import struct
from collections.abc import Iterator
from typing import Any

from suanwang.model.error import Fault, FaultsError, TooLargeError

# Field numbers of the format's flatbuffers: github.com/apache/arrow, format/Message.fbs
_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_DICTIONARY_DATA, _COMPRESSION = 1, 3


def column_rows(raw: bytes, column: str, rows_max: int) -> Iterator[bytes]:
    """The values of a text column, b"" for null. Raises FaultsError where this is no plain stream with that column,
    TooLargeError past `rows_max` rows."""
    import pyarrow as pa

    try:
        _check_plain(raw)
        with pa.ipc.open_stream(pa.BufferReader(raw)) as reader:
            names = reader.schema.names
            if column not in names:
                raise FaultsError([Fault("arrow_column", column, ", ".join(names)[:200])], "body")
            place = names.index(column)
            if reader.schema.field(place).type not in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
                raise FaultsError([Fault("arrow_form", "body", str(reader.schema.field(place))[:200])], "body")
        options = pa.ipc.IpcReadOptions(included_fields=[place])
        with pa.ipc.open_stream(pa.BufferReader(raw), options=options) as reader:
            batches = [batch.column(column) for batch in reader]
        if sum(len(batch) for batch in batches) > rows_max:
            raise TooLargeError("too_many_rows", limit=rows_max)
        for batch in batches:
            batch.validate(full=True)
        return _values(pa, batches)
    except (pa.ArrowException, OSError, KeyError, ValueError, struct.error) as error:
        raise FaultsError([Fault("arrow_form", "body", str(error)[:200])], "body") from None


def _values(pa: Any, batches: list[Any]) -> Iterator[bytes]:
    for batch in batches:
        for value in batch.cast(pa.large_binary()):
            yield value.as_py() or b""


def _check_plain(raw: bytes) -> None:
    """Raise ValueError for a packed batch, before anything unpacks it."""
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(pa.BufferReader(raw)):
        if _is_packed(message.metadata.to_pybytes()):
            raise ValueError("it is compressed; send it without compression")


def _is_packed(metadata: bytes) -> bool:
    message = _root(metadata)
    kind_at = _field(metadata, message, _HEADER_TYPE)
    kind = metadata[kind_at] if kind_at else 0
    batch = _follow(metadata, message, _HEADER) if kind in (_DICTIONARY_BATCH, _RECORD_BATCH) else 0
    if kind == _DICTIONARY_BATCH and batch:
        batch = _follow(metadata, batch, _DICTIONARY_DATA)
    return bool(batch and _field(metadata, batch, _COMPRESSION))


def _root(data: bytes) -> int:
    return int(struct.unpack_from("<I", data, 0)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer table lies; 0 where it is left out."""
    names = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * number
    if entry >= struct.unpack_from("<H", data, names)[0]:
        return 0
    offset = int(struct.unpack_from("<H", data, names + entry)[0])
    return table + offset if offset else 0


def _follow(data: bytes, table: int, number: int) -> int:
    at = _field(data, table, number)
    return at + int(struct.unpack_from("<I", data, at)[0]) if at else 0
