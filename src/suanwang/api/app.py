"""The application: every route, behind the access table and the guard. `runtime` gives it a brain and a port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from anyio import CapacityLimiter
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from suanwang.api import (
    agents,
    bulk,
    doors,
    follow,
    grid,
    joins,
    keys,
    money,
    network,
    objects,
    openapi,
    page,
    planning,
    policies,
    problem,
    public,
    services,
    tasks,
    tes,
    what_if,
    workflows,
)
from suanwang.api.access import check_routes
from suanwang.api.caller import authorize
from suanwang.api.changes import Changes
from suanwang.api.context import Context
from suanwang.api.guard import Guard
from suanwang.api.metrics import Meters
from suanwang.api.pictures import Pictures
from suanwang.api.port import BrainPort
from suanwang.api.tes_paths import TesPaths

ROUTERS = tuple(
    part.router
    for part in (
        public,
        tasks,
        bulk,
        follow,
        planning,
        services,
        doors,
        money,
        grid,
        objects,
        agents,
        keys,
        joins,
        what_if,
        workflows,
        network,
        policies,
        tes,
    )
)
AGENTS_WAITING_MAX = 512  # a thread each; more wait for their turn


def create_app(brain: BrainPort) -> FastAPI:
    """The ASGI application over one brain."""
    meters, changes = Meters(), Changes(brain)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with changes.running():
            yield

    app = FastAPI(
        title="Suanwang",
        version=version("suanwang"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(authorize)],
    )
    threads = CapacityLimiter(AGENTS_WAITING_MAX)
    app.state.context = Context(brain, meters, changes, Pictures(brain), threads)
    problem.install(app)
    for router in ROUTERS:
        app.include_router(router)
    check_routes(
        (method, route.path) for router in ROUTERS for route in _api_routes(router) for method in route.methods or ()
    )
    page.install(app)
    app.openapi = _once(app)  # type: ignore[method-assign]
    app.add_middleware(TesPaths)
    app.add_middleware(Guard, meters=meters, clock=brain.clock, object_bytes_max=brain.settings.object_bytes_max)
    return app


def _api_routes(router: Any) -> list[APIRoute]:
    return [route for route in router.routes if isinstance(route, APIRoute)]


def _once(app: FastAPI) -> Any:
    kept: list[dict[str, Any]] = []

    def document() -> dict[str, Any]:
        if not kept:
            kept.append(openapi.build(app))
        return kept[0]

    return document
