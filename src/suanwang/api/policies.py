"""What routers are to do for the live plans: for network agents, and for people."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api.agents import WAIT_MS_MAX
from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import answer, read_json
from suanwang.api.inputs import AgentPath, RawBody
from suanwang.api.openapi import json_body
from suanwang.model.error import Fault, FaultsError
from suanwang.model.wanted import NetworkReport, NetworkView, WantedNetwork

router = APIRouter(tags=["network"])


@router.get("/v1/network/policies", response_model=NetworkView, summary="SR policies of the live plans")
def read_policies(here: Here, caller: Caller) -> Response:
    """The policies (RFC 9256) that the live plans want, which task takes which, and what the routers last said. For
    operators: it tells of every tenant's tasks."""
    return answer(here.brain.policies.view(caller))


@router.post(
    "/v1/network/agents/{agent_id}/exchange",
    response_model=WantedNetwork,
    openapi_extra=json_body(NetworkReport, "What the agent has installed and sees."),
    summary="One round of a network agent",
)
async def exchange(
    request: Request,
    here: Here,
    caller: Caller,
    agent_id: AgentPath,
    raw: RawBody,
    wait_ms: Annotated[int, Query(ge=0, le=WAIT_MS_MAX)] = 0,
) -> Response:
    """Answers at once where what is wanted differs from what is installed, else when it changes or after `wait_ms`."""
    report = read_json(request, raw, NetworkReport)
    if report.agent != agent_id:
        raise FaultsError([Fault("agent_other", "body.agent", report.agent, None, {"path": agent_id})], "request")
    wanted = await run_sync(here.brain.policies.exchange, caller, report, wait_ms, limiter=here.agent_threads)
    return answer(wanted)
