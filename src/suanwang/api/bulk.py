"""POST /v1/tasks:bulk: many tasks at once, as NDJSON or as an Arrow IPC stream with one text column `request`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import Response

from suanwang.api.arrow import column_rows
from suanwang.api.caller import Caller
from suanwang.api.context import Context, Here
from suanwang.api.documents import answer, check_media
from suanwang.api.inputs import IdempotencyKey, RawBody, check_json
from suanwang.api.openapi import raw_body
from suanwang.api.problem import fault_view
from suanwang.api.sources import check_sources
from suanwang.intent.read import read_task
from suanwang.model.error import Fault, FaultsError, TooLargeError
from suanwang.model.ids import TaskId
from suanwang.model.principal import Principal, Submission
from suanwang.model.record import Phase
from suanwang.model.view import BulkAnswer, RowFaults
from suanwang.texts import choose_language

NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
ROWS_MAX = 65_536  # of one request; the SDK sends more in parts
BATCH = 2_048  # submissions that become durable together: one fsync, and the lock is free in between
router = APIRouter(tags=["tasks"])


@dataclass
class _Rows:
    """What was read: good submissions with their row, and the faults of the others."""

    good: list[tuple[int, Submission]] = field(default_factory=list)
    bad: list[tuple[int, list[Fault]]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.good) + len(self.bad)


@router.post(
    "/v1/tasks:bulk",
    response_model=BulkAnswer,
    openapi_extra=raw_body("One task a row.", NDJSON, ARROW),
    summary="Submit many tasks",
)
def submit_bulk(
    request: Request, here: Here, caller: Caller, raw: RawBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """A row with faults is refused alone. With an idempotency key, each row has the key `<key>:<row>`, so the whole
    request may be sent again."""
    media = check_media(request, frozenset({NDJSON, ARROW}))
    rows = _read(
        here, caller, column_rows(raw, "request", ROWS_MAX) if media == ARROW else _ndjson(raw), idempotency_key
    )
    task_ids: list[TaskId | None] = [None] * rows.count
    refused = 0
    for at in range(0, len(rows.good), BATCH):
        part = rows.good[at : at + BATCH]
        done = here.brain.submit(caller, [one for _, one in part])
        for (row, _), one in zip(part, done, strict=True):
            task_ids[row] = one.task_id
            refused += one.phase is Phase.REFUSED
    lang = choose_language(request.headers.get("accept-language"))
    faults = tuple(RowFaults(row=row, faults=tuple(fault_view(one, lang) for one in found)) for row, found in rows.bad)
    accepted = len(rows.good) - refused
    return answer(
        BulkAnswer(accepted=accepted, refused=refused + len(rows.bad), task_ids=tuple(task_ids), faults=faults)
    )


def _read(here: Context, caller: Principal, texts: Iterator[bytes], key: str | None) -> _Rows:
    rows = _Rows()
    for row, raw in enumerate(texts):
        if row >= ROWS_MAX:
            raise TooLargeError("too_many_rows", limit=ROWS_MAX)
        try:
            check_json(raw, "")
            own_key = None if key is None else f"{key}:{row}"
            found = read_task(raw, f"row {row}")
            check_sources(found, here.brain.store, caller)
            rows.good.append((row, Submission(request=found, idempotency_key=own_key)))
        except FaultsError as error:
            rows.bad.append((row, error.faults))
    return rows


def _ndjson(raw: bytes) -> Iterator[bytes]:
    """Lines; blank ones are no rows."""
    return (line for line in raw.split(b"\n") if line.strip())
