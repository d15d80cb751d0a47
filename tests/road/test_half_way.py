"""What the world does wrong is refused before anything changes; what it takes away is found again."""

import pytest
from tests.road.town import SITE, TENANT, S, Town

from suanwang.dispatch import reconcile
from suanwang.dispatch.carry import Cause
from suanwang.dispatch.lifecycle import Signal
from suanwang.model.error import FaultsError
from suanwang.model.event import AttemptSeen, Event, EventKind, Heartbeat
from suanwang.model.grid import PriceBook, Tenant
from suanwang.model.ids import AgentId, AttemptId, SiteId
from suanwang.model.plan import ChargeKind
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Phase
from suanwang.model.task import Output, Resources
from suanwang.observe import agenda as schedule
from suanwang.observe import state as fold
from suanwang.plan import planner
from suanwang.plan.decide import Decision, decide
from suanwang.plan.need import Need
from suanwang.twin.world import compare

PRICED = PriceBook(id="plain", core_hour_micro_yuan=3_600_000)
TARGETED = (Output(path="out", target="file:///somewhere"),)


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def pair() -> Town:
    return Town("here", "there")


def beat(agent: str, *sites: str, **rest: object) -> Heartbeat:
    named = tuple(SiteId(one) for one in sites)
    return Heartbeat(agent=AgentId(agent), adapter="fake", emulated=True, sites=named, **rest)


class TestHeartbeats:
    def test_an_event_of_another_agent_is_refused_and_moves_no_count(self, town: Town) -> None:
        event = Event(
            agent=AgentId("agent-here"),
            sequence=99,
            site=SITE,
            attempt_id=AttemptId("att-1"),
            fence=1,
            at_us=1,
            kind=EventKind.PROGRESS,
        )
        with pytest.raises(FaultsError) as caught:
            town.road.exchange(beat("b", events=(event,)))
        assert [one.code for one in caught.value.faults] == ["agent_other"]
        assert town.road.pending == []
        assert town.road.state.cursors == {}

    def test_an_agent_without_sites_gets_no_orders(self, town: Town) -> None:
        held = AttemptSeen(attempt_id=AttemptId("att-1"), fence=1, live=True)
        assert town.road.exchange(beat("b", attempts=(held,))).instructions == ()

    def test_a_site_that_its_agent_names_no_more_is_down(self, pair: Town) -> None:
        pair.road.exchange(beat("b", "here", "there"))
        task_id = pair.submit(tags={"fake.outcome": "hang"})
        pair.plan()
        pair.road.dispatch_round()
        site = pair.task(task_id).attempt.site
        (other,) = {"here", "there"} - {site}
        pair.road.exchange(beat("b", other))
        assert not pair.road.state.sites[site].live
        assert pair.task(task_id).phase is Phase.WAITING
        pair.plan()
        assert pair.task(task_id).plan.site == other

    def test_an_end_whose_word_is_lost_is_found_and_run_again(self, town: Town) -> None:
        task_id = town.submit()
        attempt = town.until(task_id, Phase.RUNNING).attempt
        ended = AttemptSeen(attempt_id=attempt.attempt_id, fence=attempt.fence, live=False)
        town.road.exchange(beat("agent-here", "here", attempts=(ended,)))
        assert town.task(task_id).phase is Phase.WAITING
        assert town.records("attempt_closed")[0]["reason"] == FailureReason.LOST
        assert town.until(task_id, Phase.SUCCEEDED)

    def test_a_stop_that_nobody_asked_for_is_the_sites_doing(self, town: Town) -> None:
        task_id = town.submit(retries=0)
        attempt = town.until(task_id, Phase.RUNNING).attempt
        town.agent._event(town.agent._known[attempt.attempt_id], EventKind.STOPPED, town.now_us)
        town.agent.exchange(town.road.exchange)
        assert town.records("attempt_closed")[0]["reason"] == FailureReason.BACKEND
        assert town.task(task_id).own_failures == 0


class TestOperators:
    def test_a_site_without_an_agent_can_be_taken_out_and_put_back(self, town: Town) -> None:
        town.road.lose_site(SITE, "operator_failed")
        town.agent.exchange(town.road.exchange)
        assert not town.road.state.sites[SITE].live, "an operator's word stands"
        town.road.heal_site(SITE)
        town.road.commit()
        town.agent.exchange(town.road.exchange)
        assert town.road.state.sites[SITE].live

    def test_putting_back_a_site_that_nobody_took_out_does_nothing(self, town: Town) -> None:
        task_id = town.submit(tags={"fake.outcome": "hang"})
        town.until(task_id, Phase.RUNNING)
        town.now_us += 16 * S
        town.road.heal_site(SITE)
        assert town.road.pending == []
        town.road.tick()
        assert town.task(task_id).phase is Phase.WAITING, "the silent site is still found"

    def test_another_agent_takes_over_a_silent_site(self, town: Town) -> None:
        task_id = town.submit()
        town.until(task_id, Phase.RUNNING)
        town.now_us += 16 * S
        town.road.tick()
        town.agents = {"here": town.agent_for("here", name="b")}
        assert town.until(task_id, Phase.SUCCEEDED)
        assert town.log.effects[task_id] == 1
        compare(town.road.state, town.opened().state)


