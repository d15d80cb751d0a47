"""The records of the one log. Everything that changes the grid is one of these; folding them gives the state.

A record holds decisions already made: replaying never decides anything again.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from suanwang.model.base import Value
from suanwang.model.event import Event, OutputFile, Usage
from suanwang.model.grid import Tenant
from suanwang.model.ids import (
    AgentId,
    AttemptId,
    ChargeId,
    JoinId,
    KeyId,
    LeaseId,
    PlanId,
    SecurityPoolId,
    SiteId,
    TaskId,
    TenantId,
)
from suanwang.model.joining import JoinAsk, Joining, Trust
from suanwang.model.path_report import PathObservation
from suanwang.model.plan import ClauseCount, Line, Plan, Relaxation
from suanwang.model.reason import FailureReason, RefusalReason, WaitReason
from suanwang.model.reservation import (
    ReservationBroken,
    ReservationEnded,
    ReservationMade,
    ReservationMoved,
    ReservationResized,
)
from suanwang.model.snapshot import SiteOrder
from suanwang.model.task import Input, TaskRequest
from suanwang.model.workflow_record import WorkflowSubmitted


class Phase(StrEnum):
    """Where a task is on its road. The last five are ends."""

    WAITING = "waiting"  # admitted, no plan
    PLANNED = "planned"  # lease held, not sent yet
    DISPATCHED = "dispatched"  # an attempt is open, the site has not answered
    STAGING = "staging"
    RUNNING = "running"
    COLLECTING = "collecting"
    DELIVERING = "delivering"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"  # its deadline can no longer be met

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


ENDS = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.REFUSED, Phase.EXPIRED})


class Refusal(Value):
    """One reason of admission with the field it is about, what was got and what would be right."""

    reason: RefusalReason
    field: str
    got: str = ""
    limit: str = ""


class GridAdopted(Value):
    t: Literal["grid_adopted"] = "grid_adopted"
    at_us: int
    grid_id: str
    digest: str  # blake3 of `text`
    text: str  # the grid's canonical JSON


class TenantSet(Value):
    t: Literal["tenant_set"] = "tenant_set"
    at_us: int
    tenant: Tenant


class KeyIssued(Value):
    """Only the hash of a key is ever stored."""

    t: Literal["key_issued"] = "key_issued"
    at_us: int
    key_id: KeyId
    secret_blake3: str
    tenant: TenantId
    role: str
    note: str = ""
    sites: tuple[SiteId, ...] = ()  # of an agent key
    agent: AgentId | None = None  # whose name it speaks under, where that is known


class KeyNamed(Value):
    """An agent key was used for the first time: it speaks under this name from here on."""

    t: Literal["key_named"] = "key_named"
    at_us: int
    key_id: KeyId
    agent: AgentId


class KeyRevoked(Value):
    t: Literal["key_revoked"] = "key_revoked"
    at_us: int
    key_id: KeyId


class TaskSubmitted(Value):
    t: Literal["task_submitted"] = "task_submitted"
    at_us: int
    task_id: TaskId
    tenant: TenantId
    principal: str
    request: TaskRequest
    idempotency_key: str | None = None
    parts: tuple[TaskId, ...] = ()  # the array is shared out: these run it, and the task is done when they are
    part_of: TaskId | None = None


class TaskAdmitted(Value):
    t: Literal["task_admitted"] = "task_admitted"
    at_us: int
    task_id: TaskId


class TaskRefused(Value):
    t: Literal["task_refused"] = "task_refused"
    at_us: int
    task_id: TaskId
    refusals: tuple[Refusal, ...]
    clauses: tuple[ClauseCount, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()


class TaskWaits(Value):
    t: Literal["task_waits"] = "task_waits"
    at_us: int
    task_id: TaskId
    reason: WaitReason
    until_us: int = 0
    clauses: tuple[ClauseCount, ...] = ()


class Lies(Value):
    """So many bytes, made at one site."""

    site: SiteId
    size_bytes: int


class InputsGathered(Value):
    """The tasks whose outputs a task takes have succeeded: its inputs are these from now on, objects in the place of each
    `task:` source, and the bytes of those lie where they were made."""

    t: Literal["inputs_gathered"] = "inputs_gathered"
    at_us: int
    task_id: TaskId
    inputs: tuple[Input, ...]
    lies: tuple[Lies, ...]


class PlanCommitted(Value):
    """The plan's holds become a lease."""

    t: Literal["plan_committed"] = "plan_committed"
    at_us: int
    plan: Plan


