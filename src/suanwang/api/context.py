"""What every handler shares: the brain, the meters, the watcher of changes, the pictures."""

import gzip
from dataclasses import dataclass, field
from typing import Annotated

from anyio import CapacityLimiter
from blake3 import blake3
from fastapi import Depends, Request

from suanwang.api.changes import Changes
from suanwang.api.metrics import Meters
from suanwang.api.pictures import Pictures
from suanwang.api.port import BrainPort
from suanwang.api.streams import Streams
from suanwang.api.told import Told
from suanwang.model.grid import Grid
from suanwang.model.ids import TenantId

TENANTS_KEPT = 32  # texts of the grid: about a megabyte each


def as_seen(grid: Grid, tenant: TenantId | None) -> Grid:
    """The grid without what belongs to other tenants: their limits, and the data sets that are theirs alone.
    None sees all of it."""
    if tenant is None:
        return grid
    own = tuple(one for one in grid.tenants if one.id == tenant)
    data_sets = tuple(one for one in grid.data_sets if one.tenant in (None, tenant))
    return grid.model_copy(update={"tenants": own, "data_sets": data_sets})


class GridText:
    """The grid's JSON, made once: some hundred kilobytes, and its digest."""

    def __init__(self, grid: Grid) -> None:
        self.plain = grid.model_dump_json().encode()
        self.packed = gzip.compress(self.plain, 6, mtime=0)
        self.etag = f'"{blake3(self.plain).hexdigest()[:32]}"'


@dataclass
class Context:
    brain: BrainPort
    meters: Meters
    changes: Changes
    pictures: Pictures
    agent_threads: CapacityLimiter  # agents hold a thread while they wait
    streams: Streams = field(default_factory=Streams)
    told: Told = field(default_factory=Told)
    _grids: dict[TenantId | None, tuple[Grid, GridText]] = field(default_factory=dict)

    def grid_text(self, tenant: TenantId | None) -> GridText:
        """The text of the brain's grid as a tenant sees it, made again where the grid is another one."""
        grid = self.brain.index.grid
        kept = self._grids.get(tenant)
        if kept is None or kept[0] is not grid:
            if len(self._grids) >= TENANTS_KEPT:
                self._grids.clear()
            kept = self._grids[tenant] = grid, GridText(as_seen(grid, tenant))
        return kept[1]


def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]
