"""The pure pieces of the Kubernetes adapter: what is written to a server, and what is made of its words."""

import httpx
import pytest
from tests.agent.rigs import now_us
from tests.sites.kube_fake import FakeKubernetes

from suanwang.agent.adapter import Limit, StartOrder
from suanwang.agent.adapters.kubernetes import KubernetesSettings, PoolRoute, Volume
from suanwang.agent.adapters.kubernetes.api import (
    AwayError,
    Connection,
    GarbledError,
    RefusedError,
    Watch,
    read_version,
)
from suanwang.agent.adapters.kubernetes.discover import discover, selector_of, shape_of
from suanwang.agent.adapters.kubernetes.gang import Wanted, milli, pause_us, room
from suanwang.agent.adapters.kubernetes.limits import check
from suanwang.agent.adapters.kubernetes.manifest import Shape, jobs_of
from suanwang.agent.adapters.kubernetes.settings import Toleration
from suanwang.agent.adapters.kubernetes.verdict import Ending, end_of, judge, never_begins, not_created
from suanwang.agent.adapters.kubernetes.watch import JOBS, Mirror
from suanwang.model.error import BackendError
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest

R = FailureReason
ROUTE = PoolRoute(
    namespace="tenant-a",
    image="site/base:1",
    node_selector={"pool": "fast"},
    tolerations=(Toleration(key="nvidia.com/gpu", operator="Exists"),),
    priority_class="grid",
    resource="nvidia.com/gpu",
    pull_secrets=("registry",),
)


def settings(tmp_path, **more) -> KubernetesSettings:
    values = {"volume": Volume(claim="shared"), "pools": {"c/general": ROUTE}, "instance": "i1", "user": (1001, 1002)}
    return KubernetesSettings(folder=tmp_path, **{**values, **more})


def order(**request) -> StartOrder:
    return StartOrder("c", "c/general", "task-" + "1" * 26, "att-" + "1" * 26, 1, TaskRequest(run="true", **request))


# Quantities and gangs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2000),
        (8, 8000),
        ("250m", 250),
        ("1Ki", 1_024_000),
        ("0.5", 500),
        ("1.5Gi", 1_610_612_736_000),
        ("1e3", 1_000_000),
        ("100M", 10**11),
        ("1n", 1),
        ("16290724Ki", 16_290_724 * 1024 * 1000),
    ],
)
def test_quantities(text, expected):
    assert milli(text) == expected


def test_what_is_no_quantity_is_said():
    with pytest.raises(ValueError, match="no quantity"):
        milli("5 apples")


def node(name: str, cpu: str = "4", ready: str = "True", labels=None, taints=(), **more):
    has = {"cpu": cpu, "memory": "8Gi", "pods": "10", **more}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": has, "conditions": [{"type": "Ready", "status": ready}]},
    }


def pod_on(name: str, cpu: str, phase: str = "Running"):
    container = {"resources": {"requests": {"cpu": cpu}}}
    return {"metadata": {}, "spec": {"nodeName": name, "containers": [container]}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("what", "nodes", "pods", "apart", "expected"),
    [
        ("empty nodes", [node("a"), node("b")], [], False, 4),
        ("each on its own", [node("a"), node("b")], [], True, 2),
        ("beside what runs", [node("a"), node("b")], [pod_on("a", "3500m")], False, 2),
        ("what is over holds nothing", [node("a")], [pod_on("a", "4", "Succeeded")], False, 2),
        ("a node that is not ready", [node("a"), node("b", ready="Unknown")], [], False, 2),
        ("a node that is cordoned", [{**node("a"), "spec": {"unschedulable": True}}], [], False, 0),
        ("a taint", [node("a", taints=[{"key": "x", "effect": "NoSchedule"}])], [], False, 0),
        ("a taint that only asks", [node("a", taints=[{"key": "x", "effect": "PreferNoSchedule"}])], [], False, 2),
        ("a taint that is tolerated", [node("a", taints=[{"key": "t", "effect": "NoSchedule"}])], [], False, 2),
        ("room for pods", [node("a", pods="1")], [], False, 1),
        ("overfull", [node("a")], [pod_on("a", "9")], False, 0),
    ],
)
def test_room(what, nodes, pods, apart, expected):
    wanted = Wanted(2, {"cpu": 2000, "memory": milli("1Gi")}, apart, {}, ({"key": "t", "operator": "Exists"},))
    assert room(nodes, pods, wanted) == expected, what


def test_room_is_looked_for_where_the_pool_is():
    nodes = [node("a", labels={"pool": "fast"}), node("b")]
    assert room(nodes, [], Wanted(1, {"cpu": 1000}, False, {"pool": "fast"}, ())) == 4


