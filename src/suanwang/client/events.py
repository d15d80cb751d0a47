"""Server-sent events, as the HTML standard parses them, from pieces of bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class StreamEvent:
    """One message: `kind` is the record's name (`task_submitted`, `plan_committed`, ...) or `end`."""

    kind: str
    id: str
    text: str

    @cached_property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


class EventParser:
    """Feed it bytes, get messages. Keeps the last id, for going on after a break."""

    def __init__(self) -> None:
        self.last_id = ""
        self._rest = b""
        self._kind = "message"
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[StreamEvent]:
        """The messages that are complete with this piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            found = self._line(line.rstrip(b"\r").decode("utf-8", "replace"))
            if found is not None:
                yield found

    def broken(self) -> None:
        """The stream broke: forget the half of a message that came."""
        self._rest, self._kind, self._data = b"", "message", []

    def _line(self, line: str) -> StreamEvent | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self.last_id = value
        return None

    def _end(self) -> StreamEvent | None:
        kind, data = self._kind, self._data
        self._kind, self._data = "message", []
        return StreamEvent(kind, self.last_id, "\n".join(data)) if data else None
