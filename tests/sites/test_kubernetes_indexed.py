"""Servers since 1.24, by the fake API server (a test tool, see `kube_fake.py`): Indexed Jobs, and Jobs that are begun later.

No Kubernetes of that age can be built from what this project may rely on; `make test-sites` runs the same adapter on a real, older
one, and with SUANWANG_SITES_KUBECONFIG on a newer one.
"""

import shutil

import pytest
from tests.agent.rigs import SANDBOX, now_us
from tests.sites.kube_contract import contract_cases
from tests.sites.kube_fake import FakeKubernetes
from tests.sites.kube_rig import KubeRig

from suanwang.agent.adapters.kubernetes.api import AwayError
from suanwang.agent.adapters.kubernetes.cluster import Cluster
from suanwang.agent.conformance import Work, adapter_cases
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason

pytestmark = [*SANDBOX, pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")]
K, R = EventKind, FailureReason
# There are no control groups here, and so no end by memory: the real server has that case too.
CASES = adapter_cases({Work.OUT_OF_MEMORY})
# Those that say something of the fake or of Indexed Jobs run with every `make test`, the others with `make test-sites`.
QUICK = {
    "array_outputs_have_their_index",
    "elements_that_are_done_are_not_run_again",
    "exit_code",
    "forget_is_silent",
    "log_is_kept",
    "restart_reports_the_lost",
    "start_to_finish",
    "stop_ends_it",
}
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.sites) for name in sorted(CASES)]


@pytest.fixture(scope="module")
def town():
    made = FakeKubernetes()
    yield made
    made.close()


@pytest.fixture
def rig(town, tmp_path):
    made = KubeRig(town, tmp_path / "objects", wait_s=20, poll_us=50_000)
    yield made
    made.close()


@pytest.mark.parametrize("name", EACH)
def test_conformance(name, rig):
    CASES[name](rig)


@pytest.mark.parametrize("name", sorted(contract_cases()))
def test_the_fake_keeps_the_contract(name, town):
    contract_cases()[name](town)


def test_an_array_is_one_indexed_job(rig):
    end, log = rig.run(run="echo element $SUANWANG_ARRAY_INDEX | tee out", array=3, outputs=[{"path": "out"}])
    assert (end.kind, [one.path for one in end.outputs]) == (K.FINISHED, ["0/out", "1/out", "2/out"])
    assert sorted(log.splitlines()) == [f"[{index}] element {index}" for index in range(3)]
    (job,) = rig.cluster.jobs(rig.namespace)
    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 3)


def test_a_gang_is_a_job_that_is_begun_when_there_is_room(rig, town):
    town.busy_cores = 7
    try:
        rig.start(run="echo $SUANWANG_NODE_RANK", resources={"nodes": 2, "cpu": 1, "kind": "hpc"})
        rig.until(lambda: rig.cluster.jobs(rig.namespace))
        (job,) = rig.cluster.jobs(rig.namespace)
        assert job["spec"]["suspend"] is True
        assert rig.cluster.pods(rig.namespace) == [], "a Job that is not begun holds nothing"
    finally:
        town.busy_cores = 0
    end = rig.end()
    assert (end.kind, sorted(rig.log(end).splitlines())) == (K.FINISHED, ["[rank 0] 0", "[rank 1] 1"])


def test_a_server_without_them_gets_a_job_for_each_element(town, tmp_path, monkeypatch):
    monkeypatch.setitem(town.version, "minor", "23+")
    rig = KubeRig(town, tmp_path / "objects", wait_s=20, poll_us=50_000)
    try:
        rig.run(run="true", array=3)
        jobs = rig.cluster.jobs(rig.namespace)
        assert len(jobs) == 3
        assert not any("completionMode" in one["spec"] for one in jobs)
    finally:
        rig.close()


def test_a_new_process_keeps_to_the_jobs_that_were_made(town, rig, monkeypatch):
    """The server was brought up to date in between: an attempt is read as it was written."""
    order = rig.start(run="echo $SUANWANG_ARRAY_INDEX; sleep 1", array=2)
    rig.until_kind(K.RUNNING)
    monkeypatch.setitem(town.version, "minor", "20")
    rig.reopen()
    assert rig.end().kind is K.FINISHED
    assert len(rig.cluster.jobs(rig.namespace)) == 1
    assert sorted(rig.log(order).splitlines()) == ["[0] 0", "[1] 1"]


