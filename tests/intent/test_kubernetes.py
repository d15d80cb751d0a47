"""Kubernetes Jobs as tasks: what becomes of each field, what each fault says and where, and the command in a real shell."""

import os
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanwang.intent.foreign import Translated
from suanwang.intent.kubernetes import read_kubernetes
from suanwang.intent.kubernetes_fields import NO_EFFECT, QUIET, REFUSED, quantity, whole_up
from suanwang.intent.slurm_values import BadValueError
from suanwang.model import kubernetes as model
from suanwang.model.doors import DoorRules
from suanwang.model.error import FaultsError
from suanwang.model.ids import SiteId
from suanwang.model.task import Circle
from suanwang.model.units import GIB, MIB, US_PER_HOUR, US_PER_S
from suanwang.texts import languages, text

RULES = DoorRules(
    host_images=("busybox*",),
    zones={"CN-GD": (SiteId("sz"), SiteId("gz")), "sz": (SiteId("sz"),)},
    accelerators=("a100", "ascend-910b"),
    priorities={"high": 50},
)
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: work%(meta)s}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: busybox:1.36
        command: [sh, -c]
        args: ["%(args)s"]
%(box)s
%(pod)s
%(spec)s
"""


def job(*, meta: str = "", args: str = "echo hello", box: str = "", pod: str = "", spec: str = "") -> str:
    """A Job with lines of YAML in its container, its pod and its own spec."""

    def lines(more: str, indent: int) -> str:
        return "\n".join(" " * indent + one for one in more.split("\n") if one.strip())

    return JOB % {"meta": meta, "args": args, "box": lines(box, 8), "pod": lines(pod, 6), "spec": lines(spec, 2)}


def read(text_: str) -> Translated:
    return read_kubernetes(text_, "job.yaml", RULES)


def one(**parts: str):
    (request,) = read(job(**parts)).requests
    return request


def faults(text_: str) -> list[tuple[str, str, int | None]]:
    with pytest.raises(FaultsError) as caught:
        read(text_)
    for fault in caught.value.faults:
        for lang in languages():
            assert text(f"fault.{fault.code}", lang, got=fault.got, **fault.params)
    return [(fault.code, fault.where, fault.line) for fault in caught.value.faults]


def test_the_smallest_job() -> None:
    request = one()
    has = request.resources
    assert (request.name, request.image, request.array, request.retries) == ("work", "host", 1, 6)
    assert (has.cpu, has.memory, has.wall_time, request.tags) == (1, 512 * MIB, US_PER_HOUR, {"kubernetes": "default"})
    assert request.run == "exec sh -c 'echo hello'\n"


def test_resources_are_the_limits_or_else_the_requests() -> None:
    box = "resources:\n  requests: {cpu: 500m, memory: 1Gi, ephemeral-storage: 2G}\n  limits: {memory: 1.5Gi, nvidia.com/gpu: 2}"
    has = one(
        box=box, pod="nodeSelector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB, kubernetes.io/os: linux}"
    ).resources
    assert (has.cpu, has.memory, has.disk) == (1, GIB * 3 // 2, 2 * 10**9)
    assert (has.accelerators, has.accelerator) == (2, "a100")
    assert (
        one(box='resources: {limits: {cpu: "2.5", huawei.com/Ascend-910B: "8"}}').resources.accelerator == "ascend-910b"
    )
    assert one(box="resources: {limits: {cpu: 4, amd.com/gpu: 1}}").resources.accelerator == "any"


def test_completions_parallelism_and_tries() -> None:
    request = one(
        spec="completions: 9\nparallelism: 3\ncompletionMode: Indexed\nbackoffLimit: 1\nactiveDeadlineSeconds: 90"
    )
    assert (request.array, request.at_once, request.retries, request.resources.wall_time) == (9, 3, 1, 90 * US_PER_S)
    assert one(spec="completions: 4\nparallelism: 8").at_once is None
    assert one(spec="completions: 4").at_once == 1
    assert one(pod="activeDeadlineSeconds: 30", spec="activeDeadlineSeconds: 90").resources.wall_time == 30 * US_PER_S


def test_labels_places_classes_and_wishes() -> None:
    meta = ", namespace: lab, labels: {app: x, app.kubernetes.io/name: long}, annotations: {suanwang.org/latency: metro, other: y}"
    pod = "nodeSelector: {topology.kubernetes.io/region: CN-GD}\npriorityClassName: high"
    found = read(job(meta=meta, pod=pod).replace("kind: Job", "kind: Job\n#SUANWANG outputs=out/*.csv"))
    (request,) = found.requests
    assert (request.sites, request.priority, request.latency) == (("sz", "gz"), 50, Circle.METRO)
    assert request.tags == {"app": "x", "app.kubernetes.io.name": "long", "kubernetes": "lab"}
    assert [out.path for out in request.outputs] == ["out/*.csv"]
    assert found.warnings == ()


MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata:\n  mode: fast\n  main.py: |\n    print('it is', 1)\n---\n"


def test_a_file_of_several_documents_and_what_a_map_brings(tmp_path: Path) -> None:
    box = """\
