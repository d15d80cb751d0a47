"""The agent's own memory: what it was ordered, and what it has not yet been heard on.

SQLite in WAL with a full sync at each commit. Changes are gathered and written by `commit()`, one transaction for
a whole exchange, so a thousand events cost one sync. What is not committed was never said.

Events that come as rows are kept as columns: one row of the table, under the sequence of the last of them, for all that
one commit has of them in a run.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from suanwang.model.error import StoreError
from suanwang.model.event import AnyEvent, Event, EventKind, OutputFile, Usage
from suanwang.model.ids import AgentId, AttemptId, SiteId, TaskId
from suanwang.model.rows import EVENT_FIELDS, EventRow

SCHEMA_VERSION: Final = 2
READABLE: Final = (0, 1, 2)  # 1 had every event in a row of its own, as a value; 0 is a new file
_AT_ONCE: Final = 500  # ids in one statement, far below the limit of SQLite
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS attempts (attempt_id TEXT PRIMARY KEY, task_id TEXT NOT NULL, site TEXT NOT NULL,
    fence INTEGER NOT NULL, live INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fences (task_id TEXT PRIMARY KEY, fence INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class AttemptRow:
    """An attempt that the agent holds: `live` until its last event."""

    attempt_id: AttemptId
    task_id: TaskId
    site: SiteId
    fence: int
    live: bool


@dataclass(slots=True)
class _Batch:
    """Changes that wait for the next commit. Later ones win over earlier ones on the same key."""

    attempts: dict[AttemptId, AttemptRow] = field(default_factory=dict)
    forgotten: set[AttemptId] = field(default_factory=set)
    fences: dict[TaskId, int] = field(default_factory=dict)
    events: list[AnyEvent] = field(default_factory=list)
    acknowledged: int = 0
    renumbered: bool = False

    @property
    def is_empty(self) -> bool:
        some = self.attempts or self.forgotten or self.fences or self.events
        return not (some or self.acknowledged or self.renumbered)


class Journal:
    """One agent's journal in a file, or in memory for `":memory:"`. One process at a time may hold it.

    Raises StoreError `journal_locked` where another process has it, `journal_damaged` where it cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=0)
            self._open()
        except sqlite3.OperationalError as fault:
            raise StoreError("journal_locked", path=self.path, detail=str(fault)) from fault
        except sqlite3.DatabaseError as fault:
            raise StoreError("journal_damaged", path=self.path, detail=str(fault)) from fault
        self._batch = _Batch()
        self._looked_up: dict[TaskId, int] = {}  # fences that were read ahead
        self.last_sequence = self._meta("last_sequence")
        self.acknowledged = self._meta("acknowledged")

    def _open(self) -> None:
        # An exclusive lock keeps a second agent out; it also spares WAL its shared-memory file.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript("BEGIN EXCLUSIVE;" + _SCHEMA + "COMMIT;")
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version not in READABLE:
            raise StoreError("journal_version", path=self.path, got=version, known=SCHEMA_VERSION)
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _meta(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def attempts(self) -> list[AttemptRow]:
        """Every attempt not forgotten, as committed."""
        rows = self._db.execute("SELECT attempt_id, task_id, site, fence, live FROM attempts ORDER BY attempt_id")
        return [AttemptRow(AttemptId(a), TaskId(t), SiteId(s), f, bool(live)) for a, t, s, f, live in rows]

    def events(self) -> list[AnyEvent]:
        """Every event not acknowledged, as committed, in sequence."""
        rows = self._db.execute("SELECT payload FROM events ORDER BY sequence")
        return [one for (payload,) in rows for one in _read(payload) if one.sequence > self.acknowledged]

    def fence(self, task_id: TaskId) -> int:
        """The highest fence seen of a task; 0 where none was. Survives forgetting its attempts."""
        waiting = self._batch.fences.get(task_id)
        if waiting is not None:
            return waiting
        if task_id in self._looked_up:
            return self._looked_up[task_id]
        row = self._db.execute("SELECT fence FROM fences WHERE task_id=?", (task_id,)).fetchone()
        return int(row[0]) if row else 0

    def look_up(self, task_ids: Sequence[TaskId]) -> None:
        """Read the fences of many tasks at once; they are remembered until the next commit."""
        for first in range(0, len(task_ids), _AT_ONCE):
            some = task_ids[first : first + _AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT task_id, fence FROM fences WHERE task_id IN ({marks})"  # noqa: S608  # marks alone
            found = dict(self._db.execute(query, some))
            self._looked_up |= {one: found.get(one, 0) for one in some}

    def raise_fence(self, task_id: TaskId, fence: int) -> None:
        """To one above that seen of the task so far."""
        assert fence > self.fence(task_id), "a fence never falls"
        self._batch.fences[task_id] = fence

    def put_attempt(self, row: AttemptRow) -> None:
        self._batch.attempts[row.attempt_id] = row

    def forget(self, attempt_id: AttemptId) -> None:
        self._batch.attempts.pop(attempt_id, None)
        self._batch.forgotten.add(attempt_id)

    def next_sequence(self) -> int:
        self.last_sequence += 1
        return self.last_sequence

    def add_event(self, event: AnyEvent) -> None:
        self._batch.events.append(event)

    def acknowledge(self, sequence: int) -> None:
        """The brain has applied every event up to `sequence`."""
        self.acknowledged = self._batch.acknowledged = sequence

    def renumber(self, events: list[AnyEvent], last_sequence: int) -> None:
        """Replace every waiting event (a brain that knows more sequences than a new journal does)."""
        self._batch.events = events
        self._batch.renumbered = True
        self.last_sequence = last_sequence

    def drop_uncommitted(self) -> None:
        """Forget what was gathered since the last commit, as a crash would (for the simulator)."""
        self._batch = _Batch()
        self.last_sequence = self._meta("last_sequence")
        self.acknowledged = self._meta("acknowledged")

    def commit(self) -> bool:
        """Write what was gathered in one transaction with one sync. True where there was anything to write.

        Raises StoreError `journal_unwritable` where the disk is full or gone: what was gathered is kept for the next try.
        """
        batch, self._looked_up = self._batch, {}
        if batch.is_empty:
            return False
        try:
            self._write(batch)
        except sqlite3.OperationalError as fault:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreError("journal_unwritable", path=self.path, detail=str(fault)) from fault
        self._batch = _Batch()
        return True

    def _write(self, batch: _Batch) -> None:
        run = self._db.executemany
        self._db.execute("BEGIN IMMEDIATE")
        if batch.renumbered:
            self._db.execute("DELETE FROM events")
        elif batch.acknowledged:
            self._db.execute("DELETE FROM events WHERE sequence<=?", (batch.acknowledged,))
        # The order matters: an attempt may be forgotten and, never in practice, come back within one batch.
        run("DELETE FROM attempts WHERE attempt_id=?", [(key,) for key in batch.forgotten])
        rows = [(r.attempt_id, r.task_id, r.site, r.fence, int(r.live)) for r in batch.attempts.values()]
        run("INSERT OR REPLACE INTO attempts VALUES (?,?,?,?,?)", rows)
        run("INSERT OR REPLACE INTO fences VALUES (?,?)", list(batch.fences.items()))
        run("INSERT INTO events VALUES (?,?)", _written(batch.events))
        meta = [("last_sequence", self.last_sequence), ("acknowledged", self.acknowledged)]
        run("INSERT OR REPLACE INTO meta VALUES (?,?)", meta)
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def _written(events: Sequence[AnyEvent]) -> Iterator[tuple[int, str]]:
    """The rows of the table: columns for a run of event rows, else the value."""
    for is_value, run in groupby(events, lambda one: isinstance(one, Event)):
        some = list(run)
        if is_value:
            yield from ((one.sequence, one.model_dump_json()) for one in some if isinstance(one, Event))
        else:
            yield some[-1].sequence, _columns([one for one in some if isinstance(one, EventRow)])


def _columns(rows: Sequence[EventRow]) -> str:
    """A JSON array of a column for each field of a row; usages and outputs as lists of [place in the column, value]."""
    *plain, usages, outputs = map(list, zip(*rows, strict=True))
    many: list[object] = [*plain]
    many.append([(at, list(one.__dict__.values())) for at, one in enumerate(usages) if one is not None])
    many.append([(at, [file.model_dump() for file in some]) for at, some in enumerate(outputs) if some])
    return json.dumps(many, separators=(",", ":"))


def _read(payload: str) -> Iterator[AnyEvent]:
    """The events of a row of the table."""
    if not payload.startswith("["):
        yield Event.model_validate_json(payload)
        return
    *plain, usages, outputs = json.loads(payload)
    usage_at = {at: Usage(**dict(zip(Usage.model_fields, values, strict=True))) for at, values in usages}
    output_at = {at: tuple(OutputFile(**one) for one in some) for at, some in outputs}
    assert len(plain) + 2 == len(EVENT_FIELDS), "the columns are the fields of a row"
    for at, (agent, sequence, site, attempt_id, fence, at_us, kind, exit_code) in enumerate(zip(*plain, strict=True)):
        yield EventRow(
            AgentId(agent),
            sequence,
            SiteId(site),
            AttemptId(attempt_id),
            fence,
            at_us,
            EventKind(kind),
            exit_code,
            usage_at.get(at),
            output_at.get(at, ()),
        )