def test_a_quota_is_the_sites_word(town, rig):
    town.refuse = (403, "Forbidden", "exceeded quota: few, requested: count/jobs.batch=1, used: 2, limited: 2")
    try:
        end, _ = rig.run(run="true", array=2)
    finally:
        town.refuse = None
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND)
    assert end.detail.startswith("element 0: the namespace's quota is exceeded")


def test_a_pod_in_the_place_of_one_that_began_does_nothing(rig):
    order = rig.start(run="echo once >> ../../count; sleep 100", array=2)
    count = rig.folder / "attempts" / order.attempt_id / "count"
    rig.until(lambda: count.exists() and count.read_text() == "once\nonce\n")
    rig.until(lambda: all(part.pod for part in rig.adapter._attempts[order.attempt_id].parts))
    pod = rig.cluster.pods(rig.namespace)[0]["metadata"]["name"]
    rig.cluster.api.request(
        "DELETE", f"/api/v1/namespaces/{rig.namespace}/pods/{pod}", params={"gracePeriodSeconds": "1"}
    )
    end = rig.end()
    assert (end.kind, end.reason) == (K.FAILED, R.BACKEND), end.detail
    assert count.read_text() == "once\nonce\n"


def test_safety_nothing_has_ended_while_the_server_does_not_say_so(rig, town, monkeypatch):
    """Stopped while the server is away: its time to go begins with the deletion, and a pod that is there still works."""
    monkeypatch.setattr("suanwang.agent.adapters.kubernetes.look.GONE_US", 0)
    monkeypatch.setattr("suanwang.agent.adapters.kubernetes.clerk.DELETE_AGAIN_US", 100_000)
    rig.changes["grace_us"] = 1
    rig.reopen()
    order = rig.start(run="sleep 100")
    rig.until_kind(K.RUNNING)
    away = iter(range(8))

    def delete(self, namespace, selector, grace_s):
        if next(away, None) is not None:
            raise AwayError("away")

    with monkeypatch.context() as broken:  # away, and then it takes the deletion without a pod that goes
        broken.setattr(Cluster, "_delete", delete)
        rig.adapter.stop(order.attempt_id)
        rig.until(lambda: next(away, None) is None)
        rig.until(lambda: rig.adapter._attempts[order.attempt_id].deletes > 0)
        ends_us = now_us() + 500_000
        rig.until(lambda: now_us() > ends_us)
        assert K.STOPPED not in [one.kind for one in rig.seen]
    assert rig.end().kind is K.STOPPED
    assert not [one for one in rig.cluster.pods(rig.namespace) if one["status"]["phase"] == "Running"]


def test_safety_a_route_that_changes_moves_no_work_that_runs(rig):
    """The operator gives the pool another namespace: what runs is still followed where it is, and runs once."""
    order = rig.start(run="echo once >> ../../count; sleep 1.5; cat ../../count")
    rig.until(lambda: list(rig.folder.glob("attempts/*/count")))
    (pool,) = {order.pool}
    rig.routes[pool] = rig.routes[pool].model_copy(update={"namespace": f"{rig.namespace}-new"})
    rig.reopen()
    end = rig.end()
    assert (end.kind, rig.log(order)) == (K.FINISHED, "once\n")
    assert not rig.cluster.jobs(f"{rig.namespace}-new")


def test_one_attempt_that_cannot_go_on_stops_no_other(rig, monkeypatch):
    create = Cluster.create

    def odd(self, attempt, body):
        if attempt.order.attempt_id.endswith("1"):
            raise KeyError("odd")
        return create(self, attempt, body)

    monkeypatch.setattr(Cluster, "create", odd)
    rig.start(1, run="true")
    rig.adapter.start(rig.order(2, run="true"))
    rig.until(lambda: sum(one.kind in (K.FAILED, K.FINISHED) for one in rig.seen) == 2)
    first, second = sorted((one for one in rig.seen if one.kind in (K.FAILED, K.FINISHED)), key=lambda one: one[0])
    assert (first.kind, first.reason, second.kind) == (K.FAILED, R.BACKEND, K.FINISHED)


