"""Who may run now: cores of the host, shared by every agent on it, and the share of each site; users of attempts.

A lock file a core and one a user number. The kernel drops a lock with its process, so a killed agent leaves
nothing taken.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from suanwang.agent.adapters.local.settings import SiteShare
from suanwang.agent.lock import try_lock
from suanwang.model.ids import SiteId

# Between two looks for a free core: other agents give no sign when they free one. Who is not next only looks for a stop.
WAIT_NEXT_S: Final = 0.02
WAIT_BEHIND_S: Final = 0.2


@dataclass(slots=True, eq=False)  # two that ask for the same are still two in the queue
class Slot:
    """What one element holds while it runs."""

    site: SiteId
    cores: int
    locks: list[int] = field(default_factory=list)


class Slots:
    """Cores in order of asking. A site at its share lets others pass; a full host lets nobody pass."""

    def __init__(self, folder: Path, cores: int, shares: Mapping[SiteId, SiteShare]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._cores = cores
        self._shares = shares
        self._used: dict[SiteId, int] = {}
        self._queue: list[Slot] = []
        self._changed = threading.Condition(threading.RLock())

    def room(self, site: SiteId) -> int:
        """Cores that the site may use at once."""
        share = self._shares.get(site)
        return self._cores if share is None else max(1, min(share.cores, self._cores))

    def acquire(self, site: SiteId, cores: int, stopped: Callable[[], bool]) -> Slot | None:
        """Wait for `cores` (at most the site's room). None when `stopped`."""
        slot = Slot(site, max(1, min(cores, self.room(site))))
        with self._changed:
            self._queue.append(slot)
            try:
                while not stopped():
                    if not self._is_next(slot):
                        self._changed.wait(WAIT_BEHIND_S)
                    elif self._take(slot):
                        return slot
                    else:
                        self._changed.wait(WAIT_NEXT_S)
            finally:
                self._queue.remove(slot)
                self._changed.notify_all()
        return None

    def _is_next(self, slot: Slot) -> bool:
        """True where no earlier one could go, and its own site has room."""
        return slot is next((waiting for waiting in self._queue if self._fits(waiting)), None)

    def _take(self, slot: Slot) -> bool:
        for number in range(self._cores):
            held = try_lock(self._folder / f"core-{number}")
            if held is not None:
                slot.locks.append(held)
            if len(slot.locks) == slot.cores:
                self._used[slot.site] = self._used.get(slot.site, 0) + slot.cores
                return True
        _free(slot)
        return False

    def _fits(self, slot: Slot) -> bool:
        return self._used.get(slot.site, 0) + slot.cores <= self.room(slot.site)

    def release(self, slot: Slot) -> None:
        with self._changed:
            self._used[slot.site] -= slot.cores
            _free(slot)
            self._changed.notify_all()


def _free(slot: Slot) -> None:
    for descriptor in slot.locks:
        os.close(descriptor)
    slot.locks.clear()


class Users:
    """User numbers, one an attempt, never two at once on the host."""

    def __init__(self, folder: Path, base: int, count: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._base, self._count = folder, base, count
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> tuple[int, int]:
        """A free user number, and the descriptor that holds it. Raises OSError where all are taken."""
        with self._lock:
            for step in range(self._count):
                number = self._base + (self._next + step) % self._count
                held = try_lock(self._folder / f"user-{number}")
                if held is not None:
                    self._next = number - self._base + 1
                    return number, held
        raise OSError(f"all {self._count} user numbers are taken")
