"""A workflow: tasks with names, and what each comes after. Its tasks are tasks as all others; the brain knows which belong
together, and nothing else of it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import Slug, TaskId, TenantId, WorkflowId
from suanwang.model.plan import Plan, PlanReport
from suanwang.model.record import Phase, Refusal
from suanwang.model.task import OWN_TAGS, TASK_SOURCE, After, TaskRequest, Word, edge_of

STEPS_MAX = 1_000
OF_WORKFLOW = f"{OWN_TAGS}workflow"  # the tag that names it on each of its tasks
STEP = f"{OWN_TAGS}step"  # and the one with the task's name in it


def stand_in(number: int) -> str:
    """What stands for the id of a step before it has one: by its place in the file."""
    return f"task-{number:026d}"


class Step(Value):
    """A task of a workflow. Other steps are named in it by what stands for their ids."""

    name: Slug
    request: TaskRequest


class Workflow(Value):
    """As it was read: checked, and each step behind all that it comes after."""

    name: Word
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=STEPS_MAX)]
    places: tuple[int, ...]  # of each step in the file; `stand_in` of that is what the others call it

    def bound(self, workflow_id: WorkflowId, task_ids: tuple[TaskId, ...]) -> tuple[TaskRequest, ...]:
        """The requests with real ids, and with the tags that say whose they are."""
        real = {stand_in(place): task_id for place, task_id in zip(self.places, task_ids, strict=True)}
        return tuple(_bound(one, workflow_id, real) for one in self.steps)

    def with_requests(self, requests: tuple[TaskRequest, ...]) -> Self:
        """The same with other requests, one for each step."""
        steps = [Step(name=one.name, request=new) for one, new in zip(self.steps, requests, strict=True)]
        return self.model_copy(update={"steps": tuple(steps)})


def _bound(step: Step, workflow_id: WorkflowId, real: Mapping[str, TaskId]) -> TaskRequest:
    request = step.request
    inputs = tuple(one.model_copy(update={"source": _source(one.source, real)}) for one in request.inputs)
    after = tuple(After(task=real[one.task], when=one.when) for one in request.after)
    tags = {**request.tags, OF_WORKFLOW: workflow_id, STEP: step.name}
    return request.model_copy(update={"inputs": inputs, "after": after, "tags": tags})


def _source(source: str, real: Mapping[str, str]) -> str:
    edge = edge_of(source)
    return source if edge is None else f"{TASK_SOURCE}{real[edge.task]}/{edge.path}"


class WorkflowState(StrEnum):
    """How it stands with the whole."""

    RUNNING = "running"  # not all of its tasks have ended
    SUCCEEDED = "succeeded"  # each succeeded, was skipped, or failed and what comes after that failure succeeded
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"  # one of its tasks was not admitted: none exists


class StepState(StrEnum):
    """How it stands with one of its tasks."""

    WAITING = "waiting"  # for others, for a plan, or for its start
    RUNNING = "running"  # at a site
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused by every pool and past its deadline count too
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # what it comes after ended otherwise


class StepView(Value):
    name: str
    task_id: TaskId | None = None
    number: int = 0  # of the task
    phase: Phase
    state: StepState
    after: dict[str, str] = Field(default_factory=dict)  # the names of others, and when
    handled: bool = False  # it failed, and what comes after that failure succeeded
    site: str | None = None  # of the plan that stands, else of the last attempt
    refusals: tuple[Refusal, ...] = ()


class WorkflowView(Value):
    """A workflow as it stands. `counts` has each state that some of its tasks are in."""

    workflow_id: WorkflowId | None  # None where it was refused
    name: str
    tenant: TenantId
    state: WorkflowState
    submitted_us: int
    counts: dict[StepState, int] = Field(default_factory=dict)
    steps: tuple[StepView, ...] = ()  # none in a list


class StepPlan(Value):
    """What a task of a workflow would get now."""

    name: str
    refusals: tuple[Refusal, ...] = ()
    plan: Plan | None = None
    report: PlanReport | None = None
    unknown_data: bool = (
        False  # takes outputs of others whose size the file does not say: planned as if they were empty
    )


class WorkflowPlan(Value):
    """Where each would run, after those that it comes after; nothing is held."""

    name: str
    steps: tuple[StepPlan, ...]
    quote_micro_yuan: int  # of those that have a plan
    end_us: int | None = None  # of the last; None where one has no plan
