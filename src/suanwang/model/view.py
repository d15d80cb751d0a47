"""What the edge shows: the answers of the HTTP API, read by the page, the SDK and the CLI. Derived, never stored."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.event import Event, OutputFile, Usage
from suanwang.model.grid import PoolKind
from suanwang.model.ids import (
    AttemptId,
    ChargeId,
    KeyId,
    LinkId,
    PlanId,
    PoolId,
    SecurityPoolId,
    SiteId,
    TaskId,
    TenantId,
)
from suanwang.model.path_report import PathObservation
from suanwang.model.plan import ChargeKind, ClauseCount, Demand, Line, Plan, PlanReport, Relaxation
from suanwang.model.principal import Role
from suanwang.model.reason import FailureReason, WaitReason
from suanwang.model.record import Phase, Refusal
from suanwang.model.route import TaskRoute
from suanwang.model.task import Preference, TaskRequest

Item = TypeVar("Item")


class Page(Value, Generic[Item]):
    """One page of a list. `next_cursor` asks for the page after it; null on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None = None
    total: int | None = None


class Health(Value):
    position: int  # of the log
    behind: int = 0  # rows of the log that the tables do not reflect yet


class WhoAmI(Value):
    key_id: KeyId
    tenant: TenantId
    role: Role
    now_us: int  # the brain's clock
    tenants: tuple[TenantId, ...]  # an operator's: all of them; else the own one


class Wait(Value):
    reason: WaitReason
    until_us: int = 0


