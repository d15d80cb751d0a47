"""How an agent gets to its brain's bus: what it shows, and what it is told."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import KeyId


class BusKind(StrEnum):
    HTTP = "http"  # long-polled requests to the brain's own address
    NATS = "nats"  # a NATS server with JetStream


class BusAsk(Value):
    """An agent asks for its way in. `public_nkey` is of a pair that it has made; the seed stays with it.
    Empty: it asks by which bus alone."""

    public_nkey: Annotated[str, Field(max_length=80)] = ""


class BusTold(Value):
    """The way in. The credential is of the agent's key and name alone, and ends at `expires_us`: ask again before."""

    kind: BusKind
    key_id: KeyId
    servers: tuple[str, ...] = ()  # tls://host:port
    authority: str = ""  # PEM of who signed the servers' certificates; empty: the system's authorities
    jwt: str = ""
    expires_us: int = 0
