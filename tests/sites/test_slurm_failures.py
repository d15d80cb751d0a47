"""What can go wrong at a Slurm site, done to a real one: each failure has its reason, and none loses what still runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.sites.slurm_cluster import SLURM
from tests.sites.slurm_rig import SlurmRig

from suanwang.agent.adapters.slurm.tools import AwayError
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason

pytestmark = SLURM
K, R = EventKind, FailureReason


def job_of(rig: SlurmRig) -> str:
    """The number of the one job that Slurm has."""
    (line,) = rig.cluster.jobs()
    return line.split()[0]


def node_of(rig: SlurmRig) -> str:
    return rig.cluster.run("squeue", "--noheader", "-o", "%N").strip()


# Ended by others ---------------------------------------------------------------------------------------------------


def test_a_job_that_an_admin_cancels_is_no_fault_of_the_task(rig):
    rig.start(run="sleep 100")
    rig.until_kind(K.RUNNING)
    rig.cluster.run("scancel", job_of(rig))
    end = rig.end()
    assert (end.kind, end.reason, end.detail) == (K.FAILED, R.BACKEND, "the job was cancelled at the site")


def test_a_job_that_is_cancelled_while_it_waits_never_ran(rig):
    rig.start(1, run="sleep 100", resources={"cpu": 8, "nodes": 3, "memory": "3000 MiB", "kind": "hpc"})
    rig.until_kind(K.RUNNING)
    rig.start(2, run="sleep 100", resources={"cpu": 8, "nodes": 3, "memory": "3000 MiB", "kind": "hpc"})
    waiting: list[str] = []

    def waits() -> bool:
        waiting[:] = [line.split()[0] for line in rig.cluster.jobs() if "PENDING" in line]
        return bool(waiting)

    rig.until(waits)
    rig.cluster.run("scancel", *waiting)
    end = rig.end()
    assert (end.attempt_id[-1], end.reason) == ("2", R.BACKEND)
    assert [one.kind for one in rig.seen] == [K.FAILED]


def test_a_node_that_fails_is_no_fault_of_the_task(rig):
    rig.start(run="sleep 100")
    rig.until_kind(K.RUNNING)
    node = node_of(rig)
    rig.cluster.kill(node, signal.SIGKILL)
    rig.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    end = rig.end()
    assert (end.reason, end.detail) == (R.BACKEND, "a node of the job failed")
    rig.cluster.start_node(node)
    rig.cluster.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
    rig.cluster.until_idle(node)


def test_outputs_that_are_kept_whatever_the_end_is_come_back_from_failed_work(rig):
    outputs = [{"path": "why.txt", "always": True}, {"path": "result.txt"}]
    end, _ = rig.run(run="echo because > why.txt; echo half > result.txt; exit 3", outputs=outputs)
    assert (end.kind, end.exit_code) == (K.FAILED, 3)
    (kept,) = end.outputs
    with rig.objects.open(kept.blake3) as stream:
        assert (kept.path, stream.read()) == ("why.txt", b"because\n")


# Refused -----------------------------------------------------------------------------------------------------------


def test_an_unknown_partition_is_the_sites_fault_in_slurms_own_words(rig):
    end, _ = rig.run(pool="nowhere", run="true")
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
    assert "nvalid partition" in end.detail


def test_more_nodes_than_the_partition_has_are_refused(rig):
    end, _ = rig.run(run="true", resources={"nodes": 4, "kind": "hpc"})
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
    assert "Slurm does not take the job" in end.detail


# The controller ----------------------------------------------------------------------------------------------------


def test_work_survives_a_controller_that_is_away(rig):
    order = rig.start(run="sleep 2; echo done > out", outputs=[{"path": "out"}])
    rig.until_kind(K.RUNNING)
    rig.cluster.kill("slurmctld")
    ends_s = time.monotonic() + 3
    rig.until(lambda: time.monotonic() > ends_s)
    assert [one.kind for one in rig.seen if one.kind is not K.PROGRESS] == [K.RUNNING], (
        "nothing is said of it meanwhile"
    )
    assert rig.adapter.knows(order.attempt_id)
    rig.cluster.start_controller()
    end = rig.end()
    assert (end.kind, [one.path for one in end.outputs]) == (K.FINISHED, ["out"])


def test_work_handed_in_while_the_controller_is_away_runs_once_when_it_is_back(rig):
    rig.cluster.kill("slurmctld")
    rig.start(run="echo once >> $HOME/../../count; cat $HOME/../../count", outputs=[])
    ends_s = time.monotonic() + 2
    rig.until(lambda: time.monotonic() > ends_s)
    assert rig.seen == []
    rig.cluster.start_controller()
    rig.gives_up_s += 20
    end = rig.end()
    assert end.kind is K.FINISHED
    assert sum("att-" in line for line in rig.cluster.jobs(all_states=True) if "COMPLETED" in line) >= 1
    assert rig.log(end) == "once\n"


def test_what_is_forgotten_while_the_controller_is_away_is_ended_when_it_is_back(rig):
    order = rig.start(run="sleep 100")
    rig.until_kind(K.RUNNING)
    rig.cluster.kill("slurmctld")
    rig.adapter.forget(order.attempt_id)
    assert not rig.adapter.knows(order.attempt_id)
    rig.cluster.start_controller()
    rig.gives_up_s += 20
    rig.until(lambda: not rig.cluster.run("squeue", "--noheader", check=False, timeout_s=5))


# The agent's process -----------------------------------------------------------------------------------------------


def test_a_new_process_goes_on_with_what_runs(rig):
    order = rig.start(
        run="echo begun; sleep 2; echo done | tee out", outputs=[{"path": "out"}], resources={"wall_time": "30 s"}
    )
    rig.until(lambda: "begun" in rig.log(order))
    rig.reopen()
    assert rig.adapter.knows(order.attempt_id)
    end = rig.end()
    assert (end.kind, end.exit_code) == (K.FINISHED, 0)
    assert rig.log(order) == "begun\ndone\n"
    assert end.usage.wall_us >= 2_000_000
    rig.reopen()
    rig.seen = []
    assert rig.end() == end, "the last word is said again, for an agent that died before it heard it"


def test_a_new_process_that_starts_while_the_controller_is_away_goes_on(rig):
    order = rig.start(run="sleep 3; echo done")
    rig.until_kind(K.RUNNING)
    limits = rig.adapter.manifest.limits
    rig.cluster.kill("slurmctld")
    rig.reopen()
    assert rig.adapter.knows(order.attempt_id)
    assert rig.adapter.manifest.limits == limits, "as the controller last told them"
    rig.cluster.start_controller()
    rig.gives_up_s += 20
    assert rig.end().kind is K.FINISHED


def test_work_that_ended_while_nobody_looked_counts_though_slurm_has_forgotten_it(rig):
    order = rig.start(run="sleep 0.5; echo done > out", outputs=[{"path": "out"}])
    rig.until_kind(K.RUNNING)
    rig.adapter.close()
    rig.cluster.until_idle()
    rig.cluster.lose_everything()
    rig.open()
    end = rig.end()
    assert (end.kind, [one.path for one in end.outputs]) == (K.FINISHED, ["out"])
    assert rig.adapter.knows(order.attempt_id)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.sites.slurm_rig import SlurmRig
from suanwang.agent.adapters.slurm import tools

class Cluster:
    folder, conf = Path({folder!r}), Path({conf!r})

submit = tools.SlurmTools.submit
def submit_and_die(self, options, script):
    submit(self, options, script)
    os.kill(os.getpid(), signal.SIGKILL)
tools.SlurmTools.submit = submit_and_die

SlurmRig.folder = property(lambda self: Path({work!r}), lambda self, value: None)
rig = SlurmRig(Cluster, Path({objects!r}))
rig.start(run="echo once >> ../../count; sleep 1; cat ../../count")
while True:
    rig.adapter.poll()
    rig.pass_time()
"""


