"""Files in the forms of other systems: told apart, planned, chosen among, and for real on the local adapter."""

import shutil
import time

import pytest
from tests.plan.worlds import general, grid_of, site_of

from suanwang.cli.exits import Exit
from suanwang.grids import dump_grid
from suanwang.model.grid import Pool, PoolKind, PriceBook
from suanwang.runtime.app import serving
from suanwang.runtime.settings import Settings

JOB = """\
#SUANWANG outputs=part-*
#SUANWANG inputs=words.txt
apiVersion: v1
kind: ConfigMap
metadata: {name: code}
data:
  main.sh: |
    n=$((JOB_COMPLETION_INDEX + 1))
    sed -n "${n}p" /task/words.txt >/task/part-$n
    echo "$GREETING, $(cat /task/part-$n)"
---
#SUANWANG outputs=part-*
#SUANWANG inputs=words.txt
apiVersion: batch/v1
kind: Job
metadata: {name: indexed, labels: {app: words}}
spec:
  completions: 3
  parallelism: 2
  completionMode: Indexed
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: alpine:3
        command: [sh, /code/main.sh]
        env: [{name: GREETING, value: hello}]
        resources: {limits: {cpu: 500m, memory: 64Mi, ephemeral-storage: 64Mi}}
        volumeMounts: [{name: code, mountPath: /code}]
      volumes: [{name: code, configMap: {name: code}}]
"""
SKY = """\
#SUANWANG outputs=out.txt
name: sky
workdir: src
num_nodes: 2
resources: {cpus: 1+, memory: 0.0625, disk_size: 0.0625}
envs: {WHO: grid}
setup: echo setup
run: |
  cat lib/words.txt
  echo "$WHO $SKYPILOT_NODE_RANK of $SKYPILOT_NUM_NODES" | tee -a out.txt
"""


@pytest.fixture
def write(tmp_path):
    def made(name: str, text: str):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return made