class TestDeliveries:
    def delivering(self, town: Town, retries: int = 0) -> tuple:
        town.agents = {name: agent for name, agent in town.agents.items() if name == "here"}
        task_id = town.submit(outputs=TARGETED, retries=retries)
        for agent in town.agents.values():
            agent._adapter.deliver = lambda *_: None  # it never says how it went
        town.until(task_id, Phase.DELIVERING)
        return task_id

    def test_one_whose_site_is_lost_goes_to_the_next_site_that_comes(self, pair: Town) -> None:
        there = pair.agents["there"]
        task_id = self.delivering(pair)
        pair.now_us += 16 * S
        pair.road.tick()
        assert pair.task(task_id).delivery.site == "here", "no other site is live"
        pair.agents = {"there": there}
        assert pair.until(task_id, Phase.SUCCEEDED)
        assert [one["site"] for one in pair.records("delivery_ordered")] == ["here", "there"]

    def test_a_lost_site_uses_up_no_retry(self, pair: Town) -> None:
        task_id = self.delivering(pair, retries=1)
        pair.now_us += 16 * S
        pair.road.exchange(beat("agent-there", "there"))
        pair.road.tick()
        delivery = pair.task(task_id).delivery
        assert (delivery.site, delivery.tries) == ("there", 1)
        compare(pair.road.state, pair.opened().state)

    def test_one_that_fails_is_tried_again_and_then_ends(self, town: Town) -> None:
        task_id = self.delivering(town, retries=1)
        for phase in (Phase.DELIVERING, Phase.FAILED):
            row = town.agent._known[town.records("attempt_opened")[0]["attempt_id"]]
            town.agent._event(row, EventKind.DELIVERY_FAILED, town.now_us, reason=FailureReason.DELIVERY)
            town.agent.exchange(town.road.exchange)
            assert town.task(task_id).phase is phase
        assert town.records("task_ended")[0]["reason"] == FailureReason.DELIVERY
        assert town.road.state.by_attempt == {}


class TestMoney:
    def test_a_batch_of_plans_stays_within_the_tenants_budget(self) -> None:
        # One core for 60 s is 0.06 yuan; four of them at once are planned in one batch.
        town = Town(tenant=Tenant(id=TENANT, name="T", budget_micro_yuan=130_000), book=PRICED)
        town.exchange()
        small = Resources(cpu=1, memory=1, wall_time=60 * S)
        for _ in range(4):
            town.submit(resources=small)
        town.plan()
        load = town.road.state.load(TENANT)
        assert 0 < load.quoted_micro_yuan <= 130_000

    def test_retries_never_pass_the_price_limit(self) -> None:
        town = Town(book=PRICED)
        limit = 300_000  # the quote of one attempt is 240,000
        task_id = town.submit(price_limit=limit, retries=5, tags={"fake.outcome": "exit:1"})
        town.until(task_id, Phase.FAILED)
        lines = [one["line"] for one in town.records("charge_posted")]
        assert sum(one["amount_micro_yuan"] for one in lines) <= limit
        assert len(town.records("attempt_opened")) > 1
        assert town.records("task_ended")[0]["reason"] == FailureReason.NO_POOL_LEFT

    @pytest.mark.parametrize("skew_s", [-3_600, 3_600])
    def test_an_agent_with_a_wrong_clock_is_billed_by_the_brains(self, skew_s: int) -> None:
        town = Town(book=PRICED)
        town.agents = {}
        task_id = town.submit()
        town.road.exchange(beat("a", "here"))
        town.plan()
        town.road.dispatch_round()
        attempt = town.task(task_id).attempt
        for number, kind in enumerate((EventKind.RUNNING, EventKind.FINISHED), start=1):
            event = Event(
                agent=AgentId("a"),
                sequence=number,
                site=SITE,
                attempt_id=attempt.attempt_id,
                fence=1,
                at_us=town.now_us + skew_s * S,
                kind=kind,
            )
            held = AttemptSeen(attempt_id=attempt.attempt_id, fence=1, live=kind is EventKind.RUNNING)
            town.road.exchange(beat("a", "here", events=(event,), attempts=(held,)))
            town.road.tick()
            town.now_us += 10 * S
        assert town.task(task_id).phase is Phase.SUCCEEDED
        (line,) = [one["line"] for one in town.records("charge_posted")]
        assert (line["kind"], line["amount_micro_yuan"]) == (ChargeKind.CORE, 40_000)


