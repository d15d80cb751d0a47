"""From the store's rows to the answers of the API. No decision and no arithmetic but sums."""

from typing import Any, Final, Literal

from suanwang.model.event import OutputFile, Usage
from suanwang.model.ids import AttemptId, ChargeId, PlanId, PoolId, SiteId, TaskId, TenantId
from suanwang.model.path_report import PathObservation
from suanwang.model.plan import ChargeKind, ClauseCount, Line, PlanReport, Relaxation
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Phase, Refusal
from suanwang.model.route import TaskRoute
from suanwang.model.task import Preference, TaskRequest, pool_kind
from suanwang.model.view import (
    AttemptView,
    ChargeView,
    Dropped,
    Explain,
    ExplainAdmission,
    ExplainPlan,
    ExplainRequest,
    ExplainWait,
    Observed,
    PathStep,
    TaskView,
    Wait,
)
from suanwang.store.listing import TaskLine
from suanwang.store.rows import AttemptRow, ChargeRow, EventRow, PlanRow

_FAILURES = frozenset(FailureReason)
_PATH_STEPS: Final[dict[str, Literal["repaired", "broken", "restored"]]] = {
    "path_repaired": "repaired",
    "path_broken": "broken",
    "path_restored": "restored",
}
_PEAKS = frozenset({"memory_peak_bytes", "processes_peak"})


def task_view(
    line: TaskLine, default_origin: SiteId, steps: list[EventRow], attempts: list[AttemptRow], *, whole: bool
) -> TaskView:
    """A task. `steps` and `attempts` may be empty where only a list is wanted: refusals and outputs come from them."""
    row = line.row
    request = row.request
    wait = row.wait_reason if row.phase is Phase.WAITING else None
    reason = FailureReason(row.reason) if row.reason in _FAILURES else None
    return TaskView(
        task_id=TaskId(row.task_id),
        tenant=TenantId(row.tenant),
        name=row.name,
        phase=row.phase,
        kind=pool_kind(request.resources),
        origin=request.origin or default_origin,
        submitted_us=row.submitted_us,
        updated_us=line.updated_us,
        ended_us=row.ended_us,
        preference=Preference(row.preference),
        priority=request.priority,
        array=request.array,
        tags=dict(row.tags),
        site=SiteId(row.site) if row.site else None,
        pool=PoolId(row.pool) if row.pool else None,
        emulated=row.emulated,
        generation=row.generation,
        run_start_us=line.run_start_us,
        end_us=line.end_us,
        deadline_us=row.deadline_us,
        quote_micro_yuan=row.quote_micro_yuan,
        billed_micro_yuan=row.billed_micro_yuan,
        attempts=row.fence,
        progress_permille=row.progress_permille,
        wait=Wait(reason=WaitReason(wait), until_us=row.wait_until_us or 0) if wait else None,
        reason=reason,
        detail=row.detail or "",
        exit_code=attempts[-1].exit_code if attempts else None,
        refusals=_refusals(steps),
        outputs=kept_outputs(attempts),
        request=request if whole else None,
    )


def kept_outputs(attempts: list[AttemptRow]) -> tuple[OutputFile, ...]:
    """The files of the attempt that succeeded; of a task without one, what the newest brought all the same."""
    done = next((one for one in reversed(attempts) if one.succeeded), None)
    if done is None and attempts and attempts[-1].closed_us is not None:
        done = attempts[-1]
    return done.outputs if done is not None else ()


def _last(steps: list[EventRow], kind: str) -> dict[str, Any] | None:
    return next((step.body for step in reversed(steps) if step.kind == kind), None)


def _refusals(steps: list[EventRow]) -> tuple[Refusal, ...]:
    body = _last(steps, "task_refused") or {}
    return tuple(Refusal.model_validate(one) for one in body.get("refusals", ()))


def _clauses(body: dict[str, Any]) -> tuple[ClauseCount, ...]:
    return tuple(ClauseCount.model_validate(one) for one in body.get("clauses", ()))


def charge_view(row: ChargeRow) -> ChargeView:
    line = Line(
        kind=ChargeKind(row.kind),
        item=row.item,
        quantity=row.quantity,
        price_micro_yuan=row.price_micro_yuan,
        per=row.per,
        permille=row.permille,
        amount_micro_yuan=row.amount_micro_yuan,
    )
    return ChargeView(
        charge_id=ChargeId(row.charge_id),
        at_us=row.at_us,
        task_id=TaskId(row.task_id),
        attempt_id=AttemptId(row.attempt_id),
        tenant=TenantId(row.tenant),
        creditor=row.creditor,
        line=line,
        emulated=row.emulated,
    )


