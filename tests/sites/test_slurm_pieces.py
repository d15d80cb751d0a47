"""The parts of the Slurm adapter that need no cluster: what its commands print, verdicts, limits, options, the script."""

import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.agent.adapter import Limit, StartOrder
from suanwang.agent.adapters.slurm import limits, parse, script
from suanwang.agent.adapters.slurm.settings import PoolRoute, SlurmSettings
from suanwang.agent.adapters.slurm.tools import SlurmTools
from suanwang.agent.adapters.slurm.verdict import Ending, judge
from suanwang.agent.verdict import Verdict
from suanwang.model.error import BackendError, FaultsError
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.reason import FailureReason as R
from suanwang.model.task import TaskRequest

HERE = Path("/shared/att")


def order(**request) -> StartOrder:
    return StartOrder(
        site=SiteId("s"),
        pool=PoolId("s/p"),
        task_id=TaskId("task-1"),
        attempt_id=AttemptId("att-1"),
        fence=1,
        request=TaskRequest(**request),
    )


def line(**fields: str) -> str:
    return "".join(fields.get(name, "").ljust(width) for name, width in parse.QUEUE_FIELDS)


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (Ending("COMPLETED", told=0), Verdict(None, 0)),
        (Ending("COMPLETED"), Verdict(None, 0)),
        (Ending("FAILED", told=3), Verdict(R.EXIT_CODE, 3)),
        (Ending("FAILED", status=3 << 8), Verdict(R.EXIT_CODE, 3)),
        (Ending("FAILED", told=143), Verdict(R.SIGNAL, signal=15)),
        (Ending("FAILED", status=9), Verdict(R.SIGNAL, signal=9)),
        (Ending("FAILED", status=143 << 8), Verdict(R.SIGNAL, signal=15)),
        (Ending("OUT_OF_MEMORY", status=125), Verdict(R.OUT_OF_MEMORY, signal=9)),
        (Ending("OUT_OF_MEMORY", told=137), Verdict(R.OUT_OF_MEMORY, signal=9)),
        (Ending("OUT_OF_MEMORY", told=0), Verdict(None, 0)),
        (Ending("TIMEOUT", status=15), Verdict(R.WALL_TIME)),
        (Ending("CANCELLED", status=15, wall_over=True), Verdict(R.WALL_TIME)),
        (Ending("COMPLETED", told=0, wall_over=True), Verdict(None, 0)),
        (Ending("CANCELLED", status=15, stopped=True), Verdict(None)),
        (Ending(None, told=0), Verdict(None, 0)),
        (Ending(None, told=1), Verdict(R.EXIT_CODE, 1)),
    ],
)
def test_every_ending_has_its_verdict(ending, verdict):
    assert judge(ending) == verdict


@pytest.mark.parametrize(
    ("ending", "reason", "words"),
    [
        (Ending("CANCELLED"), R.BACKEND, "cancelled at the site"),
        (Ending("CANCELLED", status=15, told=143), R.BACKEND, "cancelled at the site"),  # a quick script wrote it down
        (Ending("NODE_FAIL", told=137), R.BACKEND, "node of the job failed"),
        (Ending("NODE_FAIL"), R.BACKEND, "node of the job failed"),
        (Ending("BOOT_FAIL"), R.BACKEND, "did not boot"),
        (Ending("PREEMPTED"), R.BACKEND, "preempted"),
        (Ending("DEADLINE"), R.BACKEND, "own deadline"),
        (Ending("FAILED", status=53), R.BACKEND, "do all nodes have it"),
        (Ending("SOMETHING_NEW"), R.BACKEND, "SOMETHING_NEW"),
        (Ending(None), R.LOST, "no longer knows"),
    ],
)
def test_what_is_not_the_tasks_fault_says_what_it_was(ending, reason, words):
    verdict = judge(ending)
    assert verdict.reason is reason
    assert words in verdict.detail


def test_rows_of_the_queue():
    text = "\n".join(
        [
            line(
                ArrayJobID="7",
                JobID="7",
                ArrayTaskID="N/A",
                State="RUNNING",
                exit_code="0",
                TimeUsed="1:02",
                Name="att-1",
            ),
            line(
                ArrayJobID="8",
                JobID="8",
                ArrayTaskID="2-5%3",
                State="PENDING",
                exit_code="0",
                TimeUsed="0:00",
                Name="att-2",
            ),
            line(
                ArrayJobID="8",
                JobID="9",
                ArrayTaskID="1",
                State="FAILED",
                exit_code="768",
                TimeUsed="1-00:00:01",
                Name="x" * 90,
            ),
            "slurm_load_jobs error: nothing",
        ]
    )
    one, rest, element = parse.queue_rows(text)
    assert (one.job_id, one.array, one.task, one.state, one.runs, one.used_us) == (
        7,
        False,
        None,
        "RUNNING",
        True,
        62_000_000,
    )
    assert (rest.job_id, rest.array, rest.task, rest.active, rest.runs) == (8, True, None, True, False)
    assert (element.job_id, element.task, element.status, element.active) == (8, 1, 768, False)
    assert element.used_us == 86_401_000_000


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text):
    parse.queue_rows(text)
    parse.accounts(text)
    parse.config(text)
    assert parse.span_us(text) >= 0 or text.startswith("-") or "-" in text
    parse.size_bytes(text)


