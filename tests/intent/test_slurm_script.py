"""Batch scripts as tasks: what becomes of each option, what each fault says and where, and the command in a real shell."""

import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from suanwang.intent.own_lines import KEYS
from suanwang.intent.slurm import Desk, SbatchRead, read_command, read_sbatch
from suanwang.intent.slurm_options import OPTIONS
from suanwang.model.doors import DoorRules
from suanwang.model.error import FaultsError
from suanwang.model.grid import PoolKind
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.task import AFTER_MAX, After, Circle, When
from suanwang.model.units import GIB, MIB, US_PER_HOUR, US_PER_MINUTE, US_PER_S
from suanwang.texts import languages, text

NOW_US = 1_790_000_000 * US_PER_S
RULES = DoorRules(
    zones={"CN-GD": (SiteId("sz"), SiteId("gz")), "sz": (SiteId("sz"),), "gz": (SiteId("gz"),)},
    accelerators=("a100", "ascend-910b"),
    partitions={"fat": "hpc+CN-GD"},
    priorities={"high": 50},
)
JOBS = {7: TaskId("task-" + "0" * 25 + "7"), 8: TaskId("task-" + "0" * 25 + "8")}
DESK = Desk("lin", NOW_US, UTC, {"TOKEN": "abc"}, JOBS.get)


def read(lines: str, *words: str, body: str = "echo hello") -> SbatchRead:
    """A script of `#SBATCH` lines, separated by `;`, with a command line before it."""
    marked = [
        f"#SBATCH {one.strip()}" if not one.strip().startswith("#") else one.strip()
        for one in lines.split(";")
        if one.strip()
    ]
    script = "\n".join(["#!/bin/bash", *marked, body, ""])
    return read_sbatch(script, "jobs/train.sh", read_command([*words, "train.sh", "one", "two words"]), DESK, RULES)


