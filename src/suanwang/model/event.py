"""What goes between the brain and its agents: instructions out, events in."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import AgentId, AttemptId, PlanId, PoolId, SiteId, TaskId
from suanwang.model.plan import Demand
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest


class Usage(Value):
    """Measured by the site (cgroup figures); shown beside the bill, not billed."""

    wall_us: int = 0
    core_us: int = 0  # CPU time
    memory_byte_us: int = 0  # integral of memory in use over time
    memory_peak_bytes: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    processes_peak: int = 0


class OutputFile(Value):
    """One collected output: content-addressed in the object store."""

    path: str
    blake3: str
    size_bytes: int
    target: str | None = None  # where it was asked to be delivered


class EventKind(StrEnum):
    ACCEPTED = "accepted"
    STAGING = "staging"
    RUNNING = "running"
    PROGRESS = "progress"
    COLLECTING = "collecting"
    FINISHED = "finished"  # exit code 0, outputs collected
    FAILED = "failed"
    STOPPED = "stopped"  # after a stop instruction
    DELIVERED = "delivered"
    DELIVERY_FAILED = "delivery_failed"


class Event(Value):
    """One fact about one attempt. Applied once by (agent, sequence); a wrong fence is recorded and ignored."""

    agent: AgentId
    sequence: Annotated[int, Field(ge=1)]
    site: SiteId
    attempt_id: AttemptId
    fence: Annotated[int, Field(ge=1)]
    at_us: int
    kind: EventKind
    fraction_permille: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: FailureReason | None = None
    detail: str = ""
    usage: Usage | None = None
    outputs: tuple[OutputFile, ...] = ()


class InstructionKind(StrEnum):
    START = "start"
    STOP = "stop"
    DELIVER = "deliver"
    FORGET = "forget"  # the brain has settled the attempt: its folder may go


class Instruction(Value):
    """One order to one site. Sent again until its effect is seen; an agent does a repeated one once."""

    kind: InstructionKind
    site: SiteId
    task_id: TaskId
    attempt_id: AttemptId
    plan_id: PlanId
    fence: Annotated[int, Field(ge=1)]
    pool: PoolId
    demand: Demand = Demand()
    request: TaskRequest | None = None  # of a start
    not_before_us: int = 0  # work does not start before its data would be there
    outputs: tuple[OutputFile, ...] = ()  # of a deliver


class AttemptSeen(Value):
    """What an agent says of an attempt it knows, in every heartbeat."""

    attempt_id: AttemptId
    fence: int
    live: bool


class Heartbeat(Value):
    """An agent's exchange with the brain: who it is, its sites, what it holds, its unacknowledged events."""

    agent: AgentId
    adapter: str
    emulated: bool
    sites: tuple[SiteId, ...]
    attempts: tuple[AttemptSeen, ...] = ()
    events: tuple[Event, ...] = ()
    version: str = ""


class Orders(Value):
    """The brain's answer: events up to `acknowledged` are applied; the instructions that wait for this agent;
    secrets by attempt (they travel here and nowhere else)."""

    acknowledged: int
    instructions: tuple[Instruction, ...] = ()
    secrets: dict[AttemptId, dict[str, str]] = Field(default_factory=dict)
