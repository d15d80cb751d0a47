"""What a task does while one looks: its steps as server-sent events, its log, its output files."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, BinaryIO
from urllib.parse import quote

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse

from suanwang.api import family, sse
from suanwang.api.caller import Caller, TaskIdPath
from suanwang.api.context import Context, Here
from suanwang.api.inputs import Offset
from suanwang.api.lookup import find_line
from suanwang.api.openapi import media_answer
from suanwang.api.views import kept_outputs
from suanwang.model.error import NotFoundError
from suanwang.model.ids import AttemptId
from suanwang.model.record import ENDS
from suanwang.store.rows import AttemptRow, EventRow

router = APIRouter(tags=["tasks"])
STEPS_AT_ONCE = 500
LOG_PIECE_BYTES = 256 * 1024
LOG_POLL_S = 0.2  # a log is no record: nothing tells of its growth
BEHIND_POLL_S = 0.1
OUTPUT_PIECE_BYTES = 1024 * 1024
_EVENT_ID = re.compile(r"^(\d{1,18})(?:\.(\d{1,9}))?$")
_SSE = media_answer(sse.MEDIA_TYPE, "Events")
_TEXT = media_answer("text/plain", "The log")
_BYTES = media_answer("application/octet-stream", "The file", binary=True)


@router.get(
    "/v1/tasks/{task_id}/events", response_class=Response, responses=_SSE, summary="The steps of a task as they come"
)
def events(
    here: Here, caller: Caller, task_id: TaskIdPath, last_event_id: Annotated[str | None, Header(max_length=40)] = None
) -> StreamingResponse:
    """`id` is `<log position>.<place in it>`, `event` the record's kind, `data` the record. `Last-Event-ID` goes on after
    that step. The last message is `end`."""
    find_line(here, caller, task_id)
    frames = here.streams.held(caller.tenant, _steps(here, task_id, _after(last_event_id)))
    return sse.answer(frames, here.meters, "events")


def _after(last_event_id: str | None) -> tuple[int, int]:
    found = _EVENT_ID.match(last_event_id or "")
    return (int(found[1]), int(found[2] or 2**31)) if found else (0, -1)


async def _steps(here: Context, task_id: str, after: tuple[int, int]) -> AsyncIterator[bytes]:
    store = here.brain.store
    while True:
        seen = here.changes.position
        steps: list[EventRow] = await run_sync(family.events_after, here, task_id, after, STEPS_AT_ONCE)
        for step in steps:
            after = (step.position, step.ordinal)
            yield sse.frame(step.kind, step.body_json, f"{step.position}.{step.ordinal}")
        if len(steps) >= STEPS_AT_ONCE:
            continue
        row = await run_sync(store.task, task_id)
        if row is None or (row.phase in ENDS and row.position <= max(after[0], seen)):
            yield sse.frame("end", "{}")
            return
        if await run_sync(store.behind):  # what woke it may not be in the tables yet
            await anyio.sleep(BEHIND_POLL_S)
            continue
        if not await here.changes.wait(seen, sse.PING_S):
            if here.changes.closing:
                return
            yield sse.PING


@router.get("/v1/tasks/{task_id}/logs", response_class=Response, responses=_TEXT, summary="The log of an attempt")
def logs(
    here: Here,
    caller: Caller,
    task_id: TaskIdPath,
    offset: Offset = 0,
    follow: Annotated[int, Query(ge=0, le=1, description="1: wait for more until the attempt is over")] = 0,
    attempt: Annotated[str | None, Query(max_length=200, description="the newest where not given")] = None,
) -> StreamingResponse:
    """Standard output and error in the order they were written, from byte `offset` on."""
    find_line(here, caller, task_id)
    if attempt is not None and attempt not in {one.attempt_id for one in family.attempts(here, task_id)}:
        raise NotFoundError("attempt_unknown", attempt=attempt)
    stream = _log(here, task_id, attempt, offset, bool(follow))
    if follow:
        stream = here.streams.held(caller.tenant, stream)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/plain; charset=utf-8", headers=headers)


async def _log(here: Context, task_id: str, attempt_id: str | None, offset: int, follow: bool) -> AsyncIterator[bytes]:
    over = False
    while True:
        row = await run_sync(_attempt, here, task_id, attempt_id)
        over = over or not follow or await run_sync(_is_over, here, task_id, row)
        if row is not None:
            attempt_id = row.attempt_id
            piece = await run_sync(here.brain.read_log, AttemptId(row.attempt_id), offset, LOG_PIECE_BYTES)
            if piece:
                offset += len(piece)
                yield piece
                continue
        if over or here.changes.closing:
            return
        await anyio.sleep(LOG_POLL_S)


def _attempt(here: Context, task_id: str, attempt_id: str | None) -> AttemptRow | None:
    rows = family.attempts(here, task_id)
    if attempt_id is None:
        return rows[-1] if rows else None
    return next(row for row in rows if row.attempt_id == attempt_id)


def _is_over(here: Context, task_id: str, row: AttemptRow | None) -> bool:
    if row is not None:
        return row.closed_us is not None
    task = here.brain.store.task(task_id)
    return task is None or task.phase in ENDS


@router.get(
    "/v1/tasks/{task_id}/outputs/{path:path}", response_class=Response, responses=_BYTES, summary="An output file"
)
def output(here: Here, caller: Caller, task_id: TaskIdPath, path: str) -> StreamingResponse:
    """A file that the task left, of the attempt that succeeded; where none did, of the newest. Those of the elements of an
    array that are done are there as soon as an event has told of them."""
    find_line(here, caller, task_id)
    rows = family.attempts(here, task_id)
    kept = [one for row in rows if row.succeeded for one in row.outputs] or kept_outputs(rows)
    found = next((one for one in kept if one.path == path), None) or family.done_output(here, task_id, path)
    if found is None:
        raise NotFoundError("output_unknown", path=path[:200])
    headers = {
        "Content-Length": str(found.size_bytes),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}",
        "ETag": f'"{found.blake3}"',
        "Cache-Control": "private, max-age=86400, immutable",
    }
    stream = pieces(here.brain.objects.open(found.blake3))
    return StreamingResponse(stream, media_type="application/octet-stream", headers=headers)


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """The bytes of an object, closed at the end."""
    with source:
        while piece := source.read(OUTPUT_PIECE_BYTES):
            yield piece
