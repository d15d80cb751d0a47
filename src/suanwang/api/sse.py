"""Server-sent events, as in the HTML standard: one frame a message, a comment where nothing comes for long."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from suanwang.api.metrics import Meters

PING_S = 10.0  # proxies close what is silent for longer than half a minute or so
PING = b": ping\n\n"
MEDIA_TYPE = "text/event-stream"


def frame(event: str, data: str, id_: str | None = None) -> bytes:
    """One message. JSON has no line breaks of its own, so one `data` line is enough."""
    assert "\n" not in data, "the data of a message is one line"
    head = f"id: {id_}\n" if id_ is not None else ""
    return f"{head}event: {event}\ndata: {data}\n\n".encode()


def answer(frames: AsyncIterator[bytes], meters: Meters, kind: str) -> StreamingResponse:
    """A stream that no cache or proxy holds back."""

    async def counted() -> AsyncIterator[bytes]:
        meters.opened(kind, 1)
        try:
            async for one in frames:
                yield one
        finally:
            meters.opened(kind, -1)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(counted(), media_type=MEDIA_TYPE, headers=headers)
