"""/v1/workflows: tasks with names, submitted, looked at and cancelled as a whole."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from suanwang.api.caller import Caller, asked_tenant
from suanwang.api.context import Here
from suanwang.api.documents import TASK_MEDIA, answer, check_media, unwrapped
from suanwang.api.inputs import Cursor, IdempotencyKey, Limit, RawBody, TenantQuery, check_json
from suanwang.api.openapi import workflow_body
from suanwang.api.sources import source_faults
from suanwang.intent.workflow import read_workflow
from suanwang.model.error import FaultsError
from suanwang.model.view import Page
from suanwang.model.workflow import WorkflowPlan, WorkflowState, WorkflowView

router = APIRouter(tags=["workflows"])
WorkflowPath = Annotated[str, Path(max_length=200, examples=["flow-01jd0000000000000000000000"])]


@router.post(
    "/v1/workflows",
    status_code=201,
    response_model=WorkflowView,
    responses={
        200: {"model": WorkflowView, "description": "Refused, and nothing was made; or the key was seen before."}
    },
    openapi_extra=workflow_body("A workflow, or `{request, secrets}`."),
    summary="Submit a workflow",
)
def submit(
    request: Request, here: Here, caller: Caller, raw: RawBody, idempotency_key: IdempotencyKey = None
) -> Response:
    """Durable when it answers. All of its tasks are admitted, or none is: then the state is `refused`, and each step that was
    refused says why."""
    check_media(request, TASK_MEDIA)
    check_json(raw, "")
    text, secrets, prefix = unwrapped(raw, "tasks")
    workflow = read_workflow(text, "body")
    faults = [
        fault
        for step in workflow.steps
        for fault in source_faults(step.request, here.brain.store, caller, f"{prefix}tasks.{step.name}.")
    ]
    if faults:
        raise FaultsError(faults, "body")
    view, repeated = here.brain.workflows.submit(caller, workflow, secrets, idempotency_key)
    made = not repeated and view.state is not WorkflowState.REFUSED
    headers = {"Location": f"/v1/workflows/{view.workflow_id}"} if view.workflow_id else None
    return answer(view, 201 if made else 200, headers)


@router.post(
    "/v1/workflows:plan",
    response_model=WorkflowPlan,
    openapi_extra=workflow_body("A workflow."),
    summary="Plan a workflow without submitting it",
)
def dry_plan(request: Request, here: Here, caller: Caller, raw: RawBody) -> Response:
    """Each task behind those that it comes after; holds nothing, writes nothing. `size` of an input from another task says
    how much is to be moved."""
    check_media(request, TASK_MEDIA)
    check_json(raw, "")
    return answer(here.brain.workflows.dry_plan(caller, read_workflow(raw, "body")))


@router.get("/v1/workflows", response_model=Page[WorkflowView], summary="List workflows, newest first")
def list_workflows(
    here: Here, caller: Caller, tenant: TenantQuery = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Without their tasks."""
    items, after = here.brain.workflows.newest(asked_tenant(caller, tenant), limit, cursor)
    return answer(Page[WorkflowView](items=items, next_cursor=after))


@router.get("/v1/workflows/{workflow_id}", response_model=WorkflowView, summary="One workflow, with each of its tasks")
def read(here: Here, caller: Caller, workflow_id: WorkflowPath) -> Response:
    return answer(here.brain.workflows.read(caller, workflow_id))


@router.post("/v1/workflows/{workflow_id}/cancel", response_model=WorkflowView, summary="Cancel a workflow")
def cancel(here: Here, caller: Caller, workflow_id: WorkflowPath) -> Response:
    """All of its tasks that have not ended; where all have, that is a conflict."""
    return answer(here.brain.workflows.cancel(caller, workflow_id))
