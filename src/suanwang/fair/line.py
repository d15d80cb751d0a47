"""The waiting tasks, by tenant and by kind of need.

Tasks of one kind need the same, so where one finds no room none does: the kind is set aside as a whole, at the cost of
one look, and woken as a whole by what may cure it. A kind that was woken is looked at one task first, then two, then
four, so a million of them cost no more than one where there is still no room.
"""

import heapq
from collections.abc import Callable, Hashable, Mapping

from suanwang.fair.ladder import Ladder
from suanwang.fair.shares import Shares
from suanwang.model.grid import Tenant
from suanwang.model.ids import PoolId, TaskId, TenantId
from suanwang.model.share import NOTHING, Amounts, plus
from suanwang.model.tenants import path_of

# A task of this priority or more goes before everything of less, whosever it is. Who may ask for it is the
# operator's word (`priority_max` of the tenant).
URGENT = 90
# Of a kind that never waited so many are looked at in one round, then twice as many while all of them find room.
WINDOW_FIRST, WINDOW_MAX = 32, 1 << 20
# Of kinds that were just woken, so many in one round: what is new must not wait for all of them to be looked at.
PROBES_MAX = 16


class Kind:
    """One need: what it takes, where it could run, and whether it is known to find no room."""

    __slots__ = (
        *("key", "need", "cores", "cards", "pools", "networked", "social"),
        *("shelves", "parked", "blocked", "tried", "window", "taken"),
    )

    def __init__(
        self,
        key: Hashable,
        need: Amounts,
        quota: tuple[int, int],
        pools: frozenset[PoolId],
        networked: bool = False,
        social: bool = False,
    ) -> None:
        self.key, self.need, (self.cores, self.cards) = key, need, quota
        self.pools = pools  # could serve it, by what never changes
        self.networked, self.social = networked, social  # holds bandwidth; where it may run depends on other tasks
        self.shelves: dict[tuple[TenantId, bool], Shelf] = {}
        self.parked: dict[Shelf, None] = {}  # set aside until the kind is woken
        self.blocked = False
        self.tried: dict[TenantId, int] = {}  # the highest priority of each tenant that found no room, since then
        self.window = WINDOW_FIRST  # of its tasks in one round
        self.taken = 0  # in this round


class Shelf:
    """The tasks of one tenant and kind, by priority and then age."""

    __slots__ = ("heap", "kind", "live", "number", "parked", "tenant", "urgent")

    def __init__(self, tenant: TenantId, kind: Kind, urgent: bool, number: int) -> None:
        self.tenant, self.kind, self.urgent, self.number = tenant, kind, urgent, number
        self.heap: list[tuple[int, int, TaskId]] = []  # priority below zero, order of submission, task
        self.live = 0  # tasks of the heap that still wait
        self.parked: dict[Shelf, None] | None = None  # where it is set aside


class Hand:
    """What one tenant has open, its best shelf first."""

    __slots__ = ("heads", "inside")

    def __init__(self, inside: Mapping[TaskId, Shelf]) -> None:
        self.inside = inside
        self.heads: list[tuple[int, int, int, Shelf]] = []

    def show(self, shelf: Shelf) -> bool:
        """Put a shelf where its first task belongs. False: it is empty."""
        while shelf.heap and shelf.heap[0][2] not in self.inside:
            heapq.heappop(shelf.heap)
        if not shelf.heap:
            return False
        heapq.heappush(self.heads, (*shelf.heap[0][:2], shelf.number, shelf))
        return True

    def best(self) -> Shelf | None:
        while self.heads:
            shelf = self.heads[0][3]
            first = shelf.heap[0] if shelf.heap else None
            if first is not None and shelf.parked is None and first[:2] == self.heads[0][:2]:
                if first[2] in self.inside:
                    return shelf
                heapq.heappop(self.heads)  # the task has left: the next one of the shelf says where it belongs
                self.show(shelf)
            else:
                heapq.heappop(self.heads)
        return None

    def has(self) -> bool:
        return self.best() is not None


