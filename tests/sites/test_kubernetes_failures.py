"""What can go wrong at a Kubernetes site, done to a real one: each failure has its reason, and none loses what still runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.sites.kube_cluster import ABSENT_IMAGE, SITES, wait_for
from tests.sites.kube_rig import KubeRig

from suanwang.model.error import BackendError
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason

pytestmark = SITES
K, R = EventKind, FailureReason


def the_job(rig: KubeRig) -> str:
    (found,) = rig.cluster.jobs(rig.namespace)
    return str(found["metadata"]["name"])


def the_pod(rig: KubeRig) -> str:
    (found,) = rig.cluster.pods(rig.namespace)
    return str(found["metadata"]["name"])


def ask(rig: KubeRig, method: str, path: str, body=None, **params: str):
    return rig.cluster.api.request(method, path, body, params)


# Ended by others ---------------------------------------------------------------------------------------------------


def test_a_job_that_is_deleted_behind_our_back_is_lost(kube):
    kube.start(run="sleep 100")
    kube.until_kind(K.RUNNING)
    path = f"/apis/batch/v1/namespaces/{kube.namespace}/jobs/{the_job(kube)}"
    ask(kube, "DELETE", path, propagationPolicy="Background")
    end = kube.end()
    assert (end.kind, end.reason, end.detail) == (K.FAILED, R.LOST, "the job was deleted at the site")


def test_a_pod_that_is_deleted_is_no_fault_of_the_task_and_is_not_run_again(kube):
    """The Job's controller puts another pod in its place: it must not do the work a second time."""
    kube.start(run="echo once >> ../../count; sleep 100")
    kube.until(lambda: list(kube.folder.glob("attempts/*/count")))
    ask(kube, "DELETE", f"/api/v1/namespaces/{kube.namespace}/pods/{the_pod(kube)}", gracePeriodSeconds="1")
    end = kube.end()
    assert (end.kind, end.reason, end.detail) == (K.FAILED, R.BACKEND, "the pod was deleted at the site")
    (count,) = kube.folder.glob("attempts/*/count")
    assert count.read_text() == "once\n"
    kube.until(lambda: not kube.cluster.pods(kube.namespace))
    assert count.read_text() == "once\n"


def test_safety_a_pod_in_the_place_of_one_that_began_does_nothing(kube):
    """Its script is the one that tells: the adapter is not there to delete the Job in time."""
    order = kube.start(run="echo once >> ../../count; sleep 100")
    kube.until(lambda: list(kube.folder.glob("attempts/*/count")))
    first = the_pod(kube)
    kube.adapter.close()
    ask(kube, "DELETE", f"/api/v1/namespaces/{kube.namespace}/pods/{first}", gracePeriodSeconds="1")

    def replaced() -> bool:
        others = [one for one in kube.cluster.pods(kube.namespace) if one["metadata"]["name"] != first]
        return any(one["status"]["phase"] == "Failed" for one in others)

    wait_for(replaced, "second pod")
    assert (kube.folder / "attempts" / order.attempt_id / "count").read_text() == "once\n"
    kube.open()
    end = kube.end()
    assert (end.kind, end.reason) == (K.FAILED, R.LOST)
    assert "not again" in kube.log(order)


def test_a_pod_that_gives_way_to_one_of_higher_priority(kubernetes, tmp_path):
    for name, value in (("lowly", 1), ("lofty", 1000)):
        body = {"metadata": {"name": f"{name}-{os.getpid()}"}, "value": value}
        kubernetes.api.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
    routes = {name: {"priority_class": f"{name}-{os.getpid()}"} for name in ("lowly", "lofty")}
    rig = KubeRig(kubernetes, tmp_path / "objects", routes=routes)
    try:
        node = kubernetes.get(f"/api/v1/nodes/{kubernetes.node}")
        most = int(node["status"]["allocatable"]["cpu"])
        rig.start(1, pool="lowly", run="sleep 100", resources={"cpu": most})
        rig.until_kind(K.RUNNING)
        rig.adapter.start(rig.order(2, pool="lofty", run="echo up", resources={"cpu": most}))
        rig.until(lambda: sum(one.kind in (K.FAILED, K.FINISHED) for one in rig.seen) == 2)
        end, other = sorted((one for one in rig.seen if one.kind in (K.FAILED, K.FINISHED)), key=lambda one: one[0])
        assert (end.attempt_id[-1], end.kind, end.reason) == ("1", K.FAILED, R.BACKEND)
        assert end.detail.startswith("the site preempted the pod")
        assert other.kind is K.FINISHED
    finally:
        rig.close()


