"""What an agent may rely on, whichever bus it has: the same cases against each, over a real brain."""

import time
from dataclasses import replace

import httpx
import pytest
from tests.bus.sides import (
    AGENT,
    WAIT_MS,
    HttpSide,
    event,
    heartbeat,
    http_bus,
    in_memory,
    over_http,
    over_nats,
    start_of,
)

from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.agent.objects import LocalObjects
from suanwang.bus import nats
from suanwang.bus.http import HttpBus
from suanwang.model.error import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
    NotKnownError,
    UnreachableError,
)
from suanwang.model.event import EventKind, as_instruction
from suanwang.model.ids import AgentId, AttemptId
from suanwang.model.principal import Submission
from suanwang.model.record import Phase
from suanwang.model.task import TaskRequest

K = EventKind


@pytest.fixture(params=[in_memory, over_http, over_nats], ids=["memory", "http", "nats"])
def side(request, tmp_path, monkeypatch):
    monkeypatch.setattr(nats, "ANSWER_S", 1.5)  # how long an agent waits for a brain that is away
    with request.param(tmp_path) as made:
        yield made


@pytest.fixture
def http(tmp_path):
    with over_http(tmp_path) as made:
        yield made


def applied(side, task_id):
    assert side.brain.wait_tables()  # a large batch is projected behind
    return [step.body["event"]["kind"] for step in side.brain.store.events(task_id) if step.kind == "event_applied"]


def test_an_exchange_makes_the_sites_live_and_no_others(side):
    first, *others = side.sites
    orders = side.bus().exchange(heartbeat([first]), 0)
    seen = side.brain.snapshot().sites
    assert (orders.acknowledged, orders.instructions) == (0, ())
    assert seen[first].live and seen[first].emulated
    assert not any(seen[site].live for site in others if site in seen)


def test_an_order_is_repeated_until_its_effect_is_seen(side):
    bus = side.bus()
    order = start_of(side, bus)
    assert bus.exchange(heartbeat(side.sites), WAIT_MS).instructions == (order,)
    assert bus.exchange(heartbeat(side.sites, [event(order, 1, K.ACCEPTED)]), 0).instructions == ()


def test_events_are_applied_once(side):
    bus = side.bus()
    order = start_of(side, bus)
    events = [event(order, 1, K.ACCEPTED), event(order, 2, K.RUNNING)]
    for _ in range(2):
        assert bus.exchange(heartbeat(side.sites, events), 0).acknowledged == 2
    assert bus.exchange(heartbeat(side.sites, [*events, event(order, 3, K.PROGRESS)]), 0).acknowledged == 3
    assert applied(side, order.task_id) == ["accepted", "running", "progress"]
    assert side.brain.store.task(order.task_id).phase is Phase.RUNNING


def test_what_to_run_and_its_secrets_come_with_the_order_and_nowhere_else(side):
    bus = side.bus()
    request = TaskRequest(run="true", secrets=("TOKEN",))
    side.brain.submit(side.operator, [Submission(request=request, secrets={"TOKEN": "hidden"})])
    orders = bus.exchange(heartbeat(side.sites), WAIT_MS)
    while not orders.instructions:
        orders = bus.exchange(heartbeat(side.sites), WAIT_MS)
    (order,) = orders.instructions
    assert (order.request.run, order.request.secrets) == ("true", ("TOKEN",))
    assert orders.secrets == {order.attempt_id: {"TOKEN": "hidden"}}
    assert "hidden" not in as_instruction(order).model_dump_json()


def test_a_foreign_site_is_refused_and_nothing_changes(side):
    own, foreign = side.sites[0], side.sites[1]
    bus = side.bus([own])
    with pytest.raises(NotAllowedError) as refused:
        bus.exchange(heartbeat([own, foreign]), 0)
    assert refused.value.code == "agent_site"
    seen = side.brain.snapshot().sites
    assert not any(seen[site].live for site in (own, foreign) if site in seen)


