"""The user's path to every site, for every moment at which the run may begin.

Which links are free depends on when the run begins, and that depends on the data. The moments are cut into stretches
in which the free links are the same; each stretch that some combination needs gets its own tree.
"""

from dataclasses import dataclass

import numpy as np

from suanwang.net import Tree
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.crossings import mend
from suanwang.plan.money import held_amounts
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene, chain_of


@dataclass(frozen=True)
class Roads:
    """Stretch g holds the moments from `cuts_us[g - 1]` to `cuts_us[g]`, that one not included."""

    cuts_us: Ints
    trees: tuple[Tree | None, ...]  # None: no combination begins in this stretch
    latency_us: Ints  # [stretch, node]; FAR where no path
    amount: Ints  # [stretch, node] of bandwidth and protection lines

    def tree_at(self, begin_us: int) -> Tree:
        """The tree for a run that begins at a moment that was asked for."""
        tree = self.trees[int(np.searchsorted(self.cuts_us, begin_us, side="right"))]
        assert tree is not None, "the moment was asked for"
        return tree


def roads_of(scene: Scene, need: Need, start_us: int, spans_us: Ints) -> Roads:
    """Paths for runs of `need.wall_us` that begin at the start plus any of the spans.

    The start itself stands for the sites that the data cannot reach (`FAR`).
    """
    origin, chain = scene.layout.network.node_of[need.origin], chain_of(need)
    if not need.bandwidth_bps:
        tree = scene.least_latency(origin, chain)
        latency = tree.node_latency_us()
        if need.bound_us is not None:
            latency = np.where(latency <= need.bound_us, latency, FAR)
        return Roads(np.zeros(0, np.int64), (tree,), latency[None, :], np.zeros((1, len(latency)), np.int64))
    room = scene.layout.empty_room - need.bandwidth_bps
    usable = room >= 0
    usable[: len(scene.up)] &= scene.up
    waits_us = np.where(spans_us < FAR, spans_us, 0)
    first_us, last_us = start_us + int(waits_us.min()), start_us + int(waits_us.max())
    cuts_us = _cuts(scene, usable, room, first_us, last_us, need.wall_us)
    trees: list[Tree | None] = [None] * (len(cuts_us) + 1)
    begins_us = start_us + np.unique(waits_us) if len(cuts_us) else np.array([first_us])
    stretches = np.searchsorted(cuts_us, begins_us, side="right")
    for stretch, first in zip(*np.unique(stretches, return_index=True), strict=True):
        begin_us = int(begins_us[first])
        ok = scene.ledger.lines.free(usable, room[:, None], begin_us, begin_us + need.wall_us)
        tree = scene.cheapest(origin, usable, ok, chain, need.bound_us)
        trees[stretch] = mend(scene, need, tree, ok, begin_us) if chain else tree
    return _with_amounts(scene, need, cuts_us, trees)


def _cuts(scene: Scene, usable: Flags, room: Ints, first_us: int, last_us: int, wall_us: int) -> Ints:
    """Where the free links may change for a run that begins a moment later."""
    none = np.zeros(0, np.int64)
    if first_us == last_us:
        return none
    always = scene.ledger.lines.free(usable, room[:, None], first_us, last_us + wall_us)
    tight = np.flatnonzero(usable & ~always)
    if not len(tight):
        return none
    steps_us = scene.ledger.lines.steps_us(tight)
    # A step at t leaves the window of a run that begins at t, and enters that of one that begins at t - wall + 1.
    cuts_us = np.unique(np.concatenate([steps_us, steps_us - wall_us + 1]))
    return cuts_us[(cuts_us > first_us) & (cuts_us <= last_us)]


def _with_amounts(scene: Scene, need: Need, cuts_us: Ints, trees: list[Tree | None]) -> Roads:
    net = scene.layout.network
    key = ("amount", need.bandwidth_bps, need.wall_us)
    latency = np.full((len(trees), len(net.node_of)), FAR, np.int64)
    amount = np.zeros((len(trees), len(net.node_of)), np.int64)
    for at, tree in enumerate(trees):
        if tree is None:
            continue
        found = tree.made.get(key)
        if found is None:
            edge = held_amounts(net.price_gbps_hour, need.bandwidth_bps, need.wall_us)
            pool = held_amounts(net.sec_price, need.bandwidth_bps, need.wall_us)
            found = tree.made[key] = tree.node_sum(edge, pool)
        latency[at], amount[at] = tree.node_latency_us(), found
    return Roads(cuts_us, tuple(trees), latency, amount)
