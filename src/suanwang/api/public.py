"""What needs no key: health, metrics from this machine, the published schemas and texts; and who a key is."""

from math import nan
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from suanwang.api.caller import Caller
from suanwang.api.context import Context, Here
from suanwang.api.documents import answer
from suanwang.api.openapi import media_answer
from suanwang.intent.read import task_schema
from suanwang.model.ids import TenantId
from suanwang.model.principal import Role
from suanwang.model.view import Health, WhoAmI
from suanwang.texts import catalogue

router = APIRouter(tags=["open"])
_TEXT = media_answer("text/plain", "Prometheus text")
Language = Annotated[str, Path(pattern="^(?:en|zh-hant|zh-hans)$")]


@router.get("/healthz", response_model=Health, summary="Whether the brain answers")
def health(here: Here) -> Response:
    """503 where the store does not answer."""
    store = here.brain.store
    return answer(Health(position=store.last_position(), behind=store.behind()))


@router.get("/metrics", response_class=Response, responses=_TEXT, summary="Figures for Prometheus")
def metrics(here: Here) -> Response:
    _measure(here)
    return Response(here.meters.text(), media_type=CONTENT_TYPE_LATEST)


def _measure(here: Context) -> None:
    brain, meters = here.brain, here.meters
    snapshot = brain.snapshot()
    pools = [hold.demand for holds in snapshot.leases.values() for hold in holds if hold.demand is not None]
    live = sum(state.live for state in snapshot.sites.values())
    meters.set_all("suanwang_tasks", "phase", {phase.value: count for phase, count in brain.store.counts().items()})
    meters.set("suanwang_log_position", brain.store.last_position())
    meters.set("suanwang_projections_behind", brain.store.behind())
    meters.set_all("suanwang_sites", "state", {"live": live, "down": len(snapshot.index.sites) - live})
    meters.set("suanwang_links_down", len(snapshot.links_down))
    meters.set("suanwang_security_pools_down", len(snapshot.security_down))
    meters.set("suanwang_leases", len(snapshot.leases))
    meters.set_all("suanwang_plan_faults", "kind", brain.plan_faults())
    gap = brain.scarcity().gap
    meters.set("suanwang_round_gap", nan if gap is None else gap.gap_ppm / 1_000_000)
    meters.set("suanwang_round_gap_age_seconds", nan if gap is None else gap.age_us / 1_000_000)
    meters.set_all(
        "suanwang_rounds",
        "kind",
        {"planned": 0 if gap is None else gap.rounds, "proven": 0 if gap is None else gap.proven},
    )
    better = brain.improved()
    kinds = {"plans": better.plans, "placed": better.placed, "outdated": better.outdated}
    meters.set_all("suanwang_improved", "kind", kinds)
    meters.set("suanwang_improved_saved_yuan", better.saved_micro_yuan / 1_000_000)
    meters.set("suanwang_improved_sooner_seconds", better.sooner_us / 1_000_000)
    meters.set("suanwang_held_cores", sum(one.cores for one in pools))
    meters.set("suanwang_held_accelerators", sum(one.accelerators for one in pools))


@router.get("/v1/openapi.json", summary="This document")
def openapi(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/v1/schema/task", summary="JSON Schema of a task file")
def schema() -> JSONResponse:
    return JSONResponse(task_schema())


@router.get("/v1/texts/{lang}", summary="Every text in one language")
def texts(lang: Language) -> dict[str, str]:
    return dict(catalogue(lang))


@router.get("/v1/whoami", response_model=WhoAmI, summary="Who the key is")
def whoami(here: Here, caller: Caller) -> Response:
    tenants: tuple[Any, ...] = (caller.tenant,)
    if caller.role is Role.OPERATOR:
        tenants = tuple(TenantId(one.id) for one in here.brain.store.tenants())
    return answer(
        WhoAmI(
            key_id=caller.key_id,
            tenant=caller.tenant,
            role=caller.role,
            now_us=here.brain.clock(),
            tenants=tenants,
        )
    )
