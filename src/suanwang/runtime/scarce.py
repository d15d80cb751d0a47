"""What is scarce, computed beside the brain: a thread that looks under the brain's lock and solves without it.

Nothing decides by its answer, so nothing of it is logged; after a restart it is simply made again.
"""

import threading
from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from suanwang.admission.admit import with_defaults
from suanwang.model.scarcity import Scarcity, ScarcityState
from suanwang.model.snapshot import Snapshot
from suanwang.observe.resume import rest_of
from suanwang.observe.state import State, Task
from suanwang.plan import PlanAsk
from suanwang.runtime import clock as real_clock

if TYPE_CHECKING:
    from suanwang.guide.rounds import Prices

READ_MAX: Final = 20_000  # tasks that are looked at under the lock: a few milliseconds
CAME_US: Final = 600_000_000  # "lately"
LOOK_S: Final = 2.0  # how soon the first tasks after a rest are noticed

_log = structlog.get_logger("suanwang.scarce")


class Sight(NamedTuple):
    """What was seen under the lock, as copies."""

    snapshot: Snapshot | None  # None: there is no task to ask for
    waiting: tuple[PlanAsk, ...]
    came: tuple[PlanAsk, ...]
    unread: int
    at_us: int


def sight_of(state: State, copied: Callable[[], Snapshot], now_us: int) -> Sight:
    """The tasks that may run now and wait, and those that came lately and have a plan. The caller holds the lock."""
    places = (state.queue, state.blocked, state.paused)
    waiting = _asks(islice(chain.from_iterable(one.values() for one in places), READ_MAX), now_us)
    came: list[Task] = []
    for task in islice(reversed(state.live.values()), READ_MAX):
        if task.submitted_us < now_us - CAME_US:
            break
        if task.plan is not None:
            came.append(task)
    some = bool(waiting or came)
    unread = max(0, sum(len(one) for one in places) - READ_MAX)
    return Sight(copied() if some else None, waiting, _asks(came, now_us), unread, now_us)


def _asks(tasks: Iterable[Task], now_us: int) -> tuple[PlanAsk, ...]:
    return tuple(
        PlanAsk(task.task_id, task.tenant, rest_of(task.request, task.resume))
        for task in tasks
        if task.request is not None and (task.request.earliest_start or 0) <= now_us
    )


class ScarcityWatch:
    """The latest answer, made anew every so many seconds while something waits or comes; 0 seconds: never."""

    def __init__(self, every_s: int, look: Callable[[], Sight], clock: Callable[[], int]) -> None:
        self._every_s, self._look, self._clock = every_s, look, clock
        state = ScarcityState.NOT_YET if every_s else ScarcityState.OFF
        self._latest = Scarcity(state=state, made_us=clock(), every_s=every_s)
        self.prices: Prices | None = None  # the latest there were
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def latest(self) -> Scarcity:
        """The latest answer and how old it is."""
        found = self._latest  # a thread replaces it whole
        return found.model_copy(update={"age_us": max(0, self._clock() - found.made_us)})

    def make(self) -> Scarcity:
        """Make it now."""
        # The solver takes its time to load. The package itself: two threads that import parts of it get halves.
        from suanwang.guide import priced_scarcity

        sight = self._look()
        now_us = sight.at_us
        if sight.snapshot is None:
            found = Scarcity(state=ScarcityState.IDLE, made_us=now_us)
        else:
            index = sight.snapshot.index
            waiting, came = (
                [PlanAsk(one.task_id, one.tenant, with_defaults(one.request, index)) for one in asks]
                for asks in (sight.waiting, sight.came)
            )
            found, prices = priced_scarcity(sight.snapshot, waiting, came, now_us)
            self.prices = prices or self.prices
        unread = found.unread + sight.unread
        self._latest = found.model_copy(update={"every_s": self._every_s, "unread": unread})
        return self._latest

    def start(self) -> None:
        if self._every_s and self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="scarcity", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _loop(self) -> None:
        next_s = 0.0
        while not self._stop.wait(LOOK_S):
            if real_clock.monotonic_s() < next_s:
                continue
            try:
                resting = self.make().state is ScarcityState.IDLE
            except Exception as error:  # an answer that is missing stops nobody
                _log.error("scarcity_broke", exc_info=error)
                resting = False
            # While nothing is asked for a look is cheap: the first task is noticed at once.
            next_s = 0.0 if resting else real_clock.monotonic_s() + self._every_s
