"""The local adapter with real work: what a task is given, how sites share, what a crash leaves, what a poor host does."""

import dataclasses
import io
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from tests.agent.rigs import SANDBOX, LocalRig, monotonic_us, now_us

from suanwang.agent.adapter import Limit
from suanwang.agent.adapters.local import LocalSettings, SiteShare
from suanwang.agent.adapters.local.adapter import LocalAdapter
from suanwang.agent.rules import TransferRules
from suanwang.agent.staging import StandIn
from suanwang.model.error import BackendError, ConflictError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason

pytestmark = SANDBOX
K = EventKind


@pytest.fixture
def rig(tmp_path):
    made = LocalRig(tmp_path, data_sets={"sky": StandIn(1, 1_000_000)}.get)
    yield made
    made.close()


def test_this_host_misses_nothing(rig):
    assert rig.adapter.manifest.missing == {}
    assert rig.adapter.manifest.limits == frozenset(Limit)


def test_figures_are_measured(rig):
    end, _ = rig.run(
        run=(
            "python",
            "-c",
            "import time; x = bytearray(50 << 20); e = time.process_time() + 0.4\nwhile time.process_time() < e: pass",
        ),
        inputs=[{"source": "dataset:sky", "path": "sky"}],
        outputs=[{"path": "sky"}],
    )
    usage = end.usage
    assert 400_000 <= usage.core_us <= 1_500_000
    assert usage.wall_us >= usage.core_us // 2
    assert usage.memory_peak_bytes >= 50 << 20
    assert usage.memory_byte_us >= (50 << 20) * 300_000
    assert (usage.bytes_in, usage.bytes_out) == (1_000_000, 1_000_000)


def test_progress_is_told(rig):
    rig.run(run="for p in 100 500 900; do echo $p > $SUANWANG_PROGRESS; sleep 0.7; done")
    told = [u.fraction_permille for u in rig.seen if u.kind is K.PROGRESS]
    assert told == [100, 500, 900]


def test_use_is_told_while_it_runs(rig):
    end, _ = rig.run(run="while :; do :; done & sleep 4.6; kill $!", inputs=[{"source": "dataset:sky", "path": "sky"}])
    told = [u for u in rig.seen if u.kind is K.PROGRESS]
    walls = [u.usage.wall_us for u in told]
    assert [u.fraction_permille for u in told] == [None, None]
    assert 2_000_000 <= walls[0] < 2_600_000
    assert 2_000_000 <= walls[1] - walls[0] < 2_600_000
    assert 0 < told[0].usage.core_us < told[1].usage.core_us <= end.usage.core_us
    assert 0 < told[0].usage.memory_byte_us < told[1].usage.memory_byte_us <= end.usage.memory_byte_us
    assert told[0].usage.memory_peak_bytes > 0
    assert told[0].usage.bytes_in == 1_000_000


def test_use_of_an_array_is_the_sum_of_its_elements(rig):
    work = "echo $((SUANWANG_ARRAY_INDEX * 500)) > $SUANWANG_PROGRESS; while :; do :; done & sleep 2.6; kill $!"
    end, _ = rig.run(run=work, array=2, resources={"cpu": 1})
    told = [u for u in rig.seen if u.kind is K.PROGRESS and u.usage is not None]
    totals = [u.usage.core_us for u in told]
    assert totals == sorted(totals)
    assert totals[-1] <= end.usage.core_us
    assert {u.fraction_permille for u in told} & {250, 500, 750}
    assert sum(u.fraction_permille is None for u in told) == 0


def test_python_forms_run_with_what_is_installed_beside(rig):
    end, log = rig.run(
        1, run={"script": "import numpy, sys; print(numpy.arange(3).sum(), sys.argv[1:])", "arguments": ["a b"]}
    )
    assert (end.exit_code, log) == (0, "3 ['a b']\n")
    end, log = rig.run(2, run={"module": "json.tool", "arguments": ["--help"]})
    assert end.exit_code == 0
    stored = rig.objects.put(io.BytesIO(b"import sys\ndef work():\n    print(sys.argv[1:])\n    return 4\n"))
    source = {"source": f"object:{stored.blake3}", "path": "mine.py"}
    end, log = rig.run(3, run={"module": "mine:work", "arguments": ["x"]}, inputs=[source])
    assert (end.exit_code, log) == (4, "['x']\n")


