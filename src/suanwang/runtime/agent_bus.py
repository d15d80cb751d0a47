"""The way from an agent to its brain: the brain says by which bus, and lets the agent in."""

from pathlib import Path
from typing import Final

import httpx

from suanwang.bus import AgentBus
from suanwang.bus.http import HttpBus, checked
from suanwang.model.bus import BusAsk, BusKind, BusTold
from suanwang.model.error import Fault, FaultsError, UnreachableError
from suanwang.model.ids import AgentId
from suanwang.runtime import clock
from suanwang.runtime.ids import new_seed_bytes
from suanwang.runtime.private import write_private

ASK_S: Final = 5.0


def open_bus(client: httpx.Client, agent: AgentId, folder: Path) -> AgentBus:
    """The bus that the brain wants. `folder` keeps the seed of the agent's own pair, which never leaves it.

    Raises UnreachableError where no brain answers, FaultsError where it is NATS and its client is not installed here.
    """
    told = _ask(client, agent, "")
    if told.kind is BusKind.HTTP:
        return HttpBus(client, agent)
    try:
        from suanwang.bus.nats import NatsBus
        from suanwang.bus.nats_names import NatsAccess
    except ImportError as error:
        raise FaultsError([Fault("nats_missing", "bus", "nats")], "agent") from error
    way = _NatsWay(client, agent, folder)

    def access() -> NatsAccess:
        told = way.told()
        return NatsAccess(told.servers, told.authority, told.jwt, way.seed, told.key_id)

    return NatsBus(access, agent)


def _ask(client: httpx.Client, agent: AgentId, public_nkey: str) -> BusTold:
    body = BusAsk(public_nkey=public_nkey).model_dump_json().encode()
    headers = {"Content-Type": "application/json"}
    try:
        answer = client.post(f"/v1/agents/{agent}/bus", content=body, headers=headers, timeout=ASK_S)
    except httpx.TransportError as error:
        raise UnreachableError(address=str(client.base_url), cause=type(error).__name__) from error
    return BusTold.model_validate_json(checked(answer).content)


class _NatsWay:
    """Asks for a new credential at each connection; where the brain is away, the last one does while it is good."""

    def __init__(self, client: httpx.Client, agent: AgentId, folder: Path) -> None:
        from suanwang.bus.nkeys import KeyPair, Kind

        self._client = client
        self._agent = agent
        self._last: BusTold | None = None
        path = folder / "nats.seed"
        if not path.exists():
            write_private(path, KeyPair(Kind.USER, new_seed_bytes()).seed)
        pair = KeyPair.of_seed(path.read_text())
        self.seed, self._public = pair.seed, pair.public

    def told(self) -> BusTold:
        try:
            self._last = _ask(self._client, self._agent, self._public)
        except UnreachableError:
            if self._last is None or self._last.expires_us <= clock.now_us():
                raise
        return self._last
