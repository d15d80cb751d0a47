"""Where each pool's bits lie in the node index: one matrix of bits a pool, a row a property, a column a node.

A pool with cards has rows
    0..8    exactly so many whole free cards
    9..18   the largest opened card has so many tenths left (nodes without an opened card: in none of them)
    19..50  at least so many steps of free processor
    51..82  at least so many steps of free memory
and a pool without cards
    0..31   exactly so many steps of free processor
    32..63  at least so many steps of free memory
A step is the power of two that makes at most 31 steps of a whole node. The index is a function of what is free and of
nothing else: the same free figures give the same bits, by whatever road they came about.
"""

from typing import NamedTuple

import numpy as np

from suanwang.net.jit import inner
from suanwang.plan.kernel.types import I32, I64, Fabric

STEPS = 32
OPENED = 9  # first row of opened cards
TENTHS = 10
CARDED_CPU = OPENED + TENTHS
CARDED_MEM = CARDED_CPU + STEPS
CARDED_ROWS = CARDED_MEM + STEPS
BARE_MEM = STEPS
BARE_ROWS = BARE_MEM + STEPS


class Layout(NamedTuple):
    """Static; made once from the fabric."""

    node_first: I32  # [P+1]
    bit_first: I64  # [P] first word of the pool's matrix
    words: I32  # [P] words of a row
    sum_first: I64  # [P] first word of the pool's sums: bit w of a row's sum says that word w of the row is not 0
    sum_words: I32  # [P] words of a row's sum; only rows of exact figures have one
    cpu_shift: I32  # [P] free >> shift = steps
    mem_shift: I32  # [P]
    cards: I32  # [P] of a node
    shape_cpu: I32  # [P]
    shape_mem: I32  # [P]
    capacity: I64  # [R]
    pool_whole: I64  # [P, 3] cpu, mem, milli that the pool has
    total_words: int
    total_sum_words: int


def _shift(shape: I32) -> I32:
    """Least shift that leaves at most STEPS - 1."""
    shift = np.zeros(len(shape), np.int32)
    while (over := (shape.astype(np.int64) >> shift) >= STEPS).any():
        shift[over] += 1
    return shift


def layout_of(fabric: Fabric) -> Layout:
    """Place every pool's matrix one after the other."""
    nodes = np.diff(fabric.node_first).astype(np.int64)
    words = (nodes + 63) >> 6
    size = words * np.where(fabric.shape_cards > 0, CARDED_ROWS, BARE_ROWS)
    sum_words = (words + 63) >> 6
    sum_size = sum_words * np.where(fabric.shape_cards > 0, CARDED_CPU, BARE_MEM)
    ends, sum_ends = np.cumsum(size), np.cumsum(sum_size)
    return Layout(
        node_first=fabric.node_first.astype(np.int32),
        bit_first=ends - size,
        words=words.astype(np.int32),
        sum_first=sum_ends - sum_size,
        sum_words=sum_words.astype(np.int32),
        cpu_shift=_shift(fabric.shape_cpu),
        mem_shift=_shift(fabric.shape_mem),
        cards=fabric.shape_cards.astype(np.int32),
        shape_cpu=fabric.shape_cpu.astype(np.int32),
        shape_mem=fabric.shape_mem.astype(np.int32),
        capacity=fabric.capacity.astype(np.int64),
        pool_whole=np.stack([fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli], axis=1).astype(np.int64),
        total_words=int(ends[-1]) if len(ends) else 0,
        total_sum_words=int(sum_ends[-1]) if len(ends) else 0,
    )


@inner
def mem_row(layout: Layout, pool: int) -> int:
    """First row of the steps of memory."""
    if layout.cards[pool] > 0:
        return CARDED_MEM
    return BARE_MEM
