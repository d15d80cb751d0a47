"""The tree of tenants as a ladder of heaps: at each level the child with the least share by its weight is first.

A tenant that has tasks of its own and tenants below it stands beside them with its own tasks, at weight 1. Entries of
the heaps are never searched for: a change of a share adds a new entry, and one that is out of date is thrown away when
it comes up.
"""

import heapq
from collections.abc import Callable, Mapping
from math import lcm
from typing import Any, Generic, Protocol, TypeVar

from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId

# A heap is made again when it has this many times the entries that stand, and some.
STALE_FACTOR, STALE_MORE = 4, 64


class Hand(Protocol):
    """What a tenant holds out: its own tasks."""

    def has(self) -> bool: ...


HandT = TypeVar("HandT", bound=Hand)
Entry = tuple[int, int, str, int, "Node[Any]"]


class Node(Generic[HandT]):
    """A tenant with all below it, or (with a hand) a tenant's own tasks."""

    __slots__ = ("hand", "heap", "listed", "members", "name", "parent", "scale", "tenant", "turn", "version", "weight")

    def __init__(self, name: str, tenant: TenantId, parent: "Node[HandT] | None", weight: int) -> None:
        self.name, self.tenant, self.parent, self.weight = name, tenant, parent, weight
        self.hand: HandT | None = None
        self.heap: list[Entry] = []  # of the children: share by weight, last turn, name, version, child
        self.scale = 1  # the least common multiple of the children's weights
        self.version = self.turn = self.members = 0  # children that stand in the heap
        self.listed = False  # in the parent's heap

    def has(self) -> bool:
        return self.hand.has() if self.hand is not None else self.best() is not None

    def best(self) -> "Node[HandT] | None":
        """The child that goes first of those that have something."""
        while self.heap:
            child, version = self.heap[0][4], self.heap[0][3]
            if version == child.version and child.has():
                return child
            heapq.heappop(self.heap)
            if version == child.version:
                child.listed = False
                self.members -= 1
        return None


class Ladder(Generic[HandT]):
    """`share` says what a tenant has, with all below it or alone, in parts of one whole."""

    def __init__(
        self,
        tenants: Mapping[TenantId, Tenant],
        share: Callable[[TenantId, bool], int],
        hand: Callable[[TenantId], HandT],
    ) -> None:
        self._share, self._tenants, self._hand = share, tenants, hand
        self._root: Node[HandT] = Node("", TenantId(""), None, 1)
        self._whole: dict[TenantId, Node[HandT]] = {}
        self._own: dict[TenantId, Node[HandT]] = {}
        self._turns = 0
        weights: dict[TenantId | None, set[int]] = {}
        for one in tenants.values():
            weights.setdefault(one.parent if one.parent in tenants else None, set()).add(one.weight)
        self._scales = {parent: lcm(*some) for parent, some in weights.items()}
        self._root.scale = self._scales.get(None, 1)

    def next(self) -> HandT | None:
        """The hand that goes first; it keeps its place until its share changes."""
        node = self._root
        while node.hand is None:
            child = node.best()
            if child is None:
                return None
            node = child
        return node.hand

    def only(self) -> TenantId | None:
        """The tenant whose hand is the only one here; an empty name where there is none, None where there may be more."""
        node = self._root
        while node.hand is None:
            child = node.best()
            if child is None:
                return TenantId("")
            if node.members > 1:
                return None
            node = child
        return node.tenant

    def hand_of(self, tenant: TenantId) -> HandT:
        """The tenant's own hand."""
        hand = self._node(tenant).hand
        assert hand is not None, "a tenant's own tasks are in its hand"
        return hand

    def offer(self, tenant: TenantId) -> None:
        """The tenant has something now."""
        node: Node[HandT] | None = self._node(tenant)
        while node is not None and node.parent is not None and not node.listed:
            self._list(node)
            node = node.parent

    def served(self, tenant: TenantId) -> None:
        """It had its turn: among equals the others go first now."""
        self._turns += 1
        self._again(tenant, self._turns)

    def touch(self, tenant: TenantId) -> None:
        """What it holds has changed."""
        if tenant in self._own:
            self._again(tenant, None)
        else:  # it has no tasks here, but those above it may
            for one in self._above(tenant):
                self._list_again(one, None)

    def _again(self, tenant: TenantId, turn: int | None) -> None:
        node: Node[HandT] | None = self._node(tenant)
        while node is not None and node.parent is not None:
            self._list_again(node, turn)
            node = node.parent

    def _list_again(self, node: Node[HandT], turn: int | None) -> None:
        node.turn = node.turn if turn is None else turn
        if node.listed:
            self._list(node)

    def _above(self, tenant: TenantId) -> list[Node[HandT]]:
        out: list[Node[HandT]] = []
        at: TenantId | None = tenant
        while at is not None:
            if at in self._whole:
                out.append(self._whole[at])
            found = self._tenants.get(at)
            at = found.parent if found is not None else None
        return out

    def _list(self, node: Node[HandT]) -> None:
        parent = node.parent
        assert parent is not None, "the root is in no heap"
        node.version += 1
        parent.members += not node.listed
        node.listed = True
        heapq.heappush(parent.heap, self._entry(node, parent))
        if len(parent.heap) > STALE_FACTOR * parent.members + STALE_MORE:
            parent.heap = [entry for entry in parent.heap if entry[3] == entry[4].version]
            heapq.heapify(parent.heap)

    def _entry(self, node: Node[HandT], parent: Node[HandT]) -> Entry:
        share = self._share(node.tenant, node.hand is None)
        return (share * (parent.scale // node.weight), node.turn, node.name, node.version, node)

    def _node(self, tenant: TenantId) -> Node[HandT]:
        """The node of a tenant's own tasks, made with those above it where it is new."""
        found = self._own.get(tenant)
        if found is None:
            found = self._own[tenant] = Node(f"{tenant}/", tenant, self._inner(tenant), 1)
            found.hand = self._hand(tenant)
        return found

    def _inner(self, tenant: TenantId) -> Node[HandT]:
        found = self._whole.get(tenant)
        if found is None:
            limits = self._tenants.get(tenant)
            above = limits.parent if limits is not None and limits.parent in self._tenants else None
            parent = self._root if above is None else self._inner(above)
            weight = limits.weight if limits is not None else 1
            found = self._whole[tenant] = Node(tenant, tenant, parent, weight)
            found.scale = self._scales.get(tenant, 1)
        return found
