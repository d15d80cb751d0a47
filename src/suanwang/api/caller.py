"""Who calls: one dependency on every route reads the key and holds it against the access table."""

from typing import Annotated, Any

from fastapi import Depends, Request

from suanwang.api.access import BY_ROUTE, Access, Scope
from suanwang.api.context import Context, context
from suanwang.api.inputs import check_parameters
from suanwang.model.error import NotAllowedError, NotFoundError, NotKnownError
from suanwang.model.ids import TenantId
from suanwang.model.principal import Principal, Role

_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
TOKEN_MAX = 200  # a key has about 80 characters


def authorize(request: Request, here: Annotated[Context, Depends(context)]) -> None:
    """Refuse a caller whom the route's row does not allow. Runs before any body is read."""
    row = BY_ROUTE[request.method, request.scope["route"].path]
    request.state.principal = None
    if not _open(row, request):
        principal = here.brain.authenticate(_token(request))
        if principal.role not in row.roles:
            raise NotAllowedError("not_allowed", role=principal.role.value)
        request.state.principal = principal
    check_parameters(request)


def _open(row: Access, request: Request) -> bool:
    if row.scope is Scope.LOOPBACK:
        return request.client is not None and request.client.host in _LOOPBACK
    return row.scope is Scope.OPEN


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if not token:
        raise NotKnownError("key_missing")
    if scheme.lower() != "bearer" or len(token) > TOKEN_MAX or not token.isascii() or not token.isprintable():
        raise NotKnownError("not_known")
    return token


def _principal(request: Request) -> Principal:
    found: Any = request.state.principal
    assert isinstance(found, Principal), "only a route with roles asks who calls"
    return found


Caller = Annotated[Principal, Depends(_principal)]


def tenant_scope(principal: Principal) -> TenantId | None:
    """The tenant whose things a principal sees; None: every tenant's."""
    return None if principal.role is Role.OPERATOR else principal.tenant


def asked_tenant(principal: Principal, asked: str | None) -> TenantId | None:
    """The tenant of a list: the one asked for, where the principal may see it. Another's is not found."""
    own = tenant_scope(principal)
    if asked is None or own == asked:
        return own
    if own is not None:
        raise NotFoundError("tenant_unknown", tenant=asked)
    return TenantId(asked)
