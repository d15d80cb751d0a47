"""A plan: the brain's whole decision for one task, frozen. Dispatch makes no choice of its own."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import ProtectionFunction
from suanwang.model.ids import DataSetId, LeaseId, LinkId, PlanId, PoolId, SecurityPoolId, SiteId, TaskId
from suanwang.model.reason import PoolReason


class ChargeKind(StrEnum):
    CORE = "core"
    MEMORY = "memory"
    ACCELERATOR = "accelerator"
    NODE = "node"
    QPU = "qpu"
    QPU_SHOT = "qpu_shot"
    ENERGY = "energy"
    BANDWIDTH = "bandwidth"
    PROTECTION = "protection"
    TRANSFER = "transfer"
    QUOTE_CAP = "quote_cap"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


class Line(Value):
    """One metered line. `amount = round_half_up(quantity * price * permille / (per * 1000))`, once.

    `quantity` is in base units (core-us, byte-us, bit/s-us, mW-us, bytes, shots); `per` is how many base units
    one priced unit has (a core-hour is 3,600,000,000 core-us).
    """

    kind: ChargeKind
    item: str  # the pool, link, security pool or data set that is billed
    quantity: Annotated[int, Field(ge=0)]
    price_micro_yuan: Annotated[int, Field(ge=0)]
    per: Annotated[int, Field(ge=1)]
    permille: Annotated[int, Field(ge=0)] = 1000
    amount_micro_yuan: int


class Demand(Value):
    """What is taken from a pool in all (every node, every array element). hpc and quantum take whole nodes and
    leave the rest 0; general and ai take cores, bytes and cards."""

    cores: int = 0
    memory_bytes: int = 0
    accelerators: int = 0
    nodes: int = 0


class DirectedLink(Value):
    link: LinkId
    forward: bool  # True: from link.a to link.b


class Path(Value):
    """A loop-free walk per protection stage. `sites` are the nodes in order, first is the start."""

    sites: tuple[SiteId, ...]
    links: tuple[DirectedLink, ...]
    latency_us: int


class ProtectionStep(Value):
    function: ProtectionFunction
    security_pool: SecurityPoolId
    site: SiteId


class DataMove(Value):
    """One input data set brought to the place. No links: a replica is there already."""

    data_set: DataSetId
    version: int
    replica: SiteId
    size_bytes: int
    path: Path
    rate_bps: int  # bandwidth held while it moves; 0 where nothing moves
    start_us: int
    end_us: int


class Hold(Value):
    """Capacity held from `start_us` to `end_us` (not included), of one resource."""

    resource: Literal["pool", "link", "protection"]
    key: str  # pool id; "<link id>:ab" or "<link id>:ba"; security pool id
    demand: Demand | None = None  # of a pool
    bps: int = 0  # of a link or a security pool
    start_us: int
    end_us: int


class StandbyPlace(Value):
    """A second place, held over the same window: nothing runs there until the first place or its path is lost."""

    site: SiteId
    pool: PoolId
    emulated: bool
    path: Path
    protection: tuple[ProtectionStep, ...] = ()


class QuotedWay(Value):
    """The path and the protection that a quote was made for. They stay what is billed when the path is repaired."""

    path: Path
    protection: tuple[ProtectionStep, ...] = ()


class Alternative(Value):
    """A pool that was not chosen, with what it would have been."""

    pool: PoolId
    reason: PoolReason
    price_micro_yuan: int | None = None
    finish_us: int | None = None
    latency_us: int | None = None
    carbon_mg: int | None = None


class Plan(Value):
    """Complete and frozen. `parent` and `generation` order the plans of a task; adapters refuse older ones.

    A plan with `quoted` carries on the lease of its parent: a running attempt got another path
    (`docs/decisions/0128-a-path-is-repaired-under-a-running-task.md`).
    """

    plan_id: PlanId
    task_id: TaskId
    lease_id: LeaseId
    generation: Annotated[int, Field(ge=1)]
    parent: PlanId | None = None
    snapshot_version: int
    site: SiteId
    pool: PoolId
    emulated: bool  # the site's work runs on a stand-in host
    demand: Demand
    start_us: int  # data starts to move, or work starts where nothing moves
    run_start_us: int
    end_us: int  # run_start_us + wall_time: the latest finish
    path: Path  # origin to site, through the protection in order
    bandwidth_bps: int
    protection: tuple[ProtectionStep, ...] = ()
    data: tuple[DataMove, ...] = ()
    standby: StandbyPlace | None = None
    took_over: bool = False  # its place is the standby place of the plan before it
    quoted: QuotedWay | None = None  # its path was repaired: the way that is billed; None: its own
    holds: tuple[Hold, ...]
    quote: tuple[Line, ...]
    quote_micro_yuan: int  # the sum of the lines: the bill cannot pass it
    carbon_mg: int
    alternatives: tuple[Alternative, ...] = ()  # the best five
    verdicts: str = ""  # base64 of zlib of one byte a pool: place in WRITTEN_POOL_REASONS, 255 = chosen


class ClauseCount(Value):
    """How many pools a clause removes, of those that passed the clauses before it."""

    reason: PoolReason
    pools: int
    sites: int


class Relaxation(Value):
    """The smallest change of one clause that would make the task fit, with what it would then get."""

    clause: PoolReason
    field: str  # the field of the task file
    asked: str
    needed: str
    pool: PoolId


class PoolVerdict(Value):
    pool: PoolId
    reason: PoolReason | None  # None: chosen


class PlanReport(Value):
    """Why. For every pool the binding reason; the clause counts; when nothing fits, what would make it fit."""

    task_id: TaskId
    chosen: PoolId | None
    verdicts: tuple[PoolVerdict, ...]
    clauses: tuple[ClauseCount, ...]
    alternatives: tuple[Alternative, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    waits: bool = False  # nothing fits now, but would with every site up and nothing held
    objective: str = ""  # the preference, with the winning figures in words' order
