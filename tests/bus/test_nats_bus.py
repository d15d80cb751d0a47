"""The bus over a real NATS server: who may do what, and what survives whose end."""

import asyncio
import json
import os
import random
import signal
import socket
import ssl
import string
import threading
import time
from dataclasses import replace

import nats as client
import pytest
from tests.bus.sides import AGENT, PATIENCE_S, event, heartbeat, over_nats, patiently, start_of
from tests.bus.test_bus_contract import applied

from suanwang.bus import nats, nats_brain, nats_names
from suanwang.bus.nats_brain import NatsGateway
from suanwang.bus.nats_names import STREAM, connect, down, inbox, log, up
from suanwang.model.error import NotKnownError, StoreError, UnreachableError
from suanwang.model.event import AttemptSeen, EventKind, Orders
from suanwang.model.ids import AgentId, AttemptId, KeyId
from suanwang.model.task import TaskRequest
from suanwang.runtime import nats_desk

K = EventKind


@pytest.fixture
def side(tmp_path, monkeypatch):
    monkeypatch.setattr(nats, "ANSWER_S", 1.5)
    with over_nats(tmp_path) as made:
        yield made


def until(holds, what):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def access_of(bus):
    return bus._access()


async def _denied(access, acts):
    """What the server says to one who does these."""
    said = []
    link = await connect(access, AGENT, inbox(access.key_id))

    async def on_error(error):
        said.append(str(error))

    link.client._error_cb = on_error
    try:
        for act in acts:
            await act(link.client)
        await link.client.flush(5)
        for _ in range(500):
            if len(said) >= len(acts):
                break
            await asyncio.sleep(0.02)
    finally:
        await link.client.close()
    return "\n".join(said).lower()


def test_an_agent_may_publish_to_nothing_but_its_own(side):
    own = access_of(side.bus())
    other = access_of(side.bus(agent=AgentId("two"))).key_id
    targets = [
        up(other, AgentId("two"), 0),
        up(own.key_id, AgentId("two"), 0),
        log(other),
        down(own.key_id, AGENT),  # an order to itself
        f"$JS.API.STREAM.DELETE.{STREAM}",
        f"$JS.API.STREAM.MSG.GET.{STREAM}",
        f"$JS.ACK.{STREAM}.brain.1.1.1.1.0",
        "sw.brain.rounds",
    ]
    said = asyncio.run(_denied(own, [lambda one, to=to: one.publish(to, b"x") for to in targets]))
    assert [to for to in targets if f'permissions violation for publish to "{to.lower()}"' not in said] == []


def test_an_agent_hears_nothing_but_its_own(side):
    own = access_of(side.bus())
    other = access_of(side.bus(agent=AgentId("two"))).key_id
    targets = [
        "sw.>",
        "sw.down.*.*",
        "$JS.EVENT.>",
        "sw.brain.rounds",
        down(other, AgentId("two")),
        f"{inbox(other)}.>",
    ]
    said = asyncio.run(_denied(own, [lambda one, to=to: one.subscribe(to) for to in targets]))
    assert [to for to in targets if f'permissions violation for subscription to "{to.lower()}"' not in said] == []


def test_nobody_comes_in_without_tls_a_known_authority_and_a_credential(side):
    access = access_of(side.bus())
    host, port = access.servers[0].removeprefix("tls://").split(":")

    async def anonymous():
        await client.connect(
            access.servers[0], tls=ssl.create_default_context(cadata=access.authority), allow_reconnect=False
        )

    async def unsigned():
        await connect(replace(access, jwt=access.jwt[:-8] + "AAAAAAAA"), AGENT, "x")

    async def unknown_authority():
        await connect(replace(access, authority=""), AGENT, "x")

    for attempt in (anonymous, unsigned, unknown_authority):
        with pytest.raises(nats_names.BROKEN):
            asyncio.run(attempt())
    with socket.create_connection((host, int(port)), 5) as plain:
        plain.recv(65_536)
        plain.sendall(b'CONNECT {"verbose":true}\r\nPING\r\n')
        assert b"PONG" not in plain.recv(65_536)


