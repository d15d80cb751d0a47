"""One attempt on the cluster. Only the clerk's thread changes it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from suanwang.agent.adapters.remote.attempt import NODE_CORES_MAX, Element, SharedAttempt, Stage
from suanwang.agent.adapters.remote.attempt import Services as SharedServices
from suanwang.agent.adapters.slurm.folder import Folder, Record
from suanwang.agent.adapters.slurm.parse import JobRow
from suanwang.agent.adapters.slurm.script import job_name, log_name
from suanwang.agent.adapters.slurm.settings import PoolRoute, SlurmSettings
from suanwang.agent.adapters.slurm.verdict import Ending, judge
from suanwang.agent.verdict import Verdict
from suanwang.model.event import Usage

__all__ = ["Attempt", "Services", "Stage"]
Services = SharedServices[SlurmSettings, Folder]


@dataclass(eq=False)
class Attempt(SharedAttempt[SlurmSettings, Folder, Record]):
    route: PoolRoute = field(default_factory=PoolRoute)
    missing: int = 0  # looks in which Slurm knew nothing of it
    cancelled_us: int | None = None
    job_over: bool = False

    @property
    def job_name(self) -> str:
        """Of its last submission."""
        return job_name(self.order.attempt_id, self.record.turn)

    def newest_job(self, rows: Iterable[JobRow]) -> int | None:
        """The newest job with the name of its last submission."""
        return max((row.job_id for row in rows if row.name == self.job_name), default=None)

    def log_name(self, index: int) -> str:
        return log_name(self.order.request.array, index - self.left[0])

    def end(self, index: int, row: JobRow | None) -> Verdict:
        """An element has ended: its last words in the log, its figures, and why."""
        told = self.services.folder.told(self.order.attempt_id, index)
        if told is not None or self.services.folder.has_begun(self.order.attempt_id, index):
            self.begin(index)
        element = self.elements.setdefault(index, Element(None, self._stream(index)))
        element.over = True
        self.pump(index)
        element.stream.finish()
        verdict = judge(
            Ending(
                state=row.state if row is not None else None,
                status=row.status if row is not None else 0,
                told=told.status if told is not None else None,
                stopped=self.stopped,
                wall_over=self.wall_over,
            )
        )
        if element.began_us is not None:
            wall_us = self.services.monotonic() - element.began_us
            # The work could have written the file itself: no node has more cores than this.
            core_us = min(told.core_us, wall_us * NODE_CORES_MAX) if told is not None else 0
            used = Usage(wall_us=wall_us, core_us=core_us)
            self.meter.ended(index, used, done=verdict.reason is None and not self.stopped)
        if verdict.reason is not None and self.failure is None:
            self.failure = (index, verdict)
        return verdict
