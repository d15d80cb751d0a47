"""/ga4gh/tes/v1: GA4GH TES 1.1.0, a second door to the same road. `docs/guide/tes.md` says what stands for what.

A task that came by this door is one of ours with its document beside it: an object that a tag of the task names.
"""

import json
from io import BytesIO
from typing import Annotated, Any, Final

from blake3 import blake3
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller, TaskIdPath, tenant_scope
from suanwang.api.context import Context, Here
from suanwang.api.documents import JSON, answer, check_media
from suanwang.api.inputs import IdempotencyKey, RawBody, check_json
from suanwang.api.lookup import find_line
from suanwang.api.openapi import json_body
from suanwang.api.sources import check_sources
from suanwang.api.tes_paths import OLD
from suanwang.api.tes_states import standings_of
from suanwang.api.tes_view import TesViewer, View
from suanwang.intent.tes import TesRead, TesRules, read_tes
from suanwang.intent.tes_parameters import PARAMETERS
from suanwang.intent.tes_tags import DOCUMENT_TAG, tag_search
from suanwang.model.error import ConflictError, Fault, FaultsError, NotFoundError
from suanwang.model.ids import TaskId
from suanwang.model.principal import Principal, Submission
from suanwang.model.record import ENDS
from suanwang.model.tes import (
    TesCancelled,
    TesCreated,
    TesOrganization,
    TesPage,
    TesServiceInfo,
    TesServiceType,
    TesState,
    TesTask,
    TesTaskView,
)
from suanwang.store.listing import TaskLine, tagged_lines
from suanwang.store.rows import Page
from suanwang.texts import choose_language, text

router = APIRouter(tags=["tes"])
PAGE_DEFAULT: Final = 256
PAGE_MAX: Final = 2047  # TES: less than 2048
PAGE_BYTES: Final = 32 * 1024 * 1024  # of documents and of what was printed
# A client that heard nothing for 10 s sends its task again; the same body of the same key is the same task so long.
AGAIN_US: Final = 15_000_000
PREFIX_MAX: Final = 200  # of a name that the tables hold; the rest is held against the document
STORAGE: Final = ("s3://", "https://", "http://", "file://")
PageToken = Annotated[str, Query(max_length=300, pattern=r"^[A-Za-z0-9._:=-]*$")]  # empty, as some clients say none
ViewQuery = Annotated[View, Query(description="how much of a task")]


def rules_of(here: Context) -> TesRules:
    """What the operator and the grid say."""
    settings, grid = here.brain.settings, here.brain.index.grid
    zones: dict[str, tuple[str, ...]] = {}
    for site in grid.sites:
        zones[site.region] = (*zones.get(site.region, ()), site.id)
    zones |= {site.id: (site.id,) for site in grid.sites}
    return TesRules(settings.tes_host_images, settings.tes_network, settings.tes_wall_time_s * 1_000_000, zones)


def _viewer(request: Request, here: Context) -> TesViewer:
    lang = choose_language(request.headers.get("accept-language"))
    return TesViewer(here, rules_of(here), lang, bool(request.scope.get(OLD)))


def _json(value: Any) -> Response:
    """A document of the client's own goes back as it came, so no model is asked."""
    return Response(json.dumps(value, ensure_ascii=False), 200, {"Cache-Control": "no-store"}, JSON)


@router.get("/ga4gh/tes/v1/service-info", response_model=TesServiceInfo, summary="What this service is")
def service_info(request: Request, here: Here) -> Response:
    grid = here.brain.index.grid
    info = TesServiceInfo(
        id=f"suanwang.{grid.id}",
        name="Suanwang",
        type=TesServiceType(),
        description=text("tes.description", choose_language(request.headers.get("accept-language"))),
        organization=TesOrganization(name="Suanwang", url=f"{str(request.base_url).rstrip('/')}/"),
        version=request.app.version,
        storage=STORAGE,
        tesResources_backend_parameters=tuple(PARAMETERS),
    )
    return answer(info)


