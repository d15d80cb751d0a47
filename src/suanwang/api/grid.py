"""The grid as it is described, as it is now, and the operator's switches."""

from collections.abc import AsyncIterator
from typing import Any

from anyio import sleep
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import TypeAdapter

from suanwang.api import sse
from suanwang.api.caller import Caller, tenant_scope
from suanwang.api.context import Context, Here
from suanwang.api.documents import answer
from suanwang.api.inputs import LinkPath, PoolPath, SitePath
from suanwang.api.openapi import media_answer
from suanwang.model.grid import Grid
from suanwang.model.ids import LinkId, SecurityPoolId, SiteId, TenantId
from suanwang.model.principal import Role
from suanwang.model.scarcity import Scarcity
from suanwang.model.snapshot import SiteOrder
from suanwang.model.view import Panorama
from suanwang.observe.panorama import difference

router = APIRouter(tags=["grid"])
STREAM_STEP_S = 1.0  # a panorama is for eyes: no more than one a second
_SSE = media_answer(sse.MEDIA_TYPE, "Panoramas")
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The grid is the one of `If-None-Match`"}}


@router.get("/v1/grid", response_model=Grid, responses=_UNCHANGED, summary="The grid: sites, pools, links, prices")
def read_grid(request: Request, here: Here, caller: Caller) -> Response:
    """Other tenants' limits, and data sets that are theirs alone, are left out; operators and agents see all of it."""
    grid = here.grid_text(None if caller.role is Role.AGENT else tenant_scope(caller))
    headers = {"ETag": grid.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == grid.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(grid.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type="application/json")
    return Response(grid.plain, headers=headers, media_type="application/json")


@router.get("/v1/grid/schema", summary="JSON Schema of a grid")
def grid_schema(caller: Caller) -> JSONResponse:
    return JSONResponse(TypeAdapter(Grid).json_schema(mode="validation"))


@router.get("/v1/panorama", response_model=Panorama, summary="The grid now")
def read_panorama(here: Here, caller: Caller) -> Response:
    """Every site; links and security pools that are down or in use; flows and changes of one's own tasks."""
    return answer(here.pictures.picture(tenant_scope(caller)))


@router.get("/v1/panorama/stream", response_class=Response, responses=_SSE, summary="The grid as it changes")
def panorama_stream(here: Here, caller: Caller) -> StreamingResponse:
    """The first message is whole; later ones list only the sites, links and security pools that changed."""
    return sse.answer(here.streams.held(caller.tenant, _pictures(here, tenant_scope(caller))), here.meters, "panorama")


async def _pictures(here: Context, tenant: TenantId | None) -> AsyncIterator[bytes]:
    last: Panorama | None = None
    quiet_s = 0.0
    while not here.changes.closing:
        now: Panorama = await run_sync(here.pictures.picture, tenant)
        news = now if last is None else difference(last, now)
        if news is not None:
            last, quiet_s = now, 0.0
            yield sse.frame("panorama", news.model_dump_json(), str(now.position))
        elif quiet_s >= sse.PING_S:
            quiet_s = 0.0
            yield sse.PING
        await sleep(STREAM_STEP_S)
        quiet_s += STREAM_STEP_S


@router.get("/v1/scarcity", response_model=Scarcity, summary="What is scarce, where, and worth how much")
def read_scarcity(here: Here, caller: Caller) -> Response:
    """Dual prices of placing all that waits or lately came into what is free; computed in the background. Where there
    are no rows `state` says why. The same for every tenant."""
    return answer(here.brain.scarcity())


def _done() -> Response:
    return Response(status_code=204)


@router.post("/v1/sites/{site_id}:fail", status_code=204, response_class=Response, summary="Take a site out")
def fail_site(here: Here, caller: Caller, site_id: SitePath) -> Response:
    """Its tasks are planned again elsewhere."""
    here.brain.fail_site(caller, SiteId(site_id))
    return _done()


@router.post("/v1/sites/{site_id}:heal", status_code=204, response_class=Response, summary="Bring a site back")
def heal_site(here: Here, caller: Caller, site_id: SitePath) -> Response:
    here.brain.heal_site(caller, SiteId(site_id))
    return _done()


@router.post("/v1/sites/{site_id}:cordon", status_code=204, response_class=Response, summary="Close a site to new work")
def cordon_site(here: Here, caller: Caller, site_id: SitePath) -> Response:
    """What runs there runs on; what is planned there is planned elsewhere."""
    return _ordered(here, caller, site_id, SiteOrder.CORDONED)


@router.post("/v1/sites/{site_id}:drain", status_code=204, response_class=Response, summary="Have a site emptied")
def drain_site(here: Here, caller: Caller, site_id: SitePath) -> Response:
    """It takes no new work, and what runs there is moved: from its checkpoint, where it has one."""
    return _ordered(here, caller, site_id, SiteOrder.DRAINED)


@router.post("/v1/sites/{site_id}:open", status_code=204, response_class=Response, summary="Open a site again")
def open_site(here: Here, caller: Caller, site_id: SitePath) -> Response:
    return _ordered(here, caller, site_id, SiteOrder.OPEN)


@router.post("/v1/sites/{site_id}:leave", status_code=204, response_class=Response, summary="Let a site go")
def leave_site(here: Here, caller: Caller, site_id: SitePath) -> Response:
    """A drained site, when nothing of it is live any more: the keys that are good for it alone are void."""
    return _ordered(here, caller, site_id, SiteOrder.LEFT)


def _ordered(here: Here, caller: Caller, site_id: str, order: SiteOrder) -> Response:
    here.brain.order_site(caller, SiteId(site_id), order)
    return _done()


@router.post("/v1/links/{link_id}:fail", status_code=204, response_class=Response, summary="Take a link out")
def fail_link(here: Here, caller: Caller, link_id: LinkPath) -> Response:
    here.brain.fail_link(caller, LinkId(link_id))
    return _done()


@router.post("/v1/links/{link_id}:heal", status_code=204, response_class=Response, summary="Bring a link back")
def heal_link(here: Here, caller: Caller, link_id: LinkPath) -> Response:
    here.brain.heal_link(caller, LinkId(link_id))
    return _done()


@router.post(
    "/v1/security-pools/{site_id}/{pool}:fail",
    status_code=204,
    response_class=Response,
    summary="Take a security pool out",
)
def fail_security_pool(here: Here, caller: Caller, site_id: SitePath, pool: PoolPath) -> Response:
    """What passes it goes past another of its function. It stays out until an operator puts it back."""
    here.brain.fail_security_pool(caller, SecurityPoolId(f"{site_id}/{pool}"))
    return _done()


@router.post(
    "/v1/security-pools/{site_id}/{pool}:heal",
    status_code=204,
    response_class=Response,
    summary="Bring a security pool back",
)
def heal_security_pool(here: Here, caller: Caller, site_id: SitePath, pool: PoolPath) -> Response:
    here.brain.heal_security_pool(caller, SecurityPoolId(f"{site_id}/{pool}"))
    return _done()