class TestClockPutBack:
    def test_a_silent_agent_is_found_all_the_same(self, town: Town) -> None:
        town.exchange()
        town.now_us -= 3_600 * S
        town.road.tick()
        town.now_us += 16 * S
        town.road.tick()
        assert not town.road.state.sites[SITE].live

    def test_a_pause_is_no_longer_than_the_longest(self, town: Town) -> None:
        task_id = town.submit(tags={"fake.outcome": "exit:1,ok"}, retries=1)
        while town.task(task_id).wait_reason is not WaitReason.RETRY_DELAY:
            town.round()
        town.now_us -= 3_600 * S
        town.road.tick()
        assert task_id in town.road.state.queue

    def test_an_instruction_goes_out_again(self, town: Town) -> None:
        town.submit()
        town.exchange()
        town.plan()
        town.road.dispatch_round()
        assert len(town.road.exchange(beat("agent-here", "here")).instructions) == 1
        assert len(town.road.exchange(beat("agent-here", "here")).instructions) == 0
        town.now_us -= 3_600 * S
        assert len(town.road.exchange(beat("agent-here", "here")).instructions) == 1


class TestMemory:
    def test_the_history_of_leases_is_cut_and_the_planner_goes_on(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fold, "HISTORY_MAX", 8)
        half = Resources(cpu=2, memory=1, wall_time=60 * S)
        tasks = [town.submit(resources=half) for _ in range(12)]
        for task_id in tasks:
            town.until(task_id, Phase.SUCCEEDED)
        state = town.road.state
        assert len(state.history) <= 9
        left = {}
        for change in state.history:
            left[change.lease_id] = change.holds
            if not change.added:
                del left[change.lease_id]
        assert left == state.leases, "its replay gives the leases"
        task_id = town.submit()
        town.plan()
        assert town.task(task_id).phase is Phase.PLANNED

    def test_what_was_sent_is_forgotten(self, town: Town) -> None:
        town.until(town.submit(), Phase.SUCCEEDED)
        town.now_us += reconcile.RESEND_US
        town.road.tick()
        assert town.road.sent == {}
        assert town.road.planned_us == {}


class TestMissedStarts:
    def test_a_deadline_that_an_absent_brain_has_lost_is_said_and_not_run(self, town: Town) -> None:
        town.exchange()
        task_id = town.submit(deadline=town.now_us + 90 * S)
        town.plan()
        assert town.task(task_id).phase is Phase.PLANNED
        town.now_us += 40 * S
        town.road = town.opened()
        town.road.heard_us[town.agent.agent_id] = town.now_us
        town.road.dispatch_round()
        town.road.tick()
        assert town.task(task_id).phase is Phase.EXPIRED
        assert town.records("attempt_opened") == []
        assert town.road.state.leases == {}

    def test_one_that_waited_for_its_turn_alone_is_sent(self, town: Town) -> None:
        town.exchange()
        task_id = town.submit(deadline=town.now_us + 61 * S)
        town.plan()
        town.now_us += 2 * S
        town.road.dispatch_round()
        assert town.task(task_id).phase is Phase.DISPATCHED


class TestAgenda:
    def test_it_follows_what_is_planned(self, town: Town) -> None:
        town.exchange()
        first, second = town.submit(), town.submit()
        town.plan()
        agenda = town.road.state.agenda
        later_us = town.task(second).plan.start_us
        assert [task.task_id for task in agenda.due(town.now_us)] == [first]
        assert agenda.next_us() == town.now_us
        town.road.cancel(first, "me")
        assert agenda.next_us() == later_us
        assert [task.task_id for task in agenda.due(later_us)] == [second]
        town.road.cancel(second, "me")
        assert (agenda.next_us(), agenda.due(later_us)) == (None, [])

    def test_dropped_plans_do_not_pile_up(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedule, "STALE_MAX", 3)
        town.exchange()
        task_id = town.submit()
        for _ in range(20):
            town.plan()
            town.road.signal(town.task(task_id), Signal.PLAN_DROPPED, Cause(town.now_us))
        assert len(town.road.state.agenda._heap) <= 5


class TestThePlannerBreaks:
    def test_on_one_task_and_the_others_go_on(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(scene: object, need: Need) -> Decision:
            if need.security_level == 2:
                raise ArithmeticError("seven")
            return decide(scene, need)

        town.exchange()
        first, poison, last = town.submit(), town.submit(security_level=2), town.submit()
        with monkeypatch.context() as patch:
            patch.setattr(planner, "decide", broken)
            town.plan()
        assert [town.task(one).phase for one in (first, poison, last)] == [Phase.PLANNED, Phase.WAITING, Phase.PLANNED]
        assert (town.road.plan_faults, town.road.plan_fault[0]) == (1, poison)
        assert town.task(poison).wait_reason is WaitReason.RETRY_DELAY
        town.now_us = town.task(poison).wait_until_us
        town.exchange()
        town.road.tick()
        town.plan()
        assert town.task(poison).wait_reason is not WaitReason.RETRY_DELAY, "it is asked again, and answered"
