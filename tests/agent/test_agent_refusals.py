"""What the agent's own files refuse: a journal of another version, an object over the limit."""

import io
import sqlite3
from pathlib import Path

import pytest

from suanwang.agent.journal import SCHEMA_VERSION, Journal
from suanwang.agent.objects import LocalObjects
from suanwang.model.error import StoreError, TooLargeError


def test_a_journal_of_another_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal(str(path)).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    other.close()
    with pytest.raises(StoreError) as caught:
        Journal(str(path))
    assert caught.value.code == "journal_version"
    assert (caught.value.params["got"], caught.value.params["known"]) == (SCHEMA_VERSION + 1, SCHEMA_VERSION)


def test_an_object_over_the_limit_leaves_nothing_behind(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "objects", limit_bytes=10)
    assert objects.has(objects.put(io.BytesIO(b"0123456789")).blake3)
    before = sorted(path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    with pytest.raises(TooLargeError) as caught:
        objects.put(io.BytesIO(b"0123456789a"))
    assert caught.value.code == "object_too_large"
    assert sorted(path for path in (tmp_path / "objects").rglob("*") if path.is_file()) == before
