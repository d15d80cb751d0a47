"""/v1/tasks: submit, list, read, explain, cancel, bill."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from suanwang.api import family
from suanwang.api.caller import Caller, TaskIdPath, asked_tenant
from suanwang.api.context import Context, Here
from suanwang.api.documents import answer, read_submission
from suanwang.api.inputs import Cursor, IdempotencyKey, Limit, RawBody, TenantQuery
from suanwang.api.lookup import find_line, whole_view
from suanwang.api.openapi import task_body
from suanwang.api.sources import check_sources
from suanwang.api.views import charge_view, explain, summed, task_view
from suanwang.model.event import Usage
from suanwang.model.ids import TaskId, TenantId
from suanwang.model.record import ENDS, Phase
from suanwang.model.view import Explain, Page, TaskBill, TaskView
from suanwang.store.listing import task_lines
from suanwang.store.rows import ChargeRow

router = APIRouter(tags=["tasks"])
LIVE = frozenset(Phase) - ENDS
PHASE_WORDS = "|".join([*Phase, "live", "ended"])
CHARGES_MAX = 10_000  # of one task: an attempt has about ten lines
ROUTES_MAX = 20  # of a task whose array is shared out: each takes a search


@router.post(
    "/v1/tasks",
    status_code=201,
    response_model=TaskView,
    responses={200: {"model": TaskView, "description": "The idempotency key was seen before: the task of then."}},
    openapi_extra=task_body("A task, or `{request, secrets}`."),
    summary="Submit one task",
)
def submit(
    request: Request, here: Here, caller: Caller, raw: RawBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """Durable when it answers. A task that admission refuses is answered too: its phase is `refused`."""
    submission = read_submission(request, raw, idempotency_key)
    check_sources(submission.request, here.brain.store, caller)
    done = here.brain.submit(caller, [submission])[0]
    view = whole_view(here, find_line(here, caller, done.task_id))
    headers = {"Location": f"/v1/tasks/{done.task_id}"}
    return answer(view, 200 if done.repeated else 201, headers)


@router.get("/v1/tasks", response_model=Page[TaskView], summary="List tasks, newest first")
def list_tasks(
    here: Here,
    caller: Caller,
    phase: Annotated[
        str | None, Query(pattern=f"^(?:{PHASE_WORDS})$", description="a phase, `live` or `ended`")
    ] = None,
    tag: Annotated[str | None, Query(min_length=1, max_length=300, description="`key` or `key=value`")] = None,
    text: Annotated[str | None, Query(max_length=200, description="in the name, or the start of the id")] = None,
    tenant: TenantQuery = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    requests: Annotated[bool, Query(description="each with its request")] = False,
) -> Response:
    """A cursor goes on after the last task of the page before; tasks submitted meanwhile do not move it. Parts of a task
    whose array is shared out are listed only by their tag: `suanwang.part-of=<task>`."""
    scope = asked_tenant(caller, tenant)
    page = task_lines(here.brain.store, scope, _phases(phase), tag, text or None, limit, cursor)
    origin = here.brain.index.grid.default_origin
    items = tuple(
        family.as_one(here, task_view(line, origin, [], [], whole=requests), whole=False) for line in page.items
    )
    return answer(Page[TaskView](items=items, next_cursor=page.cursor))


def _phases(word: str | None) -> frozenset[Phase] | None:
    if word is None:
        return None
    return {"live": LIVE, "ended": ENDS}.get(word) or frozenset({Phase(word)})


@router.get("/v1/tasks/{task_id}", response_model=TaskView, summary="One task")
def read(here: Here, caller: Caller, task_id: TaskIdPath) -> Response:
    return answer(whole_view(here, find_line(here, caller, task_id)))


@router.get("/v1/tasks/{task_id}/explain", response_model=Explain, summary="Why: one member per arrow of the road")
def explain_task(here: Here, caller: Caller, task_id: TaskIdPath) -> Response:
    line = find_line(here, caller, task_id)
    steps, attempts = family.events(here, task_id), family.attempts(here, task_id)
    task = task_view(line, here.brain.index.grid.default_origin, steps, attempts, whole=True)
    task = family.as_one(here, task, whole=True)
    report = here.brain.report(caller, TaskId(task_id))
    row, plans, charges = line.row, family.plans(here, task_id), _charges(here, task_id)
    routes = tuple(
        route
        for one in family.members(here, task_id)[:ROUTES_MAX]
        if (route := here.brain.policies.route(TaskId(one))) is not None
    )
    return answer(explain(task, row.request, row.principal, steps, plans, attempts, charges, report, routes))


@router.post("/v1/tasks/{task_id}/cancel", response_model=TaskView, summary="Cancel a task")
def cancel(here: Here, caller: Caller, task_id: TaskIdPath) -> Response:
    """The task stops as soon as its site hears of it; one that has ended already is a conflict."""
    here.brain.cancel(caller, TaskId(task_id))
    here.brain.wait_tables()  # so that the answer shows what was done
    return answer(whole_view(here, find_line(here, caller, task_id)))


@router.get("/v1/tasks/{task_id}/bill", response_model=TaskBill, summary="The charges of one task")
def task_bill(here: Here, caller: Caller, task_id: TaskIdPath) -> Response:
    view = whole_view(here, find_line(here, caller, task_id))
    charges = _charges(here, task_id)
    attempts = family.attempts(here, task_id)
    held = [one.held_end_us - one.held_start_us for one in attempts if one.held_end_us and one.held_start_us]
    return answer(
        TaskBill(
            task_id=TaskId(task_id),
            tenant=TenantId(view.tenant),
            quote_micro_yuan=view.quote_micro_yuan,
            total_micro_yuan=sum(one.amount_micro_yuan for one in charges),
            emulated=any(one.emulated for one in charges),
            charges=tuple(charge_view(one) for one in charges),
            usage=summed([one.usage or Usage() for one in attempts]),
            held_us=sum(held),
        )
    )


def _charges(here: Context, task_id: str) -> list[ChargeRow]:
    found: list[ChargeRow] = []
    for one in family.members(here, task_id):
        cursor: str | None = None
        while len(found) < CHARGES_MAX:
            page = here.brain.store.charges(task_id=one, limit=1_000, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
    return found
