"""Why a task waits and why it ends, on a road with one small site, a fake agent and a clock that the test moves."""

import pytest
from tests.road.test_reservations import reserve
from tests.road.town import NOW, SITE, TENANT, S, Town

from suanwang.model.error import ConflictError, NotAllowedError
from suanwang.model.event import AttemptSeen, Event, EventKind, Heartbeat
from suanwang.model.grid import PriceBook
from suanwang.model.ids import AgentId, SiteId, TaskId
from suanwang.model.principal import Submission
from suanwang.model.reason import FailureReason, RefusalReason, WaitReason
from suanwang.model.record import Phase
from suanwang.model.reservation import Wanted
from suanwang.model.task import Resources, TaskRequest


@pytest.fixture
def town() -> Town:
    return Town()


def test_what_no_pool_could_ever_take_is_refused(town: Town) -> None:
    town.agent.exchange(town.road.exchange)
    task_id = town.submit(resources=Resources(cpu=5, wall_time=60 * S))
    town.plan()
    assert town.task(task_id).phase is Phase.REFUSED
    (refused,) = town.records("task_refused")
    assert [one["reason"] for one in refused["refusals"]] == [RefusalReason.NO_POOL]
    assert refused["relaxations"], "it says what would make it fit"


def test_it_waits_for_its_site_and_goes_on_when_that_answers(town: Town) -> None:
    task_id = town.submit()
    assert town.task(task_id).wait_reason is WaitReason.QUEUED
    town.plan()
    assert town.task(task_id).wait_reason is WaitReason.SITES_DOWN
    for _ in range(14):
        town.round()
    assert town.task(task_id).phase is Phase.SUCCEEDED


def test_a_failed_attempt_pauses_before_the_next(town: Town) -> None:
    task_id = town.submit(tags={"fake.outcome": "exit:3,ok"}, retries=1)
    for _ in range(40):
        town.round()
        if town.task(task_id).wait_reason is WaitReason.RETRY_DELAY and town.task(task_id).phase is Phase.WAITING:
            break
    else:
        pytest.fail("it never paused")
    until_us = town.task(task_id).wait_until_us
    assert until_us > town.now_us - S
    for _ in range(60):
        town.round()
    assert town.task(task_id).phase is Phase.SUCCEEDED
    assert len(town.records("attempt_opened")) == 2
    assert town.records("attempt_opened")[1]["at_us"] >= until_us


def test_no_room_before_the_deadline_is_said_and_ends_when_it_is_lost(town: Town) -> None:
    first = town.submit(tags={"fake.outcome": "hang"}, retries=0)
    town.round()
    town.round()
    assert town.task(first).phase is Phase.RUNNING
    second = town.submit(deadline=town.now_us + 61 * S)
    town.round()
    assert town.task(second).wait_reason is WaitReason.CAPACITY
    assert town.task(second).phase is Phase.WAITING
    town.round()
    town.round()
    assert town.task(second).phase is Phase.EXPIRED
    (ended,) = town.records("task_ended")
    assert ended["reason"] == FailureReason.DEADLINE_LOST


def test_a_silent_site_is_lost_and_the_task_waits(town: Town) -> None:
    task_id = town.submit()
    town.round()
    town.round()
    town.now_us += 16 * S
    town.road.tick()
    town.road.plan_round()
    assert town.task(task_id).phase is Phase.WAITING
    assert town.task(task_id).wait_reason is WaitReason.SITES_DOWN
    closed = town.records("attempt_closed")
    assert [one["reason"] for one in closed] == [FailureReason.SITE_LOST]
    assert town.road.state.leases == {}


class TestHeartbeat:
    def beat(self, agent: str, site: str) -> Heartbeat:
        return Heartbeat(agent=AgentId(agent), adapter="fake", emulated=True, sites=(SiteId(site),))

    def test_an_agent_for_an_unknown_site_is_refused(self, town: Town) -> None:
        with pytest.raises(NotAllowedError) as caught:
            town.road.exchange(self.beat("b", "nowhere"))
        assert caught.value.code == "agent_site_unknown"

    def test_a_second_agent_for_a_live_site_is_refused(self, town: Town) -> None:
        town.agent.exchange(town.road.exchange)
        with pytest.raises(ConflictError) as caught:
            town.road.exchange(self.beat("b", "here"))
        assert caught.value.code == "agent_site_taken"

    def test_safety_a_refused_heartbeat_changes_nothing(self, town: Town) -> None:
        batches = len(town.log.batches)
        half = Heartbeat(agent=AgentId("b"), adapter="fake", emulated=True, sites=(SITE, SiteId("nowhere")))
        with pytest.raises(NotAllowedError):
            town.road.exchange(half)
        assert (town.road.pending, len(town.log.batches)) == ([], batches)
        assert not town.road.state.sites.get(SITE)


class TestIdempotencyKeys:
    def offer(self, key: str, name: str) -> Submission:
        return Submission(request=TaskRequest(run="true", name=name), idempotency_key=key)

    def submit(self, town: Town, *offers: Submission) -> list[TaskId]:
        done = town.road.submit(TENANT, "me", offers, [town.ids.task_id() for _ in offers])
        return [one.task_id for one in done]

    def test_safety_a_reused_key_in_a_batch_changes_nothing(self, town: Town) -> None:
        self.submit(town, self.offer("k:1", "first"))
        batches = len(town.log.batches)
        with pytest.raises(ConflictError):
            self.submit(town, self.offer("k:0", "new"), self.offer("k:1", "another"))
        assert (town.road.pending, len(town.log.batches)) == ([], batches)

    def test_a_key_twice_in_one_batch_is_one_task_or_a_conflict(self, town: Town) -> None:
        same = self.submit(town, self.offer("k", "one"), self.offer("k", "one"))
        assert same[0] == same[1]
        with pytest.raises(ConflictError):
            self.submit(town, self.offer("l", "one"), self.offer("l", "two"))
        assert town.road.pending == []