class PlanDropped(Value):
    """A plan that was not dispatched is given up (its site failed, the task was cancelled): its lease ends."""

    t: Literal["plan_dropped"] = "plan_dropped"
    at_us: int
    plan_id: PlanId
    task_id: TaskId
    reason: str


class AttemptOpened(Value):
    """A start instruction goes into the outbox. `fence` grows with every attempt of a task."""

    t: Literal["attempt_opened"] = "attempt_opened"
    at_us: int
    attempt_id: AttemptId
    task_id: TaskId
    plan_id: PlanId
    site: SiteId
    fence: int


class EventApplied(Value):
    """`effective` is False for an event of a closed or fenced-out attempt: kept, but without effect."""

    t: Literal["event_applied"] = "event_applied"
    at_us: int
    event: Event
    effective: bool


class StopRequested(Value):
    """The live attempt of a task shall stop; a stop instruction goes into the outbox."""

    t: Literal["stop_requested"] = "stop_requested"
    at_us: int
    task_id: TaskId
    attempt_id: AttemptId
    reason: FailureReason


class DeliveryOrdered(Value):
    """The outputs of a closed, successful attempt go to their targets, from the object store, by this site."""

    t: Literal["delivery_ordered"] = "delivery_ordered"
    at_us: int
    task_id: TaskId
    attempt_id: AttemptId
    site: SiteId
    fence: int


class AttemptClosed(Value):
    """An attempt is over: its lease ends at `at_us`, its charges follow in the same batch."""

    t: Literal["attempt_closed"] = "attempt_closed"
    at_us: int
    attempt_id: AttemptId
    task_id: TaskId
    lease_id: LeaseId
    succeeded: bool
    reason: FailureReason | None = None
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    held_start_us: int
    held_end_us: int
    usage: Usage = Usage()
    outputs: tuple[OutputFile, ...] = ()


class LeaseExtended(Value):
    """A live attempt outlasts its planned window (it started late): its holds now end at `end_us`."""

    t: Literal["lease_extended"] = "lease_extended"
    at_us: int
    lease_id: LeaseId
    task_id: TaskId
    end_us: int


class ChargePosted(Value):
    """Double entry: the tenant is debited, the site's owner (or the network) credited, the same amount."""

    t: Literal["charge_posted"] = "charge_posted"
    at_us: int
    charge_id: ChargeId
    task_id: TaskId
    attempt_id: AttemptId
    tenant: TenantId
    creditor: str
    line: Line
    emulated: bool


class TaskEnded(Value):
    t: Literal["task_ended"] = "task_ended"
    at_us: int
    task_id: TaskId
    phase: Phase
    reason: FailureReason | None = None
    detail: str = ""


class CancelRequested(Value):
    t: Literal["cancel_requested"] = "cancel_requested"
    at_us: int
    task_id: TaskId
    principal: str


class SiteChanged(Value):
    """A site's agent appeared or was lost, or an operator failed or healed the site."""

    t: Literal["site_changed"] = "site_changed"
    at_us: int
    site: SiteId
    agent: AgentId | None
    live: bool
    emulated: bool
    cause: Literal["joined", "heartbeat_lost", "operator_failed", "operator_healed", "brain_started"]


class LinkChanged(Value):
    """An operator cut or mended a link, or a network agent saw it down or up again.

    `agent` is the one that saw it; None of an operator, and in logs from before it was told. What an operator has cut only
    an operator mends.
    """

    t: Literal["link_changed"] = "link_changed"
    at_us: int
    link: str
    up: bool
    principal: str
    agent: str | None = None


SecurityCause = Literal["operator_failed", "operator_healed", "agent_dead", "agent_alive"]


