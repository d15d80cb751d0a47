"""The user's path to every site, for every moment at which the run may begin.

Which links are free depends on when the run begins, and that depends on the data. The moments are cut into stretches
in which the free links are the same; each stretch that some combination needs gets its own tree.
"""

from dataclasses import dataclass

import numpy as np

from suanwang.net import Tree
from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.crossings import mend
from suanwang.plan.layout import closes
from suanwang.plan.money import held_amounts
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene, chain_of

NO_CUTS = np.zeros(0, np.int64)


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


def roads_of(scene: Scene, need: Need, start_us: int, spans_us: Ints, wanted: Flags) -> Roads:
    """Paths for runs of `need.wall_us` that begin at the start plus any of the spans [combination, node] to wanted nodes.

    The start itself stands for the sites that the data cannot reach (`FAR`).
    """
    least_us, most_us = _waits(spans_us, wanted)
    first_us, last_us = start_us + int(least_us), start_us + int(most_us)
    if not need.bandwidth_bps:
        if not closes(scene.layout, first_us, last_us + need.wall_us):
            return _free(scene.least_latency(*_way(scene, need)), need.bound_us)
        return _quickest(scene, need, (first_us, last_us), _begins(start_us, spans_us, wanted))
    room, usable = scene.room(need.bandwidth_bps)
    cuts_us = _cuts(scene, usable, room, first_us, last_us, need.wall_us)
    if not len(cuts_us):
        return _along(scene, need, _tree_at(scene, need, first_us))
    trees: list[Tree | None] = [None] * (len(cuts_us) + 1)
    begins_us = _begins(start_us, spans_us, wanted)
    stretches = np.searchsorted(cuts_us, begins_us, side="right")
    for stretch, first in zip(*np.unique(stretches, return_index=True), strict=True):
        trees[stretch] = _tree_at(scene, need, int(begins_us[first]))
    return _with_amounts(scene, need, cuts_us, trees)


@kernel
def _waits(spans_us: Ints, wanted: Flags) -> tuple[int, int]:
    """The shortest and the longest of the spans to wanted nodes; one that is `FAR` counts as none."""
    least, most = 2**62, 0
    for row in range(spans_us.shape[0]):
        for node in range(spans_us.shape[1]):
            if wanted[node]:
                span = int(spans_us[row, node]) if spans_us[row, node] < 2**62 else 0
                least, most = min(least, span), max(most, span)
    return least, most


def _begins(start_us: int, spans_us: Ints, wanted: Flags) -> Ints:
    """The moments at which runs may begin."""
    spans = spans_us[:, wanted]
    return start_us + np.unique(np.where(spans < FAR, spans, 0))


def _way(scene: Scene, need: Need) -> tuple[int, tuple[int, ...]]:
    return scene.layout.network.node_of[need.origin], chain_of(need)


def roads_at(scene: Scene, need: Need, begin_us: int) -> Roads:
    """Paths for runs that all begin at one moment."""
    if need.bandwidth_bps:
        return _along(scene, need, _tree_at(scene, need, begin_us))
    if not closes(scene.layout, begin_us, begin_us + need.wall_us):
        return _free(scene.least_latency(*_way(scene, need)), need.bound_us)
    return _quickest(scene, need, (begin_us, begin_us), np.array([begin_us]))


def _tree_at(scene: Scene, need: Need, begin_us: int) -> Tree:
    """The cheapest paths of held bandwidth for a run that begins then."""
    origin, chain = _way(scene, need)
    room, usable = scene.room(need.bandwidth_bps)
    ok = scene.ledger.lines.free(usable, room[:, None], begin_us, begin_us + need.wall_us)
    tree = scene.cheapest(origin, usable, ok, chain, need.bound_us)
    return mend(scene, need, tree, ok, begin_us) if chain else tree