def test_an_image_that_the_operator_takes_back_fails_its_attempt_alone(rig, town):
    rig.changes["images"] = ("localhost/*",)
    rig.reopen()
    town.refuse = (503, "ServiceUnavailable", "later")
    try:
        order = rig.start(run="true", image="localhost/old:1")
        rig.until(lambda: rig.adapter._attempts[order.attempt_id].record.turn == 1)
        rig.changes["images"] = ()
        rig.reopen()
    finally:
        town.refuse = None
    end = rig.end()
    assert (end.kind, end.reason) == (K.FAILED, R.IMAGE_UNKNOWN)
    assert rig.run(2, run="true")[0].kind is K.FINISHED


GANG = {"nodes": 2, "cpu": 1, "kind": "hpc"}


def test_a_gang_whose_image_is_slow_to_come_is_not_taken_back(rig, town):
    rig.changes["gang_wait_us"] = 100_000
    rig.reopen()
    town.slow.clear()
    try:
        rig.start(run="true", resources=GANG)
        rig.until(lambda: len(rig.cluster.pods(rig.namespace)) == 2)
        ends_us = now_us() + 600_000
        rig.until(lambda: now_us() > ends_us)
        assert len(rig.cluster.pods(rig.namespace)) == 2
    finally:
        town.slow.set()
    assert rig.end().kind is K.FINISHED
    (job,) = rig.cluster.jobs(rig.namespace)
    assert job["metadata"]["labels"]["suanwang.io/turn"] == "1"


@pytest.mark.parametrize("minor", ["30", "23"])
def test_half_a_gang_is_taken_back_by_a_new_process_too(rig, town, monkeypatch, minor):
    monkeypatch.setitem(town.version, "minor", minor)
    rig.changes["gang_wait_us"] = 300_000
    rig.reopen()
    town.full = True
    try:
        order = rig.start(run="true", resources=GANG)
        rig.until(lambda: len(rig.cluster.pods(rig.namespace)) == 2)
        rig.reopen()
        rig.until(lambda: rig.adapter._attempts[order.attempt_id].record.turn >= 2)
    finally:
        town.full = False
    assert rig.end().kind is K.FINISHED


def test_one_gang_of_a_pool_goes_to_its_nodes_at_a_time(rig, town):
    """Two that both saw the same room would each get half of it."""
    town.full = True
    try:
        first = rig.start(1, run="true", resources=GANG)
        rig.until(lambda: len(rig.cluster.pods(rig.namespace)) == 2)
        rig.adapter.start(rig.order(2, run="true", resources=GANG))
        rig.until(lambda: len(rig.cluster.jobs(rig.namespace)) == 2)
        ends_us = now_us() + 300_000
        rig.until(lambda: now_us() > ends_us)
        assert len(rig.cluster.pods(rig.namespace)) == 2
    finally:
        town.full = False
    rig.adapter.stop(first.attempt_id)
    rig.until(lambda: any(one.kind is K.FINISHED and one.attempt_id[-1] == "2" for one in rig.seen))


def test_safety_a_creation_that_nobody_heard_the_answer_of_is_ended_before_the_last_word(rig, monkeypatch):
    """The server made the Job and the answer was lost: stopped then, it is looked for by its name."""
    create = Cluster.create

    def unheard(self, attempt, body):
        create(self, attempt, body)
        raise AwayError("the answer was lost")

    monkeypatch.setattr(Cluster, "create", unheard)
    monkeypatch.setattr(Cluster, "jobs", lambda self, attempt: {})  # a mirror that is far behind
    monkeypatch.setattr(Cluster, "pods", lambda self, attempt: {})
    order = rig.start(run="sleep 100")
    rig.until(lambda: rig.cluster.jobs(rig.namespace))
    rig.adapter.stop(order.attempt_id)
    assert rig.end().kind is K.STOPPED
    assert not rig.cluster.jobs(rig.namespace)
