"""The store: one log, its projections in the same transaction, and the questions to them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Event, RLock
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import Engine

from suanwang import failpoints
from suanwang.model.batch import AnyRecord
from suanwang.model.error import StoreError
from suanwang.model.plan import Plan
from suanwang.store import schema as s
from suanwang.store.behind import Grids, Projector, weight
from suanwang.store.chain import GENESIS, LogRow, checked, open_row, packs, seal, texts_of
from suanwang.store.columns import find_plans
from suanwang.store.connect import FileLock, errors, is_memory, make_engine, make_private, parse_url
from suanwang.store.migrate import check_schema, migrate
from suanwang.store.query import TaskQueries
from suanwang.store.query_grid import GridQueries
from suanwang.store.query_money import MoneyQueries
from suanwang.store.reading import LOG_SLICE, log_slice
from suanwang.store.side import SideTables, add_secrets, drop_orphan_secrets
from suanwang.store.writer import Writer

# A batch of more records than this is projected behind: a single task, or a few, can be read when they are submitted.
INLINE_MAX = 256


class Store(TaskQueries, GridQueries, MoneyQueries, SideTables):
    """Opens, locks and migrates the store at `url`; `read_only` does none of that and cannot append.

    A large batch is only written down by `append`; `project` brings its projections after, here or in a process beside
    this one (`Store(url, projects_only=True)`). Until they are whole again, what comes later waits behind it.

    `append` is for one thread; every other method is for any. StoreError where the store cannot be opened, is
    locked by another writer, is damaged, or was written by a newer version.
    """

    def __init__(
        self, url: str, *, read_only: bool = False, projects_only: bool = False, bring_up: bool = True
    ) -> None:
        """`bring_up`: at the open the projections are brought to the end of the log; not so for what looks after a store
        whose tables may be damaged."""
        self._url = parse_url(url)
        self._memory = is_memory(self._url)
        if read_only and self._memory:
            raise StoreError("store_memory")
        self._read_only, self._closed, self._projects_only = read_only, False, projects_only
        self._bring_up = bring_up
        self.grids = Grids()
        self.inline_max = INLINE_MAX
        self.is_behind = Event()  # set when something was left for `project`
        self._position, self._checksum = 0, GENESIS
        self._guard = RLock()  # writers, and on a memory store readers too: it has one connection
        self._lock: FileLock | None = None
        self._writer: Writer | None = None
        self._engines: list[Engine] = []
        try:
            with errors():
                self._open(read_only)
        except BaseException:
            self.close()
            raise

    def _open(self, read_only: bool) -> None:
        path = None if self._memory or self._url.drivername != "sqlite" else Path(str(self._url.database))
        if path is not None and read_only and not path.is_file():
            raise StoreError("store_missing", got=str(path))
        if path is not None and not read_only and not self._projects_only:
            self._lock = FileLock(path)
            make_private(path)
        writing = None if read_only else self._engine(writes=True)
        self._reading = writing if self._memory and writing else self._engine(writes=False)
        if writing is None:
            check_schema(self._reading)
            return
        self._writer = Writer(writing, self._guard, alone=not self._projects_only)
        if self._projects_only:
            self._projector = Projector(self._writer, self.grids)
            return
        migrate(writing, memory=self._memory)
        self.reload()

    def _engine(self, *, writes: bool) -> Engine:
        self._engines.append(make_engine(self._url, writes=writes))
        return self._engines[-1]

    def reload(self) -> None:
        """Take up where the log stands, and bring the projections there."""
        writer = self._the_writer()
        with errors():
            self._position, self._checksum = writer.head()
            self._projector = Projector(writer, self.grids)
        if not self._bring_up:
            return
        while self.project():
            pass
        with self.writing():
            drop_orphan_secrets(writer)

    @property
    def engine_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._reading.dialect.name

    def append(
        self, records: Sequence[AnyRecord], at_us: int, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> int:
        """Write a batch and its projections, durably, in one transaction; give its position in the log.

        `secrets`, by task, are kept beside the log in the same transaction. No records: nothing is written.
        """
        if not records:
            assert not secrets, "secrets come with the record of their task"
            return self._position
        assert not self._projects_only, "a projector writes no log"
        self._the_writer()
        with self._guard, errors():
            position = self._position + 1
            texts = texts_of(records)
            row = seal(self._checksum, position, at_us, records, texts)
            self.grids.see(position, records)
            inline = weight(records) <= self.inline_max and self._the_writer().projected() == self._position
            fold = self._projector.fold(position, records, texts) if inline else None
            failpoints.hit("store.append.before")
            with self.writing() as writer:
                writer.add_log([row])
                if fold is not None:
                    self._projector.apply(fold, self._position, position)
                if secrets:
                    add_secrets(writer, secrets)
                failpoints.hit("store.append.written")
            failpoints.hit("store.append.committed")
            self._position, self._checksum = position, row.checksum
            if fold is not None:
                self._projector.earlier.keep(fold)
            else:
                self.is_behind.set()
            return position

    def project(self) -> int:
        """Bring the projections some way after the log; returns how many rows of it they are still behind."""
        writer = self._the_writer()
        with errors():
            with self._guard:
                rows = writer.rows_after(writer.projected())
            taken = self._projector.step(rows, self._guard)
            return len(rows) - taken if len(rows) < LOG_SLICE else max(1, len(rows) - taken)

    def pending_bytes(self) -> int:
        """How large the next rows are that wait to be projected: what a step of `project` has before it."""
        writer = self._the_writer()
        with self._guard, errors():
            return sum(len(row.payload) for row in writer.rows_after(writer.projected()))

    def not_yet(self) -> StoreError:
        """What to say of something that the log has and the tables do not show yet."""
        return StoreError("store_behind", behind=self.behind())

    def projected(self) -> int:
        """The position up to which the projections reflect the log."""
        with self.reading() as connection:
            return int(connection.execute(select(func.coalesce(func.max(s.progress.c.position), 0))).scalar_one())

    def behind(self) -> int:
        """How many rows of the log the projections do not reflect yet."""
        return max(0, self.last_position() - self.projected())

    def read(self, after: int = 0) -> Iterator[tuple[int, list[AnyRecord]]]:
        """(position, records) of every batch after the position `after`, in order, checked against the chain.

        StoreError `store_damaged` at the first row that was changed, or that does not follow the row before.
        """
        if self._writer is None:
            self._know_grids()
        for row in checked(self._log_rows(after), after, self._checksum_at(after)):
            records = open_row(row)
            self.grids.see(row.position, records)
            yield row.position, records

    def _know_grids(self) -> None:
        """A reader learns of the grids that were adopted before where it begins to read."""
        for found in self._all(select(s.grids.c.position, s.grids.c.text)):
            self.grids.adopted(found["position"], found["text"])

    def _log_rows(self, after: int) -> Iterator[LogRow]:
        while True:
            with self.reading() as connection:
                rows = log_slice(connection, after)
            yield from rows
            if len(rows) < LOG_SLICE:
                return
            after = rows[-1].position

    def logged_plans(self, where: Mapping[str, int]) -> dict[str, Plan]:
        out: dict[str, Plan] = {}
        by_row: dict[int, list[str]] = {}
        for plan_id, position in where.items():
            by_row.setdefault(position, []).append(plan_id)
        if where and self._writer is None:
            self._know_grids()
        for position, plan_ids in by_row.items():
            for found in self._all(select(s.log).where(s.log.c.position == position)):
                for pack in packs(LogRow(**found)):
                    plans = find_plans(pack, plan_ids, self.grids.at(position))
                    out |= {one.plan_id: one.full() for one in plans}
        missing = next((one for one in where if one not in out), None)
        if missing is not None:
            raise StoreError("store_damaged", detail=f"plan {missing} is not in log row {where[missing]}")
        return out

    def last_position(self) -> int:
        """The position of the last batch; 0 where there is none. Costs nothing in the writer's process."""
        if not self._read_only:
            return self._position
        with self.reading() as connection:
            return int(connection.execute(select(func.coalesce(func.max(s.log.c.position), 0))).scalar_one())

    def _checksum_at(self, position: int) -> bytes:
        found = self._all(select(s.log.c.checksum).where(s.log.c.position == position))
        if position and not found:
            raise StoreError("store_damaged", detail=f"log row {position} is missing")
        return bytes(found[0]["checksum"]) if position else GENESIS

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._check_open()
        with self._guard if self._memory else nullcontext(), errors(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def frozen(self) -> Iterator[Connection]:
        """`reading`, with one state of the whole store for as long as the block runs, whatever a writer does."""
        with self.reading() as connection:
            if self.engine_name == "postgresql":  # SQLite's transactions are that already
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The writer inside a transaction; for `append`, the side tables and `admin.py` only."""
        writer = self._the_writer()
        with writer.transaction():
            yield writer

    def _the_writer(self) -> Writer:
        self._check_open()
        if self._writer is None:
            raise StoreError("store_read_only", detail="it was opened to read")
        return self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("store_closed")

    def close(self) -> None:
        """Give every connection and the lock back. A closed store cannot be used again."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for engine in self._engines:
            engine.dispose()
        self._engines.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