def faults(lines: str, *words: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(FaultsError) as caught:
        read(lines, *words)
    for one in caught.value.faults:
        for lang in languages():
            assert text(f"fault.{one.code}", lang, got=one.got, **one.params)
    return [(one.code, one.where, one.line) for one in caught.value.faults]


def warnings(lines: str, *words: str) -> list[tuple[str, str, int | None]]:
    found = read(lines, *words).warnings
    assert all(text(f"warning.{one.code}", lang, got=one.got, **one.params) for one in found for lang in languages())
    return [(one.code, one.where, one.line) for one in found]


def test_a_script_that_says_nothing() -> None:
    request = read("").request
    has = request.resources
    assert (request.name, request.retries, request.array, request.tags) == ("train.sh", 0, 1, {"slurm": "sbatch"})
    assert (has.cpu, has.nodes, has.wall_time, has.accelerators) == (1, 1, US_PER_HOUR, 0)
    assert [(one.path, one.always) for one in request.outputs] == [("slurm-*.out", True)]


SHAPES = [
    ("-n 16", {"cpu": 16}),
    ("-n 16; -N 4", {"cpu": 4, "nodes": 4, "kind": None}),
    ("-n 10; -N 4", {"cpu": 3, "nodes": 4}),
    ("-N 2; --ntasks-per-node=8; -c 2", {"cpu": 16, "nodes": 2}),
    ("-n 12; --ntasks-per-node 4", {"cpu": 4, "nodes": 3}),
    ("-N 2-4", {"nodes": 2}),
    ("-c 8; --mem=16G", {"cpu": 8, "memory": 16 * GIB}),
    ("-n 4; -c 2; --mem-per-cpu=1G", {"cpu": 8, "memory": 8 * GIB}),
    ("--mem-per-gpu=10G; --gpus=2", {"accelerators": 2, "accelerator": "any", "memory": 20 * GIB}),
    ("--gres=gpu:a100:4", {"accelerators": 4, "accelerator": "a100"}),
    ("-N 2; -G a100:8", {"accelerators": 4, "nodes": 2, "accelerator": "a100"}),
    ("-N 2; --ntasks-per-node=4; --gpus-per-task=1", {"accelerators": 4, "nodes": 2}),
    ("--gpus-per-node=Ascend_910B:8", {"accelerators": 8, "accelerator": "ascend-910b"}),
    ("--gpus=2; --cpus-per-gpu=6", {"cpu": 12, "accelerators": 2}),
    ("--gres=gpu:2; --gpus=2", {"accelerators": 2}),
    ("--gres=gpu:2; -p a100", {"accelerators": 2, "accelerator": "a100"}),
    ("--exclusive", {"kind": PoolKind.HPC}),
    ("--exclusive; --mem=0; -N 3", {"kind": PoolKind.HPC, "nodes": 3, "memory": 512 * MIB}),
    ("-p hpc", {"kind": PoolKind.HPC}),
    ("-t 2-00:00:00", {"wall_time": 48 * US_PER_HOUR}),
    ("--tmp=20G", {"disk": 20 * GIB}),
    ("--mincpus=4", {"cpu": 4}),
]


@pytest.mark.parametrize(("lines", "wanted"), SHAPES)
def test_what_a_node_holds(lines: str, wanted: dict[str, object]) -> None:
    has = read(lines).request.resources
    assert {name: getattr(has, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("lines", "nodes", "spread"),
    [("-N 3; -n 8", "3", "3(x2),2"), ("-N 4; -n 10", "4", "3(x2),2(x2)"), ("-N 2; -n 8", "2", "4(x2)"), ("-n 5", "1", "5"),
     ("-N 2; -n 3", "2", "2,1"), ("-N 4; -n 2", "2", "1(x2)"), ("-N 3", "3", "1(x3)")],
)  # fmt: skip
def test_the_tasks_of_the_nodes_add_up(lines: str, nodes: str, spread: str) -> None:
    run = read(lines).request.run
    assert isinstance(run, str)
    told = dict(
        one.removeprefix("export ").split("=", 1) for one in run.split("\n") if one.startswith("export SLURM_N")
    )
    assert told["SLURM_NNODES"] == nodes
    assert f"export SLURM_TASKS_PER_NODE={shlex.quote(spread)}\n" in run
    parts = [one.rstrip(")").partition("(x") for one in spread.split(",")]
    assert sum(int(count) * int(many or 1) for count, _, many in parts) == int(told["SLURM_NTASKS"])


def test_many_predecessors_are_looked_up_once_each_or_not_at_all() -> None:
    asked: list[int] = []

    def job(number: int) -> TaskId:
        asked.append(number)
        return JOBS[7 + number % 2]

    def submitted(words: str) -> SbatchRead:
        asked.clear()
        command = read_command(["-d", words, "x.sh"])
        return read_sbatch("#!/bin/sh\n", "x.sh", command, replace(DESK, job=job), RULES)

    found = submitted("afterok:2:3" + ":2" * 5_000 + ",afterany:3")
    assert (len(found.request.after), asked) == (3, [2, 3])
    with pytest.raises(FaultsError) as caught:
        submitted("afterok:" + ":".join(str(one) for one in range(1, AFTER_MAX + 2)))
    assert [(one.code, one.got, one.where) for one in caught.value.faults] == [("too_long", f"{AFTER_MAX + 1}", "-d")]
    assert asked == []


def test_the_command_line_wins_and_its_memory_too() -> None:
    request = read("-t 10; --mem-per-cpu=1G; -J one", "--time=20", "--mem", "4G", "-Jtwo").request
    assert (request.name, request.resources.wall_time, request.resources.memory) == ("two", 20 * US_PER_MINUTE, 4 * GIB)


def test_what_else_a_task_has() -> None:
    request = read(
        "-p fat; -M sz; -d afterok:7,afterany:8; -b now+1hour; --deadline=now+10hours; -q high; -A physics; --comment=best;"
        " --export=MODE=fast,TOKEN; -a 1-9:2%2; #SUANWANG latency=provincial; #SUANWANG budget: 12 yuan;"
        " #SUANWANG inputs=data.csv,in/x=s3://b/x; #SUANWANG outputs=out/*.png; #SUANWANG secrets=KEY; #SUANWANG checkpoint=state/*"
    ).request
    assert (request.sites, request.resources.kind) == (("sz",), PoolKind.HPC)
    assert request.after == (After(task=JOBS[7]), After(task=JOBS[8], when=When.ENDED))
    assert (request.earliest_start, request.deadline) == (NOW_US + US_PER_HOUR, NOW_US + 10 * US_PER_HOUR)
    assert (request.priority, request.array, request.at_once) == (50, 5, 2)
    assert request.tags == {"slurm": "sbatch", "slurm.account": "physics", "slurm.comment": "best", "slurm.qos": "high"}
    assert request.environment == {"MODE": "fast", "TOKEN": "abc"}
    assert (request.latency, request.price_limit, request.secrets) == (Circle.PROVINCIAL, 12_000_000, ("KEY",))
    assert [(one.path, one.source) for one in request.inputs] == [("data.csv", "data.csv"), ("in/x", "s3://b/x")]
    assert [one.path for one in request.outputs] == ["slurm-*_*.out", "out/*.png"]
    assert request.checkpoint == "state/*"


PLACES = [
    ("-p fat", ("sz", "gz")),
    ("-p gz; -M CN-GD", ("gz",)),
    ("-p gz; -M sz", ("sz",)),  # a partition is a hint
    ("-M sz,gz", ("sz", "gz")),
    ("-C CN-GD&gz", ("gz",)),
    ("-C hpc&gz", ("gz",)),
    ("-p debug", ()),
]


@pytest.mark.parametrize(("lines", "sites"), PLACES)
def test_where_a_job_may_run(lines: str, sites: tuple[str, ...]) -> None:
    assert read(lines).request.sites == sites


def test_own_words_on_the_command_line() -> None:
    request = read(
        "#SUANWANG latency=metro", "--suanwang", "latency=8 ms", "--suanwang=protection=firewall,ids"
    ).request
    assert (request.latency, len(request.protection)) == (8_000, 2)


def test_flags_of_sbatch_itself() -> None:
    found = read("", "--parsable", "-W", "--test-only", "-Q")
    assert (found.parsable, found.waits, found.test_only) == (True, True, True)
    assert read_command(["--wrap=hostname", "-n4"]).wrapped == "hostname"
    assert read_command(["-n4", "--", "job.sh", "-x"]).arguments == ("-x",)


FAULTS = [
    ("-t soon", "slurm_time_form", "-t"),
    ("--time=UNLIMITED", "slurm_time_endless", "--time"),
    ("--mem=lots", "slurm_memory_form", "--mem"),
    ("--mem=1G; --mem-per-cpu=1G", "slurm_memory_twice", "--mem-per-cpu"),
    ("--mem-per-gpu=1G", "slurm_memory_no_gpu", "--mem-per-gpu"),
    ("--mem=0", "slurm_memory_all", "--mem"),
    ("-n none", "slurm_count_form", "-n"),
    ("-N 4-2", "slurm_count_form", "-N"),
    ("-a x", "slurm_array_form", "-a"),
    ("-a 0-3999999", "slurm_array_large", "-a"),
    ("--gres=gpu:a:b:c", "slurm_gres_form", "--gres"),
    ("--gres=craynetwork:1", "slurm_gres_other", "--gres"),
    ("-N 2; --gpus=3", "slurm_gpus_uneven", "--gpus"),
    ("--gpus=2; --gres=gpu:4", "slurm_gpus_differ", "--gres"),
    ("--exclusive; --gpus=1", "slurm_exclusive_gpus", "--exclusive"),
    ("-b whenever", "slurm_instant_form", "-b"),
    ("-d afterok", "slurm_dependency_form", "-d"),
    ("-d singleton", "slurm_dependency_kind", "-d"),
    ("-d afterok:7?afterok:8", "slurm_dependency_any", "-d"),
    ("-d afterok:9", "slurm_job_unknown", "-d"),
    ("-d afterok:7; --kill-on-invalid-dep=no", "slurm_dependency_kept", "--kill-on-invalid-dep"),
    ("--frobnicate", "slurm_option_unknown", "--frobnicate"),
    ("--ntask-per-node=4", "slurm_option_near", "--ntask-per-node"),
    ("-z 4", "slurm_option_unknown", "-z"),
    ("--time", "slurm_value_missing", "--time"),
    ("--parsable=yes", "slurm_value_unwanted", "--parsable"),
    ("-J 'open", "slurm_quote_open", "#SBATCH"),
    ("-o run-%q.log", "slurm_pattern", "-o"),
    ("-o run-%4x.log", "slurm_pattern", "-o"),
    ("-i in-%j.txt", "slurm_input_pattern", "-i"),
    ("-i in-%a.txt", "slurm_input_pattern", "-i"),
    ("-i in-%a.txt; -a 1-1001", "slurm_input_many", "-i"),
    ("-i in-%q.txt", "slurm_pattern", "-i"),
    ("-C haswell", "slurm_constraint", "-C"),
    ("-M nowhere", "slurm_clusters", "-M"),
    ("-C sz&gz", "slurm_constraint", "-C"),
    ("-C sz; -M gz", "slurm_clusters", "-M"),
    ("-M hpc", "slurm_clusters", "-M"),
    ("--export=UNSET_NAME", "slurm_export_unset", "--export"),
    ("-H", "slurm_no_hold", "-H"),
    ("-w node1", "slurm_no_nodelist", "-w"),
    ("-L matlab:1", "slurm_no_licenses", "-L"),
    ("--reservation=maint", "slurm_no_reservation", "--reservation"),
    ("--signal=B:USR1@60", "slurm_no_signal", "--signal"),
    ("--uid=0", "slurm_no_user", "--uid"),
    ("--container=x", "slurm_no_container", "--container"),
    ("hetjob", "slurm_no_hetjob", "#SBATCH"),
    ("#SUANWANG colour=red", "suanwang_key", "#SUANWANG colour"),
    ("#SUANWANG red", "suanwang_line_form", "#SUANWANG"),
    ("#SUANWANG latency=soon", "latency_form", "#SUANWANG latency"),
    ("#SUANWANG gpu=two", "not_whole", "#SUANWANG gpu"),
    ("#SUANWANG inputs=../x", "inner_path_form", "#SUANWANG inputs"),
    ("-D ../up", "inner_path_form", "-D"),
    ("-D /usr/x", "outer_path_form", "-D"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "code", "where"), FAULTS)
def test_a_fault_has_its_line(lines: str, code: str, where: str) -> None:
    assert (code, where, 1 + len(lines.split(";"))) in faults(lines) or (code, where, 2) in faults(lines)


def test_every_fault_at_once_of_the_script_and_of_the_command_line() -> None:
    assert faults("-t soon; --mem=x", "-n", "0") == [
        ("slurm_count_form", "-n", None),
        ("slurm_time_form", "-t", 2),
        ("slurm_memory_form", "--mem", 3),
    ]


WARNINGS = [
    (
        "--mail-type=END; --mail-user=a@b",
        [("slurm_no_effect", "--mail-type", 2), ("slurm_no_effect", "--mail-user", 3)],
    ),
    ("-p debug", [("slurm_partition_hint", "-p", 2)]),
    ("-q gold", [("slurm_qos_unknown", "-q", 2)]),
    ("--export=ALL", [("slurm_export_all", "--export", 2)]),
    ("--no-requeue", [("slurm_no_requeue", "--no-requeue", 2)]),
    ("--no-requeue; --requeue", []),
    ("-N 4; -n 2", [("slurm_nodes_idle", "-N", 2)]),
    ("-v; -Q; --export=NONE", []),
    ("--nice=100; -k", [("slurm_no_effect", "--nice", 2), ("slurm_no_effect", "-k", 3)]),
]


@pytest.mark.parametrize(("lines", "wanted"), WARNINGS)
def test_what_has_no_effect_is_told(lines: str, wanted: list[tuple[str, str, int]]) -> None:
    assert warnings(lines) == wanted


def test_lines_behind_the_first_command_count_for_nothing() -> None:
    found = read("", body="echo\n#SBATCH -n 4")
    assert (found.request.resources.cpu, [(one.code, one.line) for one in found.warnings]) == (1, [("slurm_late", 3)])
    assert read("##SBATCH -n 4; # SBATCH -n 4").request.resources.cpu == 1


@pytest.mark.parametrize(
    ("script", "code"),
    [("echo\n", "slurm_no_shebang"), ("", "slurm_no_shebang"), ("#!\n", "slurm_no_shebang"),
     ("#!/bin/sh\r\necho\r\n", "slurm_dos_lines"), ("#!/bin/sh\n\0", "not_utf8"), (b"#!/bin/sh\n\xff", "not_utf8"),
     ("#!/bin/sh\n" + "#" * 50_000, "too_large")],
)  # fmt: skip
def test_what_is_no_batch_script(script: str | bytes, code: str) -> None:
    with pytest.raises(FaultsError) as caught:
        read_sbatch(script, "x.sh", read_command(["x.sh"]), DESK, RULES)
    assert [one.code for one in caught.value.faults] == [code]


def test_a_script_and_a_wrap_exclude_each_other() -> None:
    with pytest.raises(FaultsError) as caught:
        read_command(["--wrap=ls", "x.sh"])
    assert [one.code for one in caught.value.faults] == ["slurm_wrap_script"]


class TestInAShell:
    """The command as a site would run it."""

    def run(self, folder: Path, found: SbatchRead, **environment: str) -> subprocess.CompletedProcess[str]:
        names = {"PATH": os.environ["PATH"], "SUANWANG_SITE": "sz", "SUANWANG_CORES": "2", "SUANWANG_TASK_NUMBER": "12"}
        names |= {"SUANWANG_ARRAY_INDEX": "0", "HOME": str(folder), **environment}
        command = ["/bin/sh", "-c", found.request.run]
        return subprocess.run(command, cwd=folder, env=names, capture_output=True, text=True, timeout=60, check=False)

    def test_arguments_variables_and_output(self, tmp_path: Path) -> None:
        body = 'echo "$1|$2|$#|$SLURM_JOB_ID|$SLURM_JOB_NAME|$SLURM_CPUS_PER_TASK|$SLURM_NTASKS|$SLURM_SUBMIT_DIR"; echo oops >&2; exit 3'
        done = self.run(tmp_path, read("-c 4; -J \"a 'b' $x\"", body=body))
        assert done.returncode == 3
        line = f"one|two words|2|12|a 'b' $x|4|1|{tmp_path}\n"
        assert done.stdout == f"{line}oops\n"
        assert (tmp_path / "slurm-12.out").read_text() == f"{line}oops\n"

    def test_an_error_file_and_folders_of_their_own(self, tmp_path: Path) -> None:
        found = read("-o logs/%x-%4j-%u%%.out; -e /var/log/%j.err; -D work", body="pwd; echo oops >&2")
        done = self.run(tmp_path, found)
        assert (done.stdout, done.stderr) == (f"{tmp_path}/work\n", "oops\n")
        assert (tmp_path / "work/logs/train.sh-0012-lin%.out").read_text() == f"{tmp_path}/work\n"
        assert (tmp_path / "work/var/log/12.err").read_text() == "oops\n"
        assert [one.path for one in found.request.outputs] == ["work/logs/train.sh-*-lin%.out", "work/var/log/*.err"]

    def test_nothing_is_kept_of_dev_null(self, tmp_path: Path) -> None:
        found = read("-o /dev/null")
        assert (self.run(tmp_path, found).stdout, found.request.outputs) == ("hello\n", ())
        assert sorted(one.name for one in tmp_path.iterdir()) == [".slurm"]

    @pytest.mark.parametrize(
        ("array", "index", "wanted"), [("1-9:2", 2, "5 5 1 9"), ("1,4,20", 2, "20 3 1 20"), ("7", 0, "7 1 7 7")]
    )
    def test_the_numbers_of_an_array(self, tmp_path: Path, array: str, index: int, wanted: str) -> None:
        body = 'echo "$SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX $SLURM_ARRAY_JOB_ID $1"'
        done = self.run(tmp_path, read(f"-a {array}", body=body), SUANWANG_ARRAY_INDEX=str(index))
        assert done.stdout == f"{wanted} 12 one\n"
        assert (tmp_path / f"slurm-12_{wanted.split()[0]}.out").read_text() == done.stdout

    def test_standard_input_and_any_interpreter(self, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("from a file\n")
        script = "#!/usr/bin/env python3\nimport sys\nprint(sys.stdin.read().strip(), sys.argv[1:])\n"
        command = read_command(["-i", "in.txt", "x.py", "a b"])
        found = read_sbatch(script, "x.py", command, DESK, RULES)
        assert self.run(tmp_path, found).stdout == "from a file ['a b']\n"
        assert [(one.source, one.path) for one in found.request.inputs] == [("in.txt", "in.txt")]

    def test_srun_where_there_is_none(self, tmp_path: Path) -> None:
        body = "srun -n 3 --exclusive sh -c 'echo rank $SLURM_PROCID of $SLURM_NTASKS' | sort; srun --ntasks=2 sh -c 'exit $SLURM_PROCID'"
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("sh", "bash", "mkdir", "cat", "chmod", "tee", "mkfifo", "dirname", "sleep", "sort"):
            (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        done = self.run(tmp_path, read("", body=body), PATH=str(tools))
        assert done.stdout == "rank 0 of 3\nrank 1 of 3\nrank 2 of 3\n"
        assert done.returncode == 1

    def srun(self, folder: Path, words: str) -> subprocess.CompletedProcess[str]:
        """With no Slurm on the path."""
        tools = folder / "tools"
        tools.mkdir()
        for name in ("sh", "bash", "mkdir", "cat", "chmod", "tee", "mkfifo", "dirname", "sleep"):
            (tools / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        return self.run(folder, read("-o /dev/null; -e err.txt", body=f"srun {words}"), PATH=str(tools))

    @pytest.mark.parametrize(
        "words",
        ["--gpus-per-task 1 echo ran", "--nodelist n1 -K echo ran", "-lN 1 -uK --mem-bind local echo ran",
         "--ntasks-per-node 1 --label --distribution block echo ran", "--made-up=3 -N1 -- echo ran"],
    )  # fmt: skip
    def test_srun_does_not_run_the_value_of_an_option(self, tmp_path: Path, words: str) -> None:
        done = self.srun(tmp_path, words)
        assert (done.stdout, done.stderr, done.returncode) == ("ran\n", "", 0)

    @pytest.mark.parametrize(
        ("words", "told"),
        [("--made-up 3 echo ran", "does not know --made-up"), ("--multi-prog echo", "does not know --multi-prog"),
         ("--nodelist", "behind --nodelist a value is missing"), ("-n", "a value is missing")],
    )  # fmt: skip
    def test_srun_stops_at_what_it_does_not_know(self, tmp_path: Path, words: str, told: str) -> None:
        done = self.srun(tmp_path, words)
        assert told in done.stderr
        assert (done.stdout, done.returncode != 0) == ("", True)

    @pytest.mark.parametrize(("index", "wanted"), [(0, "eight"), (1, "eleven")])
    def test_the_input_of_each_element(self, tmp_path: Path, index: int, wanted: str) -> None:
        found = read('-a 8-11:3; -J "a b"; -i in/%x-%3a%%.txt', body="cat")
        assert [(one.source, one.path) for one in found.request.inputs] == [
            ("in/a b-008%.txt", "in/a b-008%.txt"),
            ("in/a b-011%.txt", "in/a b-011%.txt"),
        ]
        (tmp_path / "in").mkdir()
        (tmp_path / "in/a b-008%.txt").write_text("eight")
        (tmp_path / "in/a b-011%.txt").write_text("eleven")
        assert self.run(tmp_path, found, SUANWANG_ARRAY_INDEX=str(index)).stdout == wanted

    def test_what_is_left_in_the_background_does_not_hold_the_job(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, read("", body="sleep 50 & echo $!"))
        os.kill(int(done.stdout), signal.SIGKILL)
        assert done.returncode == 0

    def test_a_script_cannot_end_its_own_quotes(self, tmp_path: Path) -> None:
        body = "cat <<'SUANWANG_SCRIPT_END'\ninside\nSUANWANG_SCRIPT_END\necho $((1 + 1)) '`' \"\\$x\""
        assert self.run(tmp_path, read("", body=body)).stdout == "inside\n2 ` $x\n"

    def test_the_sites_own_number_stands_where_it_is_a_slurm_cluster(self, tmp_path: Path) -> None:
        body = 'echo "$SLURM_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_JOB_NODELIST"'
        done = self.run(
            tmp_path, read("-a 5-6", body=body), SLURM_JOB_ID="900", SLURM_ARRAY_TASK_ID="0", SLURM_JOB_NODELIST="n3"
        )
        assert done.stdout == "900 5 n3\n"


def test_the_guide_has_every_option_and_key() -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/sbatch.md").read_text("utf-8")
    assert [one for one in OPTIONS if f"`--{one}`" not in guide and f"`--{one}=" not in guide] == []
    assert [one for one in KEYS if f"`{one}`" not in guide] == []
