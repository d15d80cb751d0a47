"""LEAST_LOSS inside the bulk kernel: the node, and the card of it, where a task costs least room for those to come.

The score of a node belongs to a kind of need and to what the node has free (`fragmentation_worth`). A row of scores a
kind is kept for every pool with cards, with the greatest of each 64 beside it; the best node is found by reading those.
A kind that comes to a pool again scores what changed there since, and nothing else: each pool numbers its changes, and
each node knows the number of its last. So a choice is that of scoring all nodes, in a pool of any size.

Memory: 8 bytes for each (kind, node of a pool with cards). Without it (`no_scores`) nodes are chosen by bits.
"""

from typing import NamedTuple

import numpy as np

from suanwang.net.jit import inner, lean
from suanwang.plan.kernel.fragmentation_types import Expected, Needs, NodePolicy, make_expected
from suanwang.plan.kernel.fragmentation_worth import NONE, loss_of, worth
from suanwang.plan.kernel.index import Free
from suanwang.plan.kernel.layout import Layout
from suanwang.plan.kernel.types import CARDS_MAX, I32, I64, WHOLE, Classes, Fabric

POLICY = int(NodePolicy.LEAST_LOSS)
BLOCK = 64  # scores under one greatest
UNKNOWN = -1  # worth is never below 0
MODELS_MAX = 62


class Scores(NamedTuple):
    """Letters: K kinds of need, P pools, places: nodes of pools with cards, each pool filled up to whole blocks."""

    kind: I32  # [C] kind of need of each class; empty: nodes are chosen by bits
    first: I64  # [P] place of the pool's first node, -1 without cards
    model: I32  # [P]
    score: I64  # [K, places] NONE: the node cannot take it
    best: I64  # [K, places / BLOCK]
    seen: I64  # [K, P] change of the pool up to which scores are true, -1: none was made
    changes: I64  # [P] changes of the pool so far
    last: I64  # [places] number of the node's last change
    ring: I32  # [places] node of each of the pool's latest changes
    worth: I64  # [places] what the node is worth now, or UNKNOWN
    row: I64  # [8] scratch
    expected: Expected


def _nothing_expected() -> Expected:
    return make_expected(Needs(*(np.empty(0, np.int64) for _ in range(5))), [], 1, NodePolicy.LEAST_LOSS)


def no_scores() -> Scores:
    """Nodes are chosen by bits."""
    none, flat, small = np.empty(0, np.int64), np.empty((0, 0), np.int64), np.empty(0, np.int32)
    return Scores(small, none, small, flat, flat, flat, none, none, small, none, none, _nothing_expected())


def expected_of(fabric: Fabric, classes: Classes, count: I64) -> Expected:
    """What is expected to come, from how often each class was seen, i64[C]; a class takes the models of its candidates.

    Raises ValueError where a pool with cards has no model, 0 to 62.
    """
    models = _models(fabric)
    carded = (fabric.shape_cards > 0)[classes.cand_pool]
    owner = np.repeat(np.arange(len(classes.cpu)), np.diff(classes.cand_first))[carded]
    mask = np.zeros(len(classes.cpu), np.int64)
    np.bitwise_or.at(mask, owner, np.int64(1) << fabric.pool_model[classes.cand_pool[carded]].astype(np.int64))
    cpu, mem, cards = (part.astype(np.int64) for part in (classes.cpu, classes.mem, classes.cards))
    needs = Needs(cpu, mem, cards, np.minimum(classes.milli, WHOLE).astype(np.int64), mask)
    often = np.where(mask > 0, count, 0) * classes.nodes
    return make_expected(needs, often.tolist(), models, NodePolicy.LEAST_LOSS)


def _models(fabric: Fabric) -> int:
    """How many codes of models there are."""
    model = fabric.pool_model[fabric.shape_cards > 0]
    if len(model) and (model.min() < 0 or model.max() > MODELS_MAX):
        raise ValueError(f"a pool with cards has a model 0..{MODELS_MAX}, got {int(model.min())}..{int(model.max())}")
    return int(model.max(initial=0)) + 1


