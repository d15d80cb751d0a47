"""A site that joins the grid: what its agent found and measured, what it proposes, and what became of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import Count, Grid, Link, Name, PoolKind, PriceBook, Region, SecurityLevel, Site
from suanwang.model.ids import SLUG_PATTERN, AgentId, JoinId, KeyId, PriceBookId, SiteId, Slug
from suanwang.model.units import Bps, Bytes, SpanUs

POOLS_MAX = 64
NOTES_MAX = 32
SiteName = Annotated[SiteId, Field(pattern=SLUG_PATTERN, max_length=40)]
Blake3 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Note = Annotated[str, Field(max_length=300)]


class FoundPool(Value):
    """One homogeneous class of servers that a backend has. `queue`: what it is called there."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$")]
    kind: PoolKind
    nodes: Annotated[int, Field(ge=1, le=10**6)]
    cores_per_node: Count = 0
    memory_bytes_per_node: Bytes = 0
    accelerator_model: Slug | None = None
    accelerators_per_node: Annotated[int, Field(ge=0, le=64)] = 0
    qubits_per_node: Annotated[int, Field(ge=0, le=100_000)] = 0
    queue: Annotated[str, Field(max_length=100)] = ""
    resource: Annotated[str, Field(max_length=120)] = ""  # what the accelerators are called there
    time_limit_us: SpanUs | None = None  # the longest run that the backend takes; None: no limit


class Inventory(Value):
    """What an adapter found, without asking anybody. `notes`: what was left out, and why."""

    adapter: Annotated[str, Field(max_length=40)]
    version: Annotated[str, Field(max_length=80)] = ""
    pools: Annotated[tuple[FoundPool, ...], Field(max_length=POOLS_MAX)]
    disk_bytes: Bytes = 0  # free where tasks work
    limits: tuple[Annotated[str, Field(max_length=40)], ...] = ()  # that the site can hold a task to
    licences: dict[Annotated[str, Field(max_length=80)], int] = Field(default_factory=dict, max_length=64)
    notes: Annotated[tuple[Note, ...], Field(max_length=NOTES_MAX)] = ()


class Measured(Value):
    """What a benchmark of some seconds gave on the host of the agent; 0 where it was not measured."""

    cores: Count = 0
    matmul_fp64_mflops: Count = 0  # all cores, numpy
    memory_bytes_s: Bytes = 0  # copied, read and written both counted
    disk_write_bytes_s: Bytes = 0
    disk_sync_us: SpanUs = 0
    rtt_us: SpanUs = 0  # of a request to the brain, the median
    up_bps: Bps = 0  # to the brain
    down_bps: Bps = 0


class JoinAsk(Value):
    """A site asks to join. The agent has made its own key and shows its hash alone; where it is, when it does not say, is
    taken from the site that it is near."""

    site: SiteName
    name: Name
    agent: Annotated[AgentId, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    secret_blake3: Blake3
    owner: Slug
    security_level: SecurityLevel = 1
    prices: PriceBook
    inventory: Inventory
    measured: Measured = Measured()
    near: SiteId | None = None
    region: Region | None = None
    city: Name | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    version: Annotated[str, Field(max_length=40)] = ""


class JoinState(StrEnum):
    WAITING = "waiting"  # for an operator
    APPROVED = "approved"
    REFUSED = "refused"


class JoinTerms(Value):
    """What an operator decides; what is left out stays as proposed."""

    security_level: SecurityLevel | None = None
    price_permille: Annotated[int, Field(ge=1, le=100_000)] = 1_000  # of the proposed prices
    near: SiteId | None = None
    capacity_bps: Annotated[Bps, Field(ge=1)] | None = None  # of the link
    latency_us: SpanUs | None = None


class JoinRefusal(Value):
    """Why not, for whoever asked."""

    why: Annotated[str, Field(max_length=300)] = ""


class Joining(Value):
    """What would be, or is, part of the grid: the site, its prices, and the link that ties it in."""

    site: Site
    prices: PriceBook
    links: tuple[Link, ...]


class JoinView(Value):
    """A request to join, as its agent and an operator see it."""

    join_id: JoinId
    state: JoinState
    asked_us: int
    ask: JoinAsk
    proposed: Joining
    decided_us: int | None = None
    decided_by: str = ""
    why: str = ""
    key_id: KeyId | None = None  # of the agent, once approved: its token is `sw_<key id>_<its own secret>`


class Probed(Value):
    """What a probe of the way to the brain answers."""

    received: int


def grown(grid: Grid, joining: Joining) -> Grid:
    """The grid with one site more, at the end of everything: places in the order of pools and links stay what they were.

    Unchanged where it has the site already; links to sites that it does not have are left out.
    """
    sites = {one.id for one in grid.sites}
    site = joining.site
    if site.id in sites:
        return grid
    links = tuple(one for one in joining.links if {one.a, one.b} <= {*sites, site.id})
    known = {one.id for one in grid.price_books}
    books = () if joining.prices.id in known else (joining.prices,)
    parts = {
        "sites": (*grid.sites, site),
        "links": (*grid.links, *links),
        "price_books": (*grid.price_books, *books),
    }
    return grid.model_copy(update=parts)


def book_of(site: SiteId) -> PriceBookId:
    """The name of the prices of a site that has joined."""
    return PriceBookId(f"{site}-prices")
