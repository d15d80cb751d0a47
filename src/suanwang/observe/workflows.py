"""Which tasks belong together, and how it stands with the whole. Folds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from suanwang.model.ids import TaskId
from suanwang.model.record import ENDS, Phase
from suanwang.model.task import When
from suanwang.model.workflow import StepState, StepView, WorkflowState, WorkflowView
from suanwang.model.workflow_record import StepRef, WorkflowSubmitted
from suanwang.observe.task import Task

if TYPE_CHECKING:
    from suanwang.observe.state import State

_WAITING = frozenset({Phase.WAITING, Phase.PLANNED})


def _submitted(state: "State", record: WorkflowSubmitted) -> None:
    state.workflows[record.workflow_id] = record
    if record.idempotency_key is not None:
        state.workflow_keys[record.tenant, record.idempotency_key] = record.workflow_id


WORKFLOWS: dict[type, Any] = {WorkflowSubmitted: _submitted}


def step_state(task: Task, tasks: Mapping[TaskId, Task]) -> StepState:
    """In the words of a workflow. Of an array that is shared out its parts say whether it has begun."""
    if task.phase is Phase.SUCCEEDED:
        return StepState.SUCCEEDED
    if task.phase is Phase.CANCELLED:
        return StepState.SKIPPED if task.after_lost else StepState.CANCELLED
    if task.phase in ENDS:
        return StepState.FAILED
    waits = all(one.phase in _WAITING for one in (task, *(tasks[part] for part in task.parts)))
    return StepState.WAITING if waits else StepState.RUNNING


def handled(steps: Sequence[StepRef], states: Mapping[TaskId, StepState]) -> frozenset[TaskId]:
    """The steps that failed, and of which some step that comes after just that has succeeded, or was handled itself.
    Each step stands behind those that it comes after."""
    found: set[TaskId] = set()
    for one in reversed(steps):
        if states[one.task_id] is StepState.SUCCEEDED or one.task_id in found:
            failed = (TaskId(to.task) for to in one.after if to.when is When.FAILED)
            found |= {task_id for task_id in failed if states.get(task_id) is StepState.FAILED}
    return frozenset(found)


def workflow_view(record: WorkflowSubmitted, tasks: Mapping[TaskId, Task], *, whole: bool) -> WorkflowView:
    """How it stands; `whole`: with each of its tasks."""
    states = {one.task_id: step_state(tasks[one.task_id], tasks) for one in record.steps}
    mended = handled(record.steps, states)
    counts = {state: n for state in StepState if (n := sum(one is state for one in states.values()))}
    names = {str(one.task_id): one.name for one in record.steps}
    return WorkflowView(
        workflow_id=record.workflow_id,
        name=record.name,
        tenant=record.tenant,
        state=_whole_state(states, mended),
        submitted_us=record.at_us,
        counts=counts,
        steps=tuple(_step_view(one, tasks[one.task_id], names, states[one.task_id], mended) for one in record.steps)
        if whole
        else (),
    )


def _whole_state(states: Mapping[TaskId, StepState], mended: frozenset[TaskId]) -> WorkflowState:
    if StepState.WAITING in states.values() or StepState.RUNNING in states.values():
        return WorkflowState.RUNNING
    if any(state is StepState.FAILED and task_id not in mended for task_id, state in states.items()):
        return WorkflowState.FAILED
    return WorkflowState.CANCELLED if StepState.CANCELLED in states.values() else WorkflowState.SUCCEEDED


def _step_view(
    one: StepRef, task: Task, names: Mapping[str, str], state: StepState, mended: frozenset[TaskId]
) -> StepView:
    return StepView(
        name=one.name,
        task_id=one.task_id,
        number=task.number,
        phase=task.phase,
        state=state,
        after={names[to.task]: to.when.value for to in one.after},
        handled=one.task_id in mended,
        site=task.plan.site if task.plan is not None else task.site,
    )
