"""The two files between client and site: inputs in blocks with an index, results in frames that end with an end.

Both are written in one pass, block by block, so neither side ever holds more than one block.
"""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, BinaryIO, Final

BLOCK_BYTES: Final = 256 * 1024  # a block is about so large, or one item
BLOCK_ITEMS: Final = 65_536
MAGIC: Final = b"suanwang-items-1"
RESULT_MAGIC: Final = b"suanwang-result-1"
_LENGTH: Final = struct.Struct(">cQ")
_TAIL: Final = struct.Struct(">Q16s")

# Kinds of frames. HEAD and END hold JSON; VALUES a list; RAISED a line of JSON, then what `raised` packs or nothing.
HEAD: Final = b"H"
VALUES: Final = b"V"
RAISED: Final = b"X"
END: Final = b"E"


class BadFileError(ValueError):
    """A file that is not what it should be: cut off, or of another make."""


class Sizer:
    """How many items the next block shall have, from how large the last one was."""

    def __init__(self) -> None:
        self.items = 1

    def wrote(self, items: int, size_bytes: int) -> None:
        fits = BLOCK_BYTES * items // max(1, size_bytes)
        self.items = max(1, min(fits, 2 * self.items, BLOCK_ITEMS))


def write_items(items: Iterable[Any], dumps: Callable[[list[Any]], bytes], file: BinaryIO) -> int:
    """Write the items; how many they were."""
    sizer, index, block = Sizer(), list[tuple[int, int]](), list[Any]()
    count = at = 0

    def flush() -> None:
        nonlocal at
        packed = dumps(block)
        index.append((count - len(block), at))
        at += file.write(packed)
        sizer.wrote(len(block), len(packed))
        block.clear()

    for item in items:
        block.append(item)
        count += 1
        if len(block) >= sizer.items:
            flush()
    if block:
        flush()
    table = json.dumps([*index, (count, at)]).encode()
    file.write(table + _TAIL.pack(len(table), MAGIC))
    return count


def read_items(file: BinaryIO, first: int, count: int, loads: Callable[[bytes], Any]) -> Iterator[Any]:
    """The items from `first` on. Raises BadFileError where the file is none of ours, or has fewer."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL.size))
    tail = file.read(_TAIL.size)
    length, magic = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
    if magic != MAGIC or length > size:
        raise BadFileError("these are no inputs of a map")
    file.seek(size - _TAIL.size - length)
    table = json.loads(file.read(length))
    if first + count > table[-1][0]:
        raise BadFileError(f"inputs {first} to {first + count - 1} were asked for, and there are {table[-1][0]}")
    for (begin, at), (after, until) in pairwise(table):
        if begin < first + count and after > first:
            file.seek(at)
            block = loads(file.read(until - at))
            yield from block[max(0, first - begin) : first + count - begin]


class ResultWriter:
    """Writes the result of an element. What has no END was cut off."""

    def __init__(self, file: BinaryIO, dumps: Callable[[Any], bytes], head: dict[str, Any]) -> None:
        self._file, self._dumps = file, dumps
        self._sizer, self._values, self._count = Sizer(), list[Any](), 0
        file.write(RESULT_MAGIC)
        self._frame(HEAD, json.dumps(head).encode())

    def _frame(self, kind: bytes, payload: bytes) -> None:
        self._file.write(_LENGTH.pack(kind, len(payload)))
        self._file.write(payload)

    def value(self, value: Any, unfit: Callable[[Exception], tuple[dict[str, Any], bytes]]) -> None:
        """One more value. Where values cannot be packed, `unfit` says what stands in the place of each that cannot."""
        self._values.append(value)
        if len(self._values) >= self._sizer.items:
            self._flush(unfit)

    def raised(
        self, told: dict[str, Any], packed: bytes, unfit: Callable[[Exception], tuple[dict[str, Any], bytes]]
    ) -> None:
        """What the function raised in the place of one more value."""
        self._flush(unfit)
        self._frame(RAISED, json.dumps(told).encode() + b"\n" + packed)
        self._count += 1

    def end(self, unfit: Callable[[Exception], tuple[dict[str, Any], bytes]]) -> None:
        self._flush(unfit)
        self._frame(END, json.dumps({"count": self._count}).encode())

    def _flush(self, unfit: Callable[[Exception], tuple[dict[str, Any], bytes]]) -> None:
        values, self._values = self._values, []
        if not values:
            return
        try:
            packed = self._dumps(values)
        except Exception as error:  # whatever a value's own packing raises
            if len(values) == 1:
                self.raised(*unfit(error), unfit)
                return
            for one in values:
                self._values = [one]
                self._flush(unfit)
            return
        self._sizer.wrote(len(values), len(packed))
        self._frame(VALUES, packed)
        self._count += len(values)


def read_result(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The frames of a result, the END too. Raises BadFileError where it was cut off, or is none."""
    if file.read(len(RESULT_MAGIC)) != RESULT_MAGIC:
        raise BadFileError("this is no result of a function")
    while True:
        head = file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise BadFileError("the result was cut off")
        kind, length = _LENGTH.unpack(head)
        payload = file.read(length)
        if len(payload) < length:
            raise BadFileError("the result was cut off")
        yield kind, payload
        if kind == END:
            return


def plain(values: Sequence[Any]) -> bytes:
    """Values as JSON. Raises TypeError, ValueError where JSON has no such value, or would silently make another of it."""
    _check(values)
    return json.dumps(list(values), default=_listed).encode()


def _listed(value: Any) -> Any:
    """Arrays and their numbers are lists and numbers; nothing else is turned into anything."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"JSON has no {type(value).__module__}.{type(value).__qualname__}")


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the keys of a JSON object are texts, and {key!r} is none")
            _check(one)
    elif isinstance(value, list | tuple):
        for one in value:
            _check(one)
