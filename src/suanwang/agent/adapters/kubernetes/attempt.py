"""One attempt on the cluster: what is known of it, and what it has to tell. Only the clerk's thread changes it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import Any

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.kubernetes.folder import Folder, Record, Told
from suanwang.agent.adapters.kubernetes.manifest import Shape
from suanwang.agent.adapters.kubernetes.script import log_name, parts_of
from suanwang.agent.adapters.kubernetes.settings import KubernetesSettings, PoolRoute
from suanwang.agent.adapters.kubernetes.verdict import Ending, judge
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

LOG_BYTES_PER_LOOK = 1 << 20  # of one element
NODE_CORES_MAX = 4096
AWAY_US_MAX = 30_000_000  # between two requests to a server that does not answer


@dataclass(frozen=True, slots=True)
class Services:
    """What every attempt of an adapter shares."""

    settings: KubernetesSettings
    folder: Folder
    objects: ObjectStore
    stager: Stager
    clock: Callable[[], int]
    monotonic: Callable[[], int]
    post: Callable[[Update], None]


class Stage(Enum):
    WAITING = auto()  # for the moment from which it may begin
    STAGING = auto()
    READY = auto()  # to be submitted; a gang waits here until there is room for all of it
    QUEUED = auto()  # the cluster has it, or may have it
    ENDED = auto()


@dataclass(slots=True)
class Pause:
    """Before `until_us` of the monotonic clock nothing is asked: it was asked in vain, and the pause grows each time."""

    until_us: int = 0
    long_us: int = 0

    def grow(self, now_us: int, shortest_us: int) -> None:
        self.long_us = min(AWAY_US_MAX, max(shortest_us, self.long_us * 2))
        self.until_us = now_us + self.long_us

    def clear(self) -> None:
        self.until_us = self.long_us = 0


@dataclass(slots=True)
class Part:
    """One pod's worth: an element, or one member of an element's gang."""

    index: int
    rank: int
    pod: str = ""  # the uid of the pod that was seen first
    stands: bool = False  # its container has been seen at work
    began: bool = False
    began_us: int | None = None  # of the monotonic clock
    stream: LogStream | None = None
    offset: int = 0  # how much of its log is read
    over: bool = False  # judged
    untold_us: int | None = None  # since when its pod is over, and nothing is in the folder
    silent_us: int | None = None  # since when its node says no more
    tried_us: int | None = None  # since when its container fails to begin and is tried again
    leaving_us: int | None = None  # since when its pod is being deleted, and not by us


@dataclass(eq=False)
class Attempt:
    order: StartOrder
    route: PoolRoute
    services: Services
    record: Record
    stage: Stage = Stage.WAITING
    stopped: bool = False
    forgotten: bool = False
    parting_us: int | None = None  # since when it shall save what it has done and end
    asked: bool = False  # its work knows of it
    wall_over: bool = False
    indexed: bool = False  # the server knows Indexed Jobs
    closing: bool = False  # this process ends: what it downloads is not waited for
    busy: int = 0  # jobs of the workers that are not back yet
    admitted: bool = False  # its Job may begin; of an Indexed one
    gone_ahead: bool = False  # its gang stands, and its members know
    waits_us: int | None = None  # since when its Jobs are there and not all of its pods stand
    lookups_us: int = 0  # before this nobody is asked why it has no pods
    deleted_us: int | None = None  # since when what is left of it on the cluster is being deleted
    deletes: int = 0
    saved_us: int = 0
    pause: Pause = field(default_factory=Pause)  # of what is asked for it alone
    job_over: bool = False
    failure: tuple[int, Verdict] | None = None
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
        nodes = request.resources.nodes
        self.parts = [Part(index, rank) for index, rank in parts_of(self.left, nodes)]
        self.shape = Shape(len(self.parts), self.indexed and len(self.parts) > 1)
        self.meter = Meter(elements_of(request) * nodes)
        own = request.elements
        first = own.first if own is not None else 0
        for index in set(range(first, first + elements_of(request))) - set(self.left):
            for rank in range(nodes):
                self.meter.seen(index * nodes + rank, 1000, None)

    def note_jobs(self, uids: dict[int, str]) -> None:
        self.record = replace(self.record, uids=dict(uids))

    @property
    def is_gang(self) -> bool:
        return self.order.request.resources.nodes > 1

    def members(self, index: int) -> list[Part]:
        """All of the gang of an element: one where it is no gang."""
        nodes = self.order.request.resources.nodes
        first = self.left.index(index) * nodes
        return self.parts[first : first + nodes]

    def told(self, part: Part) -> Told | None:
        return self.services.folder.told(self.order.attempt_id, part.index, part.rank)

    def begun(self, part: Part) -> bool:
        """Whether its work has begun, by its own mark."""
        return self.services.folder.has_begun(self.order.attempt_id, part.index, part.rank)

    def _key(self, part: Part) -> int:
        return part.index * self.order.request.resources.nodes + part.rank

    # Telling --------------------------------------------------------------------------------------------------

    def post(self, kind: EventKind, **facts: Any) -> None:
        if not self.forgotten:
            self.services.post(Update(self.order.attempt_id, self.services.clock(), kind, **facts))

    def usage(self) -> Usage:
        size = sum(found.size_bytes for found in self.collected.values()) if self.failure is None else 0
        return self.meter.usage(self.services.monotonic(), size)

    def tell_progress(self) -> None:
        """How far the elements at work say that they are, where that is new."""
        for part in self.parts:
            if part.began and not part.over:
                permille = self.services.folder.progress(self.order.attempt_id, part.index)
                self.meter.seen(self._key(part), permille, None)
        if self.meter.due(self.services.monotonic()) and not self.stopped:
            usage = self.meter.usage(self.services.monotonic()) if self.meter.measured else None
            self.post(EventKind.PROGRESS, fraction_permille=self.meter.fraction_permille, usage=usage)

    def pump(self, number: int) -> None:
        """Move what a pod printed since the last time into the log, for as long as that keeps it: what is beyond its limit
        may be of any size, and is not read."""
        part = self.parts[number]
        if part.stream is None:
            part.stream = LogStream(self.log, (), self._label(part))
        while not self.log.truncated and (
            text := self.services.folder.read_log(
                self.order.attempt_id, log_name(number), part.offset, LOG_BYTES_PER_LOOK
            )
        ):
            part.offset += len(text)
            part.stream.feed(text)
            if not part.over:
                return

    def _label(self, part: Part) -> str:
        """In front of each line, where several pods write into one log."""
        words = [str(part.index)] if self.order.request.array > 1 else []
        words += [f"rank {part.rank}"] if self.is_gang else []
        return f"[{' '.join(words)}] " if words else ""

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
        if any(part.began for part in self.members(index)):
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

    def begin(self, number: int) -> None:
        """A pod has been seen at work."""
        part = self.parts[number]
        if part.began:
            return
        now_us = self.services.monotonic()
        first_us = now_us
        if self.record.began_us is not None:
            first_us = now_us - max(0, self.services.clock() - self.record.began_us)
        else:
            self.record = replace(self.record, began_us=self.services.clock())
        first = not any(one.began for one in self.members(part.index))
        part.began = True
        part.began_us = first_us if len(self.parts) == 1 else now_us
        if not self.meter.began:
            self.meter.begin(first_us)
            self.post(EventKind.RUNNING)
        if first:
            self.saver.watch(
                part.index, partial(self.services.folder.opened, self.order.attempt_id, f"{part.index}/task")
            )

    def end(self, number: int, ending: Ending) -> Verdict:
        """A pod has ended: its last words in the log, its figures, and why."""
        part = self.parts[number]
        told = self.told(part)
        if told is not None or self.begun(part):
            self.begin(number)
        part.over = True
        self.pump(number)
        assert part.stream is not None, "made by the pump"
        part.stream.finish()
        verdict = judge(
            replace(
                ending,
                told=told.status if told is not None else None,
                stopped=self.stopped,
                wall_over=self.wall_over,
                early=part.began_us is None
                or self.services.monotonic() - part.began_us < self.order.request.resources.wall_time,
            )
        )
        if part.began_us is not None:
            wall_us = self.services.monotonic() - part.began_us
            # The work could have written the file itself: no node has more cores or memory than this.
            core_us = min(told.core_us, wall_us * NODE_CORES_MAX) if told is not None else 0
            peak = min(told.memory_peak_bytes, max(4 << 20, self.order.request.resources.memory)) if told else 0
            used = Usage(wall_us=wall_us, core_us=core_us, memory_peak_bytes=peak)
            self.meter.ended(self._key(part), used, done=verdict.reason is None and not self.stopped)
        if verdict.reason is not None and self.failure is None:
            self.failure = (part.index, verdict)
        return verdict

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
