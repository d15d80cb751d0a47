"""A task after other tasks: it waits with a reason, wakes with what cures it, and ends where that can never come."""

import random

import pytest
from tests.road.town import TENANT, S, Town

from suanwang.dispatch.after import Outlook, look
from suanwang.model.grid import Tenant
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.principal import Submission
from suanwang.model.reason import FailureReason, RefusalReason, WaitReason
from suanwang.model.record import ENDS, Phase, TenantSet
from suanwang.model.task import AFTER_MAX, After, Resources, TaskRequest, When
from suanwang.observe.state import State
from suanwang.twin.world import compare

SMALL = Resources(cpu=1, memory=1, wall_time=60 * S)


@pytest.fixture
def town() -> Town:
    town = Town(tenant=Tenant(id=TENANT, name="T", priority_max=100))
    town.exchange()
    return town


def send(town: Town, *after: tuple[TaskId, When], outcome: str = "ok", **fields) -> TaskId:
    wanted = tuple(After(task=task_id, when=when) for task_id, when in after)
    tags = {"fake.outcome": outcome, "fake.duration-us": str(5 * S)}
    return town.submit(after=wanted, tags=tags, resources=SMALL, retries=0, **fields)


def waits_after(town: Town, task_id: TaskId) -> bool:
    task = town.task(task_id)
    return task.phase is Phase.WAITING and task.wait_reason is WaitReason.AFTER


def test_it_waits_for_a_success_and_is_planned_in_the_batch_that_tells_of_it(town: Town) -> None:
    first = send(town)
    second = send(town, (first, When.SUCCEEDED))
    assert waits_after(town, second)
    town.until(first, Phase.RUNNING)
    assert waits_after(town, second)
    assert not [one for one in town.records("plan_committed") if one["plan"]["task_id"] == second]
    town.until(first, Phase.SUCCEEDED)
    (ended,) = town.records("task_ended")
    woken = [one for one in town.records("task_waits") if one["task_id"] == second and one["reason"] == "queued"]
    assert woken[0]["at_us"] == ended["at_us"]
    assert town.until(second, Phase.SUCCEEDED)
    assert town.records("attempt_opened")[1]["at_us"] >= ended["at_us"]


@pytest.mark.parametrize(
    ("outcome", "when", "end"),
    [
        ("ok", When.SUCCEEDED, Phase.SUCCEEDED),
        ("ok", When.FAILED, Phase.CANCELLED),
        ("ok", When.ENDED, Phase.SUCCEEDED),
        ("ok", When.STARTED, Phase.SUCCEEDED),
        ("exit:1", When.SUCCEEDED, Phase.CANCELLED),
        ("exit:1", When.FAILED, Phase.SUCCEEDED),
        ("exit:1", When.ENDED, Phase.SUCCEEDED),
        ("exit:1", When.STARTED, Phase.SUCCEEDED),
    ],
)
@pytest.mark.parametrize("late", [False, True], ids=["before", "when it has ended"])
def test_every_condition_has_one_outcome_whenever_it_is_submitted(
    town: Town, outcome: str, when: When, end: Phase, late: bool
) -> None:
    first = send(town, outcome=outcome)
    if late:
        town.until(first, Phase.SUCCEEDED, Phase.FAILED)
    second = send(town, (first, when))
    town.until(second, end)
    if end is Phase.CANCELLED:
        ended = next(one for one in town.records("task_ended") if one["task_id"] == second)
        assert (ended["reason"], ended["detail"]) == (FailureReason.AFTER_LOST, first)
        assert town.road.state.following.leaders == {}


def test_started_does_not_wait_for_the_end(town: Town) -> None:
    first = town.submit(tags={"fake.outcome": "hang"}, resources=SMALL)
    second = send(town, (first, When.STARTED))
    assert waits_after(town, second)
    town.until(second, Phase.SUCCEEDED)
    assert town.task(first).phase is Phase.RUNNING


