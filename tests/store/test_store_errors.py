"""What the world does to a store becomes a StoreError with a code and a text, never an engine's own error."""

import json
import re
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import pytest
from history import START_US, History

from suanwang import store as package
from suanwang.model.error import StoreError
from suanwang.store import Store, verify
from suanwang.store.connect import CODES, errors
from suanwang.texts import languages


def code_of(url: str, **more: bool) -> str:
    with pytest.raises(StoreError) as caught:
        Store(url, **more)
    return caught.value.code


@pytest.mark.parametrize("url", ["", "store.db", "mysql://host/db", "http://x", "sqlite+aiosqlite:///x", "sqlite:"])
def test_an_address_that_is_none_is_refused(url, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    if url == "sqlite:":  # SQLAlchemy reads it as a memory store; so do we
        Store(url + "//").close()
    else:
        assert code_of(url) == "store_url"


def test_a_password_does_not_reach_the_error():
    with pytest.raises(StoreError) as caught:
        Store("mysql://me:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_damaged_and_kept(tmp_path):
    path = tmp_path / "s.db"
    path.write_bytes(b"these are not the bytes of a database\n" * 500)
    before = path.read_bytes()
    assert code_of(f"sqlite:///{path}") == "store_damaged"
    assert path.read_bytes() == before


def test_a_file_whose_pages_are_overwritten_is_damaged(tmp_path):
    path = tmp_path / "s.db"
    with Store(f"sqlite:///{path}") as store:
        for at_us, records in History(1).batches(40):
            store.append(records, at_us)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    assert code_of(f"sqlite:///{path}") == "store_damaged"


def test_a_missing_folder_and_a_missing_file(tmp_path):
    assert code_of(f"sqlite:///{tmp_path}/no/folder/s.db") == "store_unreachable"
    assert code_of(f"sqlite:///{tmp_path}/s.db", read_only=True) == "store_missing"
    assert code_of("sqlite:///:memory:", read_only=True) == "store_memory"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(tmp_path):
    assert code_of(f"postgresql://me@/x?host={tmp_path}") == "store_unreachable"


def test_a_full_disk_keeps_nothing_of_the_batch_and_the_store_goes_on(tmp_path, open_store):
    """SQLite's page limit fails a write as a full disk does."""
    store = open_store(f"sqlite:///{tmp_path}/s.db")
    history = History(1)
    store.append(history.opening(), START_US)
    cursor = store._writer._cursor
    pages = cursor.execute("PRAGMA page_count").fetchone()[0]
    cursor.execute(f"PRAGMA max_page_count={pages + 5}").fetchall()
    road = [record for _ in range(200) for record in history.whole_road()]
    with pytest.raises(StoreError) as caught:
        store.append(road, START_US)
    assert caught.value.code == "store_full"
    assert store.last_position() == 1
    assert verify(store) == []
    cursor.execute("PRAGMA max_page_count=1000000").fetchall()
    assert store.append(road, START_US) == 2
    assert verify(store) == []


@pytest.mark.postgres
def test_a_lost_connection_is_a_store_error_and_loses_nothing(new_postgres, open_store):
    url = new_postgres()
    store = open_store(url)
    history = History(1)
    store.append(history.opening(), START_US)
    with store.reading() as connection:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert connection.exec_driver_sql(kill).all()
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            store.append(history.submit("alpha"), START_US)
        assert caught.value.code == "store_unreachable"
    store.close()
    again = open_store(url)
    assert again.last_position() == 1
    assert again.append(history.submit("alpha"), START_US) == 2


def test_a_table_that_is_gone_is_damage(url, open_store):
    store = open_store(url)
    with store._engines[0].begin() as connection:
        connection.exec_driver_sql("DROP TABLE links")
    with pytest.raises(StoreError) as caught:
        store.links()
    assert caught.value.code == "store_damaged"


def raised_codes() -> dict[str, set[str]]:
    """Every code that the package's source raises, with the parameters that it gives."""
    found: dict[str, set[str]] = {}
    for path in Path(package.__file__).parent.glob("*.py"):
        for code, rest in re.findall(
            r'StoreError\(\s*"(\w+)"((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)', path.read_text()
        ):
            found.setdefault(code, set()).update(re.findall(r"(\w+)=", rest))
    return found


def test_the_table_of_codes_is_whole():
    raised = raised_codes()
    assert len(raised) > 10
    assert set(raised) <= set(CODES)


@pytest.mark.parametrize("language", languages())
def test_every_code_has_a_text_whose_places_are_filled(language):
    folder = Path(package.__file__).parent.parent / "texts"
    texts = json.loads((folder / f"store.{language}.json").read_text("utf-8"))
    raised = raised_codes()
    for code in CODES:
        places = {name for _, name, _, _ in string.Formatter().parse(texts[f"error.{code}"]) if name}
        assert places <= raised.get(code, {"detail"}), code
    assert {key for key in texts if key.startswith("error.")} == {f"error.{code}" for code in CODES}


def test_a_database_that_another_keeps_busy_is_said_to_be_so(tmp_path):
    path = tmp_path / "busy.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as one:
        one.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(path, timeout=0)) as other, pytest.raises(StoreError) as caught, errors():
            other.execute("CREATE TABLE t (a)")
    assert caught.value.code == "store_busy"
