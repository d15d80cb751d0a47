"""What is said of the network: as it is held now, ways through it, what a cut would do, what could be better, faults."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import LinkKind, Maintenance, Names, Region
from suanwang.model.ids import LinkId, ReservationId, SecurityPoolId, SiteId, TenantId
from suanwang.model.reservation import ReservedWay, Wanted
from suanwang.model.units import AtUs, Bps, SpanUs

COUNT_MAX = 10
CUT_MAX = 50
FAILURES_MAX = 1_000
HOLDERS_MAX = 200  # of a link, that are listed


class WayState(Value):
    """One direction of a link: what is held at the instant of the view, and the part of the capacity that it is."""

    held_bps: int
    use_ppm: int


class LinkNow(Value):
    id: LinkId
    a: SiteId
    b: SiteId
    kind: LinkKind
    capacity_bps: int
    latency_us: int
    igp_weight: int  # of the grid file, or from the latency where it says none
    price_micro_yuan_per_gbps_hour: int
    shared_risk_groups: tuple[str, ...]
    up: bool
    in_maintenance: bool  # at this instant
    maintenance: tuple[Maintenance, ...]  # from now on
    ab: WayState
    ba: WayState


class RouterNow(Value):
    """A site as a node of the network."""

    id: SiteId
    names: Names
    region: Region
    live: bool  # a live agent speaks for it
    links: int


class ReservationView(Value):
    reservation_id: ReservationId
    principal: str
    note: str
    wanted: Wanted
    start_us: int
    end_us: int
    state: Literal["planned", "active", "broken"]
    way: ReservedWay | None  # None: broken
    standby_wanted: bool
    standby: ReservedWay | None  # None where one is wanted: lost, and looked for again
    moves: int
    broken_by: str | None = None


class Mlu(Value):
    """The maximum link utilisation, and the directed link that has it (None where nothing is held)."""

    use_ppm: int
    link: str | None


class NetworkNow(Value):
    at_us: int
    mlu: Mlu
    routers: tuple[RouterNow, ...]
    links: tuple[LinkNow, ...]
    risk_groups: tuple[str, ...]
    security_down: tuple[SecurityPoolId, ...] = ()  # security pools that are out
    reservations: tuple[ReservationView, ...]  # an operator sees them; nobody else does


class PathsAsk(Value):
    """What `paths` is asked: a way over [start, end); without a start from now on, for as long as it `lasts`, or without
    an end for an hour."""

    wanted: Wanted
    start: AtUs | None = None
    end: AtUs | None = None
    lasts: SpanUs | None = None
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)] = 3


class ReserveAsk(Value):
    """What `reserve` is asked. Just one of `end` and `lasts` says how long."""

    wanted: Wanted
    start: AtUs | None = None
    end: AtUs | None = None
    lasts: SpanUs | None = None
    note: Annotated[str, Field(max_length=200)] = ""
    standby: bool = False  # hold a second way too, that shares no link and no risk group with the first


class ResizeAsk(Value):
    """Another bandwidth for a reservation."""

    bandwidth_bps: Annotated[Bps, Field(ge=1)]


class NoWay(StrEnum):
    """Why there is no way; the first that is so."""

    CUT_OFF = "cut_off"  # no path over the links that are up
    AVOIDED = "avoided"  # none without what is to be avoided
    NO_POOL = "no_pool"  # none past security pools of these functions
    TOO_FAR = "too_far"  # none within the latency
    NO_ROOM = "no_room"  # none with so much left
    NO_STANDBY = "no_standby"  # a way, but no second one apart from it


class Refusal(Value):
    """`least_us`: the latency of the quickest way, where the latency refused it. `widest_bps`: what could be had at most."""

    reason: NoWay
    least_us: int | None = None
    widest_bps: int | None = None


class OfferedWay(Value):
    """A way that would be admitted now. `room_bps`: what this list could carry at most over the window, kept so low by
    `bottleneck`; its `residual_bps` is left there once the way is taken."""

    way: ReservedWay
    room_bps: int
    bottleneck: str
    residual_bps: int


class PathsFound(Value):
    at_us: int
    start_us: int
    end_us: int
    wanted: Wanted
    ways: tuple[OfferedWay, ...]
    refusal: Refusal | None = None


class HolderKind(StrEnum):
    """What a way is for."""

    PATH = "path"  # the user's traffic of a task
    STANDBY = "standby"
    DATA = "data"  # bytes on their way to a task
    RESERVATION = "reservation"


class HeldWay(Value):
    """A way that stands: directed links in their order, or all that a reservation loads."""

    owner: str  # a task or a reservation
    kind: HolderKind
    item: str = ""  # of data: which data set
    source: SiteId
    target: SiteId
    links: tuple[str, ...]
    bps: int
    start_us: int
    end_us: int
    latency_us: int
    promised_us: int | None  # the bound that the owner asked for


class LinkHolder(Value):
    """A way over a link, with what it holds of each direction. Equal-cost ways of a reservation hold a part each."""

    way: HeldWay
    name: str  # of the task; the note of a reservation
    tenant: TenantId | None  # None: a reservation
    ab_bps: int
    ba_bps: int


class LinkHeld(Value):
    """A link and who holds it: those that hold it now first, those of most bandwidth first. Who is no operator sees its own
    tenant's tasks; `untold` more of its ways are left out, those of the least bandwidth."""

    at_us: int
    link: LinkNow
    holders: tuple[LinkHolder, ...]
    untold: int


