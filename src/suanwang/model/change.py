"""What a what-if changes about a day: the file of `--change`, and the body of `POST /v1/what-if`."""

from typing import Annotated

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.grid import Count, Link, PriceBook, SecurityLevel, Site, TenantKey
from suanwang.model.ids import LinkId, PoolId, PriceBookId, SiteId, Slug, TenantId
from suanwang.model.task import Preference
from suanwang.model.units import MicroYuan, SpanUs

Factor = Annotated[float, Field(gt=0, le=1_000)]  # 0.5: half of it


class SiteChanges(Value):
    """A site that is removed offers no compute and no protection any more. It keeps its place in the network: its links
    carry on, its users submit, and data that lies there can be fetched."""

    remove: tuple[SiteId, ...] = ()
    scale: dict[SiteId, Factor] = Field(default_factory=dict)  # the nodes of each of its pools; one stays at least
    add: tuple[Site, ...] = ()  # as in a grid file


class PoolChanges(Value):
    """Pools by `site/pool`."""

    remove: tuple[PoolId, ...] = ()
    scale: dict[PoolId, Factor] = Field(default_factory=dict)  # its nodes; one stays at least


class LinkChanges(Value):
    """The network."""

    cut: tuple[LinkId, ...] = ()
    scale: dict[LinkId, Factor] = Field(default_factory=dict)  # its capacity
    add: tuple[Link, ...] = ()  # as in a grid file


class PriceChanges(Value):
    """Factors on every price of a book; several that meet at one site are multiplied."""

    all: Factor | None = None
    sites: dict[SiteId, Factor] = Field(default_factory=dict)
    owners: dict[Slug, Factor] = Field(default_factory=dict)
    books: dict[PriceBookId, Factor] = Field(default_factory=dict)
    network: Factor | None = None  # links and security pools
    set: tuple[PriceBook, ...] = ()  # instead of the book of the same id, before any factor


class TenantChange(TenantKey):
    """What is given replaces what the tenant has; the rest stays."""

    budget_micro_yuan: MicroYuan | None = None
    live_tasks_max: Annotated[int, Field(ge=0, le=10**9)] | None = None
    cores_max: Count | None = None
    accelerators_max: Count | None = None
    priority_max: Annotated[int, Field(ge=0, le=100)] | None = None
    security_level_max: SecurityLevel | None = None
    parent: TenantId | None = None
    weight: Annotated[int, Field(ge=1, le=1_000)] | None = None
    cores_borrowed_max: Count | None = None
    accelerators_borrowed_max: Count | None = None
    cores_lent_max: Count | None = None
    accelerators_lent_max: Count | None = None


class PolicyChanges(Value):
    """What every task of the day asks for, whatever it asked for then."""

    preference: Preference | None = None
    owners: tuple[Slug, ...] | None = None  # an empty list: any


class Changes(Value):
    """Everything that is different after. Nothing at all: the same day again."""

    sites: SiteChanges = SiteChanges()
    pools: PoolChanges = PoolChanges()
    links: LinkChanges = LinkChanges()
    prices: PriceChanges = PriceChanges()
    tenants: tuple[TenantChange, ...] = ()
    policy: PolicyChanges = PolicyChanges()
    load: Factor | None = None  # so many times the tasks: 1.5 brings every second one twice
    later: SpanUs = 0  # the whole day comes so much later, in other hours of the price books
    earlier: SpanUs = 0
