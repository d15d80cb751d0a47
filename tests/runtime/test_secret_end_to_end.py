"""A secret from its submission to the end of its task, on a real brain with the sandbox: it is nowhere but in the task."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.client import Client
from suanwang.grids import dump_grid
from suanwang.model.grid import PriceBook
from suanwang.model.record import RECORDS, Phase
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings
from suanwang.store import Store

VALUE = "correct-horse-battery-staple-8461"
SHOWN = "the word is"
TASK = {
    "run": f'echo "{SHOWN} $TOKEN"; test -n "$TOKEN"; exit $?',
    "secrets": ["TOKEN"],
    "resources": {"wall_time": "30 s", "memory": "64 MiB", "disk": "64 MiB"},
}

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


def settings_of(tmp_path: Path) -> Settings:
    file = tmp_path / "grid.yaml"
    site = site_of("here", [general("here", memory=2**30)])
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    return Settings(home=tmp_path / "home", grid=str(file), port=0)


def test_safety_a_secret_is_in_no_answer_no_log_and_no_file_after_the_end(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with serving(settings) as here, Client(here.url, here.key) as client:
        task = client.submit(TASK, secrets={"TOKEN": VALUE})
        ended = client.wait(task.task_id, timeout_s=60)
        assert ended.phase is Phase.SUCCEEDED
        log = b"".join(client.logs(task.task_id)).decode()
        assert f"{SHOWN} ***" in log
        answers = log + client.explain(task.task_id).model_dump_json() + ended.model_dump_json()
    assert VALUE not in answers
    with Store(settings.database_url) as store:
        records = b"".join(RECORDS.dump_json(batch) for _, batch in store.read())
    assert VALUE.encode() not in records
    with closing(sqlite3.connect(settings.home / "store.db")) as database:
        assert VALUE not in "\n".join(database.iterdump())
    holding = [path for path in settings.home.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]
    assert holding == []
