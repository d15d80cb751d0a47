"""One attempt at a device: what is known of it, and what it has to tell. Only the clerk's thread changes it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import blake2b
from typing import Any, Final

from suanwang.agent import beneath
from suanwang.agent.adapter import StartOrder, Update
from suanwang.agent.adapters.quantum.folder import Folder, Record
from suanwang.agent.adapters.quantum.resource import Payload, QuantumResource, TaskResult
from suanwang.agent.adapters.quantum.settings import QuantumSettings
from suanwang.agent.collect import Collected, collect
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
from suanwang.model.task import CircuitEntry, Output, elements_of

SEEDS: Final = 2**32


@dataclass(frozen=True, slots=True)
class Services:
    """What every attempt of an adapter shares."""

    settings: QuantumSettings
    folder: Folder
    objects: ObjectStore
    stager: Stager
    clock: Callable[[], int]
    monotonic: Callable[[], int]
    post: Callable[[Update], None]


class Stage(Enum):
    WAITING = auto()  # for the moment from which it may begin
    STAGING = auto()
    READY = auto()  # for a processor, or at work on one
    ENDED = auto()


@dataclass(slots=True)
class Element:
    """One element on a processor, or behind it."""

    token: str
    task_id: str
    began_us: int  # of the monotonic clock
    stream: LogStream
    offset: int = 0
    over: bool = False


@dataclass(eq=False)
class Attempt:
    order: StartOrder
    resource: QuantumResource
    services: Services
    record: Record
    stage: Stage = Stage.WAITING
    stopped: bool = False
    forgotten: bool = False
    closing: bool = False
    wall_over: bool = False
    busy: int = 0  # jobs of the workers that are not back yet
    ready_us: int | None = None  # since when it waits for a processor, by the monotonic clock
    failure: tuple[int, Verdict] | None = None
    elements: dict[int, Element] = field(default_factory=dict)
    collected: dict[int, Collected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        request, services = self.order.request, self.services
        path = services.folder.log_path(self.order.attempt_id)
        ended = self.record.last is not None
        said = b""
        if not ended:  # it goes on behind what an earlier process said, which the brain may have
            with suppress(FileNotFoundError):
                said = path.read_bytes()
                path.unlink()
        self.log = LogFile(path, services.settings.log_bytes_max, ended)
        self.log.write(said)
        self.saver = Saver(self.order, services.objects, self.log, self.post)
        self.left = numbers_left(self.saver.done, request.array)
        self.meter = Meter(elements_of(request))
        self.queue = list(self.left)

    @property
    def entry(self) -> CircuitEntry:
        entry = self.order.request.run
        assert isinstance(entry, CircuitEntry), "checked before it was taken"
        return entry

    @property
    def at_work(self) -> list[tuple[int, Element]]:
        return [(index, element) for index, element in self.elements.items() if not element.over]

    @property
    def over(self) -> bool:
        """Nothing of it runs, and nothing will."""
        return not self.at_work and (not self.queue or self.stopped or self.failure is not None)

    # Telling --------------------------------------------------------------------------------------------------

    def post(self, kind: EventKind, **facts: Any) -> None:
        if not self.forgotten:
            self.services.post(Update(self.order.attempt_id, self.services.clock(), kind, **facts))

    def usage(self) -> Usage:
        size = sum(found.size_bytes for found in self.collected.values()) if self.failure is None else 0
        return self.meter.usage(self.services.monotonic(), size)

    def tell_progress(self) -> None:
        """Of an array, how many of its elements are done."""
        if self.meter.due(self.services.monotonic()) and not self.stopped and self.order.request.array > 1:
            self.post(EventKind.PROGRESS, fraction_permille=self.meter.fraction_permille, usage=self.usage())

    def pump(self, index: int) -> None:
        """Move what the device said of an element since the last time into the log."""
        element = self.elements[index]
        while not self.log.truncated and (
            part := self.services.folder.read_log(self.order.attempt_id, index, element.offset)
        ):
            element.offset += len(part)
            element.stream.feed(part)

    # On the workers' threads ----------------------------------------------------------------------------------

    def stage_inputs(self) -> None:
        """Raises BackendError, OSError."""
        inputs = self.services.folder.start_anew(self.order.attempt_id)
        if self.order.request.inputs:
            with beneath.opened_folder(inputs) as root:
                owner = (inputs.stat().st_uid, inputs.stat().st_gid)
                found = self.order.request.inputs
                self.meter.bytes_in = self.services.stager.stage(
                    found, root, owner, lambda: self.stopped or self.closing
                )

    def collect(self, index: int) -> Collected | Verdict:
        """The counts of an element, and what else was asked for, into the object store."""
        request = self.order.request
        wanted = request.outputs or (Output(path=self.entry.result),)
        prefix = "" if request.array == 1 else f"{index}/"
        try:
            here = self.services.folder.take_result(self.order.attempt_id, index, self.entry)
            with beneath.opened_folder(here) as root:
                return collect(root, wanted, self.services.objects, request.resources.disk, prefix)
        except BackendError as fault:
            return Verdict(fault.reason, exit_code=0, detail=fault.detail)
        except (OSError, beneath.OutsideError) as fault:
            return Verdict(FailureReason.BACKEND, exit_code=0, detail=f"the counts cannot be read: {fault}")

    # What the clerk does --------------------------------------------------------------------------------------

    def payload(self, index: int) -> Payload:
        """What the device is given for an element. Raises BackendError, OSError."""
        here = self.services.folder.hand_over(self.order.attempt_id, index, self.entry)
        target, entry = self.resource.target(), self.entry
        return Payload(
            circuit=here / "circuit.qasm",
            result=here / "result",
            log=here / "log",
            qubits=self.order.request.resources.qubits,
            shots=self.order.request.resources.shots,
            seed=self.seed(index),
            method=entry.method,
            noise=target.noise if entry.noise is None else entry.noise,
            bytes_max=self.order.request.resources.disk,
        )

    def seed(self, index: int) -> int:
        """Of an element: the task's seed counted on, or one that follows from the attempt, so that it can be run again."""
        if self.entry.seed is not None:
            return (self.entry.seed + index) % SEEDS
        digest = blake2b(f"{self.order.attempt_id} {index}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big")

    def begin(self, index: int, token: str, task_id: str) -> None:
        """An element is on a processor."""
        self.queue.remove(index)
        now_us = self.services.monotonic()
        prefix = f"[{index}] " if self.order.request.array > 1 else ""
        self.elements[index] = Element(token, task_id, now_us, LogStream(self.log, (), prefix))
        if self.meter.began:
            return
        if self.record.began_us is None:
            self.meter.begin(now_us)
            self.post(EventKind.RUNNING)
        else:  # told by an earlier process, and counted from there
            self.meter.begin(now_us - max(0, self.services.clock() - self.record.began_us))
            self.log.write(b"begun again: the agent was restarted\n")

    def end(self, index: int, result: TaskResult) -> Verdict:
        """An element has ended: its last words, its figures, and why."""
        element = self.elements[index]
        element.over = True
        self.pump(index)
        element.stream.finish()
        wall_us = self.services.monotonic() - element.began_us
        used = Usage(
            wall_us=wall_us, core_us=result.core_us, memory_peak_bytes=result.memory_peak_bytes, processes_peak=1
        )
        verdict = result.verdict
        if verdict.exit_code != 0 and self.wall_over and not self.stopped:
            verdict = Verdict(FailureReason.WALL_TIME)
        self.meter.ended(index, used, done=verdict.exit_code == 0)
        if verdict.reason is not None and self.failure is None:
            self.failure = (index, verdict)
        return verdict

    def keep(self, index: int, found: Collected | Verdict) -> None:
        """What collecting an element came to."""
        if isinstance(found, Verdict):
            self.failure = self.failure or (index, found)
            return
        self.collected[index] = found
        if self.order.request.array > 1:
            self.saver.finished(index, found.files)

    def last_word(self) -> dict[str, Any]:
        """Kind and facts of the last update."""
        if self.stopped:
            return {"kind": EventKind.STOPPED}
        if self.failure is not None:
            index, verdict = self.failure
            where = f"element {index}: " if self.order.request.array > 1 else ""
            return {
                "kind": EventKind.FAILED,
                "reason": verdict.reason,
                "exit_code": verdict.exit_code,
                "signal": verdict.signal,
                "detail": f"{where}{verdict.detail}" if verdict.detail else where.removesuffix(": "),
            }
        files = [file for index in sorted(self.collected) for file in self.collected[index].files]
        return {"kind": EventKind.FINISHED, "exit_code": 0, "outputs": tuple(files)}
