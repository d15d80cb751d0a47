"""The grid: sites with their pools, the links between them, protection, storage, data sets, prices, tenants.

A `Grid` is the static description, as in a grid file. What changes by the minute (which sites answer, what is
held) is in `snapshot.py`. References between parts are checked by `suanwang.grids.check`.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import (
    DataSetId,
    LinkId,
    PoolId,
    PriceBookId,
    SecurityPoolId,
    SiteId,
    Slug,
    StoragePoolId,
    TenantId,
)
from suanwang.model.units import AtUs, Bps, Bytes, MicroYuan, SpanUs

Name = Annotated[str, Field(min_length=1, max_length=120)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]  # ISO 3166-1 or 3166-2: CN-GD
SecurityLevel = Annotated[int, Field(ge=1, le=5)]  # GB/T 22240 levels 1..5


class Tier(StrEnum):
    """The 4+N+31+X layout."""

    HUB = "hub"
    WESTERN = "western"
    PROVINCIAL = "provincial"
    EDGE = "edge"


class PoolKind(StrEnum):
    GENERAL = "general"
    AI = "ai"
    HPC = "hpc"
    QUANTUM = "quantum"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


class Ability(StrEnum):
    """What a pool may be unable to do. Only what some adapter cannot: what no pool lacks needs no word."""

    COMMANDS = "commands"  # commands and Python: a quantum device takes circuits alone
    CIRCUITS = "circuits"
    IMAGES = "images"  # another image than `host`
    MOUNTS = "mounts"  # its folders at absolute paths
    SECRETS = "secrets"
    NETWORK = "network"  # a network, where the task asks for one
    CHECKPOINTS = "checkpoints"
    GANGS = "gangs"  # several nodes at once
    CPU_LIMIT = "cpu_limit"  # the task is held to its cores, and has them
    MEMORY_LIMIT = "memory_limit"
    PROCESS_LIMIT = "process_limit"
    DISK_LIMIT = "disk_limit"
    ISOLATION = "isolation"  # files and a user of its own, as security levels above 1 need them

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


# The pools whose nodes the public figures count as servers, and whose fp32 they count as general compute.
SERVER_KINDS: Final = (PoolKind.GENERAL, PoolKind.HPC)


class LinkKind(StrEnum):
    OTN = "otn"
    IP = "ip"
    SATELLITE = "satellite"


class ProtectionFunction(StrEnum):
    FIREWALL = "firewall"
    IDS = "ids"
    ENCRYPTION = "encryption"
    SCRUBBING = "scrubbing"

    __hash__ = str.__hash__  # the key of tables that every task goes through: an Enum's own is Python


class StorageClass(StrEnum):
    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


class Names(Value):
    """One name in the three languages that the project speaks."""

    en: Name
    zh_hant: Name
    zh_hans: Name


class EnergyMix(Value):
    """Where a site's power comes from. Carbon is of the power at the meter; PUE is applied by the planner."""

    carbon_g_per_kwh: Annotated[int, Field(ge=0, le=2_000)]
    renewable_permille: Annotated[int, Field(ge=0, le=1_000)]
    pue_permille: Annotated[int, Field(ge=1_000, le=5_000)] = 1_300


class Pool(Value):
    """One homogeneous class of resource: `nodes` equal servers (for quantum: equal processors)."""

    id: PoolId
    kind: PoolKind
    nodes: Annotated[int, Field(ge=1, le=10**7)]
    cores_per_node: Count = 0
    memory_bytes_per_node: Bytes = 0
    accelerator_model: Slug | None = None
    accelerators_per_node: Annotated[int, Field(ge=0, le=64)] = 0
    qubits_per_node: Annotated[int, Field(ge=0, le=100_000)] = 0
    gflops_per_node: Count = 0  # peak, at `precision`
    precision: Annotated[str, Field(pattern=r"^(fp64|fp32|fp16|int8|none)$")] = "none"
    power_w_per_node: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    lacks: tuple[Ability, ...] = ()  # what it cannot do; nothing: it can do everything


class SecurityPool(Value):
    """A place in the network that offers one protection function with a capacity."""

    id: SecurityPoolId
    function: ProtectionFunction
    capacity_bps: Bps
    price_micro_yuan_per_gbps_hour: MicroYuan = 0


class StoragePool(Value):
    id: StoragePoolId
    storage_class: StorageClass
    capacity_bytes: Bytes
    throughput_bps: Bps
    price_micro_yuan_per_gib_month: MicroYuan = 0


