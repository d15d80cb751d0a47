"""Workflows, beside the road and under its lock: all tasks of one are taken in by one batch, or none is.

From there on each travels the road as any other: what it comes after holds it back, and what it takes of others is gathered
when those have succeeded (`dispatch.applier`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from blake3 import blake3

from suanwang import failpoints
from suanwang.admission.admit import Refused, Standing, admit
from suanwang.flow import Road
from suanwang.model.error import ConflictError, NotFoundError
from suanwang.model.ids import TaskId, TenantId, WorkflowId
from suanwang.model.principal import Submission
from suanwang.model.record import ENDS, Phase, Refusal
from suanwang.model.task import TaskRequest, comes_after, elements_of, places_of
from suanwang.model.workflow import Workflow
from suanwang.model.workflow_record import StepRef, WorkflowSubmitted


def digest_of(workflow: Workflow) -> str:
    """blake3 of a workflow, to tell a repeated submission from a key used twice."""
    return blake3(workflow.model_dump_json().encode()).hexdigest()


def workflow_before(road: Road, tenant: TenantId, key: str | None, workflow: Workflow) -> WorkflowSubmitted | None:
    """What this idempotency key made. Raises ConflictError where that was another workflow."""
    found = road.state.workflow_keys.get((tenant, key)) if key is not None else None
    if found is None:
        return None
    before = road.state.workflows[found]
    if before.digest != digest_of(workflow):
        raise ConflictError("idempotency_reused", key=key)
    return before


def refusals_of(
    road: Road,
    tenant: TenantId,
    requests: Sequence[TaskRequest],
    own: frozenset[TaskId],
    secrets: frozenset[str],
    now_us: int,
) -> list[tuple[Refusal, ...]]:
    """Of each task why it is not admitted, those before it taken as admitted. `own`: the ids that are to be theirs."""
    out: list[tuple[Refusal, ...]] = []
    tasks = cores = cards = 0
    for request in requests:
        one = road.applicant(tenant, request, secrets, now_us)
        above = tuple((who, _more(standing, tasks, cores, cards)) for who, standing in one.above)
        standing = _more(one.standing, tasks, cores, cards)
        answer = admit(replace(one, standing=standing, above=above, strangers=one.strangers - own))
        out.append(answer.refusals if isinstance(answer, Refused) else ())
        many = request.resources.nodes * elements_of(request) * places_of(request)
        tasks, cores = tasks + 1, cores + request.resources.cpu * many
        cards += request.resources.accelerators * many
    return out


def _more(standing: Standing, tasks: int, cores: int, cards: int) -> Standing:
    return replace(
        standing,
        live_tasks=standing.live_tasks + tasks,
        cores=standing.cores + cores,
        accelerators=standing.accelerators + cards,
    )


def submit_workflow(
    road: Road,
    who: tuple[TenantId, str],
    workflow: Workflow,
    ids: tuple[WorkflowId, tuple[TaskId, ...]],
    secrets: Mapping[str, str],
    key: str | None = None,
) -> list[tuple[Refusal, ...]]:
    """Take a workflow in; durable when this returns. Where a task is refused, nothing has changed: the reasons, by step."""
    failpoints.hit("brain.submit.read")
    (tenant, principal), (workflow_id, task_ids) = who, ids
    requests = workflow.bound(workflow_id, task_ids)
    now_us = road.clock()  # once: what is admitted here is admitted below
    refused = refusals_of(road, tenant, requests, frozenset(task_ids), frozenset(secrets), now_us)
    if any(refused):
        return refused
    offers = [
        Submission(request=one, secrets={name: secrets[name] for name in one.secrets if name in secrets})
        for one in requests
    ]
    done = road.submit_all(tenant, principal, offers, task_ids, now_us)
    assert all(one.phase is not Phase.REFUSED for one in done), "admitted together, admitted one by one"
    steps = tuple(
        StepRef(name=step.name, task_id=task_id, after=comes_after(request))
        for step, task_id, request in zip(workflow.steps, task_ids, requests, strict=True)
    )
    road.emit(
        WorkflowSubmitted(
            at_us=now_us,
            workflow_id=workflow_id,
            tenant=tenant,
            principal=principal,
            name=workflow.name,
            steps=steps,
            idempotency_key=key,
            digest=digest_of(workflow),
        )
    )
    road.commit()
    failpoints.hit("brain.submit.committed")
    return []


def known_workflow(road: Road, tenant: TenantId | None, workflow_id: str) -> WorkflowSubmitted:
    """Raises NotFoundError. `tenant`: who may see only its own; None: who sees all."""
    found = road.state.workflows.get(WorkflowId(workflow_id))
    if found is None or tenant not in (None, found.tenant):
        raise NotFoundError("workflow_unknown", workflow=workflow_id)
    return found


def cancel_workflow(road: Road, record: WorkflowSubmitted, principal: str) -> None:
    """Cancel all of its tasks that have not ended, the last first: so each is cancelled, and not skipped for another's
    sake. Raises ConflictError where all have ended."""
    tasks = [road.state.tasks[one.task_id] for one in record.steps]
    if all(task.phase in ENDS for task in tasks):
        raise ConflictError("workflow_ended", workflow=record.workflow_id)
    for task in reversed(tasks):
        if task.phase not in ENDS:
            road.ask_cancel(task, principal)
    road.commit()
    failpoints.hit("brain.cancel.committed")
