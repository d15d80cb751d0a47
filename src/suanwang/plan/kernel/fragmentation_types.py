"""What the node policies read and write: the nodes of one pool, needs, and what kinds of task are expected to come.

Units: processors in thousandths of a core, memory in MiB, a whole card = 1,000 milli. All arrays are int64 unless said.
Letters of shapes: N nodes, K kinds of need, S card shapes, M models, R rows of the table of expected tasks.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.types import CARDS_MAX, I32, I64, U8, WHOLE

ANY_MODEL = -1  # mask of a need that takes every model
RATE_BITS = 16  # of the fixed point of milli per core and per MiB
PARTS = (4, 1)  # of the two measures of worth under LEAST_LOSS: cards that fit, copies that fit
CARD_PARTS = 840  # divisible by 1 to 8 cards
SEEN_MAX = 1_000_000  # a longer past is scaled down to it, so that scores stay inside 64 bits
CHANGES = 4096  # nodes changed that are remembered in order; whoever is further behind looks at every node


class NodePolicy(IntEnum):
    """Which node of the pool takes the task, among those that can. Ties: the lowest node number."""

    RANDOM = 0
    DOT_PRODUCT = 1  # least alignment of what is free and what is asked (Tetris, turned round)
    CLUSTERING = 2  # beside tasks with the same number of cards
    PACKING = 3  # cards in use first, then free cards of nodes in use
    BEST_FIT = 4  # least left of processors and cards together
    GRADIENT = 5  # FGD of ATC'23: least growth of expected fragmentation, in 100 levels of a sigmoid
    LEAST_LOSS = 6  # our own: least loss of room for the tasks to come, exact (decision record 0062)


class Nodes(NamedTuple):
    """What is free now in the nodes of one pool, in the order in which ties are broken."""

    cpu: I64  # [N]
    mem: I64  # [N]
    card: I64  # [N, 8] milli; a place without a card has 0
    cards: I64  # [N] places with a card
    model: I64  # [N] code of the accelerator model, 0..62
    tenants: I64  # [N, 9] tasks here by cards asked; place 0: those that share a card
    largest: I64  # [2] processors and card milli of the largest node when empty: what tightness is measured by


class Needs(NamedTuple):
    """Kinds of need, each once. A share: cards = 1 and milli < 1000. Without cards: cards = milli = 0."""

    cpu: I64  # [K]
    mem: I64  # [K]
    cards: I64  # [K] 0..8
    milli: I64  # [K] of each card
    mask: I64  # [K] bit of each model that will do; ANY_MODEL: all


class Expected(NamedTuple):
    """The tasks expected to come, by model and by card shape; inside a shape by processors, least first."""

    shape_cards: I64  # [S]
    shape_milli: I64  # [S]
    pieces: U8  # [S, 1001] how often the milli of the shape go into a card with so much free
    first: I64  # [M * S + 1] rows of model m and shape s: first[m * S + s] up to the next
    cpu: I64  # [R]
    mem: I64  # [R]
    weight: I64  # [R] how many of the observed tasks
    cpu_rate: I64  # [R] milli that a thousandth of a core carries, << 16; -1: no limit
    mem_rate: I64  # [R] the same for a MiB
    total: I64  # [1] weight of all tasks, also of those without cards, which find every card useless
    parts: I64  # [2] weights of (cards that fit) and (copies that fit) in the worth of a node
    steps: I64  # [99] least gain (times total and parts) for each level of the published sigmoid


class Memo(NamedTuple):
    """Scores that still hold: a score is that of one version of the node. Memory: 13 bytes a (kind, node)."""

    score: I64  # [K, N]
    card: NDArray[np.int8]  # [K, N] card chosen for a share
    seen: I32  # [K, N] version scored, -1 none
    version: I32  # [N]
    changed: I32  # [CHANGES] ring of nodes changed
    changes: I64  # [1] changes so far
    cursor: I64  # [K] changes taken into account, -1 none


def make_nodes(cpu: I64, mem: I64, cards: I64, model: I64) -> Nodes:
    """Empty nodes of the given shapes; each array [N]."""
    if len(cpu) and (cards.min() < 0 or cards.max() > CARDS_MAX or model.min() < 0 or model.max() > 62):
        raise ValueError(f"a node has 0..{CARDS_MAX} cards and a model code 0..62")
    card = np.where(np.arange(CARDS_MAX)[None, :] < cards[:, None], WHOLE, 0).astype(np.int64)
    largest = np.array([max(1, cpu.max(initial=0)), WHOLE * max(1, cards.max(initial=0))], np.int64)
    tenants = np.zeros((len(cpu), CARDS_MAX + 1), np.int64)
    as_i64 = [np.array(one, np.int64) for one in (cpu, mem, cards, model)]
    return Nodes(as_i64[0], as_i64[1], card, as_i64[2], as_i64[3], tenants, largest)


def make_memo(kinds: int, nodes: int) -> Memo:
    """Nothing known yet."""
    return Memo(
        np.zeros((kinds, nodes), np.int64),
        np.zeros((kinds, nodes), np.int8),
        np.full((kinds, nodes), -1, np.int32),
        np.zeros(nodes, np.int32),
        np.zeros(CHANGES, np.int32),
        np.zeros(1, np.int64),
        np.full(kinds, -1, np.int64),
    )


def most_frequent(counts: Sequence[int], parts_in_hundred: int) -> list[int]:
    """Places of the most frequent, most frequent first, until they are so many in a hundred; ties by place."""
    order = sorted(range(len(counts)), key=lambda place: (-counts[place], place))
    wanted, have, out = parts_in_hundred * sum(counts), 0, []
    for place in order:
        if 100 * have >= wanted:
            break
        out.append(place)
        have += counts[place]
    return out


class _Seen(NamedTuple):
    """A kind of task that was seen: what it asks."""

    cards: int
    milli: int
    cpu: int
    mem: int
    mask: int


def make_expected(
    needs: Needs, counts: Sequence[int], models: int, policy: NodePolicy, in_hundred: int = 95
) -> Expected:
    """The table from kinds seen in the past and how often; the rarest, less than 5 in a hundred together, are left out.

    The published measure knows cards and processors alone, and counts tasks. `LEAST_LOSS` looks at memory too, and a
    task of c cards counts 1 / c: a card taken from it harms it by c cards, although the others stay good for other tasks.
    """
    published = policy != NodePolicy.LEAST_LOSS
    often: dict[_Seen, int] = {}
    for cards, milli, cpu, mem, mask, count in zip(
        needs.cards, needs.milli, needs.cpu, needs.mem, needs.mask, counts, strict=True
    ):
        seen = _Seen(int(cards), int(milli), int(cpu), 0 if published else int(mem), int(mask))
        often[seen] = often.get(seen, 0) + int(count)
    kept = [list(often)[place] for place in most_frequent(list(often.values()), in_hundred)]
    seen_sum = sum(often[one] for one in kept)
    if seen_sum > SEEN_MAX:
        often = {one: often[one] * SEEN_MAX // seen_sum for one in kept}
    if not published:
        often = {one: often[one] * CARD_PARTS // max(1, one.cards) for one in kept}
    total = max(1, sum(often[one] for one in kept))
    return _table(sorted(one for one in kept if one.cards), often, models, total, (1, 0) if published else PARTS)


def _table(kept: list[_Seen], often: dict[_Seen, int], models: int, total: int, parts: tuple[int, int]) -> Expected:
    """`kept` is sorted by shape and processors: rows of a (model, shape) follow each other, least processors first."""
    shapes = sorted({one[:2] for one in kept})
    first, rows = [0], []
    for model in range(models):
        for shape in shapes:
            for one in kept:
                if one[:2] == shape and (one.mask >> model) & 1:
                    rows.append((one.cpu, one.mem, often[one], _rate(shape, one.cpu), _rate(shape, one.mem)))
            first.append(len(rows))
    pieces = np.array([[free // milli for free in range(WHOLE + 1)] for _, milli in shapes], np.int64)
    table = np.array(rows, np.int64).reshape(len(rows), 5)
    cpu, mem, weight, cpu_rate, mem_rate = (table[:, column].copy() for column in range(5))
    return Expected(
        np.array([cards for cards, _ in shapes], np.int64),
        np.array([milli for _, milli in shapes], np.int64),
        np.minimum(pieces, 255).astype(np.uint8).reshape(len(shapes), WHOLE + 1),
        np.array(first, np.int64),
        cpu,
        mem,
        weight,
        cpu_rate,
        mem_rate,
        np.array([total], np.int64),
        np.array(parts, np.int64),
        _steps(total * sum(parts)),
    )


def _rate(shape: tuple[int, int], amount: int) -> int:
    return ((shape[0] * shape[1]) << RATE_BITS) // amount if amount else -1


def _steps(scale: int) -> I64:
    """Level k of 100 * sigmoid(gain / 1000) is reached at gain = 1000 * ln(k / (100 - k)); in units of 1 / scale milli."""
    level = np.arange(1, 100)
    log = np.round(np.log(level / (100 - level)) * 10**9).astype(object)  # exact integers from here on
    return np.array([-((-int(one) * scale) // 10**6) for one in log], np.int64)
