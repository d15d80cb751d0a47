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
from suanwang.model.grid import Grid


class GridText:
    """The grid's JSON, made once: some hundred kilobytes, and its digest."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
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
    _grid: list[GridText] = field(default_factory=list)

    def grid_text(self) -> GridText:
        """The text of the brain's grid, made again where the grid is another one."""
        grid = self.brain.index.grid
        if not self._grid or self._grid[0].grid is not grid:
            self._grid[:] = [GridText(grid)]
        return self._grid[0]


def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]
