"""The brain's end of the bus over NATS: takes rounds from the stream, has the brain carry them out, answers.

Who speaks is told by the subject alone: the broker lets a user publish to the subjects of its own key and name. The rounds
of one agent are carried out one after another, in the order of the stream; those of different agents side by side.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import structlog
from nats.aio.msg import Msg
from pydantic import ValidationError

from suanwang.bus.frames import MESSAGE, Joined, Joiner, cut
from suanwang.bus.memory import BrainSide
from suanwang.bus.nats_names import (
    ACK_WAIT_S,
    ATTEMPT,
    BRAIN,
    BROKEN,
    CONNECT_S,
    CONSUMER,
    LOGS,
    OFFSET,
    STATUS,
    STREAM,
    WAIT,
    Link,
    NatsAccess,
    connect,
    consumer_config,
    ensure_stream,
    inbox,
    token,
    while_up,
)
from suanwang.bus.told import problem_of
from suanwang.model.error import Fault, FaultsError, StoreError, SuanwangError, UnreachableError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AttemptId, KeyId
from suanwang.model.principal import Principal

# Unpacked, of one answer: a few seconds on a thin line, even where it does not pack. What is left out comes with the next ones.
ANSWER_BYTES_MAX: Final = 4 * 1024**2
WAIT_MS_MAX: Final = 30_000
THREADS_MAX: Final = 512  # an agent that waits for orders holds one; more wait for their turn
RETRY_S: Final = 0.3
# A message of many parts that is not whole after so long never will be: its sender gives up sooner, and says all of it again.
HALF_S: Final = 300.0
TIDY_S: Final = 30.0
_SAYS_SO_S: Final = ACK_WAIT_S / 3
_AGAIN_S: Final = 1.0
_STOP_S: Final = 10.0

_log = structlog.get_logger("suanwang.bus")


class KnowsKeys(BrainSide, Protocol):
    """A brain that knows whom a key belongs to, when the broker has proved who holds it."""

    def principal_of(self, key_id: KeyId) -> Principal: ...


@dataclass
class _Lane:
    """One agent: its parts, and its rounds in order."""

    joiner: Joiner[Msg] = field(default_factory=Joiner)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    under_way: set[str] = field(default_factory=set)  # rounds by name, from whole to answered
    heard_s: float = 0.0  # when the message that came last began
    half: str = ""  # its name, while it is half there

    @property
    def idle(self) -> bool:
        return not self.under_way and not self.joiner.half


class NatsGateway:
    """Runs in a thread of its own from `start` to `stop`, and connects again for as long as it takes."""

    def __init__(self, brain: KnowsKeys, access: Callable[[], NatsAccess], replicas: int = 1) -> None:
        self._brain = brain
        self._access = access
        self._replicas = replicas
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="nats-round")
        self._lanes: dict[str, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop  # of the thread, from its start
        self._stopping: asyncio.Event
        self._begun = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="nats-gateway", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._begun.wait()

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether it has been connected, with its stream, within the time."""
        return self._ready.wait(timeout_s)

    def stop(self) -> None:
        """Rounds that are being carried out are not acknowledged: they come again to whoever is next."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_STOP_S)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._begun.set()
        while not self._stopping.is_set():
            try:
                await self._connected()
            except (SuanwangError, *BROKEN) as error:
                _log.warning("nats_unreachable", cause=type(error).__name__, detail=str(error))
            try:
                await asyncio.wait_for(self._stopping.wait(), RETRY_S)
            except TimeoutError:
                continue
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self) -> None:
        access = await asyncio.to_thread(self._access)
        link = await asyncio.wait_for(connect(access, "suanwang-brain", inbox(BRAIN)), 2 * CONNECT_S)
        tidying = self._loop.create_task(self._tidy())
        try:
            await ensure_stream(link.js, self._replicas)
            await link.client.subscribe(LOGS, queue=CONSUMER, cb=partial(self._hear_log, link))
            self._lanes.clear()  # what was half there comes again
            take = partial(self._take, link)
            await link.js.subscribe_bind(STREAM, consumer_config(), CONSUMER, cb=take, manual_ack=True)
            await link.client.flush(CONNECT_S)
            self._ready.set()
            await while_up(link, self._stopping.wait())
        finally:
            tidying.cancel()
            if not link.client.is_closed:
                await link.client.close()

    # -- rounds ------------------------------------------------------------------------------------------------

    async def _take(self, link: Link, message: Msg) -> None:
        lane, headers = self._lanes.setdefault(message.subject.rpartition(".")[0], _Lane()), message.headers or {}
        if headers.get(MESSAGE) in lane.under_way:
            return  # it comes again although we are at it: it is acknowledged when that is done
        try:
            whole, stale = lane.joiner.add(headers, message.data, message)
        except ValueError as error:
            _log.warning("nats_no_round", subject=message.subject, detail=str(error))
            await message.term()
            return
        for one in stale:
            await one.term()
        if lane.joiner.half != lane.half or whole is not None:
            lane.half, lane.heard_s = lane.joiner.half, self._loop.time()
        if whole is not None:
            lane.waiting += 1
            lane.under_way.add(whole.message)
            self._spawn(self._round(link, lane, message.subject, whole))

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _round(self, link: Link, lane: _Lane, subject: str, whole: Joined[Msg]) -> None:
        says_so = self._loop.create_task(_say_so(whole.carriers))  # while it waits for its turn too
        try:
            async with lane.turn:
                lane.waiting -= 1
                hurry = lane.waiting > 0  # the agent has asked again: nobody waits for orders here
                status, body = await self._loop.run_in_executor(self._threads, self._carry_out, subject, whole, hurry)
        finally:
            says_so.cancel()
            lane.under_way.discard(whole.message)
        try:
            await self._answer(link, subject, whole.message, status, body)
            for one in whole.carriers:
                # A brain that cannot write now may when it comes again; what it has applied or refused is done with.
                await (one.nak(delay=_AGAIN_S) if status == StoreError.status else one.ack())
        except BROKEN as error:
            _log.warning("nats_answer_lost", subject=subject, cause=type(error).__name__)

    def _carry_out(self, subject: str, whole: Joined[Msg], hurry: bool) -> tuple[int, bytes]:
        try:
            _, _, key, agent, _ = subject.split(".")
            principal = self._brain.principal_of(KeyId(key))
            heartbeat = Heartbeat.model_validate_json(whole.body)
            if token(heartbeat.agent) != agent:
                raise FaultsError(
                    [Fault("agent_other", "body.agent", heartbeat.agent, None, {"path": agent})], "request"
                )
            wait_ms = 0 if hurry else min(WAIT_MS_MAX, max(0, _number(whole.headers.get(WAIT, ""))))
            return 200, _body(self._brain.exchange(principal, heartbeat, wait_ms))
        except ValidationError as error:
            return problem_of(_bad("body", "", str(error.errors(include_input=False)[0]["msg"])))
        except SuanwangError as error:
            return problem_of(error)
        except Exception as error:  # the brain has failed, and says so itself; the agent must not wait for it
            _log.error("nats_round_broke", subject=subject, exc_info=error)
            return problem_of(UnreachableError(cause=type(error).__name__))

    async def _tidy(self) -> None:
        """Give up messages of which the rest never came, and forget agents of which nothing has been heard."""
        while True:
            await asyncio.sleep(TIDY_S)
            before_s = self._loop.time() - HALF_S
            for name, lane in list(self._lanes.items()):
                if lane.heard_s > before_s:
                    continue
                try:
                    for one in lane.joiner.drop():
                        await one.term()
                except BROKEN:
                    return  # all of it comes again over the next connection
                if lane.idle:
                    self._lanes.pop(name, None)

    async def _answer(self, link: Link, subject: str, message: str, status: int, body: bytes) -> None:
        _, _, key, agent, _ = subject.split(".")
        for part in cut(message, body, {STATUS: str(status)}):
            await link.client.publish(f"sw.down.{key}.{agent}", part.data, headers=part.headers)

    # -- logs --------------------------------------------------------------------------------------------------

    async def _hear_log(self, link: Link, message: Msg) -> None:
        self._spawn(self._take_log(link, message))

    async def _take_log(self, link: Link, message: Msg) -> None:
        status, body = await self._loop.run_in_executor(self._threads, self._append, message)
        _, _, key = message.subject.split(".")
        if not message.reply.startswith(f"{inbox(KeyId(key))}."):
            _log.warning("nats_reply_elsewhere", subject=message.subject)  # we may publish where the agent may not
            return
        try:
            await link.client.publish(message.reply, body, headers={STATUS: str(status)})
        except BROKEN as error:
            _log.warning("nats_answer_lost", subject=message.subject, cause=type(error).__name__)

    def _append(self, message: Msg) -> tuple[int, bytes]:
        headers = message.headers or {}
        try:
            principal = self._brain.principal_of(KeyId(message.subject.rpartition(".")[2]))
            attempt, offset = AttemptId(headers.get(ATTEMPT, "")), _number(headers.get(OFFSET, ""))
            if offset < 0:
                raise _bad(OFFSET, str(offset), "a whole number from 0")
            length = self._brain.append_log(principal, attempt, offset, message.data)
            return 200, json.dumps({"length": length}).encode()
        except SuanwangError as error:
            return problem_of(error)
        except Exception as error:  # as above
            _log.error("nats_log_broke", exc_info=error)
            return problem_of(UnreachableError(cause=type(error).__name__))


def _body(orders: Orders) -> bytes:
    """An answer that fits, whatever it holds: instructions that are left out are given again while their effect is not seen."""
    body = orders.model_dump_json().encode()
    while len(body) > ANSWER_BYTES_MAX and len(orders.instructions) > 1:
        some = orders.instructions[: len(orders.instructions) // 2]
        held = {one.attempt_id for one in some}
        secrets = {one: values for one, values in orders.secrets.items() if one in held}
        orders = orders.model_copy(update={"instructions": some, "secrets": secrets})
        body = orders.model_dump_json().encode()
    return body


def _number(text: str) -> int:
    """A whole number of a header; -1 where it is none."""
    return int(text) if text.isdecimal() and len(text) < 16 else -1


def _bad(where: str, got: str, need: str) -> FaultsError:
    return FaultsError([Fault("parameter_form", where, got, None, {"need": need})], "request")


async def _say_so(messages: list[Msg]) -> None:
    """Keep a round that is being carried out from coming again."""
    while True:
        await asyncio.sleep(_SAYS_SO_S)
        try:
            for one in messages:
                await one.in_progress()
        except BROKEN:
            return  # it comes again over the next connection
