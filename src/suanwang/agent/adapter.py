"""What an adapter is: a small required protocol, optional protocols beside it, and a manifest.

An adapter turns a `StartOrder` into work on its backend and reports what happened as `Update`s. It knows nothing of
fences, sequences or the brain: the agent keeps those. `conformance.py` holds every adapter to this page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from suanwang.model.event import LAST_WORDS, EventKind, Kept, OutputFile, Usage
from suanwang.model.grid import PoolKind
from suanwang.model.ids import AttemptId, PoolId, SiteId, TaskId
from suanwang.model.plan import Demand
from suanwang.model.reason import FailureReason
from suanwang.model.task import TaskRequest


class Limit(StrEnum):
    """What an adapter can hold a task to."""

    CPU = "cpu"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    WALL_TIME = "wall_time"
    LOG = "log"  # the size of what it prints
    FILES = "files"  # it sees its own folder and a read-only system, nothing else
    USER = "user"  # it runs as a user of its own
    NETWORK = "network"  # it has no network unless it asked, and then only what the operator allows


@dataclass(frozen=True, slots=True)
class Manifest:
    """Who the adapter is and what it can do. `missing` says, limit by limit, why it cannot be enforced here."""

    name: str
    version: str
    emulated: bool  # the work of several sites runs on a stand-in host
    kinds: frozenset[PoolKind]
    limits: frozenset[Limit]
    missing: Mapping[Limit, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert not self.limits & set(self.missing), "a limit is enforced or missing, not both"


@dataclass(frozen=True, slots=True)
class StartOrder:
    """One attempt to start. `secrets` go into the environment of the work and nowhere else."""

    site: SiteId
    pool: PoolId
    task_id: TaskId
    attempt_id: AttemptId
    fence: int
    request: TaskRequest
    demand: Demand = field(default_factory=Demand)
    not_before_us: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    kept: Kept | None = None  # what earlier attempts have done
    number: int = 0  # of the task, as people see it


class Update(NamedTuple):
    """One thing that happened to one attempt; the agent makes an `Event` of it."""

    attempt_id: AttemptId
    at_us: int
    kind: EventKind
    fraction_permille: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: FailureReason | None = None
    detail: str = ""
    usage: Usage | None = None
    outputs: tuple[OutputFile, ...] = ()
    kept: Kept | None = None  # of a checkpoint


TERMINAL = LAST_WORDS


class Adapter(Protocol):
    """What every adapter does. No call blocks for longer than starting one process takes."""

    @property
    def manifest(self) -> Manifest: ...

    def start(self, order: StartOrder) -> None:
        """Begin an attempt; a second start of the same attempt does nothing.

        Raises BackendError where it cannot even be begun (a limit this host cannot enforce, an unknown image).
        """

    def poll(self) -> Sequence[Update]:
        """What happened since the last poll, in order for each attempt. Never waits."""

    def stop(self, attempt_id: AttemptId) -> None:
        """End an attempt and everything it started; STOPPED follows. Nothing where it is unknown or has ended."""

    def forget(self, attempt_id: AttemptId) -> None:
        """Drop all that is kept of an attempt, ending it where it still runs. No update follows."""

    def knows(self, attempt_id: AttemptId) -> bool:
        """True from the start of an attempt until it is forgotten, unless this backend lost it."""

    def close(self) -> None:
        """Free what is held, and end everything that a new adapter in its place would not find again."""


@runtime_checkable
class Logs(Protocol):
    """An adapter that keeps what the work printed."""

    def read_logs(self, attempt_id: AttemptId, offset: int, limit: int) -> bytes:
        """At most `limit` bytes from `offset`; empty where there are no more (yet)."""


@runtime_checkable
class Saves(Protocol):
    """An adapter that can keep what work has done: the checkpoint of a task, and the elements of an array that are done.

    It tells of it in CHECKPOINT updates, each with all that is kept so far, and lets work begin with what a
    `StartOrder` says is kept: checkpoint files are put in place, elements that are done are not run.
    """

    def save(self, attempt_id: AttemptId) -> None:
        """End an attempt as `stop` does, but let it write its checkpoint first: CHECKPOINT where there is something
        new to keep, then STOPPED."""


@runtime_checkable
class Wakes(Protocol):
    """An adapter that knows when its next update is due (virtual time)."""

    def next_wake_us(self) -> int | None: ...


@runtime_checkable
class Delivers(Protocol):
    """An adapter that can bring outputs to their targets."""

    def deliver(self, attempt_id: AttemptId, outputs: Sequence[OutputFile]) -> None:
        """Copy outputs to where they were asked for; DELIVERED or DELIVERY_FAILED follows. Repeating is harmless."""
