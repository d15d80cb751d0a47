"""The network: as it is held now, ways through it, an operator's reservations, what a cut would do, faults."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import JSON, answer, check_media
from suanwang.api.inputs import SLUG, LinkPath, MadePath, RawBody, check_json
from suanwang.api.openapi import json_body
from suanwang.intent.document import parse
from suanwang.intent.read import validate
from suanwang.model.cats import CatsMetrics
from suanwang.model.error import ConflictError
from suanwang.model.ids import LinkId, ReservationId, SiteId
from suanwang.model.network import (
    CUT_MAX,
    CutFound,
    LinkHeld,
    NetOptimised,
    NetVerified,
    NetworkNow,
    NoWay,
    OptimiseAsk,
    PathsAsk,
    PathsFound,
    Refusal,
    ReservationView,
    ReserveAsk,
    ResizeAsk,
)
from suanwang.model.reservation import Wanted
from suanwang.model.units import show_bps, show_span
from suanwang.model.view import Page

router = APIRouter(tags=["network"])
Ingress = Annotated[
    str | None, Query(pattern=SLUG, description="the site whose view it is; default: the grid's origin")
]


@router.get("/v1/cats/metrics", response_model=CatsMetrics, summary="Metrics of the IETF's CATS, levels 0, 1 and 2")
def read_cats(here: Here, caller: Caller, ingress: Ingress = None) -> Response:
    """Every service at every site as an ingress sees it; `draft` names the draft that it follows. For every tenant the
    same: loads are sums over all tenants."""
    site = SiteId(ingress) if ingress is not None else here.brain.index.grid.default_origin
    return answer(here.brain.network.cats(here.pictures.picture(None), site))


# -- the live network ------------------------------------------------------------------------------------------------

LINK = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
Cut = Annotated[list[Annotated[str, Query(pattern=LINK)]], Query(max_length=CUT_MAX, description="links that go down")]
CutRisk = Annotated[
    list[Annotated[str, Query(pattern=SLUG)]],
    Query(max_length=CUT_MAX, description="risk groups, all of whose links go down"),
]
NO_WAY = {
    NoWay.CUT_OFF: "no_way_cut_off",
    NoWay.AVOIDED: "no_way_avoided",
    NoWay.NO_POOL: "no_way_no_pool",
    NoWay.TOO_FAR: "no_way_too_far",
    NoWay.NO_ROOM: "no_way_no_room",
    NoWay.NO_STANDBY: "no_way_no_standby",
}
FAILURES_WAITED = 40  # each is a second or two on a grid of 425 sites
BOUND_S_MAX = 60  # of an answer that somebody waits for


@router.get("/v1/network", response_model=NetworkNow, summary="Routers and links, with what is held of them now")
def read_network(here: Here, caller: Caller) -> Response:
    """Loads are sums over all tenants. An operator sees the reservations too."""
    return answer(here.brain.network.now(caller))


@router.get("/v1/network/links/{link_id}", response_model=LinkHeld, summary="A link, and who holds it")
def read_link(here: Here, caller: Caller, link_id: LinkPath) -> Response:
    """Tasks and reservations with what they hold of each direction, now and later. Who is no operator sees its own tenant's
    tasks."""
    return answer(here.brain.network.link(caller, LinkId(link_id)))


@router.post(
    "/v1/network/paths",
    response_model=PathsFound,
    openapi_extra=json_body(PathsAsk, "Ends, bandwidth, latency, what to avoid, protection, window."),
    summary="The cheapest ways that would be admitted now, or why there is none",
)
def find_paths(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """Nothing is held. The ways after the first are found by leaving out a link of each one before; cheapest first."""
    check_media(request, frozenset({JSON}))
    check_json(raw)
    return answer(here.brain.network.paths(validate(PathsAsk, parse(raw, "body"))))


@router.get("/v1/network/reservations", response_model=Page[ReservationView], summary="The reservations that stand")
def reservations(here: Here, caller: Caller) -> Response:
    """Oldest first; what has ended is in the log alone."""
    return answer(Page[ReservationView](items=here.brain.network.reservations(caller)))


@router.post(
    "/v1/network/reservations",
    status_code=201,
    response_model=ReservationView,
    openapi_extra=json_body(ReserveAsk, "A way, and from when until when it is held."),
    summary="Hold bandwidth for something that is no task",
)
def reserve(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """Takes the cheapest way, as `paths` shows it, and with `standby` a second one that shares no link and no risk group
    with it; durable when this answers. 409 says why there is none."""
    check_media(request, frozenset({JSON}))
    check_json(raw)
    ask = validate(ReserveAsk, parse(raw, "body"))
    found = here.brain.network.reserve(caller, ask)
    if isinstance(found, Refusal):
        raise no_way(found, ask.wanted)
    return answer(found, 201)


@router.patch(
    "/v1/network/reservations/{reservation_id}",
    response_model=ReservationView,
    openapi_extra=json_body(ResizeAsk, "Another bandwidth."),
    summary="Give a reservation another bandwidth",
)
def resize(request: Request, here: Here, caller: Caller, reservation_id: MadePath, raw: RawBody) -> Response:
    """From now on: on the segment lists that it has where they have the room, else on others; durable when this answers.
    409 says why it cannot be had, and nothing has changed."""
    check_media(request, frozenset({JSON}))
    check_json(raw)
    ask = validate(ResizeAsk, parse(raw, "body"))
    found = here.brain.network.resize(caller, ReservationId(reservation_id), ask)
    if isinstance(found, tuple):
        raise no_way(*found)
    return answer(found)


@router.delete(
    "/v1/network/reservations/{reservation_id}",
    status_code=204,
    response_class=Response,
    summary="Give a reservation back",
)
def release(here: Here, caller: Caller, reservation_id: MadePath) -> Response:
    here.brain.network.release(caller, ReservationId(reservation_id))
    return Response(status_code=204)


@router.get("/v1/network/what-if", response_model=CutFound, summary="What a cut would do, before anything is done")
def what_if_cut(here: Here, caller: Caller, cut: Cut = [], cut_risk: CutRisk = []) -> Response:  # noqa: B006
    """The ways of tasks and reservations over the links, where each could go within its latency and bandwidth, and what
    every directed link holds before and after. Who runs stays where it runs: only ways are moved."""
    return answer(here.brain.network.cut(caller, [LinkId(one) for one in cut], cut_risk))


@router.get(
    "/v1/network/verify", response_model=NetVerified, summary="Work the use of everything out again; every fault"
)
def verify_network(here: Here, caller: Caller) -> Response:
    """From the leases alone, by code that shares nothing with what made them."""
    return answer(here.brain.network.verify(caller))


@router.get("/v1/network/optimise", response_model=NetOptimised, summary="How much better the traffic could be spread")
def optimise_network(
    here: Here,
    caller: Caller,
    segments: Annotated[int, Query(ge=2, le=3, description="of a list")] = 2,
    ways: Annotated[int, Query(ge=1, le=64, description="equal parts that a large demand may be cut into")] = 1,
    slack_ppm: Annotated[int, Query(ge=0, le=1_000_000, description="of the MLU, for fewer policies")] = 50,
    bound_s: Annotated[int, Query(ge=1, le=BOUND_S_MAX, description="that the bound may take")] = 20,
    change_price_ppm: Annotated[int, Query(ge=0, le=1_000_000, description="of the potential, for a changed list")] = 0,
    failures: Annotated[int, Query(ge=0, le=FAILURES_WAITED, description="that are tried afterwards")] = 0,
) -> Response:
    """It advises: what is held now is the demand, nothing is changed. The MLUs are of the independent checker."""
    ask = OptimiseAsk(
        segments=segments,
        ways=ways,
        slack_ppm=slack_ppm,
        bound_s=bound_s,
        change_price_ppm=change_price_ppm,
        failures=failures,
    )
    return answer(here.brain.network.optimise(caller, ask))


def no_way(found: Refusal, wanted: Wanted) -> ConflictError:
    """A refusal as an error: what was asked, and what could be had."""
    return ConflictError(
        NO_WAY[found.reason],
        source=wanted.source,
        target=wanted.target,
        bandwidth=show_bps(wanted.bandwidth_bps),
        latency=show_span(wanted.latency_us_max or 0),
        least=show_span(found.least_us or 0),
        widest=show_bps(found.widest_bps or 0),
    )