def test_gangs_that_were_taken_back_come_again_at_different_times():
    pauses = {pause_us(f"att-{number}", 3, 1_000, 30_000_000) for number in range(20)}
    assert len(pauses) > 10
    assert all(1_000 <= one <= 120_001_000 for one in pauses)
    assert pause_us("att-1", 99, 1_000, 30_000_000) <= 480_001_000


# What is written ----------------------------------------------------------------------------------------------------


def test_a_job_has_what_the_route_says_and_no_rights(tmp_path):
    jobs = jobs_of(
        order(resources={"cpu": 2, "memory": "1 GiB", "accelerators": 1, "wall_time": "90 s"}),
        settings(tmp_path),
        ROUTE,
        1,
        Shape(1, False),
    )
    (job,) = jobs.values()
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert job["metadata"]["name"] == f"att-{'1' * 26}-1-0"
    assert (job["spec"]["backoffLimit"], spec["restartPolicy"], spec["activeDeadlineSeconds"]) == (
        0,
        "Never",
        90 + 3600,
    )
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"pool": "fast"}, "grid")
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": str(2**30), "nvidia.com/gpu": "1"}
    assert container["resources"]["requests"] == container["resources"]["limits"]
    profile = {"type": "RuntimeDefault"}
    assert spec["securityContext"] == {
        "runAsUser": 1001,
        "runAsGroup": 1002,
        "runAsNonRoot": True,
        "seccompProfile": profile,
    }
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert spec["automountServiceAccountToken"] is False
    assert spec["volumes"] == [{"name": "site", "persistentVolumeClaim": {"claimName": "shared"}}]
    assert container["volumeMounts"][0]["subPath"] == f"attempts/att-{'1' * 26}"


def test_members_of_a_gang_have_nodes_of_their_own(tmp_path):
    gang = order(resources={"nodes": 3, "kind": "hpc"})
    jobs = jobs_of(gang, settings(tmp_path), ROUTE, 2, Shape(3, False))
    assert [one["metadata"]["name"][-4:] for one in jobs.values()] == ["-2-0", "-2-1", "-2-2"]
    affinity = jobs[0]["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert affinity["requiredDuringSchedulingIgnoredDuringExecution"][0]["topologyKey"] == "kubernetes.io/hostname"
    (one,) = jobs_of(gang, settings(tmp_path), ROUTE, 2, Shape(3, True)).values()
    assert {key: one["spec"][key] for key in ("completionMode", "completions", "parallelism", "suspend")} == {
        "completionMode": "Indexed",
        "completions": 3,
        "parallelism": 3,
        "suspend": True,
    }


@pytest.mark.parametrize(
    ("request_", "reason", "word"),
    [
        ({"image": "other/thing:1"}, R.IMAGE_UNKNOWN, "none but `host`"),
        ({"secrets": ("KEY",)}, R.LIMIT_UNSUPPORTED, "secrets"),
        ({"resources": {"qubits": 3}}, R.LIMIT_UNSUPPORTED, "quantum"),
        ({"resources": {"processes": 9}}, R.LIMIT_UNSUPPORTED, "processes"),
        ({"array": 20_000}, R.LIMIT_UNSUPPORTED, "spread"),
    ],
)
def test_what_the_cluster_cannot_hold_is_refused(tmp_path, request_, reason, word):
    asked = TaskRequest(run="true", **request_)
    with pytest.raises(BackendError) as refused:
        check(asked, settings(tmp_path), "c/general", asked.array)
    assert (refused.value.reason, word in refused.value.detail) == (reason, True)


def test_what_the_operator_allows_and_keeps_is_taken(tmp_path):
    allowed = settings(tmp_path, images=("site/*", "exact:1"), enforces=frozenset({Limit.PROCESSES}))
    for image in ("site/any:2", "exact:1"):
        check(TaskRequest(run="true", image=image, resources={"processes": 9}), allowed, "c/general", 1)
    with pytest.raises(BackendError):
        check(TaskRequest(run="true", image="exact:12"), allowed, "c/general", 1)
    with pytest.raises(BackendError, match="no pool c/none"):
        check(TaskRequest(run="true"), allowed, "c/none", 1)


# What is made of its words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "reason", "code", "signal"),
    [
        (Ending(told=0, code=0, word="Completed"), None, 0, None),
        (Ending(told=0, job=False, pod=False), None, 0, None),
        (Ending(code=0, word="Completed"), None, 0, None),
        (Ending(told=3, code=3, word="Error"), R.EXIT_CODE, 3, None),
        (Ending(told=143, code=143, word="Error"), R.SIGNAL, None, 15),
        (Ending(told=137, code=137, word="OOMKilled"), R.OUT_OF_MEMORY, None, 9),
        (Ending(code=137, word="OOMKilled"), R.OUT_OF_MEMORY, None, 9),
        (Ending(code=143, word="DeadlineExceeded"), R.WALL_TIME, None, None),
        (Ending(code=143, word="DeadlineExceeded", early=True), R.BACKEND, None, None),
        (Ending(told=137, wall_over=True), R.WALL_TIME, None, None),
        (Ending(code=143, word="Preempted", pod=False), R.BACKEND, None, None),
        (Ending(told=5, word="Preempted", pod=False), R.EXIT_CODE, 5, None),
        (Ending(word="Evicted", message="The node was low on resource: memory."), R.BACKEND, None, None),
        (Ending(word="NodeNotReady", pod=False), R.BACKEND, None, None),
        (Ending(pod=False, job=False), R.LOST, None, None),
        (Ending(told=143, pod=False, job=False), R.LOST, None, None),
        (Ending(pod=False), R.BACKEND, None, None),
        (Ending(code=112, word="Error"), R.LOST, None, None),
        (Ending(code=2, word="Error"), R.BACKEND, None, None),
        (Ending(told=9, stopped=True), None, None, None),
    ],
)
def test_ends(ending, reason, code, signal):
    verdict = judge(ending)
    assert (verdict.reason, verdict.exit_code, verdict.signal) == (reason, code, signal)


