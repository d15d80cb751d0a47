"""Whether plans that have not begun could be better now: one alone, or one with another that makes room for it.

Works on a copy of what stands, with arrays of its own, so that nobody who plans waits for it. What it finds are proposals:
whoever commits them checks them again on what stands by then.

Better is by the task's own objective, and never at the price of anything that it was promised: a proposal is dearer for
nobody, later for nobody without a deadline, and worse by nobody's order. The gain of one of its tasks must be worth
the change: a hundredth of its quote (or of its carbon), or a minute. Plans that have not begun have moved no data, so there
is no other cost of moving; what data a new plan moves is part of its quote.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from suanwang.model.compact import AnyPlan
from suanwang.model.ids import TaskId
from suanwang.model.plan import Plan
from suanwang.model.snapshot import GridIndex, Snapshot
from suanwang.model.task import Preference, TaskRequest
from suanwang.plan.ask import PlanAsk, PlanIds
from suanwang.plan.layout import build_layout
from suanwang.plan.ledger import Ledger
from suanwang.plan.need import owner_place
from suanwang.plan.planner import Batch
from suanwang.plan.scene import Memory, scene_of

GAIN_PERMILLE: Final = 10  # of the quote, or of the carbon
GAIN_US: Final = 60_000_000
AHEAD_US: Final = 1_000_000  # proposals are for a start this much later: they have to be committed first
PLANS_MAX: Final = 200  # plans made in one look: a few milliseconds each
BLOCKERS_MAX: Final = 4  # plans that are asked to make room for one task


class Standing(NamedTuple):
    """A task that may get another plan: as it would be asked for, and the plan that stands; None: it waits."""

    ask: PlanAsk
    plan: AnyPlan | None


def order_of(plan: AnyPlan, request: TaskRequest, index: GridIndex) -> tuple[int, ...]:
    """What a task would rather have less of, the first figure first, as the planner decides. Without a deadline that is
    the start: a task that waits for room runs as soon as there is some."""
    owner = owner_place(index.sites[plan.site].owner, request.owners) or 0
    price, end_us = plan.quote_micro_yuan, plan.end_us
    by = {
        Preference.CHEAPEST: (price, end_us, plan.path.latency_us),
        Preference.FASTEST: (end_us, price, plan.path.latency_us),
        Preference.GREENEST: (plan.carbon_mg, price, end_us),
    }[request.preference]
    return (owner, *by) if request.deadline is not None else (plan.start_us, owner, *by)


def is_no_worse(old: AnyPlan, new: AnyPlan, request: TaskRequest, index: GridIndex) -> bool:
    """Whether a task loses nothing: not dearer, not later without a deadline, and not worse by its own order."""
    if new.quote_micro_yuan > old.quote_micro_yuan or (request.deadline is None and new.end_us > old.end_us):
        return False
    return order_of(new, request, index) <= order_of(old, request, index)


def is_gain(old: AnyPlan, new: AnyPlan, request: TaskRequest, index: GridIndex) -> bool:
    """Whether a task gains what is worth a change, and loses nothing."""
    if not is_no_worse(old, new, request, index):
        return False
    saved, sooner_us = old.quote_micro_yuan - new.quote_micro_yuan, old.end_us - new.end_us
    cheaper = saved > 0 and saved * 1000 >= old.quote_micro_yuan * GAIN_PERMILLE
    greener = old.carbon_mg > new.carbon_mg and (old.carbon_mg - new.carbon_mg) * 1000 >= old.carbon_mg * GAIN_PERMILLE
    if request.deadline is None:
        return sooner_us >= GAIN_US or cheaper
    return {Preference.CHEAPEST: cheaper, Preference.FASTEST: sooner_us >= GAIN_US, Preference.GREENEST: greener}[
        request.preference
    ]


class Improver:
    """Looks at a copy of what stands. Keeps what is derived from the grid, and the calendars of the last copy."""

    def __init__(self, index: GridIndex) -> None:
        layout = build_layout(index)
        self._memory = Memory(layout, Ledger(layout))
        self._left = 0

    def look(
        self, view: Snapshot, standing: Sequence[Standing], now: Callable[[], int], ids: PlanIds
    ) -> Iterator[tuple[Plan, ...]]:
        """Proposals, one after the other, each beside those before it: new plans for one task or for two.

        `view` holds the leases of all plans that stand, those of `standing` among them, and has no history.
        """
        assert view.history is None, "a copy has no history"
        self._left = PLANS_MAX
        self._memory.ledger.follow(view)
        stands = {one.ask.task_id: one for one in standing}
        changed: list[tuple[Standing, Plan]] = []
        try:
            for one in standing:
                found = self._better(view, stands, one.ask.task_id, now, ids) if self._left > 0 else ()
                for plan in found:
                    changed.append((stands.pop(plan.task_id), plan))  # each task once in a look
                    self._change(changed[-1][0].plan, add=False)
                    self._change(plan, add=True)
                if found:
                    yield found
        except BaseException:
            self._memory.ledger = Ledger(self._memory.layout)  # who knows what is on it
            raise
        for one, plan in changed:  # the next copy says itself what became of these
            self._change(plan, add=False)
            self._change(one.plan, add=True)

    def _better(
        self, view: Snapshot, stands: dict[TaskId, Standing], task_id: TaskId, now: Callable[[], int], ids: PlanIds
    ) -> tuple[Plan, ...]:
        one = stands.get(task_id)
        if one is None:
            return ()
        if one.plan is not None:
            found = self._planned(view, [one], now, ids)
            if found and self._gains(one, found[0], view.index):
                return found
        others = [other for other in stands.values() if other is not one and other.plan is not None]
        ideal = self._planned(view, [one], now, ids, lifted=others)
        if not ideal or not self._gains(one, ideal[0], view.index):
            return ()
        for other in _in_the_way(ideal[0], others)[:BLOCKERS_MAX]:
            found = self._planned(view, [one, other], now, ids)
            if len(found) == 2 and self._gains(one, found[0], view.index) and _bears(other, found[1], view.index):
                return found
        return ()

    @staticmethod
    def _gains(one: Standing, new: Plan, index: GridIndex) -> bool:
        return one.plan is None or is_gain(one.plan, new, one.ask.request, index)

    def _planned(
        self,
        view: Snapshot,
        some: Sequence[Standing],
        now: Callable[[], int],
        ids: PlanIds,
        lifted: Sequence[Standing] = (),
    ) -> tuple[Plan, ...]:
        """New plans of some tasks, in their order, as if neither theirs nor the lifted ones stood; () where one finds
        none."""
        self._left -= len(some)
        away = [*some, *lifted]
        for one in away:
            self._change(one.plan, add=False)
        batch = Batch(scene_of(self._memory, view), view, now() + AHEAD_US, ids)
        found = [batch.one(one.ask) for one in some]
        self._memory.ledger.pop_all()
        for one in away:
            self._change(one.plan, add=True)
        made = tuple(plan for plan in found if plan is not None)
        return made if len(made) == len(some) else ()

    def _change(self, plan: AnyPlan | None, add: bool) -> None:
        if plan is not None:
            self._memory.ledger.change(plan.holds, add)


def _bears(other: Standing, new: Plan, index: GridIndex) -> bool:
    return other.plan is not None and is_no_worse(other.plan, new, other.ask.request, index)


def _in_the_way(ideal: Plan, others: Sequence[Standing]) -> list[Standing]:
    """Those that hold something of what the ideal plan holds, at the same time; the cheapest first."""
    wanted: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for hold in ideal.holds:
        wanted.setdefault((hold.resource, hold.key), []).append((hold.start_us, hold.end_us))
    found = [
        one
        for one in others
        if one.plan is not None
        and any(
            start_us < hold.end_us and hold.start_us < end_us
            for hold in one.plan.holds
            for start_us, end_us in wanted.get((hold.resource, hold.key), ())
        )
    ]
    return sorted(found, key=lambda one: (one.plan.quote_micro_yuan if one.plan else 0, one.ask.task_id))


def copy_of(view: Snapshot) -> Snapshot:
    """A snapshot for `look`, whose owner may go on: company is checked when a proposal is committed."""
    return replace(view, sites=dict(view.sites), leases=dict(view.leases), history=None, history_end=0, by_key=None)
