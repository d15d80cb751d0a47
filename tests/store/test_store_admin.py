"""Rebuild, verify, backup and restore: the log is the truth, and damage does not hide."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from history import START_US, History
from sqlalchemy import Connection, select

from suanwang.model.error import StoreError
from suanwang.store import Store, backup, rebuild, restore, verify
from suanwang.store import schema as s
from suanwang.texts import has


def content(store: Store) -> dict[str, list[tuple]]:
    """Every projected row."""
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in s.PROJECTED
        }


def filled(store: Store, seed: int = 1, count: int = 120) -> Store:
    for at_us, records in History(seed).batches(count):
        store.append(records, at_us)
    return store


def meddle(store: Store, change: Callable[[Connection], object]) -> None:
    """Change the store behind its back."""
    store.close()
    other = Store(str(store._url.render_as_string(hide_password=False)))
    try:
        with other._engines[0].begin() as connection:
            change(connection)
    finally:
        other.close()


@pytest.mark.parametrize("seed", [11, 12])
def test_a_rebuild_makes_the_same_rows_of_every_table(url, open_store, seed):
    store = filled(open_store(url), seed)
    before = content(store)
    empty = {name for name, rows in before.items() if not rows}
    assert not empty, "the history must reach every table"
    assert rebuild(store) == 120
    assert content(store) == before
    store.append(History(99).submit("alpha"), START_US)  # the writer goes on
    assert verify(store) == []


def test_both_engines_project_the_same_rows(new_sqlite, new_postgres, open_store):
    assert content(filled(open_store(new_sqlite()))) == content(filled(open_store(new_postgres())))


test_both_engines_project_the_same_rows = pytest.mark.postgres(test_both_engines_project_the_same_rows)


def test_a_rebuild_mends_what_verify_finds(url, open_store):
    store = filled(open_store(url))
    before = content(store)
    meddle(store, lambda c: (c.execute(s.tasks.update().values(phase="running")), c.execute(s.charges.delete())))
    store = open_store(url)
    assert {fault.where for fault in verify(store)} == {"tasks", "charges"}
    rebuild(store)
    assert content(store) == before
    assert verify(store) == []


LOG_DAMAGE = {
    "a changed payload": (lambda c: _flip(c, 5), {("store_log_changed", "log[5]")}),
    "a changed time": (
        lambda c: c.execute(s.log.update().where(s.log.c.position == 6).values(at_us=0)),
        {("store_log_changed", "log[6]")},
    ),
    "a lost row": (
        lambda c: c.execute(s.log.delete().where(s.log.c.position == 7)),
        {("store_log_gap", "log[8]")},
    ),
    "a changed checksum": (
        lambda c: c.execute(s.log.update().where(s.log.c.position == 8).values(checksum=b"\1" * 32)),
        {("store_log_changed", "log[8]"), ("store_log_changed", "log[9]")},
    ),
    "a lost first row": (
        lambda c: c.execute(s.log.delete().where(s.log.c.position == 1)),
        {("store_log_gap", "log[2]")},
    ),
}


def _flip(connection: Connection, position: int) -> None:
    where = s.log.c.position == position
    payload = bytearray(connection.execute(select(s.log.c.payload).where(where)).scalar_one())
    payload[len(payload) // 2] ^= 1
    connection.execute(s.log.update().where(where).values(payload=bytes(payload)))


@pytest.mark.parametrize("damage", LOG_DAMAGE)
def test_damage_of_the_log_is_found_and_nothing_is_built_on_it(url, open_store, tmp_path, damage):
    change, expected = LOG_DAMAGE[damage]
    meddle(filled(open_store(url), count=20), change)
    store = open_store(url)
    before = content(store)
    assert {(fault.code, fault.where) for fault in verify(store)} == expected
    for use in (lambda: list(store.read()), lambda: rebuild(store), lambda: backup(store, tmp_path / "b.zip")):
        with pytest.raises(StoreError) as caught:
            use()
        assert caught.value.code == "store_damaged"
    assert content(store) == before
    assert list(tmp_path.glob("b.zip*")) == []


TABLE_DAMAGE = {
    "a changed row": (lambda c: c.execute(s.links.update().values(up=s.links.c.up.is_(False))), "links", "changed"),
    "a lost row": (lambda c: c.execute(s.tenants.delete().where(s.tenants.c.tenant == "beta")), "tenants", "missing"),
    "a row too many": (
        lambda c: c.execute(s.agent_cursors.insert().values(agent="zz", sequence=1, position=1)),
        "agent_cursors",
        "extra",
    ),
}


@pytest.mark.parametrize("damage", TABLE_DAMAGE)
def test_damage_of_a_table_is_found_and_named(url, open_store, damage):
    change, table, kind = TABLE_DAMAGE[damage]
    meddle(filled(open_store(url)), change)
    (fault,) = verify(open_store(url))
    assert (fault.code, fault.where, fault.params["kind"], fault.params["count"]) == (
        "store_projection",
        table,
        kind,
        1,
    )


def test_every_fault_of_verify_has_a_text():
    for code in ("store_log_gap", "store_log_changed", "store_log_unreadable", "store_projection"):
        assert has(f"fault.{code}")


def test_verify_reads_beside_a_writer(url, open_store):
    """A reader's verify sees one state, and the writer is not kept waiting."""
    store = filled(open_store(url), count=10)
    reader = open_store(url, read_only=True)
    with reader.frozen() as connection:
        seen = connection.execute(select(s.log.c.position)).all()
        store.append(History(77).submit("alpha"), START_US)
        assert connection.execute(select(s.log.c.position)).all() == seen
    assert verify(reader) == []
    assert reader.last_position() == 11


