"""What goes wrong at a real TES server, and what the agent makes of it. The server is killed and started again in the last test."""

import io
import json
import os

import pytest
from tests.sites.tes_rig import TesRig
from tests.sites.tes_server import TES

from suanwang.agent.adapters.tes.answer import read
from suanwang.agent.adapters.tes.server import AwayError, TesServer
from suanwang.agent.adapters.tes.verdict import Ending, judge
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason
from suanwang.model.tes import TesState

pytestmark = TES
SECOND = 1_000_000


@pytest.fixture
def rig(tes_brain, tmp_path):
    made = TesRig(tes_brain, tmp_path)
    yield made
    made.close()


class Unheard(TesServer):
    """Its answers to new tasks are lost on the way back."""

    def create(self, document, key):
        super().create(document, key + "-lost")  # another key: the server alone would not notice a second one
        raise AwayError("the answer was lost")


def test_a_task_whose_answer_was_lost_is_found_again_and_runs_once(tes_brain, tmp_path):
    rig = TesRig(tes_brain, tmp_path, server=Unheard)
    order = rig.start(run="echo once; echo done > result.txt", outputs=[{"path": "result.txt"}])
    rig.until(lambda: tes_brain.tasks(rig.scope + order.attempt_id))
    rig.reopen()
    assert rig.end(order).kind is EventKind.FINISHED
    assert rig.log(order) == "once\n"
    assert len(tes_brain.tasks(rig.scope + order.attempt_id)) == 1
    rig.close()


def test_a_task_that_is_cancelled_behind_our_back_is_no_fault_of_the_task(rig):
    order = rig.start(run="sleep 1000")
    rig.until_kind(order, EventKind.RUNNING)
    (task,) = rig.brain.tasks(rig.scope + order.attempt_id)
    rig.brain.ask("POST", f"/tasks/{task['id']}:cancel")
    end = rig.end(order)
    assert (end.kind, end.reason) == (EventKind.FAILED, FailureReason.BACKEND)
    assert "cancelled at the site" in end.detail


def test_what_the_server_cannot_do_comes_back_with_its_own_words(rig):
    order = rig.start(run="true", resources={"cpu": 64, "wall_time": 60 * SECOND})
    end = rig.end(order)
    assert (end.kind, end.reason) == (EventKind.FAILED, FailureReason.BACKEND)
    assert "No pool" in end.detail


def test_a_task_that_has_vanished_is_lost(rig):
    order = rig.start(run="sleep 1000")
    rig.until_kind(order, EventKind.RUNNING)
    (task,) = rig.brain.tasks(rig.scope + order.attempt_id)
    rig.adapter.close()
    path = rig.folder / f"tes/records/{order.attempt_id}.json"
    record = json.loads(path.read_text())
    record["tasks"] = {"0": "task-" + "0" * 26}
    path.write_text(json.dumps(record))
    rig.open()
    assert rig.end(order).reason is FailureReason.LOST
    rig.brain.ask("POST", f"/tasks/{task['id']}:cancel")


def test_what_tes_has_no_words_for_is_refused_at_the_start(rig):
    for task in (
        {"mounts": [{"path": "/data", "folder": "data"}]},
        {"secrets": ["TOKEN"]},
        {"checkpoint": "saved"},
        {"resources": {"nodes": 2}},
        {"resources": {"network": True}},
        {"resources": {"processes": 9}},
        {"security_level": 2},
    ):
        with pytest.raises(BackendError) as refused:
            rig.start(run="true", **task)
        assert refused.value.reason is FailureReason.LIMIT_UNSUPPORTED


def test_a_large_input_goes_by_the_storage_and_what_the_server_does_not_take_is_said(rig):
    """This server takes no `file://` inputs, so its refusal is what is seen; nothing is tried for ever."""
    stored = rig.objects.put(io.BytesIO(os.urandom(3 * 2**20)))
    order = rig.start(run="true", inputs=[{"source": f"object:{stored.blake3}", "path": "in.bin"}])
    end = rig.end(order)
    assert end.reason is FailureReason.BACKEND
    assert "does not take the task" in end.detail


def test_a_server_that_is_killed_is_away_and_not_failed(rig):
    order = rig.start(run="sleep 2; echo done")
    rig.until_kind(order, EventKind.RUNNING)
    rig.brain.kill()
    before = len(rig.seen)
    for _ in range(20):
        rig.pass_time()
        rig.seen += rig.adapter.poll()
    assert len(rig.seen) == before, "nothing is concluded while it is away"
    rig.brain.start()
    assert rig.end(order).kind is EventKind.FINISHED
    assert rig.log(order) == "done\n"


def test_a_key_that_is_not_taken_is_away_and_not_failed(rig):
    good, rig.brain.key = rig.brain.key, "sw_nobody"
    try:
        rig.adapter.close()
        rig.open()
        order = rig.start(run="echo done")
        for _ in range(20):
            rig.pass_time()
            assert list(rig.adapter.poll()) == []
    finally:
        rig.brain.key = good
    rig.adapter.close()
    rig.open()
    assert rig.end(order).kind is EventKind.FINISHED


S, R = TesState, FailureReason
ENDS = [
    # state, code, told, ran -> reason, code, signal
    ((S.COMPLETE, 0, "", 0), (None, 0, None)),
    ((S.COMPLETE, 3, "", 0), (R.EXIT_CODE, 3, None)),
    ((S.EXECUTOR_ERROR, 3, "", 0), (R.EXIT_CODE, 3, None)),
    ((S.EXECUTOR_ERROR, 143, "", 0), (R.SIGNAL, None, 15)),
    ((S.EXECUTOR_ERROR, 137, "", 0), (R.SIGNAL, None, 9)),
    ((S.EXECUTOR_ERROR, 137, "", 10 * SECOND), (R.WALL_TIME, None, None)),
    ((S.EXECUTOR_ERROR, 137, "out_of_memory", 10 * SECOND), (R.OUT_OF_MEMORY, None, 9)),
    ((S.EXECUTOR_ERROR, None, "", 0), (R.BACKEND, None, None)),
    ((S.SYSTEM_ERROR, None, "", 0), (R.BACKEND, None, None)),
    ((S.SYSTEM_ERROR, None, "disk_full", 0), (R.DISK_FULL, None, None)),
    ((S.CANCELED, None, "", 0), (R.BACKEND, None, None)),
    ((S.PREEMPTED, None, "", 0), (R.BACKEND, None, None)),
    ((S.COMPLETE, None, "", 0), (R.BACKEND, None, None)),
    ((None, None, "", 0), (R.LOST, None, None)),
]


@pytest.mark.parametrize(("said", "found"), ENDS)
def test_why_an_end_was_an_end(said, found):
    state, code, told, ran_us = said
    verdict = judge(Ending(state, code, told, ran_us=ran_us, wall_us=10 * SECOND))
    assert (verdict.reason, verdict.exit_code, verdict.signal) == found
    assert judge(Ending(state, code, told, stopped=True)).reason is None


def test_an_answer_with_nothing_in_it_or_the_wrong_things_says_nothing():
    for odd in ({}, {"logs": None}, {"logs": [1]}, {"logs": [{"logs": "x", "system_logs": 3, "metadata": []}]}):
        assert read(odd).code is None
        assert read(odd).ran_us == 0
