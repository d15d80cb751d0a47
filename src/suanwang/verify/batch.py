"""Check rows of bulk decisions, in sequence, against the raw figures of what exists: nothing of the planner is used.

At no row is a node, a card, a pool, a link, a security pool or a floating resource used beyond what it has; a task is
where its class may be (kind, model, level, region, road and protection from the raw figures, `batch_clauses`), within
its latency bound, at the quoted cost; a gang is whole, on different nodes of one pool;
a release gives back one earlier placement, row by row. Whether a refusal was needed is not checked: it does no harm.
"""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.verify.batch_clauses import clause_faults
from suanwang.verify.batch_rows import Books, Facts, Rows, check_rows, rehash


class BatchFault(IntEnum):
    """What is wrong with a row."""

    NONE = 0
    REASON = 1  # of no known number
    CLASS = 2
    CANDIDATE = 3  # not one of its class
    NODE = 4  # not of the candidate's pool
    LATENCY = 5  # beyond the bound of the class
    COST = 6  # not the quoted one
    CARDS = 7  # not so many, or not there
    CPU_OVER = 8
    MEMORY_OVER = 9
    CARD_OVER = 10
    POOL_OVER = 11
    SHARED_OVER = 12  # a link, a security pool or a floating resource
    GANG = 13  # not whole, not in one place, or twice on a node
    TWICE = 14  # placed while it is placed
    NOT_HELD = 15  # given back without being held so
    REFUSED = 16  # refused, and yet with a place
    KIND = 17  # of another kind than was asked
    MODEL = 18
    LEVEL = 19  # the site's is too low
    REGION = 20  # the site lies in a region that is not allowed
    ROUTE = 21  # does not lead from the origin to the pool's site, or not in the time that it says
    PROTECTION = 22  # misses a function, or has them in another order
    ABILITY = 23  # the pool cannot do something that the class needs


class RowFault(NamedTuple):
    """The first row that is wrong."""

    row: int
    fault: BatchFault


SLOTS = 1 << 10
NODE = np.dtype([("cpu", np.int32), ("mem", np.int32), ("card", np.int16, 8), ("stamp", np.int64)])


class BatchChecker:
    """Books of its own, kept over batches. After a fault they are of no use: begin again from a log."""

    def __init__(self, fabric: Any, classes: Any, slots: int = SLOTS, ground: Any = None, asks: Any = None) -> None:
        """`fabric`, `classes`: anything with the columns of `Facts`. `slots`: tasks held at a time, about; it grows.

        `ground`, `asks`: anything with the columns of `Ground` and `Asks` in `batch_clauses`. With them the static
        clauses of every candidate are checked from the raw figures, once, and no row may use one that is wrong;
        without them (a fabric that knows no sites and roads) candidates are taken as given.
        """
        if (ground is None) != (asks is None):
            raise ValueError("ground and asks are given together, or neither")
        parts = {name: getattr(fabric, name, None) for name in Facts._fields}
        none = np.zeros(len(classes.cand_pool), np.uint8)
        parts["clause"] = none if ground is None else clause_faults(fabric, classes, ground, asks)
        parts = {name: getattr(classes, name) if part is None else part for name, part in parts.items()}
        self.facts = Facts(**{name: np.ascontiguousarray(part) for name, part in parts.items()})
        self.books = _blank(self.facts, slots)

    def check(self, rows: Any) -> RowFault | None:
        """Enter the rows; the first that is wrong, or None. `rows`: anything with the columns of `Rows`."""
        columns = Rows(**{name: np.require(getattr(rows, name), requirements=["C", "W"]) for name in Rows._fields})
        self._make_room(len(columns.task))
        row, fault = check_rows(self.facts, self.books, columns)
        return None if fault == 0 else RowFault(int(row), BatchFault(int(fault)))

    def held(self) -> int:
        """Tasks that hold something."""
        return int(self.books.tally[0])

    def oversubscribed(self) -> int:
        """Figures in use beyond what there is, counted afresh over everything: 0, or the checker itself is wrong."""
        facts, books = self.facts, self.books
        count = np.diff(facts.node_first)
        over = int((books.cpu > np.repeat(facts.shape_cpu, count)).sum())
        over += int((books.mem > np.repeat(facts.shape_mem, count)).sum())
        whole = np.where(np.arange(8) < np.repeat(facts.shape_cards, count)[:, None], 1000, 0)
        over += int((books.card > whole).sum())
        over += int((books.pool > np.stack([facts.pool_cpu, facts.pool_mem, facts.pool_milli], axis=1)).sum())
        return over + int((books.shared > facts.capacity).sum())

    def _make_room(self, more: int) -> None:
        """Keep the table of tasks at most half full."""
        slots = len(self.books.table)
        while 2 * (self.held() + more) > slots:
            slots *= 2
        if slots > len(self.books.table):
            table = _empty_table(slots)
            rehash(self.books.table, table)
            self.books = self.books._replace(table=table)


def _empty_table(slots: int) -> NDArray[np.int64]:
    table = np.zeros((1 << (slots - 1).bit_length(), 4), np.int64)
    table[:, 1] = -1
    return table


def _blank(facts: Facts, slots: int) -> Books:
    nodes, pools = int(facts.node_first[-1]), len(facts.shape_cpu)
    room = np.zeros(nodes * NODE.itemsize + 64, np.uint8)
    first = -room.ctypes.data % 64  # no node lies on two lines of the cache
    used = room[first : first + nodes * NODE.itemsize].view(NODE)
    return Books(
        cpu=used["cpu"],
        mem=used["mem"],
        card=used["card"],
        stamp=used["stamp"],
        pool=np.zeros((pools, 3), np.int64),
        shared=np.zeros(len(facts.capacity), np.int64),
        table=_empty_table(slots),
        tally=np.zeros(2, np.int64),
    )
