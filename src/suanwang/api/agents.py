"""/v1/agents: an agent's exchange with the brain, and the logs that it brings."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller
from suanwang.api.context import Here
from suanwang.api.documents import answer, check_media, read_json
from suanwang.api.inputs import AgentPath, MadePath, Offset, RawBody
from suanwang.api.openapi import json_body, raw_body
from suanwang.model.bus import BusAsk, BusTold
from suanwang.model.error import Fault, FaultsError
from suanwang.model.event import Heartbeat, Orders
from suanwang.model.ids import AgentId, AttemptId
from suanwang.model.view import LogLength

router = APIRouter(tags=["agents"])
WAIT_MS_MAX = 30_000  # below the patience of proxies
OCTETS = "application/octet-stream"


@router.post(
    "/v1/agents/{agent_id}/exchange",
    response_model=Orders,
    openapi_extra=json_body(Heartbeat, "What the agent holds and has seen."),
    summary="One round of an agent",
)
async def exchange(
    request: Request,
    here: Here,
    caller: Caller,
    agent_id: AgentPath,
    raw: RawBody,
    wait_ms: Annotated[int, Query(ge=0, le=WAIT_MS_MAX)] = 0,
) -> Response:
    """Answers at once where there is something to do, else after `wait_ms`."""
    heartbeat = read_json(request, raw, Heartbeat)
    if heartbeat.agent != agent_id:
        raise FaultsError([Fault("agent_other", "body.agent", heartbeat.agent, None, {"path": agent_id})], "request")
    # Apart from the threads of everybody else, which waiting agents would use up.
    orders = await run_sync(here.brain.exchange, caller, heartbeat, wait_ms, limiter=here.agent_threads)
    return answer(orders)


@router.post(
    "/v1/agents/{agent_id}/bus",
    response_model=BusTold,
    openapi_extra=json_body(BusAsk, "The public half of a pair that the agent has made."),
    summary="By which bus an agent speaks, and what lets it in",
)
def bus(request: Request, here: Here, caller: Caller, agent_id: AgentPath, raw: RawBody) -> Response:
    """With NATS: its servers, the authority to trust, and a credential of this key and this name for a day."""
    return answer(here.brain.bus_of(caller, AgentId(agent_id), read_json(request, raw, BusAsk)))


@router.post(
    "/v1/agents/{agent_id}/logs/{attempt_id}",
    response_model=LogLength,
    openapi_extra=raw_body("Bytes of the log from `offset` on.", OCTETS),
    summary="Bring a piece of a log",
)
def append_log(
    request: Request,
    here: Here,
    caller: Caller,
    agent_id: AgentPath,
    attempt_id: MadePath,
    raw: RawBody,
    offset: Offset = 0,
) -> Response:
    """Bytes that the brain has already are skipped, so a piece may be sent again."""
    check_media(request, frozenset({OCTETS}))
    return answer(LogLength(length=here.brain.append_log(caller, AttemptId(attempt_id), offset, raw)))