def test_work_beyond_its_memory_is_killed_for_real(kube):
    from tests.sites.kube_rig import HOG

    end, _ = kube.run(run=HOG, resources={"memory": "64 MiB"})
    assert (end.reason, end.signal) == (R.OUT_OF_MEMORY, 9)
    assert end.usage.memory_peak_bytes >= 60 << 20


def test_a_deadline_of_the_pod_before_the_work_has_had_its_time_is_no_fault_of_the_task(kube, monkeypatch):
    """The pod's deadline counts from before its image is there: what it cuts off was not the work's own time."""
    monkeypatch.setattr("suanwang.agent.adapters.kubernetes.manifest.SLACK_S", -8)
    kube.start(run="sleep 100", resources={"wall_time": "10 s"})
    kube.until_kind(K.RUNNING)
    end = kube.end()
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
    assert end.usage.wall_us < 9_000_000


# Never begun -------------------------------------------------------------------------------------------------------


def test_an_image_that_cannot_be_pulled(kube):
    end, _ = kube.run(run="true", image=ABSENT_IMAGE)
    assert (end.kind, end.reason) == (K.FAILED, R.IMAGE_UNKNOWN)
    assert ABSENT_IMAGE in end.detail
    assert K.RUNNING not in [one.kind for one in kube.seen]
    kube.until(lambda: not kube.cluster.jobs(kube.namespace))


def test_an_image_that_the_operator_does_not_allow_is_refused_at_once(kube):
    with pytest.raises(BackendError) as refused:
        kube.start(run="true", image="docker.io/library/busybox:1")
    assert refused.value.reason is R.IMAGE_UNKNOWN


def test_a_quota_on_pods_is_the_sites_word(kube):
    body = {"metadata": {"name": "small"}, "spec": {"hard": {"requests.cpu": "1"}}}
    ask(kube, "POST", f"/api/v1/namespaces/{kube.namespace}/resourcequotas", body)
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas/small"
    kube.until(lambda: "hard" in kube.cluster.get(path).get("status", {}))
    end, _ = kube.run(run="true", resources={"cpu": 2})
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
    assert end.detail.startswith("the namespace's quota is exceeded")


def test_a_quota_on_jobs_takes_an_array_whole_or_not_at_all(kube):
    body = {"metadata": {"name": "few"}, "spec": {"hard": {"count/jobs.batch": "2"}}}
    ask(kube, "POST", f"/api/v1/namespaces/{kube.namespace}/resourcequotas", body)
    path = f"/api/v1/namespaces/{kube.namespace}/resourcequotas/few"
    kube.until(lambda: "hard" in kube.cluster.get(path).get("status", {}))
    end, _ = kube.run(run="sleep 100", array=4)
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
    assert "the namespace's quota is exceeded" in end.detail
    kube.until(lambda: not kube.cluster.jobs(kube.namespace))


def test_a_priority_class_that_is_missing_is_the_sites_word(kubernetes, tmp_path):
    rig = KubeRig(kubernetes, tmp_path / "objects", routes={"odd": {"priority_class": "no-such"}})
    try:
        end, _ = rig.run(pool="odd", run="true")
        assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
        assert "no-such" in end.detail
    finally:
        rig.close()


# The API server and the node ----------------------------------------------------------------------------------------


def test_work_survives_an_api_server_that_is_away(kube):
    order = kube.start(run="sleep 3; echo done > out", outputs=[{"path": "out"}])
    kube.until_kind(K.RUNNING)
    kube.cluster.kill("kube-apiserver", signal.SIGKILL)
    ends_s = time.monotonic() + 4
    kube.until(lambda: time.monotonic() > ends_s)
    assert [one.kind for one in kube.seen if one.kind is not K.PROGRESS] == [K.RUNNING], "away is not failed"
    assert kube.adapter.knows(order.attempt_id)
    kube.cluster.start_api()
    end = kube.end()
    assert (end.kind, [one.path for one in end.outputs]) == (K.FINISHED, ["out"])
    kube.cluster.until(kube.cluster.node_ready, "ready node")


def test_work_handed_in_while_the_api_server_is_away_runs_once_when_it_is_back(kube):
    kube.cluster.kill("kube-apiserver", signal.SIGKILL)
    order = kube.start(run="echo once >> ../../count; cat ../../count")
    ends_s = time.monotonic() + 2
    kube.until(lambda: time.monotonic() > ends_s)
    assert kube.seen == []
    kube.cluster.start_api()
    assert kube.end().kind is K.FINISHED
    assert kube.log(order) == "once\n"
    kube.cluster.until(kube.cluster.node_ready, "ready node")