def test_a_site_that_speaks_through_another_agent_is_a_conflict(side):
    side.bus().exchange(heartbeat(side.sites), 0)
    other = AgentId("two")
    with pytest.raises(ConflictError) as refused:
        side.bus(agent=other).exchange(heartbeat(side.sites[:1], agent=other), 0)
    assert refused.value.code == "agent_site_taken"


def test_a_key_speaks_under_one_name(side):
    bus = side.bus(side.sites[:1])
    bus.exchange(heartbeat(side.sites[:1]), 0)
    two = AgentId("two")
    with pytest.raises((NotAllowedError, UnreachableError)) as refused:
        bus.exchange(heartbeat(side.sites[:1], agent=two), 0)
    if not isinstance(side, HttpSide):  # else who speaks is in the path or in the subject too
        assert refused.value.code == "agent_name"
    assert two not in side.brain.road.state.agent_of.values()


def test_nobody_takes_a_name_that_stands_for_other_sites(side):
    """By an event of an attempt that nobody knows, with a great number, every event of the real agent would count as heard."""
    order = start_of(side, side.bus())
    stranger = side.bus([site for site in side.sites if site != order.site])
    wild = event(order, 10**9, K.RUNNING, attempt_id=AttemptId(f"att-{0:026d}"))
    with pytest.raises(NotAllowedError) as refused:
        stranger.exchange(heartbeat([], [wild]), 0)
    assert refused.value.code == "agent_site"
    assert side.brain.road.state.cursors.get(AGENT, 0) == 0


def test_a_name_is_kept_when_its_agent_is_away_and_over_a_restart(side):
    first, second = side.sites[:2]
    side.bus([first]).exchange(heartbeat([first]), 0)
    (key,) = [one for one in side.brain.road.state.keys.values() if one.agent == AGENT]
    side.brain.revoke_key(side.operator, key.key.key_id)
    side.kill()
    side.again()
    sites = side.brain.road.state.sites
    sites[first] = replace(sites[first], live=False)  # as when its agent is lost
    with pytest.raises(NotAllowedError):
        _patient(lambda: side.bus([second]).exchange(heartbeat([second]), 0))
    both = side.bus([first, second])
    assert _patient(lambda: both.exchange(heartbeat([first, second]), 0)).acknowledged == 0


def test_pieces_of_a_log_may_come_again_and_a_gap_is_a_conflict(side):
    bus = side.bus()
    attempt = start_of(side, bus).attempt_id
    assert bus.append_log(attempt, 0, b"abc") == 3
    assert bus.append_log(attempt, 0, b"abc") == 3
    assert bus.append_log(attempt, 1, b"bcd") == 4
    with pytest.raises(ConflictError) as refused:
        bus.append_log(attempt, 5, b"f")
    assert refused.value.code == "log_gap"
    assert side.brain.read_log(attempt, 0, 100) == b"abcd"


@pytest.mark.parametrize("ended", [False, True])
def test_a_log_of_a_foreign_site_is_refused_while_it_runs_and_after_its_end(side, ended):
    bus = side.bus()
    order = start_of(side, bus)
    if ended:
        events = [event(order, 1, K.RUNNING), event(order, 2, K.FINISHED, exit_code=0)]
        assert bus.exchange(heartbeat(side.sites, events), 0).acknowledged == 2
        assert side.brain.store.task(order.task_id).phase is Phase.SUCCEEDED
    assert bus.append_log(order.attempt_id, 0, b"mine") == 4
    stranger = side.bus([site for site in side.sites if site != order.site])
    with pytest.raises(NotAllowedError) as refused:
        stranger.append_log(order.attempt_id, 4, b"not mine")
    assert refused.value.code == "agent_site"
    assert side.brain.read_log(order.attempt_id, 0, 100) == b"mine"


def test_a_log_of_an_attempt_that_never_was_is_not_found(side):
    with pytest.raises(NotFoundError) as refused:
        side.bus().append_log(AttemptId(f"att-{0:026d}"), 0, b"x")
    assert refused.value.code == "attempt_unknown"


