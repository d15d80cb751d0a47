"""Who acts: keys and tenants, as the brain knows them."""

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

from blake3 import blake3

from suanwang.dispatch.sharing import shares_of
from suanwang.flow import Road
from suanwang.model.error import FaultsError, NotFoundError, NotKnownError
from suanwang.model.grid import Tenant
from suanwang.model.ids import KeyId, SiteId, TenantId
from suanwang.model.principal import Principal, Role
from suanwang.model.record import KeyRevoked, TenantSet
from suanwang.model.tenants import tree_fault
from suanwang.model.view import Share
from suanwang.observe.known import Key
from suanwang.runtime.ids import RealIds
from suanwang.runtime.issue import issue
from suanwang.runtime.switches import operators_only


class Identity(ABC):
    """The part of the brain that knows who acts."""

    clock: Callable[[], int]
    ids: RealIds

    @abstractmethod
    def _verb(self) -> AbstractContextManager[Road]:
        """The road, for a change."""

    @abstractmethod
    def _look(self) -> AbstractContextManager[Road]:
        """The road, to read."""

    @abstractmethod
    def _key(self, key_id: KeyId) -> Key | None:
        """What is kept of a key, whatever became of the brain since."""

    def authenticate(self, token: str) -> Principal:
        """The principal of `sw_<key id>_<secret>`. Raises NotKnownError."""
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        held = self._key(KeyId(key_id))
        given = blake3(secret.encode("utf-8", "surrogatepass")).hexdigest()
        expected = held.key.secret_blake3 if held is not None else "0" * 64
        same = hmac.compare_digest(given, expected)
        if prefix != "sw" or held is None or not same:
            raise NotKnownError("key_unknown")
        return self.principal_of(held.key.key_id)

    def principal_of(self, key_id: KeyId) -> Principal:
        """Whom a key belongs to, for a bus that has proved who holds it. Raises NotKnownError."""
        held = self._key(key_id)
        if held is None or held.revoked:
            raise NotKnownError("key_unknown")
        return Principal(key_id=held.key.key_id, tenant=held.key.tenant, role=Role(held.key.role), sites=held.key.sites)

    def issue_key(
        self, principal: Principal, tenant: TenantId, role: Role, sites: tuple[SiteId, ...] = (), note: str = ""
    ) -> tuple[KeyId, str]:
        """A new key; the token is shown once and only its hash is kept."""
        operators_only(principal)
        with self._verb() as road:
            if tenant not in road.state.tenants:
                raise NotFoundError("tenant_unknown", tenant=tenant)
            unknown = [site for site in sites if site not in road.state.index.sites]
            if unknown:
                raise NotFoundError("site_unknown", site=unknown[0])
            return issue(road, self.ids, tenant, role, sites, note)

    def revoke_key(self, principal: Principal, key_id: KeyId) -> None:
        operators_only(principal)
        with self._verb() as road:
            if key_id not in road.state.keys:
                raise NotFoundError("key_unknown", key=key_id)
            road.emit(KeyRevoked(at_us=self.clock(), key_id=key_id))
            road.commit()

    def set_tenant(self, principal: Principal, tenant: Tenant) -> None:
        """Add a tenant, or change its limits and its place in the tree. Raises FaultsError where it may not stand."""
        operators_only(principal)
        with self._verb() as road:
            fault = tree_fault(tenant, road.state.tenants)
            if fault is not None:
                raise FaultsError([fault], "tenant")
            road.emit(TenantSet(at_us=self.clock(), tenant=tenant))
            road.commit()

    def shares(self, principal: Principal) -> tuple[Share, ...]:
        """What the tenant and all below it have of the grid; an operator sees every tenant."""
        with self._look() as road:
            viewer = None if principal.role is Role.OPERATOR else principal.tenant
            return tuple(shares_of(road.state, viewer, road.waits.line.waiting()))
