"""A day of work as a stream: what came when, of whom, and how long it ran. What `traces/` reads and the twin plays."""

from dataclasses import dataclass, field

from suanwang.model.ids import TenantId
from suanwang.model.task import TaskRequest


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt as the trace tells it. `outcome` is a word of the fake adapter: ok, exit:1, signal:9, oom, hang."""

    span_us: int
    outcome: str = "ok"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One task of a trace. `key` is its own in the trace; `runs` has a run an attempt, the last for all after it."""

    key: str
    at_us: int  # since 1970 UTC
    tenant: TenantId
    request: TaskRequest
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader of the result has to know: a text `whatif.note.<code>` with its figures."""

    code: str
    params: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """Arrivals in the order of time, and what was assumed, left out or made up to read them."""

    arrivals: tuple[Arrival, ...]
    notes: tuple[Note, ...] = ()