class Line:
    """Whose turn it is. `held` says what a tenant holds, with all below it (True) or alone."""

    def __init__(
        self, totals: Amounts, tenants: Mapping[TenantId, Tenant], held: Callable[[TenantId, bool], Amounts]
    ) -> None:
        self.shares, self._tenants, self._held = Shares.of(totals), tenants, held
        self.inside: dict[TaskId, Shelf] = {}
        self.kinds: dict[Hashable, Kind] = {}
        self._taken: dict[TaskId, Shelf] = {}  # in this round
        self._rest: dict[Shelf, None] = {}  # set aside until the next round
        self.may_displace: Callable[[], bool] = lambda: False  # whether anybody could give way to a higher priority
        self.gone: Callable[[Shelf], None] = lambda _: None  # told of every shelf that has no task left
        self._extra: dict[tuple[TenantId, bool], Amounts] = {}  # of what was taken in this round
        self._touched: dict[TenantId, None] = {}
        self._numbers = 0
        self._ladders = self._made()

    def _made(self) -> tuple[Ladder[Hand], Ladder[Hand]]:
        """The urgent and the others."""
        one = Ladder(self._tenants, self._share, lambda _: Hand(self.inside))
        two = Ladder(self._tenants, self._share, lambda _: Hand(self.inside))
        return one, two

    def _share(self, tenant: TenantId, whole: bool) -> int:
        held, extra = self._held(tenant, whole), self._extra.get((tenant, whole), NOTHING)
        return self.shares.dominant(plus(held, extra))

    def tree_changed(self) -> None:
        """Tenants were set."""
        self._ladders = self._made()
        for kind in self.kinds.values():
            for shelf in kind.shelves.values():
                if shelf.parked is None:
                    self._open(shelf)

    def touch(self, tenant: TenantId) -> None:
        """What the tenant holds has changed. Its place is found again when somebody asks for the next."""
        self._touched[tenant] = None

    def _settle(self) -> None:
        for tenant in self._touched:
            for ladder in self._ladders:
                ladder.touch(tenant)
        self._touched = {}

    # -- tasks come and go -------------------------------------------------------------------------------------

    def add(
        self, task_id: TaskId, tenant: TenantId, priority: int, order: int, key: Hashable, make: Callable[[], Kind]
    ) -> None:
        """A task waits to be looked at; `make` makes its kind where that is new."""
        kind = self.kinds.get(key)
        if kind is None:
            kind = self.kinds[key] = make()
        urgent = priority >= URGENT
        shelf = kind.shelves.get((tenant, urgent))
        if shelf is None:
            self._numbers += 1
            shelf = kind.shelves[tenant, urgent] = Shelf(tenant, kind, urgent, self._numbers)
        self._leave(task_id)
        self.inside[task_id] = shelf
        shelf.live += 1
        first = not shelf.heap or (-priority, order) < shelf.heap[0][:2]
        heapq.heappush(shelf.heap, (-priority, order, task_id))
        if first and shelf.parked is kind.parked and self._passes(shelf):
            self.open(shelf)
        elif first and shelf.parked is None:
            self._open(shelf)

    def remove(self, task_id: TaskId) -> None:
        """A task waits no more. What is left of it in a heap is thrown away when it comes up."""
        self._leave(task_id)

    def _leave(self, task_id: TaskId) -> None:
        shelf = self.inside.pop(task_id, None)
        if shelf is not None:
            shelf.live -= 1
            if not shelf.live:
                self._forget(shelf)

    def _open(self, shelf: Shelf) -> None:
        ladder = self._ladders[0 if shelf.urgent else 1]
        if ladder.hand_of(shelf.tenant).show(shelf):
            ladder.offer(shelf.tenant)

    def _forget(self, shelf: Shelf) -> None:
        """A shelf without a task, and its kind with the last of its shelves, unless a task of it is being decided."""
        kind = shelf.kind
        if shelf.parked is not None:
            shelf.parked.pop(shelf, None)
        shelf.heap, shelf.parked = [], None
        if kind.shelves.get((shelf.tenant, shelf.urgent)) is shelf:
            del kind.shelves[shelf.tenant, shelf.urgent]
        if not kind.shelves and not kind.taken and self.kinds.get(kind.key) is kind:
            del self.kinds[kind.key]
        self.gone(shelf)

    # -- a round -----------------------------------------------------------------------------------------------

    def take(self, limit: int, may: Callable[[Shelf], bool]) -> list[TaskId]:
        """The next tasks to look at. Each counts as held until `end_round`; a shelf that `may` not go is set aside
        by whoever refuses it."""
        self._settle()
        out: list[TaskId] = []
        alone, need, turns = self._alone(), NOTHING, [False, False]
        probes = 0
        while len(out) < limit:
            hand = self._ladders[0].next() or self._ladders[1].next()
            shelf = hand.best() if hand is not None else None
            if hand is None or shelf is None:
                break
            kind = shelf.kind
            if kind.blocked and not self._passes(shelf):
                self.park(shelf, kind.parked)
            elif kind.taken >= kind.window or (kind.window == 1 and probes >= PROBES_MAX):
                self.park(shelf, self._rest)
            elif may(shelf):
                probes += kind.window == 1
                out.append(self._pop(hand, shelf))
                if alone is None:
                    self._served(shelf.tenant, kind.need, shelf.urgent)
                else:
                    need, turns[shelf.urgent] = plus(need, kind.need), True
            else:
                assert shelf.parked is not None, "who refuses a shelf sets it aside"
        for urgent, had in enumerate(turns):
            if had and alone is not None:
                self._served(alone, need, bool(urgent))
                need = NOTHING
        return out

    def _alone(self) -> TenantId | None:
        """The one tenant with anything to look at: whose turn it is need not be found again after each of its tasks."""
        urgent, others = (ladder.only() for ladder in self._ladders)
        if urgent == others or "" in (urgent, others):
            return urgent or others or None
        return None

    def _pop(self, hand: Hand, shelf: Shelf) -> TaskId:
        task_id = heapq.heappop(shelf.heap)[2]
        self._taken[task_id] = shelf
        shelf.kind.taken += 1
        self._leave(task_id)
        hand.show(shelf)
        return task_id

    def _served(self, tenant: TenantId, need: Amounts, urgent: bool) -> None:
        """A tenant had its turn: what was taken counts as held."""
        self._charge(tenant, need)
        self._ladders[0 if urgent else 1].served(tenant)
        self._ladders[1 if urgent else 0].touch(tenant)

    def _charge(self, tenant: TenantId, need: Amounts) -> None:
        keys = [(tenant, False), *((one, True) for one in path_of(tenant, self._tenants))]
        for key in keys:
            self._extra[key] = plus(self._extra.get(key, NOTHING), need)

    def shelf_of(self, task_id: TaskId) -> Shelf:
        """Of a task that was taken in this round."""
        return self._taken[task_id]

    def park(self, shelf: Shelf, where: dict[Shelf, None]) -> None:
        """Set a shelf aside until somebody opens what is in there."""
        if shelf.parked is not where:
            if shelf.parked is not None:
                shelf.parked.pop(shelf, None)
            shelf.parked = where
            where[shelf] = None

    def open_all(self, where: dict[Shelf, None]) -> None:
        """What was set aside in there, and not elsewhere since, is looked at again."""
        for shelf in list(where):
            if shelf.parked is where:
                self.open(shelf)

    def open(self, shelf: Shelf) -> None:
        """A shelf that was set aside is looked at again."""
        if shelf.parked is not None:
            shelf.parked.pop(shelf, None)
        shelf.parked = None
        self._open(shelf)

    def block(self, kind: Kind, tenant: TenantId, priority: int) -> None:
        """A task of the kind, of that tenant and priority, found no room."""
        kind.blocked = True
        kind.tried[tenant] = max(priority, kind.tried.get(tenant, priority))

    def _passes(self, shelf: Shelf) -> bool:
        """Whether the first task of a shelf is looked at although its kind found no room: others may give way to it
        that did not to those of the kind that were looked at."""
        tried = shelf.kind.tried.get(shelf.tenant)
        return self.may_displace() and bool(shelf.heap) and (tried is None or -shelf.heap[0][0] > tried)

    def set_back(self, kind: Kind) -> None:
        """A look at the kind brought nothing: the next ones begin small."""
        kind.window = 0

    def wake(self, kind: Kind) -> None:
        """There may be room for the kind: one of it is looked at first."""
        kind.blocked, kind.window, kind.tried = False, 1, {}
        self.open_all(kind.parked)

    def end_round(self) -> None:
        """What was taken is decided: only what is held counts from here on."""
        tenants = {tenant for tenant, whole in self._extra if not whole}
        self._extra = {}
        for tenant in sorted(tenants):
            self.touch(tenant)
        for shelf in self._taken.values():
            kind = shelf.kind
            if kind.taken and not kind.blocked:
                kind.window = min(max(1, 2 * kind.window), WINDOW_MAX)
            kind.taken = 0
            if not kind.shelves:
                self.kinds.pop(kind.key, None)
        self._taken = {}
        self.open_all(self._rest)

    def waiting(self) -> dict[TenantId, int]:
        """The waiting tasks of each tenant itself. Looks at every kind, and at no task."""
        out: dict[TenantId, int] = {}
        for kind in self.kinds.values():
            for shelf in kind.shelves.values():
                out[shelf.tenant] = out.get(shelf.tenant, 0) + shelf.live
        return out

    def is_ready(self) -> bool:
        """Whether a round would find something. A kind that found no room may still stand first: then it is set aside."""
        self._settle()
        return any(ladder.next() is not None for ladder in self._ladders)
