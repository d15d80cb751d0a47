"""The background optimiser: a thread beside the brain that looks for better plans for what has not begun.

Under the brain's lock: a copy of what stands, and the check and commit of each proposal. Without it: all the planning. A
fault in it is a line of the log and stops nobody.
"""

import threading
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

import structlog

from suanwang.model.plan import Plan
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.plan import Improver, PlanIds, Standing

PROPOSALS_MAX: Final = 8  # of one look

_log = structlog.get_logger("suanwang.optimise")


class OptimiseWatch:
    """One look every so many seconds; 0 seconds: never."""

    def __init__(
        self,
        every_s: int,
        look: Callable[[], tuple[Snapshot, list[Standing]]],
        commit: Callable[[Sequence[Plan]], bool],
        clock: Callable[[], int],
        ids: PlanIds,
    ) -> None:
        self._every_s, self._look, self._commit, self._clock, self._ids = every_s, look, commit, clock, ids
        self._improver: Improver | None = None
        self._index: GridIndex | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def make(self) -> int:
        """Look once; returns how many proposals were committed."""
        view, standing = self._look()
        if not standing:
            return 0
        if self._improver is None or self._index is not view.index:  # a site has joined
            self._improver, self._index = Improver(view.index), view.index
        found = self._improver.look(view, standing, self._clock, self._ids)
        return sum(self._commit(plans) for plans in islice(found, PROPOSALS_MAX))

    def start(self) -> None:
        if self._every_s and self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="optimise", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.make()
            except Exception as error:  # a plan that is not made better is still a plan
                _log.error("optimise_broke", exc_info=error)
