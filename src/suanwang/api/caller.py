"""Who calls: one dependency on every route reads the key and holds it against the access table."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from suanwang.api.access import BY_ROUTE, Access, Scope
from suanwang.api.context import Context, context
from suanwang.api.inputs import check_parameters
from suanwang.api.tes_paths import bearer_of, is_tes
from suanwang.model.error import NotAllowedError, NotFoundError, NotKnownError
from suanwang.model.ids import KeyId, TenantId
from suanwang.model.principal import Principal, Role

_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via")
NUMBER_DIGITS_MAX = 15  # of a task
TOKEN_MAX = 200  # a key has about 80 characters
# Who calls without a key where the operator has opened TES to this machine.
OPEN_CALLER = Principal(key_id=KeyId("key-tes-open"), tenant=TenantId("local"), role=Role.USER)


def authorize(request: Request, here: Annotated[Context, Depends(context)]) -> None:
    """Refuse a caller whom the route's row does not allow. Runs before any body is read."""
    row = BY_ROUTE[request.method, request.scope["route"].path]
    request.state.principal = None
    if not _open(row, request):
        principal = _known(request, here)
        if principal.role not in row.roles:
            raise NotAllowedError("not_allowed", role=principal.role.value)
        request.state.principal = principal
    check_parameters(request)


def _open(row: Access, request: Request) -> bool:
    if row.scope is Scope.LOOPBACK:
        return request.client is not None and request.client.host in _LOOPBACK
    return row.scope is Scope.OPEN


def _known(request: Request, here: Context) -> Principal:
    if not is_tes(request.scope["route"].path):
        return here.brain.authenticate(_token(request.headers.get("authorization", "")))
    given = bearer_of(request.headers.get("authorization", ""))
    if not given and here.brain.settings.tes_open and _is_local(request):
        return OPEN_CALLER
    return here.brain.authenticate(_token(given))


def _is_local(request: Request) -> bool:
    """From this machine, and by one of its own names: a page of elsewhere, open in a browser here, has another one. What a
    proxy of this machine passes on may come from anywhere."""
    if any(name in request.headers for name in _PASSED_ON):
        return False
    host = request.url.hostname or ""
    return request.client is not None and request.client.host in _LOOPBACK and host in ("localhost", "127.0.0.1", "::1")


def _token(header: str) -> str:
    scheme, _, token = header.partition(" ")
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


def _task_id(
    here: Annotated[Context, Depends(context)],
    caller: Caller,
    task_id: Annotated[str, Path(max_length=200, examples=["task-01jd0000000000000000000000"])],
) -> str:
    """The id as it was given, or of a number the id that it stands for. Any text: one that is no id is a task that does
    not exist, and is told so."""
    if not (task_id.isascii() and task_id.isdigit() and len(task_id) <= NUMBER_DIGITS_MAX):
        return task_id
    return here.brain.numbered(caller, int(task_id)) or task_id


TaskIdPath = Annotated[str, Depends(_task_id)]


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