@pytest.mark.parametrize(
    ("word", "message", "tried_s", "reason"),
    [
        ("ErrImagePull", "429 Too Many Requests", 0, None),
        ("ImagePullBackOff", 'Back-off pulling image "x:1"', 60, None),
        ("ImagePullBackOff", 'Back-off pulling image "x:1"', 601, R.BACKEND),
        ("ErrImagePull", "docker.io/x:1: not found", 0, R.IMAGE_UNKNOWN),
        ("ErrImagePull", "pull access denied, 401 Unauthorized", 0, R.IMAGE_UNKNOWN),
        ("ErrImagePull", "dial tcp: lookup registry: no such host", 0, None),
        ("InvalidImageName", "", 0, R.IMAGE_UNKNOWN),
        ("CreateContainerConfigError", "failed to prepare subPath", 5, None),
        ("CreateContainerError", "", 601, R.BACKEND),
        ("RunContainerError", "no /bin/sh", 0, R.BACKEND),
        ("ContainerCreating", "", 9999, None),
    ],
)
def test_pods_that_do_not_begin(word, message, tried_s, reason):
    waits = {"reason": word, "message": message}
    pod = {"status": {"containerStatuses": [{"image": "x:1", "state": {"waiting": waits}}]}}
    verdict = never_begins(pod, tried_s * 1_000_000)
    assert (verdict and verdict.reason) == reason


def test_words_of_pods():
    target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "higher"}
    assert end_of({"status": {"conditions": [target]}}) == (None, "Preempted", "higher")
    events = [{"reason": "FailedCreate", "message": 'pods "x" is forbidden: exceeded quota: small'}]
    assert "quota is exceeded" in not_created(events).detail
    assert not_created([{"reason": "SuccessfulCreate"}]) is None


@pytest.mark.parametrize(
    ("said", "indexed"),
    [
        ({"major": "1", "minor": "24+", "gitVersion": "v1.24.9-gke"}, True),
        ({"major": "", "minor": "", "gitVersion": "v1.20.2"}, False),
        ({"gitVersion": "v2.0.0"}, True),
        ({}, False),
    ],
)
def test_features_by_version(said, indexed):
    assert read_version(said).indexed is indexed


# Discovery ----------------------------------------------------------------------------------------------------------


def test_shapes_of_nodes():
    cards = {"nvidia.com/gpu": "4", "labels": {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}}
    labels = cards.pop("labels")
    found = shape_of(
        node("g", cpu="63500m", labels=labels, taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}], **cards)
    )
    assert (found.cores, found.cards, found.model, found.resource) == (63, 4, "nvidia-a100-sxm4-40gb", "nvidia.com/gpu")
    assert (
        shape_of(node("m", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])) is None
    )
    assert shape_of(node("d", ready="Unknown")) is None


def test_a_label_that_tells_shapes_apart():
    big = [node("a", "8", labels={"kubernetes.io/hostname": "a", "size": "big", "zone": "z"})]
    small = [node("b", "2", labels={"kubernetes.io/hostname": "b", "size": "small", "zone": "z"})]
    found = {shape_of(big[0]): big, shape_of(small[0]): small}
    assert selector_of(shape_of(big[0]), found) == "size=big"
    bare = [node("a", "8", labels={"kubernetes.io/hostname": "a"})]
    assert selector_of(shape_of(bare[0]), {shape_of(bare[0]): bare, shape_of(small[0]): small}) == ""


