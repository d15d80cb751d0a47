"""Better plans for tasks that have not begun: what may be moved, and the commit of a proposal that still holds.

A proposal comes from beside the road (`plan.improve`). Here it is checked again on the live state: each task still stands
as it did, the checker of plans finds no fault, nobody loses, somebody gains. It is committed as ordinary records, the old
plans dropped for `improved` and the new ones committed in the same batch; a replay folds them like all others.
`docs/decisions/0091-background-optimiser.md` proves that it comes to an end.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from suanwang.dispatch import carry
from suanwang.dispatch.kinds import names_others
from suanwang.dispatch.lifecycle import Signal
from suanwang.model.compact import Holds, keys_of
from suanwang.model.ids import LeaseId, TaskId, TenantId
from suanwang.model.placements import Placements, bears
from suanwang.model.plan import Plan
from suanwang.model.record import Phase
from suanwang.model.scarcity import Improved
from suanwang.model.snapshot import Snapshot
from suanwang.observe.lending import may_hold
from suanwang.observe.state import Task
from suanwang.plan import Standing, copy_of, is_gain, is_no_worse
from suanwang.repair import Repairing
from suanwang.verify import verify

DETAIL: Final = "improved"
READ_MAX: Final = 2_000  # plans that are looked through
QUEUE_READ_MAX: Final = 200  # waiting tasks that are ranked: some milliseconds
PLANNED_MAX: Final = 48  # plans in one look; the next look goes on behind them
WAITING_MAX: Final = 8
IMPROVE_EVERY_US: Final = 60_000_000  # a task gets a better plan no more often than this
BEGINS_US: Final = 5_000_000  # a plan that starts within this time is left alone


class Improving(Repairing):
    """The judge with better plans for what it has decided. Not thread-safe."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.improved = Improved()
        self._improved_us: dict[TaskId, int] = {}
        self._after = 0  # order of the last plan that was looked at

    def movable(self) -> tuple[Snapshot, list[Standing]]:
        """What a look needs, as copies: some of the plans that have not begun, and the waiting tasks whose turn is next."""
        now_us, state = self.clock(), self.state
        self._improved_us = {
            one: at_us for one, at_us in self._improved_us.items() if at_us > now_us - IMPROVE_EVERY_US
        }
        sought = self._sought()
        open_ones = [task for task in islice(state.planned.values(), READ_MAX) if self._may_move(task, sought, now_us)]
        open_ones.sort(key=lambda task: (task.order <= self._after, task.order))
        planned = open_ones[:PLANNED_MAX]
        self._after = planned[-1].order if planned else 0
        blocked = (task for task in islice(state.blocked.values(), QUEUE_READ_MAX) if self._may_enter(task))
        waiting = heapq.nsmallest(WAITING_MAX, blocked, key=self.waits.rank) if planned else []
        standing = [Standing(self.ask(task), task.plan) for task in (*planned, *waiting)]
        view = state.snapshot()
        return replace(copy_of(view), placements=Placements()) if standing else view, standing

    def _sought(self) -> list[tuple[TenantId, Mapping[str, str]]]:
        """The tags that plans that have not begun are beside, with whose they are."""
        planned = self.state.planned.values()
        return [(one.tenant, one.request.together_with) for one in planned if one.request and one.request.together_with]

    def _may_move(self, task: Task, sought: Sequence[tuple[TenantId, Mapping[str, str]]], now_us: int) -> bool:
        """A plan that has not begun and will not at once, of a task that was left alone lately, runs beside nobody in
        particular and holds no second place."""
        plan, request = task.plan, task.request
        if plan is None or request is None or task.phase is not Phase.PLANNED or task.cancel_asked:
            return False
        is_sought = any(tenant == task.tenant and bears(request.tags, wanted) for tenant, wanted in sought)
        alone = not names_others(request) and not is_sought and request.standby is None
        return alone and plan.start_us > now_us + BEGINS_US and task.task_id not in self._improved_us

    def _may_enter(self, task: Task) -> bool:
        request = task.request
        if request is None or task.phase is not Phase.WAITING or names_others(request) or task.cancel_asked:
            return False
        if request.standby is not None or task.parts:
            return False
        return may_hold(self.state.tally, task.tenant, task.cores, task.accelerators)

    def improve(self, plans: Sequence[Plan]) -> bool:
        """Commit a proposal, if it still holds; False, and nothing has changed, where it does not."""
        now_us = self.clock()
        tasks = [self.state.tasks.get(plan.task_id) for plan in plans]
        held = [task for task in tasks if task is not None]
        if len(held) != len(plans) or not self._holds(list(zip(held, plans, strict=True)), now_us):
            self.improved.outdated += 1
            return False
        for task, plan in zip(held, plans, strict=True):
            self._count(task, plan)
            self.signal(task, Signal.PLAN_DROPPED, carry.Cause(now_us, detail=DETAIL))  # no effect on one that waits
        for plan in plans:
            self.emit_plan(now_us, plan)
            self.planned_us[plan.task_id] = self._improved_us[plan.task_id] = now_us
        self.commit()
        return True

    def _holds(self, pairs: Sequence[tuple[Task, Plan]], now_us: int) -> bool:
        sought = self._sought()
        if not all(self._stands(task, plan, sought, now_us) for task, plan in pairs):
            return False
        index, gains = self.state.index, False
        for task, plan in pairs:
            if task.plan is None:
                gains = True
                continue
            request = self.ask(task).request
            if not is_no_worse(task.plan, plan, request, index):
                return False
            gains = gains or is_gain(task.plan, plan, request, index)
        views = self._views(pairs)
        return gains and all(
            not verify(plan, self.ask(task).request, view, task.tenant, self.ask(task).kept)
            for (task, plan), view in zip(pairs, views, strict=True)
        )

    def _stands(
        self, task: Task, plan: Plan, sought: Sequence[tuple[TenantId, Mapping[str, str]]], now_us: int
    ) -> bool:
        """Whether a task is as it was when the proposal was made, and still may move or enter."""
        parent = task.plan.plan_id if task.plan is not None else task.parent
        if plan.parent != parent or plan.generation != task.generation + 1 or plan.start_us < now_us:
            return False
        if task.plan is not None:
            return self._may_move(task, sought, now_us)
        waits = task.task_id in self.state.blocked or task.task_id in self.state.queue
        return waits and self._may_enter(task) and not self.waits.is_booked_out(task, plan, now_us)

    def _views(self, pairs: Sequence[tuple[Task, Plan]]) -> Iterator[Snapshot]:
        """For each plan the live state without the old plans of the proposal and with the new ones before it. Only what
        the new plans hold is looked up, so this costs what they cost and not what the grid holds."""
        view = self.state.snapshot()
        gone = {task.plan.lease_id for task, _ in pairs if task.plan is not None}
        keys = {key for _, plan in pairs for key in keys_of(plan.holds)}
        near: dict[str, dict[LeaseId, Holds]] = {
            key: {lease: holds for lease, holds in self.state.by_key.get(key, {}).items() if lease not in gone}
            for key in keys
        }
        stand = Placements()  # where nobody keeps apart it does not matter who else is there
        if view.placements.is_wary and any(task.request and task.request.tags for task, _ in pairs):
            stand = view.placements.without([task.task_id for task, _ in pairs])
        for task, plan in pairs:
            yield replace(view, leases={}, history=None, history_end=0, by_key=near, placements=stand)
            for key in keys_of(plan.holds):
                near[key][plan.lease_id] = plan.holds
            if task.request is not None:
                stand.place(task.task_id, task.tenant, plan.site, task.request)

    def _count(self, task: Task, plan: Plan) -> None:
        if task.plan is None:
            self.improved.placed += 1
            return
        self.improved.plans += 1
        self.improved.saved_micro_yuan += task.plan.quote_micro_yuan - plan.quote_micro_yuan
        self.improved.sooner_us += task.plan.end_us - plan.end_us
