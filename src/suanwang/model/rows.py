"""Events, orders and sightings as plain rows: what goes between a brain and its agents by the thousand.

A row has the same names as the value that it stands for (`Event`, `Instruction`, `AttemptSeen`) and says the same; what
it has no field for has the value's default. It costs a tuple where the value costs a validation. Whoever hands a
message on as text, or asks for the value, gets the value: `as_event`, and the serializers of `model.event`.
"""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from suanwang.model.event import EventKind, InstructionKind, Kept, OutputFile, Usage
    from suanwang.model.ids import AgentId, AttemptId, PlanId, PoolId, SiteId, TaskId
    from suanwang.model.plan import Demand
    from suanwang.model.task import TaskRequest


class EventRow(NamedTuple):
    """An event that says only what it always says: no reason, no text, nothing kept."""

    agent: "AgentId"
    sequence: int
    site: "SiteId"
    attempt_id: "AttemptId"
    fence: int
    at_us: int
    kind: "EventKind"
    exit_code: int | None = None
    usage: "Usage | None" = None
    outputs: "tuple[OutputFile, ...]" = ()

    @property
    def fraction_permille(self) -> None:
        """None: a row has no share done, signal, reason or text, and nothing kept. So below."""

    @property
    def signal(self) -> None: ...

    @property
    def reason(self) -> None: ...

    @property
    def kept(self) -> None: ...

    @property
    def detail(self) -> str:
        return ""


class SeenRow(NamedTuple):
    """What an agent says of an attempt it knows."""

    attempt_id: "AttemptId"
    fence: int
    live: bool


class OrderRow(NamedTuple):
    """An instruction that starts an attempt, or lets go of one."""

    kind: "InstructionKind"
    site: "SiteId"
    task_id: "TaskId"
    attempt_id: "AttemptId"
    plan_id: "PlanId"
    fence: int
    pool: "PoolId"
    demand: "Demand"
    request: "TaskRequest | None" = None
    not_before_us: int = 0
    kept: "Kept | None" = None
    save: bool = False
    outputs: "tuple[OutputFile, ...]" = ()
    number: int = 0


EVENT_FIELDS: Final = EventRow._fields
_UNSAID: Final[dict[str, Any]] = {
    "fraction_permille": None,
    "signal": None,
    "reason": None,
    "detail": "",
    "kept": None,
}


def event_fields(row: EventRow) -> dict[str, Any]:
    """What the value has in its fields."""
    return {**row._asdict(), **_UNSAID}
