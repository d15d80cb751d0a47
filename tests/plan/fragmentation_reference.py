"""A slow, plain second opinion on node policies: every decision scores every node again, in Python's own integers."""

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from suanwang.plan.kernel.fragmentation import Needs, NodePolicy, Nodes, Pool, make_expected, make_nodes, make_pool


class Node(NamedTuple):
    cpu: int
    mem: int
    card: tuple[int, ...]
    model: int


class Need(NamedTuple):
    cpu: int
    mem: int
    cards: int
    milli: int
    mask: int

    @property
    def share(self) -> bool:
        return self.cards == 1 and self.milli < 1000


def world(seed: int, nodes: int = 12, tasks: int = 120, kinds: int = 14) -> tuple[Nodes, Needs, list[int], np.ndarray]:
    """A small pool, kinds of need, how often each was seen, and a stream that overfills the pool."""
    random = np.random.default_rng(seed)
    cards = random.choice([0, 1, 2, 4, 8], nodes)
    made = make_nodes(
        random.integers(8, 97, nodes) * 1000,
        random.integers(16, 257, nodes) * 1024,
        cards,
        random.integers(0, 3, nodes),
    )
    asked = random.choice([0, 1, 1, 1, 2, 4], kinds)
    milli = np.where(asked == 1, random.choice([130, 190, 330, 470, 500, 810, 1000], kinds), 1000) * (asked > 0)
    mask = np.where((asked > 0) & (random.random(kinds) < 0.3), random.integers(1, 8, kinds), -1)
    needs = Needs(
        random.integers(0, 13, kinds) * 1000, random.integers(0, 33, kinds) * 1024, asked, milli.astype(np.int64), mask
    )
    return (
        made,
        needs,
        [int(one) for one in random.integers(1, 200, kinds)],
        random.integers(0, kinds, tasks).astype(np.int32),
    )


def pool_of(seed: int, policy: NodePolicy, **sizes: int) -> tuple[Pool, np.ndarray]:
    nodes, needs, counts, stream = world(seed, **sizes)
    return make_pool(nodes, needs, make_expected(needs, counts, 3, policy)), stream


def needs_of(needs: Needs) -> list[Need]:
    return [Need(*(int(x) for x in one)) for one in zip(*needs, strict=True)]


def nodes_of(nodes: Nodes) -> list[Node]:
    return [
        Node(int(nodes.cpu[i]), int(nodes.mem[i]), tuple(int(x) for x in nodes.card[i]), int(nodes.model[i]))
        for i in range(len(nodes.cpu))
    ]


def can(node: Node, need: Need) -> bool:
    if node.cpu < need.cpu or node.mem < need.mem:
        return False
    if need.cards == 0:
        return True
    return bool((need.mask >> node.model) & 1) and sum(x >= need.milli for x in node.card) >= need.cards


def after(node: Node, need: Need, places: tuple[int, ...]) -> Node:
    card = tuple(x - need.milli * (place in places) for place, x in enumerate(node.card))
    return Node(node.cpu - need.cpu, node.mem - need.mem, card, node.model)


def choices(node: Node, need: Need) -> list[tuple[int, ...]]:
    """Card sets to score: each card for a share, the first free ones for whole cards."""
    free = [place for place, x in enumerate(node.card) if need.milli and x >= need.milli]
    return [(place,) for place in free] if need.share else [tuple(free[: need.cards])]


def kept(needs: list[Need], counts: list[int], published: bool) -> list[tuple[Need, int]]:
    """The most frequent kinds up to 95 in a hundred, those alike merged, with their weights."""
    often: dict[Need, int] = {}
    for need, count in zip(needs, counts, strict=True):
        one = need._replace(mem=0) if published else need
        often[one] = often.get(one, 0) + count
    out, have = [], 0
    for need, count in sorted(often.items(), key=lambda item: -item[1]):
        if 100 * have >= 95 * sum(counts):
            break
        have += count
        out.append((need, count if published else count * 840 // max(1, need.cards)))
    return out


def fragments(node: Node, expected: list[tuple[Need, int]], published: bool) -> Fraction:
    """Expected milli of the node that a task to come cannot use."""
    total, free, lost = sum(weight for _, weight in expected), sum(node.card), Fraction(0)
    for need, weight in expected:
        useful = Fraction(0)
        if need.cards and can(node, need):
            large = sum(x for x in node.card if x >= need.milli)
            useful = Fraction(large) if published else (4 * Fraction(large) + copies(node, need)) / 5
        lost += (free - useful) * Fraction(weight, total)
    return lost


def copies(node: Node, need: Need) -> int:
    """Milli that copies of the need would take, with its share of processors and memory in 1/65536 milli."""
    asked = need.cards * need.milli
    out = sum(x // need.milli for x in node.card) // need.cards * asked
    for free, each in ((node.cpu, need.cpu), (node.mem, need.mem)):
        if each:
            out = min(out, free * (asked * 65536 // each) // 65536)
    return out


def score(
    policy: NodePolicy, node: Node, later: Node, need: Need, expected: list[tuple[Need, int]], nodes: Nodes
) -> Fraction:
    published = policy == NodePolicy.GRADIENT
    gain = fragments(node, expected, published) - fragments(later, expected, published)
    if published:
        return Fraction(math.floor(100 / (1 + math.exp(-float(gain) / 1000)) + 1e-12))
    if need.share:
        return gain
    left = later.cpu * 1000 // int(nodes.largest[0]) + sum(later.card) * 1000 // int(nodes.largest[1])
    return gain - Fraction((15 if need.cards else 30) * left, 1000)


def decide(pool: Pool, counts: list[int], policy: NodePolicy, stream: np.ndarray) -> list[tuple[int, tuple[int, ...]]]:
    """(node, cards) of every task; node -1 where none can take it."""
    needs, nodes = needs_of(pool.needs), nodes_of(pool.nodes)
    expected = kept(needs, counts, policy == NodePolicy.GRADIENT)
    out: list[tuple[int, tuple[int, ...]]] = []
    for kind in stream:
        need, best = needs[kind], None
        for number, node in enumerate(nodes):
            for places in choices(node, need) if can(node, need) else []:
                found = score(policy, node, after(node, need, places), need, expected, pool.nodes)
                if best is None or found > best[0]:
                    best = (found, number, places)
        if best is None:
            out.append((-1, ()))
            continue
        nodes[best[1]] = after(nodes[best[1]], need, best[2])
        out.append(best[1:])
    return out