def test_all_conditions_have_to_come_true(town: Town) -> None:
    first, other = send(town), send(town, outcome="exit:1")
    second = send(town, (first, When.SUCCEEDED), (other, When.ENDED))
    town.until(first, Phase.SUCCEEDED)
    town.until(other, Phase.FAILED)
    town.until(second, Phase.SUCCEEDED)


def test_a_chain_longer_than_calls_are_deep_falls_as_one(town: Town) -> None:
    chain = [send(town, outcome="exit:1")]
    for _ in range(400):
        chain.append(send(town, (chain[-1], When.SUCCEEDED)))
    town.until(chain[0], Phase.FAILED)
    assert {town.task(one).phase for one in chain[1:]} == {Phase.CANCELLED}
    assert len({one["at_us"] for one in town.records("task_ended")}) == 1


def test_a_cancel_of_the_first_ends_what_comes_after_its_success(town: Town) -> None:
    first = send(town)
    second, third = send(town, (first, When.SUCCEEDED)), send(town, (first, When.ENDED))
    town.road.cancel(first, "me")
    assert town.task(second).phase is Phase.CANCELLED
    town.until(third, Phase.SUCCEEDED)


def test_it_can_be_cancelled_and_its_deadline_goes_on(town: Town) -> None:
    first = town.submit(tags={"fake.outcome": "hang"}, resources=Resources(cpu=1, memory=1, wall_time=3600 * S))
    one = send(town, (first, When.SUCCEEDED))
    two = send(town, (first, When.SUCCEEDED), deadline=town.now_us + 70 * S)
    town.road.cancel(one, "me")
    assert town.task(one).phase is Phase.CANCELLED
    town.until(two, Phase.EXPIRED)
    assert town.road.state.following.leaders == {}
    assert town.road.state.following.followers == {}


def test_a_brain_that_starts_again_still_waits(town: Town) -> None:
    first = send(town)
    second = send(town, (first, When.SUCCEEDED), deadline=town.now_us + 600 * S)
    town.until(first, Phase.RUNNING)
    again = town.opened()
    assert compare(town.road.state, again.state) is None
    again.plan_round()
    assert again.state.tasks[second].phase is Phase.WAITING
    assert again.waits.line.inside == {}
    assert again.waits.late.due(town.now_us + 541 * S) == [second]


def test_a_task_of_another_tenant_or_of_nobody_is_unknown(town: Town) -> None:
    town.road.emit(TenantSet(at_us=town.now_us, tenant=Tenant(id=TenantId("u"), name="U")))
    theirs = town.ids.task_id()
    town.road.submit(TenantId("u"), "you", [Submission(request=TaskRequest(run="true"))], [theirs])
    second = send(town, (theirs, When.ENDED), (TaskId("task-" + "z" * 26), When.ENDED))
    (refused,) = town.records("task_refused")
    assert town.task(second).phase is Phase.REFUSED
    assert [(one["reason"], one["field"]) for one in refused["refusals"]] == [
        (RefusalReason.AFTER_UNKNOWN, "after[0].task"),
        (RefusalReason.AFTER_UNKNOWN, "after[1].task"),
    ]


