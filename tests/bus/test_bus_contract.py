"""What an agent may rely on, whichever bus it has: the same cases against both, over a real brain."""

import httpx
import pytest
from tests.bus.sides import AGENT, WAIT_MS, event, heartbeat, http_bus, in_memory, over_http, start_of

from suanwang.bus.http import HttpBus
from suanwang.model.error import ConflictError, NotAllowedError, NotFoundError, NotKnownError, UnreachableError
from suanwang.model.event import EventKind, as_instruction
from suanwang.model.ids import AgentId, AttemptId
from suanwang.model.principal import Submission
from suanwang.model.record import Phase
from suanwang.model.task import TaskRequest

K = EventKind


@pytest.fixture(params=[in_memory, over_http], ids=["memory", "http"])
def side(request, tmp_path):
    with request.param(tmp_path) as made:
        yield made


@pytest.fixture
def http(tmp_path):
    with over_http(tmp_path) as made:
        yield made


def applied(side, task_id):
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
