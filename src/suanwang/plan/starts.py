"""The moments at which a task may start: the earliest, and those after it at which something gets better.

Better means: a price factor changes, or less is held than before of something that the task could use.
"""

from collections.abc import Iterator

import numpy as np

from suanwang.model.tariff import UTC8_US
from suanwang.model.units import US_PER_DAY
from suanwang.net.network import Ints
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene

# 48 starts in all: the earliest, a few days of price edges, and the next moments at which holds end. More would
# seldom find a better plan, and a task that does not fit in any of them is planned again when something changes.
EDGES_MAX = 24
ENDS_MAX = 23


def starts_us(scene: Scene, need: Need, pools: Ints) -> Iterator[int]:
    """The candidate starts in order; those past the deadline are left out, but never the earliest."""
    yield need.earliest_us
    later = sorted({*_edges(scene.layout.edges_us, need.earliest_us), *_ends(scene, need, pools)})
    for start_us in later:
        if need.deadline_us is None or start_us + need.wall_us <= need.deadline_us:
            yield start_us


def _edges(of_day_us: Ints, after_us: int) -> list[int]:
    """The next moments at which some price book changes its factor."""
    day_us = (after_us + UTC8_US) // US_PER_DAY * US_PER_DAY - UTC8_US
    out: list[int] = []
    while len(of_day_us) and len(out) < EDGES_MAX:
        out += [day_us + edge for edge in of_day_us.tolist() if day_us + edge > after_us]
        day_us += US_PER_DAY
    return out[:EDGES_MAX]


def _ends(scene: Scene, need: Need, pools: Ints) -> list[int]:
    """The next moments at which less is held of a pool in question, or of a link or security pool if any is used; and
    at which a maintenance ends."""
    ledger = scene.ledger
    drops = ledger.pools.drops_us(pools, need.earliest_us)
    if need.bandwidth_bps or need.moves:
        drops = np.concatenate([drops, ledger.lines.drops_us(ledger.lines.busy_resources(), need.earliest_us)])
    elif len(scene.layout.closed):  # a flow without bandwidth cares for maintenance alone
        ends = scene.layout.closed[:, 2]
        drops = np.concatenate([drops, ends[ends > need.earliest_us]])
    return [int(one) for one in np.unique(drops)[:ENDS_MAX]]
