"""The agent's promises, each on the fake adapter with a clock that the test turns."""

import pytest
from tests.agent.hands import SITE, Brain, Clock, made, order

from suanwang.agent import agent as agent_module
from suanwang.agent.adapter import Update
from suanwang.agent.adapters.fake import FakeAdapter
from suanwang.agent.agent import Agent
from suanwang.agent.journal import Journal
from suanwang.model.error import StoreError, UnreachableError
from suanwang.model.event import EventKind, InstructionKind, Kept, Orders, OutputFile
from suanwang.model.ids import AgentId, SiteId
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest

K = EventKind
HOUR_US = 3_600_000_000


class World:
    """One agent on the fake adapter, and its brain."""

    def __init__(self, path=":memory:") -> None:
        self.clock = Clock()
        self.brain = Brain()
        self.journal = Journal(path)
        self.logs: dict[str, bytes] = {}
        self.adapter = FakeAdapter(self.clock, seed=7)
        self.agent = self.new_agent()

    def new_agent(self) -> Agent:
        return Agent(AgentId("a1"), [SITE], self.adapter, self.journal, self.clock, self.sink)

    def sink(self, attempt_id, offset, part) -> None:
        self.logs[attempt_id] = self.logs.get(attempt_id, b"")[:offset] + part

    def round(self, *orders, pass_us: int = 0) -> None:
        self.brain.orders = list(orders)
        self.agent.exchange(self.brain.send)
        self.clock.now_us += pass_us

    def lose_backend(self) -> None:
        """The agent's process dies and starts again: the journal stays, the work is gone."""
        self.adapter = FakeAdapter(self.clock, seed=7)
        self.agent = self.new_agent()


@pytest.fixture
def world():
    return World()


def test_an_attempt_goes_from_start_to_finish_with_its_events_in_order(world):
    world.round(order(), pass_us=HOUR_US)
    world.round(order())
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]
    last = world.brain.events[-1]
    assert last.exit_code == 0
    assert last.usage is not None
    assert last.usage.core_us > 0
    assert [e.sequence for e in world.brain.events] == [1, 2, 3]


def test_a_repeated_start_starts_nothing_more(world):
    for _ in range(4):
        world.round(order(), pass_us=1)
    world.clock.now_us += HOUR_US
    for _ in range(3):
        world.round(order(), pass_us=HOUR_US)
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]


@pytest.mark.parametrize("fence", [1, 2], ids=["older", "the same under another attempt"])
def test_a_stale_fence_is_refused_and_does_no_work(world, fence):
    world.round(order(fence=2, attempt=20))
    world.round(order(fence=fence, attempt=10))
    world.round()
    stale = [e for e in world.brain.events if e.attempt_id == made("att", 10)]
    assert [(e.kind, e.reason) for e in stale] == [(K.FAILED, FailureReason.STALE)]
    assert not world.adapter.knows(made("att", 10))


def test_the_fence_outlives_the_attempt_and_a_restart(world):
    world.round(order(fence=3, attempt=30))
    world.round(order(InstructionKind.FORGET, fence=3, attempt=30))
    world.lose_backend()
    world.round(order(fence=2, attempt=20))
    world.round()
    assert world.brain.events[-1].reason is FailureReason.STALE


def test_a_newer_fence_stops_the_older_attempt(world):
    old, new = order(fence=1, attempt=10), order(fence=2, attempt=20)
    world.round(old)
    world.round(new)
    world.round(pass_us=HOUR_US)
    world.round()
    assert world.brain.kinds(old.attempt_id) == [K.ACCEPTED, K.RUNNING, K.STOPPED]
    assert world.brain.kinds(new.attempt_id)[-1] is K.FINISHED


def test_stop_ends_it_once_however_often_it_is_ordered(world):
    world.round(order())
    for _ in range(3):
        world.round(order(InstructionKind.STOP))
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.STOPPED]


def test_stop_before_the_start_came_refuses_the_start(world):
    world.round(order(InstructionKind.STOP))
    world.round(order(InstructionKind.STOP))
    world.round(order())
    world.round(pass_us=HOUR_US)
    assert world.brain.kinds() == [K.STOPPED]


def test_start_and_stop_in_one_answer_leave_nothing_running(world):
    world.round(order(), order(InstructionKind.STOP))
    world.round(pass_us=HOUR_US)
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.STOPPED]
    assert world.agent.live == ()


def test_forget_drops_the_attempt_from_the_heartbeat(world):
    world.round(order(), pass_us=HOUR_US)
    world.round(order(InstructionKind.FORGET))
    assert [seen.live for seen in world.brain.heartbeats[-1].attempts] == [False]
    world.round()
    assert world.brain.heartbeats[-1].attempts == ()
    assert world.journal.attempts() == []


def test_forget_of_a_live_attempt_ends_it_silently(world):
    world.round(order())
    world.round(order(InstructionKind.FORGET), pass_us=HOUR_US)
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING]
    assert not world.adapter.knows(order().attempt_id)


def test_a_live_attempt_that_the_adapter_lost_is_reported_lost_after_a_restart(world):
    world.round(order())
    world.lose_backend()
    world.round()
    assert world.brain.events[-1].kind is K.FAILED
    assert world.brain.events[-1].reason is FailureReason.LOST


def test_a_restart_with_the_backend_alive_goes_on(world):
    world.round(order(), pass_us=HOUR_US)
    world.agent = world.new_agent()
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]


def test_events_wait_while_the_brain_does_not_answer(world):
    world.round(order())
    world.brain.reachable = False
    for _ in range(3):
        world.clock.now_us += HOUR_US
        with pytest.raises(UnreachableError):
            world.round()
    assert world.agent.unacknowledged == 3
    world.brain.reachable = True
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING, K.FINISHED]
    assert world.agent.unacknowledged == 0