def _quickest(scene: Scene, need: Need, span_us: tuple[int, int], begins_us: Ints) -> Roads:
    """Paths of a need that holds nothing: the quickest, round the links whose maintenance falls into the run. `begins_us`
    are the moments from the first to the last of `span_us` at which it may begin."""
    origin, chain = _way(scene, need)
    windows = scene.layout.closed
    # A run that begins at the end of a window is clear of it; one that ends a moment after its start is not.
    cuts_us = np.unique(np.concatenate([windows[:, 2], windows[:, 1] - need.wall_us + 1]))
    cuts_us = cuts_us[(cuts_us > span_us[0]) & (cuts_us <= span_us[1])]
    trees: list[Tree | None] = [None] * (len(cuts_us) + 1)
    latency = np.full((len(trees), len(scene.layout.network.node_of)), FAR, np.int64)
    for stretch, first in zip(
        *np.unique(np.searchsorted(cuts_us, begins_us, side="right"), return_index=True), strict=True
    ):
        begin_us = int(begins_us[first])
        if closes(scene.layout, begin_us, begin_us + need.wall_us):
            ok = scene.up.copy()
            ok[windows[(windows[:, 1] < begin_us + need.wall_us) & (begin_us < windows[:, 2]), 0]] = False
            tree = scene.quickest(origin, ok, chain)
        else:
            tree = scene.least_latency(origin, chain)
        found = tree.node_latency_us()
        trees[stretch], latency[stretch] = tree, found
        if need.bound_us is not None:
            latency[stretch] = np.where(found <= need.bound_us, found, FAR)
    return Roads(cuts_us, tuple(trees), latency, np.zeros_like(latency))


def _free(tree: Tree, bound_us: int | None) -> Roads:
    """One stretch, and nothing held on the way; the tree keeps what is derived from it."""
    key = ("free", bound_us)
    found: Roads | None = tree.made.get(key)
    if found is None:
        latency = tree.node_latency_us()[None]
        if bound_us is not None:
            latency = np.where(latency <= bound_us, latency, FAR)
        found = tree.made[key] = Roads(NO_CUTS, (tree,), latency, np.zeros_like(latency))
    return found


def _cuts(scene: Scene, usable: Flags, room: Ints, first_us: int, last_us: int, wall_us: int) -> Ints:
    """Where the free links may change for a run that begins a moment later."""
    if first_us == last_us:
        return NO_CUTS
    always = scene.ledger.lines.free(usable, room[:, None], first_us, last_us + wall_us)
    tight = np.flatnonzero(usable & ~always)
    if not len(tight):
        return NO_CUTS
    steps_us = scene.ledger.lines.steps_us(tight)
    # A step at t leaves the window of a run that begins at t, and enters that of one that begins at t - wall + 1.
    cuts_us = np.unique(np.concatenate([steps_us, steps_us - wall_us + 1]))
    return cuts_us[(cuts_us > first_us) & (cuts_us <= last_us)]


def _along(scene: Scene, need: Need, tree: Tree) -> Roads:
    """One stretch in which all runs begin, with its amounts; the tree keeps it."""
    key = ("roads", need.bandwidth_bps, need.wall_us)
    found: Roads | None = tree.made.get(key)
    if found is None:
        net = scene.layout.network
        edge = held_amounts(net.price_gbps_hour, need.bandwidth_bps, need.wall_us)
        pool = held_amounts(net.sec_price, need.bandwidth_bps, need.wall_us)
        amount = tree.node_sum(edge, pool)
        found = tree.made[key] = Roads(NO_CUTS, (tree,), tree.node_latency_us()[None], amount[None])
    return found


def _with_amounts(scene: Scene, need: Need, cuts_us: Ints, trees: list[Tree | None]) -> Roads:
    nodes = len(scene.layout.network.node_of)
    latency, amount = np.full((len(trees), nodes), FAR, np.int64), np.zeros((len(trees), nodes), np.int64)
    for at, tree in enumerate(trees):
        if tree is not None:
            along = _along(scene, need, tree)
            latency[at], amount[at] = along.latency_us[0], along.amount[0]
    return Roads(cuts_us, tuple(trees), latency, amount)
