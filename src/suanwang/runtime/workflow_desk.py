"""Workflows as callers ask for them: taken in whole, looked at, cancelled, planned without being submitted."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from suanwang.admission.admit import with_defaults
from suanwang.compose import cancel_workflow, known_workflow, refusals_of, submit_workflow, workflow_before
from suanwang.dispatch import spread
from suanwang.flow import Road
from suanwang.model.error import NotAllowedError
from suanwang.model.grid import DataSet
from suanwang.model.ids import SiteId, TaskId, TenantId, WorkflowId
from suanwang.model.plan import Plan
from suanwang.model.principal import Principal, Role
from suanwang.model.record import Lies, Phase
from suanwang.model.task import TaskRequest, comes_after, edge_of
from suanwang.model.workflow import (
    StepPlan,
    StepState,
    StepView,
    Workflow,
    WorkflowPlan,
    WorkflowState,
    WorkflowView,
    stand_in,
)
from suanwang.observe.gathered import made_data
from suanwang.observe.resume import rest_of
from suanwang.observe.workflows import workflow_view
from suanwang.plan import PlanAsk, plan
from suanwang.runtime.ids import RealIds

Verb = Callable[[], AbstractContextManager[Road]]
WRITERS: Final = (Role.USER, Role.OPERATOR)


class WorkflowDesk:
    """Thread-safe. `verb` and `look` give the road under the brain's lock."""

    def __init__(self, verb: Verb, look: Verb, ids: RealIds) -> None:
        self._verb, self._look, self._ids = verb, look, ids

    def submit(
        self, principal: Principal, workflow: Workflow, secrets: Mapping[str, str], key: str | None
    ) -> tuple[WorkflowView, bool]:
        """Take all of its tasks in, or none (`refused`). True beside it where the key was seen before: that one of then.
        Durable when this returns."""
        if principal.role not in WRITERS:
            raise NotAllowedError("role", role=principal.role.value)
        ids = self._ids.workflow_id(), tuple(self._ids.task_id() for _ in workflow.steps)
        with self._verb() as road:
            before = workflow_before(road, principal.tenant, key, workflow)
            if before is not None:
                return workflow_view(before, road.state.tasks, whole=True), True
            refused = submit_workflow(road, (principal.tenant, principal.key_id), workflow, ids, secrets, key)
            if refused:
                steps = tuple(
                    StepView(name=step.name, phase=Phase.REFUSED, state=StepState.FAILED, refusals=why)
                    for step, why in zip(workflow.steps, refused, strict=True)
                    if why
                )
                state = WorkflowState.REFUSED
                return WorkflowView(
                    workflow_id=None,
                    name=workflow.name,
                    tenant=principal.tenant,
                    state=state,
                    submitted_us=road.clock(),
                    steps=steps,
                ), False
            return workflow_view(road.state.workflows[ids[0]], road.state.tasks, whole=True), False

    def read(self, principal: Principal, workflow_id: str) -> WorkflowView:
        with self._look() as road:
            record = known_workflow(road, _scope(principal), workflow_id)
            return workflow_view(record, road.state.tasks, whole=True)

    def newest(
        self, tenant: TenantId | None, limit: int, cursor: str | None
    ) -> tuple[tuple[WorkflowView, ...], str | None]:
        """The newest first, of one tenant or of all; `cursor`: only those older than this one."""
        with self._look() as road:
            found: list[WorkflowView] = []
            passed = cursor is None  # by place and not by id: ids of one millisecond are in no order
            for record in reversed(road.state.workflows.values()):
                if not passed or tenant not in (None, record.tenant):
                    passed = passed or record.workflow_id == cursor
                    continue
                if len(found) == limit:
                    return tuple(found), found[-1].workflow_id
                found.append(workflow_view(record, road.state.tasks, whole=False))
            return tuple(found), None

    def cancel(self, principal: Principal, workflow_id: str) -> WorkflowView:
        if principal.role not in WRITERS:
            raise NotAllowedError("role", role=principal.role.value)
        with self._verb() as road:
            record = known_workflow(road, _scope(principal), workflow_id)
            cancel_workflow(road, record, principal.key_id)
            return workflow_view(record, road.state.tasks, whole=True)

    def dry_plan(self, principal: Principal, workflow: Workflow) -> WorkflowPlan:
        """Where each of its tasks would run, when and for how much, each on what is held now: behind those that it comes
        after, with what it takes of them at the places that those would have, as large as the file says."""
        task_ids = tuple(TaskId(stand_in(place)) for place in workflow.places)
        requests = workflow.bound(WorkflowId("flow-dry"), task_ids)
        made: dict[TaskId, Plan] = {}
        steps: list[StepPlan] = []
        with self._look() as road:
            secrets = frozenset(name for one in requests for name in one.secrets)
            refused = refusals_of(road, principal.tenant, requests, frozenset(task_ids), secrets, road.clock())
            for step, task_id, request, refusals in zip(workflow.steps, task_ids, requests, refused, strict=True):
                if refusals:
                    steps.append(StepPlan(name=step.name, refusals=refusals))
                    continue
                found = self._dry(road, principal.tenant, task_id, request, made)
                if found.plan is not None:
                    made[task_id] = found.plan
                steps.append(found.model_copy(update={"name": step.name}))
        return WorkflowPlan(
            name=workflow.name,
            steps=tuple(steps),
            quote_micro_yuan=sum(one.quote_micro_yuan for one in made.values()),
            end_us=max(one.end_us for one in made.values()) if len(made) == len(steps) else None,
        )

    def _dry(
        self, road: Road, tenant: TenantId, task_id: TaskId, request: TaskRequest, made: Mapping[TaskId, Plan]
    ) -> StepPlan:
        index = road.state.index
        alone, kept, unknown = _alone(request, made, request.origin or index.grid.default_origin)
        shares = spread.shares_of(alone, index, road.waits.places)
        one = spread.part_of(alone, shares[0], task_id, None).model_copy(update={"after": ()}) if shares else alone
        ask = PlanAsk(task_id, tenant, rest_of(with_defaults(one, index), None), kept=kept)
        found = plan(road.state.snapshot(), [ask], road.clock(), road.seed, self._ids)[0]
        report = found.report().model_copy(update={"verdicts": ()})
        return StepPlan(name="-", plan=found.plan, report=report, unknown_data=unknown)


def _alone(
    request: TaskRequest, made: Mapping[TaskId, Plan], origin: SiteId
) -> tuple[TaskRequest, tuple[DataSet, ...], bool]:
    """The request without its edges: not before those that it comes after would have ended, and with what it takes of them
    as bytes at their places. True beside it where the size of some of that is not said."""
    ends = [made[TaskId(one.task)].end_us for one in comes_after(request) if TaskId(one.task) in made]
    sizes: dict[SiteId, int] = {}
    unknown = False
    for one in request.inputs:
        edge = edge_of(one.source)
        if edge is None:
            continue
        maker = made.get(TaskId(edge.task))
        unknown = unknown or one.size is None or maker is None
        if maker is not None and one.size:
            sizes[SiteId(maker.site)] = sizes.get(SiteId(maker.site), 0) + one.size
    changed: dict[str, object] = {
        "after": (),
        "inputs": tuple(one for one in request.inputs if edge_of(one.source) is None),
        "earliest_start": max([request.earliest_start or 0, *ends]) or None,
    }
    kept = tuple(made_data(Lies(site=site, size_bytes=size), origin, True) for site, size in sizes.items())
    return request.model_copy(update=changed), kept, unknown


def _scope(principal: Principal) -> TenantId | None:
    return None if principal.role is Role.OPERATOR else principal.tenant
