"""The clerk: the one thread that speaks with Slurm, and that changes attempts.

It takes what the adapter and its workers hand in, submits what is ready, asks one question about all jobs in each
interval, and draws the conclusions. While the controller does not answer, it draws none.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from suanwang.agent.adapters.remote.clerk import of_fault
from suanwang.agent.adapters.remote.shared_clerk import SharedClerk
from suanwang.agent.adapters.slurm import script
from suanwang.agent.adapters.slurm.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.slurm.parse import Account, JobRow
from suanwang.agent.adapters.slurm.tools import AwayError, SlurmTools
from suanwang.agent.beneath import OutsideError
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason

TICK_S: Final = 0.05  # between two looks at the agent's own clock while there is something to do
WORKERS: Final = 4  # that stage, collect and save
LOST_LOOKS: Final = 3  # in a row that Slurm has to know nothing of a job before it is lost
AWAY_US_MAX: Final = 30_000_000  # between two questions to a controller that does not answer
CANCEL_AGAIN_US: Final = 5_000_000
NO_JOB: Final = 0  # in place of the number of a job that Slurm has forgotten
REFUSALS_MAX: Final = 2  # of one submission, by a controller that answers other questions

Accounts = dict[tuple[int, int | None], Account]


class Clerk(SharedClerk[Attempt]):
    """Runs from `start` to `close`. What Slurm has at the end, it keeps."""

    def __init__(self, services: Services, tools: SlurmTools, path: str, accounting: Callable[[], bool]) -> None:
        super().__init__("slurm", WORKERS, TICK_S, services, services.settings.grace_us)
        self._tools = tools
        self._path = path
        self._accounting = accounting
        self._accounts_us = 0  # before this the accounting is not asked: it had no answer
        self._look_us = 0
        self._away_us = 0  # the pause after a question without an answer; 0: the last one had one
        self._refusals: dict[AttemptId, int] = {}
        self._strays: set[str] = set()  # attempts whose jobs nobody waits for, until Slurm has ended them

    def _is_idle(self) -> bool:
        return not self._strays and all(one.stage is Stage.ENDED for one in self._attempts.values())

    def _turn(self) -> None:
        now_us = self._services.monotonic()
        self._note_again()
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.WAITING and attempt.order.not_before_us <= self._services.clock():
                self._stage(attempt)
            elif attempt.stage is Stage.READY and now_us >= self._look_us - self._services.settings.poll_us:
                self._submit(attempt)
            if attempt.stage is Stage.QUEUED:
                self._watch_time(attempt, now_us)
        queued = [one for one in self._attempts.values() if one.stage is Stage.QUEUED]
        if (queued or self._strays) and now_us >= self._look_us:
            self._look(queued)

    # Orders ---------------------------------------------------------------------------------------------------

    def add(self, attempt: Attempt) -> None:
        if attempt.forgotten:
            return
        self._attempts[attempt.order.attempt_id] = attempt
        if attempt.record.turn and attempt.stage is Stage.WAITING:
            attempt.stage = Stage.QUEUED
            self._look_us = 0

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
            self._end_job(attempt)

    def forget(self, attempt: Attempt) -> None:
        """Its licence to begin goes at once, and then its folder; what Slurm has of it is ended."""
        self._attempts.pop(attempt.order.attempt_id, None)
        attempt.stopped = True
        attempt.log.close()
        if attempt.stage is Stage.QUEUED:
            self._strays.add(attempt.order.attempt_id)
            if attempt.record.job_id:
                self._cancel(attempt)
        self._unwritten.pop(attempt.order.attempt_id, None)
        self._remove(attempt)

    # Staging and submitting -----------------------------------------------------------------------------------

    def _submit(self, attempt: Attempt) -> None:
        """Hand it in. The record says that it was tried before it is tried, and which job it is as soon as that is
        known; between the two the job is found by its name, which is the attempt's id with the number of the submission."""
        order, folder = attempt.order, self._services.folder
        here = folder.here(order.attempt_id)
        try:
            folder.put(order.attempt_id, script.RUN_FILE, script.work_script(order, here, self._path))
            entry = order.request.run
            text = getattr(entry, "script", None)
            if text is not None:
                folder.put(order.attempt_id, "script.py", text.encode())
            turn = attempt.record.turn + 1
            folder.allow(order.attempt_id, turn)
            attempt.record = replace(attempt.record, turn=turn, job_id=None)
            folder.write_record(attempt.record)
        except (OSError, BackendError, OutsideError) as fault:
            attempt.failure = (0, of_fault(fault))
            self._finish(attempt)
            return
        licence = folder.licence(order.attempt_id)
        job = script.job_script(order, here, licence, turn, attempt.left[0])
        attempt.stage, attempt.missing = Stage.QUEUED, 0
        try:
            job_id = self._tools.submit(script.options(order, attempt.route, here, attempt.left, turn), job)
        except AwayError as fault:
            self._not_submitted(attempt, fault)
            return
        self._refusals.pop(order.attempt_id, None)
        self._note(attempt, job_id=job_id)

    def _not_submitted(self, attempt: Attempt, fault: AwayError) -> None:
        """A controller that answers who is asked for the job's name has either taken it or refused it."""
        rows = self._rows()
        if rows is None:
            return  # away: the next look finds it, or hands it in again
        job_id = attempt.newest_job(rows)
        if job_id is not None:
            self._note(attempt, job_id=job_id)
            return
        count = self._refusals.get(attempt.order.attempt_id, 0) + 1
        self._refusals[attempt.order.attempt_id] = count
        if count < REFUSALS_MAX:
            attempt.stage = Stage.READY
            return
        self._refusals.pop(attempt.order.attempt_id)
        attempt.failure = (0, Verdict(FailureReason.BACKEND, detail=f"Slurm does not take the job: {fault}"))
        self._finish(attempt)

    # Looking --------------------------------------------------------------------------------------------------

    def _rows(self) -> list[JobRow] | None:
        """Every job of ours, or None where the controller does not answer; also sets when to ask again."""
        poll_us = self._services.settings.poll_us
        try:
            rows = self._tools.jobs()
        except AwayError:
            self._away_us = min(AWAY_US_MAX, max(poll_us, self._away_us * 2))
            self._look_us = self._services.monotonic() + self._away_us
            return None
        self._away_us = 0
        self._look_us = self._services.monotonic() + poll_us
        return rows

    def _look(self, queued: list[Attempt]) -> None:
        rows = self._rows()
        if rows is None:
            return
        by_name: dict[tuple[str, int], list[JobRow]] = {}
        for row in rows:
            by_name.setdefault((row.name, row.job_id), []).append(row)
        self._sweep(rows, {attempt.order.attempt_id: attempt.job_name for attempt in queued})
        over = []
        for attempt in queued:
            if attempt.record.job_id is None and not self._adopt(attempt, rows):
                continue
            assert attempt.record.job_id is not None, "adopted, or handed in again"
            self._read(attempt, by_name.get((attempt.job_name, attempt.record.job_id), []))
            if attempt.job_over and attempt.stage is Stage.QUEUED:
                over.append(attempt)
        self._settle(over)

    def _sweep(self, rows: list[JobRow], current: Mapping[str, str]) -> None:
        """End what is left of forgotten attempts, and submissions that turned up after they were made again. `current`: by
        attempt, the job that counts."""
        there = [(row, script.attempt_of(row.name)) for row in rows if row.active]
        strays = {row.job_id: row.name for row, attempt in there if attempt in self._strays}
        late = {row.job_id: row.name for row, attempt in there if current.get(attempt, row.name) != row.name}
        self._strays &= {attempt for row, attempt in there}
        for job_id, name in (strays | late).items():
            self._try(partial(self._tools.cancel, name, job_id))

    def _adopt(self, attempt: Attempt, rows: list[JobRow]) -> bool:
        """Find the job of a submission that nobody heard the answer of. One that did not get through is made again: its
        script would find its licence gone, should it turn up after all."""
        job_id = attempt.newest_job(rows)
        if job_id is not None:
            self._note(attempt, job_id=job_id)
            return True
        folder, attempt_id = self._services.folder, attempt.order.attempt_id
        if any(folder.told(attempt_id, index) for index in attempt.left):
            self._note(attempt, job_id=NO_JOB)  # it ran while nobody looked: what it wrote down counts
            return True
        attempt.missing += 1
        if attempt.stopped:
            attempt.job_over = True
            self._finish(attempt)
        elif attempt.missing >= LOST_LOOKS:
            if any(folder.has_begun(attempt_id, index) for index in attempt.left):
                self._note(attempt, job_id=NO_JOB)  # it began, and is lost: never begun a second time
                return True
            attempt.stage = Stage.READY
        return False

    def _read(self, attempt: Attempt, rows: list[JobRow]) -> None:
        """What the rows of its job say of an attempt."""
        first = attempt.left[0]
        by_index = {first + (row.task or 0): row for row in rows if row.task is not None or not row.array}
        rest = next((row for row in rows if row.array and row.task is None), None)
        for index, row in by_index.items():
            if row.runs and index not in attempt.elements:
                known_us = max(0, row.used_us - 1_000_000) if attempt.recovered else 0
                attempt.begin(index, known_us)
                if attempt.record.began_us is None:
                    self._note(attempt, began_us=self._services.clock())
        active = any(row.active for row in rows)
        attempt.missing = 0 if rows else attempt.missing + 1
        for index in attempt.left:
            element = attempt.elements.get(index)
            if element is not None and element.over:
                continue
            found = by_index.get(index, rest)
            if found is not None and not found.active:
                self._end(attempt, index, found)
            elif found is None and self._is_gone(attempt, index, active):
                self._end(attempt, index, None)
        for index, element in attempt.elements.items():
            if not element.over:
                attempt.pump(index)
        attempt.tell_progress()
        self._save_now_and_then(attempt)
        attempt.job_over = not active and all(
            index in attempt.elements and attempt.elements[index].over for index in attempt.left
        )
        if active and attempt.fails and not self._parting(attempt):
            self._end_job(attempt)

    def _is_gone(self, attempt: Attempt, index: int, active: bool) -> bool:
        """Whether an element without a row is over: it says so itself, or Slurm has known nothing for some looks."""
        if self._services.folder.told(attempt.order.attempt_id, index) is not None:
            return True
        return not active and (attempt.missing >= LOST_LOOKS or attempt.stopped)

    def _end(self, attempt: Attempt, index: int, row: JobRow | None) -> None:
        self._gather(attempt, index, attempt.end(index, row))

    def _settle(self, over: list[Attempt]) -> None:
        """Last words of those whose job is over and whose outputs are in."""
        ready = [one for one in over if one.busy == 0]
        found: Accounts = {}
        numbers = [one.record.job_id for one in ready if one.record.job_id]
        if numbers and self._accounting() and self._services.monotonic() >= self._accounts_us:
            try:
                found = self._tools.accounts(numbers)
            except AwayError:  # figures are not worth an end that does not come, nor the others' that wait for it
                self._accounts_us = self._services.monotonic() + AWAY_US_MAX
        for attempt in ready:
            self._charge(attempt, found)
            if not attempt.fails and attempt.order.request.array > 1 and attempt.order.request.outputs:
                attempt.post(EventKind.COLLECTING)
            self._finish(attempt)

    def _charge(self, attempt: Attempt, found: Accounts) -> None:
        """The accounting's figures in place of our own."""
        array = attempt.order.request.array > 1
        for index in attempt.elements:
            task = index - attempt.left[0] if array else None
            account = found.get((attempt.record.job_id or 0, task))
            if account is not None:
                attempt.meter.measure(index, account.core_us, account.memory_peak_bytes)

    # Ending ---------------------------------------------------------------------------------------------------

    def _watch_time(self, attempt: Attempt, now_us: int) -> None:
        """The exact wall time, and the grace of work that was asked to end."""
        wall_us = attempt.order.request.resources.wall_time
        began = [one.began_us for one in attempt.elements.values() if not one.over and one.began_us is not None]
        if not attempt.fails and began and now_us - min(began) >= wall_us:
            attempt.wall_over = True
            self._note(attempt, wall_over=True)
            self._end_job(attempt)
        elif attempt.parting_us is not None and attempt.asked and not self._parting(attempt):
            self._end_job(attempt)

    def _end_job(self, attempt: Attempt) -> None:
        """Have Slurm end it; asked again now and then, until it is over."""
        now_us = self._services.monotonic()
        if not attempt.record.job_id:
            return
        if self._parting(attempt) and not attempt.asked:
            attempt.asked = True
            self._cancel(attempt, "--state=PENDING")
            self._cancel(attempt, "--signal=USR1", "--batch")
        elif not self._parting(attempt) and (
            attempt.cancelled_us is None or now_us - attempt.cancelled_us >= CANCEL_AGAIN_US
        ):
            attempt.cancelled_us = now_us
            self._cancel(attempt)
        self._look_us = min(self._look_us, now_us + self._services.settings.poll_us // 2)

    def _cancel(self, attempt: Attempt, *options: str) -> None:
        if attempt.record.job_id:
            self._try(partial(self._tools.cancel, attempt.job_name, attempt.record.job_id, *options))

    # Workers --------------------------------------------------------------------------------------------------

    def _came_back(self, attempt: Attempt) -> None:
        if attempt.job_over and attempt.busy == 0 and attempt.stage is Stage.QUEUED:
            self._settle([attempt])

    def _try(self, command: Callable[[], None]) -> None:
        """What is asked again later, should it not get through now."""
        try:
            command()
        except AwayError:
            return
