"""Messages that may be larger than a broker takes: packed, cut into parts, and put together again.

One message at a time for each sender: a part of a newer one drops what was there of the older.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from suanwang.model.error import TooLargeError

PARTS_MAX: Final = 32
PART_BYTES: Final = 512 * 1024  # below the megabyte that a NATS server takes by default, with room for headers
BODY_BYTES_MAX: Final = 64 * 1024 * 1024  # unpacked; what an agent brings that was cut off, as over HTTP
PACK_ABOVE_BYTES: Final = 1_024
_LEVEL: Final = 1  # JSON shrinks tenfold at the cheapest level

T = TypeVar("T")

MESSAGE: Final = "Sw-Message"
PART: Final = "Sw-Part"
PACKED: Final = "Sw-Packed"


@dataclass(frozen=True)
class Part:
    """One part as it travels: its number, its headers, its bytes."""

    number: int
    headers: dict[str, str]
    data: bytes


def cut(message: str, body: bytes, headers: dict[str, str] | None = None, part_bytes: int = PART_BYTES) -> list[Part]:
    """The parts of a message that is named `message`. Raises TooLargeError above `PARTS_MAX` parts or `BODY_BYTES_MAX`."""
    packed = len(body) > PACK_ABOVE_BYTES
    data = zlib.compress(body, _LEVEL) if packed else body
    pieces = [data[at : at + part_bytes] for at in range(0, len(data), part_bytes)] or [b""]
    if len(pieces) > PARTS_MAX or len(body) > BODY_BYTES_MAX:
        raise TooLargeError("message_too_large", size=len(body), limit=min(PARTS_MAX * part_bytes, BODY_BYTES_MAX))
    common = {**(headers or {}), MESSAGE: message} | ({PACKED: "1"} if packed else {})
    return [Part(number, {**common, PART: f"{number}/{len(pieces)}"}, piece) for number, piece in enumerate(pieces)]


@dataclass
class Joined(Generic[T]):
    """A whole message, with what each of its parts came in."""

    message: str
    headers: dict[str, str]
    body: bytes
    carriers: list[T]


@dataclass
class Joiner(Generic[T]):
    """Puts the parts of one sender together. `T` is what a part came in, so that it can be acknowledged."""

    _message: str = ""
    _count: int = 0
    _parts: dict[int, tuple[bytes, T]] = field(default_factory=dict)

    def add(self, headers: dict[str, str], data: bytes, carrier: T) -> tuple[Joined[T] | None, Sequence[T]]:
        """A part has come: the message where it is whole now, and carriers that nobody waits for any more.

        A part that comes again stands in for the first: what carried that is the same message of the stream, and still wanted.
        Raises ValueError where the headers are none of ours, other parts say otherwise of their number, or the bytes are damaged.
        """
        message, (number, count) = headers.get(MESSAGE, ""), _place(headers.get(PART, ""))
        stale: list[T] = []
        if message != self._message:
            stale = [one for _, one in self._parts.values()]
            self._message, self._count, self._parts = message, count, {}
        elif self._parts and count != self._count:
            raise ValueError(f"part {number} of {count}, and of {self._count}")
        self._count = count
        self._parts[number] = (data, carrier)
        if len(self._parts) < count:
            return None, stale
        parts, self._parts = self._parts, {}
        body = b"".join(parts[at][0] for at in range(count))
        whole = unpack(body) if PACKED in headers else body
        return Joined(message, headers, whole, [parts[at][1] for at in range(count)]), stale

    @property
    def half(self) -> str:
        """The name of the message that is half there; empty: none is."""
        return self._message if self._parts else ""

    def drop(self) -> Sequence[T]:
        """Wait no more for what is half there: what its parts came in."""
        parts, self._parts = self._parts, {}
        return [one for _, one in parts.values()]


def _place(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    at, of = int(number), int(count)
    if not 0 <= at < of <= PARTS_MAX:
        raise ValueError(f"part {text}")
    return at, of


def unpack(data: bytes) -> bytes:
    """Unpacked, and never more than `BODY_BYTES_MAX`, whatever it claims to be. Raises ValueError."""
    reader = zlib.decompressobj()
    try:
        body = reader.decompress(data, BODY_BYTES_MAX)
    except zlib.error as error:
        raise ValueError("damaged") from error
    if not reader.eof:
        raise ValueError("cut short, or larger than it may be")
    return body
