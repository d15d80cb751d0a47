"""What goes wrong on a real Ray head, and what the agent makes of it: `make test-sites`. The head is killed in some of these tests
and started again."""

import json
import time

import pytest
from tests.sites.ray_head import SITES, RayHead
from tests.sites.ray_rig import RayRig

from suanwang.agent.adapters.ray.server import AwayError, RayServer
from suanwang.model.event import EventKind
from suanwang.model.reason import FailureReason
from suanwang.runtime.ray_site import RayWish, discover_ray

pytestmark = SITES
SECOND = 1_000_000


class Unheard(RayServer):
    """Its answers to new jobs are lost on the way back."""

    def submit(self, document):
        super().submit(document)
        raise AwayError("the answer was lost")

    def job(self, name):
        raise AwayError("away since")


def test_a_job_whose_answer_was_lost_is_found_again_and_runs_once(ray_head, tmp_path):
    rig = RayRig(ray_head, tmp_path, server=Unheard)
    order = rig.start(run="echo once; echo done > result.txt", outputs=[{"path": "result.txt"}])
    rig.until(lambda: ray_head.jobs(rig.scope))
    rig.reopen()
    assert rig.end(order).kind is EventKind.FINISHED
    assert rig.log(order) == "once\n"
    assert len(ray_head.jobs(rig.scope)) == 1
    rig.close()
    assert ray_head.jobs(rig.scope) == [], "what is forgotten Ray forgets too"


def test_a_job_that_is_stopped_behind_our_back_is_no_fault_of_the_task(ray):
    order = ray.start(run="sleep 1000")
    ray.until_kind(order, EventKind.RUNNING)
    ray.head.ask("POST", f"/api/jobs/{ray.scope}{order.attempt_id}/stop")
    end = ray.end(order)
    assert (end.kind, end.reason) == (EventKind.FAILED, FailureReason.BACKEND)
    assert "stopped at the site" in end.detail


def test_what_fits_on_no_node_is_said_at_once_and_in_figures(ray):
    big = ray.start(run="true", resources={"memory": "4 TiB"})
    npu = ray.start("npu", run="true", resources={"accelerators": 1, "accelerator": "ascend910b"})
    for order, words in ((big, "memory 4096.0 GiB of"), (npu, "NPU 1 of 0")):
        end = ray.end(order)
        assert end.reason is FailureReason.BACKEND
        assert words in end.detail
    assert ray.head.jobs(ray.scope) == []


def test_what_a_cluster_that_scales_has_no_node_for_waits_and_is_stopped_without_running(ray):
    order = ray.start("scaling", run="true", resources={"accelerators": 1, "accelerator": "ascend910b"})
    ray.until(lambda: ray.head.jobs(ray.scope))
    ray.adapter.stop(order.attempt_id)
    assert ray.end(order).kind is EventKind.STOPPED
    assert EventKind.RUNNING not in {one.kind for one in ray.seen}


def test_accelerators_are_reserved_and_the_work_is_told_which(ray):
    run = 'echo "cards $CUDA_VISIBLE_DEVICES"'
    resources = {"accelerators": 2, "accelerator": "a100"}
    order = ray.start("gpu", run=run, resources=resources)
    assert ray.end(order).kind is EventKind.FINISHED
    assert sorted(ray.log(order).split()[1].split(",")) == ["0", "1"]


def test_the_runtime_environment_of_the_pool_reaches_the_work_and_the_task_has_the_last_word(ray):
    order = ray.start("named", run='echo "$OF_THE_SITE $OF_BOTH"', environment={"OF_BOTH": "task"})
    assert ray.end(order).kind is EventKind.FINISHED
    assert ray.log(order) == "ours task\n"


def test_work_may_use_the_cluster_itself(ray):
    script = """
import ray
ray.init(log_to_driver=False)

@ray.remote(num_cpus=1)
def square(x):
    return x * x

print(ray.get([square.remote(x) for x in range(4)]))
"""
    order = ray.start(run={"script": script})
    assert ray.end(order).kind is EventKind.FINISHED, ray.log(order)
    assert "[0, 1, 4, 9]" in ray.log(order)


