"""Making API keys."""

from blake3 import blake3

from suanwang.flow import Road
from suanwang.model.ids import KeyId, SiteId, TenantId
from suanwang.model.principal import Role
from suanwang.model.record import KeyIssued
from suanwang.runtime.ids import RealIds, new_secret


def issue(
    road: Road, ids: RealIds, tenant: TenantId, role: Role, sites: tuple[SiteId, ...] = (), note: str = ""
) -> tuple[KeyId, str]:
    """Issue a key on a road that the caller holds; returns its id and the token."""
    key_id, secret = ids.key_id(), new_secret()
    road.emit(
        KeyIssued(
            at_us=road.clock(),
            key_id=key_id,
            secret_blake3=blake3(secret.encode()).hexdigest(),
            tenant=tenant,
            role=role.value,
            note=note,
            sites=sites,
        )
    )
    road.commit()
    return key_id, f"sw_{key_id}_{secret}"
