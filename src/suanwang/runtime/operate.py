"""What an operator does to a store while no brain uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suanwang import store as stores
from suanwang.model.error import FaultsError
from suanwang.runtime.settings import Settings


@contextmanager
def _open(settings: Settings) -> Iterator[stores.Store]:
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with stores.Store(settings.database_url, bring_up=False) as opened:
        yield opened


def rebuild(settings: Settings) -> int:
    """Make every projection again; the number of batches of the log."""
    with _open(settings) as store:
        return stores.rebuild(store)


def verify(settings: Settings) -> int:
    """Check the store; its last position. Raises FaultsError with everything that is wrong."""
    with _open(settings) as store:
        faults = stores.verify(store)
        if faults:
            raise FaultsError(faults, "store")
        return store.last_position()


def backup(settings: Settings, path: Path) -> tuple[int, int]:
    """Write a backup; its batches and records."""
    with _open(settings) as store:
        manifest = stores.backup(store, path)
        return manifest.batches, manifest.records


def restore(settings: Settings, path: Path) -> tuple[int, int]:
    """Fill an empty store; the batches and records of the backup."""
    with _open(settings) as store:
        manifest = stores.restore(store, path)
        return manifest.batches, manifest.records
