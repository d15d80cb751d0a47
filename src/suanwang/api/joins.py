"""/v1/joins: sites that ask to join the grid, and an operator's answer."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import answer, check_media, read_json
from suanwang.api.inputs import RawBody, SitePath
from suanwang.api.openapi import json_body, raw_body
from suanwang.model.ids import JoinId, SiteId
from suanwang.model.joining import CheckSent, JoinAsk, JoinRefusal, JoinTerms, JoinView, Probed
from suanwang.model.view import Page

router = APIRouter(tags=["joins"])
JoinPath = Annotated[str, Path(max_length=200, pattern=r"^[a-z0-9-]+$", examples=["join-01jd0000000000000000000000"])]
OCTETS = "application/octet-stream"


@router.post(
    "/v1/joins",
    status_code=201,
    response_model=JoinView,
    openapi_extra=json_body(JoinAsk, "What the site has, what it measured, and what it would charge."),
    summary="Ask to bring a site into the grid",
)
def ask(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """With a token of the role joiner, which stands for one request within a day. The answer shows what would become part of the
    grid. The same body again gives the same request."""
    view = here.brain.joins.ask(caller, read_json(request, raw, JoinAsk))
    return answer(view, 201, {"Location": f"/v1/joins/{view.join_id}"})


@router.post(
    "/v1/joins/probe", response_model=Probed, openapi_extra=raw_body("Bytes.", OCTETS), summary="Measure the way here"
)
def probe(request: Request, caller: Caller, raw: RawBody) -> Response:
    """Counts what came, and keeps nothing."""
    check_media(request, frozenset({OCTETS}))
    return answer(Probed(received=len(raw)))


@router.get("/v1/joins", response_model=Page[JoinView], summary="The requests of sites to join, newest first")
def requests(here: Here, caller: Caller) -> Response:
    return answer(Page[JoinView](items=here.brain.joins.requests(caller)))


@router.get("/v1/joins/{join_id}", response_model=JoinView, summary="One request of a site to join")
def read(here: Here, caller: Caller, join_id: JoinPath) -> Response:
    """For an operator, and for the token that made it. Once approved it names the agent's key; the secret is the agent's own."""
    return answer(here.brain.joins.request(caller, JoinId(join_id)))


@router.post(
    "/v1/joins/{join_id}:approve",
    response_model=JoinView,
    openapi_extra=json_body(JoinTerms, "What is decided otherwise than proposed."),
    summary="Let a site in",
)
def approve(request: Request, here: Here, caller: Caller, join_id: JoinPath, raw: RawBody) -> Response:
    """From here on it is part of the grid, and its agent may speak for it."""
    return answer(here.brain.joins.approve(caller, JoinId(join_id), read_json(request, raw, JoinTerms)))


@router.post(
    "/v1/joins/{join_id}:refuse",
    response_model=JoinView,
    openapi_extra=json_body(JoinRefusal, "Why not, for whoever asked."),
    summary="Refuse a site",
)
def refuse(request: Request, here: Here, caller: Caller, join_id: JoinPath, raw: RawBody) -> Response:
    return answer(here.brain.joins.refuse(caller, JoinId(join_id), read_json(request, raw, JoinRefusal).why))


@router.post("/v1/sites/{site_id}:check", status_code=202, response_model=CheckSent, summary="Check what a site gives")
def check(here: Here, caller: Caller, site_id: SitePath) -> Response:
    """Sends a small task there that says how much arithmetic it got; what follows is in the site's request to join (`trust`)."""
    return answer(CheckSent(task_id=here.brain.trust.check(caller, SiteId(site_id))), 202)
