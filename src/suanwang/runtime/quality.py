"""How good the brain's rounds of planning are, proven beside it: a thread that takes a round now and then.

The brain hands over what it has anyway (asks, plans) and what its pools held before; the rest is done without its lock.
The thread rests nineteen times as long as it worked, so it never takes more than a twentieth of a core from the brain;
rounds that come meanwhile are counted and not looked at. Nothing decides by the answer, so nothing of it is logged.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from suanwang.model.scarcity import RoundGap
from suanwang.plan import Round
from suanwang.runtime import clock as real_clock

if TYPE_CHECKING:
    from suanwang.guide.rounds import Prices, RoundProver

RESTS: Final = 19  # seconds of rest a second of work

_log = structlog.get_logger("suanwang.quality")


class QualityWatch:
    """The gap of the last round that was looked at. `wants` and `take` are called under the brain's lock."""

    def __init__(self, is_on: bool, prices: Callable[[], "Prices | None"], clock: Callable[[], int]) -> None:
        self._is_on, self._prices, self._clock = is_on, prices, clock
        self._latest: RoundGap | None = None
        self._rounds = self._proven = 0
        self._taken: Round | None = None
        self._rest_until_s = 0.0
        self._news = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._prover: RoundProver | None = None

    def wants(self) -> bool:
        self._rounds += 1
        return self._is_on and self._taken is None and real_clock.monotonic_s() >= self._rest_until_s

    def take(self, done: Round) -> None:
        self._taken = done
        self._news.set()

    def latest(self) -> RoundGap | None:
        """The gap, how old it is, and how many rounds were looked at; None where none was yet."""
        found = self._latest  # the thread replaces it whole
        if found is None:
            return None
        age_us = max(0, self._clock() - found.made_us)
        return found.model_copy(update={"age_us": age_us, "rounds": self._rounds, "proven": self._proven})

    def make(self) -> RoundGap | None:
        """Work out the gap of the round that was taken, if there is one."""
        # As late as the solver. The package itself: two threads that import parts of it at once get halves of it.
        from suanwang.guide import RoundProver

        done = self._taken
        if done is None:
            return None
        try:
            self._prover = self._prover or RoundProver()
            found = self._prover.prove(done, self._prices())
        finally:
            self._taken = None
        self._proven += 1
        if found.looked_at or self._latest is None:  # a round of nothing to prove says nothing
            self._latest = found
        return found

    def start(self) -> None:
        if self._is_on and self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="quality", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _loop(self) -> None:
        while True:
            self._news.wait()
            if self._stopping:
                return
            self._news.clear()
            began_s = real_clock.monotonic_s()
            try:
                self.make()
            except Exception as error:  # a proof that is missing stops nobody
                _log.error("quality_broke", exc_info=error)
            ended_s = real_clock.monotonic_s()
            self._rest_until_s = ended_s + RESTS * (ended_s - began_s)