def attempt_view(row: AttemptRow, plans: dict[str, PlanRow]) -> AttemptView:
    plan = plans.get(row.plan_id)
    return AttemptView(
        attempt_id=AttemptId(row.attempt_id),
        plan_id=PlanId(row.plan_id),
        site=SiteId(row.site),
        pool=PoolId(plan.pool if plan else ""),
        fence=row.fence,
        emulated=plan.plan.emulated if plan else False,
        opened_us=row.opened_us,
        closed_us=row.closed_us,
        succeeded=row.succeeded,
        reason=FailureReason(row.reason) if row.reason else None,
        detail=row.detail or "",
        exit_code=row.exit_code,
        signal=row.signal,
        held_start_us=row.held_start_us,
        held_end_us=row.held_end_us,
        usage=row.usage or Usage(),
        outputs=row.outputs,
    )


def explain(
    task: TaskView,
    request: TaskRequest,
    principal: str,
    steps: list[EventRow],
    plans: list[PlanRow],
    attempts: list[AttemptRow],
    charges: list[ChargeRow],
    report: PlanReport | None,
    routes: tuple[TaskRoute, ...],
) -> Explain:
    """One member per arrow of the road."""
    by_id = {row.plan_id: row for row in plans}
    newest = plans[-1].plan_id if plans else None
    return Explain(
        task=task,
        request=ExplainRequest(at_us=task.submitted_us, principal=principal, request=request),
        admission=_admission(steps, report if newest is None else None),
        waits=tuple(_wait(step) for step in steps if step.kind == "task_waits"),
        plans=tuple(_plan(row, steps, report if row.plan_id == newest else None) for row in plans),
        attempts=tuple(attempt_view(row, by_id) for row in attempts),
        observed=tuple(
            Observed(at_us=step.at_us, event=step.body["event"], effective=step.body["effective"])
            for step in steps
            if step.kind == "event_applied"
        ),
        paths=tuple(_path_step(step) for step in steps if step.kind in _PATH_STEPS),
        routes=routes,
        charges=tuple(charge_view(row) for row in charges),
    )


def _path_step(step: EventRow) -> PathStep:
    body = step.body
    cause = body.get("cause")
    return PathStep(
        at_us=step.at_us,
        kind=_PATH_STEPS[step.kind],
        cause=None if cause is None else PathObservation.model_validate(cause),
        plan_id=PlanId(body["plan_id"]),
        sites=tuple(body.get("sites", ())),
        latency_us=body.get("latency_us"),
    )


def _admission(steps: list[EventRow], report: PlanReport | None) -> ExplainAdmission:
    for step in steps:
        if step.kind == "task_admitted":
            clauses, relaxations = (report.clauses, report.relaxations) if report else ((), ())
            return ExplainAdmission(at_us=step.at_us, outcome="admitted", clauses=clauses, relaxations=relaxations)
        if step.kind == "task_refused":
            relaxed = tuple(Relaxation.model_validate(one) for one in step.body.get("relaxations", ()))
            relaxed = relaxed or (report.relaxations if report else ())
            return ExplainAdmission(
                at_us=step.at_us,
                outcome="refused",
                refusals=_refusals([step]),
                clauses=_clauses(step.body),
                relaxations=relaxed,
            )
    return ExplainAdmission(outcome="pending")


def _wait(step: EventRow) -> ExplainWait:
    body = step.body
    return ExplainWait(
        at_us=step.at_us,
        reason=WaitReason(body["reason"]),
        until_us=body.get("until_us", 0),
        clauses=_clauses(body),
    )


def _plan(row: PlanRow, steps: list[EventRow], report: PlanReport | None) -> ExplainPlan:
    dropped = next((found for step in steps if (found := _dropped(step, row.plan_id)) is not None), None)
    short = report.model_copy(update={"verdicts": ()}) if report else None
    return ExplainPlan(at_us=row.committed_us, plan=row.plan, report=short, dropped=dropped)


def _dropped(step: EventRow, plan_id: str) -> Dropped | None:
    """How a step ended a plan before it was carried out, or carried it on as another."""
    if step.kind == "plan_dropped" and step.body.get("plan_id") == plan_id:
        return Dropped(at_us=step.at_us, reason=step.body.get("reason", ""))
    if step.kind == "path_repaired" and step.body.get("parent") == plan_id:
        return Dropped(at_us=step.at_us, reason=step.kind)
    return None


def summed(usages: list[Usage]) -> Usage:
    """Measured use over attempts: sums, and the highest of the peaks."""
    if not usages:
        return Usage()
    fold = {name: max if name in _PEAKS else sum for name in Usage.model_fields}
    return Usage(**{name: how(getattr(one, name) for one in usages) for name, how in fold.items()})
