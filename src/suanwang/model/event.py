"""What goes between the brain and its agents: instructions out, events in."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, field_serializer

from suanwang.model.base import Value
from suanwang.model.ids import AgentId, AttemptId, PlanId, PoolId, SiteId, TaskId
from suanwang.model.plan import Demand
from suanwang.model.reason import FailureReason
from suanwang.model.rows import EventRow, OrderRow, SeenRow, event_fields
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
    delivered_as: str | None = None  # under which path there; its own where nothing is given


class Kept(Value):
    """What the attempts of a task have done and the next one need not do again."""

    done: tuple[tuple[int, int], ...] = ()  # elements of an array that have finished: ranges, the second not included
    files: tuple[OutputFile, ...] = ()  # the checkpoint; of an array below the number of its element


class EventKind(StrEnum):
    ACCEPTED = "accepted"
    STAGING = "staging"
    RUNNING = "running"
    PROGRESS = "progress"
    CHECKPOINT = "checkpoint"  # something is kept that was not before
    COLLECTING = "collecting"
    FINISHED = "finished"  # exit code 0, outputs collected
    FAILED = "failed"
    STOPPED = "stopped"  # after a stop instruction
    DELIVERED = "delivered"
    DELIVERY_FAILED = "delivery_failed"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


# The last word on the work of an attempt: exactly one of these, and only deliveries after it.
LAST_WORDS = frozenset({EventKind.FINISHED, EventKind.FAILED, EventKind.STOPPED})


# An event of these kinds says no more than a row of events has room for, unless something went wrong.
PLAIN_KINDS = frozenset(
    {EventKind.ACCEPTED, EventKind.STAGING, EventKind.RUNNING, EventKind.COLLECTING, EventKind.FINISHED}
)


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
    outputs: tuple[OutputFile, ...] = ()  # of a checkpoint: of the elements that are done since the one before
    kept: Kept | None = None  # of a checkpoint: all that is kept now


AnyEvent = Event | EventRow


def as_event(event: AnyEvent) -> Event:
    """The event as a value, whatever form it is in."""
    return event if isinstance(event, Event) else Event.model_construct(**event_fields(event))


class InstructionKind(StrEnum):
    START = "start"
    STOP = "stop"
    DELIVER = "deliver"
    FORGET = "forget"  # the brain has settled the attempt: its folder may go

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


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
    number: int = 0  # of a start: the task's, as people see it
    not_before_us: int = 0  # work does not start before its data would be there
    outputs: tuple[OutputFile, ...] = ()  # of a deliver
    kept: Kept | None = None  # of a start: what earlier attempts have done
    save: bool = False  # of a stop: what it has done is wanted


AnyInstruction = Instruction | OrderRow


def as_instruction(order: AnyInstruction) -> Instruction:
    """The instruction as a value, whatever form it is in."""
    return order if isinstance(order, Instruction) else Instruction.model_construct(**order._asdict())


class AttemptSeen(Value):
    """What an agent says of an attempt it knows, in every heartbeat."""

    attempt_id: AttemptId
    fence: int
    live: bool


class Heartbeat(Value):
    """An agent's exchange with the brain: who it is, its sites, what it holds, its unacknowledged events.

    Within a process, what `heartbeat_of` made has rows among its events and attempts (`model.rows`); as text it has values.
    """

    agent: AgentId
    adapter: str
    emulated: bool
    sites: tuple[SiteId, ...]
    attempts: tuple[AttemptSeen, ...] = ()
    events: tuple[Event, ...] = ()
    version: str = ""

    @field_serializer("events")
    def _events_as_values(self, events: tuple[AnyEvent, ...]) -> tuple[Event, ...]:
        return tuple(as_event(one) for one in events)

    @field_serializer("attempts")
    def _attempts_as_values(self, attempts: tuple[AttemptSeen | SeenRow, ...]) -> tuple[AttemptSeen, ...]:
        return tuple(
            one if isinstance(one, AttemptSeen) else AttemptSeen.model_construct(**one._asdict()) for one in attempts
        )


class Orders(Value):
    """The brain's answer: events up to `acknowledged` are applied; the instructions that wait for this agent;
    secrets by attempt (they travel here and nowhere else).

    Within a process, what `orders_of` made has rows among its instructions; as text it has values."""

    acknowledged: int
    at_us: int = 0  # by the brain's clock, when it answered: the instants in the instructions are by that clock
    instructions: tuple[Instruction, ...] = ()
    secrets: dict[AttemptId, dict[str, str]] = Field(default_factory=dict)

    @field_serializer("instructions")
    def _instructions_as_values(self, instructions: tuple[AnyInstruction, ...]) -> tuple[Instruction, ...]:
        return tuple(as_instruction(one) for one in instructions)


def heartbeat_of(
    agent: AgentId,
    adapter: str,
    emulated: bool,
    sites: tuple[SiteId, ...],
    attempts: tuple[AttemptSeen | SeenRow, ...],
    events: tuple[AnyEvent, ...],
    version: str,
) -> Heartbeat:
    """A heartbeat with rows in it. What its maker says is not checked again."""
    said: dict[str, Any] = {"sites": sites, "attempts": attempts, "events": events, "version": version}
    return Heartbeat.model_construct(agent=agent, adapter=adapter, emulated=emulated, **said)


def orders_of(acknowledged: int, at_us: int, instructions: tuple[AnyInstruction, ...]) -> Orders:
    """Orders with rows in them."""
    said: dict[str, Any] = {"instructions": instructions, "secrets": {}}
    return Orders.model_construct(acknowledged=acknowledged, at_us=at_us, **said)
