"""sbatch, squeue, scancel, sinfo and scontrol: with a brain of fake sites, and for real on the local adapter."""

import re
import shutil
import time

import pytest
from tes_rig import tes_grid

from suanwang.cli.exits import Exit
from suanwang.client import Client

SCRIPT = "#!/bin/bash\n#SBATCH -J name\n#SBATCH --time=5\n{lines}\n{body}\n"
SMALL = "#SBATCH --mem=64M\n#SBATCH --tmp=64M\n"


@pytest.fixture
def script(tmp_path):
    def write(lines: str = "", body: str = "echo hello", name: str = "job.sh"):
        path = tmp_path / name
        path.write_text(SCRIPT.format(lines=SMALL + lines, body=body), "utf-8")
        return path

    return write


def number_of(ran) -> str:
    found = re.fullmatch(r"Submitted batch job (\d+)\n", ran.out)
    assert found is not None, (ran.out, ran.err)
    return found[1]


def until(sw, number: str, *states: str, seconds: float = 60) -> dict:
    """The job as squeue tells it once it is in one of these states."""
    deadline = time.monotonic() + seconds
    while True:
        (job,) = sw("squeue", "-j", number, "-t", "all", "--json").json["jobs"]
        if job["job_state"][0] in states:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


class TestOnFakeSites:
    def test_it_prints_what_scripts_parse_and_the_number_is_the_tasks(self, sw, script):
        number = number_of(sw("sbatch", script()))
        assert sw("sbatch", "--parsable", script()).out == f"{int(number) + 1}\n"
        task = sw("status", number, "--json").json
        assert (task["number"], task["name"], task["tags"]["slurm"]) == (int(number), "name", "sbatch")
        assert sw("status", task["task_id"], "--json").json["number"] == int(number)
        assert sw("bill", number, "--json").json["task_id"] == task["task_id"]

    def test_options_of_the_command_line_stand_before_the_script(self, sw, script):
        ran = sw("sbatch", "-Jother", "-n", "2", "--json", script(), "--json", "-n9")
        assert ran.json["name"] == "other"
        assert ran.json["request"]["resources"]["cpu"] == 2

    def test_a_wrap_and_the_standard_input(self, sw):
        assert sw("status", number_of(sw("sbatch", "--wrap=hostname")), "--json").json["name"] == "wrap"

    def test_every_fault_comes_with_its_line(self, sw, script):
        ran = sw("sbatch", script("#SBATCH --licenses=x\n#SBATCH --gres=fpga:1"))
        assert ran.exit == Exit.FAULTS
        assert "job.sh:6  --licenses" in ran.err
        assert "job.sh:7  --gres" in ran.err
        assert sw("sbatch", "nowhere.sh").exit == Exit.FAULTS

    def test_what_has_no_effect_is_told_and_the_job_is_taken(self, sw, script):
        ran = sw("sbatch", script("#SBATCH --mail-type=END"))
        assert number_of(ran)
        assert "job.sh:6 --mail-type: This option has no effect here." in ran.err

    def test_test_only_says_where_when_and_for_how_much_and_submits_nothing(self, sw, script):
        before = len(sw("list", "-n", 500, "--json").json["tasks"])
        ran = sw("sbatch", "--test-only", script())
        assert (ran.exit, ran.out) == (Exit.OK, "")
        assert re.search(
            r"^sbatch: Job to start at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d using 1 processors on nodes \S+ in partition \S+$",
            ran.err,
            re.M,
        )
        assert "¥" in ran.err
        assert len(sw("list", "-n", 500, "--json").json["tasks"]) == before
        assert sw("sbatch", "--test-only", "--mem=900T", script()).exit == Exit.REFUSED

    def test_squeue_shows_what_is_live_in_its_columns(self, sw, script, task_file):
        slow = sw("submit", task_file('name: slow\nrun: sleep\ntags: {fake.duration-us: "600000000"}\n'), "--json").json
        number = str(slow["number"])
        until(sw, number, "RUNNING")
        assert sw("squeue").out.splitlines()[0].split() == [
            "JOBID",
            "PARTITION",
            "NAME",
            "USER",
            "ST",
            "TIME",
            "NODES",
            "NODELIST(REASON)",
        ]
        line = sw("squeue", "-h", "-j", number).out.split()
        assert (line[0], line[2], line[4], line[6]) == (number, "slow", "R", "1")
        assert sw("squeue", "-h", "-n", "slow", "-o", "%i|%T|%.3j|%-").out.startswith(f"{number}|RUNNING|slo|")
        assert number not in sw("squeue", "-h", "-t", "PD", "-o", "%i").out.split()
        assert number in sw("squeue", "-h", "--me", "-t", "R,PD", "-o", "%A").out.split()
        assert number not in sw("squeue", "-h", "-u", "astro", "-o", "%A").out.split()
        assert "TIME_LIMI" in sw("squeue", "-l").out.splitlines()[0]
        assert "START_TIME" in sw("squeue", "--start").out.splitlines()[0]
        shown = sw("scontrol", "show", "job", number).out
        assert f"JobId={number} JobName=slow" in shown
        assert "JobState=RUNNING" in shown
        assert sw("scancel", number).exit == Exit.OK
        assert until(sw, number, "CANCELLED")["state_reason"] == "Cancelled"
        assert sw("scancel", number).exit == Exit.OK, "to cancel again is no fault"

    def test_scancel_by_name_and_of_what_there_is_not(self, sw, task_file):
        for _ in range(2):
            sw("submit", task_file('name: many\nrun: sleep\ntags: {fake.duration-us: "600000000"}\n'))
        assert sw("scancel", "-n", "many").exit == Exit.OK
        deadline = time.monotonic() + 30
        while sw("squeue", "-h", "-n", "many").out:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ran = sw("scancel", "999999")
        assert (ran.exit, ran.err) == (1, "scancel: error: Kill job error on job id 999999: Invalid job id specified\n")
        assert sw("scancel").exit == Exit.FAULTS

    def slow(self, sw, task_file, name: str) -> str:
        """The number of a job that runs for ten minutes."""
        text = f'name: {name}\nrun: sleep\ntags: {{fake.duration-us: "600000000"}}\n'
        return str(sw("submit", task_file(text), "--json").json["number"])

    def is_live(self, sw, number: str) -> bool:
        (job,) = sw("squeue", "-j", number, "-t", "all", "--json").json["jobs"]
        return job["job_state"][0] in ("PENDING", "CONFIGURING", "RUNNING")

    def test_a_filter_beside_numbers_narrows_them(self, sw, task_file):
        named, beside = self.slow(sw, task_file, "named"), self.slow(sw, task_file, "beside")
        until(sw, named, "RUNNING")
        until(sw, beside, "RUNNING")
        assert sw("scancel", "-t", "PD", named).exit == Exit.OK
        assert sw("scancel", "-u", "astro", named).exit == Exit.OK
        assert sw("scancel", "-n", "beside", named).exit == Exit.OK
        assert self.is_live(sw, named)
        assert sw("scancel", "-t", "R", "--me", named).exit == Exit.OK
        until(sw, named, "CANCELLED")
        assert self.is_live(sw, beside)
        assert sw("scancel", "-t", "R", "999999").exit == 1
        assert self.is_live(sw, beside)
        sw("scancel", beside)

    @pytest.mark.parametrize("words", [("--me",), ("-u", "lin")])
    def test_an_operators_own_jobs_are_those_of_its_tenant(self, sw, grid, task_file, monkeypatch, words):
        monkeypatch.setenv("USER", "lin")
        monkeypatch.setenv("SUANWANG_KEY", grid.keys["user"])
        others = self.slow(sw, task_file, "others")
        monkeypatch.setenv("SUANWANG_KEY", grid.keys["operator"])
        own = self.slow(sw, task_file, "own")
        assert {others, own} <= set(sw("squeue", "-h", "-o", "%A").out.split())
        seen = sw("squeue", "-h", *words, "-o", "%A").out.split()
        assert own in seen
        assert others not in seen
        assert sw("squeue", "-h", *words, "-j", others).out == ""
        assert sw("scancel", *words).exit == Exit.OK
        until(sw, own, "CANCELLED")
        assert self.is_live(sw, others)
        assert sw("scancel", "-u", "astro").exit == Exit.OK
        until(sw, others, "CANCELLED")

    def test_by_filter_the_rest_is_cancelled_though_one_has_ended(self, sw, task_file, monkeypatch):
        """Each has ended by the time that its turn comes; and nothing is left out for the length of a list."""
        numbers = [self.slow(sw, task_file, name) for name in ("ending", "ending", "newer")]
        cancel = Client.cancel

        def ended_meanwhile(client: Client, task_id: str):
            cancel(client, task_id)
            client.wait(task_id)
            return cancel(client, task_id)

        monkeypatch.setattr(Client, "cancel", ended_meanwhile)
        monkeypatch.setattr("suanwang.cli.slurm_views.JOBS_MAX", 1)
        assert sw("squeue", "-h", "-n", "ending", "-o", "%A").out.split() == numbers[1:2], (
            "the limit is of what is wanted"
        )
        assert sw("scancel", "-n", "ending").exit == Exit.OK
        for number in numbers[:2]:
            until(sw, number, "CANCELLED")
        assert self.is_live(sw, numbers[2])
        assert sw("scancel", numbers[2]).exit == Exit.OK

    def test_a_dependency_on_a_number(self, sw, script, task_file):
        slow = sw("submit", task_file('name: slow\nrun: sleep\ntags: {fake.duration-us: "600000000"}\n'), "--json").json
        number = number_of(sw("sbatch", "-d", f"afterok:{slow['number']}", script()))
        assert sw("squeue", "-h", "-j", number, "-o", "%t %R").out == "PD (Dependency)\n"
        assert slow["task_id"] in sw("scontrol", "show", "job", number).out
        sw("scancel", slow["number"])
        assert until(sw, number, "CANCELLED")["state_reason"] == "AfterLost"

    def test_sinfo_has_a_line_for_each_pool(self, sw, grid):
        lines = sw("sinfo").out.splitlines()
        assert lines[0].split() == ["PARTITION", "AVAIL", "TIMELIMIT", "NODES", "STATE", "NODELIST"]
        sites = grid.here.brain.index.grid.sites
        assert len(lines) - 1 == sum(len(site.pools) for site in sites)
        own = sites[0]
        assert {
            one.split("|")[1] for one in sw("sinfo", "-h", "-M", own.id, "-o", "%P|%N|%c|%G|%C").out.splitlines()
        } == {own.id}
        assert {one["kind"] for one in sw("sinfo", "-p", "ai", "--json").json["partitions"]} <= {"ai"}

    @pytest.mark.parametrize(
        "words", [("squeue", "-t", "XX"), ("squeue", "-o", "%Y"), ("sinfo", "-o", "%j"), ("scontrol", "update", "job")]
    )
    def test_what_is_unknown_is_told(self, sw, words):
        assert sw(*words).exit == Exit.FAULTS

    def test_another_tenants_number_is_unknown(self, sw, grid, script, monkeypatch):
        number = number_of(sw("sbatch", script()))
        monkeypatch.setenv("SUANWANG_KEY", grid.keys["user"])
        ran = sw("status", number, "--json")
        assert (ran.exit, ran.json["error"]["code"]) == (Exit.NOT_FOUND, "task_unknown")
        assert "task-" not in ran.out
        assert "slurm_job_unknown" in sw("sbatch", "-d", f"afterok:{number}", "--json", script()).out

    def test_help(self, sw):
        assert "KEY=VALUE" in sw("sbatch", "--usage").out
        assert "sbatch" in sw("sbatch", "--help").out
        assert sw("sbatch", "-V").out.startswith("suanwang ")


