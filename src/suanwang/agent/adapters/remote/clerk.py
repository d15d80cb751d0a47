"""The clerk: the one thread that changes attempts. It takes what the adapter and its workers hand in, and has its turns."""

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import structlog

from suanwang.agent.adapter import StartOrder
from suanwang.agent.beneath import OutsideError
from suanwang.agent.logfile import LogFile
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason

_DETAIL_CHARS = 500
_log = structlog.get_logger("suanwang.agent")


class Attempted(Protocol):
    """What the clerk asks of an attempt."""

    order: StartOrder
    log: LogFile
    record: Any  # a frozen dataclass: what of it outlives this process
    forgotten: bool
    closing: bool  # this process ends: what it downloads is not waited for
    busy: int  # jobs of the workers that are not back yet


A = TypeVar("A", bound=Attempted)


class Clerk(ABC, Generic[A]):
    """Runs from `start` to `close`. Everything else hands in work by `call`."""

    def __init__(self, name: str, workers: int, tick_s: float, idle_s: float | None) -> None:
        """`tick_s`: between two turns while there is something to do; `idle_s`: while there is not, None: no turns."""
        self._tick_s, self._idle_s = tick_s, idle_s
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._attempts: dict[AttemptId, A] = {}
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix=f"{name}-")
        # Apart: slow downloads must not keep ended work from its end, nor must the trees that work leaves behind.
        self._stagers = ThreadPoolExecutor(workers, thread_name_prefix=f"{name}-stage-")
        self._trash = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-trash-")
        self._thread = threading.Thread(target=self._run, name=f"{name}-clerk", daemon=True)
        self._unwritten: dict[AttemptId, A] = {}  # whose records the folder did not take
        self.failed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def call(self, work: Callable[[], None]) -> None:
        """Have something done on the clerk's thread."""
        self._inbox.put(work)

    def close(self) -> None:
        """Have no more turns, and wait for the workers."""
        self._inbox.put(None)
        self._thread.join()
        for attempt in self._attempts.values():
            attempt.closing = True
        self._stopped()
        for pool in (self._stagers, self._workers, self._trash):
            pool.shutdown(wait=True, cancel_futures=True)
        for attempt in self._attempts.values():
            attempt.log.close()

    # What a backend's clerk says ------------------------------------------------------------------------------

    @abstractmethod
    def _turn(self) -> None: ...

    @abstractmethod
    def _is_idle(self) -> bool:
        """Nothing is to be done before somebody hands something in."""

    @abstractmethod
    def _remove(self, attempt: A) -> None:
        """Take away what is left of a forgotten attempt."""

    @abstractmethod
    def _write(self, attempt: A) -> None:
        """Write its record. Raises OSError."""

    def _begun(self) -> None:
        """First thing on the thread."""

    def _stopped(self) -> None:
        """The thread has ended, the workers have not."""

    def _came_back(self, attempt: A) -> None:
        """A job of the workers is back, and what it came to is taken in."""

    # The thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._begun()
            while self._hear():
                self._turn()
        except BaseException as fault:
            self.failed = fault
            raise

    def _hear(self) -> bool:
        """Do what was handed in; False at the end."""
        try:
            work = self._inbox.get(timeout=self._idle_s if self._is_idle() else self._tick_s)
            while work is not None:
                work()
                work = self._inbox.get_nowait()
        except queue.Empty:
            return True
        return False

    # Records --------------------------------------------------------------------------------------------------

    def _note(self, attempt: A, **changes: object) -> None:
        """Keep it; a folder that is full or away gets it later."""
        attempt.record = replace(attempt.record, **changes)
        try:
            self._write(attempt)
        except OSError:
            self._unwritten[attempt.order.attempt_id] = attempt
        else:
            self._unwritten.pop(attempt.order.attempt_id, None)

    def _note_again(self) -> None:
        """What the folder did not take."""
        for attempt in list(self._unwritten.values()):
            self._note(attempt)

    # Workers --------------------------------------------------------------------------------------------------

    def _work(
        self,
        attempt: A,
        work: Callable[[], object],
        then: Callable[[object], None],
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Have a worker do it, and go on with what it came to, or with the verdict on its fault, on this thread."""
        attempt.busy += 1

        def run() -> None:
            found: object
            try:
                found = work()
            except (BackendError, OSError, OutsideError) as fault:
                found = of_fault(fault)
            except Exception as fault:
                found = of_surprise(fault, attempt.order.attempt_id)
            except BaseException as fault:
                self.call(partial(_raise, fault))
                raise
            self.call(partial(self._done, attempt, then, found))

        (pool or self._workers).submit(run)

    def _done(self, attempt: A, then: Callable[[object], None], found: object) -> None:
        attempt.busy -= 1
        if attempt.forgotten:
            self._remove(attempt)  # what the worker has made since
            return
        then(found)
        self._came_back(attempt)


def of_fault(fault: BackendError | OSError | OutsideError) -> Verdict:
    """What came in the way of an attempt, before its work or after it."""
    if isinstance(fault, BackendError):
        return Verdict(fault.reason, detail=fault.detail)
    return Verdict(FailureReason.BACKEND, detail=str(fault))


def of_surprise(fault: Exception, attempt_id: AttemptId) -> Verdict:
    """A fault of the adapter's own, or of an answer that it did not expect: it ends one attempt and not the others."""
    _log.error("adapter_surprised", attempt_id=attempt_id, exc_info=fault)
    detail = f"the adapter failed on it: {type(fault).__name__}: {fault}"
    return Verdict(FailureReason.BACKEND, detail=detail.encode("utf-8", "replace").decode()[:_DETAIL_CHARS])


def _raise(fault: BaseException) -> None:
    raise fault