class TaskView(Value):
    """One task as a list shows it. What a plan decides is of the newest plan; `request` only in the answer of one."""

    task_id: TaskId
    number: int = (
        0  # of its submission, from 1; of a part that of its whole. Stands for the id wherever one is asked for
    )
    tenant: TenantId
    name: str
    phase: Phase
    kind: PoolKind
    origin: SiteId  # the grid's default where the request gives none
    submitted_us: int
    updated_us: int
    ended_us: int | None = None
    preference: Preference
    priority: int
    array: int
    tags: dict[str, str]
    site: SiteId | None = None
    pool: PoolId | None = None
    emulated: bool = False
    generation: int = 0
    run_start_us: int | None = None
    end_us: int | None = None
    deadline_us: int | None = None
    quote_micro_yuan: int | None = None
    billed_micro_yuan: int = 0
    attempts: int = 0
    progress_permille: int | None = None
    wait: Wait | None = None
    reason: FailureReason | None = None
    detail: str = ""
    exit_code: int | None = None
    refusals: tuple[Refusal, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    request: TaskRequest | None = None
    parts: tuple["TaskPart", ...] = ()  # the array is shared out: who runs it; only in the answer of one task


class TaskPart(Value):
    """One part of a task whose array is shared out. It is a task of its own, with its own plan, attempts and bill."""

    task_id: TaskId
    first: int  # the number of its first element
    count: int
    phase: Phase
    site: SiteId | None
    progress_permille: int | None
    quote_micro_yuan: int | None
    billed_micro_yuan: int


class ChargeView(Value):
    charge_id: ChargeId
    at_us: int
    task_id: TaskId
    attempt_id: AttemptId
    tenant: TenantId
    creditor: str
    line: Line
    emulated: bool


class TaskBill(Value):
    """The charges of one task. `usage` is measured, summed over attempts, and shown, not billed."""

    task_id: TaskId
    tenant: TenantId
    quote_micro_yuan: int | None
    total_micro_yuan: int
    emulated: bool
    charges: tuple[ChargeView, ...]
    usage: Usage
    held_us: int


class KindTotal(Value):
    kind: ChargeKind
    amount_micro_yuan: int
    lines: int


class TaskTotal(Value):
    task_id: TaskId
    name: str
    phase: Phase
    site: SiteId | None
    amount_micro_yuan: int
    quote_micro_yuan: int | None
    lines: int
    emulated: bool


class DayTotal(Value):
    from_us: int  # 00:00 of a day of UTC+8
    amount_micro_yuan: int


class Bill(Value):
    """What a tenant (null: every tenant) was charged in [from, to)."""

    tenant: TenantId | None
    from_us: int
    to_us: int
    total_micro_yuan: int
    emulated_micro_yuan: int
    lines: int
    by_kind: tuple[KindTotal, ...]
    by_task: tuple[TaskTotal, ...]  # greatest first, at most 500
    by_day: tuple[DayTotal, ...]


class ExplainRequest(Value):
    at_us: int
    principal: str
    request: TaskRequest


class ExplainAdmission(Value):
    at_us: int | None = None
    outcome: Literal["admitted", "refused", "pending"]
    refusals: tuple[Refusal, ...] = ()
    clauses: tuple[ClauseCount, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()


class ExplainWait(Value):
    at_us: int
    reason: WaitReason
    until_us: int = 0
    clauses: tuple[ClauseCount, ...] = ()


class Dropped(Value):
    at_us: int
    reason: str


class ExplainPlan(Value):
    at_us: int
    plan: Plan
    report: PlanReport | None = None  # derived again for the newest plan
    dropped: Dropped | None = None


class AttemptView(Value):
    attempt_id: AttemptId
    plan_id: PlanId
    site: SiteId
    pool: PoolId
    fence: int
    emulated: bool
    opened_us: int
    closed_us: int | None = None
    succeeded: bool | None = None
    reason: FailureReason | None = None
    detail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    held_start_us: int | None = None
    held_end_us: int | None = None
    usage: Usage = Usage()
    outputs: tuple[OutputFile, ...] = ()


class Observed(Value):
    at_us: int
    event: Event
    effective: bool


class PathStep(Value):
    """What became of the path of a running task: `cause` is what was seen, the rest what was done about it."""

    at_us: int
    kind: Literal["repaired", "broken", "restored"]
    cause: PathObservation | None = None  # null: restored
    plan_id: PlanId  # the plan that stands after it
    sites: tuple[SiteId, ...] = ()  # of the new path
    latency_us: int | None = None


class Explain(Value):
    """One member per arrow of the road."""

    task: TaskView
    request: ExplainRequest
    admission: ExplainAdmission
    waits: tuple[ExplainWait, ...] = ()
    plans: tuple[ExplainPlan, ...] = ()
    attempts: tuple[AttemptView, ...] = ()
    observed: tuple[Observed, ...] = ()
    paths: tuple[PathStep, ...] = ()
    routes: tuple[TaskRoute, ...] = ()  # of what has a plan now and asked something of its path
    charges: tuple[ChargeView, ...] = ()


class PlanView(Value):
    """The answer of a dry run. `request` is as it was understood, defaults filled in."""

    request: TaskRequest
    refusals: tuple[Refusal, ...] = ()
    plan: Plan | None = None
    report: PlanReport | None = None
    parts: int = 1  # the array would be shared out: this is the plan of the first of so many parts


class FaultView(Value):
    """One fault of a document, with its text in the reader's language."""

    where: str
    line: int | None = None
    got: str = ""
    code: str
    text: str
    params: dict[str, Any] = Field(default_factory=dict)


class DoorWish(Value):
    """One task to be submitted: the only request, or of several the best: the first that fits (`ordered`), else the cheapest."""

    choices: tuple[TaskRequest, ...]
    ordered: bool = False


class DoorTasks(Value):
    """The tasks of a file in the form of another system. `warnings`: what was written and has no effect here."""

    form: str
    tasks: tuple[DoorWish, ...]
    warnings: tuple[FaultView, ...] = ()


class Problem(Value):
    """RFC 9457, with the error's code and, of a document, every fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    faults: tuple[FaultView, ...] = ()


class RowFaults(Value):
    """One refused row of a bulk submit; rows count from 0."""

    row: int
    faults: tuple[FaultView, ...]


class BulkAnswer(Value):
    """`task_ids` has one place a row, in order; null where the row was refused for its faults."""

    accepted: int
    refused: int
    task_ids: tuple[TaskId | None, ...]
    faults: tuple[RowFaults, ...] = ()


class KeyView(Value):
    key_id: KeyId
    tenant: TenantId
    role: Role
    sites: tuple[SiteId, ...] = ()
    note: str = ""
    issued_us: int
    revoked_us: int | None = None


class NewKey(Value):
    """What `POST /v1/keys` takes."""

    tenant: TenantId
    role: Role
    sites: tuple[SiteId, ...] = ()
    note: str = ""


class IssuedKey(Value):
    """The only time that the key itself is shown; the brain keeps its hash."""

    key_id: KeyId
    key: str


class Quota(Value):
    """Of cores or accelerators: what the plans of a tenant and of all below it hold, what else their live tasks ask
    for, and what it has from the other children of its parent, or they from it."""

    limit: int
    live: int  # of what is live, waiting tasks too
    held: int  # by plans
    borrowed: int
    borrowed_max: int
    lent: int
    lent_max: int


class Share(Value):
    """What one tenant, with all below it, has of the whole grid. The share of turns is by `share_ppm / weight`."""

    tenant: TenantId
    name: str
    parent: TenantId | None
    weight: int
    share_ppm: int  # the dominant share of what is held, in millionths, rounded down
    resource: str | None  # the one that dominates: cores, memory_bytes, accelerators, hpc_nodes, quantum_nodes
    live_tasks: int
    live_tasks_max: int
    cores: Quota
    accelerators: Quota
    budget_micro_yuan: int | None
    spent_micro_yuan: int  # billed, and quoted for what is live
    waiting: int = 0  # tasks without a plan
    turn: bool = False  # of those who wait it goes first, among the children of its parent and all the way up


class Stored(Value):
    """An object in the store."""

    blake3: str
    size_bytes: int


class LogLength(Value):
    """How many bytes of an attempt's log the brain has."""

    length: int


class PoolLoad(Value):
    id: PoolId
    load_permille: int
    used: Demand


class SiteLoad(Value):
    """A site now. Load: the highest of its pools; of a pool, the scarcest of cores, memory, cards or nodes."""

    id: SiteId
    live: bool
    emulated: bool
    load_permille: int
    tasks: int
    cause: str | None = None  # of the last change, where the site is not live
    pools: tuple[PoolLoad, ...] = ()  # those in use


class LinkLoad(Value):
    id: LinkId
    up: bool
    used_ab_bps: int
    used_ba_bps: int


class SecurityPoolLoad(Value):
    id: SecurityPoolId
    up: bool
    used_bps: int


class Flow(Value):
    """A live task with a plan, and the walks that it holds."""

    task_id: TaskId
    name: str
    phase: Phase
    kind: PoolKind
    emulated: bool
    sites: tuple[SiteId, ...]
    bandwidth_bps: int
    progress_permille: int | None = None
    data: tuple[tuple[SiteId, ...], ...] = ()


class Recent(Value):
    at_us: int
    task_id: TaskId
    name: str
    phase: Phase
    origin: SiteId
    site: SiteId | None
    emulated: bool


class Totals(Value):
    """The whole grid in figures, of every site in view, `own` apart from third parties. Servers are the nodes of
    general and hpc pools, whose gflops are fp32; AI and quantum nodes are no servers."""

    servers: int
    third_party_servers: int
    general_gflops: int
    ai_gflops: int
    hpc_gflops: int
    third_party_gflops: int
    sites: int
    live_sites: int
    emulated_sites: int
    renewable_permille: int
    phases: dict[Phase, int]
    billed_today_micro_yuan: int
    billed_today_emulated: bool


class Panorama(Value):
    """The picture at one log position: every site; of links and security pools, those down or in use."""

    at_us: int
    position: int
    totals: Totals
    sites: tuple[SiteLoad, ...]
    links: tuple[LinkLoad, ...]
    security_pools: tuple[SecurityPoolLoad, ...]
    flows: tuple[Flow, ...]
    recent: tuple[Recent, ...]
