"""Small days on small grids."""

from dataclasses import replace

from suanwang.grids import SMALL, random_grid
from suanwang.model.change import Changes
from suanwang.model.what_if import WhatIf
from suanwang.traces import Rules, Shape, draw_day, shaped
from suanwang.whatif import Case, answer, play
from suanwang.whatif.play import with_tenants

GRID = random_grid(6, 11, replace(SMALL, nodes_max=4))


def case(tasks: int = 80, seed: int = 3, squeeze: float = 30.0, grid=GRID) -> Case:
    """A day so dense that tasks wait for each other."""
    trace = shaped(draw_day(tasks, Rules(grid, seed)), Shape(squeeze=squeeze), seed)
    return Case(grid, with_tenants(grid, trace.arrivals), trace.arrivals, seed)


def both(one: Case, changes: Changes, checked: bool = False) -> WhatIf:
    from suanwang.model.trace import Trace

    before, after = play(one, checked=checked), play(one.after(changes), checked=checked)
    return answer(one, changes, before, after, Trace(one.arrivals), "a day")
