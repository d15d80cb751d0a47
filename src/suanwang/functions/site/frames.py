"""The two files between client and site: inputs in blocks with an index, results in frames that end with an end.

Both are written in one pass, block by block, so neither side ever holds more than one block.
"""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, BinaryIO, Final

BLOCK_BYTES: Final = 256 * 1024  # a block is about so large, or ends with an item that is larger
BLOCK_ITEMS: Final = 65_536
MAGIC: Final = b"suanwang-items-2"
RESULT_MAGIC: Final = b"suanwang-result-1"
_LENGTH: Final = struct.Struct(">cQ")
_SIZE: Final = struct.Struct(">Q")
_TAIL: Final = struct.Struct(">Q16s")

_NUMBERS: Final = ("float", "int", "uint", "bool", "complex")  # of numpy, which this program does not import

# Kinds of frames. HEAD and END hold JSON; VALUES a list; RAISED a line of JSON, then what `raised` packs or nothing.
HEAD: Final = b"H"
VALUES: Final = b"V"
RAISED: Final = b"X"
END: Final = b"E"


class BadFileError(ValueError):
    """A file that is not what it should be: cut off, or of another make."""


def flat_bytes(value: Any, depth: int = 3) -> int | None:
    """About how many bytes a value takes that nobody can change any more; None: it is none of those."""
    kind = type(value)
    if kind is int:
        return 8 + int(value.bit_length()) // 8
    if kind is str:
        return 8 + len(value) * (1 if value.isascii() else 4)
    if kind is bytes:
        return 8 + len(value)
    if kind is float or kind is bool or value is None:
        return 8
    if kind.__module__ == "numpy" and kind.__name__.startswith(_NUMBERS):
        return 64 + int(value.itemsize)
    if kind is not tuple or depth == 0:
        return None
    total = 8
    for one in value:
        size = flat_bytes(one, depth - 1)
        if size is None:
            return None
        total += size
    return total


class Run:
    """Values that are packed together: those that stay what they are. Whatever else comes is packed at once, since whoever
    made it may go on changing it, and nobody knows how large it is."""

    def __init__(self) -> None:
        self.values = list[Any]()
        self._bytes = 0

    def takes(self, value: Any) -> bool:
        size = flat_bytes(value)
        if size is None:
            return False
        self.values.append(value)
        self._bytes += size
        return True

    def is_full(self) -> bool:
        return self._bytes >= BLOCK_BYTES or len(self.values) >= BLOCK_ITEMS

    def taken(self) -> list[Any]:
        values, self.values, self._bytes = self.values, [], 0
        return values


def _packed(items: Iterable[Any], dumps: Callable[[list[Any]], bytes]) -> Iterator[tuple[int, bytes]]:
    """Lists of items, packed, with how many are in each."""
    run = Run()
    for item in items:
        flat = run.takes(item)
        if run.values and (not flat or run.is_full()):
            yield len(run.values), dumps(run.taken())
        if not flat:
            yield 1, dumps([item])
    if run.values:
        yield len(run.values), dumps(run.taken())


def write_items(items: Iterable[Any], dumps: Callable[[list[Any]], bytes], file: BinaryIO) -> int:
    """Write the items; how many they were. A block is one or more packed lists, each behind its length."""
    index, block = list[tuple[int, int]](), bytearray()
    count = at = 0
    for many, packed in _packed(items, dumps):
        if not block:
            index.append((count, at))
        block += _SIZE.pack(len(packed)) + packed
        count += many
        if len(block) >= BLOCK_BYTES:
            at += file.write(block)
            block.clear()
    at += file.write(block)
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
            found = _unpacked(file.read(until - at), loads)
            yield from islice(found, max(0, first - begin), first + count - begin)


def _unpacked(block: bytes, loads: Callable[[bytes], Any]) -> Iterator[Any]:
    at = 0
    while at < len(block):
        (length,) = _SIZE.unpack_from(block, at)
        at += _SIZE.size + length
        yield from loads(block[at - length : at])


class ResultWriter:
    """Writes the result of an element. What has no END was cut off."""

    def __init__(self, file: BinaryIO, dumps: Callable[[Any], bytes], head: dict[str, Any]) -> None:
        self._file, self._dumps = file, dumps
        self._run, self._count = Run(), 0
        file.write(RESULT_MAGIC)
        self._frame(HEAD, json.dumps(head).encode())

    def _frame(self, kind: bytes, payload: bytes) -> None:
        self._file.write(_LENGTH.pack(kind, len(payload)))
        self._file.write(payload)

    def value(self, value: Any, unfit: Callable[[Exception], tuple[dict[str, Any], bytes]]) -> None:
        """One more value, as it is now. Where values cannot be packed, `unfit` says what stands in the place of each that cannot."""
        flat = self._run.takes(value)
        if not flat or self._run.is_full():
            self._flush(unfit)
        if not flat:
            self._put([value], unfit)

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
        if self._run.values:
            self._put(self._run.taken(), unfit)

    def _put(self, values: list[Any], unfit: Callable[[Exception], tuple[dict[str, Any], bytes]]) -> None:
        try:
            packed = self._dumps(values)
        except Exception as error:  # whatever a value's own packing raises
            if len(values) == 1:
                self.raised(*unfit(error), unfit)
                return
            for one in values:
                self._put([one], unfit)
            return
        self._frame(VALUES, packed)
        self._count += len(values)


def read_result(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The frames of a result, the END too. Raises BadFileError where it was cut off, or is none."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(len(RESULT_MAGIC)) != RESULT_MAGIC:
        raise BadFileError("this is no result of a function")
    while True:
        head = file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise BadFileError("the result was cut off")
        kind, length = _LENGTH.unpack(head)
        if length > size - file.tell():
            raise BadFileError("the result was cut off")
        payload = file.read(length)
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
