"""Where each pool's bits lie in the node index: one matrix of bits a pool, a row a property, a column a node.

A pool with cards has rows
    0..8    exactly so many whole free cards
    9..18   the largest opened card has so many tenths left (nodes without an opened card: in none of them)
and a pool without cards
    0..31   exactly so many 31sts of free processor, about: a 31st is rounded up to a power of two
and every pool then has rows
    24      at least so many steps of free processor
    24      at least so many steps of free memory
The rows of exact figures are the order in which nodes are tried, the others sift. Steps are fine where little is left,
since the nodes of a busy pool are nearly full: 0, 1, 2, 3, 4, 6, 8, 12, 16, .. units, where a unit is the power of two
of which a whole node has less than 4,096. The index is a function of what is free and of nothing else: the same free
figures give the same bits, by whatever road they came about.
"""

from typing import NamedTuple

import numpy as np

from suanwang.net.jit import inner
from suanwang.plan.kernel.types import I32, I64, U8, Fabric

PARTS = 32  # rows of exact processor
OPENED = 9  # first row of opened cards
TENTHS = 10
CARDED_EXACT = OPENED + TENTHS
STEPS = 24
UNITS = 1 << (STEPS // 2)


class Layout(NamedTuple):
    """Static; made once from the fabric."""

    node_first: I32  # [P+1]
    bit_first: I64  # [P] first word of the pool's matrix
    words: I32  # [P] words of a row
    sum_first: I64  # [P] first word of the pool's sums: bit w of a row's sum says that word w of the row is not 0
    sum_words: I32  # [P] words of a row's sum; only rows of exact figures have one
    exact: I32  # [P] rows of exact figures: 32, or 19 with cards
    part_shift: I32  # [P] free processor >> shift = number of 31sts
    cpu_shift: I32  # [P] free >> shift = units
    mem_shift: I32  # [P]
    step: U8  # [UNITS] units -> steps
    cards: I32  # [P] of a node
    shape_cpu: I32  # [P]
    shape_mem: I32  # [P]
    capacity: I64  # [R]
    pool_whole: I64  # [P, 3] cpu, mem, milli that the pool has
    total_words: int
    total_sum_words: int


def _shift(shape: I32, most: int) -> I32:
    """Least shift that leaves at most `most`."""
    shift = np.zeros(len(shape), np.int32)
    while (over := (shape.astype(np.int64) >> shift) > most).any():
        shift[over] += 1
    return shift


def _steps() -> U8:
    """Steps of so many units: two to each doubling."""
    edges = sorted({0, 1} | {(2 + half) << power for power in range(STEPS // 2 - 1) for half in (0, 1)})
    return (np.searchsorted(edges, np.arange(UNITS), side="right") - 1).astype(np.uint8)


def layout_of(fabric: Fabric) -> Layout:
    """Place every pool's matrix one after the other."""
    nodes = np.diff(fabric.node_first).astype(np.int64)
    words = (nodes + 63) >> 6
    exact = np.where(fabric.shape_cards > 0, CARDED_EXACT, PARTS)
    size = words * (exact + 2 * STEPS)
    sum_words = (words + 63) >> 6
    sum_size = sum_words * exact
    ends, sum_ends = np.cumsum(size), np.cumsum(sum_size)
    return Layout(
        node_first=fabric.node_first.astype(np.int32),
        bit_first=ends - size,
        words=words.astype(np.int32),
        sum_first=sum_ends - sum_size,
        sum_words=sum_words.astype(np.int32),
        exact=exact.astype(np.int32),
        part_shift=_shift(fabric.shape_cpu, PARTS - 1),
        cpu_shift=_shift(fabric.shape_cpu, UNITS - 1),
        mem_shift=_shift(fabric.shape_mem, UNITS - 1),
        step=_steps(),
        cards=fabric.shape_cards.astype(np.int32),
        shape_cpu=fabric.shape_cpu.astype(np.int32),
        shape_mem=fabric.shape_mem.astype(np.int32),
        capacity=fabric.capacity.astype(np.int64),
        pool_whole=np.stack([fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli], axis=1).astype(np.int64),
        total_words=int(ends[-1]) if len(ends) else 0,
        total_sum_words=int(sum_ends[-1]) if len(ends) else 0,
    )


@inner
def cpu_row(layout: Layout, pool: int, cpu: int) -> int:
    """Row of the nodes with as many steps of processor."""
    return int(layout.exact[pool]) + int(layout.step[cpu >> layout.cpu_shift[pool]])


@inner
def mem_row(layout: Layout, pool: int, mem: int) -> int:
    """Row of the nodes with as many steps of memory."""
    return int(layout.exact[pool]) + STEPS + int(layout.step[mem >> layout.mem_shift[pool]])