@router.post(
    "/ga4gh/tes/v1/tasks",
    response_model=TesCreated,
    openapi_extra=json_body(TesTask, "A TES task."),
    summary="Create a task",
)
def create(
    request: Request, here: Here, caller: Caller, raw: RawBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """Durable when it answers. The same body of the same key within 15 s is the same task, unless an `Idempotency-Key`
    tells them apart."""
    check_media(request, frozenset({JSON}))
    check_json(raw, "")
    read = read_tes(raw, rules_of(here), here.brain.clock())
    _keep(here, caller, read)
    _check_inputs(here, caller, read)
    if idempotency_key is not None:
        return answer(TesCreated(id=_submit(here, caller, read, idempotency_key)))
    now_us = here.brain.clock()
    before = _before(here, caller, read.digest, now_us)
    # Two at once both find nothing; their key is the same, and so the brain makes one task of them.
    made = before or _submit(here, caller, read, _key_of(caller, read.digest, now_us // AGAIN_US))
    return answer(TesCreated(id=made))


def _submit(here: Context, caller: Principal, read: TesRead, key: str) -> TaskId:
    return here.brain.submit(caller, [Submission(request=read.request, idempotency_key=key)])[0].task_id


def _keep(here: Context, caller: Principal, read: TesRead) -> None:
    """The document and the files inside it, as objects of the tenant."""
    for digest, content in read.contents.items():
        if not here.brain.objects.has(digest):
            here.brain.objects.put(BytesIO(content))
        here.brain.store.note_object(digest, len(content), caller.tenant)


def _check_inputs(here: Context, caller: Principal, read: TesRead) -> None:
    try:
        check_sources(read.request, here.brain.store, caller)
    except FaultsError as error:
        faults = [
            Fault(one.code, one.where.replace(".source", ".url"), one.got, one.line, one.params) for one in error.faults
        ]
        raise FaultsError(faults, "body") from None


def _before(here: Context, caller: Principal, digest: str, now_us: int) -> TaskId | None:
    """The task that the same caller made of the same document a moment ago. The tables may be behind: they are not asked."""
    number = now_us // AGAIN_US
    for key in (_key_of(caller, digest, number), _key_of(caller, digest, number - 1)):
        found = here.brain.made_with(caller, key)
        if found is not None and now_us - found[1] < AGAIN_US:
            return found[0]
    return None


def _key_of(caller: Principal, digest: str, number: int) -> str:
    """An idempotency key for a client that has none: who, what, and in which span of `AGAIN_US`."""
    return f"tes-{blake3(f'{caller.key_id} {digest} {number}'.encode()).hexdigest()}"


@router.get(
    "/ga4gh/tes/v1/tasks", response_model=TesPage, response_model_exclude_none=True, summary="List tasks, newest first"
)
def list_tasks(
    request: Request,
    here: Here,
    caller: Caller,
    name_prefix: Annotated[str, Query(max_length=1000)] = "",
    state: TesState | None = None,
    tag_key: Annotated[list[str] | None, Query(max_length=50)] = None,
    tag_value: Annotated[list[str] | None, Query(max_length=50)] = None,
    page_size: Annotated[int, Query(ge=0, le=PAGE_MAX)] = PAGE_DEFAULT,
    page_token: PageToken = "",
    view: ViewQuery = View.MINIMAL,
) -> Response:
    """Those that came as TES. A tag without a value, or with an empty one, is met by any value."""
    values = [*(tag_value or ()), *([""] * len(tag_key or ()))]
    tags = [tag_search(key, value) for key, value in zip(tag_key or (), values, strict=False)]
    page = tagged_lines(
        here.brain.store,
        tenant_scope(caller),
        (DOCUMENT_TAG, *tags),
        None if state is None else standings_of(state),
        name_prefix[:PREFIX_MAX],
        page_size or PAGE_DEFAULT,
        page_token or None,
    )
    return _json(_page(_viewer(request, here), page, name_prefix, view))


def _page(viewer: TesViewer, page: Page[TaskLine], name_prefix: str, view: View) -> dict[str, Any]:
    """What a list answers. A document has up to 4 MiB and what was printed comes on top, so a page that has read its bytes
    ends early and the next one goes on: it may be short or empty and yet not the last."""
    tasks: list[dict[str, Any]] = []
    cursor = page.cursor
    for at, line in enumerate(page.items, start=1):
        if not name_prefix or _begins(viewer, line, name_prefix):
            tasks.append(viewer.task(line, view))
        if viewer.read_bytes >= PAGE_BYTES and at < len(page.items):
            cursor = line.row.task_id
            break
    return {"tasks": tasks} if cursor is None else {"tasks": tasks, "next_page_token": cursor}


def _begins(viewer: TesViewer, line: TaskLine, prefix: str) -> bool:
    """The tables hold a shortened name, and one for a task without."""
    return str(viewer.document(line).get("name") or "").startswith(prefix)


@router.get(
    "/ga4gh/tes/v1/tasks/{task_id}", response_model=TesTaskView, response_model_exclude_none=True, summary="One task"
)
def read(request: Request, here: Here, caller: Caller, task_id: TaskIdPath, view: ViewQuery = View.MINIMAL) -> Response:
    return _json(_viewer(request, here).task(find_line(here, caller, task_id), view))


@router.post("/ga4gh/tes/v1/tasks/{task_id}:cancel", response_model=TesCancelled, summary="Cancel a task")
def cancel(here: Here, caller: Caller, task_id: TaskIdPath) -> Response:
    """One that has ended already stays as it is, and that is no fault: clients send a cancel again."""
    line = find_line(here, caller, task_id)
    if DOCUMENT_TAG not in line.row.tags:
        raise NotFoundError("task_unknown", task=task_id)
    if line.row.phase not in ENDS:
        try:
            here.brain.cancel(caller, TaskId(task_id))
        except ConflictError as error:
            if error.code != "task_ended":
                raise
        here.brain.wait_tables()
    return answer(TesCancelled())