def test_accounts_of_jobs_and_elements():
    text = (
        "5|COMPLETED|0:0|12|00:03.500|\n5.batch|COMPLETED|0:0|12|00:03.500|1024K\n5.0|COMPLETED|0:0|3|00:01|3M\n"
        "6_2|CANCELLED by 0|0:15|4|1-00:00:00|\nodd|x\n"
    )
    found = parse.accounts(text)
    assert found[5, None] == parse.Account("COMPLETED", 0, 12_000_000, 3_500_000, 3 << 20)
    assert (found[6, 2].state, found[6, 2].status, found[6, 2].core_us) == ("CANCELLED", 15, 86_400_000_000)


@given(st.sets(st.integers(0, 50), min_size=1))
def test_spans_name_the_numbers_and_no_others(numbers):
    named: set[int] = set()
    for part in parse.spans(numbers).split(","):
        first, _, last = part.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == numbers


# Limits ------------------------------------------------------------------------------------------------------------

STRONG = {"TaskPlugin": "task/cgroup,task/affinity", "ConstrainCores": "yes", "ConstrainRAMSpace": "yes"}


def test_what_is_missing_follows_the_clusters_configuration():
    assert set(limits.missing_limits(STRONG, frozenset())) == {
        Limit.PROCESSES, Limit.DISK, Limit.FILES, Limit.USER, Limit.NETWORK,
    }  # fmt: skip
    weak = limits.missing_limits({"TaskPlugin": "task/none"}, frozenset())
    assert {Limit.CPU, Limit.MEMORY} <= set(weak)
    kills = {"JobAcctGatherType": "jobacct_gather/linux", "JobAcctGatherParams": "OverMemoryKill"}
    assert Limit.MEMORY not in limits.missing_limits(kills, frozenset())
    assert Limit.MEMORY in limits.missing_limits({**kills, "JobAcctGatherType": "jobacct_gather/none"}, frozenset())
    assert limits.missing_limits({}, frozenset(Limit)) == {}


@pytest.mark.parametrize(
    ("request_", "reason", "words"),
    [
        ({"image": "py:3"}, R.IMAGE_UNKNOWN, "image py:3"),
        ({"secrets": ("A",)}, R.LIMIT_UNSUPPORTED, "secrets"),
        ({"mounts": [{"path": "/data", "folder": "data"}]}, R.LIMIT_UNSUPPORTED, "mounts"),
        ({"security_level": 2}, R.LIMIT_UNSUPPORTED, "user (every task"),
        ({"resources": {"disk": "9 GiB"}}, R.LIMIT_UNSUPPORTED, "disk"),
        ({"resources": {"processes": 9}}, R.LIMIT_UNSUPPORTED, "processes"),
        ({"resources": {"qubits": 2, "shots": 1}}, R.LIMIT_UNSUPPORTED, "quantum"),
        ({"resources": {"accelerators": 1}}, R.LIMIT_UNSUPPORTED, "no gres for s/p"),
    ],
)
def test_what_the_cluster_cannot_do_is_refused_with_the_reason(request_, reason, words):
    missing = limits.missing_limits(STRONG, frozenset())
    with pytest.raises(BackendError) as refused:
        limits.check(TaskRequest(run="true", **request_), PoolRoute(), "s/p", missing, 1001, 0)
    assert refused.value.reason is reason
    assert words in refused.value.detail


def test_what_the_site_keeps_by_other_means_is_not_refused():
    missing = limits.missing_limits(STRONG, frozenset({Limit.DISK}))
    limits.check(TaskRequest(run="true", resources={"disk": "9 GiB"}), PoolRoute(), "s/p", missing, 1001, 0)


# Options and script ------------------------------------------------------------------------------------------------


