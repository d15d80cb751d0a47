"""A clerk of attempts whose files lie in a shared folder: staging, collecting, saving and the last word."""

from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from suanwang.agent.adapter import Update
from suanwang.agent.adapters.remote.attempt import Services, SharedAttempt, Stage
from suanwang.agent.adapters.remote.clerk import Clerk
from suanwang.agent.collect import Collected
from suanwang.agent.verdict import Verdict
from suanwang.model.event import EventKind

A = TypeVar("A", bound=SharedAttempt[Any, Any, Any])


class SharedClerk(Clerk[A]):
    """What is built on it says how work is handed in and watched."""

    def __init__(self, name: str, workers: int, tick_s: float, services: Services[Any, Any], grace_us: int) -> None:
        """`grace_us`: from asking work to write its checkpoint to ending it."""
        super().__init__(name, workers, tick_s, None)
        self._services: Services[Any, Any] = services
        self._grace_us = grace_us

    def _remove(self, attempt: A) -> None:
        folder, attempt_id = self._services.folder, attempt.order.attempt_id
        with suppress(OSError):
            folder.withdraw(attempt_id)

        def remove() -> None:
            with suppress(OSError):
                folder.forget(attempt_id)

        self._trash.submit(remove)

    def _write(self, attempt: A) -> None:
        self._services.folder.write_record(attempt.record)

    # Staging --------------------------------------------------------------------------------------------------

    def _stage(self, attempt: A) -> None:
        request, kept = attempt.order.request, attempt.order.kept
        attempt.stage = Stage.STAGING
        if request.inputs or (kept is not None and kept.files):
            attempt.post(EventKind.STAGING)
        self._work(attempt, attempt.stage_inputs, partial(self._staged, attempt), self._stagers)

    def _staged(self, attempt: A, found: object) -> None:
        if isinstance(found, Verdict):
            attempt.failure = (0, found)
            self._finish(attempt)
        elif attempt.stopped or not attempt.left:
            self._finish(attempt)
        else:
            attempt.stage = Stage.READY

    # Collecting -----------------------------------------------------------------------------------------------

    def _gather(self, attempt: A, index: int, verdict: Verdict) -> None:
        """Take in what an element that has ended leaves behind."""
        single, failed = attempt.order.request.array == 1, verdict.reason is not None
        if attempt.stopped or (failed and not single):
            self._work(attempt, partial(attempt.leave, index), lambda _: None)
            return
        if failed:
            self._work(attempt, partial(attempt.rescue, index), partial(self._kept, attempt, index))
            return
        if single and attempt.order.request.outputs:
            attempt.post(EventKind.COLLECTING)
        self._work(attempt, partial(attempt.collect, index), partial(self._kept, attempt, index))

    def _kept(self, attempt: A, index: int, found: object) -> None:
        assert isinstance(found, Collected | Verdict), "what collecting comes to"
        attempt.keep(index, found)

    def _save_now_and_then(self, attempt: A) -> None:
        request, now_us = attempt.order.request, self._services.monotonic()
        if (request.checkpoint is None and request.array == 1) or not attempt.elements or attempt.fails:
            return
        attempt.saved_us = attempt.saved_us or now_us
        if now_us - attempt.saved_us < attempt.saver.every_us or attempt.busy:
            return
        attempt.saved_us = now_us

        def save() -> None:
            attempt.saver.save_all()
            attempt.saver.tell()

        self._work(attempt, save, lambda _: None)

    def _parting(self, attempt: A) -> bool:
        """Whether it still has time to write its checkpoint."""
        if attempt.parting_us is None or attempt.order.request.checkpoint is None:
            return False
        return self._services.monotonic() - attempt.parting_us < self._grace_us

    # Ending ---------------------------------------------------------------------------------------------------

    def _finish(self, attempt: A) -> None:
        """The last word, once whatever is to be kept is told."""
        if attempt.stage is Stage.ENDED:
            return
        attempt.stage = Stage.ENDED
        last = attempt.last_word()
        if attempt.parting_us is not None or last["kind"] is EventKind.FAILED:
            attempt.saver.tell()
        attempt.log.close()
        update = Update(attempt.order.attempt_id, self._services.clock(), usage=attempt.usage(), **last)
        with suppress(OSError):
            self._services.folder.withdraw(attempt.order.attempt_id)
        self._note(attempt, last=update)
        if not attempt.forgotten:
            self._services.post(update)