def test_a_node_that_goes_down_is_no_fault_of_the_task(kubernetes, tmp_path):
    rig = KubeRig(kubernetes, tmp_path / "objects", node_lost_us=2_000_000)
    try:
        rig.start(run="sleep 100")
        rig.until_kind(K.RUNNING)
        kubernetes.kill("kubelet", signal.SIGKILL)
        end = rig.end()
        assert (end.kind, end.reason, end.detail) == (K.FAILED, R.BACKEND, "the node of the pod no longer answers")
    finally:
        kubernetes.start_node()
        kubernetes.until(kubernetes.node_ready, "ready node")
        rig.close()


def test_a_kubelet_that_is_begun_again_ends_no_work(kube):
    """The pods of a node that is silent for a while go on."""
    kube.start(run="sleep 14; echo done > out", outputs=[{"path": "out"}])
    kube.until_kind(K.RUNNING)
    kube.cluster.kill("kubelet", signal.SIGKILL)
    kube.until(lambda: not kube.cluster.node_ready())
    kube.cluster.start_node()
    assert kube.end().kind is K.FINISHED


# The agent's process -----------------------------------------------------------------------------------------------


def test_a_new_process_goes_on_with_what_runs(kube):
    order = kube.start(run="echo begun; sleep 3; echo done | tee out", outputs=[{"path": "out"}])
    kube.until(lambda: "begun" in kube.log(order))
    kube.reopen()
    assert kube.adapter.knows(order.attempt_id)
    end = kube.end()
    assert (end.kind, end.exit_code) == (K.FINISHED, 0)
    assert kube.log(order) == "begun\ndone\n"
    assert end.usage.wall_us >= 2_900_000  # from its first look
    kube.reopen()
    kube.seen = []
    assert kube.end() == end, "the last word is said again, for an agent that died before it heard it"


def test_work_that_ended_while_nobody_looked_counts_though_the_cluster_has_forgotten_it(kube):
    order = kube.start(run="sleep 1; echo done > out", outputs=[{"path": "out"}])
    kube.until_kind(K.RUNNING)
    kube.adapter.close()
    wait_for(lambda: (kube.folder / "attempts" / order.attempt_id / "0/run/status-0").exists(), "end")
    kube.cluster.lose_everything(kube.namespace)
    kube.open()
    end = kube.end()
    assert (end.kind, [one.path for one in end.outputs]) == (K.FINISHED, ["out"])


def test_what_is_forgotten_while_the_api_server_is_away_is_deleted_when_it_is_back(kube):
    order = kube.start(run="sleep 100")
    kube.until_kind(K.RUNNING)
    kube.cluster.kill("kube-apiserver", signal.SIGKILL)
    kube.adapter.forget(order.attempt_id)
    kube.cluster.start_api()
    kube.until(lambda: kube.cluster.get("/version") and not kube.cluster.get(f"/apis/batch/v1/namespaces/{kube.namespace}/jobs").get("items", [1]))  # fmt: skip
    kube.cluster.until(kube.cluster.node_ready, "ready node")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.sites import kube_rig
from suanwang.agent.adapters.kubernetes import cluster
from suanwang.runtime.kubeconfig import read_kubeconfig

class Town:
    image, site_folder = "localhost/busybox:1", Path({folder!r}).parent
    def connection(self):
        return read_kubeconfig(Path({kubeconfig!r}))
    def make_namespace(self, tag):
        return {namespace!r}

create = cluster.Cluster.create
def create_and_die(self, attempt, body):
    create(self, attempt, body)
    os.kill(os.getpid(), signal.SIGKILL)
cluster.Cluster.create = create_and_die
kube_rig.time.monotonic_ns = lambda: {number}
rig = kube_rig.KubeRig(Town(), Path({objects!r}))
import time as real
del real
rig.adapter.start(rig.order(run="echo once >> ../../count; sleep 1; cat ../../count"))
import threading
threading.Event().wait(60)
"""


def test_safety_a_kill_between_create_and_note_neither_loses_nor_doubles_the_job(kube, tmp_path):
    kube.adapter.close()
    code = KILLED.format(
        root=str(Path(__file__).parents[2]),
        folder=str(kube.folder),
        kubeconfig=str(kube.cluster.kubeconfig),
        namespace=kube.namespace,
        number=int(kube.tag.removeprefix("t")),
        objects=str(tmp_path / "objects"),
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=90, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(kube.cluster.jobs(kube.namespace)) == 1, "the cluster has the job"
    kube.open()
    end = kube.end()
    assert (end.kind, kube.log(end)) == (K.FINISHED, "once\n")
    assert len(kube.cluster.jobs(kube.namespace)) == 1