def test_the_stream_is_as_it_is_declared_and_is_changed_when_that_changes(side, monkeypatch):
    async def info():
        link = await connect(side.nats._access(), "test", "sw.in.brain")
        try:
            return (await link.js.stream_info(STREAM)).config, (await link.js.consumer_info(STREAM, "brain")).config
        finally:
            await link.client.close()

    stream, consumer = asyncio.run(info())
    assert (stream.max_msgs_per_subject, stream.max_bytes, stream.max_age) == (1, 4 * 1024**3, 7 * 24 * 3600)
    assert (stream.max_msg_size, consumer.ack_wait, consumer.max_ack_pending) == (1024**2, 10, 16_384)
    monkeypatch.setattr(nats_names, "STREAM_BYTES_MAX", 1024**3)
    side.kill()
    side.again()
    assert asyncio.run(info())[0].max_bytes == 1024**3


def test_a_revoked_key_is_known_no_more(side):
    bus = side.bus()
    bus.exchange(heartbeat(side.sites), 0)
    side.brain.revoke_key(side.operator, access_of(bus).key_id)
    with pytest.raises(NotKnownError):
        bus.exchange(heartbeat(side.sites), 0)


def test_a_credential_that_runs_out_is_renewed_under_way(side, monkeypatch):
    monkeypatch.setattr(nats_desk, "USER_S", 2)
    bus = side.bus()
    links = set()
    deadline = time.monotonic() + PATIENCE_S
    while len(links) < 3:
        assert time.monotonic() < deadline
        patiently(lambda: bus.exchange(heartbeat(side.sites), 0))
        links.add(id(bus._connected[1]))
        time.sleep(0.1)


def test_the_server_may_be_killed_and_nothing_is_lost(side):
    bus = side.bus()
    order = start_of(side, bus)
    events = []
    for sequence in range(1, 10):
        events.append(event(order, sequence, K.PROGRESS))
        if sequence % 3 == 0:
            os.kill(side.nats.server.pid, signal.SIGKILL)
        assert patiently(lambda: bus.exchange(heartbeat(side.sites, events), 0)).acknowledged == sequence
    assert applied(side, order.task_id) == ["progress"] * 9


def test_a_partition_is_survived_and_what_happened_meanwhile_comes_after_it(side):
    bus = side.bus()
    order = start_of(side, bus)
    server = side.nats.server
    server.stop()
    events = [event(order, 1, K.ACCEPTED)]
    for sequence in range(2, 5):
        with pytest.raises(UnreachableError):
            bus.exchange(heartbeat(side.sites, events), 0)
        events.append(event(order, sequence, K.PROGRESS))
    with pytest.raises(UnreachableError):
        bus.append_log(order.attempt_id, 0, b"x")
    side.nats.server = nats_desk.NatsServer(side.settings)
    side.nats.server.start()
    assert patiently(lambda: bus.exchange(heartbeat(side.sites, events), 0)).acknowledged == 4
    assert bus.append_log(order.attempt_id, 0, b"x") == 1


def test_a_round_waits_for_the_brain_even_when_its_agent_is_gone(side):
    bus = side.bus()
    order = start_of(side, bus)
    side.kill()
    with pytest.raises(UnreachableError):
        bus.exchange(heartbeat(side.sites, [event(order, 1, K.RUNNING)]), 0)
    bus.close()
    side.again()
    until(
        lambda: side.brain.wait_tables() and applied(side, order.task_id) == ["running"], "the stored round is applied"
    )


def test_a_round_that_the_brain_could_not_write_comes_again_by_itself(side):
    class Failing:
        """A brain whose disk is full at first."""

        rounds = 0

        def principal_of(self, key_id):
            return side.brain.principal_of(KeyId(key_id))

        def append_log(self, principal, attempt_id, offset, data):
            raise AssertionError

        def exchange(self, principal, said, wait_ms=0):
            self.rounds += 1
            if self.rounds == 1:
                raise StoreError("database_busy")
            return Orders(acknowledged=7)

    bus, failing = side.bus(), Failing()
    side.nats.gateway.stop()
    gateway = NatsGateway(failing, side.nats._access)
    gateway.start()
    try:
        assert gateway.wait_ready(PATIENCE_S)
        with pytest.raises(UnreachableError):
            bus.exchange(heartbeat(side.sites), 0)
        until(lambda: failing.rounds >= 2, "the same round comes again")
    finally:
        gateway.stop()