def test_events_in_many_messages_are_applied_in_their_order(side):
    bus = side.bus()
    order = start_of(side, bus)
    kinds = [K.ACCEPTED, K.STAGING, K.RUNNING, *[K.PROGRESS] * 5, K.COLLECTING, K.FINISHED]
    events = [event(order, at, kind, exit_code=0 if kind is K.FINISHED else None) for at, kind in enumerate(kinds, 1)]
    for first in range(0, len(events), 3):
        assert bus.exchange(heartbeat(side.sites, events[first : first + 3]), 0).acknowledged == min(first + 3, 10)
    assert applied(side, order.task_id) == [kind.value for kind in kinds]
    assert side.brain.store.task(order.task_id).phase is Phase.SUCCEEDED


def test_a_message_of_many_parts_comes_whole_and_once(side):
    """Far above what one message of a broker takes, and hard to pack."""
    bus = side.bus()
    order = start_of(side, bus)
    words = ["".join(chr(33 + (at * at * 7919 + place * 104729) % 90) for place in range(3_000)) for at in range(400)]
    events = [event(order, at, K.PROGRESS, detail=word) for at, word in enumerate(words, 1)]
    assert bus.exchange(heartbeat(side.sites, events), 0).acknowledged == 400
    assert side.brain.wait_tables()
    said = [one.body["event"] for one in side.brain.store.events(order.task_id) if one.kind == "event_applied"]
    assert [one["detail"] for one in said] == words


def test_an_event_with_another_fence_is_kept_and_has_no_effect(side):
    bus = side.bus()
    order = start_of(side, bus)
    said = heartbeat(side.sites, [event(order, 1, K.RUNNING, fence=order.fence + 1)])
    assert bus.exchange(said, 0).acknowledged == 1
    assert side.brain.store.task(order.task_id).phase is Phase.DISPATCHED


def test_an_agent_has_no_orders_and_no_effect_but_at_its_own_sites(side):
    order = start_of(side, side.bus())
    stranger_sites = [site for site in side.sites if site != order.site]
    side.brain.road.state.agent_of.update(dict.fromkeys(stranger_sites, AgentId("two")))
    stranger = side.bus(stranger_sites, AgentId("two"))
    said = event(order, 1, K.FINISHED, exit_code=0, agent=AgentId("two"))
    answer = stranger.exchange(heartbeat(stranger_sites, [said], AgentId("two")), 0)
    assert answer.acknowledged == 1
    assert order.attempt_id not in [one.attempt_id for one in answer.instructions if one.request is not None]
    assert side.brain.store.task(order.task_id).phase is Phase.DISPATCHED
    own = event(order, 2, K.RUNNING, agent=AGENT)
    with pytest.raises((NotAllowedError, UnreachableError)):
        stranger.exchange(heartbeat(stranger_sites, [own], AGENT), 0)  # in another's name
    assert side.brain.store.task(order.task_id).phase is Phase.DISPATCHED


def test_a_brain_that_restarts_is_unreachable_and_then_goes_on(side):
    bus = side.bus()
    order = start_of(side, bus)
    events = [event(order, 1, K.ACCEPTED)]
    assert bus.exchange(heartbeat(side.sites, events), 0).acknowledged == 1
    side.kill()
    events += [event(order, 2, K.RUNNING)]
    with pytest.raises(UnreachableError):
        bus.exchange(heartbeat(side.sites, events), 0)
    with pytest.raises(UnreachableError):
        bus.append_log(order.attempt_id, 0, b"away")
    side.again()
    assert _patient(lambda: bus.exchange(heartbeat(side.sites, events), 0)).acknowledged == 2
    assert bus.append_log(order.attempt_id, 0, b"back") == 4
    assert applied(side, order.task_id) == ["accepted", "running"]


def _patient(ask):
    """As an agent's loop does: try again while nobody answers."""
    until = time.monotonic() + 30
    while True:
        try:
            return ask()
        except UnreachableError:
            if time.monotonic() > until:
                raise


