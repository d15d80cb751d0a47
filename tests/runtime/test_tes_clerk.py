"""The TES clerk's thread: what a server says of one attempt, or a fault of the adapter's own, ends none of the others."""

import time
from pathlib import Path

import pytest
from tests.agent.rigs import monotonic_us, now_us

from suanwang.agent.adapter import TERMINAL, StartOrder
from suanwang.agent.adapters.remote.http import AwayError
from suanwang.agent.adapters.tes import TesAdapter, TesPool, TesSettings
from suanwang.agent.adapters.tes.document import ATTEMPT_TAG, ELEMENT_TAG
from suanwang.agent.objects import LocalObjects
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest
from suanwang.model.tes import TesState

POOL = PoolId("s/general")
PATIENCE_S = 20


class Scripted:
    """A server in this process: every task is done at once, but for what `trouble` raises about it."""

    def __init__(self, trouble=lambda task_id: None):
        self.trouble, self.tasks, self.live, self.cancelled = trouble, {}, set(), []
        self.times = {}

    def close(self):
        pass

    def create(self, document, key):
        task_id = f"t{len(self.tasks)}"
        self.tasks[task_id] = document["tags"]
        return task_id

    def state(self, task_id):
        self.trouble(task_id)
        return TesState.RUNNING if task_id in self.live else TesState.COMPLETE

    def whole(self, task_id):
        return {"logs": [{"logs": [{"exit_code": 0, **self.times}]}]}

    def find(self, key, value):
        found = [one for one, tags in self.tasks.items() if tags[key] == value and one in self.live]
        for one in found:
            self.trouble(one)
        return [{"id": one, "state": "RUNNING", "tags": self.tasks[one]} for one in found]

    def cancel(self, task_id):
        self.trouble(task_id)
        self.cancelled.append(task_id)
        self.live.discard(task_id)


class Rig:
    def __init__(self, folder: Path, server: Scripted) -> None:
        (folder / "storage").mkdir()
        settings = TesSettings(
            folder=folder / "tes",
            url="http://127.0.0.1:1",
            image="none",
            scope="s-",
            storage=f"file://{folder}/storage",
            pools={POOL: TesPool()},
            poll_us=20_000,
        )
        self.seen, self.told = {}, []
        self.adapter = TesAdapter(
            settings, LocalObjects(folder / "objects"), now_us, monotonic_us, lambda _: None, None, server
        )

    def start(self, number: int) -> AttemptId:
        order = StartOrder(
            site=SiteId("s"),
            pool=POOL,
            task_id=TaskId(f"task-{number:026d}"),
            attempt_id=AttemptId(f"att-{number:026d}"),
            fence=1,
            request=TaskRequest.model_validate({"run": "true", "resources": {"wall_time": 60_000_000}}),
        )
        self.adapter.start(order)
        return order.attempt_id

    def until(self, holds) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, self.seen
            for one in self.adapter.poll():
                self.told.append((one.attempt_id, one.kind, one.at_us))
                if one.kind in TERMINAL:
                    self.seen[one.attempt_id] = one
            time.sleep(0.01)


@pytest.fixture
def rig(tmp_path):
    made = []

    def make(server):
        made.append(Rig(tmp_path, server))
        return made[0]

    yield make
    made[0].adapter.close()


def test_a_fault_about_one_attempt_ends_that_one(rig):
    def trouble(task_id):
        if task_id == "t0":
            raise LookupError("nobody had thought of that \ud800")

    server = Scripted(trouble)
    side = rig(server)
    first, second = side.start(1), side.start(2)
    side.until(lambda: {first, second} <= set(side.seen))
    assert side.seen[second].kind is EventKind.FINISHED
    assert (side.seen[first].kind, side.seen[first].reason) == (EventKind.FAILED, FailureReason.BACKEND)
    assert "LookupError" in side.seen[first].detail
    side.seen[first].detail.encode()
    third = side.start(3)
    side.until(lambda: third in side.seen)
    assert side.seen[third].kind is EventKind.FINISHED


def test_a_fault_of_a_worker_ends_its_attempt(rig, monkeypatch):
    from suanwang.agent.adapters.tes.attempt import Attempt

    take = Attempt.take

    def broken(self, *given):
        if self.order.attempt_id.endswith("1"):
            raise RecursionError("deep")
        return take(self, *given)

    monkeypatch.setattr(Attempt, "take", broken)
    side = rig(Scripted())
    first, second = side.start(1), side.start(2)
    side.until(lambda: {first, second} <= set(side.seen))
    assert (side.seen[first].reason, side.seen[second].kind) == (FailureReason.BACKEND, EventKind.FINISHED)


def test_one_stray_without_an_answer_keeps_no_other(rig):
    """Of attempts that were forgotten at work, one cannot be ended; the others are, and what comes later runs."""

    def trouble(task_id):
        if task_id == "t0" and forgotten:
            raise AwayError("no answer about that one")

    forgotten = []
    server = Scripted(trouble)
    server.live = {f"t{number}" for number in range(5)}
    side = rig(server)
    attempts = [side.start(number) for number in range(1, 6)]
    side.until(lambda: len(server.tasks) == 5)
    forgotten.append(True)
    for one in attempts:
        side.adapter.forget(one)
    side.until(lambda: server.live == {"t0"})
    later = side.start(9)
    side.until(lambda: later in side.seen)
    assert side.seen[later].kind is EventKind.FINISHED


def test_what_is_forgotten_right_before_the_end_is_ended(rig):
    server = Scripted()
    server.live = {"t0"}
    side = rig(server)
    attempt = side.start(1)
    side.until(lambda: len(server.tasks) == 1)
    assert set(server.tasks["t0"]) >= {ATTEMPT_TAG, ELEMENT_TAG}
    side.adapter.forget(attempt)
    side.adapter.close()
    assert server.live == set()


def test_work_that_ended_between_two_looks_is_told_to_have_run_as_long_as_it_did(rig):
    """What is charged goes by when it began and when it ended."""
    server = Scripted()
    server.times = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00.300Z"}
    side = rig(server)
    create = server.create

    def late(document, key):
        time.sleep(0.4)  # so long the attempt is known already
        return create(document, key)

    server.create = late
    attempt = side.start(1)
    side.until(lambda: attempt in side.seen)
    at = {kind: at_us for one, kind, at_us in side.told if one == attempt}
    assert at[EventKind.FINISHED] - at[EventKind.RUNNING] >= 300_000
