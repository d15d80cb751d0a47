"""The fake adapter: work that takes virtual time and happens nowhere. It ships: the simulator and the bench use it.

What an attempt does is a function of the seed and the attempt's id, so it does not depend on the order of starts.
Tags of the request rule it where they stand:

    fake.duration-us   how long the work takes; several with commas: one an attempt, the last for all after it
    fake.outcome       ok | exit:<n> | signal:<n> | oom | lost | hang; several with commas: one an attempt, the last
                       for all after it
"""

import heapq
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from blake3 import blake3

from suanwang.agent.adapter import Limit, Manifest, StartOrder, Update
from suanwang.agent.collect import name_at_target
from suanwang.agent.objects import ObjectStore
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind, Kept, OutputFile, Usage
from suanwang.model.grid import PoolKind
from suanwang.model.ids import AttemptId
from suanwang.model.ranges import Ranges, count, numbers_left, ranges_of
from suanwang.model.reason import FailureReason
from suanwang.model.task import CHECKPOINT_EVERY_US, TaskRequest

DURATION_TAG: Final = "fake.duration-us"
OUTCOME_TAG: Final = "fake.outcome"
CHECKPOINTS_MAX: Final = 1000  # of one attempt, told now and then
_OUTPUT: Final = "fake.output-bytes"  # how large each output is said to be, where none is really made
ARRAY_OUTPUTS_MAX: Final = 1000  # elements of an array that get outputs: a fake of a million would fill the memory

_ALWAYS: Final = -1  # the epoch of a delivery: valid whatever became of the attempt


@dataclass(frozen=True, slots=True)
class FakeSettings:
    """How work without tags goes: a share of its wall time, and now and then wrong."""

    duration_permille_min: int = 100
    duration_permille_max: int = 900
    exit_permille: int = 0  # how many of a thousand attempts end with exit code 1
    lost_permille: int = 0  # how many the backend loses
    stage_us: int = 0  # how long inputs take
    progress_steps: int = 0  # progress reports between start and end


@dataclass(slots=True)
class _Attempt:
    order: StartOrder
    began_us: int = 0  # when it begins to run
    work_us: int = 1  # how long all of its work takes, with what earlier attempts have done
    saved_us: int = 0  # how much of it they have
    told: Ranges = ()  # elements that are known to be done
    epoch: int = 0  # updates of an older epoch are void
    ended: bool = False
    log: bytes = b""