def test_without_a_brain_a_job_is_not_lost(cli, script, monkeypatch):
    """What `sbatch` submits in a process of its own is there for the next command, under its number."""
    number = number_of(cli("sbatch", script("#SBATCH -b now+1hour")))
    ran = cli("squeue", "-h", "-o", "%i %j %t")
    assert ran.out == f"{number} name PD\n"
    assert cli("scancel", number).exit == Exit.OK
    assert cli("squeue", "-h").out == ""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    with tes_grid(folder) as found:
        yield found


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
class TestForReal:
    @pytest.fixture
    def real(self, cli, host, monkeypatch, tmp_path):
        monkeypatch.setenv("SUANWANG_URL", host.here.url)
        monkeypatch.setenv("SUANWANG_KEY", host.here.key)
        monkeypatch.chdir(tmp_path)
        return cli

    def test_an_array_and_what_comes_after_it(self, real, script, tmp_path):
        (tmp_path / "words.txt").write_text("alpha\nbeta\ngamma\n")
        own = "#SUANWANG inputs=words.txt\n#SUANWANG outputs=word-*"
        body = 'w=$(sed -n "${SLURM_ARRAY_TASK_ID}p" words.txt); echo "$w" >"word-$SLURM_ARRAY_TASK_ID"; echo "$SLURM_ARRAY_JOB_ID $w"'
        array = number_of(real("sbatch", script(f"#SBATCH -a 1-3%2\n{own}", body, "array.sh")))
        last = number_of(
            real(
                "sbatch",
                "-d",
                f"afterok:{array}",
                script("", 'echo "done as $SLURM_JOB_ID with $#: $1"', "last.sh"),
                "a b",
            )
        )
        assert sorted(real("squeue", "-h", "-o", "%i %t %r").out.splitlines())[-1].startswith(f"{last} PD Dependency")
        until(real, last, "COMPLETED")
        outputs = {one["path"] for one in real("status", array, "--json").json["outputs"]}
        assert outputs == {f"{n}/{name}" for n in range(3) for name in (f"slurm-{array}_{n + 1}.out", f"word-{n + 1}")}
        assert real("logs", last).out == f"done as {last} with 1: a b\n"

    def test_wait_brings_what_it_printed_and_its_exit_code(self, real, script, tmp_path):
        ran = real("sbatch", "--wait", "-o", "out-%j.log", script("", "echo hello; exit 7"))
        number = number_of(ran)
        assert ran.exit == 7
        assert (tmp_path / f"out-{number}.log").read_text() == "hello\n"
        assert real("squeue", "-h", "-j", number, "-t", "F", "-o", "%t %r").out == "F ExitCode\n"

    def test_what_comes_after_a_failure_is_cancelled(self, real, script):
        first = number_of(real("sbatch", script("", "exit 1")))
        until(real, first, "FAILED")
        second = number_of(real("sbatch", "-d", f"afterok:{first}", script()))
        third = number_of(real("sbatch", "-d", f"afternotok:{first}", script()))
        assert until(real, second, "CANCELLED")["state_reason"] == "AfterLost"
        until(real, third, "COMPLETED")

    def test_a_time_limit_is_slurms_word_for_it(self, real, script):
        number = number_of(real("sbatch", "--suanwang", "wall_time=1 s", script("", "sleep 60")))
        assert until(real, number, "TIMEOUT")["state_reason"] == "WallTime"
