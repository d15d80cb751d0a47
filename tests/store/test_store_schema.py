"""The schema: migrations make what the code expects, on both engines; other versions and other databases are refused."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from suanwang.model.error import StoreError
from suanwang.store import Store, migrate
from suanwang.store.schema import metadata


def execute(store: Store, sql: str) -> None:
    with store._engines[0].begin() as connection:
        connection.exec_driver_sql(sql)


def test_the_migrations_make_the_schema_that_the_code_has(url, open_store):
    with open_store(url)._engines[0].connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_a_memory_store_has_the_same_schema_as_a_file(tmp_path, open_store):
    def shape(store: Store) -> set[tuple]:
        found = set()
        with store._engines[0].connect() as connection:
            for name, kind, sql in connection.exec_driver_sql("SELECT name, type, sql FROM sqlite_master").all():
                if name.startswith(("sqlite_", "alembic")) or "alembic" in name:
                    continue
                columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({name})").all()
                found.add((name, kind, tuple(columns), "WITHOUT ROWID" in (sql or ""), "WHERE" in (sql or "")))
        return found

    memory = shape(open_store("sqlite:///:memory:"))
    assert len(memory) > 25
    assert memory == shape(open_store(f"sqlite:///{tmp_path}/s.db"))


def test_the_revisions_are_those_of_the_folder():
    script = ScriptDirectory(str(migrate.FOLDER))
    walked = [one.revision for one in script.walk_revisions()]
    assert tuple(reversed(walked)) == migrate.REVISIONS
    assert script.get_current_head() == migrate.HEAD


def test_opening_again_migrates_nothing(url, open_store, monkeypatch):
    open_store(url).close()
    monkeypatch.setattr(migrate, "FOLDER", "/nowhere")
    open_store(url)


def test_a_newer_store_is_refused_and_stays_as_it_is(url):
    with Store(url) as store:
        execute(store, "UPDATE alembic_version SET version_num = '9999'")
    for read_only in (False, True):
        with pytest.raises(StoreError) as caught:
            Store(url, read_only=read_only)
        assert (caught.value.code, caught.value.params["got"]) == ("store_newer", "9999")


def test_a_reader_does_not_migrate(new_postgres):
    with pytest.raises(StoreError) as caught:
        Store(new_postgres(), read_only=True)
    assert caught.value.code == "store_older"


test_a_reader_does_not_migrate = pytest.mark.postgres(test_a_reader_does_not_migrate)


def test_a_database_of_something_else_is_not_touched(tmp_path):
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cats (name TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError) as caught:
        Store(f"sqlite:///{path}")
    assert (caught.value.code, caught.value.params["got"]) == ("store_foreign", "cats")
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("cats",)]
    connection.close()
