"""The clerk: the one thread that speaks with the Ray head, and that changes attempts.

It hands in what is ready, looks at what lives once an interval, and draws the conclusions. What the runner wrote into the
shared folder counts before what Ray says; while the head is away, nothing else is concluded, and it is asked less and less often.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from suanwang.agent.adapters.ray import job as jobs
from suanwang.agent.adapters.ray import runner
from suanwang.agent.adapters.ray.attempt import Attempt, Handed, Services, Stage
from suanwang.agent.adapters.ray.folder import Folder
from suanwang.agent.adapters.ray.server import ENDED, AwayError, Job, Node, RayServer, RefusedError, gist
from suanwang.agent.adapters.ray.settings import RayPool, RaySettings
from suanwang.agent.adapters.ray.verdict import SENT
from suanwang.agent.adapters.remote.clerk import of_fault
from suanwang.agent.adapters.remote.shared_clerk import SharedClerk
from suanwang.agent.beneath import OutsideError
from suanwang.agent.command import files_of
from suanwang.agent.verdict import Verdict, split_status
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason

TICK_S: Final = 0.05
WORKERS: Final = 4
LOST_LOOKS: Final = 3  # in a row in which Ray knows nothing of a job, or the folder nothing of its end
AWAY_US_MAX: Final = 30_000_000
STOP_AGAIN_US: Final = 5_000_000
LATE_US: Final = 10_000_000  # after its wall time work is ended from here: its runner did not
NODES_US: Final = 30_000_000  # how long the list of nodes counts
REFUSALS_MAX: Final = 5  # of one submission, by a head that answers other questions
STRAYS_PER_LOOK: Final = 16


class Clerk(SharedClerk[Attempt]):
    """Runs from `start` to `close`. What Ray has at the end, it keeps."""

    def __init__(self, services: Services, server: RayServer) -> None:
        super().__init__("ray", WORKERS, TICK_S, services, services.settings.grace_us)
        self._settings: RaySettings = services.settings
        self._folder: Folder = services.folder
        self._server = server
        self._runner = Path(runner.__file__).read_bytes()
        self._nodes: tuple[int, list[Node]] | None = None
        self._look_us = 0
        self._away_us = 0  # the pause after a question without an answer; 0: the last one had one
        self._strays: dict[str, int] = {}  # jobs that nobody waits for -> when to see to them

    def _is_idle(self) -> bool:
        return not self._strays and all(one.stage is Stage.ENDED for one in self._attempts.values())

    def _turn(self) -> None:
        self._note_again()
        now_us = self._services.monotonic()
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.WAITING and attempt.order.not_before_us <= self._services.clock():
                self._stage(attempt)
            elif attempt.stage is Stage.QUEUED:
                self._watch_time(attempt, now_us)
        if now_us < self._look_us:
            return
        poll_us = self._settings.poll_us
        try:
            for attempt in list(self._attempts.values()):
                if attempt.stage is Stage.READY:
                    self._prepare(attempt)
                if attempt.stage is Stage.QUEUED:
                    self._look(attempt)
            self._end_strays()
        except AwayError:
            self._away_us = min(AWAY_US_MAX, max(poll_us, self._away_us * 2))
            self._look_us = self._services.monotonic() + self._away_us
        else:
            self._away_us = 0
            self._look_us = self._services.monotonic() + poll_us

    # Orders ---------------------------------------------------------------------------------------------------

    def add(self, attempt: Attempt) -> None:
        if attempt.forgotten:
            return
        self._attempts[attempt.order.attempt_id] = attempt
        if attempt.record.handed_in and attempt.stage is Stage.WAITING:
            attempt.stage = Stage.QUEUED
            attempt.handed = {index: Handed() for index in attempt.left if index in attempt.taken}

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
            self._end_work(attempt)
            self._hurry()

    def forget(self, attempt: Attempt) -> None:
        """Its licence goes at once, and with it what runs of it; then its folder, and what Ray knows of it."""
        self._attempts.pop(attempt.order.attempt_id, None)
        self._unwritten.pop(attempt.order.attempt_id, None)
        attempt.stopped = True
        attempt.log.close()
        names = {attempt.job_name(index) for index in {*attempt.taken, *attempt.handed}}
        self._strays.update(dict.fromkeys(names, 0))
        self._remove(attempt)

    def _hurry(self) -> None:
        """Look soon, unless the head is away."""
        self._look_us = self._look_us if self._away_us else 0

    # Handing in -----------------------------------------------------------------------------------------------

    def _staged(self, attempt: Attempt, found: object) -> None:
        super()._staged(attempt, found)
        self._hurry()

    def _prepare(self, attempt: Attempt) -> None:
        """What the runner reads, its licence, and the record that says that it may be at Ray from here on."""
        order, folder, attempt_id = attempt.order, self._folder, attempt.order.attempt_id
        here, licence = folder.here(attempt_id), folder.licence(attempt_id)
        resumes = [index for index in attempt.left if files_of(order, index)]
        try:
            folder.put(attempt_id, jobs.WORK_FILE, jobs.work_file(order, self._settings, here, licence, resumes))
            folder.put(attempt_id, jobs.RUNNER_FILE, self._runner)
            text = getattr(order.request.run, "script", None)
            if text is not None:
                folder.put(attempt_id, "script.py", text.encode())
            folder.allow(attempt_id, jobs.GO)
            self._note(attempt, handed_in=True)
            if attempt_id in self._unwritten:
                raise OSError("the adapter's folder takes no record")
        except (OSError, BackendError, OutsideError) as fault:
            attempt.failure = (0, of_fault(fault))
            self._finish(attempt)
            return
        attempt.stage = Stage.QUEUED

    def _fill(self, attempt: Attempt) -> None:
        """Hand in as many elements as Ray is to have at once."""
        taken = len(attempt.taken)
        try:
            for index in attempt.waits:
                if attempt.fails or len(attempt.handed) >= self._settings.jobs_max:
                    break
                attempt.handed[index] = Handed()
                self._submit(attempt, index)
        finally:
            if len(attempt.taken) != taken:
                self._note(attempt, taken=attempt.taken_ranges())

    def _submit(self, attempt: Attempt, index: int) -> None:
        """Whatever the answer is, Ray is asked for the job by its name: it takes a name once."""
        document = jobs.document_of(attempt.order, index, self._settings, self._folder.here(attempt.order.attempt_id))
        why = self._misfit(attempt, document)
        if why:
            self._fail(attempt, index, f"no node of this Ray cluster can ever run it: {why}")
            return
        try:
            self._server.submit(document)
        except RefusedError as fault:
            self._fail(attempt, index, f"Ray does not take the job: {gist(str(fault))}")
        except AwayError as fault:
            handed = attempt.handed[index]
            if self._server.job(attempt.job_name(index)) is not None:
                attempt.taken.add(index)
                return
            handed.refusals += 1
            if handed.refusals >= REFUSALS_MAX:
                self._fail(attempt, index, f"Ray does not take the job: {gist(str(fault))}")
        else:
            attempt.taken.add(index)

    def _misfit(self, attempt: Attempt, document: dict[str, object]) -> str:
        if self._settings.pools.get(attempt.order.pool, RayPool()).scales:
            return ""
        now_us = self._services.monotonic()
        if self._nodes is None or now_us - self._nodes[0] >= NODES_US:
            self._nodes = (now_us, self._server.nodes())
        why = jobs.misfit(document, self._nodes[1])
        if why and self._nodes[0] != now_us:  # a node may have come since
            self._nodes = (now_us, self._server.nodes())
            why = jobs.misfit(document, self._nodes[1])
        return why

    def _fail(self, attempt: Attempt, index: int, detail: str) -> None:
        if attempt.failure is None:
            attempt.failure = (index, Verdict(FailureReason.BACKEND, detail=detail))
        attempt.skip(index)
        self._end_work(attempt)

    # Looking --------------------------------------------------------------------------------------------------

    def _look(self, attempt: Attempt) -> None:
        if attempt.fails and not self._parting(attempt):
            self._end_work(attempt)
        for index in list(attempt.handed):
            self._see(attempt, index)
        if attempt.fails:
            for index in attempt.waits:
                attempt.skip(index)
        else:
            self._fill(attempt)
        for index, element in attempt.elements.items():
            if not element.over:
                attempt.pump(index)
        attempt.tell_progress()
        self._save_now_and_then(attempt)
        self._settle(attempt)

    def _see(self, attempt: Attempt, index: int) -> None:
        handed, attempt_id = attempt.handed[index], attempt.order.attempt_id
        if self._has_told(attempt, index):
            return
        begun = self._folder.has_begun(attempt_id, index)
        if begun and not attempt.stopped:
            self._begin(attempt, index)
        job = self._server.job(attempt.job_name(index))
        if job is None:
            self._unknown(attempt, index, handed, begun)
            return
        handed.missing = 0
        if index not in attempt.taken:
            attempt.taken.add(index)
            self._note(attempt, taken=attempt.taken_ranges())
        if job.status in ENDED:
            # The folder may show the runner's last words later than Ray shows its end.
            handed.silent += 1
            if not self._has_told(attempt, index) and (not begun or attempt.fails or handed.silent >= LOST_LOOKS):
                self._end(attempt, index, job)
        elif attempt.fails and not self._parting(attempt):
            self._stop_job(attempt, index, handed, begun)

    def _has_told(self, attempt: Attempt, index: int) -> bool:
        """Whether the runner has written down an end, and nothing more has to be known to judge it."""
        told = self._folder.told(attempt.order.attempt_id, index)
        if told is None:
            return False
        job: Job | None = None
        if split_status(told.status)[1] in SENT and not told.cause and not attempt.fails:
            job = self._server.job(attempt.job_name(index))  # its own signal, or one that Ray sent
            if job is not None and job.status not in ENDED:
                return True  # soon
        self._end(attempt, index, job)
        return True

    def _unknown(self, attempt: Attempt, index: int, handed: Handed, begun: bool) -> None:
        """Ray knows nothing of it: it never got there, or the head has forgotten it. What has begun never begins again."""
        handed.missing += 1
        gone = index not in attempt.taken or handed.missing >= LOST_LOOKS
        if attempt.fails and not begun:
            attempt.skip(index)
        elif gone and not begun:
            handed.missing = 0
            self._submit(attempt, index)
        elif gone or attempt.fails:
            self._end(attempt, index, None)

    def _begin(self, attempt: Attempt, index: int) -> None:
        attempt.begin(index)
        if attempt.record.began_us is None:
            self._note(attempt, began_us=self._services.clock())

    def _end(self, attempt: Attempt, index: int, job: Job | None) -> None:
        verdict = attempt.end(index, job)
        self._gather(attempt, index, verdict)
        if verdict.reason is not None and attempt.order.request.array > 1:
            self._end_work(attempt)

    def _settle(self, attempt: Attempt) -> None:
        """The last word of one that has nothing more to wait for."""
        if attempt.stage is Stage.QUEUED and attempt.over and attempt.busy == 0:
            if not attempt.fails and attempt.order.request.array > 1 and attempt.order.request.outputs:
                attempt.post(EventKind.COLLECTING)
            self._finish(attempt)

    def _came_back(self, attempt: Attempt) -> None:
        self._settle(attempt)

    # Ending ---------------------------------------------------------------------------------------------------

    def _watch_time(self, attempt: Attempt, now_us: int) -> None:
        """The runner holds work to its wall time; this is for one that does not. And the grace of work that shall end."""
        wall_us = attempt.order.request.resources.wall_time
        began = [one.began_us for one in attempt.elements.values() if not one.over and one.began_us is not None]
        if not attempt.fails and began and now_us - min(began) >= wall_us + LATE_US:
            self._note(attempt, wall_over=True)
            attempt.wall_over = True
            self._end_work(attempt)
        elif attempt.parting_us is not None and attempt.asked and not self._parting(attempt):
            attempt.asked = False
            self._end_work(attempt)
            self._hurry()

    def _end_work(self, attempt: Attempt) -> None:
        """By the licence, which the runner sees whether the head answers or not; the next looks stop the jobs themselves."""
        with suppress(OSError):
            if not self._parting(attempt):
                self._folder.withdraw(attempt.order.attempt_id)
            elif not attempt.asked:
                attempt.asked = True
                self._folder.allow(attempt.order.attempt_id, jobs.SAVE)

    def _stop_job(self, attempt: Attempt, index: int, handed: Handed, begun: bool) -> None:
        """One that waits cannot be stopped in Ray; without a licence it will not begin, so it is over."""
        now_us, name = self._services.monotonic(), attempt.job_name(index)
        if handed.stopped_us is None or now_us - handed.stopped_us >= STOP_AGAIN_US:
            handed.stopped_us = now_us
            self._server.stop(name)
        if not begun and not self._folder.has_begun(attempt.order.attempt_id, index):
            self._strays[name] = now_us + STOP_AGAIN_US
            attempt.skip(index)

    def _end_strays(self) -> None:
        """Stop what nobody waits for, and have Ray forget it once it has ended."""
        now_us = self._services.monotonic()
        due = [name for name, at_us in self._strays.items() if at_us <= now_us]
        for name in due[:STRAYS_PER_LOOK]:
            self._strays[name] = now_us + STOP_AGAIN_US
            job = self._server.job(name)
            if job is not None and job.status not in ENDED:
                self._server.stop(name)
                self._strays[name] = (
                    now_us + self._settings.poll_us if job.status == "RUNNING" else now_us + STOP_AGAIN_US
                )
            elif job is None or self._server.delete(name):
                del self._strays[name]
