"""One attempt whose files lie in a shared folder: what is known of it, and what it has to tell. Only the clerk's thread changes it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.remote.shared import SharedFolder
from suanwang.agent.collect import FILES_MAX, Collected, collect, collect_failed
from suanwang.agent.command import files_of
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

LOG_BYTES_PER_LOOK: Final = 1 << 20  # of one element
NODE_CORES_MAX: Final = 4096


class SharedSettings(Protocol):
    @property
    def log_bytes_max(self) -> int: ...


class SharedRecord(Protocol):
    @property
    def began_us(self) -> int | None: ...
    @property
    def last(self) -> Update | None: ...


S = TypeVar("S", bound=SharedSettings)
F = TypeVar("F", bound=SharedFolder)
R = TypeVar("R", bound=SharedRecord)


@dataclass(frozen=True)
class Services(Generic[S, F]):
    """What every attempt of an adapter shares."""

    settings: S
    folder: F
    objects: ObjectStore
    stager: Stager
    clock: Callable[[], int]
    monotonic: Callable[[], int]
    post: Callable[[Update], None]


class Stage(Enum):
    WAITING = auto()  # for the moment from which it may begin
    STAGING = auto()
    READY = auto()  # to be handed in
    QUEUED = auto()  # the backend has it, or may have it
    ENDED = auto()


@dataclass(slots=True)
class Element:
    """One element that has begun, or that ended without."""

    began_us: int | None  # of the monotonic clock
    stream: LogStream
    offset: int = 0  # how much of its log is read
    over: bool = False  # judged


@dataclass(eq=False)
class SharedAttempt(ABC, Generic[S, F, R]):
    order: StartOrder
    services: Services[S, F]
    record: R
    stage: Stage = Stage.WAITING
    stopped: bool = False
    forgotten: bool = False
    parting_us: int | None = None  # since when it shall save what it has done and end
    asked: bool = False  # its work knows of it
    wall_over: bool = False
    recovered: bool = False  # of an earlier process
    closing: bool = False  # this process ends: what it downloads is not waited for
    busy: int = 0  # jobs of the workers that are not back yet
    saved_us: int = 0
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
        own = request.elements
        first = own.first if own is not None else 0
        for index in set(range(first, first + elements_of(request))) - set(self.left):
            self.meter.seen(index, 1000, None)

    @abstractmethod
    def log_name(self, index: int) -> str:
        """The file below the attempt's folder that an element prints into."""

    # Telling --------------------------------------------------------------------------------------------------

    def post(self, kind: EventKind, **facts: Any) -> None:
        if not self.forgotten:
            self.services.post(Update(self.order.attempt_id, self.services.clock(), kind, **facts))

    def usage(self) -> Usage:
        size = sum(found.size_bytes for found in self.collected.values()) if self.failure is None else 0
        return self.meter.usage(self.services.monotonic(), size)

    def tell_progress(self) -> None:
        """How far the elements at work say that they are, where that is new."""
        for index, element in self.elements.items():
            if not element.over:
                permille = self.services.folder.progress(self.order.attempt_id, index)
                self.meter.seen(index, permille, None)
        if self.meter.due(self.services.monotonic()) and not self.stopped:
            usage = self.meter.usage(self.services.monotonic()) if self.meter.measured else None
            self.post(EventKind.PROGRESS, fraction_permille=self.meter.fraction_permille, usage=usage)

    def pump(self, index: int) -> None:
        """Move what the element printed since the last time into the log, for as long as that keeps it: what is beyond its
        limit may be of any size, and is not read."""
        element = self.elements[index]
        name = self.log_name(index)
        while not self.log.truncated and (
            part := self.services.folder.read_log(self.order.attempt_id, name, element.offset, LOG_BYTES_PER_LOOK)
        ):
            element.offset += len(part)
            element.stream.feed(part)
            if not element.over:
                return

    # On the workers' threads ----------------------------------------------------------------------------------

    def stage_inputs(self) -> None:
        """Inputs, checkpoint and script into place. Raises BackendError, OSError."""
        request, folder, owner = self.order.request, self.services.folder, self.services.folder.owner
        folder.start_anew(self.order.attempt_id)
        single = request.array == 1
        staged = 0
        place = ("0", "task") if single else ("inputs",)
        if single or request.inputs:
            with folder.made(self.order.attempt_id, *place) as root:
                staged += self.services.stager.stage(request.inputs, root, owner, lambda: self.stopped or self.closing)
        for index in self.left:
            files = files_of(self.order, index)
            if files:
                place = ("0", "task") if single else ("kept", str(index))
                with folder.made(self.order.attempt_id, *place) as root:
                    staged += self.services.stager.restore(files, root, owner, lambda: self.stopped or self.closing)
        self.meter.bytes_in = staged

    def leave(self, index: int) -> None:
        """An element is over: what it has done is kept where it is to be, and nobody looks into its folder any more."""
        if self.parting_us is not None:
            self.saver.save(index)
        if self.elements[index].began_us is not None:
            self.saver.unwatch(index)

    def collect(self, index: int) -> Collected | Verdict:
        """The outputs of an element that has ended well, into the object store."""
        self.leave(index)
        request = self.order.request
        prefix = "" if request.array == 1 else f"{index}/"
        try:
            with self.services.folder.opened(self.order.attempt_id, f"{index}/task") as root:
                return collect(root, request.outputs, self.services.objects, request.resources.disk, prefix)
        except BackendError as fault:
            return Verdict(fault.reason, exit_code=0, detail=fault.detail)
        except (OSError, beneath.OutsideError) as fault:
            return Verdict(FailureReason.BACKEND, exit_code=0, detail=f"its folder cannot be read: {fault}")

    def rescue(self, index: int) -> Collected:
        """Of work that has failed: the outputs that are kept whatever the end is."""
        self.leave(index)
        request = self.order.request
        assert request.array == 1, "an array ends with all its elements"
        if not any(one.always for one in request.outputs):
            return Collected()
        try:
            with self.services.folder.opened(self.order.attempt_id, f"{index}/task") as root:
                return collect_failed(root, request.outputs, self.services.objects, request.resources.disk)
        except (BackendError, OSError, beneath.OutsideError):
            return Collected()  # it has failed for a reason of its own

    # What the clerk does --------------------------------------------------------------------------------------

    def begin(self, index: int, ago_us: int = 0) -> None:
        """An element has been seen at work; it began `ago_us` before, where that is known."""
        if index in self.elements:
            return
        now_us = self.services.monotonic()
        first_us = now_us - ago_us
        if self.record.began_us is not None:
            first_us = now_us - max(0, self.services.clock() - self.record.began_us)
        single = self.order.request.array == 1
        self.elements[index] = Element(first_us if single else now_us - ago_us, self._stream(index))
        if not self.meter.began:
            self.meter.begin(first_us)
            self.post(EventKind.RUNNING)
        self.saver.watch(index, partial(self.services.folder.opened, self.order.attempt_id, f"{index}/task"))

    def _stream(self, index: int) -> LogStream:
        return LogStream(self.log, (), f"[{index}] " if self.order.request.array > 1 else "")

    def keep(self, index: int, found: Collected | Verdict) -> None:
        """What collecting an element came to."""
        if isinstance(found, Collected):
            self.collected[index] = found
            if sum(len(one.files) for one in self.collected.values()) <= FILES_MAX:
                if self.order.request.array > 1:
                    self.saver.finished(index, found.files)
                return
            found = Verdict(FailureReason.OUTPUT_FORBIDDEN, 0, detail=f"more than {FILES_MAX} outputs in all")
        if self.failure is None:
            self.failure = (index, found)

    @property
    def fails(self) -> bool:
        """Whether what still runs of it is not wanted any more."""
        return self.stopped or self.failure is not None or self.wall_over

    def last_word(self) -> dict[str, Any]:
        """The kind and facts of its end."""
        if self.stopped:
            return {"kind": EventKind.STOPPED}
        if self.failure is None:
            outputs = tuple(file for index in sorted(self.collected) for file in self.collected[index].files)
            notes = " ".join(found.note for found in self.collected.values() if found.note)
            return {"kind": EventKind.FINISHED, "exit_code": 0, "outputs": outputs, "detail": notes[:2000]}
        index, verdict = self.failure
        rescued = self.collected[index].files if index in self.collected else ()
        where = f"element {index}: " if self.order.request.array > 1 else ""
        return {
            "kind": EventKind.FAILED,
            "reason": verdict.reason,
            "exit_code": verdict.exit_code,
            "signal": verdict.signal,
            "outputs": tuple(rescued),
            "detail": (where + verdict.detail).rstrip(": "),
        }