def test_an_element_that_fails_ends_the_others(rig):
    end, log = rig.run(run="echo at $SUANWANG_ARRAY_INDEX; [ $SUANWANG_ARRAY_INDEX = 0 ] && exit 7; sleep 30", array=4)
    assert (end.reason, end.exit_code, end.detail) == (FailureReason.EXIT_CODE, 7, "element 0")
    assert "[0] at 0\n" in log


def test_elements_have_their_own_inputs_and_folders(rig):
    work = "rm sky; ls > /tmp/l; wc -l < /tmp/l > n.txt; echo $SUANWANG_ARRAY_INDEX/$SUANWANG_ARRAY_COUNT >> n.txt"
    end, _ = rig.run(run=work, array=3, inputs=[{"source": "dataset:sky", "path": "sky"}], outputs=[{"path": "n.txt"}])
    texts = []
    for output in end.outputs:
        with rig.objects.open(output.blake3) as stream:
            texts.append(stream.read().decode().split())
    assert texts == [["0", f"{index}/3"] for index in range(3)]


def test_an_input_too_large_for_the_disk_is_disk_full(rig):
    end, _ = rig.run(
        run="true", inputs=[{"source": "dataset:sky", "path": f"s{n}"} for n in range(30)], resources={"disk": "16 MiB"}
    )
    assert end.reason is FailureReason.DISK_FULL


def test_starts_queue_for_the_cores_of_the_host_and_the_share_of_the_site(tmp_path):
    rig = LocalRig(tmp_path, settings={"host_cores": 2, "shares": {"small": SiteShare(1, 1 << 30)}})
    try:
        for number, site in enumerate(("small", "small", "large"), start=1):
            rig.start(number, site=site, run="sleep 0.4")
        ends = rig.ends(3)
        starts = {u.attempt_id[-1]: u.at_us for u in rig.seen if u.kind is K.RUNNING}
        assert [e.kind for e in ends] == [K.FINISHED] * 3
        first, second = sorted((starts["1"], starts["2"]))
        assert second - first >= 400_000, "one of the small site waits for the other"
        assert starts["3"] < second - 100_000, "the large site does not wait for it"
    finally:
        rig.close()


def test_a_share_bounds_what_a_task_gets(tmp_path):
    rig = LocalRig(tmp_path, settings={"shares": {"small": SiteShare(1, 64 << 20)}})
    try:
        end, log = rig.run(
            site="small",
            run="echo $SUANWANG_CORES; exec python -c 'bytearray(200<<20)'",
            resources={"cpu": 64, "memory": "256 GiB"},
        )
    finally:
        rig.close()
    assert log.startswith("1\n")
    assert end.reason is FailureReason.OUT_OF_MEMORY


def test_deliveries_are_made_and_failures_told(tmp_path):
    (tmp_path / "srv").mkdir()
    rig = LocalRig(tmp_path, rules=TransferRules(file_roots=(tmp_path / "srv",)))
    try:
        targets = [f"file://{tmp_path}/srv/x", "file:///etc"]
        outputs = [{"path": f"{n}.txt", "target": t} for n, t in enumerate(targets)]
        end, _ = rig.run(run="echo 0 > 0.txt; echo 1 > 1.txt", outputs=outputs)
        rig.adapter.deliver(end.attempt_id, end.outputs[:1])
        rig.adapter.deliver(end.attempt_id, end.outputs[1:])
        seen = []
        while len(seen) < 2:
            seen += rig.adapter.poll()
            assert rig.pass_time()
    finally:
        rig.close()
    assert {u.kind: u.reason for u in seen} == {
        K.DELIVERED: None,
        K.DELIVERY_FAILED: FailureReason.OUTPUT_FORBIDDEN,
    }
    assert (tmp_path / "srv/x/0.txt").read_text() == "0\n"


def test_nothing_is_left_after_an_attempt_and_after_the_adapter(rig):
    order = rig.start(run="echo x > /task/y; mkdir -p /tmp/a/b", array=2)
    rig.ends()
    assert "loop" not in mounts_below(rig.folder)
    rig.adapter.forget(order.attempt_id)
    assert list((rig.folder / "local/attempts").iterdir()) == []
    assert rig.groups() != []
    assert [group for group in rig.groups() if list(group.glob("att-*"))] == []
    rig.adapter.close()
    assert rig.groups() == []


