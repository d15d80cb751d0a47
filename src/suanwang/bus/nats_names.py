"""The bus on NATS: its subjects, its stream and its consumer, what each user may touch, and one way to connect.

An agent's rounds go up through a JetStream stream that keeps the newest round of each agent; the brain acknowledges one
when its log has it. The answers come down without a stream: secrets travel in them and are never on a broker's disk, and
an order that is missed is given again while its effect is not seen.
"""

import asyncio
import base64
import logging
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import nats
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError as NoSuchThingError

from suanwang.bus.frames import PARTS_MAX
from suanwang.bus.nkeys import KeyPair
from suanwang.model.ids import AgentId, KeyId

if TYPE_CHECKING:
    from nats.js import JetStreamContext

STREAM: Final = "SW_UP"
CONSUMER: Final = "brain"
# What has not been applied after this long is in the journals of the agents that still want it.
AGE_MAX_S: Final = 7 * 24 * 3600
# One round of at most PARTS_MAX parts is kept of each agent; so this is room for thousands, and a limit for all.
STREAM_BYTES_MAX: Final = 4 * 1024**3
PART_MESSAGE_BYTES_MAX: Final = 1024**2
# A lost acknowledgement of a publish makes the sender say it again; the stream knows it for this long.
DUPLICATES_S: Final = 120
# A brain that took a round and died: it comes again after this long. A brain that is at it says so more often.
ACK_WAIT_S: Final = 10
# Every agent that waits for orders has one in flight.
IN_FLIGHT_MAX: Final = 16_384
CONNECT_S: Final = 5
_PING_S: Final = 5
_AGAIN_S: Final = 0.1
_LOOK_S: Final = 0.25

T = TypeVar("T")

WAIT: Final = "Sw-Wait-Ms"
STATUS: Final = "Sw-Status"
ATTEMPT: Final = "Sw-Attempt"
OFFSET: Final = "Sw-Offset"


def token(name: str) -> str:
    """A name as one token of a subject: what is special there is written as `=` and its code."""
    return "".join(ch if ch.isascii() and (ch.isalnum() or ch in "_-") else f"={ord(ch):02x}" for ch in name)


def up(key_id: KeyId, agent: AgentId, part: int) -> str:
    return f"sw.up.{token(key_id)}.{token(agent)}.{part}"


def down(key_id: KeyId, agent: AgentId) -> str:
    return f"sw.down.{token(key_id)}.{token(agent)}"


def log(key_id: KeyId) -> str:
    return f"sw.log.{token(key_id)}"


def inbox(key_id: KeyId) -> str:
    return f"sw.in.{token(key_id)}"


LOGS: Final = "sw.log.*"
ROUNDS: Final = "sw.brain.rounds"
BRAIN: Final = KeyId("brain")

# All that the brain's user may touch of the account: answers, its own stream and consumer (the acknowledgements also in the form
# that names the account), and what comes in.
BRAIN_PUBLISHES: Final = (
    "sw.down.*.*",
    "sw.in.>",
    f"$JS.API.STREAM.*.{STREAM}",
    f"$JS.API.CONSUMER.*.{STREAM}.>",
    f"$JS.API.CONSUMER.CREATE.{STREAM}",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{CONSUMER}",
    f"$JS.ACK.{STREAM}.{CONSUMER}.>",
    f"$JS.ACK.*.*.{STREAM}.{CONSUMER}.>",
)
BRAIN_HEARS: Final = (LOGS, ROUNDS, f"{inbox(BRAIN)}.>")


def may_publish(key_id: KeyId, agent: AgentId) -> list[str]:
    """All that an agent's user may publish to. The parts are named one by one, so that nobody fills the stream."""
    return [*(up(key_id, agent, part) for part in range(PARTS_MAX)), log(key_id)]


def may_subscribe(key_id: KeyId, agent: AgentId) -> list[str]:
    return [down(key_id, agent), f"{inbox(key_id)}.>"]