class CrossedWay(Value):
    """A way over a cut link: where it could go instead, or None where nothing keeps its latency and bandwidth."""

    before: HeldWay
    links: tuple[str, ...] | None
    latency_us: int | None
    segments: tuple[str, ...] = ()  # of a reservation
    refusal: Refusal | None = None


class LinkCut(Value):
    """A directed link before and after, at the instant of the view."""

    link: str
    capacity_bps: int
    before_bps: int
    after_bps: int
    up: bool  # after


class CutFound(Value):
    """What a cut would do. The moves are found one after the other, those of most bandwidth first; `untried` of the least
    bandwidth were left out, since they were too many."""

    at_us: int
    cut: tuple[LinkId, ...]
    mlu_before: Mlu
    mlu_after: Mlu
    moved: int
    broken: int
    untried: int
    ways: tuple[CrossedWay, ...]
    links: tuple[LinkCut, ...]


class NetFault(StrEnum):
    """What `verify` finds."""

    OVERSUBSCRIBED = "oversubscribed"
    UNKNOWN = "unknown"  # of something that the grid does not have
    NOT_HELD = "not_held"  # traffic that no hold covers
    NOT_CONNECTED = "not_connected"
    LATENCY = "latency"  # above its promise
    LINK_DOWN = "link_down"
    SECURITY_DOWN = "security_down"  # a security pool is
    MAINTENANCE = "maintenance"
    SEGMENTS = "segments"  # more than were asked for
    AVOIDED = "avoided"  # a way crosses what its owner must not
    NOT_APART = "not_apart"  # a way and its standby share a link or a shared-risk group


class NetFaultFound(Value):
    fault: NetFault
    what: str  # a directed link, a pool, a task, a reservation
    at_us: int | None = None
    used: int | None = None
    limit: int | None = None
    detail: str = ""


class NetVerified(Value):
    """What was looked at, and every fault of it."""

    at_us: int
    leases: int
    holds: int
    resources: int
    slots: int  # stretches of time in which nothing changes, of all resources
    ways: int
    mlu: Mlu
    faults: tuple[NetFaultFound, ...]


class PolicyChange(Value):
    """A demand whose segment lists change. Without lists it follows the IGP."""

    demand: str
    source: str
    target: str
    bps: int
    before: tuple[str, ...]  # `weight x segment segment`
    after: tuple[str, ...]
    latency_us_before: int
    latency_us: int
    promised_us: int | None


class FailureMended(Value):
    """A link or a shared-risk group that would fail after the changes: the MLU that is left then, the MLU once `changed`
    demands have other lists, and the demands that no path is left for."""

    name: str
    left_ppm: int
    mended_ppm: int
    changed: int
    cut_off: int


class NetOptimised(Value):
    """Nothing was changed. MLUs are of the independent checker; no routing whatever is below `bound_ppm`."""

    at_us: int
    name: str
    nodes: int
    links: int
    demands: int
    igp_ppm: int
    before_ppm: int
    after_ppm: int
    bound_ppm: int
    bound_kind: Literal["lp", "dual"]
    gap_ppm: int | None  # above the bound, as a part of it; None where the bound is 0
    policies_before: int
    policies: int
    seconds: float
    bound_seconds: float
    changes: tuple[PolicyChange, ...]
    late: tuple[str, ...] = ()  # demands whose latency bound no list keeps
    unrouted: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()  # of the checker; none, else nothing here stands
    failures: tuple[FailureMended, ...] = ()  # those that were looked at, the busiest first
    failures_of: int = 0  # how many links and groups there are


class OptimiseAsk(Value):
    """How `optimise` looks: `segments` of a list, `ways` that a large demand may be cut into, the part of the MLU that may
    be given up for fewer policies, how long the bound may take, what it costs to change a list of now (a part of the whole
    potential), and how many links and groups fail then, one at a time."""

    segments: Annotated[int, Field(ge=2, le=3)] = 2
    ways: Annotated[int, Field(ge=1, le=64)] = 1
    slack_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 50
    bound_s: Annotated[int, Field(ge=1, le=600)] = 20
    change_price_ppm: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    failures: Annotated[int, Field(ge=0, le=FAILURES_MAX)] = 0
