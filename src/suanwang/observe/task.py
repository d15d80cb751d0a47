"""What the brain keeps of a task and of what runs for it."""

from dataclasses import dataclass
from typing import Final

from suanwang.model.compact import AnyPlan
from suanwang.model.event import EventKind
from suanwang.model.ids import AttemptId, PlanId, SiteId, TaskId, TenantId
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Lies, Phase
from suanwang.model.share import NOTHING, Amounts
from suanwang.model.task import TaskRequest
from suanwang.observe.delivery import Delivery
from suanwang.observe.resume import Resume

# The phase that an agent's word brings about.
PHASE_OF_EVENT: Final = {
    EventKind.STAGING: Phase.STAGING,
    EventKind.RUNNING: Phase.RUNNING,
    EventKind.COLLECTING: Phase.COLLECTING,
}


@dataclass(slots=True)
class Attempt:
    """The live attempt of a task."""

    attempt_id: AttemptId
    plan: AnyPlan
    site: SiteId
    fence: int
    opened_us: int
    seen: bool = False  # the agent has answered for it
    run_us: int = 0  # when it began to run
    stop_reason: FailureReason | None = None


@dataclass(slots=True)
class Task:
    """What the brain keeps of a task. The request and the plan are let go at its end; the store has them."""

    task_id: TaskId
    tenant: TenantId
    order: int  # of submission
    number: int  # as people see it: its order, of a part that of its whole
    submitted_us: int
    request: TaskRequest | None
    priority: int
    phase: Phase = Phase.WAITING
    generation: int = 0
    fence: int = 0
    own_failures: int = 0  # attempts that failed by the task's own doing
    attempts: int = 0
    began: bool = False  # an attempt of it has run; of a whole its parts say it
    plan: AnyPlan | None = None
    parent: PlanId | None = None
    attempt: Attempt | None = None
    delivery: Delivery | None = None
    wait_reason: WaitReason = WaitReason.QUEUED
    wait_until_us: int = 0
    first_quote_micro_yuan: int | None = None
    billed_micro_yuan: int = 0
    cancel_asked: bool = False
    cores: int = 0
    accelerators: int = 0
    amounts: Amounts = NOTHING  # what it takes of each resource while its plan stands
    borrowed: bool = False  # the standing plan is above its tenant's own quota
    resume: Resume | None = None  # what its attempts have done and the next one need not do again
    parts: tuple[TaskId, ...] = ()  # that run its array for it
    part_of: TaskId | None = None
    lies: tuple[Lies, ...] = ()  # the outputs of others that it takes: where they were made
    site: SiteId | None = None  # of the last attempt
    after_lost: bool = False  # it never began, since what it came after ended otherwise
    parting: Attempt | None = None  # closed by the grid, and its agent may still tell what it has done
