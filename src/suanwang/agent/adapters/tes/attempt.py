"""One attempt at a TES server: what is known of it, and what it has to tell. Only the clerk's thread changes it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.tes import answer, cargo
from suanwang.agent.adapters.tes.document import LOG_FILE, TREE_FILE
from suanwang.agent.adapters.tes.folder import Folder, Record
from suanwang.agent.adapters.tes.settings import TesSettings
from suanwang.agent.adapters.tes.storage import Storage
from suanwang.agent.adapters.tes.verdict import Ending, judge
from suanwang.agent.collect import FILES_MAX, Collected, collect, collect_failed
from suanwang.agent.logfile import LogFile, LogStream
from suanwang.agent.meter import Meter
from suanwang.agent.objects import ObjectStore
from suanwang.agent.saver import Saver
from suanwang.agent.staging import Stager
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind, Usage
from suanwang.model.ranges import numbers_left
from suanwang.model.reason import FailureReason
from suanwang.model.task import elements_of
from suanwang.model.tes import TesState


@dataclass(frozen=True, slots=True)
class Services:
    """What every attempt of an adapter shares."""

    settings: TesSettings
    folder: Folder
    storage: Storage
    objects: ObjectStore
    stager: Stager
    clock: Callable[[], int]
    monotonic: Callable[[], int]
    post: Callable[[Update], None]


class Stage(Enum):
    WAITING = auto()  # for the moment from which it may begin
    STAGING = auto()
    READY = auto()  # to be handed in
    QUEUED = auto()  # the server has it, or may have it
    ENDED = auto()


@dataclass(slots=True)
class Element:
    """One task of the server. `missing`: looks in which the server knew nothing of it."""

    began_us: int | None = None  # of the monotonic clock
    missing: int = 0
    cancelled_us: int | None = None
    asked: bool = False  # a worker is reading its end
    over: bool = False


@dataclass(eq=False)
class Attempt:
    order: StartOrder
    services: Services
    record: Record
    stage: Stage = Stage.WAITING
    stopped: bool = False
    forgotten: bool = False
    closing: bool = False
    wall_over: bool = False
    busy: int = 0
    cargo: bytes | str | None = None
    failure: tuple[int, Verdict] | None = None
    elements: dict[int, Element] = field(default_factory=dict)
    collected: dict[int, Collected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        request, services = self.order.request, self.services
        path = services.folder.log_path(self.order.attempt_id)
        ended = self.record.last is not None
        if not ended:
            path.unlink(missing_ok=True)  # it is written again from what the elements printed
        self.log = LogFile(path, services.settings.log_bytes_max, ended)
        self.saver = Saver(self.order, services.objects, self.log, self.post)
        self.left = numbers_left(self.saver.done, request.array)
        self.meter = Meter(elements_of(request))
        self.told_us = self.services.clock()
        self.elements = {index: Element() for index in self.left}

    # Telling --------------------------------------------------------------------------------------------------

    def post(self, kind: EventKind, ago_us: int = 0, **facts: Any) -> None:
        """`ago_us`: how long it has been so; never before what was told last."""
        if not self.forgotten:
            self.told_us = max(self.told_us, self.services.clock() - ago_us)
            self.services.post(Update(self.order.attempt_id, self.told_us, kind, **facts))

    def usage(self) -> Usage:
        size = sum(found.size_bytes for found in self.collected.values()) if self.failure is None else 0
        return self.meter.usage(self.services.monotonic(), size)

    def tell_progress(self) -> None:
        """Of an array, how many of its elements are done."""
        if self.order.request.array > 1 and self.meter.due(self.services.monotonic()) and not self.stopped:
            self.post(EventKind.PROGRESS, fraction_permille=self.meter.fraction_permille, usage=self.usage())

    @property
    def fails(self) -> bool:
        """Whether what still runs of it is not wanted any more."""
        return self.stopped or self.failure is not None or self.wall_over

    @property
    def over(self) -> bool:
        return all(one.over for one in self.elements.values())

    # On the workers' threads ----------------------------------------------------------------------------------

    def stage_inputs(self) -> bytes | str | None:
        """The inputs, fetched, checked and packed: as bytes where few, else their address. Raises BackendError, OSError."""
        if not self.order.request.inputs:
            return None
        folder, attempt_id = self.services.folder, self.order.attempt_id
        here = folder.fresh(attempt_id, "inputs")
        status = here.stat()
        with beneath.opened_folder(here) as root:
            self.meter.bytes_in = self.services.stager.stage(
                self.order.request.inputs, root, (status.st_uid, status.st_gid), lambda: self.stopped or self.closing
            )
        target = folder.cargo(attempt_id)
        size = cargo.pack(here, target)
        folder.drop(here)
        if size <= cargo.CONTENT_BYTES_MAX:
            return target.read_bytes()
        with target.open("rb") as stream:
            self.services.storage.put(attempt_id, "in.tar.gz", stream)
        return self.services.storage.url(attempt_id, "in.tar.gz")

    def take(self, index: int, state: TesState | None, said: answer.Answer) -> "Taken":
        """What came back of an element that has ended: its log, and its outputs. Raises BackendError, OSError."""
        verdict = judge(
            Ending(
                state=state,
                code=said.code,
                told=said.told,
                notes=said.notes,
                stopped=self.stopped,
                wall_over=self.wall_over,
                ran_us=said.ran_us,
                wall_us=self.order.request.resources.wall_time,
            )
        )
        self._take_log(index, said.printed)
        done = verdict.exit_code == 0 and verdict.reason is None
        wanted = done or (verdict.reason is not None and any(one.always for one in self.order.request.outputs))
        found = self._outputs(index, done) if wanted and self.order.request.outputs else Collected()
        if isinstance(found, Verdict):
            return Taken(found, Collected(), said)
        return Taken(verdict, found, said)

    def _take_log(self, index: int, printed: bytes) -> None:
        """The whole log by the storage; where the work was ended from outside, what the server kept."""
        stream = LogStream(self.log, (), f"[{index}] " if self.order.request.array > 1 else "")
        got = False
        name = f"{index}/{LOG_FILE}"
        with suppress(BackendError, OSError), self.services.storage.open(self.order.attempt_id, name) as pieces:
            for part in pieces or ():
                got = True
                if not self.log.truncated:
                    stream.feed(part)
        if not got:
            stream.feed(printed)
        stream.finish()

    def _outputs(self, index: int, done: bool) -> Collected | Verdict:
        request, folder = self.order.request, self.services.folder
        here = folder.fresh(self.order.attempt_id, f"{index}-back")
        prefix = "" if request.array == 1 else f"{index}/"
        try:
            with self.services.storage.open(self.order.attempt_id, f"{index}/{TREE_FILE}") as pieces:
                if pieces is not None:
                    cargo.unpack(pieces, here, request.resources.disk)
            with beneath.opened_folder(here) as root:
                if not done:
                    return collect_failed(root, request.outputs, self.services.objects, request.resources.disk)
                return collect(root, request.outputs, self.services.objects, request.resources.disk, prefix)
        except BackendError as fault:
            return Verdict(fault.reason, exit_code=0, detail=fault.detail) if done else Collected()
        finally:
            folder.drop(here)

    # What the clerk does --------------------------------------------------------------------------------------

    def begin(self, index: int, ago_us: int = 0) -> None:
        """An element has been seen at work, or to have been: `ago_us`, how long it ran until now at the least."""
        element = self.elements[index]
        if element.began_us is not None:
            return
        element.began_us = now_us = self.services.monotonic()
        if self.meter.began:
            return
        if self.record.began_us is None:
            self.meter.begin(now_us)
            self.post(EventKind.RUNNING, ago_us)
        else:  # told by an earlier process, and counted from there
            self.meter.begin(now_us - max(0, self.services.clock() - self.record.began_us))

    def keep(self, index: int, taken: "Taken") -> None:
        """What reading the end of an element came to."""
        element, verdict, many = self.elements[index], taken.verdict, self.order.request.array > 1
        element.over = True
        if element.began_us is not None:
            wall_us = max(
                taken.said.ran_us, self.services.monotonic() - element.began_us if not taken.said.ran_us else 0
            )
            self.meter.ended(index, Usage(wall_us=wall_us), done=verdict.reason is None and not self.stopped)
            if not many and taken.said.ran_us:  # the server's clock has seen more of it than our looks
                self.meter.begin(self.services.monotonic() - taken.said.ran_us)
        if verdict.reason is not None and self.failure is None:
            self.failure = (index, verdict)
        if verdict.exit_code == 0 and verdict.reason is None:
            if sum(len(one.files) for one in self.collected.values()) + len(taken.found.files) > FILES_MAX:
                reason = FailureReason.OUTPUT_FORBIDDEN
                self.failure = (index, Verdict(reason, 0, detail=f"more than {FILES_MAX} outputs in all"))
            elif many:
                self.saver.finished(index, taken.found.files)
        self.collected[index] = taken.found

    def last_word(self) -> dict[str, Any]:
        """The kind and facts of its end."""
        if self.stopped:
            return {"kind": EventKind.STOPPED}
        if self.failure is None:
            files = tuple(file for index in sorted(self.collected) for file in self.collected[index].files)
            notes = " ".join(found.note for found in self.collected.values() if found.note)
            return {"kind": EventKind.FINISHED, "exit_code": 0, "outputs": files, "detail": notes[:2000]}
        index, verdict = self.failure
        many = self.order.request.array > 1
        rescued = self.collected[index].files if index in self.collected and not many else ()
        where = f"element {index}: " if many else ""
        return {
            "kind": EventKind.FAILED,
            "reason": verdict.reason,
            "exit_code": verdict.exit_code,
            "signal": verdict.signal,
            "outputs": tuple(rescued),
            "detail": (where + verdict.detail).rstrip(": ")[:2000],
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """What an element's end came to."""

    verdict: Verdict
    found: Collected
    said: answer.Answer