env:
- {name: MODE, valueFrom: {configMapKeyRef: {name: conf, key: mode}}}
- {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}
- {name: WHICH, value: "is $(MODE), $$(MODE), $(NOTHING)"}
envFrom: [{prefix: C_, configMapRef: {name: gone, optional: true}}]
volumeMounts: [{name: code, mountPath: /code}, {name: room, mountPath: /scratch}]"""
    pod = "volumes: [{name: code, configMap: {name: conf, items: [{key: main.py, path: lib/m.py}]}}, {name: room, emptyDir: {sizeLimit: 3Gi}}]"
    found = read(MAP + job(box=box, pod=pod, args="cat lib/m.py") + "---\n" + job(meta=", labels: {second: 'yes'}"))
    first, second = found.requests
    assert first.environment == {"MODE": "fast", "WHICH": "is fast, $(MODE), $(NOTHING)"}
    assert (first.secrets, first.resources.disk, second.tags["second"]) == (("TOKEN",), 3 * GIB, "yes")
    assert [(mount.path, mount.folder) for mount in first.mounts] == [
        ("/code", "root/code"),
        ("/scratch", "root/scratch"),
    ]
    ran = subprocess.run(
        ["/bin/sh", "-c", first.run.replace("cat lib", "cat root/code/lib")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "print('it is', 1)\n"


def test_the_index_of_an_element(tmp_path: Path) -> None:
    field = "env: [{name: I, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['batch.kubernetes.io/job-completion-index']\"}}}]"
    request = one(
        box=field,
        args="echo $JOB_COMPLETION_INDEX $(JOB_COMPLETION_INDEX) $I end",
        spec="completions: 3\ncompletionMode: Indexed",
    )
    environment = {"PATH": os.environ["PATH"], "SUANWANG_ARRAY_INDEX": "2"}
    ran = subprocess.run(
        ["/bin/sh", "-c", request.run], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "2 2 2 end\n"


def test_a_secret_in_a_word_or_in_another_variable_is_put_in_by_the_shell(tmp_path: Path) -> None:
    """Its value is known only where the task runs, and is nowhere in the task."""
    box = """\
