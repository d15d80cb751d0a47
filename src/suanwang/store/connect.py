"""Engines, and what the world does to them: locks, full disks, damage, servers that do not answer.

`errors()` maps every foreign error to a StoreError with one of the codes of `CODES`; nothing above this package
sees an error of SQLAlchemy, sqlite3 or psycopg.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from suanwang.model.error import StoreError
from suanwang.store.fold import clean, fit

CODES: Final = (
    "store_url",
    "store_missing",
    "store_locked",
    "store_newer",
    "store_older",
    "store_foreign",
    "store_damaged",
    "store_full",
    "store_read_only",
    "store_busy",
    "store_behind",
    "store_conflict",
    "store_unreachable",
    "store_not_empty",
    "store_memory",
    "store_closed",
    "backup_missing",
    "backup_damaged",
    "backup_newer",
    "backup_exists",
)
_SQLITE: Final = {
    "SQLITE_FULL": "store_full",
    "SQLITE_CORRUPT": "store_damaged",
    "SQLITE_NOTADB": "store_damaged",
    "SQLITE_ERROR": "store_damaged",  # a table or column that the schema has is not there
    "SQLITE_READONLY": "store_read_only",
    "SQLITE_BUSY": "store_busy",
    "SQLITE_LOCKED": "store_busy",
    "SQLITE_CONSTRAINT": "store_conflict",
}
_POSTGRESQL: Final[tuple[tuple[type[Exception], str], ...]] = (
    (psycopg.errors.DiskFull, "store_full"),
    (psycopg.errors.DataCorrupted, "store_damaged"),
    (psycopg.errors.IndexCorrupted, "store_damaged"),
    (psycopg.errors.UndefinedTable, "store_damaged"),
    (psycopg.errors.UndefinedColumn, "store_damaged"),
    (psycopg.errors.ReadOnlySqlTransaction, "store_read_only"),
    (psycopg.IntegrityError, "store_conflict"),
    (psycopg.Error, "store_unreachable"),
)
BUSY_MS: Final = 10_000  # how long a statement waits for another process, such as a backup of the file
_LOCK_WAIT_MS: Final = 2_000
_LOCK_KEY: Final = 0x7375616E77616E67  # "suanwang" in ASCII; advisory locks are per database


def parse_url(text: str) -> URL:
    """A store address: `sqlite:///path`, `sqlite:///:memory:` or `postgresql://...`. StoreError `store_url`."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise StoreError("store_url", got=text[:200]) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        raise StoreError("store_url", got=url.render_as_string())
    return url


def is_memory(url: URL) -> bool:
    return url.drivername == "sqlite" and url.database in (None, "", ":memory:")


def make_engine(url: URL, *, writes: bool) -> Engine:
    """An engine whose transactions are explicit. The writer's keeps no pool; a memory store has one connection."""
    if url.drivername != "sqlite":
        return _cleaning(create_engine(url, poolclass=NullPool if writes else QueuePool))
    memory = is_memory(url)
    pool = StaticPool if memory else NullPool if writes else QueuePool
    engine = create_engine(url, poolclass=pool, connect_args={"check_same_thread": False, "isolation_level": None})
    pragmas = [f"busy_timeout={BUSY_MS}"]
    if not memory:
        # FULL: a commit is on the disk when it returns. A WAL of 16 MiB before a checkpoint, four times the
        # default: fewer fsyncs of the database file under load.
        # secure_delete: what is deleted (the secrets of a task that has ended) is overwritten, whatever the build.
        pragmas += ["journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4096", "secure_delete=ON"]
        # KiB of pages kept: the writer's hot b-tree leaves; a reader, of which there may be fifteen, needs few.
        pragmas += ["cache_size=-32768"] if writes else ["cache_size=-4096", "query_only=ON"]

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return _cleaning(engine)


def _cleaning(engine: Engine) -> Engine:
    """Questions carry what a user typed: what no column can hold is asked for in the form in which it is stored."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _asked(_connection: Any, _cursor: Any, sql: str, given: Any, _context: Any, _many: bool) -> tuple[str, Any]:
        if isinstance(given, dict):
            return sql, {name: _cleaned(value) for name, value in given.items()}
        return sql, tuple(map(_cleaned, given)) if isinstance(given, tuple) else given

    return engine


def _cleaned(value: Any) -> Any:
    if isinstance(value, int):
        return fit(value)
    if not isinstance(value, str):
        return value
    return clean(value if value.isascii() else value.encode("utf-8", "replace").decode())


@contextmanager
def errors() -> Iterator[None]:
    """Turn the engines' errors into StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise _store_error(error.orig or error) from error
    except (sqlite3.Error, psycopg.Error) as error:
        raise _store_error(error) from error
    except SQLAlchemyError as error:
        raise StoreError("store_unreachable", detail=str(error)[:300]) from error


def _store_error(error: BaseException) -> StoreError:
    detail = " ".join(str(error).split())[:300]
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None) or ""
        code = next((code for prefix, code in _SQLITE.items() if name.startswith(prefix)), "store_unreachable")
    else:
        code = next((code for kind, code in _POSTGRESQL if isinstance(error, kind)), "store_unreachable")
    return StoreError(code, detail=detail)


def make_private(path: Path) -> None:
    """A new database file is its owner's only, as it holds secrets; SQLite gives its side files the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError("store_unreachable", detail=f"{path}: {error.strerror}") from error


class FileLock:
    """The one writer of a SQLite file, by `flock` on `<path>.lock`: the kernel drops it when the process dies."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError("store_unreachable", detail=f"{path}.lock: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StoreError("store_locked", got=str(path)) from error

    def close(self) -> None:
        os.close(self._file)


def lock_database(connection: Any, name: str) -> None:
    """The one writer of a PostgreSQL database, for as long as `connection` lives. StoreError `store_locked`.

    The server ends the session of a writer that was killed, or has closed, a moment after it; so long this waits."""
    connection.execute(f"SET lock_timeout = '{_LOCK_WAIT_MS}ms'")
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK_KEY,))
    except psycopg.errors.LockNotAvailable as error:
        raise StoreError("store_locked", got=name) from error
    finally:
        with suppress(psycopg.Error):
            connection.execute("RESET lock_timeout")