def blank_scores(layout: Layout, fabric: Fabric, classes: Classes, expected: Expected) -> Scores:
    """Nothing is scored yet."""
    if (models := _models(fabric)) * len(expected.shape_cards) != len(expected.first) - 1:
        raise ValueError(f"what is expected is not of the {models} models of this fabric")
    shape = np.stack([classes.cpu, classes.mem, classes.cards, classes.milli], axis=1)
    kinds, kind = np.unique(shape, axis=0, return_inverse=True)
    size = np.where(layout.cards > 0, layout.words.astype(np.int64) * BLOCK, 0)
    places = int(size.sum())
    return Scores(
        kind=kind.reshape(-1).astype(np.int32),
        first=np.where(size > 0, np.cumsum(size) - size, -1),
        model=fabric.pool_model.astype(np.int32),
        score=np.full((len(kinds), places), NONE, np.int64),
        best=np.full((len(kinds), places // BLOCK), NONE, np.int64),
        seen=np.full((len(kinds), len(size)), -1, np.int64),
        changes=np.zeros(len(size), np.int64),
        last=np.zeros(places, np.int64),
        ring=np.zeros(places, np.int32),
        worth=np.full(places, UNKNOWN, np.int64),
        row=np.zeros(CARDS_MAX, np.int64),
        expected=expected,
    )


def own_scores(scores: Scores) -> Scores:
    """A copy; what is expected never changes and is shared."""
    copied = {name: getattr(scores, name).copy() for name in Scores._fields if name != "expected"}
    return Scores(**copied, expected=scores.expected)


@inner
def scored(scores: Scores, pool: int) -> bool:
    """Whether nodes of the pool are chosen by score."""
    return bool(scores.kind.shape[0] > 0 and scores.first[pool] >= 0)


@inner
def note(layout: Layout, scores: Scores, pool: int, node: int) -> None:
    """The node has changed."""
    if not scored(scores, pool):
        return
    first = scores.first[pool]
    local = node - layout.node_first[pool]
    number = scores.changes[pool] + 1
    scores.changes[pool] = number
    scores.ring[first + number % (int(layout.words[pool]) * BLOCK)] = local
    scores.last[first + local] = number
    scores.worth[first + local] = UNKNOWN


@inner
def _load(free: Free, node: int, row: I64) -> None:
    for card in range(CARDS_MAX):
        row[card] = free.card[node, card]


@lean
def _loss(
    layout: Layout, classes: Classes, free: Free, scores: Scores, one: int, pool: int, node: int
) -> tuple[int, int]:
    """(score, card) of a node for a class; (NONE, -1) where it has no room."""
    cpu, mem = free.cpu[node] - classes.cpu[one], free.mem[node] - classes.mem[one]
    if cpu < 0 or mem < 0:
        return NONE, -1
    cards, milli = int(classes.cards[one]), min(int(classes.milli[one]), WHOLE)
    row, count = scores.row, 0
    for card in range(CARDS_MAX):
        if free.card[node, card] >= milli:
            count += 1
    if count < cards:
        return NONE, -1
    place, model = scores.first[pool] + node - layout.node_first[pool], int(scores.model[pool])
    _load(free, node, row)
    if scores.worth[place] == UNKNOWN:
        scores.worth[place] = worth(row, free.cpu[node], free.mem[node], model, scores.expected)
    return loss_of(
        POLICY, row, cpu, mem, model, scores.worth[place], cards, milli, int(layout.shape_cpu[pool]),
        int(layout.cards[pool]) * WHOLE, scores.expected,
    )  # fmt: skip


@inner
def _set(scores: Scores, kind: int, place: int, score: int) -> None:
    """Keep a score, and the greatest of its block true."""
    old, block = scores.score[kind, place], place // BLOCK
    scores.score[kind, place] = score
    if score >= scores.best[kind, block]:
        scores.best[kind, block] = score
    elif old == scores.best[kind, block]:
        most = NONE
        for other in range(block * BLOCK, block * BLOCK + BLOCK):
            most = max(most, scores.score[kind, other])
        scores.best[kind, block] = most


@inner
def _alike(free: Free, one: int, other: int) -> bool:
    """Nodes of one pool with the same free are worth the same."""
    alike = free.cpu[one] == free.cpu[other] and free.mem[one] == free.mem[other]
    for card in range(CARDS_MAX):
        alike = alike and free.card[one, card] == free.card[other, card]
    return bool(alike)


@inner
def _refresh(layout: Layout, classes: Classes, free: Free, scores: Scores, one: int, pool: int) -> None:
    """Make the scores of the class's kind true: what changed in the pool since it came last, or all of it."""
    kind, first, start = scores.kind[one], scores.first[pool], layout.node_first[pool]
    seen, now, size = scores.seen[kind, pool], scores.changes[pool], int(layout.words[pool]) * BLOCK
    if seen >= 0 and now - seen <= size:
        for change in range(seen + 1, now + 1):
            local = int(scores.ring[first + change % size])
            if scores.last[first + local] == change:
                score, _ = _loss(layout, classes, free, scores, one, pool, start + local)
                _set(scores, kind, first + local, score)
    else:
        score, before = NONE, -1
        for node in range(start, layout.node_first[pool + 1]):
            place = first + node - start
            if scores.last[place] > seen:
                if before < 0 or not _alike(free, before, node):
                    score, _ = _loss(layout, classes, free, scores, one, pool, node)
                _set(scores, kind, place, score)
                before = node
    scores.seen[kind, pool] = now


@lean
def best_nodes(
    layout: Layout, classes: Classes, free: Free, scores: Scores, one: int, pool: int, want: int, out: I32
) -> int:  # fmt: skip
    """Write the `want` different nodes that lose least, best first, equals by number; returns how many there are.

    What is written is to be taken: the scores of a gang's nodes are true again once their changes are noted.
    """
    _refresh(layout, classes, free, scores, one, pool)
    kind, first = scores.kind[one], scores.first[pool]
    for turn in range(want):
        most, at = NONE, -1
        for block in range(first // BLOCK, first // BLOCK + int(layout.words[pool])):
            if scores.best[kind, block] > most:
                most, at = scores.best[kind, block], block
        if at < 0:
            return turn
        place = at * BLOCK
        while scores.score[kind, place] != most:
            place += 1
        out[turn] = layout.node_first[pool] + place - first
        if turn + 1 < want:
            _set(scores, kind, place, NONE)
    return want


@lean
def best_card(layout: Layout, classes: Classes, free: Free, scores: Scores, one: int, pool: int, node: int) -> int:
    """Mask of the card for a share."""
    _, card = _loss(layout, classes, free, scores, one, pool, node)
    return 1 << card if card >= 0 else 0
