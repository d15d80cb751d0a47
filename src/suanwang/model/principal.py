"""Who acts, and what passes between the edge (HTTP) and the brain when they act."""

from enum import StrEnum

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import KeyId, SiteId, TaskId, TenantId
from suanwang.model.plan import Plan, PlanReport
from suanwang.model.record import Phase, Refusal
from suanwang.model.task import TaskRequest


class Role(StrEnum):
    """What a key may do. `viewer` < `user` < `operator`; `agent` stands beside them and only speaks for its sites,
    `joiner` may become one."""

    VIEWER = "viewer"  # reads its own tenant's tasks and bill
    USER = "user"  # and submits and cancels them
    OPERATOR = "operator"  # every tenant; fails and heals sites and links; issues keys
    JOINER = "joiner"  # asks once to join a site, within a day, and sees what becomes of that
    AGENT = "agent"  # exchanges heartbeats and orders for its own sites


class Principal(Value):
    """Who acts: the key that was shown, its tenant and its role."""

    key_id: KeyId
    tenant: TenantId
    role: Role
    sites: tuple[SiteId, ...] = ()  # of an agent's key: the only sites it may speak for


class Submission(Value):
    """One task handed in. The values of secrets travel beside the request and never enter the log."""

    request: TaskRequest
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)
    idempotency_key: str | None = None


class Submitted(Value):
    """What became of a submission. `repeated`: the same idempotency key was seen before; nothing new was made."""

    task_id: TaskId
    phase: Phase
    refusals: tuple[Refusal, ...] = ()
    repeated: bool = False


class DryPlan(Value):
    """A plan that nothing was held for: what submitting now would give."""

    refusals: tuple[Refusal, ...] = ()
    plan: Plan | None = None
    report: PlanReport | None = None
    parts: int = 1  # the array would be shared out: this is the plan of the first of so many parts
