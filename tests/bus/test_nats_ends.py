"""The bus over a real NATS server, where a connection does not end as the client library expects."""

import asyncio
import os
import signal

import pytest
from tests.bus.sides import event, heartbeat, over_nats, patiently, start_of

from suanwang.bus import nats
from suanwang.model.event import EventKind


@pytest.fixture
def side(tmp_path, monkeypatch):
    monkeypatch.setattr(nats, "ANSWER_S", 1.5)
    with over_nats(tmp_path) as made:
        yield made


@pytest.mark.parametrize("hangs", [True, False])
def test_a_connection_that_does_not_end_properly_is_not_kept(side, monkeypatch, hangs):
    """The client says nothing of its end where the end of its stream hangs or fails: its state is believed."""
    bus = side.bus()
    order = start_of(side, bus)

    async def wait_closed():
        if hangs:
            await asyncio.Event().wait()
        raise asyncio.CancelledError

    link = bus._connected[1]
    monkeypatch.setattr(link.client._transport, "wait_closed", wait_closed)
    os.kill(side.nats.server.pid, signal.SIGKILL)
    assert (
        patiently(lambda: bus.exchange(heartbeat(side.sites, [event(order, 1, EventKind.RUNNING)]), 0)).acknowledged
        == 1
    )
    assert not link.closed.is_set(), "nobody was called back"
