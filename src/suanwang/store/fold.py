"""What a batch does to the projections, merged: at most one statement touches a row, whatever the batch holds.

A patch is a mapping of column to new value. Two prefixes say how a value meets the one that is stored:
`+column` adds, `?column` is kept only where nothing stood.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple, Protocol

Row = dict[str, Any]
Key = str | tuple[str, ...]
_INT64: Final = 2**63


class Attempt(NamedTuple):
    """What the projector must know of an attempt to place its events."""

    task_id: str
    plan_id: str
    site: str
    fence: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in the log, and its JSON text."""

    position: int
    ordinal: int
    text: str


def clean(text: str) -> str:
    """A text column's form of free text: PostgreSQL cannot hold NUL, so both engines hold a replacement."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def fit(number: int | None) -> int | None:
    """A number that an agent or a user sent, as a 64-bit column holds it; the log keeps what was sent."""
    return number if number is None or -_INT64 <= number < _INT64 else (_INT64 - 1 if number > 0 else -_INT64)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once, not for each value


def to_json(value: Any) -> str:
    """Compact JSON text."""
    return encode_basestring(value) if type(value) is str else _encode(value)


class Earlier(Protocol):
    """What earlier batches left, for the records that do not say all of it."""

    def find_attempt(self, attempt_id: str) -> Attempt | None: ...
    def find_plan(self, task_id: str, lease_id: str) -> str | None: ...


class Fold:
    """The rows of one batch."""

    def __init__(self, earlier: Earlier) -> None:
        self._earlier = earlier
        self.opened: dict[str, Attempt] = {}
        self.closed: list[str] = []
        self.ended: list[str] = []  # tasks: what waits to be sent for them goes, and so do their secrets
        self.added: defaultdict[str, dict[Key, Row]] = defaultdict(dict)
        self.changed: defaultdict[str, dict[Key, Row]] = defaultdict(dict)
        self.put: defaultdict[str, dict[Key, Row]] = defaultdict(dict)  # whole rows, new or not
        self.gone: defaultdict[str, dict[Key, None]] = defaultdict(dict)
        self.lists: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)  # append-only, in column order

    def attempt(self, attempt_id: str) -> Attempt | None:
        return self.opened.get(attempt_id) or self._earlier.find_attempt(attempt_id)

    def plan_of(self, task_id: str, lease_id: str) -> str | None:
        """The newest plan whose holds are this lease. Only extensions ask, and they are rare: a scan will do."""
        here = [str(key) for key, row in self.added["plans"].items() if row["lease_id"] == lease_id]
        return here[-1] if here else self._earlier.find_plan(task_id, lease_id)

    def add(self, table: str, key: Key, row: Row) -> None:
        assert key not in self.added[table], f"{table} {key} is added twice"
        self.added[table][key] = row

    def change(self, table: str, key: Key, patch: Row) -> None:
        """Set plain columns of a row that exists."""
        self._row(table, key).update(patch)

    def grow(self, table: str, key: Key, column: str, amount: int) -> None:
        row = self._row(table, key)
        name = column if column in row else "+" + column
        row[name] = row.get(name, 0) + amount

    def first(self, table: str, key: Key, column: str, value: Any) -> None:
        """Set a column where nothing stands yet."""
        row = self._row(table, key)
        if column in row:
            row[column] = value if row[column] is None else row[column]
        else:
            row.setdefault("?" + column, value)

    def upsert(self, table: str, key: Key, row: Row) -> None:
        self.put[table][key] = row
        self.gone[table].pop(key, None)

    def remove(self, table: str, key: Key) -> None:
        self.put[table].pop(key, None)
        self.gone[table][key] = None

    def tell(self, task_id: str, record: Any, at: Place, body: str | None = None) -> None:
        """One row of `task_events`. `body`: the record's text where not given."""
        row = (task_id, at.position, at.ordinal, record.at_us, record.t, at.text if body is None else body)
        self.lists["task_events"].append(row)

    def _row(self, table: str, key: Key) -> Row:
        row = self.added[table].get(key)
        return self.changed[table].setdefault(key, {}) if row is None else row