class Site(Value):
    """A place with compute under one local scheduler. Every site is also a node of the network."""

    id: Annotated[SiteId, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
    names: Names
    region: Region
    city: Name
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    tier: Tier
    owner: Slug = "own"  # "own", or the third party whose cluster has joined
    security_level: SecurityLevel
    energy: EnergyMix
    price_book: PriceBookId
    pools: tuple[Pool, ...] = ()
    security_pools: tuple[SecurityPool, ...] = ()
    storage_pools: tuple[StoragePool, ...] = ()


class Maintenance(Value):
    """A planned window, in Unix time, in which a link carries nothing."""

    start: AtUs
    end: AtUs


class Link(Value):
    """A two-way edge of the network, with the same capacity each way (held per direction)."""

    id: LinkId
    a: SiteId
    b: SiteId
    kind: LinkKind
    length_km: Annotated[int, Field(ge=0, le=100_000)]
    capacity_bps: Bps
    latency_us: SpanUs  # one way
    price_micro_yuan_per_gbps_hour: MicroYuan = 0
    price_micro_yuan_per_gib: MicroYuan = 0
    shared_risk_groups: tuple[Slug, ...] = ()
    igp_weight: Annotated[int, Field(ge=1, le=2**24 - 1)] | None = None  # None: from the latency
    maintenance: tuple[Maintenance, ...] = ()


class DataSet(Value):
    """Bytes that the grid knows by name. `content` says what an emulated site shows a task that reads it."""

    id: Annotated[DataSetId, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
    name: Name
    size_bytes: Bytes
    version: Annotated[int, Field(ge=1)] = 1
    replicas: Annotated[tuple[SiteId, ...], Field(min_length=1)]
    residency: tuple[Region, ...] = ()  # empty: may be used anywhere
    tenant: TenantId | None = None  # None: public
    content_seed: int | None = None  # a deterministic stand-in of `content_bytes` bytes
    content_bytes: Bytes = 0


class TimeOfUse(Value):
    """A band of the local day (UTC+8) with its factor on compute and energy prices."""

    from_hour: Annotated[int, Field(ge=0, le=23)]
    to_hour: Annotated[int, Field(ge=1, le=24)]
    permille: Annotated[int, Field(ge=1, le=10_000)]


class PriceBook(Value):
    """What a site charges. Hours outside every band have the factor 1000."""

    id: Annotated[PriceBookId, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
    core_hour_micro_yuan: MicroYuan = 0
    gib_hour_micro_yuan: MicroYuan = 0
    accelerator_hour_micro_yuan: dict[Slug, MicroYuan] = Field(default_factory=dict)
    node_hour_micro_yuan: MicroYuan = 0
    qpu_shot_micro_yuan: MicroYuan = 0
    qpu_hour_micro_yuan: MicroYuan = 0  # of one processor, while it is held
    energy_kwh_micro_yuan: MicroYuan = 0
    time_of_use: tuple[TimeOfUse, ...] = ()


class TenantLimits(Value):
    """What a tenant may do. Limits are on what is live at once, the budget on what has been billed and quoted in all;
    each holds for the tenant with all below it. See `tenants.py` for the tree, `docs/guide/tenants.md` for the rest."""

    name: Name
    budget_micro_yuan: MicroYuan | None = None
    live_tasks_max: Annotated[int, Field(ge=0, le=10**9)] = 1_000_000
    cores_max: Count = 10**9
    accelerators_max: Count = 10**9
    priority_max: Annotated[int, Field(ge=0, le=100)] = 50
    security_level_max: SecurityLevel = 5
    parent: TenantId | None = None  # None: at the top of the tree
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1  # of its share, beside the other children of its parent
    cores_borrowed_max: Count = 0  # above `cores_max`, while the other children of its parent leave theirs unused
    accelerators_borrowed_max: Count = 0
    cores_lent_max: Count = 10**9  # of what it leaves unused; the rest is kept for it
    accelerators_lent_max: Count = 10**9


class TenantKey(Value):
    """What a tenant is called in everything that names it."""

    id: Annotated[TenantId, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]


class Tenant(TenantLimits, TenantKey):  # in this order the id is its first field: a grid file shows it first
    """Who pays."""


class GridNotes(Value):
    """What is public fact and what is an assumption of this reference grid; shown with the grid."""

    facts: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


class Grid(Value):
    """A whole grid. `route_factor_permille`: fibre length over great-circle length; light takes 5 us per km."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$")]
    name: Name
    version: Annotated[int, Field(ge=1)] = 1
    route_factor_permille: Annotated[int, Field(ge=1_000, le=5_000)] = 1_400
    default_origin: SiteId
    notes: GridNotes = GridNotes()
    price_books: tuple[PriceBook, ...]
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    links: tuple[Link, ...] = ()
    data_sets: tuple[DataSet, ...] = ()
    tenants: tuple[Tenant, ...] = ()