class Life:
    """A real agent with a journal in a file, on a clock that may jump; `die` takes it away between two rounds."""

    def __init__(self, side, folder):
        self.side, self.folder, self.ahead_us = side, folder, 0
        self.objects = LocalObjects(folder / "objects")
        self.bus = side.bus()
        self.adapter = FakeAdapter(self.clock, seed=1, objects=self.objects)
        self.start()

    def clock(self):
        return time.time_ns() // 1_000 + self.ahead_us

    def start(self):
        journal = Journal(self.folder / "journal.db")
        self.journal = journal
        self.agent = Agent(AGENT, self.side.sites, self.adapter, journal, self.clock)

    def die(self):
        self.journal.close()
        self.start()

    def round(self):
        return self.agent.exchange(lambda said: self.bus.exchange(said, 200))

    def until(self, task_id, phase):
        deadline = time.monotonic() + 60
        while self.side.brain.road.state.tasks[task_id].phase is not phase:
            assert time.monotonic() < deadline, self.side.brain.road.state.tasks[task_id].phase
            self.round()


def quick(side):
    request = TaskRequest(run="true", tags={"fake.duration-us": "1000", "fake.outcome": "ok"})
    return side.brain.submit(side.operator, [Submission(request=request)])[0].task_id


def test_an_agent_that_dies_before_it_was_heard_says_it_again_and_it_counts_once(side, tmp_path):
    life = Life(side, tmp_path)
    task_id = quick(side)

    def lost(said):
        life.bus.exchange(said, 0)  # the brain has it, and the agent dies before it knows
        raise KeyboardInterrupt

    life.until(task_id, Phase.DISPATCHED)
    while not life.agent.unacknowledged:
        life.round()
        life.agent.collect()
    with pytest.raises(KeyboardInterrupt):
        life.agent.exchange(lost)
    life.die()
    life.until(task_id, Phase.SUCCEEDED)
    sequences = [
        one.body["event"]["sequence"] for one in side.brain.store.events(task_id) if one.kind == "event_applied"
    ]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("jump_s", [-86_400, 86_400], ids=["back", "ahead"])
def test_an_agent_whose_clock_jumps_is_heard_all_the_same(side, tmp_path, jump_s):
    life = Life(side, tmp_path)
    task_id = quick(side)
    life.until(task_id, Phase.DISPATCHED)
    life.ahead_us = jump_s * 1_000_000
    life.adapter = FakeAdapter(life.clock, seed=1, objects=life.objects)
    life.die()  # with a backend that has forgotten all, so that the task is begun again under the new clock
    life.until(task_id, Phase.SUCCEEDED)
    sequences = [
        one.body["event"]["sequence"] for one in side.brain.store.events(task_id) if one.kind == "event_applied"
    ]
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("token", ["sw_key_secret", "nonsense"])
def test_a_wrong_key_is_not_known(http, token):
    bus = http_bus(http.url, token)
    with pytest.raises(NotKnownError):
        bus.exchange(heartbeat(http.sites), 0)
    with pytest.raises(NotKnownError):
        bus.append_log(AttemptId(f"att-{0:026d}"), 0, b"x")
    bus.close()


def test_a_brain_that_has_gone_is_unreachable(tmp_path):
    with over_http(tmp_path) as gone:
        bus = http_bus(gone.url, "sw_key_secret")
    with pytest.raises(UnreachableError):
        bus.exchange(heartbeat(gone.sites), 0)
    with pytest.raises(UnreachableError):
        bus.append_log(AttemptId(f"att-{0:026d}"), 0, b"x")
    bus.close()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_answer_that_is_no_brains_is_unreachable(status):
    """A proxy in between: its page is no problem document."""
    page = httpx.MockTransport(lambda request: httpx.Response(status, html="<h1>Bad gateway</h1>"))
    with httpx.Client(base_url="http://brain", transport=page) as client, pytest.raises(UnreachableError):
        HttpBus(client, AGENT).exchange(heartbeat(["site"]), 0)
