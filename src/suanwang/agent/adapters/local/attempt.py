"""One attempt on this host, from its inputs to its last word. Runs on a thread of its own."""

import os
import shutil
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from suanwang import failpoints
from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.local.cgroups import Groups
from suanwang.agent.adapters.local.disk import Disk, LoopDisk, WatchedFolder, copy_tree, owner_of
from suanwang.agent.adapters.local.host import HostFacts
from suanwang.agent.adapters.local.place import Place
from suanwang.agent.adapters.local.settings import LocalSettings
from suanwang.agent.adapters.local.slots import Slots, Users
from suanwang.agent.adapters.local.verdict import judge
from suanwang.agent.collect import FILES_MAX, Collected, collect, collect_failed
from suanwang.agent.command import files_of
from suanwang.agent.logfile import LogFile
from suanwang.agent.meter import Meter
from suanwang.agent.objects import ObjectStore
from suanwang.agent.saver import Saver
from suanwang.agent.staging import Stager
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind, OutputFile, Usage
from suanwang.model.ranges import numbers_left
from suanwang.model.reason import FailureReason
from suanwang.model.task import elements_of


@dataclass(frozen=True, slots=True)
class Services:
    """What every attempt of an adapter shares."""

    settings: LocalSettings
    facts: HostFacts
    groups: Groups | None
    slots: Slots
    users: Users
    objects: ObjectStore
    stager: Stager
    clock: Callable[[], int]
    monotonic: Callable[[], int]
    post: Callable[[Update], None]


