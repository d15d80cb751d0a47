"""What an attempt has done before the grid stopped it is not done again: checkpoints, and elements of arrays."""

from random import Random

import pytest
from tests.road.test_giving_way import PRICED, submit
from tests.road.town import TENANT, S, Town

from suanwang.dispatch.carry import PARTING_US
from suanwang.dispatch.watch import HEARTBEAT_LOST_US
from suanwang.model.grid import Tenant
from suanwang.model.ids import SiteId, TaskId
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Phase, TenantSet
from suanwang.model.task import Output, Resources
from suanwang.observe.resume import CHECKPOINT
from suanwang.observe.state import State
from suanwang.twin.checks import Checker
from suanwang.twin.world import compare

SAVED = {"checkpoint": "state/*", "preemptible": True}


def town_of(*sites: str) -> Town:
    town = Town(*sites, book=PRICED)
    town.road.emit(TenantSet(at_us=town.now_us, tenant=Tenant(id=TENANT, name="T", priority_max=100)))
    town.road.commit()
    town.exchange()
    return town


def held_s(town: Town, task_id: TaskId) -> list[int]:
    """How long each attempt held its lease, in seconds."""
    closed = [one for one in town.records("attempt_closed") if one["task_id"] == task_id]
    return [(one["held_end_us"] - one["held_start_us"]) // S for one in closed]


def billed(town: Town, task_id: TaskId) -> int:
    charges = [one for one in town.records("charge_posted") if one["task_id"] == task_id]
    return sum(one["line"]["amount_micro_yuan"] for one in charges)


def run_for(town: Town, seconds: int) -> None:
    for _ in range(seconds):
        town.round()


def preempted(town: Town, task_id: TaskId, after_s: int = 10) -> TaskId:
    """Another takes its room when it has run so long."""
    town.until(task_id, Phase.RUNNING)
    run_for(town, after_s)
    high = submit(town, priority=20, seconds=5)
    town.plan()
    assert town.task(task_id).phase is Phase.WAITING
    return high


def test_a_preempted_task_goes_on_where_it_stopped() -> None:
    town = town_of("here")
    low = submit(town, **SAVED)
    quote = None
    town.until(low, Phase.RUNNING)
    quote = town.task(low).plan.quote_micro_yuan
    high = preempted(town, low)
    assert town.task(low).wait_reason is WaitReason.CHECKPOINT
    town.exchange()  # the stop goes out,
    town.exchange()  # and its agent tells what was saved
    assert town.task(low).wait_reason is WaitReason.QUEUED
    assert town.task(low).resume.kept.files[0].path == "state/0"
    town.until(high, Phase.SUCCEEDED)
    town.until(low, Phase.SUCCEEDED)
    first, second = held_s(town, low)
    assert first + second <= 33, "thirty seconds of work, and not what was done before over again"
    assert second < 25
    assert 0 < billed(town, low) <= quote
    assert billed(town, low) == town.task(low).billed_micro_yuan
    assert len({one["attempt_id"] for one in town.records("charge_posted") if one["task_id"] == low}) == 2


def test_without_a_checkpoint_the_work_begins_again_and_the_first_part_is_free() -> None:
    town = town_of("here")
    low = submit(town, preemptible=True)
    preempted(town, low)
    assert town.task(low).wait_reason is WaitReason.QUEUED
    town.until(low, Phase.SUCCEEDED)
    assert held_s(town, low)[1] >= 29
    assert len({one["attempt_id"] for one in town.records("charge_posted") if one["task_id"] == low}) == 1


def test_elements_of_an_array_that_are_done_are_not_run_again() -> None:
    town = town_of("here")
    low = submit(town, cpu=1, array=4, seconds=40, preemptible=True, outputs=(Output(path="out.txt"),))
    town.until(low, Phase.RUNNING)
    whole = town.task(low).plan
    high = preempted(town, low, after_s=21)
    town.exchange()
    town.exchange()
    assert town.task(low).resume.kept.done == ((0, 2),)
    town.until(low, Phase.PLANNED)
    assert town.task(low).plan.demand.cores == whole.demand.cores // 2
    assert town.task(low).plan.quote_micro_yuan < whole.quote_micro_yuan
    town.until(high, Phase.SUCCEEDED)
    town.until(low, Phase.SUCCEEDED)
    closed = town.records("attempt_closed")[-1]
    assert sorted(one["path"] for one in closed["outputs"]) == [f"{index}/out.txt" for index in range(4)]
    assert held_s(town, low)[1] <= 21


def test_a_lost_site_loses_only_what_was_done_since_the_last_checkpoint() -> None:
    town = town_of("there", "here")
    low = submit(town, checkpoint="state", checkpoint_every=5 * S, origin=SiteId("here"), sites=("there", "here"))
    town.until(low, Phase.RUNNING)
    lost = town.task(low).plan.site
    run_for(town, 18)
    del town.agents[lost]
    run_for(town, HEARTBEAT_LOST_US // S + 2)
    closed = town.records("attempt_closed")[0]
    assert closed["reason"] == FailureReason.SITE_LOST
    town.until(low, Phase.SUCCEEDED)
    plan = [one for one in town.records("plan_committed") if one["plan"]["task_id"] == low][-1]["plan"]
    assert plan["site"] != lost
    (move,) = plan["data"]
    assert (move["data_set"], move["replica"]) == (CHECKPOINT, "here"), "from the object store, for the site is gone"
    assert held_s(town, low)[1] <= 16, "fifteen seconds of thirty were saved"


def test_a_site_that_an_operator_takes_out_still_brings_what_was_done() -> None:
    town = town_of("there", "here")
    low = submit(town, **SAVED)
    town.until(low, Phase.RUNNING)
    run_for(town, 10)
    gone = town.task(low).plan.site
    town.road.lose_site(gone, "operator_failed")
    assert town.task(low).wait_reason is WaitReason.CHECKPOINT
    town.until(low, Phase.SUCCEEDED)
    assert held_s(town, low)[1] <= 22


def test_whoever_brings_nothing_is_not_waited_for_longer_than_it_takes() -> None:
    town = town_of("there", "here")
    low = submit(town, **SAVED)
    preempting_site = town.until(low, Phase.RUNNING).plan.site
    run_for(town, 3)
    town.road.lose_site(preempting_site, "operator_failed")
    del town.agents[preempting_site]
    town.now_us += PARTING_US - 2 * S
    town.plan()
    assert town.task(low).phase is Phase.WAITING
    town.now_us += 2 * S
    town.until(low, Phase.SUCCEEDED)
    assert held_s(town, low)[1] >= 29


def test_a_late_word_changes_nothing_for_an_attempt_that_has_begun() -> None:
    town = town_of("there", "here")
    low = submit(town, **SAVED)
    site = town.until(low, Phase.RUNNING).plan.site
    run_for(town, 5)
    silent = town.agents.pop(site)
    run_for(town, HEARTBEAT_LOST_US // S + 2)
    town.until(low, Phase.RUNNING)
    town.agents[site] = silent
    run_for(town, 4)
    assert town.task(low).resume is None or not town.task(low).resume.kept.files
    town.until(low, Phase.SUCCEEDED)


@pytest.mark.parametrize("seed", range(10))
def test_safety_a_kept_task_never_costs_more_and_replays_the_same(seed: int) -> None:
    draw = Random(seed)
    town, checker = town_of("here", "there"), Checker()
    tasks, consent = [], {}
    for _ in range(60):
        if draw.random() < 0.3:
            array = draw.choice((1, 1, 4))
            tasks.append(
                submit(
                    town,
                    cpu=draw.choice((1, 2, 4)) if array == 1 else 1,
                    seconds=draw.choice((5, 20, 50)),
                    priority=draw.choice((0, 10, 50)),
                    preemptible=draw.random() < 0.8,
                    checkpoint=draw.choice((None, "state")),
                    checkpoint_every=draw.choice((None, 2 * S)),
                    array=array,
                )
            )
        if draw.random() < 0.1:
            site = draw.choice([SiteId("here"), SiteId("there")])
            town.road.lose_site(site, "operator_failed")
            town.road.heal_site(site)
            town.road.commit()
        town.round()
        for one in tasks:
            task = town.task(one)
            consent[one] = (task.first_quote_micro_yuan or 0) * (1 + task.own_failures)
            assert task.billed_micro_yuan <= consent[one]
        checker.after_step(town.road.state)
        if draw.random() < 0.2:
            compare(town.road.state, town.log.replay(State(town.index)))
    for one in tasks:
        if town.task(one).phase is not Phase.REFUSED:
            town.until(one, Phase.SUCCEEDED)
    assert not town.road.state.parting
    assert all(task.resume is None and task.parting is None for task in town.road.state.tasks.values())


def test_a_task_that_must_give_way_again_and_again_still_comes_to_its_end() -> None:
    """Thirty seconds of work in pieces of nine: from scratch it would never end."""
    town = town_of("here")
    low = submit(town, seconds=30, checkpoint="state", preemptible=True, price_limit=300_000)
    for _ in range(3):
        high = preempted(town, low, after_s=7)
        town.until(high, Phase.SUCCEEDED)
    town.until(low, Phase.SUCCEEDED)
    assert max(held_s(town, low)) <= 12
    assert sum(held_s(town, low)) <= 36
    assert billed(town, low) <= 300_000


def test_the_rest_of_a_request_keeps_its_wall_time() -> None:
    town = town_of("here")
    low = submit(town, **SAVED)
    preempted(town, low)
    town.until(low, Phase.PLANNED, Phase.RUNNING)
    plan = town.task(low).plan
    assert plan.end_us - plan.run_start_us == Resources(wall_time=60 * S).wall_time
