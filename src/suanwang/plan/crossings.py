"""Paths that pass the same link or security pool more than once, held to what is free at a moment.

Each crossing holds the bandwidth again. The search looks at one crossing at a time, so its paths are checked here;
where one asks for more than is free, the search is done again with the crossings of that resource counted, until no
path asks for too much.
"""

from suanwang.net import Tree
from suanwang.net.crossings import repeats, search_counted
from suanwang.net.network import Flags
from suanwang.plan.need import Need
from suanwang.plan.scene import Scene, chain_of


def mend(scene: Scene, need: Need, tree: Tree, ok: Flags, begin_us: int) -> Tree:
    """The tree itself where each of its paths has room for all its crossings, else one that counts them."""
    edges = len(scene.layout.network.to)
    most = repeats(tree, edges)
    if not most:
        return tree
    room = _Room(scene, need, begin_us)
    counted: dict[int, int] = {}
    while over := {one: room.crossings(one) for one, count in most.items() if count > room.crossings(one)}:
        # Paths that keep to some of the limits cost no more than those that keep to all: once the limits that paths
        # break are counted, and no other is broken, the tree is the one that counting all of them would give.
        counted |= over
        tree = _counted_once(scene, need, ok, counted)
        most = repeats(tree, edges)
    return tree


def _counted_once(scene: Scene, need: Need, ok: Flags, room: dict[int, int]) -> Tree:
    """`search_counted`, kept with the scene's other trees: its key is all that the search depends on."""
    key = ("counted", need.origin, ok.tobytes(), need.chain, need.bound_us, tuple(sorted(room.items())))
    net = scene.layout.network
    origin, chain = net.node_of[need.origin], chain_of(need)
    return scene.tree(key, lambda: search_counted(net, origin, chain, need.bound_us, ok, room))


class _Room:
    """How often each resource can be crossed by a run that begins at a moment."""

    def __init__(self, scene: Scene, need: Need, begin_us: int) -> None:
        self._scene, self._need, self._begin_us = scene, need, begin_us
        self._found: dict[int, int] = {}

    def crossings(self, one: int) -> int:
        found = self._found.get(one)
        if found is None:
            scene, need = self._scene, self._need
            held = scene.ledger.lines.peak(one, self._begin_us, self._begin_us + need.wall_us)[0]
            found = self._found[one] = (int(scene.layout.empty_room[one]) - held) // need.bandwidth_bps
        return found
