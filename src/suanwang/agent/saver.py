"""What an attempt keeps for the next one: the checkpoint of each element, and which elements of an array are done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from suanwang.agent.adapter import StartOrder
from suanwang.agent.collect import collect
from suanwang.agent.logfile import LogFile
from suanwang.agent.objects import ObjectStore
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind, Kept, OutputFile
from suanwang.model.ranges import Ranges, ranges_of
from suanwang.model.reason import FailureReason
from suanwang.model.task import CHECKPOINT_EVERY_US, Output

DONE_EVERY_US: Final = 5_000_000  # an array without a checkpoint tells which elements are done
CHECKPOINT_FILES_MAX: Final = 1_000  # they all travel in one event, and again with the next

Opened = Callable[[], AbstractContextManager[int]]  # opens the folder that an element works in


class Saver:
    """Of one attempt. `post` takes the kind and the facts of an update."""

    def __init__(self, order: StartOrder, objects: ObjectStore, log: LogFile, post: Callable[..., None]) -> None:
        kept = order.kept or Kept()
        self._request = order.request
        self._objects = objects
        self._log = log
        self._post = post
        self._lock = threading.Lock()
        self._done: Ranges = kept.done
        self._files: dict[int, tuple[OutputFile, ...]] = {}
        for file in kept.files:
            index = int(file.path.partition("/")[0]) if order.request.array > 1 else 0
            self._files[index] = (*self._files.get(index, ()), file)
        self._at_work: dict[int, tuple[Opened, threading.Lock]] = {}
        self._news: list[OutputFile] = []  # of elements that are done, not told yet
        self._told = self._now()
        self._complained = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> Ranges:
        """The elements that need not be run."""
        return self._done

    def _now(self) -> Kept:
        return Kept(done=self._done, files=tuple(file for index in sorted(self._files) for file in self._files[index]))

    # Now and then ---------------------------------------------------------------------------------------------

    def begin(self, name: str) -> None:
        """Look now and then from here on, where there is anything to keep."""
        if self._request.checkpoint is not None or self._request.array > 1:
            self._thread = threading.Thread(target=self._run, name=f"{name}-saver", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def every_us(self) -> int:
        """How long between two looks."""
        if self._request.checkpoint is None:
            return DONE_EVERY_US
        return self._request.checkpoint_every or CHECKPOINT_EVERY_US

    def _run(self) -> None:
        while not self._over.wait(self.every_us / 1e6):
            self.save_all()
            self.tell()

    # Elements -------------------------------------------------------------------------------------------------

    @contextmanager
    def watching(self, index: int, opened: Opened) -> Iterator[None]:
        """An element is at work in its folder. Nobody looks into it any more when this is over."""
        self.watch(index, opened)
        try:
            yield
        finally:
            self.unwatch(index)

    def watch(self, index: int, opened: Opened) -> None:
        """An element is at work from here on, until `unwatch`."""
        self._at_work[index] = (opened, threading.Lock())

    def unwatch(self, index: int) -> None:
        """Nobody looks into the folder of the element any more when this returns."""
        _, busy = self._at_work[index]
        with busy:
            del self._at_work[index]

    def save_all(self) -> None:
        """Collect the checkpoints of all that is at work."""
        for index in list(self._at_work):
            self.save(index)

    def save(self, index: int) -> None:
        """Collect the checkpoint of an element as it is now. One that cannot be taken leaves the one before."""
        found = self._at_work.get(index)
        if self._request.checkpoint is None or found is None:
            return
        opened, busy = found
        with busy:
            if index not in self._at_work:
                return
            try:
                files = self._collected(index, opened)
            except BackendError as fault:
                self._complain(fault)
                return
        with self._lock:
            self._files[index] = files

    def _collected(self, index: int, opened: Opened) -> tuple[OutputFile, ...]:
        request = self._request
        assert request.checkpoint is not None, "asked only where the task has one"
        prefix = "" if request.array == 1 else f"{index}/"
        with opened() as folder:
            wanted = (Output(path=request.checkpoint),)
            found = collect(folder, wanted, self._objects, request.resources.disk, prefix)
        if len(found.files) > CHECKPOINT_FILES_MAX:
            raise BackendError(FailureReason.OUTPUT_FORBIDDEN, f"a checkpoint has {CHECKPOINT_FILES_MAX} files at most")
        return tuple(found.files)

    def _complain(self, fault: BackendError) -> None:
        """Into the log of the task, once. That there is none yet is no fault."""
        if not self._complained and fault.reason is not FailureReason.OUTPUT_MISSING:
            self._complained = True
            self._log.write(f"[checkpoint not kept: {fault.detail}]\n".encode())

    def finished(self, index: int, outputs: list[OutputFile]) -> None:
        """An element of an array is done: it need not be run again, and its checkpoint says nothing any more."""
        with self._lock:
            self._done = ranges_of([index], self._done)
            self._files.pop(index, None)
            self._news += outputs

    def tell(self) -> None:
        """An update, where there is something new to keep."""
        with self._lock:
            now, news = self._now(), tuple(self._news)
            if now == self._told:
                return
            self._told, self._news = now, []
            facts: dict[str, Any] = {"outputs": news, "kept": now}
            self._post(EventKind.CHECKPOINT, **facts)
