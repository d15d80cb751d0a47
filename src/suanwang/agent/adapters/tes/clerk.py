"""The clerk: the one thread that speaks with the TES server, and that changes attempts.

It hands in what is ready, looks at what lives once an interval, and draws the conclusions. While the server is away it
draws none, and asks less and less often.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from suanwang.agent.adapter import Update
from suanwang.agent.adapters.remote import clerk as remote
from suanwang.agent.adapters.tes import answer
from suanwang.agent.adapters.tes.attempt import Attempt, Element, Services, Stage, Taken
from suanwang.agent.adapters.tes.document import ATTEMPT_TAG, ELEMENT_TAG, document_of, key_of, name_of
from suanwang.agent.adapters.tes.server import AwayError, RefusedError, TesServer, is_id, state_of, tags_of
from suanwang.agent.adapters.tes.verdict import ENDED
from suanwang.agent.collect import Collected
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason
from suanwang.model.tes import TesState

TICK_S: Final = 0.05
WORKERS: Final = 4
LOST_LOOKS: Final = 3  # in a row in which the server knows nothing of a task before it is gone
AWAY_US_MAX: Final = 30_000_000
CANCEL_AGAIN_US: Final = 5_000_000
ELEMENT_DIGITS_MAX: Final = 9
AWAY_IN_A_ROW: Final = 2  # attempts without an answer, one after the other, for which the others are not asked after
LATE_US: Final = 10_000_000  # after its wall time the work is ended from here: the image had no `timeout`
_AT_WORK: Final = frozenset({TesState.RUNNING, TesState.PAUSED})
_WORKED: Final = ENDED - {TesState.SYSTEM_ERROR, TesState.CANCELED}


class Clerk(remote.Clerk[Attempt]):
    """Runs from `start` to `close`. What the server has at the end, it keeps."""

    def __init__(self, services: Services, server: TesServer) -> None:
        super().__init__("tes", WORKERS, TICK_S, None)
        self._services, self._server = services, server
        self._look_us = 0
        self._away_us = 0  # the pause after a question without an answer; 0: the last one had one
        self._strays: dict[AttemptId, set[str]] = {}  # of forgotten attempts: tasks to be ended

    def _is_idle(self) -> bool:
        return not self._strays and all(one.stage is Stage.ENDED for one in self._attempts.values())

    def _turn(self) -> None:
        self._note_again()
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.WAITING and attempt.order.not_before_us <= self._services.clock():
                self._stage(attempt)
        if self._services.monotonic() < self._look_us:
            return
        if self._ask_all():
            self._away_us = 0
            self._look_us = self._services.monotonic() + self._services.settings.poll_us
        else:
            self._away_us = min(AWAY_US_MAX, max(self._services.settings.poll_us, self._away_us * 2))
            self._look_us = self._services.monotonic() + self._away_us

    def _ask_all(self) -> bool:
        """Whether the server is there: one answer is enough. An attempt that it has none for (a task that it fails on each
        time) goes behind the others, so that it keeps none of them waiting."""
        answered = silent = in_a_row = 0
        for attempt_id, attempt in list(self._attempts.items()):
            if attempt.stage not in (Stage.READY, Stage.QUEUED):
                continue
            try:
                (self._hand_in if attempt.stage is Stage.READY else self._look)(attempt)
            except AwayError:
                silent, in_a_row = silent + 1, in_a_row + 1
                if attempt_id in self._attempts:
                    self._attempts[attempt_id] = self._attempts.pop(attempt_id)
                if in_a_row == AWAY_IN_A_ROW:
                    break
            except Exception as fault:  # it ends this attempt, and none of the others
                self._give_up(attempt, remote.of_surprise(fault, attempt_id))
            else:
                answered, in_a_row = answered + 1, 0
        there = len(self._strays)
        lost = self._end_strays()
        return bool(answered) or lost < there or not (silent + lost)

    # Orders ---------------------------------------------------------------------------------------------------

    def add(self, attempt: Attempt) -> None:
        if attempt.forgotten:
            return
        self._attempts[attempt.order.attempt_id] = attempt
        if attempt.record.handed_in and attempt.stage is Stage.WAITING:
            attempt.stage = Stage.QUEUED

    def stop(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.stage is Stage.ENDED or attempt.stopped:
            return
        attempt.stopped = True
        if attempt.stage in (Stage.WAITING, Stage.READY) and not attempt.record.handed_in:
            self._finish(attempt)
        self._look_us = 0 if not self._away_us else self._look_us

    def forget(self, attempt: Attempt) -> None:
        """What the server has of it is ended."""
        attempt_id = attempt.order.attempt_id
        self._attempts.pop(attempt_id, None)
        self._unwritten.pop(attempt_id, None)
        attempt.stopped = True
        attempt.log.close()
        if attempt.record.handed_in and attempt.stage is not Stage.ENDED:
            self._strays[attempt_id] = self._left_of(attempt)
        self._remove(attempt)

    def _give_up(self, attempt: Attempt, why: Verdict) -> None:
        """End it here; what the server has of it is ended as of a forgotten one."""
        self._strays[attempt.order.attempt_id] = self._left_of(attempt)
        attempt.failure = attempt.failure or (0, why)
        self._finish(attempt)

    def _left_of(self, attempt: Attempt) -> set[str]:
        """The tasks of its elements that are not over."""
        tasks = attempt.record.tasks
        return {tasks[index] for index, one in attempt.elements.items() if not one.over and index in tasks}

    def _stopped(self) -> None:
        self._end_strays()  # who was forgotten last

    def _remove(self, attempt: Attempt) -> None:
        folder, storage, attempt_id = self._services.folder, self._services.storage, attempt.order.attempt_id

        def remove() -> None:
            with suppress(OSError):
                folder.forget(attempt_id)
                storage.forget(attempt_id)

        self._trash.submit(remove)

    # Staging and handing in -----------------------------------------------------------------------------------

    def _stage(self, attempt: Attempt) -> None:
        attempt.stage = Stage.STAGING
        if attempt.order.request.inputs:
            attempt.post(EventKind.STAGING)
        self._work(attempt, attempt.stage_inputs, partial(self._staged, attempt), self._stagers)

    def _staged(self, attempt: Attempt, found: object) -> None:
        if isinstance(found, Verdict):
            attempt.failure = (0, found)
        assert found is None or isinstance(found, bytes | str | Verdict), "what staging comes to"
        attempt.cargo = None if isinstance(found, Verdict) else found
        if attempt.fails and attempt.record.handed_in:
            attempt.stage = Stage.QUEUED  # some of it is there already, and is to be ended first
        elif attempt.fails or not attempt.left:
            self._finish(attempt)
        else:
            attempt.stage = Stage.READY
            self._look_us = 0 if not self._away_us else self._look_us

    def _hand_in(self, attempt: Attempt) -> None:
        """The record says so before the first request is made."""
        if not attempt.record.handed_in:
            attempt.record = replace(attempt.record, handed_in=True)
            try:
                self._services.folder.write_record(attempt.record)
            except OSError as fault:
                attempt.failure = (0, remote.of_fault(fault))
                self._finish(attempt)
                return
        attempt.stage = Stage.QUEUED
        for index in attempt.left:
            if attempt.fails:
                break
            if index not in attempt.record.tasks and not attempt.elements[index].over:
                self._create(attempt, index)
        self._note(attempt)

    def _create(self, attempt: Attempt, index: int) -> None:
        order, settings, storage = attempt.order, self._services.settings, self._services.storage
        try:
            document = document_of(order, index, settings, attempt.cargo, storage.url(order.attempt_id, str(index)))
            task_id = self._server.create(document, key_of(settings, order.attempt_id, index))
        except (BackendError, RefusedError) as fault:
            why = remote.of_fault(fault) if isinstance(fault, BackendError) else _refused(fault)
            self._over(attempt, index, why)
        except AwayError:
            self._note(attempt)
            raise
        else:
            attempt.record = replace(attempt.record, tasks={**attempt.record.tasks, index: task_id})

    def _write(self, attempt: Attempt) -> None:
        self._services.folder.write_record(attempt.record)

    # Looking --------------------------------------------------------------------------------------------------

    def _look(self, attempt: Attempt) -> None:
        unknown = [
            index
            for index, one in attempt.elements.items()
            if not one.over and not one.asked and index not in attempt.record.tasks
        ]
        if unknown:
            self._adopt(attempt, unknown)
        for index, element in attempt.elements.items():
            task_id = attempt.record.tasks.get(index)
            if task_id is None or element.over or element.asked:
                continue
            self._see(attempt, index, element, task_id)
        attempt.tell_progress()
        self._settle(attempt)

    def _adopt(self, attempt: Attempt, unknown: list[int]) -> None:
        """Find the tasks of elements whose handing in nobody heard the answer of. Of two the older counts."""
        found: dict[int, str] = {}
        for task in self._find(attempt.order.attempt_id):
            number = str(tags_of(task).get(ELEMENT_TAG, ""))
            if not (number.isdecimal() and len(number) <= ELEMENT_DIGITS_MAX) or not is_id(task.get("id")):
                continue
            index = int(number)
            if index in found or attempt.record.tasks.get(index, task["id"]) != task["id"]:
                if state_of(task) not in ENDED:
                    self._server.cancel(task["id"])
            elif index in unknown:
                found[index] = task["id"]
        if found:
            self._note(attempt, tasks={**attempt.record.tasks, **found})
        for index in unknown:
            element = attempt.elements[index]
            element.missing = 0 if index in found else element.missing + 1
        lost = [index for index in unknown if attempt.elements[index].missing >= LOST_LOOKS]
        if attempt.fails:
            for index in lost:
                attempt.elements[index].over = True
        elif lost:
            for index in lost:
                attempt.elements[index].missing = 0
            self._again(attempt)

    def _find(self, attempt_id: AttemptId) -> list[dict[str, Any]]:
        return self._server.find(ATTEMPT_TAG, name_of(self._services.settings, attempt_id))

    def _again(self, attempt: Attempt) -> None:
        """It never got there. What it was to be given is packed anew where an earlier process had done it."""
        if attempt.order.request.inputs and attempt.cargo is None:
            self._stage(attempt)
        else:
            attempt.stage = Stage.READY

    def _see(self, attempt: Attempt, index: int, element: Element, task_id: str) -> None:
        state = self._server.state(task_id)
        if state is None:
            element.missing += 1
            if element.missing >= LOST_LOOKS or attempt.stopped:
                self._read_end(attempt, index, None, task_id)
            return
        element.missing = 0
        if state in ENDED:
            self._read_end(attempt, index, state, task_id)
            return
        if state in _AT_WORK and not attempt.stopped:
            self._begin(attempt, index)
        now_us, wall_us = self._services.monotonic(), attempt.order.request.resources.wall_time
        if element.began_us is not None and now_us - element.began_us >= wall_us + LATE_US and not attempt.fails:
            attempt.wall_over = True
            self._note(attempt, wall_over=True)
        if attempt.fails and (element.cancelled_us is None or now_us - element.cancelled_us >= CANCEL_AGAIN_US):
            element.cancelled_us = now_us
            self._server.cancel(task_id)

    def _begin(self, attempt: Attempt, index: int, ago_us: int = 0) -> None:
        attempt.begin(index, ago_us)
        if attempt.record.began_us is None:
            self._note(attempt, began_us=self._services.clock())

    def _read_end(self, attempt: Attempt, index: int, state: TesState | None, task_id: str) -> None:
        said = answer.read(self._server.whole(task_id) if state is not None else {})
        if (said.code is not None or state in _WORKED) and not attempt.stopped:
            self._begin(attempt, index, said.ran_us)  # it ran between two looks
        attempt.elements[index].asked = True
        if (
            attempt.order.request.array == 1
            and said.code == 0
            and attempt.order.request.outputs
            and not attempt.stopped
        ):
            attempt.post(EventKind.COLLECTING)
        self._work(attempt, partial(attempt.take, index, state, said), partial(self._taken, attempt, index))

    def _taken(self, attempt: Attempt, index: int, found: object) -> None:
        if isinstance(found, Verdict):
            self._over(attempt, index, found)
            return
        assert isinstance(found, Taken), "what reading an end comes to"
        attempt.keep(index, found)

    def _over(self, attempt: Attempt, index: int, why: Verdict) -> None:
        attempt.keep(index, Taken(why, Collected(), answer.Answer()))

    def _came_back(self, attempt: Attempt) -> None:
        if attempt.stage is Stage.QUEUED:
            self._settle(attempt)

    # Ending ---------------------------------------------------------------------------------------------------

    def _settle(self, attempt: Attempt) -> None:
        """The last word of one that has nothing more to wait for."""
        if attempt.stage is Stage.QUEUED and attempt.over and not attempt.busy:
            if not attempt.fails and attempt.order.request.array > 1 and attempt.order.request.outputs:
                attempt.post(EventKind.COLLECTING)
            self._finish(attempt)

    def _finish(self, attempt: Attempt) -> None:
        if attempt.stage is Stage.ENDED:
            return
        attempt.stage = Stage.ENDED
        last = attempt.last_word()
        if last["kind"] is not EventKind.FINISHED:
            attempt.saver.tell()
        attempt.log.close()
        update = Update(attempt.order.attempt_id, self._services.clock(), usage=attempt.usage(), **last)
        self._note(attempt, last=update)
        if not attempt.forgotten:
            self._services.post(update)

    def _end_strays(self) -> int:
        """Tasks of forgotten attempts, by their numbers and by their tag; how many of these attempts there was no answer
        about. After some in a row the others wait for the next turn, behind which those come then."""
        silent = in_a_row = 0
        for attempt_id in list(self._strays):
            if in_a_row == AWAY_IN_A_ROW:
                break
            known = self._strays.pop(attempt_id)
            try:
                there = {str(one["id"]) for one in self._find(attempt_id) if _lives(one)}
                for task_id in known | there:
                    self._server.cancel(task_id)
            except AwayError:
                self._strays[attempt_id] = known
                silent, in_a_row = silent + 1, in_a_row + 1
            except Exception as fault:
                remote.of_surprise(fault, attempt_id)  # there is nothing more that could be asked about it
            else:
                in_a_row = 0
                if there:
                    self._strays[attempt_id] = there
        return silent


def _lives(task: Mapping[str, Any]) -> bool:
    return is_id(task.get("id")) and state_of(task) not in ENDED


def _refused(fault: RefusedError) -> Verdict:
    return Verdict(FailureReason.BACKEND, detail=f"the server does not take the task: {fault}")