def test_more_orders_than_fit_come_in_several_answers(side, monkeypatch):
    """Twelve megabytes of scripts: no answer may stop the agent from being answered at all."""
    monkeypatch.setattr(nats, "ANSWER_S", 20.0)
    order = start_of(side, side.bus())
    stream = random.Random(5)
    scripts = ["".join(stream.choices(string.printable[:90], k=60_000)) for _ in range(8)]
    many = [
        order.model_copy(
            update={
                "attempt_id": AttemptId(f"att-{at:026d}"),
                "request": TaskRequest(run=scripts[at % 8]),
            }
        )
        for at in range(200)
    ]
    wanted = {one.attempt_id: one for one in many}

    class Busy:
        def principal_of(self, key_id):
            return side.brain.principal_of(KeyId(key_id))

        def append_log(self, principal, attempt_id, offset, data):
            raise AssertionError

        def exchange(self, principal, said, wait_ms=0):
            for one in said.attempts:
                wanted.pop(one.attempt_id, None)
            left = tuple(wanted.values())
            return Orders(acknowledged=0, instructions=left, secrets={one.attempt_id: {"K": "v"} for one in left})

    bus = side.bus()
    side.nats.gateway.stop()
    gateway = NatsGateway(Busy(), side.nats._access)
    gateway.start()
    try:
        assert gateway.wait_ready(PATIENCE_S)
        held, answers = [], 0
        while wanted:
            said = heartbeat(side.sites).model_copy(update={"attempts": tuple(held)})
            orders = patiently(lambda said=said: bus.exchange(said, 0))
            assert {one.attempt_id for one in orders.instructions} == set(orders.secrets)
            held += [AttemptSeen(attempt_id=one.attempt_id, fence=1, live=True) for one in orders.instructions]
            answers += 1
        assert 3 <= answers < 20
    finally:
        gateway.stop()


def test_a_server_that_was_left_behind_is_taken_on_and_at_last_ended(side):
    pid = side.nats.server.pid
    side.kill()
    assert os.path.exists(f"/proc/{pid}")
    side.again()
    assert side.nats.server.pid == pid
    side.nats.server.stop()
    assert side.nats.server.pid is None


def test_a_body_that_is_no_round_is_answered_and_is_gone(side):
    """Of an agent of another version: the brain says so, and does not choke on it."""

    async def say():
        access = access_of(bus)
        link = await connect(access, AGENT, inbox(access.key_id))
        answers = []

        async def hear(message):
            answers.append((message.headers, message.data))

        try:
            await link.client.subscribe(down(access.key_id, AGENT), cb=hear)
            for number, (headers, data) in enumerate(
                [({"Sw-Part": "no"}, b""), ({"Sw-Message": "m", "Sw-Part": "0/1"}, b"{}")]
            ):
                headers["Nats-Msg-Id"] = str(number)
                await link.js.publish(up(access.key_id, AGENT, number), data, headers=headers)
            for _ in range(500):
                if answers:
                    break
                await asyncio.sleep(0.02)
            return answers
        finally:
            await link.client.close()

    bus = side.bus()
    ((headers, data),) = asyncio.run(say())
    assert (headers["Sw-Status"], json.loads(data)["code"]) == ("422", "faults")
    assert bus.exchange(heartbeat(side.sites), 0).acknowledged == 0


class Slow:
    """A brain that is long at every round."""

    def __init__(self, side, hold_s):
        self.side, self.hold_s, self.rounds = side, hold_s, []

    def principal_of(self, key_id):
        return self.side.brain.principal_of(KeyId(key_id))

    def append_log(self, principal, attempt_id, offset, data):
        return offset + len(data)

    def exchange(self, principal, said, wait_ms=0):
        self.rounds.append(len(said.sites))
        time.sleep(self.hold_s)
        return Orders(acknowledged=0)


