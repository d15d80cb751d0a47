"""What the local adapter does when work is to be saved: whom it asks, how long it waits, what it leaves out."""

import time

import pytest
from tests.agent.rigs import SANDBOX, LocalRig

from suanwang.model.event import EventKind, Kept, OutputFile
from suanwang.model.reason import FailureReason
from suanwang.model.task import Output, PythonEntry

pytestmark = SANDBOX
GRACE_US = 500_000


@pytest.fixture
def rig(tmp_path):
    made = LocalRig(tmp_path, settings={"grace_us": GRACE_US})
    yield made
    made.close()


def saved(rig: LocalRig, until: str, **request) -> tuple[list, str, float]:
    """Start, save when the log shows `until`, wait for the end: the updates, the log, and how long the end took."""
    order = rig.start(**request)
    seen: list = []
    while until not in rig.adapter.read_logs(order.attempt_id, 0, 1 << 20).decode():
        seen += rig.adapter.poll()
        assert rig.pass_time(), f"waited in vain: {seen}"
    began_s = time.monotonic()
    rig.adapter.save(order.attempt_id)
    rig.ends()
    took_s = time.monotonic() - began_s
    return seen + rig.seen, rig.adapter.read_logs(order.attempt_id, 0, 1 << 20).decode(), took_s


def content(rig: LocalRig, file: OutputFile) -> str:
    with rig.objects.open(file.blake3) as stream:
        return stream.read().decode()


def kept_of(updates: list) -> Kept:
    return [one.kept for one in updates if one.kind is EventKind.CHECKPOINT][-1]


def test_work_that_does_not_listen_is_ended_after_the_grace_and_its_last_file_is_kept(rig):
    updates, _, took_s = saved(
        rig, "ready", run="trap '' TERM; echo old > state; echo ready; sleep 100 & wait; wait", checkpoint="state"
    )
    assert took_s >= GRACE_US / 1e6
    assert [one.kind for one in updates][-2:] == [EventKind.CHECKPOINT, EventKind.STOPPED]
    assert content(rig, kept_of(updates).files[0]) == "old\n"


def test_a_shell_that_only_waits_does_not_take_its_command_with_it(rig):
    script = (
        "import signal, sys, time\n"
        "def end(*_):\n    time.sleep(0.2)\n    open('state', 'w').write('saved')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\ntime.sleep(100)\n"
    )
    updates, log, took_s = saved(rig, "ready", run=f'python -c "{script}"; echo went on', checkpoint="state")
    assert content(rig, kept_of(updates).files[0]) == "saved"
    assert took_s < 5
    assert "went on" in log


def test_a_checkpoint_lies_over_the_inputs(rig):
    (rig.folder / "saved").write_text("7")
    (rig.folder / "first").write_text("0")
    stored, first = rig.objects.put(rig.folder / "saved"), rig.objects.put(rig.folder / "first")
    kept = Kept(files=(OutputFile(path="deep/state", blake3=stored.blake3, size_bytes=1),))
    inputs = [{"source": f"object:{first.blake3}", "path": "deep/state"}]
    order = rig.start(run="cat deep/state; echo $SUANWANG_RESUMES", inputs=inputs, kept=kept, checkpoint="deep/*")
    (end,) = rig.ends()
    assert end.kind is EventKind.FINISHED
    assert rig.adapter.read_logs(order.attempt_id, 0, 100).decode() == "71\n"


def test_what_is_no_plain_file_is_not_kept_and_the_log_says_so(rig):
    updates, log, _ = saved(rig, "ready", run="ln -s /etc/passwd state; echo ready; sleep 100", checkpoint="state")
    assert EventKind.CHECKPOINT not in [one.kind for one in updates]
    assert "checkpoint not kept: state is a link" in log


def test_a_failed_array_keeps_the_elements_that_are_done(rig):
    run = "echo $SUANWANG_ARRAY_INDEX > out; if [ $SUANWANG_ARRAY_INDEX = 2 ]; then sleep 1; exit 3; fi"
    rig.start(run=run, array=3, outputs=(Output(path="out"),), resources={"cpu": 1})
    (end,) = rig.ends()
    assert end.reason is FailureReason.EXIT_CODE
    told = [one for one in rig.seen if one.kind is EventKind.CHECKPOINT]
    assert told[-1].kept.done == ((0, 2),)
    assert sorted(one.path for update in told for one in update.outputs) == ["0/out", "1/out"], "in whatever order"


def test_each_element_goes_on_from_its_own_file(rig):
    script = (
        "import os, pathlib, signal, sys, time\n"
        "i = os.environ['SUANWANG_ARRAY_INDEX']\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('state').write_text('of ' + i), sys.exit(0)))\n"
        "time.sleep(int(i))\n"
        "print('ready', os.environ['SUANWANG_RESUMES'], os.path.exists('state') and open('state').read())\n"
        "time.sleep(100 if i == '1' else 0)\n"
    )
    request = {"run": PythonEntry(script=script), "array": 2, "checkpoint": "state", "resources": {"cpu": 1}}
    updates, _, _ = saved(rig, "[1] ready 0 False", **request)
    kept = kept_of(updates)
    assert kept.done == ((0, 1),)
    assert [(one.path, content(rig, one)) for one in kept.files] == [("1/state", "of 1")]
    order = rig.start(2, kept=kept, **request)
    while "[1] ready 1 of 1" not in rig.adapter.read_logs(order.attempt_id, 0, 1 << 20).decode():
        rig.adapter.poll()
        assert rig.pass_time()
    assert "[0]" not in rig.adapter.read_logs(order.attempt_id, 0, 1 << 20).decode()


def test_forgetting_ends_the_grace(rig):
    order = rig.start(run="trap '' TERM; echo ready; sleep 100 & wait; wait", checkpoint="state")
    while b"ready" not in rig.adapter.read_logs(order.attempt_id, 0, 100):
        assert rig.pass_time()
    began_s = time.monotonic()
    rig.adapter.save(order.attempt_id)
    rig.adapter.forget(order.attempt_id)
    rig.adapter.close()
    assert time.monotonic() - began_s < 5
