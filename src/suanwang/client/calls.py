"""Every verb of the API as a `Call`: what to send and how to read the answer. No I/O, shared by both clients."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from suanwang.intent.document import parse
from suanwang.intent.read import read_task, validate
from suanwang.intent.workflow import read_workflow, written
from suanwang.model.cats import CatsMetrics
from suanwang.model.doors import DoorRules
from suanwang.model.error import UnreachableError
from suanwang.model.grid import Grid, Tenant
from suanwang.model.ids import TaskId
from suanwang.model.joining import CheckSent, JoinRefusal, JoinTerms, JoinView
from suanwang.model.network import (
    CutFound,
    LinkHeld,
    NetOptimised,
    NetVerified,
    NetworkNow,
    OptimiseAsk,
    PathsAsk,
    PathsFound,
    ReservationView,
    ReserveAsk,
    ResizeAsk,
)
from suanwang.model.scarcity import Scarcity
from suanwang.model.service import ServiceAsk, ServiceLine, ServiceResult, ServiceView
from suanwang.model.task import TaskRequest
from suanwang.model.view import (
    Bill,
    BulkAnswer,
    Explain,
    IssuedKey,
    KeyView,
    Page,
    Panorama,
    PlanView,
    RowFaults,
    Share,
    Stored,
    TaskBill,
    TaskView,
    WhoAmI,
)
from suanwang.model.wanted import NetworkView
from suanwang.model.workflow import Workflow, WorkflowPlan, WorkflowView

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)
# What a client takes for a task: the model, a dict as in a task file, or the path of a task file.
TaskLike = TaskRequest | Mapping[str, Any] | Path | str
WorkflowLike = Mapping[str, Any] | Path | str  # as in a workflow file, or the path of one
OPTIMISE_S = 300.0  # without its bound
BULK_ROWS = 16_384  # tasks of one request; more go in parts
NDJSON, ARROW = "application/x-ndjson", "application/vnd.apache.arrow.stream"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request. `safe`: it may be sent again, since it changes nothing or changes it once."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    safe: bool = True
    timeout_s: float | None = None  # for one that takes longer than the client waits


def read_tasklike(task: TaskLike) -> tuple[TaskRequest, Path]:
    """The request, and the folder that its local inputs are relative to. Raises FaultsError."""
    if isinstance(task, TaskRequest):
        return task, Path()
    if isinstance(task, Path | str):
        path = Path(task)
        return read_task(path.read_bytes(), str(path)), path.parent
    return read_task(json.dumps(dict(task)), "task"), Path()


def _as(model: type[ModelT]) -> Callable[[bytes], ModelT]:
    return model.model_validate_json


def _nothing(_: bytes) -> None:
    return None


def _params(**values: str | int | None) -> dict[str, str]:
    return {name.rstrip("_"): str(value) for name, value in values.items() if value is not None}


def _get(path: str, model: type[ModelT], **params: str | int | None) -> Call[ModelT]:
    return Call("GET", path, _as(model), _params(**params))


def _task_path(task_id: str, rest: str = "") -> str:
    return f"/v1/tasks/{quote(task_id, safe='')}{rest}"


_JSON = {"Content-Type": "application/json"}


def submit(request: TaskRequest, secrets: Mapping[str, str] | None, key: str) -> Call[TaskView]:
    body = request.model_dump_json(exclude_defaults=True)
    if secrets:
        body = json.dumps({"request": json.loads(body), "secrets": dict(secrets)})
    headers = {**_JSON, "Idempotency-Key": key}
    return Call("POST", "/v1/tasks", _as(TaskView), headers=headers, body=body.encode())


def submit_many(requests: Sequence[TaskRequest], key: str, *, arrow: bool) -> Call[BulkAnswer]:
    texts = [one.model_dump_json(exclude_defaults=True) for one in requests]
    headers = {"Content-Type": ARROW if arrow else NDJSON, "Idempotency-Key": key}
    body = _arrow(texts) if arrow else "\n".join(texts).encode()
    return Call("POST", "/v1/tasks:bulk", _as(BulkAnswer), headers=headers, body=body)


def _arrow(texts: Sequence[str]) -> bytes:
    import pyarrow as pa

    table = pa.table({"request": pa.array(texts, pa.large_string())})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_workflowlike(workflow: WorkflowLike) -> tuple[Workflow, Path]:
    """The workflow, and the folder that its local inputs are relative to. Raises FaultsError."""
    if isinstance(workflow, Path | str):
        path = Path(workflow)
        return read_workflow(path.read_bytes(), str(path)), path.parent
    return read_workflow(json.dumps(dict(workflow)), "workflow"), Path()


def submit_workflow(workflow: Workflow, secrets: Mapping[str, str] | None, key: str) -> Call[WorkflowView]:
    data: dict[str, Any] = written(workflow)
    if secrets:
        data = {"request": data, "secrets": dict(secrets)}
    headers = {**_JSON, "Idempotency-Key": key}
    return Call("POST", "/v1/workflows", _as(WorkflowView), headers=headers, body=json.dumps(data).encode())


def plan_workflow(workflow: Workflow) -> Call[WorkflowPlan]:
    body = json.dumps(written(workflow)).encode()
    return Call("POST", "/v1/workflows:plan", _as(WorkflowPlan), headers=_JSON, body=body)


def workflow(workflow_id: str) -> Call[WorkflowView]:
    return _get(f"/v1/workflows/{quote(workflow_id, safe='')}", WorkflowView)


def workflows(tenant: str | None, limit: int) -> Call[Page[WorkflowView]]:
    return _get("/v1/workflows", Page[WorkflowView], tenant=tenant, limit=limit)


def cancel_workflow(workflow_id: str) -> Call[WorkflowView]:
    return Call("POST", f"/v1/workflows/{quote(workflow_id, safe='')}/cancel", _as(WorkflowView), safe=False)


def plan(request: TaskRequest) -> Call[PlanView]:
    body = request.model_dump_json(exclude_defaults=True).encode()
    return Call("POST", "/v1/plan", _as(PlanView), headers=_JSON, body=body)


def services(group: str | None, text: str | None) -> Call[Page[ServiceLine]]:
    return _get("/v1/services", Page[ServiceLine], group=group, text=text)


def service(service_id: str) -> Call[ServiceView]:
    return _get(_service_path(service_id), ServiceView)


def plan_service(service_id: str, ask: ServiceAsk) -> Call[PlanView]:
    path = _service_path(service_id, ":plan")
    return Call("POST", path, _as(PlanView), headers=_JSON, body=ask.model_dump_json().encode())


def run_service(service_id: str, ask: ServiceAsk, key: str) -> Call[TaskView]:
    headers = {**_JSON, "Idempotency-Key": key}
    path = _service_path(service_id, ":run")
    return Call("POST", path, _as(TaskView), headers=headers, body=ask.model_dump_json().encode())


def service_result(task_id: str) -> Call[ServiceResult]:
    return _get(_task_path(task_id, "/service"), ServiceResult)


def _service_path(service_id: str, verb: str = "") -> str:
    return f"/v1/services/{quote(service_id, safe='')}{verb}"


def task(task_id: str) -> Call[TaskView]:
    return _get(_task_path(task_id), TaskView)


def tasks(
    phase: str | None = None,
    tag: str | None = None,
    text: str | None = None,
    tenant: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
    requests: bool = False,
) -> Call[Page[TaskView]]:
    more = {"requests": "true"} if requests else {}
    words = _params(phase=phase, tag=tag, text=text, tenant=tenant, limit=limit, cursor=cursor, **more)
    return Call("GET", "/v1/tasks", _as(Page[TaskView]), words)


def explain(task_id: str) -> Call[Explain]:
    return _get(_task_path(task_id, "/explain"), Explain)


def cancel(task_id: str) -> Call[TaskView]:
    return Call("POST", _task_path(task_id, "/cancel"), _as(TaskView), safe=False)


def task_bill(task_id: str) -> Call[TaskBill]:
    return _get(_task_path(task_id, "/bill"), TaskBill)


def bill(tenant: str | None = None, from_us: int | None = None, to_us: int | None = None) -> Call[Bill]:
    return _get("/v1/bill", Bill, tenant=tenant, from_=from_us, to=to_us)


def events(task_id: str) -> str:
    """The path of a task's stream."""
    return _task_path(task_id, "/events")