class FakeAdapter:
    """Adapter, Logs, Wakes, Saves and Delivers with no backend. Time is the caller's clock."""

    def __init__(
        self,
        clock: Callable[[], int],
        seed: int,
        settings: FakeSettings | None = None,
        objects: ObjectStore | None = None,
    ) -> None:
        """`objects`: outputs are really put there and inputs really asked for; without it, hashes are made up."""
        self.manifest: Manifest = Manifest("fake", "1", True, frozenset(PoolKind), frozenset(Limit))
        self._clock = clock
        self._seed = seed
        self._settings = settings or FakeSettings()
        self._objects = objects
        self._attempts: dict[AttemptId, _Attempt] = {}
        self._heap: list[tuple[int, int, int, Update]] = []  # due, tie, epoch, update
        self._tie = 0

    # Adapter --------------------------------------------------------------------------------------------------

    def start(self, order: StartOrder) -> None:
        if order.attempt_id in self._attempts:
            return
        if order.request.image != "host":
            raise BackendError(FailureReason.IMAGE_UNKNOWN, order.request.image)
        attempt = _Attempt(order)
        self._attempts[order.attempt_id] = attempt
        now_us = self._clock()
        if order.request.inputs:
            self._push(attempt, now_us, EventKind.STAGING)
            missing = self._missing_input(order.request)
            if missing is not None:
                self._push(attempt, now_us, EventKind.FAILED, reason=FailureReason.INPUT_MISSING, detail=missing)
                return
            now_us += self._settings.stage_us
        self._schedule(attempt, max(now_us, order.not_before_us))

    def poll(self) -> Sequence[Update]:
        now_us = self._clock()
        out = []
        while self._heap and self._heap[0][0] <= now_us:
            _, _, epoch, update = heapq.heappop(self._heap)
            attempt = self._attempts.get(update.attempt_id)
            if attempt is not None and attempt.epoch == epoch:
                self._note(attempt, update)
                out.append(update)
            elif epoch == _ALWAYS:
                out.append(update)
        return out

    def stop(self, attempt_id: AttemptId) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.ended:
            return
        attempt.epoch += 1
        attempt.ended = True
        self._push(attempt, self._clock(), EventKind.STOPPED, usage=Usage())

    def save(self, attempt_id: AttemptId) -> None:
        """What was done is kept at once: the fake needs no grace."""
        attempt, now_us = self._attempts.get(attempt_id), self._clock()
        if attempt is None or attempt.ended:
            return
        self.stop(attempt_id)
        if 0 < attempt.began_us < now_us:
            self._push_kept(attempt, now_us, attempt.told, first=True)

    def forget(self, attempt_id: AttemptId) -> None:
        self._attempts.pop(attempt_id, None)

    def knows(self, attempt_id: AttemptId) -> bool:
        return attempt_id in self._attempts

    def close(self) -> None:
        self._attempts.clear()
        self._heap.clear()

    # Optional protocols ---------------------------------------------------------------------------------------

    def next_wake_us(self) -> int | None:
        while self._heap:
            due_us, _, epoch, update = self._heap[0]
            attempt = self._attempts.get(update.attempt_id)
            if epoch == _ALWAYS or (attempt is not None and attempt.epoch == epoch):
                return due_us
            heapq.heappop(self._heap)
        return None

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        attempt = self._attempts.get(attempt_id)
        return attempt.log[offset : offset + limit] if attempt else b""

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        # Delivered also for an attempt of before a restart: the outputs are in the store, whoever put them there.
        self._tie += 1
        update = Update(attempt_id, self._clock(), EventKind.DELIVERED, outputs=tuple(outputs))
        heapq.heappush(self._heap, (update.at_us, self._tie, _ALWAYS, update))

    # What happens ---------------------------------------------------------------------------------------------

    def _push(
        self,
        attempt: _Attempt,
        due_us: int,
        kind: EventKind,
        *,
        kept: Kept | None = None,
        first: bool = False,
        reason: FailureReason | None = None,
        detail: str = "",
        exit_code: int | None = None,
        signal: int | None = None,
        usage: Usage | None = None,
        fraction_permille: int | None = None,
        outputs: tuple[OutputFile, ...] = (),
    ) -> None:
        update = Update(
            attempt.order.attempt_id,
            due_us,
            kind,
            fraction_permille=fraction_permille,
            exit_code=exit_code,
            signal=signal,
            reason=reason,
            detail=detail,
            usage=usage,
            outputs=outputs,
            kept=kept,
        )
        self._tie += 1
        tie = -self._tie if first else self._tie  # before all else of its moment
        heapq.heappush(self._heap, (due_us, tie, attempt.epoch, update))

    def _note(self, attempt: _Attempt, update: Update) -> None:
        if update.kind in (EventKind.FINISHED, EventKind.FAILED):
            attempt.ended = True
        if update.kept is not None:
            attempt.told = update.kept.done
        if update.kind is EventKind.RUNNING:
            attempt.log += b"fake: started\n"
        if update.kind is EventKind.FINISHED:
            attempt.log += b"fake: finished\n"

    def _schedule(self, attempt: _Attempt, start_us: int) -> None:
        request = attempt.order.request
        outcome, attempt.work_us = self._fate(attempt.order)
        attempt.began_us, attempt.saved_us = start_us, self._saved_us(attempt)
        duration_us = max(1, attempt.work_us - attempt.saved_us)
        wall_us = request.resources.wall_time
        ran_us = wall_us if outcome == "hang" else min(duration_us, wall_us)
        self._push(attempt, start_us, EventKind.RUNNING)
        steps = self._settings.progress_steps
        for step in range(1, steps + 1):
            share = step * 1000 // (steps + 1)
            self._push(attempt, start_us + ran_us * share // 1000, EventKind.PROGRESS, fraction_permille=share)
        if request.checkpoint is not None and request.array == 1:
            every_us = request.checkpoint_every or CHECKPOINT_EVERY_US
            for number in range(1, min((ran_us - 1) // every_us, CHECKPOINTS_MAX) + 1):
                self._push_kept(attempt, start_us + number * every_us, ())
        end_us, usage = start_us + ran_us, self._usage(attempt.order, ran_us)
        if outcome == "hang" or duration_us > wall_us:
            self._push(attempt, end_us, EventKind.FAILED, reason=FailureReason.WALL_TIME, usage=usage)
        elif outcome == "ok":
            self._finish(attempt, end_us, usage)
        else:
            self._fail(attempt, end_us, usage, outcome)

    def _finish(self, attempt: _Attempt, end_us: int, usage: Usage) -> None:
        kept = attempt.order.kept
        elements = numbers_left(kept.done if kept is not None else (), attempt.order.request.array)
        outputs = self._outputs(attempt.order, elements)
        if outputs:
            self._push(attempt, end_us, EventKind.COLLECTING)
            usage = usage.model_copy(update={"bytes_out": sum(o.size_bytes for o in outputs)})
        self._push(attempt, end_us, EventKind.FINISHED, exit_code=0, usage=usage, outputs=outputs)

    def _fail(self, attempt: _Attempt, end_us: int, usage: Usage, outcome: str) -> None:
        word, _, number = outcome.partition(":")
        reasons: Mapping[str, FailureReason] = {
            "exit": FailureReason.EXIT_CODE,
            "signal": FailureReason.SIGNAL,
            "oom": FailureReason.OUT_OF_MEMORY,
            "lost": FailureReason.LOST,
        }
        self._push(
            attempt,
            end_us,
            EventKind.FAILED,
            reason=reasons[word],
            exit_code=int(number or 1) if word == "exit" else None,
            signal=int(number or 9) if word == "signal" else 9 if word == "oom" else None,
            usage=usage,
        )

    def _fate(self, order: StartOrder) -> tuple[str, int]:
        """The outcome and the duration in microseconds: of the tags, else drawn from seed and attempt."""
        settings, request = self._settings, order.request
        tagged, outcomes = request.tags.get(DURATION_TAG), request.tags.get(OUTCOME_TAG)
        if tagged is not None and outcomes is not None:
            return _of_attempt(outcomes, order.fence), int(_of_attempt(tagged, order.fence))
        digest = blake2b(f"{self._seed}/{order.attempt_id}".encode(), digest_size=16).digest()
        luck = int.from_bytes(digest[:8], "big") % 1000
        spread = settings.duration_permille_max - settings.duration_permille_min
        share = settings.duration_permille_min + int.from_bytes(digest[8:], "big") % (spread + 1)
        duration_us = max(1, request.resources.wall_time * share // 1000)
        if tagged is not None:
            duration_us = int(_of_attempt(tagged, order.fence))
        if outcomes is not None:
            return _of_attempt(outcomes, order.fence), duration_us
        if luck < settings.exit_permille:
            return "exit:1", duration_us
        lost = luck < settings.exit_permille + settings.lost_permille
        return ("lost" if lost else "ok"), duration_us

    # What is kept --------------------------------------------------------------------------------------------

    def _saved_us(self, attempt: _Attempt) -> int:
        """How much of its work earlier attempts have done: what the checkpoint says, or by the elements that are done."""
        request, kept = attempt.order.request, attempt.order.kept or Kept()
        if request.array > 1:
            return attempt.work_us * count(kept.done) // request.array
        if not kept.files:
            return 0
        digest = kept.files[0].blake3
        if self._objects is None:
            return int(digest, 16)
        with self._objects.open(digest) as stream:
            return int(stream.read())

    def _push_kept(self, attempt: _Attempt, at_us: int, told: Ranges, first: bool = False) -> None:
        """A checkpoint of this moment, where the task has something to keep. Elements of an array are done one after
        the other, each after its part of the whole time."""
        order, request = attempt.order, attempt.order.request
        done_us = attempt.saved_us + at_us - attempt.began_us
        if request.array > 1:
            before = order.kept.done if order.kept is not None else ()
            many = min(request.array, request.array * done_us // attempt.work_us) - count(before)
            fresh = numbers_left(before, request.array)[: max(0, many)]
            kept = Kept(done=ranges_of(fresh, before))
            news = self._outputs(order, fresh[max(0, count(told) - count(before)) :])
            if kept.done != (told or before):
                self._push(attempt, at_us, EventKind.CHECKPOINT, kept=kept, outputs=news, first=first)
        elif request.checkpoint is not None:
            content = f"{done_us}\n".encode()
            digest = f"{done_us:064x}" if self._objects is None else self._objects.put(io.BytesIO(content)).blake3
            path = request.checkpoint.replace("**/", "").replace("*", "0").replace("?", "0")
            kept = Kept(files=(OutputFile(path=path, blake3=digest, size_bytes=len(content)),))
            self._push(attempt, at_us, EventKind.CHECKPOINT, kept=kept, first=first)

    def _usage(self, order: StartOrder, ran_us: int) -> Usage:
        done = count(order.kept.done) if order.kept is not None else 0
        each, array = order.request.resources, order.request.array - done
        cores, memory = each.cpu * each.nodes * array, each.memory * each.nodes * array // 2
        return Usage(
            wall_us=ran_us,
            core_us=ran_us * cores * 9 // 10,
            memory_byte_us=ran_us * memory,
            memory_peak_bytes=memory,
            processes_peak=array * each.nodes,
        )

    def _outputs(self, order: StartOrder, elements: Sequence[int]) -> tuple[OutputFile, ...]:
        request = order.request
        folders = [""] if request.array == 1 else [f"{i}/" for i in elements[:ARRAY_OUTPUTS_MAX]]
        out = []
        for folder in folders:
            for asked in request.outputs:
                path = folder + asked.path.replace("**/", "").replace("*", "0").replace("?", "0")
                content = f"fake output {path} of {order.task_id}\n".encode()
                digest = blake3(content).hexdigest()
                if self._objects is not None:
                    digest = self._objects.put(io.BytesIO(content)).blake3
                size = len(content) if self._objects is not None else int(request.tags.get(_OUTPUT, len(content)))
                file = OutputFile(path=path, blake3=digest, size_bytes=size, target=asked.target)
                named = None if asked.prefix is None else folder + name_at_target(asked, path.removeprefix(folder))
                out.append(file.model_copy(update={"delivered_as": named}))
        return tuple(out)

    def _missing_input(self, request: TaskRequest) -> str | None:
        if self._objects is None:
            return None
        asked = (i.source for i in request.inputs if i.source.startswith("object:"))
        return next((s for s in asked if not self._objects.has(s.removeprefix("object:"))), None)


def _of_attempt(tag: str, fence: int) -> str:
    """The word of an attempt: one each with commas between, the last for all after it."""
    words = tag.split(",")
    return words[min(fence, len(words)) - 1].strip()
