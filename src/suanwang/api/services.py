"""/v1/services: the catalogue of services, and a task of one. What comes of it is a task like every other."""

import io
import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from suanwang.api import family
from suanwang.api.caller import Caller, TaskIdPath
from suanwang.api.context import Context, Here
from suanwang.api.documents import answer, read_json
from suanwang.api.inputs import IdempotencyKey, RawBody
from suanwang.api.lookup import find_line, whole_view
from suanwang.api.openapi import json_body
from suanwang.api.sources import OBJECT, check_sources
from suanwang.api.views import kept_outputs
from suanwang.intent.read import read_task
from suanwang.model.error import ConflictError, Fault, FaultsError
from suanwang.model.ids import TaskId
from suanwang.model.principal import Principal, Submission
from suanwang.model.record import ENDS, Phase
from suanwang.model.service import ServiceAsk, ServiceGroup, ServiceLine, ServiceResult, ServiceView
from suanwang.model.task import TaskRequest
from suanwang.model.view import Page, PlanView, TaskView
from suanwang.services import Service, catalogue, check, document_of, files_of, find, wish_faults
from suanwang.services.result import figures_of, judged, result_paths, service_of

router = APIRouter(tags=["services"])
ServicePath = Annotated[str, Path(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$", examples=["heat-plate"])]
RESULT_BYTES_MAX = 4 * 1024 * 1024  # of one file of figures: a screen of them has a few thousand


@router.get("/v1/services", response_model=Page[ServiceLine], summary="The catalogue of services")
def list_services(
    group: Annotated[ServiceGroup | None, Query(description="only of this group")] = None,
    text: Annotated[str | None, Query(max_length=200, description="in the id, the name or the words about it")] = None,
) -> Response:
    """All at once, group by group."""
    lines = (one.line() for one in catalogue().values())
    found = (one for one in lines if (group is None or one.group is group) and _speaks_of(one, text))
    return answer(Page[ServiceLine](items=tuple(found)))


def _speaks_of(line: ServiceLine, text: str | None) -> bool:
    words = [line.id, *dict(line.name).values(), *dict(line.about).values()]
    return text is None or any(text.casefold() in one.casefold() for one in words)


@router.get(
    "/v1/services/{service_id}", response_model=ServiceView, summary="One service: parameters, what is expected"
)
def read(service_id: ServicePath) -> Response:
    return answer(find(service_id).view())


@router.post(
    "/v1/services/{service_id}:plan",
    response_model=PlanView,
    openapi_extra=json_body(ServiceAsk, "Parameters, and fields of the task."),
    summary="Where a service would run and for how much",
)
def plan(request: Request, here: Here, caller: Caller, service_id: ServicePath, raw: RawBody) -> Response:
    """As `POST /v1/plan`: nothing is submitted. `request` is the plain task that it would be."""
    asked = _task(find(service_id), read_json(request, raw, ServiceAsk))
    found = here.brain.dry_plan(caller, asked)
    report = found.report.model_copy(update={"verdicts": ()}) if found.report else None
    return answer(PlanView(request=asked, refusals=found.refusals, plan=found.plan, report=report, parts=found.parts))


@router.post(
    "/v1/services/{service_id}:run",
    status_code=201,
    response_model=TaskView,
    responses={200: {"model": TaskView, "description": "The idempotency key was seen before: the task of then."}},
    openapi_extra=json_body(ServiceAsk, "Parameters, and fields of the task."),
    summary="Submit a task of a service",
)
def run(
    request: Request,
    here: Here,
    caller: Caller,
    service_id: ServicePath,
    raw: RawBody,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """As `POST /v1/tasks`. `GET /v1/tasks/{task_id}/service` tells afterwards whether the result is as expected."""
    service = find(service_id)
    asked = _uploaded(here, caller, service, _task(service, read_json(request, raw, ServiceAsk)))
    check_sources(asked, here.brain.store, caller)
    done = here.brain.submit(caller, [Submission(request=asked, idempotency_key=idempotency_key)])[0]
    view = whole_view(here, find_line(here, caller, done.task_id))
    return answer(view, 200 if done.repeated else 201, {"Location": f"/v1/tasks/{done.task_id}"})


@router.get(
    "/v1/tasks/{task_id}/service", response_model=ServiceResult, summary="Whether a service's result is as expected"
)
def result(here: Here, caller: Caller, task_id: TaskIdPath) -> Response:
    """Judged from the figures in its outputs, when it has ended. A task that is of no service is not found here."""
    line = find_line(here, caller, task_id)
    asked = line.row.request
    service, parameters = service_of(task_id, asked.tags)
    phase = Phase(line.row.phase)
    if phase not in ENDS:
        raise ConflictError("service_not_ended", task=task_id, phase=phase.value)
    kept = {one.path: one for row in family.attempts(here, task_id) for one in row.outputs}
    kept |= {one.path: one for one in kept_outputs(family.attempts(here, task_id))}
    elements = []
    for path in result_paths(service, list(kept)):
        with here.brain.objects.open(kept[path].blake3) as file:
            elements.append(figures_of(service, parameters, file.read(RESULT_BYTES_MAX)))
    array = asked.elements.count if asked.elements is not None else asked.array
    return answer(judged(TaskId(task_id), service, parameters, elements, array, phase))


def _task(service: Service, ask: ServiceAsk) -> TaskRequest:
    """The task that a service becomes. Raises FaultsError with the faults of the parameters and those of the task's fields."""
    parameters, faults = check(service, ask.parameters)
    faults += wish_faults(ask.task)
    asked: TaskRequest | None = None
    try:
        asked = read_task(json.dumps(document_of(service, parameters, ask.task)), "body")
    except FaultsError as error:
        faults += [Fault(one.code, f"task.{one.where}".rstrip("."), one.got, None, one.params) for one in error.faults]
    if faults or asked is None:
        raise FaultsError(faults, "body")
    return asked


def _uploaded(here: Context, caller: Principal, service: Service, asked: TaskRequest) -> TaskRequest:
    """The task with the service's files put among the caller's objects, as a client puts files beside a task file."""
    files = files_of(service)
    inputs: list[Any] = []
    for one in asked.inputs:
        if one.source in files:
            stored = here.brain.objects.put(io.BytesIO(files[one.source].read_bytes()))
            assert stored.blake3 == one.blake3, "a file of the catalogue does not change while the brain runs"
            here.brain.store.note_object(stored.blake3, stored.size_bytes, caller.tenant)
            one = one.model_copy(update={"source": f"{OBJECT}{stored.blake3}"})
        inputs.append(one)
    return asked.model_copy(update={"inputs": tuple(inputs)})
