"""What a task is given on a Slurm cluster, what is measured of it, and what a hostile one cannot reach."""

import io
import time

import pytest
from tests.sites.slurm_cluster import SLURM
from tests.sites.slurm_rig import SlurmRig

from suanwang.agent.adapter import Limit
from suanwang.agent.rules import TransferRules
from suanwang.model.error import BackendError
from suanwang.model.event import EventKind, Kept
from suanwang.model.reason import FailureReason
from suanwang.model.task import Elements

pytestmark = SLURM
K, R = EventKind, FailureReason


@pytest.fixture
def rig(steady, overdue, tmp_path):
    made = SlurmRig(steady, tmp_path / "objects")
    yield made
    made.close()


def test_the_manifest_says_what_this_cluster_enforces(rig):
    manifest = rig.adapter.manifest
    assert (manifest.name, manifest.emulated) == ("slurm", False)
    assert manifest.version[0].isdecimal()
    assert {kind.value for kind in manifest.kinds} == {"general", "ai", "hpc"}
    assert manifest.limits == {Limit.CPU, Limit.MEMORY, Limit.WALL_TIME, Limit.LOG}
    assert set(manifest.missing) == {Limit.PROCESSES, Limit.DISK, Limit.FILES, Limit.USER, Limit.NETWORK}


def test_a_gang_has_all_its_nodes_at_once(rig):
    work = "echo $SLURM_JOB_NUM_NODES $SUANWANG_NODES $SUANWANG_CORES; srun sh -c 'echo on $SLURMD_NODENAME'"
    end, log = rig.run(run=work, resources={"nodes": 2, "cpu": 2, "memory": "100 MiB"})
    assert end.kind is K.FINISHED, log
    lines = log.splitlines()
    assert lines[0] == "2 2 2"
    assert len({line for line in lines if line.startswith("on t")}) == 2


def test_accelerators_are_slurms_generic_resources(rig):
    work = "echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_PARTITION"
    end, log = rig.run(pool="gpu", run=work, resources={"accelerators": 2, "accelerator": "a100"})
    assert (end.kind, log) == (K.FINISHED, "0,1 gpu\n")


def test_what_a_task_sees(rig):
    work = "echo $SUANWANG_SITE $SUANWANG_ARRAY_INDEX/$SUANWANG_ARRAY_COUNT $X; pwd; echo $HOME; id -un; echo 500 > $SUANWANG_PROGRESS; sleep 1.5"
    order = rig.start(run=work, environment={"X": "a 'b' $c"})
    end = rig.end()
    lines = rig.log(order).splitlines()
    assert end.kind is K.FINISHED
    assert lines[0] == "conformance 0/1 a 'b' $c"
    assert lines[1] == lines[2] == str(rig.folder / "attempts" / order.attempt_id / "0/task")
    assert lines[3] == "daemon"
    assert {one.fraction_permille for one in rig.seen if one.kind is K.PROGRESS} == {500}


def test_cpu_time_is_measured_without_accounting(rig):
    work = ("python", "-c", "import time\ne = time.process_time() + 0.5\nwhile time.process_time() < e: pass")
    end, _ = rig.run(run=work)
    assert 500_000 <= end.usage.core_us <= 1_500_000
    assert end.usage.wall_us >= 300_000
    assert end.usage.memory_peak_bytes == 0, "not known without accounting"


def test_an_element_that_fails_ends_the_others(rig):
    work = "echo at $SUANWANG_ARRAY_INDEX; [ $SUANWANG_ARRAY_INDEX = 1 ] && exit 7; sleep 60"
    end, log = rig.run(run=work, array=4)
    assert (end.reason, end.exit_code, end.detail) == (R.EXIT_CODE, 7, "element 1")
    assert "[1] at 1\n" in log


def test_a_part_of_an_array_keeps_its_numbers_though_slurm_counts_from_0(rig):
    part = Elements(first=5_000, count=3)
    kept = Kept(done=((0, 5_000), (5_001, 5_002), (5_003, 10_000)))
    end, log = rig.run(
        run="echo $SUANWANG_ARRAY_INDEX > n", array=10_000, elements=part, kept=kept, outputs=[{"path": "n"}]
    )
    assert end.kind is K.FINISHED, log
    assert [one.path for one in end.outputs] == ["5000/n", "5002/n"]


def test_an_array_that_slurm_cannot_number_is_refused(rig):
    with pytest.raises(BackendError, match="MaxArraySize is 101") as refused:
        rig.start(run="true", array=102)
    assert refused.value.reason is R.LIMIT_UNSUPPORTED


def test_elements_have_inputs_of_their_own(rig):
    stored = rig.objects.put(io.BytesIO(b"some input\n"))
    inputs = [{"source": f"object:{stored.blake3}", "path": "data/in"}]
    work = "cat data/in; echo $SUANWANG_ARRAY_INDEX >> data/in; cp data/in out"
    end, log = rig.run(run=work, array=2, inputs=inputs, outputs=[{"path": "out"}])
    assert sorted(log.splitlines()) == ["[0] some input", "[1] some input"]
    assert sorted(one.path for one in end.outputs) == ["0/out", "1/out"]
    assert end.usage.bytes_in == 11


def test_a_pool_that_nobody_mapped_is_refused_at_once(rig):
    with pytest.raises(BackendError, match="has no pool conformance/other"):
        rig.start(pool="other", run="true")


def test_deliveries_are_made(rig, tmp_path):
    (tmp_path / "srv").mkdir()
    rig.rules = TransferRules(file_roots=(tmp_path / "srv",))
    rig.reopen()
    end, _ = rig.run(run="echo x > x.txt", outputs=[{"path": "x.txt", "target": f"file://{tmp_path}/srv/y"}])
    rig.adapter.deliver(end.attempt_id, end.outputs)
    rig.until_kind(K.DELIVERED)
    assert (tmp_path / "srv/y/x.txt").read_text() == "x\n"


def test_safety_a_task_cannot_lead_the_agent_out_of_its_folder(rig):
    secret = rig.cluster.folder / "secret"
    secret.mkdir(mode=0o700, exist_ok=True)
    (secret / "key").write_text("the agent's")
    work = f"cd ..; rm -r task; ln -s {secret} task; rm ../log; ln -s {secret}/key ../log"
    end, log = rig.run(run=work, outputs=[{"path": "key"}])
    assert (end.kind, end.reason, end.outputs) == (K.FAILED, R.BACKEND, ())
    assert "the agent's" not in log


def test_forgetting_takes_all_files_away(rig):
    order = rig.start(run="echo x > y", array=2)
    rig.end()
    rig.adapter.forget(order.attempt_id)
    rig.until(lambda: not list((rig.folder / "attempts").iterdir()))
    rig.until(lambda: not [one for part in ("records", "logs", "licences") for one in (rig.folder / part).iterdir()])


def test_a_job_that_slurm_ends_at_its_time_has_used_it_up(overdue):
    overdue.gives_up_s = time.monotonic() + 60
    end = overdue.end()
    assert (end.kind, end.reason) == (K.FAILED, R.WALL_TIME)