def test_one_message_stays_small_and_a_backlog_drains_in_order(world, monkeypatch):
    monkeypatch.setattr(agent_module, "EVENTS_PER_EXCHANGE", 4)
    monkeypatch.setattr(agent_module, "OUTPUTS_PER_EXCHANGE", 3)
    request = TaskRequest(run="true", outputs=[{"path": f"{n}.txt"} for n in range(2)])
    world.round(*[order(task=number, request=request) for number in (1, 2, 3)], pass_us=HOUR_US)
    while world.agent.unacknowledged or len(world.brain.events) < 12:
        world.round()
    sizes = [(len(h.events), sum(len(e.outputs) for e in h.events)) for h in world.brain.heartbeats]
    assert max(sizes)[0] == 4
    assert max(outputs for _, outputs in sizes) == 2
    assert [e.sequence for e in world.brain.events] == list(range(1, 13))


def test_an_answer_that_is_lost_repeats_the_events_with_the_same_sequence(world):
    world.round(order())

    def lost(heartbeat) -> Orders:
        world.brain.send(heartbeat)
        raise UnreachableError

    with pytest.raises(UnreachableError):
        world.agent.exchange(lost)
    world.round()
    assert [e.sequence for e in world.brain.heartbeats[-1].events] == [1, 2]
    assert world.brain.kinds() == [K.ACCEPTED, K.RUNNING]


def test_a_new_journal_under_an_old_name_counts_on_from_the_brain(world):
    world.brain.applied = 41
    world.round(order())
    world.round()
    assert [e.sequence for e in world.brain.events] == [42, 43]


def test_a_start_for_a_foreign_site_is_refused(world):
    world.round(order(site=SiteId("elsewhere")))
    world.round()
    assert [(e.kind, e.reason) for e in world.brain.events] == [(K.FAILED, FailureReason.BACKEND)]


def test_what_the_adapter_refuses_fails_with_its_reason(world):
    world.round(order(request=TaskRequest(run="true", image="debian:12")))
    world.round()
    assert world.brain.kinds() == [K.ACCEPTED, K.FAILED]
    assert world.brain.events[-1].reason is FailureReason.IMAGE_UNKNOWN


def test_delivery_is_reported_also_after_a_restart(world):
    world.round(order(), pass_us=HOUR_US)
    world.round()
    world.lose_backend()
    world.round(order(InstructionKind.DELIVER))
    world.round()
    assert world.brain.kinds()[-1] is K.DELIVERED


def test_the_log_is_shipped_before_the_end_is_told(world):
    world.round(order(), pass_us=HOUR_US)
    seen = []
    world.brain.before_answer = lambda: seen.append((world.brain.kinds()[-1], dict(world.logs)))
    world.round()
    assert seen == [(K.FINISHED, {order().attempt_id: b"fake: started\nfake: finished\n"})]


def test_a_log_sink_that_fails_loses_no_event(world):
    world.round(order(), pass_us=HOUR_US)
    sink, failures = world.logs, [True]

    def broken(attempt_id, offset, part) -> None:
        if failures:
            failures.pop()
            raise UnreachableError
        sink[attempt_id] = part

    world.agent = Agent(AgentId("a1"), [SITE], world.adapter, world.journal, world.clock, broken)
    with pytest.raises(UnreachableError):
        world.round()
    world.round()
    assert world.brain.kinds()[-1] is K.FINISHED
    assert sink[order().attempt_id].endswith(b"finished\n")


def test_the_journal_survives_the_process_and_keeps_a_second_agent_out(tmp_path):
    world = World(tmp_path / "journal.db")
    world.round(order(), pass_us=HOUR_US)
    world.agent.collect()
    with pytest.raises(StoreError, match="journal_locked"):
        Journal(tmp_path / "journal.db")
    world.journal.close()
    again = Journal(tmp_path / "journal.db")
    assert [e.kind for e in again.events()] == [K.ACCEPTED, K.RUNNING, K.FINISHED]
    assert again.last_sequence == 3
    assert [row.live for row in again.attempts()] == [False]
    again.close()


def test_a_damaged_journal_says_so(tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database at all, " * 400)
    with pytest.raises(StoreError, match="journal_damaged"):
        Journal(path)


def test_an_uncommitted_batch_was_never_said(tmp_path):
    world = World(tmp_path / "journal.db")
    world.round(order())
    committed = len(world.journal.events())
    world.journal.next_sequence()
    world.journal.add_event(world.brain.heartbeats and world.agent.heartbeat().events[0])
    world.journal.close()
    again = Journal(tmp_path / "journal.db")
    assert len(again.events()) == committed
    again.close()


def test_names_that_are_no_text_do_not_end_the_agent(world):
    """Every free text of an event: a file's name may be any bytes, and an adapter may hand it on as it is."""
    file = OutputFile(path="out/\udcff", blake3="0" * 64, size_bytes=1, delivered_as="\udcff")
    world.round(order())
    update = Update(
        attempt_id=order().attempt_id,
        kind=K.FINISHED,
        at_us=world.clock(),
        exit_code=0,
        detail="left out: \udcfe",
        outputs=(file,),
        kept=Kept(files=(file,)),
    )
    world.adapter.poll = lambda: [update]
    world.round()
    last = world.brain.events[-1]
    assert last.detail == "left out: ?"
    assert [(one.path, one.delivered_as) for one in (*last.outputs, *last.kept.files)] == [("out/?", "?")] * 2
    last.model_dump_json()
