"""The bus over NATS JetStream, as an agent has it: it dials out, to the broker alone.

A round is published to the stream (a server that takes it keeps it until the brain has applied it, whatever becomes of us)
and its answer is awaited. Whoever calls has no event loop: the connection lives in a thread of its own.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as LateError
from typing import Any, Final, TypeVar

from nats.aio.msg import Msg
from nats.nuid import NUID

from suanwang.bus.frames import Joined, Joiner, cut
from suanwang.bus.nats_names import (
    ATTEMPT,
    BROKEN,
    CONNECT_S,
    OFFSET,
    STATUS,
    STREAM,
    WAIT,
    Link,
    NatsAccess,
    connect,
    down,
    inbox,
    log,
    up,
    while_up,
)
from suanwang.bus.told import error_of
from suanwang.model.error import UnreachableError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AgentId, AttemptId

# Beyond the time that the brain was asked to wait, an answer may take this long: a brain that is started again meanwhile
# finds the round in the stream.
ANSWER_S: Final = 10.0
_CLOSE_S: Final = 5.0
_OK: Final = 200
T = TypeVar("T")


class NatsBus:
    """Speaks for one agent, from any thread. `access` says how to get in and is asked at every new connection, so that
    credentials may be renewed; what it raises passes through."""

    def __init__(self, access: Callable[[], NatsAccess], agent: AgentId) -> None:
        self._access = access
        self._agent = agent
        self._names = NUID()
        self._joiner: Joiner[None] = Joiner()
        self._answers: dict[str, asyncio.Future[Joined[None]]] = {}
        self._connecting = asyncio.Lock()  # several threads may want the first connection at once
        self._connected: tuple[NatsAccess, Link] | None = None
        self._closing = False
        self._running: set[Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"nats-{agent}", daemon=True)
        self._thread.start()

    # -- the port ----------------------------------------------------------------------------------------------

    def exchange(self, heartbeat: Heartbeat, wait_ms: int) -> Orders:
        body = heartbeat.model_dump_json().encode()
        within_s = ANSWER_S + wait_ms / 1_000
        answer = self._run(self._round(body, wait_ms, within_s), CONNECT_S + 2 * within_s)
        return Orders.model_validate_json(_checked(answer.headers, answer.body))

    def append_log(self, attempt_id: AttemptId, offset: int, data: bytes) -> int:
        answer = self._run(self._piece(attempt_id, offset, data), 2 * (CONNECT_S + ANSWER_S))
        return int(json.loads(_checked(answer.headers or {}, answer.data))["length"])

    def close(self) -> None:
        """Whoever waits for an answer is told that there is none."""
        if self._closing:
            return
        self._closing = True
        for one in list(self._running):
            one.cancel()
        ending = asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop)
        try:
            ending.result(_CLOSE_S)
        except (LateError, *BROKEN):
            ending.cancel()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()

    # -- between the threads -----------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, T], within_s: float) -> T:
        if self._closing:
            work.close()
            raise self._unreachable("closed")
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._running.add(running)
        try:
            return running.result(within_s)
        except (LateError, CancelledError, asyncio.CancelledError, *BROKEN) as error:
            running.cancel()
            raise self._unreachable(type(error).__name__) from error
        finally:
            self._running.discard(running)

    def _unreachable(self, cause: str) -> UnreachableError:
        address = ", ".join(self._connected[0].servers) if self._connected is not None else "nats"
        return UnreachableError(address=address, cause=cause)

    # -- in the loop -------------------------------------------------------------------------------------------

    async def _link(self) -> tuple[NatsAccess, Link]:
        async with self._connecting:
            if self._connected is None or self._connected[1].is_gone:
                access = await asyncio.to_thread(self._access)
                link = await asyncio.wait_for(connect(access, self._agent, inbox(access.key_id)), 2 * CONNECT_S)
                self._joiner = Joiner()
                await link.client.subscribe(down(access.key_id, self._agent), cb=self._hear)
                await link.client.flush(CONNECT_S)
                self._connected = access, link
            return self._connected

    async def _hang_up(self) -> None:
        if self._connected is not None and not self._connected[1].client.is_closed:
            await self._connected[1].client.close()
        # What connections that ended badly have left running.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _hear(self, message: Msg) -> None:
        try:
            whole, _ = self._joiner.add(message.headers or {}, message.data, None)
        except ValueError:
            return  # not an answer of a brain; who waits for one asks again
        waiting = self._answers.get(whole.message) if whole is not None else None
        if whole is not None and waiting is not None and not waiting.done():
            waiting.set_result(whole)

    async def _round(self, body: bytes, wait_ms: int, within_s: float) -> Joined[None]:
        access, link = await self._link()
        message = self._names.next().decode()
        answer = self._answers[message] = self._loop.create_future()
        try:
            for part in cut(message, body, {WAIT: str(wait_ms)}):
                headers = {**part.headers, "Nats-Msg-Id": f"{message}.{part.number}"}
                await while_up(
                    link,
                    link.js.publish(
                        up(access.key_id, self._agent, part.number),
                        part.data,
                        timeout=CONNECT_S,
                        stream=STREAM,
                        headers=headers,
                    ),
                )
            return await asyncio.wait_for(while_up(link, answer), within_s)
        finally:
            del self._answers[message]

    async def _piece(self, attempt_id: AttemptId, offset: int, data: bytes) -> Msg:
        access, link = await self._link()
        headers = {ATTEMPT: attempt_id, OFFSET: str(offset)}
        asking = link.client.request(log(access.key_id), data, timeout=ANSWER_S, headers=headers)
        return await while_up(link, asking)


def _checked(headers: dict[str, str], body: bytes) -> bytes:
    status = int(headers.get(STATUS, _OK))
    if status == _OK:
        return body
    raise error_of(status, json.loads(body))
