"""The ways in which a task's data can come to every site: replica, rate, path, how long it takes, what it costs.

An option is one replica at one rate of the ladder for one body of bytes, with its own cheapest path. `spans_us[k, node]`
and `costs[k, node]` are of whole combinations: combination k is option k, the slowest, with the cheapest options of the
other bodies that are no slower and fit beside it. So every time that some combination can take is there, at its least
cost.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanwang.model.units import SPAN_US_MAX
from suanwang.net import Tree
from suanwang.net.calendar import FOREVER_US
from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints
from suanwang.net.tree import FAR
from suanwang.plan.joint import Alone, join_paths
from suanwang.plan.money import moved_amounts
from suanwang.plan.need import MoveNeed, Need
from suanwang.plan.scene import Scene

# How free the best paths of a rate are: for as long as they are wanted; not until the last bytes have come; not until the
# last bytes have left.
CLEAR, SHORT, TAKEN = 0, 1, 2


@dataclass(frozen=True)
class Option:
    """One replica at one rate. `detours` are the trees of the sites whose usual path is not free for long enough."""

    move: int
    replica: int
    rate_bps: int
    sending_us: int
    tree: Tree
    detours: dict[int, Tree] = field(default_factory=dict)

    def tree_to(self, node: int) -> Tree:
        return self.detours.get(node, self.tree)

    def walks(self) -> tuple[Ints, Ints]:
        """The directed links of the path to every node, as `Tree.walks`."""
        if not self.detours:
            return self.tree.walks()
        parts: list[tuple[int, ...]] = []
        for node in range(len(self.tree.best)):
            tree = self.tree_to(node)
            parts.append(tree.walk(node).edges if tree.best[node] >= 0 else ())
        first = np.cumsum([0, *(len(part) for part in parts)])
        return first, np.array([edge for part in parts for edge in part], np.int64)


@dataclass(frozen=True)
class Moves:
    """Every combination to every site; `FAR` where there is none. `picks[k, node, m]` is the option of body m."""

    options: tuple[Option, ...]
    spans_us: Ints
    costs: Ints
    picks: npt.NDArray[np.int64]


def sending_us(size_bytes: int, rate_bps: int) -> int:
    """How long the bytes take to leave at a rate, rounded up."""
    return -(-size_bytes * 8_000_000 // rate_bps)


def moves_of(scene: Scene, need: Need, start_us: int, wanted: Flags) -> Moves:
    """The combinations for a transfer that begins at `start_us`; one of no length where nothing has to move.

    Only the sites `wanted` are sure to be worked out.
    """
    nodes = len(scene.layout.network.node_of)
    if not need.moves:
        return nothing_moves(nodes)
    free_us = _free_until(scene, start_us)
    options: list[Option] = []
    spans: list[Ints] = []
    costs: list[Ints] = []
    for number, move in enumerate(need.moves):
        for option, span, cost in _options(scene, number, move, free_us, start_us, wanted):
            options.append(option)
            spans.append(span)
            costs.append(cost)
    if {option.move for option in options} != set(range(len(need.moves))):
        nowhere = np.full((1, nodes), FAR, np.int64)
        return Moves((), nowhere, nowhere, np.zeros((1, nodes, 0), np.int64))
    if len(need.moves) == 1:
        return Moves(tuple(options), np.array(spans), np.array(costs), _own_picks(len(options), nodes))
    return Moves(tuple(options), *join(scene, options, np.array(spans), np.array(costs), start_us, wanted))


@lru_cache(maxsize=64)
def _own_picks(options: int, nodes: int) -> Ints:
    """With one body each combination is one option."""
    return np.repeat(np.arange(options)[:, None, None], nodes, axis=1)


@lru_cache(maxsize=16)
def nothing_moves(nodes: int) -> Moves:
    """The one combination, of no length, of a task without data."""
    zero = np.zeros((1, nodes), np.int64)
    return Moves((), zero, zero, np.zeros((1, nodes, 0), np.int64))


def waits_of(scene: Scene, need: Need) -> tuple[Ints, Ints]:
    """For each node how long after a start a run there begins, at the least and at the most, whatever is free then."""
    key = tuple((move.size_bytes, move.replicas) for move in need.moves)
    found = scene.memory.waits.get(key)
    if found is None:
        found = _waits(scene, need)
        scene.memory.waits.put(key, found)
    assert isinstance(found, tuple), "waits are kept as two arrays"
    return found


def _waits(scene: Scene, need: Need) -> tuple[Ints, Ints]:
    node_of = scene.layout.network.node_of
    least, most = np.zeros(len(node_of), np.int64), np.zeros(len(node_of), np.int64)
    latency_us = (
        int(scene.layout.network.latency_us.sum()) // 2
    )  # no loop-free path takes longer than all links together
    for move in need.moves:
        sendings_us = [
            one for one in (sending_us(move.size_bytes, rate) for rate in scene.layout.rates_bps) if one <= SPAN_US_MAX
        ]
        fastest, slowest = (min(sendings_us), max(sendings_us) + latency_us) if sendings_us else (0, 0)
        here = [node_of[site] for site in move.replicas]
        soon, late = np.full(len(node_of), fastest, np.int64), np.full(len(node_of), slowest, np.int64)
        soon[here] = late[here] = 0
        least, most = np.maximum(least, soon), np.maximum(most, late)
    return least, most


def reached(scene: Scene, need: Need, start_us: int) -> Flags:
    """The nodes that each body of data may come to if it is sent then: no other has a combination."""
    net, free_us = scene.layout.network, _free_until(scene, start_us)
    out = np.ones(len(net.node_of), np.bool_)
    for move in need.moves:
        there = np.array([net.node_of[site] for site in move.replicas], np.int64)
        sendings_us = [sending_us(move.size_bytes, rate) for rate in scene.layout.rates_bps]
        readies_us = np.array([start_us + min(one, SPAN_US_MAX) for one in sendings_us], np.int64)
        out &= _reached(net.first, net.out, net.to, free_us, readies_us, there)
    return out


@kernel
def _reached(first: Ints, out: Ints, to: Ints, free_us: Ints, readies_us: Ints, there: Ints) -> Flags:
    """The nodes to which, at some rate, a way leads from where the data is, over links free until all has left."""
    nodes = len(first) - 1
    found = np.zeros(nodes, np.bool_)
    stack = np.empty(nodes, np.int64)
    for rate in range(len(readies_us)):
        seen = np.zeros(nodes, np.bool_)
        top = 0
        for node in there:
            if not seen[node]:
                seen[node], stack[top] = True, node
                top += 1
        while top > 0:
            top -= 1
            node = stack[top]
            found[node] = True
            for at in range(first[node], first[node + 1]):
                edge = out[at]
                if not seen[to[edge]] and free_us[rate, edge] >= readies_us[rate]:
                    seen[to[edge]], stack[top] = True, to[edge]
                    top += 1
    return found


def _free_until(scene: Scene, start_us: int) -> Ints:
    """[rate, directed link]: until when the rate is free on the link without a break; -1 where it never is."""
    room, usable = scene.rate_rooms(scene.layout.rates_bps)
    return scene.ledger.lines.each_free_until(room, usable, start_us)


def _options(
    scene: Scene, number: int, move: MoveNeed, free_us: Ints, start_us: int, wanted: Flags
) -> Iterator[tuple[Option, Ints, Ints]]:
    """The options of one body, how long each takes to every site, and its cost. Where the best paths over all links are
    free for as long as they are wanted, they are what is taken."""
    node_of = scene.layout.network.node_of
    there = np.array([node_of[site] for site in move.replicas], np.int64)
    sendings_us = [sending_us(move.size_bytes, rate) for rate in scene.layout.rates_bps]
    readies_us = np.array([start_us + min(one, SPAN_US_MAX) for one in sendings_us], np.int64)
    for replica in there.tolist():
        whole = scene.transfer_whole(replica)
        spans, states = _spans(_labels(whole), free_us, start_us, readies_us, there, wanted)
        for at, (state, sending) in enumerate(zip(states.tolist(), sendings_us, strict=True)):
            if sending > SPAN_US_MAX:
                continue
            if state == CLEAR:
                yield (
                    Option(number, replica, scene.layout.rates_bps[at], sending, whole),
                    spans[at],
                    _cost(whole, move, there),
                )
            else:
                free = free_us[at] >= start_us + sending
                tree = whole if state == SHORT else scene.transfer(replica, free)
                option = Option(number, replica, scene.layout.rates_bps[at], sending, tree)
                yield option, *_round_about(scene, option, move, there, free_us[at], start_us, wanted)


def _round_about(
    scene: Scene, option: Option, move: MoveNeed, there: Ints, free_us: Ints, start_us: int, wanted: Flags
) -> tuple[Ints, Ints]:
    """How long an option takes to every site, and its cost, where the best paths over all links are not free for long
    enough."""
    tree, ready_us = option.tree, start_us + option.sending_us
    spans, states = _spans(_labels(tree), free_us[None], start_us, np.array([ready_us], np.int64), there, wanted)
    if states[0] == CLEAR:
        return spans[0], _cost(tree, move, there)
    latency, price = _detour(scene, option, free_us, _short_nodes(tree, free_us, ready_us, wanted), ready_us)
    span = np.where(latency < FAR, option.sending_us + latency, FAR)
    cost = moved_amounts(price, move.size_bytes)
    span[there] = cost[there] = 0
    return span, cost


def _cost(tree: Tree, move: MoveNeed, there: Ints) -> Ints:
    """The amount of the transfer line to each node; nothing to where the bytes are. The tree keeps it."""
    key = ("brought", move.size_bytes, move.replicas)
    found: Ints | None = tree.made.get(key)
    if found is None:
        found = tree.made[key] = moved_by(tree, move.size_bytes).copy()
        found[there] = 0
    return found


def moved_by(tree: Tree, size_bytes: int) -> Ints:
    """The amount of the transfer line to each node along a tree; the tree keeps it."""
    key = ("moved", size_bytes)
    found: Ints | None = tree.made.get(key)
    if found is None:
        found = tree.made[key] = moved_amounts(tree.node_cost(), size_bytes)
    return found


def _short_nodes(tree: Tree, free_us: Ints, ready_us: int, wanted: Flags) -> Ints:
    """The wanted nodes whose path is taken by another before the last bytes have left it."""
    latency = tree.node_latency_us()
    return np.flatnonzero(wanted & (latency < FAR) & (tree.node_least(free_us) < ready_us + latency))


class _Labels(NamedTuple):
    """A tree, for the kernel."""

    best: Ints
    parent: Ints
    via: Ints
    latency_us: Ints


def _labels(tree: Tree) -> _Labels:
    return _Labels(tree.best, tree.parent, tree.via, tree.latency_us)


@kernel
def _spans(
    labels: _Labels,
    free_us: Ints,
    start_us: int,
    readies_us: Ints,
    there: Ints,
    wanted: Flags,
) -> tuple[Ints, Ints]:
    """[rate, node]: how long bytes take to each wanted node; and for each rate how free the paths are.

    `free_us` is [rate, directed link]; the first bytes leave at `start_us`, the last ones at `readies_us`.
    """
    best, parent, via, latency = labels
    far = np.int64(2**62)
    until = np.empty(len(parent), np.int64)
    span = np.full((len(readies_us), len(best)), far)
    states = np.zeros(len(readies_us), np.int64)
    for rate in range(len(readies_us)):
        ready_us = readies_us[rate]
        for label in range(len(parent)):
            until[label] = until[parent[label]] if parent[label] >= 0 else far
            if via[label] >= 0:
                until[label] = min(until[label], free_us[rate, via[label]])
        for node in range(len(best)):
            label = best[node]
            if label >= 0 and wanted[node]:
                span[rate, node] = ready_us - start_us + latency[label]
                if until[label] < ready_us:
                    states[rate] = TAKEN
                elif until[label] < ready_us + latency[label]:
                    states[rate] = max(states[rate], SHORT)
        for one in there:
            span[rate, one] = 0
    return span, states


def _detour(scene: Scene, option: Option, free_us: Ints, nodes: Ints, ready_us: int) -> tuple[Ints, Ints]:
    """Paths for the sites whose cheapest path stops being free while the last bytes are still on it.

    A path is free for long enough if its latency ends before the first of its links is taken. So for each moment at
    which some link is taken: the best path over links free until then at the least, within the time left.
    """
    latency, price = option.tree.node_latency_us().copy(), option.tree.node_cost().copy()
    links = np.full(len(latency), FAR, np.int64)
    latency[nodes], price[nodes] = FAR, FAR
    for until_us in np.unique(free_us[free_us >= ready_us]).tolist():
        # Without an end in sight, the bound is only that of the search itself.
        tree = scene.transfer(option.replica, free_us >= until_us, min(until_us - ready_us, FOREVER_US // 2))
        for node in nodes.tolist():
            if tree.best[node] < 0:
                continue
            walk = tree.walk(node)
            found = (int(tree.node_cost()[node]), walk.latency_us, len(walk.edges))
            if found < (int(price[node]), int(latency[node]), int(links[node])):
                price[node], latency[node], links[node] = found
                option.detours[node] = tree
    return latency, price


def join(
    scene: Scene, options: list[Option], spans: Ints, costs: Ints, start_us: int, wanted: Flags
) -> tuple[Ints, Ints, Ints]:
    """Combinations of several bodies, whose paths must fit on shared links together."""
    walks = [option.walks() for option in options]
    base = np.cumsum([0, *(len(edges) for _, edges in walks)])
    alone = Alone(
        of_move=np.array([option.move for option in options], np.int64),
        rate_bps=np.array([option.rate_bps for option in options], np.int64),
        spans_us=spans,
        costs=costs,
        first=np.array([first + base[at] for at, (first, _) in enumerate(walks)], np.int64),
        edges=np.concatenate([edges for _, edges in walks]),
    )
    return join_paths(alone, scene.ledger.lines.steps(), scene.layout.empty_room, start_us, wanted)