def test_a_round_that_waits_behind_a_long_one_is_carried_out_once(side, monkeypatch):
    monkeypatch.setattr(nats, "ANSWER_S", 30.0)
    monkeypatch.setattr(nats_names, "ACK_WAIT_S", 1)
    monkeypatch.setattr(nats_brain, "_SAYS_SO_S", 0.25)
    bus, slow = side.bus(), Slow(side, 2.5)
    side.nats.gateway.stop()
    gateway = NatsGateway(slow, side.nats._access)
    gateway.start()
    try:
        assert gateway.wait_ready(PATIENCE_S)
        asks = [threading.Thread(target=bus.exchange, args=(heartbeat(side.sites[:count]), 0)) for count in (1, 2, 3)]
        for before, one in enumerate(asks):
            one.start()  # one after another: the stream keeps the newest that is not delivered
            until(
                lambda before=before: len(slow.rounds) + sum(lane.waiting for lane in gateway._lanes.values()) > before,
                "the brain has the round",
            )
        for one in asks:
            one.join(PATIENCE_S)
        assert sorted(slow.rounds) == [1, 2, 3]
        until(lambda: all(lane.idle for lane in gateway._lanes.values()), "nothing is under way")
    finally:
        gateway.stop()


def test_a_message_of_which_the_rest_never_comes_is_given_up(side, monkeypatch):
    monkeypatch.setattr(nats_brain, "HALF_S", 1.0)
    monkeypatch.setattr(nats_brain, "TIDY_S", 0.1)
    bus = side.bus()
    side.nats.gateway.stop()
    gateway = NatsGateway(Slow(side, 0), side.nats._access)
    gateway.start()

    async def half():
        access = access_of(bus)
        link = await connect(access, AGENT, inbox(access.key_id))
        try:
            headers = {"Sw-Message": "m", "Sw-Part": "0/2", "Nats-Msg-Id": "m.0"}
            await link.js.publish(up(access.key_id, AGENT, 0), b"{", headers=headers)
        finally:
            await link.client.close()

    async def held():
        link = await connect(side.nats._access(), "test", "sw.in.brain")
        try:
            return (await link.js.stream_info(STREAM)).state.messages
        finally:
            await link.client.close()

    try:
        assert gateway.wait_ready(PATIENCE_S)
        asyncio.run(half())
        until(lambda: not gateway._lanes and asyncio.run(held()) == 0, "no half message is in memory nor on the disk")
    finally:
        gateway.stop()


def test_an_answer_to_a_piece_of_a_log_goes_to_whoever_asked_and_nowhere_else(side):
    """The brain may publish orders: an agent must not be able to have it publish them to another."""
    bus = side.bus()
    own = access_of(bus)

    async def ask():
        heard = []

        async def hear(message):
            heard.append(message.subject)

        brain = await connect(side.nats._access(), "test", "sw.in.brain")
        link = await connect(own, AGENT, inbox(own.key_id))
        try:
            await brain.client.subscribe("sw.in.brain.stolen", cb=hear)
            await link.client.subscribe(f"{inbox(own.key_id)}.mine", cb=hear)
            await brain.client.flush(5)
            for reply in ("sw.in.brain.stolen", f"{inbox(own.key_id)}.mine"):
                await link.client.publish(log(own.key_id), b"x", reply=reply)
            for _ in range(500):
                if heard:
                    break
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)
            return heard
        finally:
            await link.client.close()
            await brain.client.close()

    assert asyncio.run(ask()) == [f"{inbox(own.key_id)}.mine"]


def test_the_brains_user_touches_nothing_else_of_the_account(side):
    access = side.nats._access()
    targets = ["other.subject", "$JS.API.STREAM.DELETE.OTHER", "$JS.API.STREAM.LIST", "sw.up.a.b.0", "sw.log.a"]
    said = asyncio.run(_denied(access, [lambda one, to=to: one.publish(to, b"x") for to in targets]))
    assert [to for to in targets if f'permissions violation for publish to "{to.lower()}"' not in said] == []


def test_threads_that_want_the_first_connection_at_once_have_one(side):
    bus = side.bus()
    asked = []
    real = bus._access
    bus._access = lambda: asked.append(1) or real()
    threads = [threading.Thread(target=lambda: bus._run(bus._link(), PATIENCE_S)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE_S)
    assert len(asked) == 1
    assert bus.exchange(heartbeat(side.sites), 0).acknowledged == 0


def test_waiting_is_cut_short_when_the_bus_is_closed(side):
    bus = side.bus()
    bus.exchange(heartbeat(side.sites), 0)
    ended = []

    def wait():
        with pytest.raises(UnreachableError):
            bus.exchange(heartbeat(side.sites), 25_000)
        ended.append(True)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: bus._answers, "the round is out")
    bus.close()
    waiting.join(10)
    assert ended