@pytest.fixture(params=[("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "sqlite")], ids="-to-".join)
def two_urls(request):
    return tuple(request.getfixturevalue(f"new_{engine}")() for engine in request.param)


@pytest.mark.postgres
def test_a_backup_carries_the_log_and_the_tables_to_either_engine(two_urls, open_store, tmp_path):
    first = filled(open_store(two_urls[0]))
    first.note_object("a" * 64, 5, "alpha")
    first.note_object("a" * 64, 5, "beta")
    first.put_secrets("task-1", {"TOKEN": "s3cret-value"})
    path = tmp_path / "grid.backup"
    made = backup(first, path)
    assert (made.batches, made.last_position, made.objects) == (120, 120, 1)
    second = open_store(two_urls[1])
    assert restore(second, path) == made
    assert list(second.read()) == list(first.read())
    assert content(second) == content(first)
    assert second.object_info("a" * 64).tenants == {"alpha", "beta"}
    assert second.tasks_with_secrets() == set()
    assert b"s3cret-value" not in path.read_bytes()
    second.append(History(98).submit("alpha"), START_US)
    assert verify(second) == []


def test_an_empty_store_can_be_backed_up(url, new_url, open_store, tmp_path):
    backup(open_store(url), tmp_path / "b")
    other = open_store(new_url())
    restore(other, tmp_path / "b")
    assert other.last_position() == 0


def test_a_backup_never_writes_over_a_file(url, open_store, tmp_path):
    path = tmp_path / "there"
    path.write_text("mine")
    with pytest.raises(StoreError) as caught:
        backup(open_store(url), path)
    assert caught.value.code == "backup_exists"
    assert path.read_text() == "mine"


def test_the_same_store_gives_the_same_backup(url, open_store, tmp_path):
    store = filled(open_store(url), count=5)
    backup(store, tmp_path / "a")
    backup(store, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_store_with_a_log_is_not_restored_over(url, open_store, tmp_path):
    store = filled(open_store(url), count=3)
    backup(store, tmp_path / "b")
    with pytest.raises(StoreError) as caught:
        restore(store, tmp_path / "b")
    assert caught.value.code == "store_not_empty"
    assert verify(store) == []


def _refused(path: Path, store: Store) -> str:
    with pytest.raises(StoreError) as caught:
        restore(store, path)
    assert store.last_position() == 0
    assert all(rows == [] for rows in content(store).values())
    return caught.value.code


def test_a_damaged_backup_is_refused_wherever_it_is_damaged(new_sqlite, open_store, tmp_path):
    whole = tmp_path / "whole"
    backup(filled(open_store(new_sqlite()), count=6), whole)
    data = whole.read_bytes()
    store = open_store(new_sqlite())
    path = tmp_path / "bad"
    with zipfile.ZipFile(whole) as archive:
        spans = [(info.header_offset + 30 + len(info.filename), info.file_size) for info in archive.infolist()]
    places = [start + size // 2 for start, size in spans if size]
    assert len(places) >= 2
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert _refused(path, store) == "backup_damaged"
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        assert _refused(path, store) == "backup_damaged"
    assert _refused(tmp_path / "none", store) == "backup_missing"
    restore(store, whole)
    assert store.last_position() == 6


def _rewrite(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)


FORGED = {
    "another version": (lambda n, d: d.replace(b'"version": 1', b'"version": 2'), "backup_newer"),
    "no manifest": (lambda n, d: None if n == "manifest.json" else d, "backup_damaged"),
    "no objects": (lambda n, d: None if n == "objects.ndjson" else d, "backup_damaged"),
    "another end": (lambda n, d: d.replace(b'"last_position": 6', b'"last_position": 5'), "backup_damaged"),
    "no json": (lambda n, d: b"\xff" if n == "manifest.json" else d, "backup_damaged"),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_backup_is_refused(new_sqlite, open_store, tmp_path, how):
    change, code = FORGED[how]
    backup(filled(open_store(new_sqlite()), count=6), tmp_path / "whole")
    _rewrite(tmp_path / "whole", tmp_path / "forged", change)
    assert _refused(tmp_path / "forged", open_store(new_sqlite())) == code