class Attempt:
    """Elements, their shared log, and the updates that tell of them."""

    def __init__(self, order: StartOrder, services: Services, folder: Path) -> None:
        self.order = order
        self._services = services
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True)
        self.log = LogFile(folder / "log", services.settings.log_bytes_max)
        self._stop = threading.Event()
        self._parting_us: int | None = None  # since when it shall save what it has done and end
        self._silent = False  # forgotten: no update any more
        self._failed = threading.Event()  # an element failed, the others are not needed
        self._lock = threading.Lock()
        self._saver = Saver(order, services.objects, self.log, self._post)
        self._left = deque(numbers_left(self._saver.done, order.request.array))
        self._meter = Meter(elements_of(order.request))
        own = order.request.elements
        first = own.first if own is not None else 0
        for index in set(range(first, first + elements_of(order.request))) - set(self._left):
            self._meter.seen(index, 1000, None)
        self._collected: dict[int, Collected] = {}
        self._failure: tuple[int, Verdict] | None = None
        self.ended = False

    # From other threads ---------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End it; its thread kills what runs and posts STOPPED."""
        self._stop.set()

    def save(self) -> None:
        """End it, but let it write its checkpoint first."""
        if not self._stop.is_set():
            self._parting_us = self._services.monotonic()
        self._stop.set()

    def end_unstarted(self) -> None:
        """Stopped before its thread began: the last word comes from here."""
        self._finish({"kind": EventKind.STOPPED})

    def silence(self) -> None:
        """End it, and tell nobody."""
        self._silent = True
        self._parting_us = None
        self._stop.set()

    # The thread -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Do everything, and post the last word whatever happens."""
        last: dict[str, Any]
        try:
            last = self._work()
        except BackendError as fault:
            last = {"kind": EventKind.FAILED, "reason": fault.reason, "detail": fault.detail}
        except OSError as fault:
            last = {"kind": EventKind.FAILED, "reason": FailureReason.BACKEND, "detail": str(fault)}
        except BaseException:
            # Our own fault: the task is told an end, and the thread still dies loudly.
            self._finish({"kind": EventKind.FAILED, "reason": FailureReason.BACKEND, "detail": "a fault of the agent"})
            raise
        if self._stop.is_set():
            last = {"kind": EventKind.STOPPED}
        keeps = last["kind"] is EventKind.FAILED or self._parting_us is not None
        if keeps:
            self._saver.tell()
        self._finish(last)

    def _finish(self, last: dict[str, Any]) -> None:
        self.log.close()
        self.ended = True
        last.setdefault("usage", self._usage())
        self._post(**last)
        if self._silent:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _post(self, kind: EventKind, **facts: Any) -> None:
        if not self._silent:
            self._services.post(Update(self.order.attempt_id, self._services.clock(), kind, **facts))

    def _stopped(self) -> bool:
        return self._stop.is_set() or self._failed.is_set()

    def _work(self) -> dict[str, Any]:
        with ExitStack() as stack:
            uid = None
            self._saver.begin(self.order.attempt_id)
            stack.callback(self._saver.end)
            if self._services.facts.root:
                uid, held = self._services.users.take()
                stack.callback(os.close, held)
            if self.order.request.array == 1:
                self._single(uid)
            else:
                self._array(uid)
        failure = self._failure
        outputs = self._outputs() if failure is None or self.order.request.array == 1 else ()
        usage = self._usage(sum(output.size_bytes for output in outputs))
        if failure is not None:
            index, verdict = failure
            where = f"element {index}: " if self.order.request.array > 1 else ""
            return {
                "kind": EventKind.FAILED,
                "reason": verdict.reason,
                "exit_code": verdict.exit_code,
                "signal": verdict.signal,
                "detail": (where + verdict.detail).rstrip(": "),
                "usage": usage,
                "outputs": outputs,
            }
        notes = " ".join(c.note for c in self._collected.values() if c.note)
        return {"kind": EventKind.FINISHED, "exit_code": 0, "usage": usage, "outputs": outputs, "detail": notes[:2000]}

    def _single(self, uid: int | None) -> None:
        disk = self._disk(0, uid)
        try:
            self._stage(disk.folder / "task", uid)
            self._restore(0, disk, uid)
            if not self._stopped():
                self._element(0, disk, uid)
        finally:
            disk.destroy()

    def _array(self, uid: int | None) -> None:
        """Elements by as many workers as the site has room for; each has its own disk with its own inputs."""
        inputs = self.folder / "inputs"
        inputs.mkdir()
        self._stage(inputs, None)
        cores = self._cores()
        workers = max(1, min(len(self._left), self._services.slots.room(self.order.site) // cores))
        with ThreadPoolExecutor(workers, thread_name_prefix=f"{self.order.attempt_id}-") as pool:
            for future in [pool.submit(self._elements, inputs, uid) for _ in range(workers)]:
                future.result()
        if not self._stopped() and self.order.request.outputs:
            self._post(EventKind.COLLECTING)

    def _elements(self, inputs: Path, uid: int | None) -> None:
        while not self._stopped():
            with self._lock:
                if not self._left:
                    return
                index = self._left.popleft()
            disk = None
            try:
                disk = self._disk(index, uid)
                copy_tree(inputs, disk.folder / "task", owner_of(uid))
                self._restore(index, disk, uid)
                self._element(index, disk, uid)
            except BaseException:
                self._failed.set()
                raise
            finally:
                if disk is not None:
                    disk.destroy()

    def _disk(self, index: int, uid: int | None) -> Disk:
        make = LoopDisk if self._services.facts.loop else WatchedFolder
        return make(self.folder / f"element-{index}", self.order.request.resources.disk, owner_of(uid))

    def _stage(self, folder: Path, uid: int | None) -> None:
        kept = self.order.kept
        if self.order.request.inputs or (kept is not None and kept.files):
            self._post(EventKind.STAGING)
        if not self.order.request.inputs:
            return
        with beneath.opened_folder(folder) as root:
            stage = self._services.stager.stage
            self._meter.bytes_in = stage(self.order.request.inputs, root, owner_of(uid), self._stopped)
        failpoints.hit("agent.stage.done")

    def _restore(self, index: int, disk: Disk, uid: int | None) -> None:
        """The checkpoint of an earlier attempt, in place over the inputs."""
        files = files_of(self.order, index)
        if not files:
            return
        with beneath.opened_folder(disk.folder / "task") as root:
            size = self._services.stager.restore(files, root, owner_of(uid), self._stopped)
        with self._lock:
            self._meter.bytes_in += size

    def _cores(self) -> int:
        asked = self.order.request.resources
        return max(1, min(asked.cpu * asked.nodes, self._services.slots.room(self.order.site)))

    def _element(self, index: int, disk: Disk, uid: int | None) -> None:
        """Wait for the cores, run, judge, collect."""
        slots = self._services.slots
        slot = slots.acquire(self.order.site, self._cores(), self._stopped)
        if slot is None:
            return
        try:
            self._tell_running()
            place = Place(self.order, self._services.settings, self._services.facts, self._services.groups)
            with self._saver.watching(index, partial(beneath.opened_folder, disk.folder / "task")):
                result = place.run(
                    index,
                    slot.cores,
                    disk,
                    uid,
                    self.log,
                    self._services.monotonic,
                    self._stopped,
                    lambda: self._parting_us,
                    self._on_sample,
                )
                if result.ending.stopped and self._parting_us is not None:
                    self._saver.save(index)
        finally:
            slots.release(slot)
        failpoints.hit("agent.run.exited")
        verdict = judge(result.ending)
        with self._lock:
            self._meter.ended(index, result.usage, done=verdict.reason is None and not result.ending.stopped)
        if verdict.reason is not None:
            self._keep_failed(index, disk)
            self._fail(index, verdict)
        elif not result.ending.stopped:
            self._collect(index, disk)

    def _keep_failed(self, index: int, disk: Disk) -> None:
        """Of work that failed: the outputs that are kept whatever the end is. Not of an array, which other elements end."""
        request = self.order.request
        if request.array > 1 or not any(one.always for one in request.outputs):
            return
        with suppress(BackendError), beneath.opened_folder(disk.folder / "task") as folder:
            found = collect_failed(folder, request.outputs, self._services.objects, request.resources.disk)
            with self._lock:
                self._collected[index] = found

    def _fail(self, index: int, verdict: Verdict) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = (index, verdict)
        self._failed.set()

    def _tell_running(self) -> None:
        with self._lock:
            if not self._meter.began:
                self._meter.begin(self._services.monotonic())
                self._post(EventKind.RUNNING)

    def _on_sample(self, index: int, permille: int | None, usage: Usage | None) -> None:
        """Posts under the lock, so that totals never seem to shrink where elements run side by side."""
        now_us = self._services.monotonic()
        with self._lock:
            self._meter.seen(index, permille, usage)
            if not self._stopped() and self._meter.due(now_us):
                totals = self._meter.usage(now_us) if self._meter.measured else None
                self._post(EventKind.PROGRESS, fraction_permille=self._meter.fraction_permille, usage=totals)

    def _collect(self, index: int, disk: Disk) -> None:
        request = self.order.request
        if not request.outputs:
            self._done(index, [])
            return
        if request.array == 1:
            self._post(EventKind.COLLECTING)
        prefix = "" if request.array == 1 else f"{index}/"
        try:
            with beneath.opened_folder(disk.folder / "task") as folder:
                found = collect(folder, request.outputs, self._services.objects, request.resources.disk, prefix)
        except BackendError as fault:
            self._fail(index, Verdict(fault.reason, exit_code=0, detail=fault.detail))
            return
        failpoints.hit("agent.collect.done")
        with self._lock:
            self._collected[index] = found
            files = sum(len(one.files) for one in self._collected.values())
        if files > FILES_MAX:
            detail = f"more than {FILES_MAX} outputs in all"
            self._fail(index, Verdict(FailureReason.OUTPUT_FORBIDDEN, exit_code=0, detail=detail))
        else:
            self._done(index, found.files)

    def _done(self, index: int, files: list[OutputFile]) -> None:
        if self.order.request.array > 1:
            self._saver.finished(index, files)

    def _outputs(self) -> tuple[OutputFile, ...]:
        return tuple(file for index in sorted(self._collected) for file in self._collected[index].files)

    def _usage(self, bytes_out: int = 0) -> Usage:
        with self._lock:
            return self._meter.usage(self._services.monotonic(), bytes_out)
