"""Paths through a protection chain that pass the same link or security pool more than once: `search` with crossings counted.

Each crossing holds the bandwidth again, and one search of labels looks at one crossing at a time. Who holds something finds
with `repeats` where its paths cross twice, and with `search_counted` the best paths that keep to what there is room for.
"""

import heapq

import numpy as np

from suanwang.net.jit import kernel
from suanwang.net.network import Flags, Ints, Network
from suanwang.net.tree import Tree

Uses = tuple[tuple[int, int], ...]  # scarce resources with how often they are crossed, sorted
# cost, latency, links, node, stage, parent label, via, uses
Label = tuple[int, int, int, int, int, int, int, Uses]


def repeats(tree: Tree, edges: int) -> dict[int, int]:
    """Resources that some path of the tree crosses more than once, with the most crossings: links by their directed number,
    security pools behind all of them. The tree keeps it."""
    found: dict[int, int] | None = tree.made.get("repeats")
    if found is None:
        most = _most_crossings(tree.best, tree.parent, tree.via, edges)
        found = tree.made["repeats"] = {int(one): int(most[one]) for one in np.flatnonzero(most > 1)}
    return found


@kernel
def _most_crossings(best: Ints, parent: Ints, via: Ints, edges: int) -> Ints:
    """For each directed link and then each security pool the most crossings by one path."""
    pools = 0
    for label in range(len(via)):
        if via[label] < -1:
            pools = max(pools, -1 - via[label])
    most = np.zeros(edges + pools, np.int64)
    count = np.zeros(edges + pools, np.int64)
    for node in range(len(best)):
        label = best[node]
        while label >= 0:
            if via[label] != -1:
                one = via[label] if via[label] >= 0 else edges - 2 - via[label]
                count[one] += 1
                most[one] = max(most[one], count[one])
            label = parent[label]
        label = best[node]
        while label >= 0:
            if via[label] != -1:
                count[via[label] if via[label] >= 0 else edges - 2 - via[label]] = 0
            label = parent[label]
    return most


def search_counted(
    net: Network, origin: int, chain: tuple[int, ...], bound_us: int | None, ok: Flags, room: dict[int, int]
) -> Tree:
    """As `search`, with labels that remember how often they crossed what is scarce: `room` says how often each such resource
    can be.

    A label is dropped only for one that is no worse in cost, latency, links and every such count.
    """
    labels: list[Label] = []
    kept: dict[tuple[int, int], list[int]] = {}
    best: dict[int, int] = {}
    heap: list[tuple[int, int, int, int]] = []

    def push(cost: int, latency: int, links: int, node: int, stage: int, parent: int, via: int, uses: Uses) -> None:
        if bound_us is None or latency <= bound_us:
            heapq.heappush(heap, (cost, latency, links, len(labels)))
            labels.append((cost, latency, links, node, stage, parent, via, uses))

    push(0, 0, 0, origin, 0, -1, -1, ())
    while heap:
        at = heapq.heappop(heap)[3]
        cost, latency, links, node, stage, _, _, uses = labels[at]
        if any(_no_worse(labels[one], labels[at]) for one in kept.get((node, stage), ())):
            continue
        kept.setdefault((node, stage), []).append(at)
        if stage == len(chain):
            best.setdefault(node, at)
        else:
            for pool in _pools(net, chain[stage], node):
                then = _use(uses, len(net.to) + pool, room)
                if ok[len(net.to) + pool] and then is not None:
                    push(cost + int(net.sec_price[pool]), latency, links, node, stage + 1, at, -2 - pool, then)
        for edge in net.out[net.first[node] : net.first[node + 1]].tolist():
            then = _use(uses, edge, room)
            if ok[edge] and then is not None:
                price, late = cost + int(net.price_gbps_hour[edge]), latency + int(net.latency_us[edge])
                push(price, late, links + 1, int(net.to[edge]), stage, at, edge, then)
    return _tree(origin, len(net.to), len(net.node_of), labels, best)


def _use(uses: Uses, one: int, room: dict[int, int]) -> Uses | None:
    """The counts after one more crossing, or None where there is no room for it."""
    if one not in room:
        return uses
    counts = dict(uses)
    counts[one] = counts.get(one, 0) + 1
    return tuple(sorted(counts.items())) if counts[one] <= room[one] else None


def _no_worse(one: Label, other: Label) -> bool:
    if one[0] > other[0] or one[1] > other[1] or one[2] > other[2]:
        return False
    if not one[7] or one[7] == other[7]:
        return True
    counts = dict(other[7])
    return all(count <= counts.get(key, 0) for key, count in one[7])


def _pools(net: Network, function: int, node: int) -> list[int]:
    first = net.sec_first[function]
    return [int(one) for one in net.sec_out[function][first[node] : first[node + 1]]]


def _tree(origin: int, edges: int, nodes: int, labels: list[Label], best: dict[int, int]) -> Tree:
    found = np.full(nodes, -1, np.int64)
    for node, at in best.items():
        found[node] = at
    rows = np.array([(one[5], one[6], one[0], one[1]) for one in labels], np.int64)
    return Tree(origin, edges, found, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3])
