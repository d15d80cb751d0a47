"""Which waiting tasks are looked at, and when: whose turn it is, what woke, and what was last said of them.

Nothing of this is in the log: waking a task and finding that it must wait on changes nothing that anyone could see.
It is forgotten with the process, and after a start everything that waits may be looked at. No call here looks through
all that waits: a tick costs what has become due, a round what it looks at.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction

from suanwang.dispatch.company import binds, helps
from suanwang.dispatch.kinds import Places, key_of, kind_of
from suanwang.fair import Kind, Line, Shelf
from suanwang.model.compact import AnyPlan, CompactPlan
from suanwang.model.ids import PoolId, TaskId, TenantId
from suanwang.model.plan import ClauseCount
from suanwang.model.reason import PAUSES, WaitReason
from suanwang.model.record import (
    AttemptClosed,
    AttemptOpened,
    LinkChanged,
    PathRepaired,
    PlanCommitted,
    PlanDropped,
    Record,
    SecurityPoolChanged,
    SiteChanged,
    SiteOrdered,
    TaskAdmitted,
    TaskEnded,
    TaskRefused,
    TaskWaits,
    TenantSet,
)
from suanwang.model.reservation import ReservationBroken, ReservationEnded, ReservationMoved
from suanwang.model.share import NOTHING, Amounts, totals_of
from suanwang.model.snapshot import SiteOrder
from suanwang.model.task import Preference, TaskRequest
from suanwang.observe.lending import may_hold
from suanwang.observe.moments import Moments
from suanwang.observe.state import State, Task

# While a task waits on for the same reason, its clause counts are written down again no more often than this.
SAY_EVERY_US = 60_000_000
# Plans of one tenant that start later than this for want of room: its first few keep their place in the calendar, so
# that large tasks are not passed by for ever, and a flood does not fill the calendar for weeks.
BOOKED_AHEAD_US = 1_000_000
BOOKED_MAX = 8
# With a deadline, a later start may be a cheaper hour, and a place not kept a deadline lost.
BOOKED_TO_DEADLINE_MAX = 256

Clauses = tuple[ClauseCount, ...]


class Waits:
    """Follows the log; `take` gives the next tasks to look at."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.line = Line(totals_of(state.index), state.tenants, self._held)
        self.late, self.pauses = Moments(), Moments()
        self.turned_away: list[TaskId] = []  # by their tenant's quota, in the last round
        self._within: dict[tuple[TenantId, int, int], bool] = {}  # whose quota leaves room for what, in this round
        self.preemptible: dict[TaskId, Task] = {}  # with a plan that may give way
        self.places = Places(state.index)
        self._said: dict[TaskId, tuple[int, WaitReason, Clauses]] = {}
        self._aside: dict[frozenset[PoolId], dict[Kind, None]] = {}  # kinds by the pools that could serve them
        self._by_pool: dict[PoolId, list[frozenset[PoolId]]] = {}
        self._networked: dict[Kind, None] = {}
        self._social: dict[TenantId, dict[Kind, TaskRequest]] = {}  # set aside; with one of its tasks
        self._kept_out: set[TaskId] = set()  # from some site, by tasks that name their tags
        self._moved: list[tuple[TenantId, TaskRequest, bool]] = []  # who came to a site (True), or left one
        self._freed: dict[PoolId, None] = {}
        self._network_freed = self._anything = False
        self.network_freed = 0  # how often something of the network was let go of
        self._booked: dict[tuple[TenantId, bool], dict[TaskId, None]] = {}
        self._full: dict[tuple[TenantId, bool], dict[Shelf, None]] = {}
        self._over_quota: dict[TenantId, dict[Shelf, None]] = {}  # by the top of the tenant's tree
        self.line.may_displace, self.line.gone = (lambda: bool(self.preemptible)), self._gone
        for task in (*state.queue.values(), *state.blocked.values()):
            self.add(task)
        for task in state.paused.values():
            self._pause(task)
        for task_id in state.following.leaders:
            self._watch_deadline(state.tasks[task_id])
        for group in (state.planned, *state.by_site.values()):
            self.preemptible |= {one.task_id: one for one in group.values() if _may_give_way(one)}
        for task in state.planned.values():
            assert task.plan is not None, "a planned task has its plan"
            self._book(task, task.plan, task.plan.start_us - BOOKED_AHEAD_US - 1)

    def _held(self, tenant: TenantId, whole: bool) -> Amounts:
        tally = self.state.tally
        load = tally.together(tenant) if whole else tally.own.get(tenant)
        return load.held if load is not None else NOTHING

    # -- a round -----------------------------------------------------------------------------------------------

    def take(self, limit: int) -> list[Task]:
        """The next tasks to look at; every one of them gets a record, or `in_vain` or `book_full` is told."""
        self._wake()
        self._reopen_booked()
        self.turned_away = []
        self._within = {}
        return [self.state.tasks[task_id] for task_id in self.line.take(limit, self._may)]

    def is_ready(self) -> bool:
        """Whether a round might find something to look at."""
        return bool(self._freed) or self._network_freed or bool(self._moved) or self._anything or self.line.is_ready()

    def _may(self, shelf: Shelf) -> bool:
        """Whether the quota leaves room; else the shelf waits until somebody of its tree lets go."""
        asked = (shelf.tenant, shelf.kind.cores, shelf.kind.cards)
        within = self._within.get(asked)
        if within is None:
            within = self._within[asked] = may_hold(self.state.tally, *asked)
        if within:
            return True
        self.turned_away.append(shelf.heap[0][2])
        self.line.park(shelf, self._over_quota.setdefault(self._top(shelf.tenant), {}))
        return False

    def _top(self, tenant: TenantId) -> TenantId:
        return self.state.tally.path(tenant)[-1]

    def in_vain(self, task: Task, reason: WaitReason, clauses: Clauses, now_us: int) -> bool:
        """A look found no room: the whole kind is set aside. True where that is worth a record of the task."""
        kind = self.line.shelf_of(task.task_id).kind
        if binds(clauses) and not kind.social:  # others that name its tags keep it out: not so the rest of its kind
            self._kept_out.add(task.task_id)
            self.add(task)
            kind = self.line.inside[task.task_id].kind
        self.line.block(kind, task.tenant, task.priority)
        self._set_aside(task, kind)
        return self.say(task.task_id, reason, clauses, now_us)

    def put_back(self, task: Task) -> None:
        """A task that was taken and not decided stays where it was."""
        self.add(task)

    def book_full(self, task: Task) -> None:
        """It would start later, and its tenant keeps as many places in the calendar as it may."""
        kind = self.line.shelf_of(task.task_id).kind
        self.line.set_back(kind)
        shelf = self._set_aside(task, kind)
        self._full.setdefault(_book_of(task), {})[shelf] = None

    def _set_aside(self, task: Task, kind: Kind) -> Shelf:
        self.add(task)
        shelf = self.line.inside[task.task_id]
        self.line.park(shelf, kind.parked)
        self._watch(kind, task)
        return shelf

    def say(self, task_id: TaskId, reason: WaitReason, clauses: Clauses, now_us: int) -> bool:
        """Whether this is worth a record: the reason is new, or its counts are and a while has passed."""
        said = self._said.get(task_id)
        silent = said is not None and said[1] is reason and (said[2] == clauses or now_us - said[0] < SAY_EVERY_US)
        if not silent:
            self._said[task_id] = (now_us, reason, clauses)
        return not silent

    def end_round(self) -> None:
        """Every task that was taken is decided."""
        self.line.end_round()

    def pools_of(self, task: Task) -> frozenset[PoolId]:
        """The pools that could ever serve a task."""
        assert task.request is not None, "a live task has its request"
        return self.places.of(task.request)

    def rank(self, task: Task) -> tuple[list[Fraction], int, int]:
        """To sort a few tasks by the shares of their tenants from the top of the tree down, priority and age."""
        shares, tenants = self.line.shares, self.state.tenants
        way = reversed(self.state.tally.path(task.tenant))
        weighted = [shares.fraction(self._held(one, True)) / tenants[one].weight for one in way]
        return weighted, -task.priority, task.order

    # -- waking ------------------------------------------------------------------------------------------------

    def _watch(self, kind: Kind, task: Task) -> None:
        group = self._aside.get(kind.pools)
        if group is None:
            group = self._aside[kind.pools] = {}
            for pool in sorted(kind.pools):
                self._by_pool.setdefault(pool, []).append(kind.pools)
        group[kind] = None
        if kind.networked:
            self._networked[kind] = None
        if kind.social:
            assert task.request is not None, "a live task has its request"
            self._social.setdefault(task.tenant, {})[kind] = task.request

    def _wake(self) -> None:
        """Wake the kinds that what was freed could serve."""
        kinds: dict[Kind, None] = {}
        if self._anything:
            groups: Iterable[frozenset[PoolId]] = list(self._aside)
            self._open_quotas(list(self._over_quota))
        else:
            groups = dict.fromkeys(group for pool in self._freed for group in self._by_pool.get(pool, ()))
        for group in groups:
            kinds |= self._aside[group]
        if self._network_freed:
            kinds |= self._networked
        for tenant, moved, came in self._moved:
            of_tenant = self._social.get(tenant, {})
            kinds |= dict.fromkeys(kind for kind, waiting in of_tenant.items() if helps(moved, came, waiting))
        self._freed, self._network_freed, self._moved, self._anything = {}, False, [], False
        for kind in kinds:
            self._aside[kind.pools].pop(kind, None)
            self._networked.pop(kind, None)
            for of_tenant in self._social.values() if kind.social else ():
                of_tenant.pop(kind, None)
            self.line.wake(kind)

    def _reopen_booked(self) -> None:
        for book, shelves in list(self._full.items()):
            places = _places_of(book) - len(self._booked.get(book, ()))
            while shelves and places > 0:
                shelf = next(iter(shelves))
                del shelves[shelf]
                if shelf.parked is shelf.kind.parked and not shelf.kind.blocked:
                    self.line.open(shelf)
                    places -= 1
            if not shelves:
                del self._full[book]

    def _open_quotas(self, tops: Iterable[TenantId]) -> None:
        for top in tops:
            self.line.open_all(self._over_quota.pop(top, {}))

    def _gone(self, shelf: Shelf) -> None:
        """A shelf has no task left; with the last shelf of a kind nobody waits for what could wake it."""
        for to_deadline in (False, True) if self._full else ():
            full = self._full.get((shelf.tenant, to_deadline))
            if full is not None and full.pop(shelf, shelf) is None and not full:
                del self._full[shelf.tenant, to_deadline]
        kind = shelf.kind
        if not kind.shelves:
            self._aside.get(kind.pools, {}).pop(kind, None)
            self._networked.pop(kind, None)
            self._social.get(shelf.tenant, {}).pop(kind, None)

    # -- places in the calendar --------------------------------------------------------------------------------

    def is_booked_out(self, task: Task, plan: AnyPlan, now_us: int) -> bool:
        """Whether the plan only keeps a place for later, and its tenant has enough of those."""
        book = _book_of(task)
        return _is_later(task, plan, now_us) and len(self._booked.get(book, ())) >= _places_of(book)

    def _book(self, task: Task, plan: AnyPlan, now_us: int) -> None:
        if _is_later(task, plan, now_us):
            self._booked.setdefault(_book_of(task), {})[task.task_id] = None

    def _unbook(self, task: Task) -> None:
        for to_deadline in (False, True):
            book = (task.tenant, to_deadline)
            places = self._booked.get(book)
            if places is not None and places.pop(task.task_id, book) is None and not places:
                del self._booked[book]

    # -- the log -----------------------------------------------------------------------------------------------

    def before(self, record: Record) -> None:
        """Note what a record is about to free."""
        if isinstance(record, PlanDropped | AttemptClosed):
            self.before_leaving(self.state.tasks[record.task_id])

    def follow(self, record: Record) -> None:
        """Follow a record that was just folded in."""
        match record:
            case TaskAdmitted():
                if not self.state.tasks[record.task_id].parts:
                    self.add(self.state.tasks[record.task_id])
            case TaskWaits():
                self._waits(record)
            case PlanCommitted():
                self.plan_made(self.state.tasks[record.plan.task_id], record.plan, record.at_us)
            case TaskEnded() | TaskRefused():
                self.task_ended(self.state.tasks[record.task_id])
            case PlanDropped() | AttemptClosed():
                self._let_go(self.state.tasks[record.task_id])
            case AttemptOpened():
                self.attempt_opened(self.state.tasks[record.task_id])
            case TenantSet():
                self.line.tree_changed()
                self._anything = True
            case SiteChanged(live=True) | SiteOrdered(order=SiteOrder.OPEN):
                self._freed |= dict.fromkeys(pool.id for pool in self.state.index.sites[record.site].pools)
            case LinkChanged(up=True):
                self._anything = True
            case SecurityPoolChanged(up=True):
                self._network_freed = True  # who asks for protection waits for the network
            case PathRepaired():
                self._network_let_go()  # of the path before
            case ReservationMoved() | ReservationBroken() | ReservationEnded():
                self._network_let_go()

    def before_leaving(self, task: Task) -> None:
        """A task is about to let go of what its plan holds."""
        self._move(task, False)
        plan = task.plan
        assert plan is not None, "what is dropped or closed had a plan"
        self._freed[plan.pool] = None
        if len(plan.holds) > 1:  # the first hold is of the pool, the others of the network
            self._network_let_go()

    def _network_let_go(self) -> None:
        self._network_freed = True
        self.network_freed += 1

    def plan_made(self, task: Task, plan: AnyPlan, now_us: int) -> None:
        """A plan of a task was committed."""
        self._leave(task)
        self._book(task, plan, now_us)
        if _may_give_way(task):
            self.preemptible[task.task_id] = task
            self._freed[plan.pool] = None  # for those who may displace it
        self._move(task, True)
        self.line.touch(task.tenant)

    def plans_made(self, tasks: Sequence[Task], plans: Sequence[CompactPlan], now_us: int) -> None:
        """`plan_made` of tasks that were taken in this round; their plans begin at once, so no place is kept for later."""
        for task, plan in zip(tasks, plans, strict=True):
            self._leave(task)
            if _may_give_way(task):
                self.preemptible[task.task_id] = task
                self._freed[plan.pool] = None
            self._move(task, True)
        for tenant in dict.fromkeys(task.tenant for task in tasks):
            self.line.touch(tenant)

    def attempt_opened(self, task: Task) -> None:
        self._unbook(task)

    def task_ended(self, task: Task) -> None:
        """A task is over; what it held it has let go of."""
        self._leave(task)
        self._let_go(task)

    def tasks_ended(self, tasks: Sequence[Task]) -> None:
        """`task_ended` of tasks that ran: they stood in no line any more."""
        for task in tasks:
            self.preemptible.pop(task.task_id, None)
            if self._booked:
                self._unbook(task)
        for tenant in dict.fromkeys(task.tenant for task in tasks):
            self.line.touch(tenant)
            self._open_quotas([self._top(tenant)])

    def _move(self, task: Task, came: bool) -> None:
        """A task came to a site or leaves one."""
        request = task.request
        if request is not None and (request.tags or request.apart_from) and self._social.get(task.tenant):
            self._moved.append((task.tenant, request, came))

    def _waits(self, record: TaskWaits) -> None:
        task = self.state.tasks[record.task_id]
        if record.reason in PAUSES:
            self._leave(task)
            self._pause(task)
        elif record.reason is WaitReason.AFTER:  # nobody looks at it before; its deadline goes on
            self._leave(task)
            self._watch_deadline(task)
        elif record.reason is WaitReason.QUEUED:
            self._said.pop(task.task_id, None)
            self.add(task)

    def _let_go(self, task: Task) -> None:
        self.preemptible.pop(task.task_id, None)
        self._unbook(task)
        self.line.touch(task.tenant)
        self._open_quotas([self._top(task.tenant)])

    def add(self, task: Task) -> None:
        """A task waits to be looked at."""
        self.pauses.drop(task.task_id)
        self._add(task, self._is_limited(task.tenant), task.task_id in self._kept_out)

    def add_all(self, tenant: TenantId, tasks: Iterable[Task]) -> None:
        """New tasks of a tenant wait to be looked at."""
        limited = self._is_limited(tenant)
        for task in tasks:
            self._add(task, limited, False)

    def _is_limited(self, tenant: TenantId) -> bool:
        """Whether the tenant or one above it has a budget."""
        tenants = self.state.tenants
        return any(
            tenants[one].budget_micro_yuan is not None for one in self.state.tally.path(tenant) if one in tenants
        )

    def _add(self, task: Task, limited: bool, kept_out: bool) -> None:
        key = key_of(task, limited, kept_out)
        self._watch_deadline(task)
        self.line.add(
            task.task_id,
            task.tenant,
            task.priority,
            task.order,
            key,
            lambda: kind_of(key, task, self.places, kept_out),
        )

    def _pause(self, task: Task) -> None:
        self.pauses.set(task.task_id, task.wait_until_us)
        self._watch_deadline(task)

    def _watch_deadline(self, task: Task) -> None:
        request = task.request
        assert request is not None, "a live task has its request"
        if request.deadline is not None:
            self.late.set(task.task_id, request.deadline - request.resources.wall_time + 1)

    def _leave(self, task: Task) -> None:
        """The task waits no more."""
        task_id = task.task_id
        if task_id in self.line.inside:
            self.line.remove(task_id)
        self.late.drop(task_id)
        self.pauses.drop(task_id)
        self._said.pop(task_id, None)
        self._kept_out.discard(task_id)


def _may_give_way(task: Task) -> bool:
    return task.plan is not None and task.request is not None and task.request.preemptible


def _book_of(task: Task) -> tuple[TenantId, bool]:
    """The places of its tenant; those of tasks that look for a good hour before a deadline apart."""
    request = task.request
    assert request is not None, "a live task has its request"
    return task.tenant, request.deadline is not None and request.preference is not Preference.FASTEST


def _places_of(book: tuple[TenantId, bool]) -> int:
    return BOOKED_TO_DEADLINE_MAX if book[1] else BOOKED_MAX


def _is_later(task: Task, plan: AnyPlan, now_us: int) -> bool:
    earliest_us = task.request.earliest_start if task.request is not None else None
    return plan.start_us > max(now_us + BOOKED_AHEAD_US, earliest_us or 0)
