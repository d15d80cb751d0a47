"""One attempt on the cluster. Only the clerk's thread changes it."""

from dataclasses import dataclass, field

from suanwang.agent.adapters.ray.folder import Folder, Record
from suanwang.agent.adapters.ray.job import name_of
from suanwang.agent.adapters.ray.server import Job
from suanwang.agent.adapters.ray.settings import RaySettings
from suanwang.agent.adapters.ray.verdict import Ending, judge
from suanwang.agent.adapters.remote.attempt import NODE_CORES_MAX, Element, SharedAttempt, Stage
from suanwang.agent.adapters.remote.attempt import Services as SharedServices
from suanwang.agent.verdict import Verdict
from suanwang.model.event import Usage
from suanwang.model.ranges import Ranges, ranges_of

__all__ = ["Attempt", "Services", "Stage"]
Services = SharedServices[RaySettings, Folder]


@dataclass(slots=True)
class Handed:
    """One element that Ray has, or may have. `missing`: looks in a row in which Ray knew nothing of it; `silent`: looks in
    which Ray said that it has ended, and the shared folder nothing yet."""

    missing: int = 0
    silent: int = 0
    refusals: int = 0
    stopped_us: int | None = None


@dataclass(eq=False)
class Attempt(SharedAttempt[RaySettings, Folder, Record]):
    handed: dict[int, Handed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.taken: set[int] = {number for first, after in self.record.taken for number in range(first, after)}

    def log_name(self, index: int) -> str:
        return f"log-{index}"

    def job_name(self, index: int) -> str:
        return name_of(self.services.settings, self.order.attempt_id, index, self.order.request.array)

    def taken_ranges(self) -> Ranges:
        return ranges_of(self.taken)

    @property
    def waits(self) -> list[int]:
        """Elements that are to be handed in."""
        return [index for index in self.left if index not in self.handed and not self.is_over(index)]

    def is_over(self, index: int) -> bool:
        element = self.elements.get(index)
        return element is not None and element.over

    @property
    def over(self) -> bool:
        return all(self.is_over(index) for index in self.left)

    def end(self, index: int, job: Job | None) -> Verdict:
        """An element has ended: its last words in the log, its figures, and why. `job`: what Ray says, where it was asked."""
        told = self.services.folder.told(self.order.attempt_id, index)
        if told is not None or self.services.folder.has_begun(self.order.attempt_id, index):
            self.begin(index, told.wall_us if told is not None else 0)
        element = self.elements.setdefault(index, Element(None, self._stream(index)))
        element.over = True
        self.handed.pop(index, None)
        self.pump(index)
        element.stream.finish()
        verdict = judge(Ending(job, told, self.stopped, self.wall_over))
        if element.began_us is not None:
            self._measure(index, element.began_us, verdict)
        if verdict.reason is not None and self.failure is None:
            self.failure = (index, verdict)
        return verdict

    def _measure(self, index: int, began_us: int, verdict: Verdict) -> None:
        now_us = self.services.monotonic()
        told = self.services.folder.told(self.order.attempt_id, index)
        used = Usage(wall_us=now_us - began_us)
        if told is not None:
            # The work could have written the file itself: no node has more cores than this.
            core_us = min(told.core_us, (now_us - began_us + 1) * NODE_CORES_MAX)
            used = Usage(wall_us=told.wall_us, core_us=core_us, memory_peak_bytes=told.memory_peak_bytes)
            if self.order.request.array == 1:
                self.meter.begin(min(began_us, now_us - told.wall_us))  # the node has seen more of it than our looks
        self.meter.ended(index, used, done=verdict.reason is None and not self.stopped)

    def skip(self, index: int) -> None:
        """An element that never began, and that nobody waits for any more."""
        self.elements.setdefault(index, Element(None, self._stream(index))).over = True
        self.handed.pop(index, None)