def mounts_below(folder: Path) -> str:
    return "".join(line for line in Path("/proc/self/mounts").read_text().splitlines(True) if str(folder) in line)


def test_one_folder_has_one_adapter(rig):
    with pytest.raises(ConflictError, match="adapter_folder_taken"):
        LocalAdapter(LocalSettings(rig.folder / "local"), rig.objects, now_us, monotonic_us, lambda d: None)


CRASHING = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.agent.rigs import LocalRig
rig = LocalRig(Path({folder!r}))
rig.start(run="setsid sleep 300 & sleep 300")
while not any(u.kind == "running" for u in rig.adapter.poll()):
    time.sleep(0.01)
time.sleep(0.2)
print("up", rig.uid, flush=True)
time.sleep(300)
"""


def test_a_killed_agent_leaves_no_process_and_the_next_one_sweeps(tmp_path):
    root = str(Path(__file__).parents[2])
    code = CRASHING.format(root=root, folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as agent:
        _, uid = agent.stdout.readline().split()
        assert len(of_user(uid)) >= 2
        agent.send_signal(signal.SIGKILL)
    ends_s = time.monotonic() + 5
    while of_user(uid) and time.monotonic() < ends_s:
        time.sleep(0.01)
    assert of_user(uid) == []
    assert "loop" in mounts_below(tmp_path), "its disk is still there, for the next one to find"
    rig = LocalRig(tmp_path)
    try:
        assert mounts_below(tmp_path) == ""
        assert list((tmp_path / "local/attempts").iterdir()) == []
        assert rig.run(run="true")[0].kind is K.FINISHED
    finally:
        rig.close()


def of_user(uid: str) -> list[str]:
    out = subprocess.run(["ps", "-o", "stat=", "-u", uid], capture_output=True, text=True, check=False).stdout
    return [line for line in out.split("\n") if line and not line.startswith("Z")]


POOR = """
import json, os, resource, sys  # resource: imported late by os.wait4, when this user cannot read it any more
from pathlib import Path
folder = Path({folder!r})
sys.path.insert(0, {root!r})
from tests.agent.rigs import LocalRig
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
rig = LocalRig(folder, settings={{"allow_unsandboxed": False}})
missing = {{limit.value: why for limit, why in rig.adapter.manifest.missing.items()}}
end, log = rig.run(run="id -u; cat /etc/shadow; touch /usr/x; cat /proc/net/dev | grep -c :; echo done", outputs=[])
try:
    rig.start(2, run="true", resources={{"memory": "1 GiB"}})
    refused = ""
except Exception as fault:
    refused = fault.detail
rig.close()
print(json.dumps([missing, end.exit_code, log, refused]))
"""


def test_an_agent_without_root_says_what_it_misses_and_runs_the_rest():
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o777)
        root = str(Path(__file__).parents[2])
        code = POOR.format(root=root, folder=str(folder))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        missing, exit_code, log, refused = json.loads(done.stdout.splitlines()[-1])
    finally:
        shutil.rmtree(folder)
    assert set(missing) == {"cpu", "memory", "processes", "disk", "user"}
    assert all(missing.values())
    assert exit_code == 0
    assert log.splitlines()[0] == "60000"
    assert "cannot open" not in log
    assert log.count("No such file") == 1
    assert "Read-only" in log
    assert log.splitlines()[-2:] == ["1", "done"], "one network device: its own loopback"
    assert "memory" in refused


def test_without_bubblewrap_nothing_runs_until_the_operator_says_so(tmp_path, rig):
    facts = dataclasses.replace(rig.adapter._facts, bwrap=None, why={"bwrap": "bubblewrap is not installed"})
    rig.close()
    poor = LocalRig(tmp_path, facts=facts)
    try:
        with pytest.raises(BackendError, match="bubblewrap is not installed"):
            poor.start(run="true")
        poor.options["settings"] = {"allow_unsandboxed": True}
        poor.restart()
        end, log = poor.run(
            run="echo $SUANWANG_CORES > $SUANWANG_PROGRESS; pwd; exit 5", resources={"memory": "64 MiB"}
        )
        assert end.exit_code == 5
        assert log.strip().endswith("/task")
        hog, _ = poor.run(2, run="exec python -c 'bytearray(300<<20)'", resources={"memory": "64 MiB"})
        assert hog.reason is FailureReason.OUT_OF_MEMORY
    finally:
        poor.close()