def test_a_runtime_environment_that_cannot_be_made_is_the_sites_fault(ray):
    order = ray.start("broken", run="true")
    end = ray.end(order)
    assert end.reason is FailureReason.BACKEND
    assert "runtime_env" in end.detail


def test_the_wall_time_is_held_on_the_node_and_nothing_that_the_work_left_lives_on(ray, tmp_path):
    mark = tmp_path / "beats"
    beat = f"setsid sh -c 'while :; do date +%N >{mark}; sleep 0.1; done' & sleep 1000"
    order = ray.start(run=beat, resources={"wall_time": 2 * SECOND})
    end = ray.end(order)
    assert end.reason is FailureReason.WALL_TIME
    assert end.usage.wall_us >= 2 * SECOND
    last = mark.read_text()
    time.sleep(0.5)
    assert mark.read_text() == last, "a process in a session of its own is ended too"


def test_an_array_goes_in_by_parts_and_its_failed_element_ends_the_rest(ray_head, tmp_path):
    rig = RayRig(ray_head, tmp_path, jobs_max=2)
    order = rig.start(run='[ "$SUANWANG_ARRAY_INDEX" != 1 ] || exit 7; sleep 1000', array=4)
    end = rig.end(order)
    assert (end.reason, end.exit_code) == (FailureReason.EXIT_CODE, 7)
    assert "element 1" in end.detail
    assert len(ray_head.jobs(rig.scope)) <= 3
    rig.close()


def test_a_cluster_says_what_it_has_for_joining(ray_head):
    found = discover_ray(RayWish(url=ray_head.url), ("cpu",))
    (pool,) = found.pools
    assert (pool.name, pool.kind.value, pool.accelerator_model, pool.accelerators_per_node) == ("a100", "ai", "a100", 2)
    assert (pool.cores_per_node, pool.queue, pool.resource) == (8, "GPU", "accelerator_type:A100")
    assert found.version.startswith("Ray 2.")
    assert "cpu" in found.limits
    assert "cpu_limit" not in pool.lacks


def test_work_that_ends_while_the_head_is_away_has_ended(ray):
    """The head's dashboard is what the agent asks, and the runner writes to the shared folder: one is enough."""
    order = ray.start(run="sleep 3; echo done")
    ray.until_kind(order, EventKind.RUNNING)
    ray.adapter.close()
    ray.changes["url"] = "http://127.0.0.1:1"
    ray.open()
    assert ray.end(order).kind is EventKind.FINISHED
    assert ray.log(order) == "done\n"
    del ray.changes["url"]
    ray.reopen()


def test_a_head_that_is_killed_is_away_and_what_it_forgot_is_lost(ray):
    ran = ray.start(run="sleep 1000")
    ray.until_kind(ran, EventKind.RUNNING)
    ray.head.kill()
    before = len(ray.seen)
    for _ in range(20):
        ray.pass_time()
        ray.seen += ray.adapter.poll()
    assert len(ray.seen) == before, "nothing is concluded while it is away"
    waits = ray.start(run="echo after")
    ray.head.start()
    end = ray.end(ran)
    assert end.reason is FailureReason.LOST
    assert ray.end(waits).kind is EventKind.FINISHED
    assert ray.log(waits) == "after\n"


def test_a_job_that_waited_when_the_head_was_lost_is_handed_in_again(ray):
    """It had not begun, so it may begin now."""
    blocks = ray.start("gpu", run="sleep 1000", resources={"accelerators": 2, "accelerator": "a100"})
    ray.until_kind(blocks, EventKind.RUNNING)
    waits = ray.start("gpu", run="echo once", resources={"accelerators": 1, "accelerator": "a100"})
    record = ray.folder / f"ray/records/{waits.attempt_id}.json"
    ray.until(lambda: json.loads(record.read_text())["taken"])
    (job,) = ray.head.jobs(ray.scope + waits.attempt_id)
    assert job["status"] == "PENDING"
    ray.head.restart()
    assert ray.end(blocks).reason is FailureReason.LOST
    assert ray.end(waits).kind is EventKind.FINISHED
    assert ray.log(waits) == "once\n"


@pytest.fixture(autouse=True)
def head_is_back(ray_head: RayHead):
    yield
    if not ray_head.alive:
        ray_head.start()