def logs(task_id: str, offset: int, follow: bool, attempt: str | None) -> tuple[str, dict[str, str]]:
    """The path and the parameters of a log."""
    return _task_path(task_id, "/logs"), _params(offset=offset, follow=int(follow), attempt=attempt)


def output(task_id: str, path: str) -> str:
    return _task_path(task_id, f"/outputs/{quote(path)}")


def has_object(digest: str) -> Call[None]:
    return Call("HEAD", f"/v1/objects/{digest}", _nothing)


def put_object(digest: str) -> Call[Stored]:
    """The body is streamed by the client."""
    return Call("PUT", f"/v1/objects/{digest}", _as(Stored), headers={"Content-Type": "application/octet-stream"})


def whoami() -> Call[WhoAmI]:
    return _get("/v1/whoami", WhoAmI)


def doors() -> Call[DoorRules]:
    return _get("/v1/doors", DoorRules)


def grid() -> Call[Grid]:
    return _get("/v1/grid", Grid)


def panorama() -> Call[Panorama]:
    return _get("/v1/panorama", Panorama)


def scarcity() -> Call[Scarcity]:
    return _get("/v1/scarcity", Scarcity)


def cats(ingress: str | None) -> Call[CatsMetrics]:
    return _get("/v1/cats/metrics", CatsMetrics, ingress=ingress)


AskT = TypeVar("AskT", bound=BaseModel)


def read_ask(model: type[AskT], ask: AskT | Mapping[str, Any]) -> AskT:
    """What a caller asks: the model, or a mapping whose sizes may be written with units. Raises FaultsError."""
    return ask if isinstance(ask, model) else validate(model, parse(json.dumps(ask), "ask"))


def network() -> Call[NetworkNow]:
    return _get("/v1/network", NetworkNow)


