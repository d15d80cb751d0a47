"""What is free now, with its index and memories; snapshots share their arrays until one side writes."""

import hashlib
import weakref
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suanwang.plan.kernel.choose import Memo, Order
from suanwang.plan.kernel.fragmentation_types import Expected
from suanwang.plan.kernel.index import Free, Index, enter_all, packed
from suanwang.plan.kernel.layout import PARTS, TENTHS, Layout, layout_of
from suanwang.plan.kernel.order import guided_order, policy_order
from suanwang.plan.kernel.scores import Scores, blank_scores, no_scores, own_scores
from suanwang.plan.kernel.types import CARDS_MAX, I32, I64, WHOLE, Classes, Fabric, Guidance, Policy


class Arrays(NamedTuple):
    """All that decisions change."""

    free: Free
    nodes: Index
    memo: Memo
    quota_left: I64  # [X], or empty without guidance
    scores: Scores


def all_free(fabric: Fabric) -> Free:
    """Nothing is held."""
    count = np.diff(fabric.node_first)
    cards = np.repeat(fabric.shape_cards, count)
    return packed(
        cpu=np.repeat(fabric.shape_cpu, count).astype(np.int32),
        mem=np.repeat(fabric.shape_mem, count).astype(np.int32),
        card=np.where(np.arange(CARDS_MAX) < cards[:, None], WHOLE, 0).astype(np.int16),
        pool=np.stack([fabric.pool_cpu, fabric.pool_mem, fabric.pool_milli], axis=1).astype(np.int64),
        shared=fabric.capacity,
    )


def indexed(layout: Layout, free: Free) -> Index:
    """The index of what is free."""
    pools = len(layout.words)
    index = Index(
        bits=np.zeros(layout.total_words, np.uint64),
        sums=np.zeros(layout.total_sum_words, np.uint64),
        row_count=np.zeros((pools, PARTS), np.int32),
        row_mask=np.zeros(pools, np.int64),
        opened_count=np.zeros((pools, TENTHS), np.int32),
        opened_mask=np.zeros(pools, np.int64),
    )
    enter_all(layout, free, index)
    return index


def _needs(classes: Classes) -> tuple[I32, int]:
    """Number of each class's shape of need, and how many there are."""
    shape = np.stack([classes.cpu, classes.mem, classes.cards, classes.milli, classes.nodes], axis=1)
    if not len(shape):
        return np.empty(0, np.int32), 0
    _, number = np.unique(shape, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int32), int(number.max()) + 1


def blank_memo(fabric: Fabric, classes: Classes) -> Memo:
    """Nothing is known yet."""
    pools, (need, needs) = len(fabric.pool_site), _needs(classes)
    return Memo(
        need=need,
        freed=np.zeros(pools, np.int32),
        full=np.zeros((needs, pools), np.int32),
        cursor=np.zeros((len(classes.cpu), 2), np.int32),
        cursor_at=np.full(len(classes.cpu), -1, np.int64),
        epoch=np.zeros(1, np.int64),
        passed=np.zeros(3, np.int64),
    )


class State:
    """One writer decides on it. `arrays` may be read freely; write only through `decide`, `release` and `apply`."""

    def __init__(self, fabric: Fabric, classes: Classes, free: Free | None = None) -> None:
        self.fabric = fabric
        self.classes = classes
        self.layout = layout_of(fabric)
        self.version = 0  # rows that took effect
        self.guidance: Guidance | None = None
        self.expected: Expected | None = None
        free = all_free(fabric) if free is None else packed(*free)
        memo = blank_memo(fabric, classes)
        self.arrays = Arrays(free, indexed(self.layout, free), memo, np.empty(0, np.int64), no_scores())
        self._orders: dict[Policy | None, Order] = {}
        self._followed: Order | None = None  # whose positions the cursors are
        self._holders: weakref.WeakSet[State] = weakref.WeakSet([self])

    def snapshot(self) -> "State":
        """The state as it is now; costs nothing until one of the two is written, which then copies for itself."""
        other = object.__new__(State)
        other.__dict__.update(self.__dict__)
        other._orders = dict(self._orders)
        self._holders.add(other)
        return other

    def own(self) -> Arrays:
        """The arrays, to be written: copied first where a snapshot still shares them."""
        if len(self._holders) > 1:
            self._holders.discard(self)
            old = self.arrays
            self.arrays = Arrays(
                packed(*old.free),
                Index._make(part.copy() for part in old.nodes),
                Memo._make(part.copy() for part in old.memo),
                old.quota_left.copy(),
                own_scores(old.scores),
            )
            self._holders = weakref.WeakSet([self])
        return self.arrays

    def guide(self, guidance: Guidance | None) -> None:
        """Follow this guidance from now on; its quotas start anew."""
        order = None if guidance is None else guided_order(self.classes, guidance)
        arrays = self.own()
        quota = np.empty(0, np.int64) if guidance is None else guidance.quota.astype(np.int64).copy()
        self.arrays = arrays._replace(quota_left=quota)
        self.guidance = guidance
        self._orders.pop(None, None)
        if order is not None:
            self._orders[None] = order
        arrays.memo.epoch[0] += 1

    def mind(self, expected: Expected | None) -> None:
        """Choose nodes of pools with cards by LEAST_LOSS of room for what is expected (`scores.expected_of`); None: by bits.

        Raises ValueError where the table is of other models.
        """
        self.expected = expected
        self.arrays = self.own()._replace(scores=self._blank_scores())

    def _blank_scores(self) -> Scores:
        if self.expected is None:
            return no_scores()
        return blank_scores(self.layout, self.fabric, self.classes, self.expected)

    def order(self, policy: Policy) -> Order:
        """The candidates as they are tried; guidance counts for CHEAPEST alone."""
        key = None if policy == Policy.CHEAPEST and self.guidance is not None else policy
        if key not in self._orders:
            self._orders[key] = policy_order(self.fabric, self.classes, policy)
        return self._orders[key]

    def follow(self, policy: Policy) -> Order:
        """The order to decide by now, on arrays of its own: cursors are positions in one order, and begin anew in another."""
        order = self.order(policy)
        if order is not self._followed:
            self.own().memo.epoch[0] += 1
            self._followed = order
        return order

    def extend(self, classes: Classes) -> None:
        """Know more classes: those known stay as they are, with their candidates, and new ones follow them."""
        columns: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(classes, self.classes, strict=True))
        if not all(np.array_equal(new[: len(old)], old) for new, old in columns):
            raise ValueError("known classes have changed")
        if self.guidance is not None:
            raise ValueError("guidance is of the known classes: drop it first")
        arrays = self.own()
        self.classes = classes
        self.arrays = arrays._replace(memo=blank_memo(self.fabric, classes), scores=self._blank_scores())
        self._orders = {}

    def digest(self) -> str:
        """Hash of all that is free, of the quotas left and of what is expected: two states with one digest decide alike."""
        digest = hashlib.blake2b(digest_size=16)
        version = -1 if self.guidance is None else self.guidance.version
        digest.update(str(version).encode())
        for part in (*self.arrays.free, self.arrays.quota_left, *(self.expected or ())):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()