def test_safety_a_kill_between_submit_and_note_neither_loses_nor_doubles_the_job(rig, tmp_path):
    rig.adapter.close()
    root = str(Path(__file__).parents[2])
    code = KILLED.format(
        root=root,
        folder=str(rig.cluster.folder),
        conf=str(rig.cluster.conf),
        work=str(rig.folder),
        objects=str(tmp_path / "objects"),
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = len(rig.cluster.jobs(all_states=True))
    assert [line for line in rig.cluster.jobs() if "att-" in line], "Slurm has the job"
    rig.open()
    rig.seen = []
    end = rig.end()
    assert end.kind is K.FINISHED
    assert rig.log(end) == "once\n"
    assert len(rig.cluster.jobs(all_states=True)) == before


def test_safety_a_submission_that_was_given_up_does_no_work(rig):
    """The licence of an attempt is its newest submission's: an older one that turns up late ends before its work."""
    order = rig.start(run="echo begun; sleep 100")
    rig.until_kind(K.RUNNING)
    record = rig.folder / "licences" / order.attempt_id
    rig.until(lambda: rig.log(order) == "begun\n")  # before that, its script may not have read its licence yet
    number = job_of(rig)
    script = rig.cluster.run("scontrol", "write", "batch_script", number, "-")
    assert "turn=1" in script
    record.write_text("2\n")
    late = rig.cluster.folder / "late.sh"
    late.write_text(script)
    here = rig.folder / "attempts" / order.attempt_id
    log = rig.cluster.folder / "late.log"
    rig.cluster.run("sbatch", "--wait", f"--output={log}", str(late), check=False)
    assert log.read_text() == "", "it is the log of the job that counts"
    assert sorted(path.name for path in here.iterdir()) == ["0", "log", "work.sh"]
    rig.adapter.stop(order.attempt_id)
    end = rig.end()
    assert end.kind is K.STOPPED, (end.reason, rig.log(end))


def test_safety_a_submission_that_turns_up_late_is_not_taken_for_the_one_that_counts(rig, monkeypatch):
    """The first is taken by Slurm without an answer, and shown to nobody until the second is there."""
    tools, submits = rig.adapter._tools, []
    submit, jobs = tools.submit, tools.jobs

    def without_answer(options, script):
        submits.append(submit(options, script))
        if len(submits) == 1:
            raise AwayError("sbatch had no answer")
        return submits[-1]

    monkeypatch.setattr(tools, "submit", without_answer)
    monkeypatch.setattr(tools, "jobs", lambda: jobs() if len(submits) > 1 else [])
    rig.start(run="sleep 2; echo done")
    end = rig.end()
    assert (end.kind, rig.log(end), len(submits)) == (K.FINISHED, "done\n", 2)
    rig.until(lambda: not rig.cluster.jobs())  # the first is over too: without its licence, or cancelled


def test_a_log_beyond_its_limit_costs_the_others_nothing(rig):
    """A log that claims to be of 8 TiB: what is not kept is not read."""
    rig.start(run='truncate -s 8T "$HOME/../../log"; exit 0')
    assert rig.end().kind is K.FINISHED


def test_figures_that_the_work_wrote_itself_are_bounded(rig):
    rig.start(run='echo "0 1e15m0s" > "$HOME/../run/status"; kill -9 $PPID')
    assert rig.end().usage.core_us < 2**62


def test_a_folder_that_takes_no_record_ends_no_agent(rig, monkeypatch):
    """A full disk: what is not written is written later, and the last word comes all the same."""
    folder = rig.adapter._folder
    write, full = folder.write_record, [False]

    def refuse(record):
        if full[0]:
            raise OSError(28, "No space left on device")
        write(record)

    monkeypatch.setattr(type(folder), "write_record", lambda self, record: refuse(record))
    first = rig.start(run="sleep 1; echo on")
    rig.until_kind(K.RUNNING)
    full[0] = True
    assert rig.end().kind is K.FINISHED
    with pytest.raises(BackendError):
        rig.start(2, run="true")
    full[0] = False
    rig.start(3, run="true")
    assert rig.end().kind is K.FINISHED
    rig.until(lambda: '"finished"' in (rig.folder / "records" / f"{first.attempt_id}.json").read_text())


def test_one_folder_has_one_adapter(rig):
    from suanwang.model.error import ConflictError

    other = SlurmRig.__new__(SlurmRig)
    other.__dict__.update(rig.__dict__)
    with pytest.raises(ConflictError, match="adapter_folder_taken"):
        other.open()
    assert os.path.exists(rig.folder / "lock")