env:
- {name: AGAIN, value: "$(TOKEN)"}
- {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}
- {name: I, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}
- {name: URL, value: "https://it's:$(TOKEN)@host/$(I)"}
- {name: BOTH, value: "$(URL) $$(TOKEN) $HOME"}
- {name: AGAIN, value: "$(AGAIN)."}
- {name: URL, value: "plain"}"""
    args = """args: ['printf "%s|" "$@" "$BOTH" "$URL" "$AGAIN"', sh, "$(TOKEN)/$(I)", "$$(TOKEN)", "$(BOTH)"]"""
    written = job(box=box, spec="completions: 3\ncompletionMode: Indexed").replace('args: ["echo hello"]', args)
    (request,) = read(written).requests
    assert request.environment == {"AGAIN": "$(TOKEN).", "URL": "plain"}
    assert request.secrets == ("TOKEN",)
    environment = {"PATH": os.environ["PATH"], "SUANWANG_ARRAY_INDEX": "2", "TOKEN": "a $b", **request.environment}
    ran = subprocess.run(
        ["/bin/sh", "-c", request.run], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    made = "https://it's:a $b@host/2 $(TOKEN) $HOME"
    assert ran.stdout.split("|") == ["a $b/2", "$(TOKEN)", made, made, "plain", "$(TOKEN).", ""]


def test_a_made_variable_needs_a_name_of_a_shell() -> None:
    secret = "{name: T, valueFrom: {secretKeyRef: {name: s, key: k}}}"
    assert "env_name_form" in {fault[0] for fault in faults(job(box=f"env: [{secret}, {{name: a.b, value: $(T)}}]"))}


def test_a_working_folder_below_a_volume_is_there() -> None:
    pod, mount = "volumes: [{name: room, emptyDir: {}}]", "volumeMounts: [{name: room, mountPath: /data}]"
    assert [m.path for m in one(box=f"{mount}\nworkingDir: /data/in", pod=pod).mounts] == ["/data"]
    request = one(box="workingDir: /work")
    assert ([m.path for m in request.mounts], "cd /work" in request.run) == (["/work"], True)


FAULTS = [
    ({"box": "comand: [x]"}, "unknown_field_near", "spec.template.spec.containers[0].comand"),
    ({"spec": "suspend: true"}, "k8s_suspend", "spec.suspend"),
    ({"spec": "parallelism: 0"}, "k8s_suspend", "spec.parallelism"),
    ({"spec": "parallelism: 3"}, "k8s_work_queue", "spec.parallelism"),
    ({"spec": "completionMode: Indexed"}, "missing", "spec.completions"),
    ({"spec": "podFailurePolicy: {rules: []}"}, "k8s_policy", "spec.podFailurePolicy"),
    ({"pod": "initContainers: [{name: a, image: b}]"}, "k8s_containers", "spec.template.spec.initContainers"),
    ({"pod": "affinity: {nodeAffinity: {}}"}, "k8s_placement", "spec.template.spec.affinity"),
    ({"pod": "hostNetwork: true"}, "k8s_host", "spec.template.spec.hostNetwork"),
    ({"pod": "resourceClaims: [{name: a}]"}, "k8s_claims", "spec.template.spec.resourceClaims"),
    ({"box": "livenessProbe: {exec: {command: [x]}}"}, "k8s_probe", "spec.template.spec.containers[0].livenessProbe"),
    ({"box": "resources: {limits: {memory: lots}}"}, "k8s_quantity", "spec.template.spec.containers[0].resources.limits.memory"),
    ({"box": "resources: {limits: {hugepages-2Mi: 1Gi}}"}, "k8s_resource", "spec.template.spec.containers[0].resources.limits.hugepages-2Mi"),
    ({"box": "resources: {limits: {nvidia.com/gpu: 1, amd.com/gpu: 1}}"}, "k8s_cards_twice", "spec.template.spec.containers[0].resources.limits.amd.com/gpu"),
    ({"pod": "nodeSelector: {disk: ssd}"}, "k8s_selector", "spec.template.spec.nodeSelector.disk"),
    ({"pod": "nodeSelector: {topology.kubernetes.io/zone: moon}"}, "k8s_selector", "spec.template.spec.nodeSelector.topology.kubernetes.io/zone"),
    ({"box": "envFrom: [{secretRef: {name: s}}]"}, "k8s_secret_all", "spec.template.spec.containers[0].envFrom[0]"),
    ({"box": "envFrom: [{configMapRef: {name: conf}}]"}, "k8s_map_missing", "spec.template.spec.containers[0].envFrom[0].configMapRef.name"),
    ({"box": "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]"}, "k8s_value_from", "spec.template.spec.containers[0].env[0].valueFrom"),
    ({"box": "env: [{name: a.b, value: x}]"}, "env_name_form", "spec.template.spec.containers[0].env"),
    ({"pod": "volumes: [{name: v, hostPath: {path: /}}]"}, "k8s_volume", "spec.template.spec.volumes[0]"),
    ({"box": "volumeMounts: [{name: v, mountPath: /v}]"}, "k8s_volume_missing", "spec.template.spec.containers[0].volumeMounts[0].name"),
    ({"box": "volumeMounts: [{name: v, mountPath: /usr/x}]", "pod": "volumes: [{name: v, emptyDir: {}}]"}, "outer_path_form", "spec.template.spec.containers[0].volumeMounts[0].mountPath"),
    ({"box": "volumeMounts: [{name: v, mountPath: /v, subPath: x}]", "pod": "volumes: [{name: v, emptyDir: {}}]"}, "k8s_sub_path", "spec.template.spec.containers[0].volumeMounts[0].subPath"),
    ({"meta": ", annotations: {suanwang.org/colour: red}"}, "suanwang_key", "metadata.annotations.suanwang.org/colour"),
    ({"meta": ", annotations: {suanwang.org/latency: soon}"}, "latency_form", "metadata.annotations.suanwang.org/latency"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "code", "where"), FAULTS, ids=lambda one: one if isinstance(one, str) else "")
def test_a_fault_has_its_place(parts: dict[str, str], code: str, where: str) -> None:
    found = faults(job(**parts))
    assert (code, where) in [fault[:2] for fault in found]
    assert all(fault[2] is not None for fault in found)


def test_faults_of_all_documents_have_the_lines_of_the_file() -> None:
    found = faults(
        MAP + job(spec="suspend: true") + "---\nkind: Pod\napiVersion: v1\n---\n#SUANWANG red\n" + job(box="nme: x")
    )
    lines = (MAP + job(spec="suspend: true")).count("\n")
    codes = {code: line for code, _, line in found}
    assert codes["k8s_suspend"] == (MAP + job(spec="suspend: true")).split("\n").index("  suspend: true") + 1
    assert codes["k8s_kind"] == lines + 2
    assert "unknown_field_near" in codes


def test_a_comment_that_asks_for_nothing_known_has_its_line() -> None:
    assert faults("#SUANWANG colour=red\n" + job()) == [("suanwang_key", "#SUANWANG colour", 1)]
    assert faults("#SUANWANG latency=soon\n" + job()) == [("latency_form", "#SUANWANG latency", 1)]


def test_a_character_that_no_command_holds() -> None:
    found = faults(
        '{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": {"spec": {"containers": ['
        '{"name": "c", "image": "busybox", "command": ["a\\u0000b"]}]}}}}'
    )
    assert [one[:2] for one in found] == [("nul_in_text", "spec.template.spec.containers[0].command")]


def test_a_map_alone_and_a_missing_key_and_command() -> None:
    assert faults(MAP) == [("k8s_no_job", "kind", None)]
    key = "env: [{name: A, valueFrom: {configMapKeyRef: {name: conf, key: gone}}}]"
    assert [code for code, _, _ in faults(MAP + job(box=key))] == ["k8s_key"]
    assert [code for code, _, _ in faults(job().replace("        command: [sh, -c]\n", ""))] == ["k8s_command"]
    assert [code for code, _, _ in faults(MAP.replace("\ndata:", "\nbinaryData: {x: eA==}\ndata:") + job())] == [
        "k8s_binary"
    ]


def test_what_has_no_effect_is_told() -> None:
    found = read(
        job(
            box="ports: [{containerPort: 80}]\nimagePullPolicy: Always",
            pod="tolerations: [{operator: Exists}]\npriorityClassName: gold",
            spec="backoffLimit: 30\nttlSecondsAfterFinished: 5",
        )
    )
    assert found.requests[0].retries == 20
    assert sorted((one.code, one.where.rpartition(".")[2]) for one in found.warnings) == [
        ("k8s_backoff", "backoffLimit"),
        ("k8s_no_effect", "ports"),
        ("k8s_no_effect", "tolerations"),
        ("k8s_priority_unknown", "priorityClassName"),
    ]
    for fault in found.warnings:
        assert fault.line is not None
        assert all(text(f"warning.{fault.code}", lang, got=fault.got, **fault.params) for lang in languages())


QUANTITIES = [("500m", Fraction(1, 2)), ("2", 2), (2, 2), (0.5, Fraction(1, 2)), ("1.5Gi", 3 * 2**29), ("128974848", 128974848), ("129M", 129 * 10**6), ("1e3", 1000), ("1E", 10**18), ("1Ei", 2**60), ("100k", 100_000), (".5", Fraction(1, 2)), ("5n", Fraction(5, 10**9))]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), QUANTITIES)
def test_quantities(value: str | int | float, wanted: Fraction | int) -> None:
    assert quantity(value) == wanted


@pytest.mark.parametrize("value", ["", "x", "1GB", "1 Gi", "-1", "1ki", "0x1", "1.2.3"])
def test_what_is_no_quantity(value: str) -> None:
    with pytest.raises(BadValueError) as caught:
        quantity(value)
    assert caught.value.code == "k8s_quantity"


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]))
def test_a_quantity_is_its_number_times_its_unit(whole: int, thousandths: int, unit: str) -> None:
    factors = {
        "": 1,
        "m": Fraction(1, 1000),
        "k": 1000,
        "M": 10**6,
        "G": 10**9,
        "Ki": 2**10,
        "Mi": 2**20,
        "Gi": 2**30,
        "Ti": 2**40,
    }
    wanted = (whole + Fraction(thousandths, 1000)) * factors[unit]
    assert quantity(f"{whole}.{thousandths:03}{unit}") == wanted
    assert 0 <= whole_up(f"{whole}.{thousandths:03}{unit}") - wanted < 1


def test_every_field_is_used_told_or_refused_and_the_guide_has_it() -> None:
    used = {
        "K8sMeta": {"name", "generateName", "namespace", "labels", "annotations"},
        "K8sResources": {"requests", "limits"},
        "K8sVolume": {"secret", "hostPath", "persistentVolumeClaim", "nfs", "csi", "projected"},
    }
    guide = (Path(__file__).parents[2] / "docs/guide/kubernetes.md").read_text("utf-8")
    for name, one_ in vars(model).items():
        if not name.startswith("K8s"):
            continue
        judged = {*QUIET.get(name, ()), *NO_EFFECT.get(name, ()), *REFUSED.get(name, ())}
        loose = {
            field
            for field, info in one_.model_fields.items()
            if info.annotation is not str and "Any" in str(info.annotation)
        }
        assert name == "K8sVolume" or loose <= judged, f"{name}: {loose - judged}"
        assert used.get(name, set()) <= set(one_.model_fields)
        missing = [field for field in (*NO_EFFECT.get(name, ()), *REFUSED.get(name, ())) if f"`{field}`" not in guide]
        assert missing == [], f"the guide says nothing of {missing}"