def test_options_of_a_task():
    request = {
        "run": "true",
        "resources": {
            "cpu": 4,
            "memory": "1000001 B",
            "nodes": 2,
            "accelerators": 3,
            "wall_time": "61 s",
            "kind": "hpc",
        },
    }
    route = PoolRoute(partition="p", account="a", qos="q", gres="gpu:a100", options=("--constraint=fast",))
    out = script.options(order(**request), route, Path("/shared/50%"), [0], 1)
    assert {
        "--job-name=att-1.1", "--no-requeue", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=4", "--mem=1M", "--time=2",
        "--gres=gpu:a100:3", "--exclusive", "--partition=p", "--account=a", "--qos=q", "--output=/shared/50%%/log",
        "--chdir=/shared/50%",
    } <= set(out)  # fmt: skip
    assert out[-1] == "--constraint=fast"
    plain = script.options(order(run="true"), PoolRoute(), HERE, [0], 1)
    assert not [
        one for one in plain if one.startswith(("--gres", "--exclusive", "--partition", "--array", "--account"))
    ]


def test_an_array_is_numbered_from_the_first_element_that_is_left():
    out = script.options(order(run="true", array=5_000), PoolRoute(), HERE, [4_000, 4_001, 4_003], 1)
    assert "--array=0-1,3" in out
    assert f"--output={HERE}/log-%a" in out


def test_the_work_runs_with_its_own_environment_and_no_other():
    text = script.work_script(
        order(run=("echo", "a b", "$c"), environment={"HOME": "/own", "UID": "3"}), HERE, "/opt/py"
    ).decode()
    assert text.endswith("exec echo 'a b' '$c'\n")
    assert "export HOME=/own\n" in text
    assert "export PATH=/opt/py:/usr/local/bin:/usr/bin:/bin\n" in text
    for name in ("SUANWANG_ARRAY_INDEX", "SUANWANG_PROGRESS", "TMPDIR", "UID"):
        assert f"export {name}=" not in text
    with pytest.raises(BackendError):
        script.work_script(order(run=("a\0b",)), HERE, "")


class Bench:
    """The job's script as Slurm would start it, without Slurm."""

    def __init__(self, folder: Path, run: str, turn: int = 1) -> None:
        self.here = folder / "it's here"
        self.here.mkdir()
        (folder / "licence").write_text("1\n")
        self.order = order(run=run)
        (self.here / script.RUN_FILE).write_bytes(script.work_script(self.order, self.here, ""))
        text = script.job_script(self.order, self.here, folder / "licence", turn, 0)
        self.process = subprocess.Popen(
            ["sh", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def printed(self) -> None:
        assert self.process.stdout.readline() == "begun\n"

    def end(self) -> tuple[int, str]:
        said, _ = self.process.communicate(timeout=20)
        return self.process.returncode, said

    @property
    def status(self) -> list[str]:
        path = self.here / "0" / script.STATUS_FILE
        return path.read_text().split() if path.exists() else []


def test_the_script_writes_down_how_the_work_ended(tmp_path):
    bench = Bench(tmp_path, "echo $SUANWANG_ARRAY_INDEX > n; exit 7")
    assert bench.end() == (7, "")
    assert bench.status[0] == "7"
    assert len(bench.status) == 5
    assert (bench.here / "0/task/n").read_text() == "0\n"


def test_the_script_of_an_older_turn_does_nothing(tmp_path):
    bench = Bench(tmp_path, "echo worked", turn=2)
    assert bench.end() == (75, ""), "its log is that of the job that counts"
    assert bench.status == []


def test_a_job_that_is_ended_takes_its_work_with_it_at_once(tmp_path):
    bench = Bench(tmp_path, "trap '' TERM; echo begun; sleep 100 & wait; wait")
    bench.printed()
    bench.process.terminate()
    assert bench.end()[0] == 143
    assert bench.status == [], "it came to no end of its own"


def test_asked_to_end_only_who_listens_is_told(tmp_path):
    work = "sh -c 'trap \"echo saved; exit 0\" TERM; echo begun; while :; do sleep 0.05; done'; echo went on"
    bench = Bench(tmp_path, work)
    bench.printed()
    bench.process.send_signal(signal.SIGUSR1)
    assert bench.end() == (0, "saved\nwent on\n")
    assert bench.status[0] == "0"


def test_asked_to_end_all_are_told_where_none_listens(tmp_path):
    bench = Bench(tmp_path, "echo begun; sleep 100; echo never")
    bench.printed()
    bench.process.send_signal(signal.SIGUSR1)
    code, said = bench.end()
    assert (code, bench.status[0]) == (143, "143")
    assert "never" not in said


def test_missing_commands_are_named_at_once(tmp_path):
    with pytest.raises(FaultsError) as error:
        SlurmTools(SlurmSettings(tmp_path, {}, tools=str(tmp_path)))
    assert [(one.code, one.where) for one in error.value.faults] == [
        ("slurm_tool_missing", name) for name in ("sbatch", "squeue", "scancel", "scontrol")
    ]
