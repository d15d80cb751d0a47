"""What one failure does to installed policies, and the few changes that mend it.

A cable that fails takes both its directions; a shared-risk group takes all its links. The IGP finds its new paths, and
lists that cannot be followed any more (their node is cut off, or their link is down) fall back to the IGP. Then lists
are changed, each at a price, until the MLU is at the goal or no change pays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from suanwang.net.igp import build_plane, build_shares
from suanwang.net.network import Flags, Ints
from suanwang.net.te.optimise import Optimised, Settings, optimise
from suanwang.net.te.policies import Policies
from suanwang.net.topology import Demands, Topology

CHANGE_PRICE = 1e-3  # of the potential: as much as a policy where prices are highest


@dataclass(frozen=True, eq=False)
class Failure:
    """Directed links that fail together; `name` is of the cable's first link or of the group."""

    name: str
    links: Ints


@dataclass(frozen=True, eq=False)
class Repair:
    """`mlu_left` is what the installed policies make of the failure, `mended` what was found from there. Changes of the
    lists that fell back to the IGP count too."""

    failure: Failure
    usable: Flags
    mlu_left: float
    mended: Optimised


def failures_of(topology: Topology) -> Iterator[Failure]:
    """Each cable, then each shared-risk group."""
    for link, other in enumerate(topology.reverse.tolist()):
        if topology.source[link] != topology.target[link] and (other < 0 or link < other):
            pair = [link] if other < 0 else [link, other]
            yield Failure(topology.links[link], np.array(pair, np.int64))
    for at, group in enumerate(topology.risk_groups):
        yield Failure(group, topology.links_of_risk(at))


def repair(
    topology: Topology,
    demands: Demands,
    installed: Policies,
    failure: Failure,
    goal_mlu: float,
    bound_us: Ints | None = None,
    settings: Settings | None = None,
    up: Flags | None = None,
) -> Repair:
    """Mend one failure. The tables of all pairs are made anew without the links; `goal_mlu` is good enough. `up` (m,): the
    links that carried anything before it, all of them where it is not given."""
    usable = np.ones(topology.m, np.bool_) if up is None else up.copy()
    usable[failure.links] = False
    plane = build_plane(topology, usable=usable)
    chosen = Settings(slack=0.01) if settings is None else settings
    chosen = replace(chosen, goal_mlu=goal_mlu, change_price=max(chosen.change_price, CHANGE_PRICE))
    mended = optimise(plane, build_shares(plane), demands, bound_us, installed, chosen)
    return Repair(failure, usable, mended.start_mlu, mended)
