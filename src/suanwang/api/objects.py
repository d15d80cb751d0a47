"""/v1/objects: bytes by their blake3. A tenant reads what it put, or what its tasks left; an agent, every object."""

import tempfile
from typing import BinaryIO, cast

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from suanwang.api.caller import Caller
from suanwang.api.context import Context, Here
from suanwang.api.documents import answer
from suanwang.api.follow import pieces
from suanwang.api.inputs import Blake3Path
from suanwang.api.openapi import media_answer, raw_body
from suanwang.model.error import Fault, FaultsError, NotFoundError
from suanwang.model.principal import Principal, Role
from suanwang.model.units import MIB
from suanwang.model.view import Stored

router = APIRouter(tags=["objects"])
OCTETS = "application/octet-stream"
SPOOL_BYTES = 8 * MIB  # up to here an upload waits in memory, above in a temporary file
_BYTES = media_answer(OCTETS, "The bytes", binary=True)
_SEES_ALL = frozenset({Role.AGENT, Role.OPERATOR})


def _size(here: Context, caller: Principal, blake3: str) -> int | None:
    """The size of an object that the caller may read; None where only the bytes know. Raises NotFoundError."""
    info = here.brain.store.object_info(blake3)
    if info is not None and (caller.role in _SEES_ALL or caller.tenant in info.tenants):
        return info.size_bytes
    if caller.role in _SEES_ALL and here.brain.objects.has(blake3):
        return None
    raise NotFoundError("object_unknown", digest=blake3)


@router.put(
    "/v1/objects/{blake3}",
    status_code=201,
    response_model=Stored,
    openapi_extra=raw_body("The bytes.", OCTETS),
    summary="Put an object",
)
async def put(request: Request, here: Here, caller: Caller, blake3: Blake3Path) -> Response:
    """The bytes must have the hash of the path. Putting them twice keeps one object."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        async for piece in request.stream():
            await run_sync(spool.write, piece)
        spool.seek(0)
        stored = await run_sync(here.brain.objects.put, cast(BinaryIO, spool))
    if stored.blake3 != blake3:
        raise FaultsError([Fault("object_hash", "path.blake3", blake3, None, {"found": stored.blake3})], "request")
    await run_sync(here.brain.store.note_object, blake3, stored.size_bytes, caller.tenant)
    return answer(Stored(blake3=blake3, size_bytes=stored.size_bytes), 201)


@router.get("/v1/objects/{blake3}", response_class=Response, responses=_BYTES, summary="Get an object")
def get(here: Here, caller: Caller, blake3: Blake3Path) -> StreamingResponse:
    size = _size(here, caller, blake3)
    stream = pieces(here.brain.objects.open(blake3))
    return StreamingResponse(stream, headers=_headers(blake3, size), media_type=OCTETS)


@router.head("/v1/objects/{blake3}", response_class=Response, responses=_BYTES, summary="Whether an object is there")
def head(here: Here, caller: Caller, blake3: Blake3Path) -> Response:
    return Response(headers=_headers(blake3, _size(here, caller, blake3)), media_type=OCTETS)


def _headers(blake3: str, size: int | None) -> dict[str, str]:
    length = {} if size is None else {"Content-Length": str(size)}
    return {**length, "ETag": f'"{blake3}"', "Cache-Control": "private, max-age=86400, immutable"}
