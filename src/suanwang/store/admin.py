"""What an operator does to a store: rebuild, verify, back up, restore.

A backup holds the log and the sizes of the objects. Secrets are not in it: they live only as long as their task and
only in the store itself. It moves between SQLite and PostgreSQL, as only the log is carried and the tables are made
again.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, func, select

from suanwang.model.error import Fault, StoreError
from suanwang.store import schema as s
from suanwang.store.archive import Manifest, ObjectNote, read_archive, write_archive
from suanwang.store.chain import GENESIS, LogRow, is_sound, open_row
from suanwang.store.compare import differences
from suanwang.store.connect import errors
from suanwang.store.reading import LOG_SLICE, log_slice
from suanwang.store.replay import replay
from suanwang.store.side import add_objects
from suanwang.store.store import Store


def rebuild(store: Store) -> int:
    """Make every projection again from the log, in one transaction; gives the number of batches.

    StoreError `store_damaged` where the log is not whole: then nothing has changed.
    """
    with store.writing() as writer:
        writer.clear()
        batches = replay(writer, writer.log_rows(0))
    store.reload()
    return batches


def verify(store: Store) -> list[Fault]:
    """Everything wrong with a store: rows of the log that were changed, lost or cannot be read; where the log is
    whole, rows of the projections that a rebuild would not make. Changes nothing; a writer may go on meanwhile."""
    with store.frozen() as connection, errors():
        faults = list(_log_faults(connection))
        return faults or list(_projection_faults(connection))


def backup(store: Store, path: Path) -> Manifest:
    """Write the log and the object sizes to a new file. StoreError `backup_exists`, or `store_damaged` where the
    log is not whole: a backup of a damaged log would hide the damage."""
    with store.frozen() as connection, errors():
        return write_archive(path, store.engine_name, _log(connection), _objects(connection))


def restore(store: Store, path: Path) -> Manifest:
    """Fill an empty store from a backup, in one transaction, after the whole file was checked.

    StoreError `backup_missing`, `backup_damaged`, `backup_newer`, `store_not_empty`.
    """
    with read_archive(path) as archive, store.writing() as writer:
        if writer.head()[0]:
            raise StoreError("store_not_empty")
        for rows in archive.slices():
            writer.add_log(rows)
        replay(writer, writer.log_rows(0))
        if writer.head() != (archive.manifest.last_position, bytes.fromhex(archive.manifest.last_checksum)):
            raise StoreError("backup_damaged", detail="the log ends elsewhere than the manifest says")
        add_objects(writer, archive.objects())
    store.reload()
    return archive.manifest


def _log(connection: Connection) -> Iterator[LogRow]:
    after = 0
    while True:
        rows = log_slice(connection, after)
        yield from rows
        if len(rows) < LOG_SLICE:
            return
        after = rows[-1].position


def _objects(connection: Connection) -> Iterator[ObjectNote]:
    tenants: dict[str, list[str]] = {}
    owners = s.object_tenants.c
    for digest, tenant in connection.execute(select(owners.blake3, owners.tenant).order_by(owners.tenant)):
        tenants.setdefault(digest, []).append(tenant)
    for digest, size in connection.execute(select(s.objects).order_by(s.objects.c.blake3)):
        yield ObjectNote(blake3=digest, size_bytes=size, tenants=tuple(tenants.get(digest, ())))


def _log_faults(connection: Connection) -> Iterator[Fault]:
    before, expected = GENESIS, 1
    for row in _log(connection):
        where = f"log[{row.position}]"
        if row.position != expected:
            yield Fault("store_log_gap", where, got=str(row.position), params={"expected": expected})
        elif not is_sound(before, row):
            yield Fault("store_log_changed", where, got=row.checksum.hex())
        else:
            yield from _unreadable(row, where)
        before, expected = row.checksum, row.position + 1


def _unreadable(row: LogRow, where: str) -> Iterator[Fault]:
    try:
        open_row(row)
    except StoreError as error:
        yield Fault("store_log_unreadable", where, got=str(error.params.get("detail", "")))


def _projected(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(s.progress.c.position), 0))).scalar_one())


def _projection_faults(connection: Connection) -> Iterator[Fault]:
    """Project the log into a store of its own, and compare table by table."""
    with tempfile.TemporaryDirectory(prefix="suanwang-verify-") as folder, Store(f"sqlite:///{folder}/v.db") as fresh:
        with fresh.writing() as writer:
            replay(writer, _log(connection), until=_projected(connection))
        with fresh.reading() as right:
            for table in s.PROJECTED:
                found = differences(connection, right, table)
                if found.count:
                    rows = int(right.execute(select(func.count()).select_from(table)).scalar_one())
                    yield Fault(
                        "store_projection",
                        table.name,
                        got=found.first,
                        params={"count": found.count, "rows": rows, "kind": found.kind},
                    )