class TestOnFakeSites:
    def test_a_job_is_planned_and_submitted(self, sw, write):
        write("words.txt", "x\n")
        path = write("job.yaml", JOB.replace("alpine:3", "python:3.12"))
        plan = sw("plan", path, "--json").json
        assert (plan["request"]["name"], plan["parts"]) == ("indexed", 2)
        task = sw("submit", path, "--json").json
        assert (task["array"], task["tags"]["app"], task["request"]["image"]) == (3, "words", "python:3.12")
        sw("cancel", task["task_id"])

    def test_several_jobs_of_a_file_are_several_tasks(self, sw, write):
        one = (
            JOB.partition("---\n")[2]
            .replace("[{name: code, mountPath: /code}]", "[]")
            .replace("[{name: code, configMap: {name: code}}]", "[]")
        )
        path = write("two.yaml", f"{one}---\n{one}".replace("#SUANWANG inputs=words.txt\n", ""))
        tasks = sw("submit", path, "--json").json["tasks"]
        assert len(tasks) == 2
        assert len(sw("plan", path, "--json").json["plans"]) == 2
        ran = sw("run", path)
        assert (ran.exit, "use `submit`" in ran.err) == (Exit.FAULTS, True)
        for task in tasks:
            sw("cancel", task["task_id"])

    def test_faults_of_a_job_have_their_lines(self, sw, write):
        ran = sw("submit", write("bad.yaml", JOB.replace("restartPolicy: Never", "hostNetwork: true")))
        assert ran.exit == Exit.FAULTS
        assert "bad.yaml:24  \nspec.template.spec.hostNetwork\n" in ran.err.replace("24  spec", "24  \nspec")

    def test_what_has_no_effect_is_told(self, sw, write):
        path = write(
            "job.yaml",
            JOB.replace("restartPolicy: Never", "tolerations: [{operator: Exists}]").replace(
                "#SUANWANG inputs=words.txt\n", ""
            ),
        )
        ran = sw("submit", path, "--json")
        assert "job.yaml:22 spec.template.spec.tolerations: `tolerations` has no effect here." in ran.err
        sw("cancel", ran.json["task_id"])

    def test_of_a_choice_the_cheapest_that_fits_is_submitted(self, sw, write, grid):
        cards = {pool.accelerator_model for site in grid.here.brain.index.grid.sites for pool in site.pools} - {None}
        model = sorted(cards)[0]
        choice = f"[{{accelerators: NOSUCH:1}}, {{accelerators: '{model}:2'}}, {{accelerators: '{model}:1'}}]"
        text = f"name: pick\nrun: echo\nresources: {{cpus: 1, any_of: {choice}}}\n"
        ran = sw("submit", write("sky.yaml", text), "--json")
        assert ran.json["request"]["resources"]["accelerators"] == 1
        assert f"chosen of 3: {model} x 1" in ran.err
        ordered = sw("submit", write("sky.yaml", text.replace("any_of", "ordered")), "--json")
        assert ordered.json["request"]["resources"]["accelerators"] == 2
        none = sw(
            "plan",
            write("sky.yaml", "run: x\nresources: {any_of: [{accelerators: NOSUCH}, {accelerators: NONE}]}"),
            "--json",
        )
        assert (none.exit, none.json["request"]["resources"]["accelerator"]) == (Exit.REFUSED, "nosuch")

    def test_the_form_may_be_said(self, sw, write):
        path = write("plain.yaml", "run: echo\n")
        assert sw("submit", path, "--form", "skypilot", "--json").json["tags"] == {"skypilot": "task"}
        assert sw("submit", path, "--json").json["tags"] == {}
        assert sw("submit", path, "--form", "slurm").exit == Exit.FAULTS
        script = write("job.sh", "#!/bin/sh\n#SBATCH -J told\ntrue\n")
        assert sw("submit", script, "--json").json["name"] == "told"

    def test_what_the_brain_says_of_other_forms(self, grid):
        with grid.http("viewer") as http:
            doors = http.get("/v1/doors").json()
        site = grid.here.brain.index.grid.sites[0]
        assert site.id in doors["zones"][site.region]
        assert doors["zones"][site.id] == [site.id]
        assert doors["wall_time_us"] == 3_600_000_000

    def test_the_api_translates_and_submits_nothing(self, grid):
        with grid.http("user") as http:
            before = len(http.get("/v1/tasks", params={"limit": 500}).json()["items"])
            job = http.post("/v1/doors", content=JOB, headers={"Content-Type": "text/plain"}).json()
            assert (job["form"], len(job["tasks"]), job["tasks"][0]["choices"][0]["array"]) == ("kubernetes", 1, 3)
            script = "#!/bin/sh\n#SBATCH --nice -d afterok:1\n"
            told = http.post("/v1/doors", content=script, headers={"Content-Type": "text/x-shellscript"})
            assert (told.status_code, [one["code"] for one in told.json()["faults"]]) == (422, ["slurm_job_unknown"])
            own = http.post("/v1/tasks", json={"run": "echo", "tags": {"fake.duration-us": "1000"}}).json()
            script = f"#!/bin/sh\n#SBATCH --nice -d afterok:{own['number']}\n"
            read = http.post(
                "/v1/doors",
                params={"name": "x.sh"},
                content=script,
                headers={"Content-Type": "text/plain", "Accept-Language": "zh-TW"},
            ).json()
            (request,) = read["tasks"][0]["choices"]
            assert (request["name"], request["after"][0]["task"]) == ("x.sh", own["task_id"])
            assert [(one["code"], one["line"], one["text"]) for one in read["warnings"]] == [
                ("slurm_no_effect", 2, "此選項在這裡沒有作用。")
            ]
            made = http.post("/v1/tasks", json=request)
            assert made.status_code == 201
            assert len(http.get("/v1/tasks", params={"limit": 500}).json()["items"]) == before + 2


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A site with cores and with whole nodes, on this host."""
    folder = tmp_path_factory.mktemp("doors")
    folder.chmod(0o755)
    nodes = Pool(id="here/hpc", kind=PoolKind.HPC, nodes=4, cores_per_node=2, memory_bytes_per_node=2**30)
    site = site_of("here", [general("here", memory=2**34, cores=64), nodes])
    file = folder / "grid.yaml"
    file.write_text(dump_grid(grid_of([site], [], books=(PriceBook(id="plain"),))), "utf-8")
    settings = Settings(home=folder / "home", grid=str(file), port=0, tes_host_images=("alpine*",))
    with serving(settings) as here:
        yield here


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
class TestForReal:
    @pytest.fixture
    def real(self, cli, host, monkeypatch, tmp_path):
        monkeypatch.setenv("SUANWANG_URL", host.url)
        monkeypatch.setenv("SUANWANG_KEY", host.key)
        monkeypatch.chdir(tmp_path)
        return cli

    def ended(self, real, task: str) -> dict:
        deadline = time.monotonic() + 60
        while (found := real("status", task, "--json").json)["ended_us"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found

    def test_an_indexed_job_with_a_script_of_its_own(self, real, write):
        write("words.txt", "alpha\nbeta\ngamma\n")
        task = self.ended(real, real("submit", write("job.yaml", JOB), "--json").json["task_id"])
        assert (task["phase"], len(task["parts"])) == ("succeeded", 2)
        assert {one["path"] for one in task["outputs"]} == {f"{n}/part-{n + 1}" for n in range(3)}
        logs = "".join(real("logs", part["task_id"]).out for part in task["parts"])
        assert sorted(line.split("] ")[-1] for line in logs.splitlines()) == [
            "hello, alpha",
            "hello, beta",
            "hello, gamma",
        ]

    def test_a_skypilot_task_is_run_and_its_output_fetched(self, real, write, tmp_path):
        write("src/words.txt", "top\n").parent.joinpath("lib").mkdir()
        write("src/lib/words.txt", "from below\n")
        ran = real("run", write("task.yaml", SKY), "-o", tmp_path / "got", "--json")
        assert ran.exit == Exit.OK, (ran.out, ran.err)
        assert sorted((tmp_path / "got/out.txt").read_text().splitlines()) == ["grid 0 of 2", "grid 1 of 2"]
        assert real("logs", ran.json["task"]["task_id"]).out.count("from below\n") == 2