def network_link(link_id: str) -> Call[LinkHeld]:
    return _get(f"/v1/network/links/{quote(link_id, safe='')}", LinkHeld)


def policies() -> Call[NetworkView]:
    return _get("/v1/network/policies", NetworkView)


def paths(ask: PathsAsk) -> Call[PathsFound]:
    body = ask.model_dump_json(exclude_defaults=True).encode()
    return Call("POST", "/v1/network/paths", _as(PathsFound), headers=_JSON, body=body)


def reservations() -> Call[Page[ReservationView]]:
    return _get("/v1/network/reservations", Page[ReservationView])


def reserve(ask: ReserveAsk) -> Call[ReservationView]:
    body = ask.model_dump_json(exclude_defaults=True).encode()
    return Call("POST", "/v1/network/reservations", _as(ReservationView), headers=_JSON, body=body, safe=False)


def resize(reservation_id: str, ask: ResizeAsk) -> Call[ReservationView]:
    path = f"/v1/network/reservations/{quote(reservation_id, safe='')}"
    return Call("PATCH", path, _as(ReservationView), headers=_JSON, body=ask.model_dump_json().encode(), safe=False)


def release(reservation_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/network/reservations/{quote(reservation_id, safe='')}", _nothing, safe=False)


def what_if_cut(links: Sequence[str], risks: Sequence[str]) -> Call[CutFound]:
    return Call("GET", "/v1/network/what-if", _as(CutFound), {"cut": list(links), "cut_risk": list(risks)})


def verify_network() -> Call[NetVerified]:
    return _get("/v1/network/verify", NetVerified)


def optimise_network(ask: OptimiseAsk) -> Call[NetOptimised]:
    call = _get("/v1/network/optimise", NetOptimised, **ask.model_dump())
    return replace(call, timeout_s=OPTIMISE_S + ask.bound_s)


def switch(kind: str, name: str, verb: str) -> Call[None]:
    """Fail or heal a site, a link or a security pool (`<site>/<pool>`); of a site also what work it takes."""
    assert kind in ("sites", "links", "security-pools"), "these have switches"
    ways = ("fail", "heal", "cordon", "drain", "open", "leave") if kind == "sites" else ("fail", "heal")
    assert verb in ways, "a switch has these ways"
    safe = "/" if kind == "security-pools" else ""
    return Call("POST", f"/v1/{kind}/{quote(name, safe=safe)}:{verb}", _nothing)


def tenants() -> Call[Page[Tenant]]:
    return _get("/v1/tenants", Page[Tenant])


def set_tenant(tenant: Tenant) -> Call[Tenant]:
    body = tenant.model_dump_json(exclude={"id"}).encode()
    return Call("PUT", f"/v1/tenants/{quote(tenant.id, safe='')}", _as(Tenant), headers=_JSON, body=body)


def shares() -> Call[Page[Share]]:
    return _get("/v1/shares", Page[Share])


def keys(revoked: bool) -> Call[Page[KeyView]]:
    return _get("/v1/keys", Page[KeyView], revoked=int(revoked))


def issue_key(tenant: str, role: str, sites: Sequence[str], note: str) -> Call[IssuedKey]:
    body = json.dumps({"tenant": tenant, "role": role, "sites": list(sites), "note": note}).encode()
    return Call("POST", "/v1/keys", _as(IssuedKey), headers=_JSON, body=body, safe=False)


def joins() -> Call[Page[JoinView]]:
    return _get("/v1/joins", Page[JoinView])


def approve_join(join_id: str, terms: JoinTerms) -> Call[JoinView]:
    return _decide(join_id, "approve", terms)


def refuse_join(join_id: str, why: str) -> Call[JoinView]:
    return _decide(join_id, "refuse", JoinRefusal(why=why))


def check_site(site: str) -> Call[CheckSent]:
    return Call("POST", f"/v1/sites/{quote(site, safe='')}:check", _as(CheckSent), safe=False)


def _decide(join_id: str, verb: str, body: BaseModel) -> Call[JoinView]:
    path = f"/v1/joins/{quote(join_id, safe='')}:{verb}"
    return Call("POST", path, _as(JoinView), headers=_JSON, body=body.model_dump_json().encode(), safe=False)


def revoke_key(key_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/keys/{quote(key_id, safe='')}", _nothing)


# What breaks a stream and may be taken up again; a refusal is no break.
LINE_BREAKS = (UnreachableError,)
BREAKS_MAX = 6


def join_bulk(answers: Sequence[BulkAnswer]) -> BulkAnswer:
    """The answers of the parts of one bulk submit as one, rows counted through."""
    task_ids: list[TaskId | None] = []
    faults: list[RowFaults] = []
    for one in answers:
        faults += [row.model_copy(update={"row": row.row + len(task_ids)}) for row in one.faults]
        task_ids += one.task_ids
    return BulkAnswer(
        accepted=sum(one.accepted for one in answers),
        refused=sum(one.refused for one in answers),
        task_ids=tuple(task_ids),
        faults=tuple(faults),
    )