# The server, by the fake one -----------------------------------------------------------------------------------------


@pytest.fixture
def town():
    made = FakeKubernetes()
    yield made
    made.close()


def test_a_cluster_is_found(town):
    found = discover(town.api, frozenset({Limit.NETWORK}))
    (pool,) = found.pools
    assert (pool.name, pool.nodes, pool.cores_per_node, pool.memory_bytes_per_node) == ("general", 1, 8, 64 << 30)
    assert found.version == "Kubernetes v1.30.0-fake"
    assert {"cpu", "memory", "network"} <= set(found.limits)
    assert any("cannot hold a task to its user" in note for note in found.notes)


def test_a_server_that_is_away_is_away_and_one_that_says_no_says_no(town):
    from suanwang.agent.adapters.kubernetes import Api

    town.refuse = (422, "Invalid", "spec: wrong")
    with pytest.raises(RefusedError, match="spec: wrong"):
        town.api.request("POST", "/apis/batch/v1/namespaces/x/jobs", {"metadata": {"name": "a"}})
    town.refuse = (503, "ServiceUnavailable", "later")
    with pytest.raises(AwayError, match="later"):
        town.api.request("POST", "/apis/batch/v1/namespaces/x/jobs", {"metadata": {"name": "a"}})
    nobody = Api(Connection("http://127.0.0.1:1", timeout_s=1))
    with pytest.raises(AwayError):
        nobody.version()
    nobody.close()


def test_a_mirror_that_is_cut_off_takes_its_list_again(town):
    """410: the server has forgotten the version that the watch was at."""
    changed: list[str] = []
    mirror = Mirror(town.api, ["x"], "i1", changed.append)
    mirror.start()
    try:
        deadline_us = now_us() + 10_000_000
        while not mirror.complete and now_us() < deadline_us:
            pass_a_moment()
        mirror._versions["jobs", "x"] = ""
        labels = {"suanwang.io/instance": "i1", "suanwang.io/attempt": "att-1"}
        town.put(
            "jobs", "x", {"metadata": {"name": "a", "uid": "u1", "labels": labels}, "spec": {}, "status": {}}, "ADDED"
        )
        while not mirror.of(JOBS, "att-1") and now_us() < deadline_us:
            pass_a_moment()
        assert [one["metadata"]["uid"] for one in mirror.of(JOBS, "att-1")] == ["u1"]
        assert "att-1" in changed
    finally:
        mirror.close()
    assert mirror.of(JOBS, "att-2") == []


def test_a_watch_is_cut_at_line_feeds_alone():
    """Work writes the message that a pod ends with: U+0085 and its like end no line."""
    text = '{"type":"MODIFIED","object":{"message":"a\u0085b\u2028c"}}\n{"type":"BOOKMARK","object":{}}\n{"type":"ADD'
    found = list(Watch(httpx.Response(200, content=text.encode())).changes())
    assert found == [("MODIFIED", {"message": "a\u0085b\u2028c"}), ("BOOKMARK", {})], "the broken off one is left"
    with pytest.raises(GarbledError):
        list(Watch(httpx.Response(200, content=b"oops\n")).changes())


def test_what_a_watch_garbles_is_listed_again(town, monkeypatch):
    lists: list[str] = []

    def oops(self):
        raise GarbledError("oops")

    monkeypatch.setattr(Watch, "changes", oops)
    monkeypatch.setattr(Mirror, "_list", lambda self, kind, namespace: lists.append(kind.name) or "1")
    mirror = Mirror(town.api, ["x"], "i1", lambda _: None)
    mirror.start()
    deadline_us = now_us() + 10_000_000
    while lists.count("jobs") < 2 and now_us() < deadline_us:
        pass_a_moment()
    mirror.close()
    assert lists.count("jobs") >= 2


def test_rights_that_are_missing_are_said(town, tmp_path, monkeypatch):
    """A list that the server refuses: what is handed in fails with the server's words, and nothing is made."""
    from tests.sites.kube_rig import KubeRig

    from suanwang.agent.adapters.kubernetes import Api

    def no(self, path, params=None):
        raise RefusedError(403, "Forbidden", "jobs.batch is forbidden")

    monkeypatch.setattr(Api, "all_of", no)
    rig = KubeRig(town, tmp_path / "objects", wait_s=20, poll_us=50_000)
    try:
        end, _ = rig.run(run="true")
        assert (end.reason, end.detail) == (R.BACKEND, "the cluster does not take it: jobs.batch is forbidden")
        assert not [one for one in town.objects if one[0] == "jobs"]
    finally:
        rig.adapter.close()


def pass_a_moment() -> None:
    import time

    time.sleep(0.01)