class ByHand:
    """An agent for the site, whose every word the test says."""

    def __init__(self, town: Town) -> None:
        self.town, self.words, self.held = town, 0, {}
        town.agents = {}
        self.say()

    def say(self, kind: EventKind | None = None, task_id: TaskId | None = None, **rest: object) -> None:
        events: tuple[Event, ...] = ()
        if task_id is not None and kind is not None:
            attempt = self.town.task(task_id).attempt
            live = kind in (EventKind.STAGING, EventKind.RUNNING)
            self.held[task_id] = AttemptSeen(attempt_id=attempt.attempt_id, fence=attempt.fence, live=live)
            self.words += 1
            events = (
                Event(
                    agent=AgentId("hand"),
                    sequence=self.words,
                    site=SITE,
                    attempt_id=attempt.attempt_id,
                    fence=attempt.fence,
                    at_us=self.town.now_us,
                    kind=kind,
                    **rest,
                ),
            )
        self.town.road.exchange(
            Heartbeat(
                agent=AgentId("hand"),
                adapter="hand",
                emulated=True,
                sites=(SITE,),
                attempts=tuple(self.held.values()),
                events=events,
            )
        )

    def wait(self, seconds: int) -> None:
        """Time goes on, and the agent is heard all the while."""
        for _ in range(seconds):
            self.town.now_us += S
            self.say()
            self.town.road.tick()
            self.town.road.plan_round()


def test_what_outlasts_its_window_crowds_out_what_was_to_follow(town: Town) -> None:
    hand = ByHand(town)
    first, second = town.submit(), town.submit()
    town.plan()
    town.road.dispatch_round()
    assert town.task(second).plan.start_us == town.now_us + 60 * S
    hand.wait(20)
    hand.say(EventKind.RUNNING, first)  # late: its inputs came slowly
    hand.wait(35)
    reasons = {(one["task_id"], one["reason"]) for one in town.records("plan_dropped")}
    assert (second, FailureReason.CROWDED_OUT) in reasons
    assert town.task(second).plan.start_us >= NOW + 80 * S, "after the whole wall time of the first"


def test_what_was_planned_behind_does_not_push_out_what_is_about_to_begin(town: Town) -> None:
    """The later task goes first by its priority: however late its inputs come, its attempt stays."""
    hand = ByHand(town)
    behind, ahead = town.submit(), town.submit(priority=50)
    town.plan()
    town.road.dispatch_round()
    assert town.task(ahead).plan.start_us == town.now_us
    attempt = town.task(ahead).attempt
    hand.say(EventKind.STAGING, ahead)
    hand.wait(75)
    assert town.task(ahead).attempt is attempt
    reasons = {(one["task_id"], one["reason"]) for one in town.records("plan_dropped")}
    assert (behind, FailureReason.CROWDED_OUT) in reasons


def test_of_those_that_run_the_one_that_outlasts_its_window_gives_way() -> None:
    """A reservation follows it on the link; one beside it, submitted later and within its window, need not go too."""
    town = Town("here", "away")
    hand = ByHand(town)
    over, beside = [
        town.submit(
            origin="away", sites=(SITE,), bandwidth=bps, resources=Resources(cpu=1, memory=1, wall_time=wall_us)
        )
        for bps, wall_us in ((600_000_000, 60 * S), (400_000_000, 200 * S))
    ]
    town.plan()
    town.road.dispatch_round()
    reserve(town, Wanted(source=SiteId("away"), target=SITE, bandwidth_bps=600_000_000), start_s=60)
    hand.wait(20)
    for one in (over, beside):
        hand.say(EventKind.RUNNING, one)  # late: their inputs came slowly
    hand.wait(35)
    reasons = {(one["task_id"], one["reason"]) for one in town.records("attempt_closed")}
    assert reasons == {(over, FailureReason.CROWDED_OUT)}


def test_what_has_used_up_its_consent_is_stopped_where_it_asked_for_that() -> None:
    town = Town(book=PriceBook(id="plain", core_hour_micro_yuan=3_600_000))
    hand = ByHand(town)
    task_id = town.submit(on_budget="stop")
    town.plan()
    town.road.dispatch_round()
    hand.say(EventKind.RUNNING, task_id)
    hand.wait(60)
    assert town.task(task_id).phase is Phase.RUNNING, "its quote is for all of its wall time"
    hand.wait(2)
    (asked,) = town.records("stop_requested")
    assert asked["reason"] == FailureReason.BUDGET_STOP
    hand.say(EventKind.STOPPED, task_id)
    (ended,) = town.records("task_ended")
    assert (ended["phase"], ended["reason"]) == (Phase.FAILED, FailureReason.BUDGET_STOP)
    lines = [one["line"]["amount_micro_yuan"] for one in town.records("charge_posted")]
    assert sum(lines) == 240_000, "four cores for 60 s, as quoted"


def test_a_retry_that_nothing_can_take_any_more_ends() -> None:
    town = Town(book=PriceBook(id="plain", core_hour_micro_yuan=3_600_000))
    task_id = town.submit(price_limit=240_000, tags={"fake.outcome": "exit:1"}, retries=2)
    town.until(task_id, Phase.FAILED)
    (ended,) = town.records("task_ended")
    assert ended["reason"] == FailureReason.NO_POOL_LEFT, "what is left of its price limit pays for no second run"
    assert len(town.records("attempt_opened")) == 1
