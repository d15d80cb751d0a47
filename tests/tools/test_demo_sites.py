"""`make demo-sites`: its parts by themselves, a run with what is quick, and that nothing is left behind."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.sites.slurm_cluster import SLURM
from tools.demo_sites import places, story
from tools.demo_sites.places import PLACES, LocalPlace
from tools.rigs import kubernetes, ray

from suanwang.intent.workflow import read_workflow
from suanwang.texts import catalogue, has

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/demo_sites"
PATIENCE_S = 300
EVERYTHING = ("slurm", "ray", "quantum", "kubernetes")


def demo(*options: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tools.demo_sites", *options]
    own = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "SUANWANG_LANG": "en"}
    return subprocess.Popen(words, cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def left(folders: set[str]) -> list[str]:
    """Processes that name one of these folders."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[0]:
                words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                found += [entry.name for one in folders if one.encode() in words]
    return found


def folders_of(said: str) -> set[str]:
    return set(re.findall(r"/tmp/(?:suanwang|swray)-?[\w-]+", said))


def until_gone(folders: set[str]) -> None:
    deadline_s = time.monotonic() + 60
    while left(folders) or any(Path(one).exists() for one in folders):
        assert time.monotonic() < deadline_s, (left(folders), folders)
        time.sleep(0.1)


def test_every_text_is_there_and_none_is_dead():
    source = "\n".join(path.read_text() for path in TOOL.glob("*.py"))
    said = re.findall(r'''\.(?:chapter|say|struck|mended)\(\s*"([\w.]+)"''', source)
    said += [f"check.{one}" for one in re.findall(r'''Check\(\s*"(\w+)"''', source)]
    said += re.findall(r'''"demo_sites\.([\w.]+)"''', source)
    said += [f"col.{one}" for words in re.findall(r"_table\((\".*\")\)", source) for one in re.findall(r"\w+", words)]
    keys = {key.removeprefix("demo_sites.") for key in catalogue("en") if key.startswith("demo_sites.")}
    assert set(said) == keys


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (EVERYTHING, {"prepare": "slurm", "train": "ray", "sample": "quantum", "report": "kubernetes"}),
        (("slurm", "quantum"), {"prepare": "slurm", "train": "slurm", "sample": "quantum", "report": "slurm"}),
        (("quantum", "local"), {"prepare": "local", "train": "local", "sample": "quantum", "report": "local"}),
        (("slurm",), {"prepare": "slurm", "train": "slurm", "report": "slurm"}),
    ],
)
def test_a_step_whose_site_is_not_here_goes_to_another(here, expected):
    at = story.homes(here)
    assert at == expected
    file = read_workflow(json.dumps(story.workflow(at)))
    assert len(file.steps) == (4 if "sample" in at else 2)


def test_what_is_missing_is_said_by_name(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(places, "_made", lambda tool: True)
    for make in PLACES:
        place = make()
        if place.name != "quantum":
            assert place.lacking() == ("demo_sites.needs_root", {})
    assert LocalPlace().lacking() is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(places.slurm, "which", lambda name: None if name == "slurmd" else f"/usr/bin/{name}")
    key, values = places.SlurmPlace().lacking()
    assert (key, values["missing"]) == ("demo_sites.needs_package", "slurmd")
    assert has(key)


def test_what_takes_minutes_to_make_is_offered_and_not_made(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(places, "_made", lambda tool: False)
    assert places.KubernetesPlace().lacking()[0] == "demo_sites.kubernetes_not_made"
    assert places.RayPlace().lacking()[0] == "demo_sites.ray_not_made"
    assert kubernetes.TOOL.exists()
    assert ray.TOOL.exists()


def test_the_work_gives_what_is_reckoned_by_other_means(tmp_path):
    """The report of the shell against Python's, and the circuit's mean against all 256 rows of bits."""
    job = story.job_module()
    edges = job.together([job.walked(one) for one in range(3)])
    assert sum(edges.values()) == 3 * job.WALK
    counts = {"00000001": 5, "01010101": 7, "11110000": 3}
    (tmp_path / "counts.json").write_text(json.dumps({"counts": counts, "shots": 15, "seed": 1}))
    (tmp_path / "graph.txt").write_text("".join(f"{a} {b} {w}\n" for (a, b), w in edges.items()))
    subprocess.run(["sh", TOOL / "work/report.sh", "0"], cwd=tmp_path, check=True)
    told = dict(line.split() for line in (tmp_path / "report.txt").read_text().splitlines())
    cuts = {bits: job.cut(edges, int(bits, 2)) for bits in counts}
    assert (int(told["best"]), int(told["shots"])) == (max(cuts.values()), 15)
    assert float(told["mean"]) == pytest.approx(sum(cuts[one] * counts[one] for one in counts) / 15, abs=0.001)


def test_a_doubled_or_open_attempt_is_found():
    def task(*attempts, array=1):
        made = [
            SimpleNamespace(succeeded=ok, closed_us=at, site="slurm", attempt_id=f"att-{n}")
            for n, (ok, at) in enumerate(attempts)
        ]
        return {"one": SimpleNamespace(attempts=made, task=SimpleNamespace(array=array))}

    assert story._attempts(task((False, 1), (True, 2))).good
    assert not story._attempts(task((True, 1), (True, 2))).good
    assert not story._attempts(task((None, None), (True, 2))).good
    twice = [("COMPLETED", "att-0.1"), ("COMPLETED", "att-0.2")]
    assert not story._jobs(task((True, 1)), twice).good
    assert story._jobs(task((True, 1), array=2), twice).good


@pytest.mark.sites
@SLURM[1]
def test_a_run_with_slurm_alone_survives_what_is_killed():
    _whole_run(("ray", "quantum", "kubernetes"), {"prepare": "slurm", "train": "slurm"})


@pytest.mark.sites
@SLURM[1]
def test_a_run_over_all_sites_that_can_be_here():
    made = [make().name for make in PLACES if make().lacking() is None]
    _whole_run([one for one in EVERYTHING if one not in made], story.homes(made))


def _whole_run(without, at):
    playing = demo("--json", "--pace", "4", *[word for one in without for word in ("--without", one)])
    said, _ = playing.communicate(timeout=PATIENCE_S)
    told = json.loads(said.splitlines()[-1])
    assert playing.returncode == told["exit"] == 0, said
    assert {name: one["site"] for name, one in told["steps"].items()} == at
    assert told["killed"] == ["slurmd", "nats-server", "agent", "brain"]
    assert told["checks"] and all(told["checks"].values())
    assert sum(told["bill"]["sites"].values()) == told["bill"]["total_micro_yuan"] > 0


@SLURM[0]
@SLURM[1]
def test_nothing_is_left_after_an_interrupt():
    playing = demo("--without", "ray", "--without", "kubernetes", "--without", "quantum")
    said = ""
    for line in playing.stdout:
        said += line
        if "suanwang join" in line:  # the cluster, the brain, NATS and an agent are up
            break
    playing.send_signal(signal.SIGINT)
    rest, _ = playing.communicate(timeout=PATIENCE_S)
    assert playing.returncode == 130, rest
    folders = folders_of(said)
    assert folders
    until_gone(folders)
