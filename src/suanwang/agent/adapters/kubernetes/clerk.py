"""The clerk: the one thread that changes attempts.

It takes what the adapter, its workers and the mirror hand in, brings the Jobs of each attempt to the server, looks at what the
mirror shows of them, and draws the conclusions. While the server does not answer, it draws none.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from suanwang.agent.adapter import Update
from suanwang.agent.adapters.kubernetes import gang, script
from suanwang.agent.adapters.kubernetes.api import AwayError
from suanwang.agent.adapters.kubernetes.attempt import Attempt, Pause, Services, Stage
from suanwang.agent.adapters.kubernetes.cluster import Cluster
from suanwang.agent.adapters.kubernetes.look import Look
from suanwang.agent.adapters.kubernetes.verdict import of_fault, refused
from suanwang.agent.beneath import OutsideError
from suanwang.agent.collect import Collected
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason

TICK_S: Final = 0.05  # between two looks at the agent's own clock while there is something to do
WORKERS: Final = 4  # that stage, collect and save
DELETE_AGAIN_US: Final = 5_000_000


class Clerk:
    """Runs from `start` to `close`. Everything else hands in work by `call`."""

    def __init__(self, services: Services, cluster: Cluster) -> None:
        self._services = services
        self._cluster = cluster
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._attempts: dict[AttemptId, Attempt] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="kubernetes-")
        # Apart: slow downloads must not keep ended work from its end, nor must the trees that work leaves behind.
        self._stagers = ThreadPoolExecutor(WORKERS, thread_name_prefix="kubernetes-stage-")
        self._trash = ThreadPoolExecutor(1, thread_name_prefix="kubernetes-trash-")
        self._unwritten: dict[AttemptId, Attempt] = {}  # whose records the folder did not take
        self._thread = threading.Thread(target=self._run, name="kubernetes-clerk", daemon=True)
        self._changed: set[str] = set()  # attempts of which the mirror has something new
        self._sweep_us = 0  # before this, what nobody knows is not looked for again
        self._all_us = 0  # before this, only attempts with something new are looked at
        self._pause = Pause()  # of everything, while the server is not reached
        self.failed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def call(self, work: Callable[[], None]) -> None:
        """Have something done on the clerk's thread."""
        self._inbox.put(work)

    def changed(self, attempt: str) -> None:
        """The mirror has something new of an attempt."""
        self._inbox.put(partial(self._changed.add, attempt))

    def close(self) -> None:
        """Stop looking. What the cluster has, it keeps."""
        self._inbox.put(None)
        self._thread.join()
        for attempt in self._attempts.values():
            attempt.closing = True
        for pool in (self._stagers, self._workers, self._trash):
            pool.shutdown(wait=True, cancel_futures=True)
        for attempt in self._attempts.values():
            attempt.log.close()

    # The thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._hear():
                self._turn()
        except BaseException as fault:
            self.failed = fault
            raise

    def _hear(self) -> bool:
        """Do what was handed in; False at the end."""
        idle = all(one.stage is Stage.ENDED for one in self._attempts.values())
        pause_s = max(TICK_S, self._services.settings.poll_us / 1e6) if idle else TICK_S
        try:
            work = self._inbox.get(timeout=pause_s)
            while work is not None:
                work()
                work = self._inbox.get_nowait()
        except queue.Empty:
            return True
        return False

    def _turn(self) -> None:
        now_us = self._services.monotonic()
        for attempt in list(self._unwritten.values()):
            self._note(attempt)
        everything, changed = now_us >= self._all_us, self._changed
        self._changed = set()
        if everything:
            self._all_us = now_us + self._services.settings.poll_us
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.WAITING and attempt.order.not_before_us <= self._services.clock():
                self._stage(attempt)
            elif attempt.stage is Stage.READY and now_us >= attempt.lookups_us:
                self._asking(partial(self._submit, attempt), attempt)
            elif attempt.stage is Stage.QUEUED:
                self._watch_time(attempt, now_us)
                if everything or attempt.order.attempt_id in changed:
                    self._asking(partial(self._look, attempt), attempt)
        if now_us >= self._sweep_us:
            self._sweep_us = now_us + self._services.settings.poll_us
            self._asking(self._sweep)

    def _asking(self, work: Callable[[], None], attempt: Attempt | None = None) -> None:
        """Do what asks the server. One that is away is asked less and less often, and nothing is concluded meanwhile. What
        it does not do for one attempt, or what is wrong with that, is of that attempt alone."""
        now_us = self._services.monotonic()
        own = attempt.pause if attempt is not None else self._pause
        if now_us < max(self._pause.until_us, own.until_us):
            return
        shortest_us = self._services.settings.poll_us
        try:
            work()
        except AwayError as fault:
            (self._pause if fault.unreached else own).grow(now_us, shortest_us)
        except Exception as fault:
            if attempt is None:
                raise
            own.grow(now_us, shortest_us)
            self._faulty(attempt, fault)
        else:
            self._pause.clear()
            own.clear()

    def _faulty(self, attempt: Attempt, fault: Exception) -> None:
        """It cannot be gone on with: it fails, and what the cluster may have of it is taken away first."""
        if isinstance(fault, BackendError | OSError | OutsideError):
            verdict = of_fault(fault)
        else:
            verdict = Verdict(FailureReason.BACKEND, detail=f"{type(fault).__name__}: {fault}"[:500])
        if attempt.failure is None:
            attempt.failure = (attempt.parts[0].index, verdict)
        if attempt.stage in (Stage.STAGING, Stage.READY):
            self._finish(attempt)

    # Orders ---------------------------------------------------------------------------------------------------

    def add(self, attempt: Attempt) -> None:
        if attempt.forgotten:
            return
        self._attempts[attempt.order.attempt_id] = attempt
        if attempt.record.turn and attempt.stage is Stage.WAITING:
            attempt.stage = Stage.QUEUED

    def stop(self, attempt_id: AttemptId, parting: bool) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.stage is Stage.ENDED or attempt.stopped:
            return
        if parting:
            attempt.parting_us = self._services.monotonic()
        attempt.stopped = True
        if attempt.stage in (Stage.WAITING, Stage.READY):
            self._finish(attempt)
        elif attempt.stage is Stage.QUEUED:
            self._asking(partial(self._end_jobs, attempt), attempt)

    def forget(self, attempt: Attempt) -> None:
        """Its folder goes; what the cluster has of it is found by the sweep, and deleted."""
        self._attempts.pop(attempt.order.attempt_id, None)
        attempt.stopped = True
        attempt.log.close()
        self._unwritten.pop(attempt.order.attempt_id, None)
        self._sweep_us = 0
        self._remove(attempt)

    def _remove(self, attempt: Attempt) -> None:
        def remove() -> None:
            with suppress(OSError):
                self._services.folder.forget(attempt.order.attempt_id)

        self._trash.submit(remove)

    # Staging and submitting -----------------------------------------------------------------------------------

    def _stage(self, attempt: Attempt) -> None:
        request, kept = attempt.order.request, attempt.order.kept
        attempt.stage = Stage.STAGING
        if request.inputs or (kept is not None and kept.files):
            attempt.post(EventKind.STAGING)
        self._work(attempt, attempt.stage_inputs, partial(self._staged, attempt), self._stagers)

    def _staged(self, attempt: Attempt, found: object) -> None:
        if isinstance(found, Verdict):
            attempt.failure = (0, found)
            self._finish(attempt)
        elif attempt.stopped or not attempt.left:
            self._finish(attempt)
        else:
            attempt.stage = Stage.READY

    def _submit(self, attempt: Attempt) -> None:
        """Say in the record that it is tried, and then bring its Jobs to the server, for as long as it takes. A gang is
        tried only where all of it would stand now."""
        if (
            attempt.is_gang
            and not attempt.shape.indexed
            and not self._cluster.has_room(attempt, self._attempts.values())
        ):
            attempt.lookups_us = self._services.monotonic() + self._services.settings.poll_us
            return
        order, folder = attempt.order, self._services.folder
        path = ":".join((*self._services.settings.path, "/usr/local/sbin"))
        try:
            folder.put(order.attempt_id, script.WORK_FILE, script.work_script(order, path))
            folder.put(order.attempt_id, script.JOB_FILE, script.job_script(order))
            parts = [(part.index, part.rank) for part in attempt.parts]
            folder.put(order.attempt_id, script.PARTS_FILE, script.parts_text(parts))
            text = getattr(order.request.run, "script", None)
            if text is not None:
                folder.put(order.attempt_id, "script.py", text.encode())
            attempt.record = replace(attempt.record, turn=attempt.record.turn + 1, uids={})
            folder.write_record(attempt.record)
        except (OSError, BackendError, OutsideError) as fault:
            attempt.failure = (0, of_fault(fault))
            self._finish(attempt)
            return
        attempt.stage, attempt.admitted, attempt.waits_us = Stage.QUEUED, False, None
        self._look(attempt)

    def _note(self, attempt: Attempt, **changes: object) -> None:
        """Keep it; a folder that is full or away gets it later."""
        attempt.record = replace(attempt.record, **changes)  # type: ignore[arg-type]  # fields by their names
        try:
            self._services.folder.write_record(attempt.record)
        except OSError:
            self._unwritten[attempt.order.attempt_id] = attempt
        else:
            self._unwritten.pop(attempt.order.attempt_id, None)

    # Looking --------------------------------------------------------------------------------------------------

    def _look(self, attempt: Attempt) -> None:
        """Bring to the server what it lacks, and read what it shows. Raises AwayError."""
        if not self._cluster.mirror.complete:
            fault = self._cluster.mirror.fault
            if fault is None or attempt.record.uids:
                raise AwayError("the mirror has not been filled yet")
            attempt.failure = (attempt.parts[0].index, refused(fault.message))  # we may not see what we would make
            self._finish(attempt)
            return
        before = attempt.record
        look = Look(attempt, self._cluster, self._attempts.values())
        try:
            look.take()
        finally:
            if attempt.record is not before:
                self._note(attempt)
        for number, ending in look.ended:
            self._end(attempt, number, attempt.end(number, ending))
        for number, part in enumerate(attempt.parts):
            if part.began and not part.over:
                attempt.pump(number)
        attempt.tell_progress()
        self._save_now_and_then(attempt)
        if look.take_back:
            self._take_back(attempt)
            return
        attempt.job_over = all(part.over for part in attempt.parts)
        if attempt.fails and look.left_over:
            self._end_jobs(attempt)
        elif attempt.job_over and attempt.busy == 0:
            self._settle(attempt)
        if look.unfinished:
            self._changed.add(attempt.order.attempt_id)

    def _take_back(self, attempt: Attempt) -> None:
        """Not all of a gang came to stand: none of it has begun, and it waits again for room."""
        self._cluster.delete(attempt, grace_s=0)
        attempt.stage = Stage.READY
        settings = self._services.settings
        pause_us = gang.pause_us(attempt.order.attempt_id, attempt.record.turn, settings.poll_us, settings.gang_wait_us)
        attempt.lookups_us = self._services.monotonic() + pause_us
        for part in attempt.parts:
            part.pod, part.stands, part.leaving_us = "", False, None

    def _sweep(self) -> None:
        """End what the cluster has of attempts that are not known here, or of submissions that were taken back."""
        if not self._cluster.mirror.complete:
            return
        wanted = [one for one in self._attempts.values() if one.stage is not Stage.ENDED or not one.fails]
        if self._cluster.sweep({one.order.attempt_id: one.record.turn for one in wanted}):
            self._sweep_us = self._services.monotonic() + DELETE_AGAIN_US

    def _end(self, attempt: Attempt, number: int, verdict: Verdict) -> None:
        """A pod is over. An element is over with the last of its gang, or with the first that failed."""
        index, failed = attempt.parts[number].index, verdict.reason is not None
        if not all(part.over for part in attempt.members(index)):
            return
        single = attempt.order.request.array == 1
        if attempt.stopped or (attempt.fails and not single):
            self._work(attempt, partial(attempt.leave, index), lambda _: None)
            return
        if failed or attempt.failure is not None:
            self._work(attempt, partial(attempt.rescue, index), partial(self._kept, attempt, index))
            return
        if single and attempt.order.request.outputs:
            attempt.post(EventKind.COLLECTING)
        self._work(attempt, partial(attempt.collect, index), partial(self._kept, attempt, index))

    def _kept(self, attempt: Attempt, index: int, found: object) -> None:
        assert isinstance(found, Collected | Verdict), "what collecting comes to"
        attempt.keep(index, found)

    def _settle(self, attempt: Attempt) -> None:
        """Last words of one whose pods are over and whose outputs are in."""
        if not attempt.fails and attempt.order.request.array > 1 and attempt.order.request.outputs:
            attempt.post(EventKind.COLLECTING)
        self._finish(attempt)

    # Ending ---------------------------------------------------------------------------------------------------

    def _watch_time(self, attempt: Attempt, now_us: int) -> None:
        """The exact wall time, and the grace of work that was asked to end."""
        wall_us = attempt.order.request.resources.wall_time
        began = [one.began_us for one in attempt.parts if not one.over and one.began_us is not None]
        if not attempt.fails and began and now_us - min(began) >= wall_us:
            attempt.wall_over = True
            self._note(attempt, wall_over=True)
            self._asking(partial(self._end_jobs, attempt), attempt)

    def _end_jobs(self, attempt: Attempt) -> None:
        """Have the cluster delete what it has of it; asked again now and then, until it is gone. Work that has a checkpoint
        and is to part with it is told so first, by a file that its script looks for."""
        now_us = self._services.monotonic()
        if attempt.deletes and now_us - (attempt.deleted_us or 0) < DELETE_AGAIN_US * attempt.deletes:
            return
        grace_s = 1
        if attempt.parting_us is not None and attempt.order.request.checkpoint is not None:
            grace_s = max(1, self._services.settings.grace_us // 1_000_000)
            with suppress(OSError, OutsideError):
                self._services.folder.put(attempt.order.attempt_id, script.ASK_FILE, b"")
        self._cluster.delete(attempt, grace_s)
        # Only now: while the server is away nothing is being deleted, and its time has not begun.
        attempt.deleted_us = attempt.deleted_us or now_us
        attempt.deletes += 1

    def _finish(self, attempt: Attempt) -> None:
        """The last word, once whatever is to be kept is told."""
        if attempt.stage is Stage.ENDED:
            return
        attempt.stage = Stage.ENDED
        last = attempt.last_word()
        if attempt.parting_us is not None or last["kind"] is EventKind.FAILED:
            attempt.saver.tell()
        attempt.log.close()
        update = Update(attempt.order.attempt_id, self._services.clock(), usage=attempt.usage(), **last)
        self._note(attempt, last=update)
        if not attempt.forgotten:
            self._services.post(update)

    # Workers --------------------------------------------------------------------------------------------------

    def _save_now_and_then(self, attempt: Attempt) -> None:
        request, now_us = attempt.order.request, self._services.monotonic()
        if (request.checkpoint is None and request.array == 1) or not attempt.meter.began or attempt.fails:
            return
        attempt.saved_us = attempt.saved_us or now_us
        if now_us - attempt.saved_us < attempt.saver.every_us or attempt.busy:
            return
        attempt.saved_us = now_us

        def save() -> None:
            attempt.saver.save_all()
            attempt.saver.tell()

        self._work(attempt, save, lambda _: None)

    def _work(
        self,
        attempt: Attempt,
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
            except Exception as fault:  # of this attempt, and of no other
                found = fault
            self.call(partial(self._done, attempt, then, found))

        (pool or self._workers).submit(run)

    def _done(self, attempt: Attempt, then: Callable[[object], None], found: object) -> None:
        attempt.busy -= 1
        if attempt.forgotten:
            self._remove(attempt)  # what the worker has made since
            return
        if isinstance(found, Exception):
            self._faulty(attempt, found)
        else:
            then(found)
        self._changed.add(attempt.order.attempt_id)
