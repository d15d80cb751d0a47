"""A day that nobody lived: tasks drawn from a seed, for a grid that has no history and a user who has no trace yet."""

import math
import random
from typing import Final

from suanwang.model.grid import PoolKind
from suanwang.model.ids import TenantId
from suanwang.model.task import Circle, Resources, TaskRequest
from suanwang.model.trace import Arrival, Note, Run, Trace
from suanwang.model.units import GIB, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S
from suanwang.traces.rules import Reader, Rules

TENANTS: Final = ("design", "research", "studio")
# Hours of the day by how much comes in them: least before dawn, most in the afternoon.
BUSY_HOUR: Final = 15
RUN_MEDIAN_US: Final = 20 * US_PER_MINUTE
RUN_US: Final = (30 * US_PER_S, 12 * US_PER_HOUR)


def draw_day(tasks: int, rules: Rules) -> Trace:
    """So many tasks over one day: three in four on cores, a fifth on cards, a few on whole nodes."""
    reader, draw = Reader(rules, "drawn"), random.Random(f"{rules.seed}/drawn")
    kinds = {pool.kind for site in rules.grid.sites for pool in site.pools}
    for number in range(tasks):
        run_us = min(max(round(RUN_MEDIAN_US * math.exp(draw.gauss(0, 1.2))), RUN_US[0]), RUN_US[1])
        roll = draw.random()
        request = TaskRequest(
            name=f"drawn {number}",
            run="true",
            resources=_resources(draw, roll, kinds, round(run_us * draw.choice((1.2, 1.5, 2.0, 3.0)))),
            origin=reader.origin(),
            latency=draw.choice((None, None, None, Circle.NATIONAL)),
            bandwidth=draw.choice((0, 0, 0, 10**8)),
            retries=0,
        )
        at_us = rules.start_us + _moment_us(draw)
        reader.arrivals.append(Arrival(f"{number:07d}", at_us, TenantId(draw.choice(TENANTS)), request, (Run(run_us),)))
    reader.notes.append(Note("drawn", {"count": tasks}))
    return reader.done()


def _moment_us(draw: random.Random) -> int:
    """A moment of the day: a sine over it, thinned by chance."""
    while True:
        at_us = draw.randrange(US_PER_DAY)
        share = 0.6 + 0.4 * math.cos(2 * math.pi * (at_us / US_PER_HOUR - BUSY_HOUR) / 24)
        if draw.random() < share:
            return at_us


def _resources(draw: random.Random, roll: float, kinds: set[PoolKind], wall_us: int) -> Resources:
    if roll > 0.97 and PoolKind.HPC in kinds:
        return Resources(cpu=32, memory=64 * GIB, nodes=draw.choice((2, 4, 8)), wall_time=wall_us)
    if roll > 0.77 and PoolKind.AI in kinds:
        cards = draw.choice((1, 1, 2, 4, 8))
        return Resources(
            cpu=4 * cards, memory=16 * GIB * cards, accelerator="any", accelerators=cards, wall_time=wall_us
        )
    cores = draw.choice((1, 2, 4, 8, 16, 32))
    return Resources(cpu=cores, memory=2 * GIB * cores, wall_time=wall_us)
