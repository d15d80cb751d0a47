"""What the log says of a workflow: which tasks belong together. Each has records of its own."""

from typing import Literal

from suanwang.model.base import Value
from suanwang.model.ids import Slug, TaskId, TenantId, WorkflowId
from suanwang.model.task import After


class StepRef(Value):
    """Which task a step is, and all that it comes after, those whose outputs it takes among them."""

    name: Slug
    task_id: TaskId
    after: tuple[After, ...] = ()


class WorkflowSubmitted(Value):
    """Tasks of the same batch belong together."""

    t: Literal["workflow_submitted"] = "workflow_submitted"
    at_us: int
    workflow_id: WorkflowId
    tenant: TenantId
    principal: str
    name: str
    steps: tuple[StepRef, ...]
    idempotency_key: str | None = None
    digest: str  # blake3 of the workflow
