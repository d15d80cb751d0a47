"""The tables follow the log: in the brain's process, and in one beside it when there is much to do."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.test_store_batches import Day

from suanwang.runtime import projecting as projecting_module
from suanwang.runtime.projecting import Projecting
from suanwang.store import Store
from suanwang.store.admin import verify

WITHIN_S = 60


def wait_for(true: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < until_s, "it does not come"
        time.sleep(0.02)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def test_much_is_projected_by_a_process_beside_the_brain(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projecting_module, "BESIDE_BYTES", 1_000)
    with Store(url) as store:
        store.inline_max = 3
        day = Day(store, 1)
        day.play()
        assert store.behind() > 8
        projecting = Projecting(store, url)
        projecting.start()
        wait_for(lambda: store.behind() == 0)
        assert projecting._beside is not None and verify(store) == []
        projecting._beside.kill()
        projecting._beside.wait()
        day.play(tasks=5)
        wait_for(lambda: store.behind() == 0)
        assert projecting._beside is None, "the thread goes on alone"
        assert verify(store) == []
        projecting.stop()


def test_little_is_projected_here(url: str) -> None:
    with Store(url) as store:
        projecting = Projecting(store, url)
        projecting.start()
        store.inline_max = 0
        Day(store, 1)  # adopts a grid and a tenant: one row
        wait_for(lambda: store.behind() == 0)
        assert projecting._beside is None
        projecting.stop()


def test_a_memory_store_has_no_process_beside_it() -> None:
    with Store("sqlite:///:memory:") as store:
        store.inline_max = 3
        Day(store, 1).play()
        projecting = Projecting(store, "sqlite:///:memory:")
        projecting.start()
        wait_for(lambda: store.behind() == 0)
        assert projecting._beside is None
        projecting.stop()


def test_a_fault_is_told_and_tried_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projecting_module, "AFTER_FAULT_S", 0.01)
    with Store(url) as store:
        store.inline_max = 0
        Day(store, 1)
        right, faults = store.project, [AssertionError("a row is not there"), OSError("no process")]
        monkeypatch.setattr(store, "project", lambda: (_ for _ in ()).throw(faults.pop()) if faults else right())
        projecting = Projecting(store, url)
        projecting.start()
        wait_for(lambda: store.behind() == 0)
        assert not faults
        projecting.stop()
