"""The brain's side of a bus over NATS: a server of its own or the operator's, the gateway, and who is let in."""

from pathlib import Path
from typing import Final

from suanwang.bus.nats_brain import KnowsKeys, NatsGateway
from suanwang.bus.nats_names import (
    BRAIN,
    BRAIN_HEARS,
    BRAIN_PUBLISHES,
    NatsAccess,
    may_publish,
    may_subscribe,
    servers_of,
)
from suanwang.bus.nkeys import KeyPair, Kind, is_public, user_jwt
from suanwang.model.bus import BusAsk, BusKind, BusTold
from suanwang.model.error import Fault, FaultsError
from suanwang.model.ids import AgentId
from suanwang.model.principal import Principal
from suanwang.runtime import clock
from suanwang.runtime.ids import new_seed_bytes
from suanwang.runtime.nats_files import authority, identities
from suanwang.runtime.nats_server import NatsServer
from suanwang.runtime.settings import Settings

USER_S: Final = 24 * 3_600  # how long a credential lasts; who is connected when it ends connects again with a new one
USER_SUBSCRIPTIONS: Final = 8
# The server's clock may be behind ours.
EARLY_S: Final = 300


class NatsDesk:
    """Made by `serving` where the bus is `nats`. Raises FaultsError where what it needs is missing or wrong."""

    def __init__(self, settings: Settings, brain: KnowsKeys) -> None:
        self.server = NatsServer(settings) if not settings.nats_url else None
        self._settings = settings
        self._signer: KeyPair | None = None
        self._account, self._ca = "", ""
        if settings.nats_url:
            self._signer, self._account, self._ca = self._theirs()
        self._user = KeyPair(Kind.USER, new_seed_bytes())
        self.gateway = NatsGateway(brain, self._access, settings.nats_replicas)

    def _theirs(self) -> tuple[KeyPair, str, str]:
        """The account of the operator's cluster: a seed, and where it is that of a signing key, the account's name after it."""
        found = self._settings.nats_account
        try:
            words = Path(found).read_text().split()
            signer = KeyPair.of_seed(words[0] if words else "")
            account = words[1] if len(words) > 1 else signer.public
            if signer.kind is not Kind.ACCOUNT or not is_public(account, Kind.ACCOUNT):
                raise ValueError("not of an account")
            ca = Path(self._settings.nats_ca).read_text() if self._settings.nats_ca else ""
        except (OSError, ValueError) as error:
            fault = Fault("nats_account_form", "SUANWANG_NATS_ACCOUNT", found, params={"why": str(error)})
            raise FaultsError([fault], "environment") from error
        return signer, account, ca

    def start(self) -> None:
        """Raises StoreError where the server does not start. The gateway connects for as long as it takes."""
        if self.server is not None:
            self.server.start()
            own = identities(self.server.folder).account
            self._signer, self._account, self._ca = own, own.public, authority(self.server.folder)
        self.gateway.start()

    def stop(self) -> None:
        self.gateway.stop()
        if self.server is not None:
            self.server.stop()

    @property
    def servers(self) -> tuple[str, ...]:
        return (self.server.url,) if self.server is not None else tuple(servers_of(self._settings.nats_url))

    def _access(self) -> NatsAccess:
        jwt = self._let_in(self._user.public, "brain", list(BRAIN_PUBLISHES), list(BRAIN_HEARS))
        return NatsAccess(self.servers, self._ca, jwt, self._user.seed, BRAIN)

    def _let_in(self, public: str, name: str, publish: list[str], subscribe: list[str], subscriptions: int = -1) -> str:
        assert self._signer is not None, "the desk is started"
        now_s = clock.now_us() // 1_000_000
        return user_jwt(
            self._signer,
            self._account,
            public,
            name,
            now_s - EARLY_S,
            publish=publish,
            subscribe=subscribe,
            subscriptions=subscriptions,
            expires_s=now_s + USER_S,
        )

    def tell(self, principal: Principal, agent: AgentId, ask: BusAsk) -> BusTold:
        """A credential for the agent's key and name; none where it shows no nkey, and only wants to know by which bus.

        Raises FaultsError where what it shows is no public nkey of a user.
        """
        if not ask.public_nkey:
            return BusTold(kind=BusKind.NATS, key_id=principal.key_id)
        if not is_public(ask.public_nkey, Kind.USER):
            raise FaultsError([Fault("nkey_form", "body.public_nkey", ask.public_nkey[:80])], "request")
        key_id = principal.key_id
        publish, subscribe = may_publish(key_id, agent), may_subscribe(key_id, agent)
        return BusTold(
            kind=BusKind.NATS,
            key_id=key_id,
            servers=self.servers,
            authority=self._ca,
            jwt=self._let_in(ask.public_nkey, f"agent {agent}", publish, subscribe, USER_SUBSCRIPTIONS),
            expires_us=clock.now_us() + USER_S * 1_000_000,
        )
