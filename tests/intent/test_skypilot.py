"""SkyPilot tasks: what becomes of each field, the choices, what each fault says, and the command in a real shell."""

import os
import subprocess
from pathlib import Path

import pytest

from suanwang.intent.doors import Form, form_of, read_any
from suanwang.intent.slurm import Desk
from suanwang.model.doors import DoorRules
from suanwang.model.error import FaultsError
from suanwang.model.ids import SiteId
from suanwang.model.skypilot import SkyChoice, SkyResources, SkyTask
from suanwang.model.task import Circle
from suanwang.model.units import GIB
from suanwang.texts import languages, text

RULES = DoorRules(
    host_images=("ubuntu*",),
    zones={"CN-GD": (SiteId("sz"), SiteId("gz")), "sz": (SiteId("sz"),), "gz": (SiteId("gz"),)},
    accelerators=("a100", "l20"),
)
FOLDERS = {".": ["train.py", "lib/a.py"], "data": ["x.csv"], "./data": ["x.csv"]}


def read(text_: str):
    return read_any(text_, "task.yaml", Form.SKYPILOT, RULES, Desk(), FOLDERS.get)


def one(text_: str):
    (wish,) = read(text_).wishes
    (request,) = wish.choices
    return request


def faults(text_: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(FaultsError) as caught:
        read(text_)
    for fault in caught.value.faults:
        for lang in languages():
            assert text(f"fault.{fault.code}", lang, got=fault.got, **fault.params)
    return [(fault.code, fault.where, fault.line) for fault in caught.value.faults]


WHOLE = """
#SUANWANG outputs=model.bin
#SUANWANG latency=provincial
name: train
workdir: .
num_nodes: 2
resources:
  infra: "*"
  region: CN-GD
  accelerators: A100-80GB:8
  cpus: 16+
  memory: 128GB
  disk_size: 256
  use_spot: true
  image_id: docker:ubuntu:22.04
  job_recovery: {strategy: EAGER_NEXT_REGION, max_restarts_on_errors: 3}
  labels: {team: vision}
  priority: 30
envs: {LR: 0.1, DEBUG: true, MODE: fast}
secrets: {WANDB: null}
file_mounts:
  /data/set: ./data
  ~/one.csv: data/x.csv
  model.bin: s3://lab/model.bin
  /data/copy: {source: "s3://lab/a.csv", mode: COPY}
setup: pip list
run: python train.py
"""


def test_every_field_that_is_used() -> None:
    request = one(WHOLE)
    has = request.resources
    assert (request.name, has.nodes, has.accelerator, has.accelerators) == ("train", 2, "a100", 8)
    assert (has.cpu, has.memory, has.disk, request.preemptible) == (16, 128 * GIB, 256 * GIB, True)
    assert (request.sites, request.image, request.retries, request.priority) == (("sz", "gz"), "host", 3, 30)
    assert request.environment == {"LR": "0.1", "DEBUG": "true", "MODE": "fast"}
    assert (request.secrets, request.tags) == (("WANDB",), {"team": "vision", "skypilot": "task"})
    assert [(each.source, each.path) for each in request.inputs] == [
        ("train.py", "train.py"),
        ("lib/a.py", "lib/a.py"),
        ("data/x.csv", "root/data/set/x.csv"),
        ("data/x.csv", "one.csv"),
        ("s3://lab/model.bin", "model.bin"),
        ("s3://lab/a.csv", "root/data/copy"),
    ]
    assert [(mount.path, mount.folder) for mount in request.mounts] == [("/data", "root/data")]
    assert ([out.path for out in request.outputs], request.latency) == (["model.bin"], Circle.PROVINCIAL)


def test_a_choice_is_several_requests_of_one_wish() -> None:
    (wish,) = read(
        "run: x\nresources: {cpus: 4, any_of: [{accelerators: L20}, {accelerators: 'A100:2', cpus: 8}]}"
    ).wishes
    assert [(each.resources.accelerator, each.resources.accelerators, each.resources.cpu) for each in wish.choices] == [
        ("l20", 1, 4),
        ("a100", 2, 8),
    ]
    assert not wish.ordered
    assert read("run: x\nresources: {ordered: [{cpus: 2}, {cpus: 1}]}").wishes[0].ordered
    models = read("run: x\nresources: {accelerators: {A100: 1, L20: 2}}").wishes[0].choices
    assert [each.resources.accelerators for each in models] == [1, 2]
    assert len(read("run: x\nresources: {accelerators: ['A100:1', 'L20:1']}").wishes[0].choices) == 2


FAULTS = [
    ("resources: {cpus: four}", "sky_amount", "resources.cpus"),
    ("resources: {accelerators: 'A100:0.5'}", "sky_accelerators", "resources.accelerators"),
    ("resources: {accelerators: 'A100:²'}", "sky_accelerators", "resources.accelerators"),
    (f"resources: {{accelerators: 'A100:{'1' * 5000}'}}", "sky_accelerators", "resources.accelerators"),
    ("resources: {any_of: [{cpus: 1}], ordered: [{cpus: 1}]}", "sky_any_and_ordered", "resources.ordered"),
    ("resources: {infra: aws/us-east-1}", "sky_place", "resources.infra"),
    ("resources: {infra: sz, zone: gz}", "sky_place", "resources.zone"),
    ("resources: {cloud: gcp}", "sky_place", "resources.cloud"),
    ("resources: {instance_type: p4d}", "sky_instance", "resources.instance_type"),
    ("resources: {max_hourly_cost: 3, cpus: 1}", "sky_hourly", "resources.max_hourly_cost"),
    ("resources: {image_id: ami-123}", "sky_image", "resources.image_id"),
    ("resources: {ports: 8080, cpus: 1}", "sky_ports", "resources.ports"),
    ("service: {readiness_probe: /}", "sky_ports", "service"),
    ("{pool: {workers: 3}, setup: x}", "sky_pool", "pool"),
    ("{volumes: {/a: b}, setup: x}", "sky_volumes", "volumes"),
    ("envs: {A: null}", "sky_env_unset", "envs.A"),
    ("secrets: {A: b}", "sky_secret_value", "secrets.A"),
    ("workdir: {url: 'https://git'}", "sky_workdir_git", "workdir"),
    ("workdir: gone", "sky_no_folder", "workdir"),
    ("file_mounts: {/a: {source: 's3://b/c'}}", "sky_mount", "file_mounts./a"),
    ("file_mounts: {/a: {name: new, mode: COPY}}", "sky_mount", "file_mounts./a"),
    ("file_mounts: {/a: 's3://bucket'}", "sky_bucket", "file_mounts./a"),
    ("file_mounts: {a: 'gs://b/c'}", "source_scheme", "file_mounts.a"),
    ("num_node: 2\nsetup: x", "unknown_field_near", "num_node"),
    ("num_nodes: 0", "below", "num_nodes"),
    ("setup: x\n#SUANWANG colour=red", "suanwang_key", "#SUANWANG colour"),
    ("setup: x\n#SUANWANG latency=soon", "latency_form", "#SUANWANG latency"),
]  # fmt: skip


@pytest.mark.parametrize(("extra", "code", "where"), FAULTS)
def test_a_fault_has_its_place(extra: str, code: str, where: str) -> None:
    lines = extra[1:-1].replace(", setup", "\nsetup") if extra.startswith("{") else extra
    found = faults(f"run: x\n{lines}\n")
    assert (code, where) in [each[:2] for each in found]
    assert all(each[2] for each in found)


def test_a_pipeline_is_several_tasks() -> None:
    assert faults("name: p\n---\nrun: x\n---\nrun: y\n") == [("sky_pipeline", "", 3)]


def test_what_has_no_effect_is_told() -> None:
    found = read("run: x\nresources: {cpus: 1, disk_tier: best, autostop: 10}\nconfig: {a: 1}")
    assert [(each.code, each.where, each.line) for each in found.warnings] == [
        ("sky_no_effect", "resources.disk_tier", 2),
        ("sky_no_effect", "resources.autostop", 2),
        ("sky_no_effect", "config", 3),
    ]
    assert all(text(f"warning.{each.code}", lang, got=each.got) for each in found.warnings for lang in languages())


@pytest.mark.parametrize(("body", "form"), [
    ("run: echo", Form.TASK),
    ("run: echo\nresources: {cpu: 1, accelerators: 2, accelerator: any}", Form.TASK),
    ("run: echo\nsecrets: [A]", Form.TASK),
    ("run: echo\nresources: {accelerators: A100}", Form.SKYPILOT),
    ("run: echo\nsetup: x", Form.SKYPILOT),
    ("run: echo\nsecrets: {A: null}", Form.SKYPILOT),
    ("# words\n---\napiVersion: v1\nkind: ConfigMap\n---\nkind: Job\n", Form.KUBERNETES),
    ('{"apiVersion": "batch/v1", "kind": "Job"}', Form.KUBERNETES),
    ("#!/bin/bash\n#SBATCH -n 1\necho", Form.SBATCH),
    ("// a circuit\nOPENQASM 3.0;\nqubit q;", Form.QASM),
    ("#!/bin/bash\necho", Form.TASK),
    ("", Form.TASK),
    ("a: [", Form.TASK),
    (b"\xff\xfe", Form.TASK),
])  # fmt: skip
def test_a_file_tells_its_form(body: str | bytes, form: Form) -> None:
    assert form_of(body, "file") is form


class TestInAShell:
    def run(self, folder: Path, text_: str, **environment: str) -> subprocess.CompletedProcess[str]:
        names = {"PATH": os.environ["PATH"], "SUANWANG_TASK_ID": "task-x", **environment}
        return subprocess.run(
            ["/bin/sh", "-c", one(text_).run],
            cwd=folder,
            env=names,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_setup_then_run(self, tmp_path: Path) -> None:
        done = self.run(
            tmp_path,
            "setup: |\n  echo 'it''s' setup\n  false\n  true\nrun: |\n  echo $SKYPILOT_NODE_RANK of $SKYPILOT_NUM_NODES, $SKYPILOT_NUM_GPUS_PER_NODE\n  exit 3\n",
        )
        assert (done.stdout, done.returncode) == ("its setup\n0 of 1, 0\n", 3)

    def test_a_setup_that_fails_ends_it(self, tmp_path: Path) -> None:
        done = self.run(tmp_path, "setup: exit 5\nrun: echo no\n")
        assert (done.stdout, done.returncode) == ("", 5)

    def test_a_copy_for_each_node(self, tmp_path: Path) -> None:
        done = self.run(
            tmp_path,
            'num_nodes: 3\nrun: echo "$SKYPILOT_NODE_RANK $(echo "$SKYPILOT_NODE_IPS" | wc -l)"; exit $SKYPILOT_NODE_RANK\n',
        )
        assert sorted(done.stdout.splitlines()) == ["0 3", "1 3", "2 3"]
        assert done.returncode == 1


def test_the_guide_has_every_field() -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/skypilot.md").read_text("utf-8")
    fields = {*SkyTask.model_fields, *SkyChoice.model_fields, *SkyResources.model_fields} - {
        "file_mounts_mapping",
        "api_server",
    }
    assert [name for name in sorted(fields) if f"`{name}`" not in guide] == []
