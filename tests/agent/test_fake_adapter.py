"""The fake adapter: outcomes by tag, draws by seed, virtual time."""

import pytest
from tests.agent.hands import SITE, Clock, made

from suanwang.agent.adapter import StartOrder
from suanwang.agent.adapters.fake import FakeAdapter, FakeSettings
from suanwang.agent.objects import LocalObjects
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest

K = EventKind


def start(adapter, clock, number=1, fence=1, **request):
    order = StartOrder(
        site=SiteId(SITE),
        pool=PoolId(f"{SITE}/general"),
        task_id=TaskId(made("task", number)),
        attempt_id=AttemptId(made("att", number)),
        fence=fence,
        request=TaskRequest(**{"run": "true", **request}),
        not_before_us=0,
    )
    adapter.start(order)
    return order


def drain(adapter, clock):
    """Turn the clock from wake to wake until nothing is due."""
    out = list(adapter.poll())
    while (due_us := adapter.next_wake_us()) is not None:
        clock.now_us = max(clock.now_us, due_us)
        out += adapter.poll()
    return out


@pytest.mark.parametrize(
    ("outcome", "kind", "reason", "exit_code", "signal"),
    [
        ("ok", K.FINISHED, None, 0, None),
        ("exit:3", K.FAILED, FailureReason.EXIT_CODE, 3, None),
        ("signal:15", K.FAILED, FailureReason.SIGNAL, None, 15),
        ("oom", K.FAILED, FailureReason.OUT_OF_MEMORY, None, 9),
        ("lost", K.FAILED, FailureReason.LOST, None, None),
        ("hang", K.FAILED, FailureReason.WALL_TIME, None, None),
    ],
)
def test_the_outcome_tag_rules(outcome, kind, reason, exit_code, signal):
    clock = Clock()
    adapter = FakeAdapter(clock, seed=1)
    start(adapter, clock, tags={"fake.outcome": outcome, "fake.duration-us": "5000000"})
    last = drain(adapter, clock)[-1]
    assert (last.kind, last.reason, last.exit_code, last.signal) == (kind, reason, exit_code, signal)
    assert last.at_us == 1_000_000_000 + (600_000_000 if outcome == "hang" else 5_000_000)


def test_outcomes_with_commas_go_by_attempt():
    clock = Clock()
    adapter = FakeAdapter(clock, seed=1)
    for fence in (1, 2, 3):
        start(adapter, clock, number=fence, fence=fence, tags={"fake.outcome": "oom,exit:2,ok"})
    ends = sorted((u.attempt_id, u.kind, u.exit_code) for u in drain(adapter, clock) if u.kind is not K.RUNNING)
    assert [(kind, code) for _, kind, code in ends] == [(K.FAILED, None), (K.FAILED, 2), (K.FINISHED, 0)]


def test_longer_than_the_wall_time_is_cut_there():
    clock = Clock()
    adapter = FakeAdapter(clock, seed=1)
    start(adapter, clock, tags={"fake.duration-us": "99000000"}, resources={"wall_time": "10 s"})
    last = drain(adapter, clock)[-1]
    assert (last.reason, last.at_us) == (FailureReason.WALL_TIME, 1_010_000_000)


def ends(seed, numbers):
    clock = Clock()
    adapter = FakeAdapter(clock, seed, FakeSettings(exit_permille=200, lost_permille=200))
    for number in numbers:
        start(adapter, clock, number)
    return {u.attempt_id: (u.at_us, u.kind, u.reason) for u in drain(adapter, clock) if u.kind is not K.RUNNING}


def test_fates_are_of_the_seed_and_the_attempt_not_of_the_order():
    forward, backward, other = ends(5, range(200)), ends(5, range(199, -1, -1)), ends(6, range(200))
    assert forward == backward
    assert forward != other
    reasons = [reason for _, _, reason in forward.values()]
    assert 20 <= reasons.count(FailureReason.EXIT_CODE) <= 65
    assert 20 <= reasons.count(FailureReason.LOST) <= 65


def test_nothing_runs_before_its_data_would_be_there():
    clock = Clock()
    adapter = FakeAdapter(clock, seed=1)
    request = TaskRequest(run="true")
    order = StartOrder(SITE, PoolId("p"), TaskId("t"), AttemptId("a"), 1, request, not_before_us=2_000_000_000)
    adapter.start(order)
    assert adapter.poll() == []
    assert adapter.next_wake_us() == 2_000_000_000


def test_outputs_are_really_stored_and_inputs_really_asked_for(tmp_path):
    clock = Clock()
    objects = LocalObjects(tmp_path)
    adapter = FakeAdapter(clock, seed=1, objects=objects)
    start(adapter, clock, 1, outputs=[{"path": "out/*.png", "target": "file:///srv/x"}], array=2)
    last = drain(adapter, clock)[-1]
    assert [o.path for o in last.outputs] == ["0/out/0.png", "1/out/0.png"]
    assert all(objects.has(o.blake3) and o.target == "file:///srv/x" for o in last.outputs)
    assert last.usage is not None
    assert last.usage.bytes_out == sum(o.size_bytes for o in last.outputs)
    start(adapter, clock, 2, inputs=[{"source": "object:" + "0" * 64, "path": "in"}])
    assert drain(adapter, clock)[-1].reason is FailureReason.INPUT_MISSING


def test_progress_steps_come_between_start_and_end():
    clock = Clock()
    adapter = FakeAdapter(clock, 1, FakeSettings(progress_steps=3))
    start(adapter, clock)
    updates = drain(adapter, clock)
    assert [u.fraction_permille for u in updates if u.kind is K.PROGRESS] == [250, 500, 750]
    assert [u.at_us for u in updates] == sorted(u.at_us for u in updates)
