"""Node policies inside one pool: which node takes a task, and which of its cards.

Tasks are placed one by one in the given order. A score belongs to a kind of need and a version of a node; a placement
or a release changes one node, so that a decision scores again only what changed since its kind came last.

    nodes = make_nodes(cpu, mem, cards, model)
    expected = make_expected(needs, counts, models=7, policy=NodePolicy.LEAST_LOSS)
    pool = make_pool(nodes, needs, expected)
    node, card_mask = place(pool, NodePolicy.LEAST_LOSS, task_kind)
"""

from typing import NamedTuple

import numpy as np

from suanwang.net.jit import inner, kernel
from suanwang.plan.kernel.fragmentation_baselines import plain_score
from suanwang.plan.kernel.fragmentation_types import (
    CHANGES,
    Expected,
    Memo,
    Needs,
    NodePolicy,
    Nodes,
    make_expected,
    make_memo,
    make_nodes,
)
from suanwang.plan.kernel.fragmentation_worth import NONE, fits, loss_score, shared, worth, worth_of
from suanwang.plan.kernel.types import CARDS_MAX, I32, I64, U8

__all__ = [
    "Expected",
    "Memo",
    "Needs",
    "NodePolicy",
    "Nodes",
    "Pool",
    "make_expected",
    "make_memo",
    "make_nodes",
    "make_pool",
    "place",
    "release",
]
RANDOM = int(NodePolicy.RANDOM)
GRADIENT = int(NodePolicy.GRADIENT)


class Pool(NamedTuple):
    """One pool with all that its decisions need. One policy for the life of the pool: the memo holds its scores."""

    nodes: Nodes
    needs: Needs
    expected: Expected
    memo: Memo
    base: I64  # [N] worth of each node now


def make_pool(nodes: Nodes, needs: Needs, expected: Expected) -> Pool:
    """A pool whose nodes may already be in use."""
    base = np.zeros(len(nodes.cpu), np.int64)
    worth_of(nodes, expected, base)
    return Pool(nodes, needs, expected, make_memo(len(needs.cpu), len(nodes.cpu)), base)


def place(pool: Pool, policy: NodePolicy, kind: I32, draws: I64 | None = None) -> tuple[I32, U8]:
    """Node of each task ([n], -1: none can take it) and the mask of its cards. `kind` [n] numbers needs.

    `draws` [n, 2] of numbers >= 0 is the randomness of RANDOM: it is an argument, so that a replay decides alike.
    """
    if policy == NodePolicy.RANDOM and (draws is None or draws.shape != (len(kind), 2)):
        raise ValueError("RANDOM needs draws, two of them a task")
    node, mask = np.full(len(kind), -1, np.int32), np.zeros(len(kind), np.uint8)
    drawn = np.zeros((len(kind), 2), np.int64) if draws is None else draws
    _place(pool, int(policy), kind, drawn, np.zeros(CARDS_MAX, np.int64), node, mask)
    return node, mask


def release(pool: Pool, kind: int, node: int, mask: int) -> None:
    """Gives back what one placement took."""
    _shift(pool, kind, node, mask, -1)


@inner
def _score(pool: Pool, policy: int, row: I64, kind: int, node: int) -> None:
    """Writes score and card of (kind, node) as the node is now."""
    memo = pool.memo
    memo.seen[kind, node] = memo.version[node]
    if not fits(pool.nodes, pool.needs, kind, node):
        memo.score[kind, node] = NONE
    elif policy >= GRADIENT:
        score, card = loss_score(policy, pool.nodes, pool.needs, pool.expected, pool.base, row, kind, node)
        memo.score[kind, node] = score
        memo.card[kind, node] = card
    else:
        memo.score[kind, node] = plain_score(policy, pool.nodes, pool.needs, row, kind, node)


