"""The clerk: the one thread that hands circuits to the devices, and that changes attempts.

It takes what the adapter, its workers and the runner hand in, gives free processors to who has waited longest, and ends what
is over its time.
"""

from functools import partial
from typing import Final

from suanwang.agent.adapter import Update
from suanwang.agent.adapters.quantum.aer import AerHost
from suanwang.agent.adapters.quantum.attempt import Attempt, Services, Stage
from suanwang.agent.adapters.quantum.resource import Standing, TaskStatus
from suanwang.agent.adapters.quantum.settings import QUEUE_US
from suanwang.agent.adapters.remote import clerk as remote
from suanwang.agent.collect import Collected
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId
from suanwang.model.reason import FailureReason

TICK_S: Final = 0.02  # between two looks at the clock while there is something to do
IDLE_S: Final = 1.0  # between two looks at the runner
WORKERS: Final = 2  # that collect
_OVER: Final = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


class Clerk(remote.Clerk[Attempt]):
    """Runs from `start` to `close`, which ends what runs: a new clerk over the same folder begins it again."""

    def __init__(self, services: Services) -> None:
        super().__init__("quantum", WORKERS, TICK_S, IDLE_S)
        self._services = services
        self.host = AerHost(services.settings, services.monotonic, self.call)

    def _begun(self) -> None:
        self.host.keep_up()

    def _stopped(self) -> None:
        self.host.close()

    def _is_idle(self) -> bool:
        return all(one.stage is Stage.ENDED for one in self._attempts.values())

    def _turn(self) -> None:
        self.host.keep_up()
        self._note_again()
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.WAITING and attempt.order.not_before_us <= self._services.clock():
                self._stage(attempt)
            if attempt.stage is Stage.READY:
                self._watch(attempt)
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.READY and attempt.queue and not attempt.over:
                self._give_processors(attempt)

    # Orders ---------------------------------------------------------------------------------------------------

    def add(self, attempt: Attempt) -> None:
        if not attempt.forgotten:
            self._attempts[attempt.order.attempt_id] = attempt

    def stop(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.stage is Stage.ENDED or attempt.stopped:
            return
        attempt.stopped = True
        self._end_tasks(attempt)
        self._settle(attempt)

    def forget(self, attempt: Attempt) -> None:
        self._attempts.pop(attempt.order.attempt_id, None)
        self._unwritten.pop(attempt.order.attempt_id, None)
        attempt.stopped = True
        for _, element in attempt.at_work:
            attempt.resource.release(element.token)
        attempt.log.close()
        self._remove(attempt)

    def _remove(self, attempt: Attempt) -> None:
        self._workers.submit(self._services.folder.forget, attempt.order.attempt_id)

    # The way to a processor -----------------------------------------------------------------------------------

    def _stage(self, attempt: Attempt) -> None:
        attempt.stage = Stage.STAGING
        if attempt.order.request.inputs:
            attempt.post(EventKind.STAGING)
        self._work(attempt, attempt.stage_inputs, partial(self._staged, attempt), self._stagers)

    def _staged(self, attempt: Attempt, found: object) -> None:
        attempt.stage, attempt.ready_us = Stage.READY, self._services.monotonic()
        if isinstance(found, Verdict):
            attempt.failure = (0, found)
        self._settle(attempt)

    def _give_processors(self, attempt: Attempt) -> None:
        """As many elements as there are processors; what the device's state has to say to one that gets none."""
        status = attempt.resource.status(self._services.clock())
        while status.standing is Standing.ONLINE and attempt.queue and attempt.failure is None:
            token = attempt.resource.acquire()
            if token is None:
                return
            self._begin(attempt, attempt.queue[0], token)
            status = attempt.resource.status(self._services.clock())
        if not attempt.queue or attempt.failure is not None:
            self._settle(attempt)
            return
        why = self._why_not(attempt, status.standing, status.until_us)
        if why is not None:
            detail = f"{attempt.resource.resource_id} {why}" + (f": {status.reason}" if status.reason else "")
            attempt.failure = (attempt.queue[0], Verdict(FailureReason.BACKEND, detail=detail))
            self._end_tasks(attempt)
            self._settle(attempt)

    def _why_not(self, attempt: Attempt, standing: Standing, until_us: int | None) -> str | None:
        """Why it need not wait any longer; None where it still may."""
        if standing is Standing.OFFLINE:
            return "is down"
        if attempt.at_work:
            return None  # the device is its own
        most_us = QUEUE_US if attempt.entry.max_queue is None else attempt.entry.max_queue
        assert attempt.ready_us is not None, "ready since some moment"
        waited_us = self._services.monotonic() - attempt.ready_us
        if until_us is not None and waited_us + until_us - self._services.clock() > most_us:
            return f"takes no circuit for {-(-(until_us - self._services.clock()) // 1_000_000)} s"
        return f"had no processor within {most_us / 1e6:g} s" if waited_us > most_us else None

    def _begin(self, attempt: Attempt, index: int, token: str) -> None:
        resource = attempt.resource
        try:
            task_id = resource.task_start(token, attempt.payload(index))
        except (BackendError, OSError) as fault:
            resource.release(token)
            attempt.failure = (index, remote.of_fault(fault))
            return
        attempt.begin(index, token, task_id)
        if attempt.record.began_us is None:
            self._note(attempt, began_us=self._services.clock())

    # Watching -------------------------------------------------------------------------------------------------

    def _watch(self, attempt: Attempt) -> None:
        now_us, wall_us = self._services.monotonic(), attempt.order.request.resources.wall_time
        for index, element in attempt.at_work:
            attempt.pump(index)
            if attempt.resource.task_status(element.task_id) in _OVER:
                self._end(attempt, index)
        began = attempt.record.began_us
        late = began is not None and self._services.clock() - began >= wall_us and attempt.order.request.array == 1
        if not attempt.wall_over and (late or any(now_us - one.began_us >= wall_us for _, one in attempt.at_work)):
            attempt.wall_over = True
            self._end_tasks(attempt)
            if not attempt.at_work and attempt.queue:
                attempt.failure = attempt.failure or (attempt.queue[0], Verdict(FailureReason.WALL_TIME))
        if attempt.failure is not None:
            self._end_tasks(attempt)
        attempt.tell_progress()
        self._settle(attempt)

    def _end(self, attempt: Attempt, index: int) -> None:
        element = attempt.elements[index]
        verdict = attempt.end(index, attempt.resource.task_result(element.task_id))
        attempt.resource.release(element.token)
        if verdict.exit_code != 0 or attempt.stopped:
            return
        if attempt.order.request.array == 1 and attempt.order.request.outputs:
            attempt.post(EventKind.COLLECTING)
        self._work(attempt, partial(attempt.collect, index), partial(self._kept, attempt, index))

    def _kept(self, attempt: Attempt, index: int, found: object) -> None:
        assert isinstance(found, Collected | Verdict), "what collecting comes to"
        attempt.keep(index, found)
        self._settle(attempt)

    def _end_tasks(self, attempt: Attempt) -> None:
        for _, element in attempt.at_work:
            attempt.resource.task_stop(element.task_id)

    # Ending ---------------------------------------------------------------------------------------------------

    def _settle(self, attempt: Attempt) -> None:
        """The last word of one that has nothing more to wait for."""
        idle = attempt.stage in (Stage.WAITING, Stage.READY) and not attempt.busy
        if not idle or not attempt.over or (attempt.stage is Stage.WAITING and not attempt.stopped):
            return
        attempt.stage = Stage.ENDED
        last = attempt.last_word()
        many = attempt.order.request.array > 1
        if many and last["kind"] is EventKind.FINISHED and attempt.order.request.outputs:
            attempt.post(EventKind.COLLECTING)
        if many and last["kind"] is not EventKind.FINISHED:
            attempt.saver.tell()
        attempt.log.close()
        update = Update(attempt.order.attempt_id, self._services.clock(), usage=attempt.usage(), **last)
        self._note(attempt, last=update)
        if not attempt.forgotten:
            self._services.post(update)

    def _write(self, attempt: Attempt) -> None:
        self._services.folder.write_record(attempt.record)
