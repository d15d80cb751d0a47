"""What the queries give: frozen rows of the projections. JSON parts are parsed when they are asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from suanwang.model.event import OutputFile, Usage
from suanwang.model.plan import Plan
from suanwang.model.record import Phase
from suanwang.model.task import TaskRequest

T = TypeVar("T")
_OUTPUTS = TypeAdapter(tuple[OutputFile, ...])


def read_outputs(text: str | None) -> tuple[OutputFile, ...]:
    """Collected outputs from their JSON text; none where there is no text."""
    return () if text is None else _OUTPUTS.validate_json(text)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows, and the cursor that gives the rows after them; None at the end."""

    items: tuple[T, ...]
    cursor: str | None


@dataclass(frozen=True)
class TaskRow:
    task_id: str
    tenant: str
    principal: str
    name: str
    phase: Phase
    wait_reason: str | None
    wait_until_us: int | None
    reason: str | None  # why it ended: a FailureReason, or the first RefusalReason
    detail: str | None
    submitted_us: int
    cancel_us: int | None  # when somebody asked to cancel it
    ended_us: int | None
    generation: int
    fence: int
    plan_id: str | None
    attempt_id: str | None
    site: str | None
    pool: str | None
    emulated: bool
    quote_micro_yuan: int | None
    billed_micro_yuan: int
    deadline_us: int | None
    preference: str
    progress_permille: int | None
    idempotency_key: str | None
    tags: Mapping[str, str]
    request_json: str
    position: int

    @cached_property
    def request(self) -> TaskRequest:
        return TaskRequest.model_validate_json(self.request_json)


@dataclass(frozen=True)
class PlanRow:
    plan_id: str
    task_id: str
    generation: int
    site: str
    pool: str
    committed_us: int
    released_us: int | None  # None: its lease is held
    drop_reason: str | None
    lease_end_us: int  # the plan's end, or later where its lease was extended
    plan_json: str

    @cached_property
    def plan(self) -> Plan:
        return Plan.model_validate_json(self.plan_json)


@dataclass(frozen=True)
class AttemptRow:
    attempt_id: str
    task_id: str
    plan_id: str
    site: str
    fence: int
    stage: str  # "opened", then the last effective EventKind but progress
    opened_us: int
    running_us: int | None  # by the site's clock
    closed_us: int | None
    succeeded: bool | None
    reason: str | None
    detail: str | None
    exit_code: int | None
    signal: int | None
    held_start_us: int | None
    held_end_us: int | None
    usage_json: str | None
    outputs_json: str | None

    @cached_property
    def usage(self) -> Usage | None:
        return None if self.usage_json is None else Usage.model_validate_json(self.usage_json)

    @cached_property
    def outputs(self) -> tuple[OutputFile, ...]:
        return read_outputs(self.outputs_json)


@dataclass(frozen=True)
class EventRow:
    """One step of a task. `kind` is the record's `t`."""

    position: int
    ordinal: int
    task_id: str
    at_us: int
    kind: str
    body_json: str

    @cached_property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.body_json)
        return body


@dataclass(frozen=True)
class ChargeRow:
    position: int
    ordinal: int
    charge_id: str
    task_id: str
    attempt_id: str
    tenant: str
    creditor: str
    kind: str
    item: str
    quantity: int
    price_micro_yuan: int
    per: int
    permille: int
    amount_micro_yuan: int
    emulated: bool
    at_us: int


@dataclass(frozen=True)
class BillLine:
    """The sum of the charges of one kind; work on a stand-in host is summed apart."""

    kind: str
    emulated: bool
    charges: int
    amount_micro_yuan: int


@dataclass(frozen=True)
class Bill:
    """Charges with `from_us <= at_us < to_us`. The debit of the tenant equals the sum of the credits."""

    tenant: str
    from_us: int
    to_us: int
    lines: tuple[BillLine, ...]
    credits: tuple[tuple[str, int], ...]  # creditor, micro-yuan
    charges: int
    amount_micro_yuan: int


@dataclass(frozen=True)
class SiteRow:
    site: str
    agent: str | None
    live: bool
    emulated: bool
    cause: str
    at_us: int
    position: int


@dataclass(frozen=True)
class LinkRow:
    link: str
    up: bool
    principal: str
    at_us: int
    position: int


@dataclass(frozen=True)
class SecurityPoolRow:
    security_pool: str
    up: bool
    cause: str
    principal: str
    agent: str | None
    at_us: int
    position: int


@dataclass(frozen=True)
class KeyRow:
    """An API key. Only the hash of its secret is known."""

    key_id: str
    secret_blake3: str
    tenant: str
    role: str
    note: str
    sites: tuple[str, ...]
    issued_us: int
    revoked_us: int | None


@dataclass(frozen=True)
class GridRow:
    grid_id: str
    digest: str
    text: str
    at_us: int
    position: int


@dataclass(frozen=True)
class ObjectRow:
    """A stored object's size, and the tenants that may read it."""

    blake3: str
    size_bytes: int
    tenants: frozenset[str]
