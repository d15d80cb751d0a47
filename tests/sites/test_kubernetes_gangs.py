"""Gangs on a real Kubernetes: all of a gang stands, or none of it works."""

import time

from tests.sites.kube_cluster import SITES

from suanwang.model.event import EventKind

pytestmark = SITES
K = EventKind
SHAPE = {"kind": "hpc", "memory": "64 MiB"}


def test_a_gang_works_together_in_one_folder(kube):
    end, log = kube.run(
        run="echo rank $SUANWANG_NODE_RANK of $SUANWANG_NODES; echo x > part-$SUANWANG_NODE_RANK",
        resources={"nodes": 2, **SHAPE},
        outputs=[{"path": "part-*"}],
    )
    assert (end.kind, [one.path for one in end.outputs]) == (K.FINISHED, ["part-0", "part-1"])
    assert sorted(log.splitlines()) == ["[rank 0] rank 0 of 2", "[rank 1] rank 1 of 2"]


def test_one_member_that_fails_fails_the_gang(kube):
    end, _ = kube.run(run="[ $SUANWANG_NODE_RANK = 0 ] || exit 4; sleep 100", resources={"nodes": 2, **SHAPE})
    assert (end.kind, end.exit_code) == (K.FAILED, 4)
    kube.until(lambda: not kube.cluster.pods(kube.namespace))


def test_a_gang_without_room_makes_nothing_and_goes_when_there_is(kube):
    most = int(kube.cluster.get(f"/api/v1/nodes/{kube.cluster.node}")["status"]["allocatable"]["cpu"])
    first = kube.start(1, run="sleep 100", resources={"cpu": most})
    kube.until_kind(K.RUNNING)
    kube.adapter.start(kube.order(2, run="true", resources={"nodes": 2, **SHAPE}))
    ends_s = time.monotonic() + 2
    kube.until(lambda: time.monotonic() > ends_s)
    assert len(kube.cluster.jobs(kube.namespace)) == 1, "half a gang would hold what the other half waits for"
    kube.adapter.stop(first.attempt_id)
    kube.until(lambda: any(one.kind is K.FINISHED and one.attempt_id[-1] == "2" for one in kube.seen))


def test_a_gang_that_does_not_come_to_stand_is_taken_back_before_it_works(kubernetes, tmp_path, monkeypatch):
    """Another scheduler's work took the room in between: the look said that there was some."""
    from tests.sites.kube_rig import KubeRig

    from suanwang.agent.adapters.kubernetes.cluster import Cluster

    rig = KubeRig(kubernetes, tmp_path / "objects", gang_wait_us=3_000_000)
    try:
        most = int(kubernetes.get(f"/api/v1/nodes/{kubernetes.node}")["status"]["allocatable"]["cpu"])
        rooms = iter([True, False, False, False, False])
        monkeypatch.setattr(Cluster, "has_room", lambda self, attempt, others=(): next(rooms, True))
        order = rig.start(
            run="echo $SUANWANG_NODE_RANK >> ../../count", resources={"nodes": most + 1, "cpu": 1, **SHAPE}
        )
        rig.until(lambda: len(rig.cluster.jobs(rig.namespace)) == most + 1)
        rig.until(lambda: not rig.cluster.jobs(rig.namespace))
        assert not (rig.folder / "attempts" / order.attempt_id / "count").exists(), "no member has begun"
        assert [one.kind for one in rig.seen] == []
        rig.adapter.stop(order.attempt_id)
        assert rig.end().kind is K.STOPPED
    finally:
        rig.close()