class TestArrays:
    def test_at_once_runs_an_array_in_waves(self, town: Town) -> None:
        task_id = send(town, array=5, at_once=2)
        parts = town.task(task_id).parts
        assert [(town.task(one).request.elements.first, town.task(one).request.elements.count) for one in parts] == [
            (0, 2),
            (2, 2),
            (4, 1),
        ]
        most = 0
        for _ in range(60):
            town.round()
            live = [town.task(one) for one in parts if town.task(one).attempt is not None]
            most = max(most, len(live))
            if town.task(task_id).phase in ENDS:
                break
        assert (town.task(task_id).phase, most) == (Phase.SUCCEEDED, 1)

    def test_a_wave_that_fails_does_not_stop_the_next(self, town: Town) -> None:
        task_id = send(town, array=2, at_once=1, outcome="exit:1")
        town.until(task_id, Phase.FAILED)
        assert len(town.records("attempt_opened")) == 2

    def test_what_comes_after_an_array_waits_for_all_of_it(self, town: Town) -> None:
        first = send(town, array=4, at_once=2)
        second = send(town, (first, When.SUCCEEDED))
        town.until(town.task(first).parts[0], Phase.SUCCEEDED)
        assert waits_after(town, second)
        town.until(second, Phase.SUCCEEDED)

    def test_an_array_in_waves_comes_after_too_and_falls_as_one(self, town: Town) -> None:
        first = send(town, outcome="exit:1")
        second = send(town, (first, When.SUCCEEDED), array=4, at_once=2)
        parts = town.task(second).parts
        assert all(waits_after(town, one) for one in parts)
        town.until(second, Phase.CANCELLED)
        ended = {one["task_id"]: one["reason"] for one in town.records("task_ended")}
        assert {ended[one] for one in (*parts, second)} == {FailureReason.AFTER_LOST}

    def test_the_longest_list_and_one_wave_more_can_be_read_from_the_log(self, town: Town) -> None:
        first = send(town, outcome="exit:1")
        many = tuple((first, when) for when in When) * (AFTER_MAX // 4)
        send(town, *many, array=2, at_once=1)
        assert compare(town.road.state, town.opened().state) is None


@pytest.mark.parametrize("seed", range(4))
def test_progress_a_random_graph_always_ends_and_nobody_begins_too_early(seed: int) -> None:
    draw = random.Random(seed)
    town = Town(tenant=Tenant(id=TENANT, name="T", priority_max=100))
    town.exchange()
    tasks: list[TaskId] = []
    for _ in range(25):
        after = [(one, draw.choice(list(When))) for one in draw.sample(tasks, min(len(tasks), draw.randrange(3)))]
        tasks.append(send(town, *after, outcome=draw.choice(["ok", "ok", "exit:1"])))
        if draw.random() < 0.3:
            town.round()
    wishes = {one: town.task(one).request.after for one in tasks if town.task(one).request is not None}
    for _ in range(300):
        town.round()
        for one in tasks:
            if town.task(one).plan is not None:
                assert look(wishes[one], town.road.state.tasks).outlook is Outlook.TRUE
        if all(town.task(one).phase in ENDS for one in tasks):
            break
    assert all(town.task(one).phase in ENDS for one in tasks)
    assert town.road.state.following == type(town.road.state.following)()
    assert compare(town.road.state, town.log.replay(State(town.index))) is None


def test_an_end_asks_a_follower_only_of_itself(town: Town, monkeypatch) -> None:
    """Forty leaders that end ask forty followers: each condition is looked at when it is made and when its leader begins and ends."""
    from suanwang.dispatch import after

    looked = 0
    look_at_one = after._look

    def counted(*args):
        nonlocal looked
        looked += 1
        return look_at_one(*args)

    monkeypatch.setattr(after, "_look", counted)
    leaders = [send(town) for _ in range(40)]
    followers = [send(town, *((one, When.SUCCEEDED) for one in leaders)) for _ in range(40)]
    for one in followers:
        assert town.until(one, Phase.SUCCEEDED)
    assert looked <= 3 * 40 * 40  # once when it is made, once at the beginning, once at the end


def test_what_is_open_is_kept_for_those_that_wait_alone(town: Town) -> None:
    first, second = send(town), send(town)
    third = send(town, (first, When.ENDED), (second, When.STARTED), (second, When.SUCCEEDED))
    tasks, kept = town.road.state.tasks, town.road._outlooks
    assert len(kept) == 1
    assert kept.again(third, first, tasks[third].request.after, tasks).outlook is Outlook.OPEN
    kept.forget_all_but(())
    assert len(kept) == 0
    assert town.until(third, Phase.SUCCEEDED)  # asked of all of them again
    assert len(kept) == 0