def stream_config(replicas: int = 1) -> StreamConfig:
    """The newest round of every agent, on disk, until the brain has acknowledged it."""
    return StreamConfig(
        name=STREAM,
        subjects=["sw.up.*.*.*"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_msgs_per_subject=1,
        max_age=AGE_MAX_S,
        max_bytes=STREAM_BYTES_MAX,
        max_msg_size=PART_MESSAGE_BYTES_MAX,
        max_consumers=4,
        duplicate_window=DUPLICATES_S,
        num_replicas=replicas,
    )


def consumer_config() -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=CONSUMER,
        deliver_subject=ROUNDS,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_ack_pending=IN_FLIGHT_MAX,
    )


async def ensure_stream(js: "JetStreamContext", replicas: int) -> None:
    """Make the stream and the consumer as they are here, or change the ones that are there."""
    config = stream_config(replicas)
    try:
        await js.stream_info(STREAM)
        await js.update_stream(config)
    except NoSuchThingError:
        await js.add_stream(config)
    await js.add_consumer(STREAM, consumer_config())


@dataclass(frozen=True)
class NatsAccess:
    """How one user reaches the servers."""

    servers: tuple[str, ...]  # tls://host:port
    authority: str  # PEM of who signed the servers' certificates; empty: the system's authorities
    jwt: str
    seed: str = field(repr=False)
    key_id: KeyId


@dataclass
class Link:
    """One connection. It is not mended: when it is gone, `closed` is set and the next one is made from the beginning."""

    client: Client
    js: "JetStreamContext"
    closed: "asyncio.Event"

    @property
    def is_gone(self) -> bool:
        """The client's word counts too: where its own closing fails half way, it calls nobody back."""
        return self.closed.is_set() or self.client.is_closed

    async def gone(self) -> None:
        """Returns when the connection is gone."""
        while not self.is_gone:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.closed.wait(), _LOOK_S)


def _is_news(record: logging.LogRecord) -> bool:
    """asyncio says at every end of a TLS stream of the NATS client that its protocol answers what it need not."""
    return "eof_received() has no effect" not in record.getMessage()


async def connect(access: NatsAccess, name: str, inbox_prefix: str) -> Link:
    """Raises what `BROKEN` names where no server takes us."""
    logging.getLogger("asyncio").addFilter(_is_news)  # once, however often it is said
    closed = asyncio.Event()
    pair = KeyPair.of_seed(access.seed)

    async def on_closed() -> None:
        closed.set()

    async def on_error(error: Exception) -> None:
        """Said by whoever waits for an answer; the library would print it."""

    client = await nats.connect(
        servers=list(access.servers),
        name=name,
        tls=_tls(access) if any(one.startswith("tls://") for one in access.servers) else None,
        user_jwt_cb=lambda: bytearray(access.jwt.encode()),
        signature_cb=lambda nonce: base64.b64encode(pair.sign(nonce.encode())),
        inbox_prefix=inbox_prefix.encode(),
        allow_reconnect=False,
        max_reconnect_attempts=1,  # of one call: who calls tries again, and knows for how long
        reconnect_time_wait=_AGAIN_S,
        connect_timeout=CONNECT_S,
        ping_interval=_PING_S,
        max_outstanding_pings=2,
        closed_cb=on_closed,
        error_cb=on_error,
    )
    return Link(client, client.jetstream(timeout=CONNECT_S), closed)


def _tls(access: NatsAccess) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def while_up(link: Link, work: "Coroutine[Any, Any, T] | asyncio.Future[T]") -> T:
    """What the work gives; a ConnectionError as soon as the connection is gone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(link.gone())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ConnectionError("the connection to the server is gone")
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


# What a server that is not there, or not well, raises.
BROKEN: Final = (nats.errors.Error, OSError, asyncio.TimeoutError, ssl.SSLError)


def servers_of(text: str) -> Sequence[str]:
    """Addresses from a setting: commas between them."""
    return tuple(one.strip() for one in text.split(",") if one.strip())