class SecurityPoolChanged(Value):
    """An operator took a security pool out or put it back, or a network agent saw its function dead or alive again.

    `agent` is the one that saw it; None of an operator. What an operator has taken out only an operator puts back.
    """

    t: Literal["security_pool_changed"] = "security_pool_changed"
    at_us: int
    security_pool: SecurityPoolId
    up: bool
    cause: SecurityCause
    principal: str
    agent: str | None = None


class PathRepaired(Value):
    """The path of a running task is replaced under it: same place, pool, demand, window, quote and lease.

    `plan` is the next of the task (its parent is the one before) and the attempt goes on under it. Its holds are what the
    lease holds from now on: those of the path begin at `at_us`, the others are as they were.
    """

    t: Literal["path_repaired"] = "path_repaired"
    at_us: int
    task_id: TaskId
    lease_id: LeaseId
    attempt_id: AttemptId
    cause: PathObservation
    plan: Plan


class PathBroken(Value):
    """The path of a running task is cut or out of its promise, and there is no better one now."""

    t: Literal["path_broken"] = "path_broken"
    at_us: int
    task_id: TaskId
    plan_id: PlanId
    cause: PathObservation


class PathRestored(Value):
    """Every link and security pool of a path that was cut is up again, before another path was found."""

    t: Literal["path_restored"] = "path_restored"
    at_us: int
    task_id: TaskId
    plan_id: PlanId


class SiteOrdered(Value):
    """An operator has closed a site to new work, has it emptied or let it go, or opened it again. What this does to plans and
    attempts stands in records of their own in the same batch."""

    t: Literal["site_ordered"] = "site_ordered"
    at_us: int
    site: SiteId
    order: SiteOrder
    principal: KeyId


class SiteAsked(Value):
    """An agent asks, with a token of the role joiner, to bring a site into the grid. `proposed` is what an operator sees."""

    t: Literal["site_asked"] = "site_asked"
    at_us: int
    join_id: JoinId
    token: KeyId
    ask: JoinAsk
    proposed: Joining


class SiteJoined(Value):
    """An operator has let a site in: it is part of the grid from here on. The agent's key is in the same batch, and the grown
    grid as the one that is adopted."""

    t: Literal["site_joined"] = "site_joined"
    at_us: int
    join_id: JoinId
    principal: str
    key_id: KeyId
    joining: Joining


class SiteChecked(Value):
    """A check task has ended at a site that has joined. What its figures and prices are from here on is in `trust`; where that is
    another share than before, the changed grid is adopted in the same batch."""

    t: Literal["site_checked"] = "site_checked"
    at_us: int
    join_id: JoinId
    task_id: TaskId
    trust: Trust


class ResultCompared(Value):
    """A task of a third party's site was run again elsewhere (`second`), and left the same outputs or others."""

    t: Literal["result_compared"] = "result_compared"
    at_us: int
    join_id: JoinId
    task_id: TaskId
    second: TaskId
    same: bool


class SiteRefused(Value):
    t: Literal["site_refused"] = "site_refused"
    at_us: int
    join_id: JoinId
    principal: str
    why: str


Record = Annotated[
    GridAdopted | TenantSet | KeyIssued | KeyNamed | KeyRevoked | TaskSubmitted | TaskAdmitted | TaskRefused | TaskWaits | InputsGathered
    | PlanCommitted | PlanDropped | AttemptOpened | EventApplied | StopRequested | DeliveryOrdered | LeaseExtended | AttemptClosed
    | ChargePosted | TaskEnded | CancelRequested | SiteChanged | LinkChanged | SecurityPoolChanged
    | PathRepaired | PathBroken | PathRestored
    | SiteAsked | SiteJoined | SiteRefused | SiteChecked | SiteOrdered | ResultCompared
    | WorkflowSubmitted
    | ReservationMade | ReservationMoved | ReservationResized | ReservationBroken | ReservationEnded,
    Field(discriminator="t"),
]  # fmt: skip
RECORDS: TypeAdapter[list[Record]] = TypeAdapter(list[Record])
