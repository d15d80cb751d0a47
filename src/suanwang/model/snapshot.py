"""What the planner sees: the static grid, which sites answer, and every hold; nothing else, and never the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from suanwang.model.grid import DataSet, Grid, Link, Pool, PriceBook, SecurityPool, Site
from suanwang.model.ids import DataSetId, LeaseId, LinkId, PoolId, PriceBookId, SecurityPoolId, SiteId
from suanwang.model.placements import Placements
from suanwang.model.plan import DirectedLink, ProtectionStep

if TYPE_CHECKING:
    from suanwang.model.compact import Holds


@dataclass(frozen=True)
class SiteState:
    """Whether a site has a live agent, and whether its work is emulated on a stand-in host."""

    live: bool
    emulated: bool = False


class SiteOrder(StrEnum):
    """What an operator wants of a site's work."""

    OPEN = "open"
    CORDONED = "cordoned"  # what runs there runs on; nothing new comes
    DRAINED = "drained"  # and what runs there is moved
    LEFT = "left"  # it is empty and has gone: its agent's keys are void


@dataclass(frozen=True)
class GridIndex:
    """Look-ups over one grid; built once by `index_grid`. `pool_order` is the order of every per-pool vector, `security_order`
    that of security pools."""

    grid: Grid
    sites: Mapping[SiteId, Site]
    pools: Mapping[PoolId, tuple[Pool, Site]]
    links: Mapping[LinkId, Link]
    security_pools: Mapping[SecurityPoolId, tuple[SecurityPool, Site]]
    data_sets: Mapping[DataSetId, DataSet]
    price_books: Mapping[PriceBookId, PriceBook]
    pool_order: tuple[PoolId, ...]
    security_order: tuple[SecurityPoolId, ...] = ()

    @cached_property
    def directed(self) -> tuple[tuple[DirectedLink, str, SiteId], ...]:
        """By directed link (2 * the link's place in the grid, + 1 from b to a): its value, the key of what is held of
        it, and where it leads. One value each, for all the paths that cross it."""
        return tuple(
            (
                DirectedLink.model_construct(link=link.id, forward=forward),
                f"link|{link.id}:{'ab' if forward else 'ba'}",
                link.b if forward else link.a,
            )
            for link in self.grid.links
            for forward in (True, False)
        )

    @cached_property
    def pool_keys(self) -> tuple[str, ...]:
        """By place in `pool_order`: the key of what is held of the pool."""
        return tuple(f"pool|{pool}" for pool in self.pool_order)

    @cached_property
    def steps(self) -> tuple[tuple[ProtectionStep, str], ...]:
        """By place in `security_order`: the step of a path that passes it, and the key of what is held of it."""
        pools = (self.security_pools[one] for one in self.security_order)
        return tuple(
            (
                ProtectionStep.model_construct(function=pool.function, security_pool=pool.id, site=site.id),
                f"protection|{pool.id}",
            )
            for pool, site in pools
        )


def index_grid(grid: Grid) -> GridIndex:
    """Build the look-ups; the grid has passed `suanwang.grids.check`."""
    pools = {pool.id: (pool, site) for site in grid.sites for pool in site.pools}
    security_pools = {pool.id: (pool, site) for site in grid.sites for pool in site.security_pools}
    return GridIndex(
        grid=grid,
        sites={site.id: site for site in grid.sites},
        pools=pools,
        links={link.id: link for link in grid.links},
        security_pools=security_pools,
        data_sets={one.id: one for one in grid.data_sets},
        price_books={book.id: book for book in grid.price_books},
        pool_order=tuple(pools),
        security_order=tuple(security_pools),
    )


class LeaseChange(NamedTuple):
    """One step of the history of holds: a lease's holds were added, or taken away (an extension is both)."""

    lease_id: LeaseId
    holds: "Holds"
    added: bool


@dataclass(frozen=True)
class Snapshot:
    """A consistent view at `version`. `leases` maps each lease to its holds (planned or running, not released).

    The maps are read-only here; their owner may go on after the planner has returned. A planner that keeps
    derived arrays keys them by `id(index)` and `id(history)` and follows `history[seen:history_end]`: an append-only list whose
    replay from the start gives `leases`. Without a history (None) it derives everything from `leases`.
    `by_key` holds the same leases by resource, `"<resource>|<key>"` to lease to holds, or None where the maker
    did not index them.
    """

    version: int
    index: GridIndex
    sites: Mapping[SiteId, SiteState]
    leases: "Mapping[LeaseId, Holds]"
    links_down: frozenset[LinkId] = field(default_factory=frozenset)
    security_down: frozenset[SecurityPoolId] = field(default_factory=frozenset)
    history: Sequence[LeaseChange] | None = None
    history_end: int = 0
    placements: Placements = field(default_factory=Placements)  # of the tasks whose plans stand
    by_key: "Mapping[str, Mapping[LeaseId, Holds]] | None" = None
    closed: Mapping[SiteId, SiteOrder] = field(
        default_factory=dict
    )  # to new work, by an operator; `sites` has them as not live

    def copied(self) -> "Snapshot":
        """For looks while the owner goes on: without the history, the index by resource, and who stands where."""
        return Snapshot(
            version=self.version,
            index=self.index,
            sites=dict(self.sites),
            leases=dict(self.leases),
            links_down=self.links_down,
            security_down=self.security_down,
            closed=dict(self.closed),
        )
