"""Tenants and keys: the operator's."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import answer, read_json
from suanwang.api.inputs import KeyPath, RawBody, TenantPath
from suanwang.api.openapi import json_body
from suanwang.model.grid import Tenant, TenantLimits
from suanwang.model.ids import KeyId, SiteId, TenantId
from suanwang.model.principal import Role
from suanwang.model.view import IssuedKey, KeyView, NewKey, Page, Share
from suanwang.store.rows import KeyRow

router = APIRouter(tags=["keys"])


@router.get("/v1/tenants", response_model=Page[Tenant], summary="The tenants with their limits")
def tenants(here: Here, caller: Caller) -> Response:
    return answer(Page[Tenant](items=tuple(here.brain.store.tenants())))


@router.put(
    "/v1/tenants/{tenant_id}",
    response_model=Tenant,
    openapi_extra=json_body(TenantLimits, "All of its limits; what is left out has its default."),
    summary="Add a tenant, or change its limits and its place in the tree",
)
def set_tenant(request: Request, here: Here, caller: Caller, tenant_id: TenantPath, raw: RawBody) -> Response:
    limits = read_json(request, raw, TenantLimits)
    tenant = Tenant(id=TenantId(tenant_id), **limits.model_dump())
    here.brain.set_tenant(caller, tenant)
    return answer(tenant)


@router.get("/v1/shares", response_model=Page[Share], summary="What the tenant and all below it have of the grid")
def shares(here: Here, caller: Caller) -> Response:
    """Dominant share, quota, borrowed and lent; an operator sees every tenant."""
    return answer(Page[Share](items=here.brain.shares(caller)))


@router.get("/v1/keys", response_model=Page[KeyView], summary="The keys, without their secrets")
def keys(
    here: Here, caller: Caller, revoked: Annotated[int, Query(ge=0, le=1, description="1: revoked ones too")] = 0
) -> Response:
    rows = [row for row in here.brain.store.keys(None) if revoked or row.revoked_us is None]
    return answer(Page[KeyView](items=tuple(_view(row) for row in rows)))


def _view(row: KeyRow) -> KeyView:
    return KeyView(
        key_id=KeyId(row.key_id),
        tenant=TenantId(row.tenant),
        role=Role(row.role),
        sites=tuple(SiteId(site) for site in row.sites),
        note=row.note,
        issued_us=row.issued_us,
        revoked_us=row.revoked_us,
    )


@router.post(
    "/v1/keys",
    status_code=201,
    response_model=IssuedKey,
    openapi_extra=json_body(NewKey, "For whom, and what the key may do."),
    summary="Issue a key",
)
def issue(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """The only answer that holds the key; the brain keeps its hash."""
    new = read_json(request, raw, NewKey)
    key_id, key = here.brain.issue_key(caller, new.tenant, new.role, new.sites, new.note)
    return answer(IssuedKey(key_id=key_id, key=key), 201)


@router.delete("/v1/keys/{key_id}", status_code=204, response_class=Response, summary="Revoke a key")
def revoke(here: Here, caller: Caller, key_id: KeyPath) -> Response:
    here.brain.revoke_key(caller, KeyId(key_id))
    return Response(status_code=204)
