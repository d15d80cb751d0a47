"""A site that joins the grid: what its agent found and measured, what it proposes, and what became of it."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import Ability, Count, Grid, Link, Name, Pool, PoolKind, PriceBook, Region, SecurityLevel, Site
from suanwang.model.ids import SLUG_PATTERN, AgentId, JoinId, KeyId, PoolId, PriceBookId, SiteId, Slug, TaskId
from suanwang.model.units import Bps, Bytes, SpanUs

POOLS_MAX = 64
NOTES_MAX = 32
CORES_MAX = 100_000  # of one server: a pool's power and arithmetic, which are made of it, stay within those of `Pool`
SiteName = Annotated[SiteId, Field(pattern=SLUG_PATTERN, max_length=40)]
Blake3 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Note = Annotated[str, Field(max_length=300)]


class FoundPool(Value):
    """One homogeneous class of servers that a backend has. `queue`: what it is called there."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$")]
    kind: PoolKind
    nodes: Annotated[int, Field(ge=1, le=10**6)]
    cores_per_node: Annotated[int, Field(ge=0, le=CORES_MAX)] = 0
    memory_bytes_per_node: Bytes = 0
    accelerator_model: Slug | None = None
    accelerators_per_node: Annotated[int, Field(ge=0, le=64)] = 0
    qubits_per_node: Annotated[int, Field(ge=0, le=100_000)] = 0
    queue: Annotated[str, Field(max_length=100)] = ""
    resource: Annotated[str, Field(max_length=120)] = ""  # what the accelerators are called there
    time_limit_us: SpanUs | None = None  # the longest run that the backend takes; None: no limit
    lacks: tuple[Ability, ...] = ()  # what its work cannot be


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
    matmul_fp64_mflops: Annotated[int, Field(ge=0, le=10**12)] = 0  # all cores, numpy
    core_loops_s: Annotated[int, Field(ge=0, le=10**12)] = (
        0  # of one process that does nothing else: see `agent/probe.py`
    )
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
    owner: Slug | None = None
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


class Trust(Value):
    """How what a site gives stands to what it claims, by the brain's own check tasks, in thousandths."""

    checks: int
    checked_us: int
    gives_permille: int  # of the last check, 1000 at most
    low: int = 0  # checks in a row that gave too little
    marked: bool = False  # it claims more than it gives: priced down to what it gives
    price_permille: int = 1_000  # of the prices that were approved


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
    compared: int = 0  # of its results, run again elsewhere
    differing: int = 0  # of those, with other outputs
    trust: Trust | None = None  # once a check task has run there
    key_id: KeyId | None = None  # of the agent, once approved: its token is `sw_<key id>_<its own secret>`


class CheckSent(Value):
    """The task that will say what a site gives."""

    task_id: TaskId


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


def corrected(grid: Grid, joining: Joining, before: int, after: int) -> Grid:
    """The grid with the arithmetic and the prices of a site that has joined at `after` thousandths of what was approved.

    Only figures that are still the approved ones at `before` thousandths are changed: what a grid file says otherwise by now
    stands. Every place in every order stays what it was.
    """
    approved = {one.id: one.gflops_per_node for one in joining.site.pools}
    parts = {
        "sites": tuple(
            one.model_copy(update={"pools": tuple(_slowed(pool, approved, before, after) for pool in one.pools)})
            if one.id == joining.site.id and one.price_book == joining.prices.id
            else one
            for one in grid.sites
        ),
        "price_books": tuple(
            _repriced(one, joining.prices, before, after) if one.id == joining.prices.id else one
            for one in grid.price_books
        ),
    }
    return grid.model_copy(update=parts)


def _slowed(pool: Pool, approved: Mapping[PoolId, int], before: int, after: int) -> Pool:
    gflops = approved.get(pool.id, 0)
    if not gflops or pool.gflops_per_node != max(1, gflops * before // 1_000):
        return pool
    return pool.model_copy(update={"gflops_per_node": max(1, gflops * after // 1_000)})


def _repriced(book: PriceBook, approved: PriceBook, before: int, after: int) -> PriceBook:
    now, old, new = book.model_dump(mode="json"), prices_at(approved, before), prices_at(approved, after)
    for name in PriceBook.model_fields:
        if not name.endswith("_micro_yuan"):
            continue
        if isinstance(now[name], dict):
            now[name] = {key: new[name][key] if old[name].get(key) == one else one for key, one in now[name].items()}
        elif now[name] == old[name]:
            now[name] = new[name]
    return PriceBook.model_validate_json(json.dumps(now))


def prices_at(book: PriceBook, permille: int) -> dict[str, Any]:
    """A price book with every price at so many thousandths, as data: nothing says yet that it is a price book."""
    data = book.model_dump(mode="json")
    for name in PriceBook.model_fields:
        if name.endswith("_micro_yuan"):
            data[name] = _at(data[name], permille)
    return data


def _at(price: Any, permille: int) -> Any:
    if isinstance(price, dict):
        return {name: _at(one, permille) for name, one in price.items()}
    return price * permille // 1_000


def book_of(site: SiteId) -> PriceBookId:
    """The name of the prices of a site that has joined."""
    return PriceBookId(f"{site}-prices")