@inner
def _refresh(pool: Pool, policy: int, row: I64, kind: int) -> None:
    """Brings the scores of a kind up to date: what changed since it came last, or every node."""
    memo, nodes = pool.memo, pool.nodes.cpu.size
    last, now = memo.cursor[kind], memo.changes[0]
    if last < 0 or now - last > min(nodes, CHANGES):
        for node in range(nodes):
            if memo.seen[kind, node] != memo.version[node]:
                _score(pool, policy, row, kind, node)
    else:
        for change in range(last, now):
            node = memo.changed[change % CHANGES]
            if memo.seen[kind, node] != memo.version[node]:
                _score(pool, policy, row, kind, node)
    memo.cursor[kind] = now


@inner
def _choose(memo: Memo, policy: int, kind: int, draw: int) -> int:
    """The best node, the lowest number among equals; -1 none."""
    nodes = memo.version.size
    best, found = NONE, -1
    if policy != RANDOM:
        for node in range(nodes):
            if memo.score[kind, node] > best:
                best, found = memo.score[kind, node], node
        return found
    count = 0
    for node in range(nodes):
        if memo.score[kind, node] > NONE:
            count += 1
    place = draw % max(count, 1)
    for node in range(nodes):
        if memo.score[kind, node] > NONE:
            if place == 0:
                return node
            place -= 1
    return -1


@inner
def _share_card(pool: Pool, policy: int, kind: int, node: int, draw: int) -> int:
    """The card for a share: by score, or the tightest that has enough, or for RANDOM any that has."""
    if policy >= GRADIENT:
        return int(pool.memo.card[kind, node])
    card, milli = pool.nodes.card, pool.needs.milli[kind]
    count, tightest = 0, -1
    for place in range(CARDS_MAX):
        if card[node, place] >= milli:
            count += 1
            if tightest < 0 or card[node, place] < card[node, tightest]:
                tightest = place
    if policy != RANDOM:
        return tightest
    wanted = draw % max(count, 1)
    for place in range(CARDS_MAX):
        if card[node, place] >= milli:
            if wanted == 0:
                return place
            wanted -= 1
    return tightest


@inner
def _pick(pool: Pool, policy: int, kind: int, node: int, draw: int) -> int:
    """The mask of the cards; whole cards are the first that are free."""
    cards, out = pool.needs.cards[kind], 0
    if cards == 0:
        return 0
    if shared(pool.needs, kind):
        return 1 << _share_card(pool, policy, kind, node, draw)
    for place in range(CARDS_MAX):
        if cards > 0 and pool.nodes.card[node, place] >= pool.needs.milli[kind]:
            out |= 1 << place
            cards -= 1
    return out


@inner
def _move(pool: Pool, kind: int, node: int, mask: int, sign: int) -> None:
    """Takes (sign 1) or gives back (-1) what the kind asks, and notes that the node changed."""
    nodes, needs, memo = pool.nodes, pool.needs, pool.memo
    nodes.cpu[node] -= sign * needs.cpu[kind]
    nodes.mem[node] -= sign * needs.mem[kind]
    for place in range(CARDS_MAX):
        if (mask >> place) & 1:
            nodes.card[node, place] -= sign * needs.milli[kind]
    if needs.cards[kind] > 0:
        nodes.tenants[node, 0 if shared(needs, kind) else needs.cards[kind]] += sign
    pool.base[node] = worth(nodes.card[node], nodes.cpu[node], nodes.mem[node], nodes.model[node], pool.expected)
    memo.version[node] += 1
    memo.changed[memo.changes[0] % CHANGES] = node
    memo.changes[0] += 1


@kernel
def _shift(pool: Pool, kind: int, node: int, mask: int, sign: int) -> None:
    _move(pool, kind, node, mask, sign)


@kernel
def _place(pool: Pool, policy: int, kind: I32, draws: I64, row: I64, out_node: I32, out_mask: U8) -> None:
    for task in range(kind.size):
        mine = kind[task]
        _refresh(pool, policy, row, mine)
        node = _choose(pool.memo, policy, mine, draws[task, 0])
        if node < 0:
            continue
        mask = _pick(pool, policy, mine, node, draws[task, 1])
        _move(pool, mine, node, mask, 1)
        out_node[task] = node
        out_mask[task] = mask
