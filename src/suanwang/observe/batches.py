"""Rows of batches folded together: to the same state as the single records, at the cost of what the rows do not share.

What counts for a tenant is summed over the rows and told to the tally once (`Sums`): each figure of it depends on the sum
alone. Where something of a row depends on the rows before it (a plan above its tenant's quota), the rows are folded one
by one.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from suanwang.model.batch import AttemptsOpened, EventsHeard, Opened, PlansMade, Taken, TasksTaken
from suanwang.model.compact import CompactPlan
from suanwang.model.event import AnyEvent, EventKind
from suanwang.model.ids import LeaseId, TenantId
from suanwang.model.record import Phase
from suanwang.observe.lending import has_quota_for
from suanwang.observe.task import PHASE_OF_EVENT, Task

if TYPE_CHECKING:
    from suanwang.observe.state import State

# Of one tenant: tasks, cores and accelerators of tasks, quotes, what is held of each resource, and what is billed.
_FIGURES = 10


class Sums:
    """What rows change of the loads of their tenants, until `settle` tells the tally."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[TenantId, list[int]] = {}

    def add(self, task: Task, quote_micro_yuan: int, billed_micro_yuan: int) -> None:
        """A task with what its plan was quoted, and what it was billed at its end."""
        of = self._of.get(task.tenant)
        if of is None:
            of = self._of[task.tenant] = [0] * _FIGURES
        held = task.amounts
        of[0] += task.part_of is None
        of[1] += task.cores
        of[2] += task.accelerators
        of[3] += quote_micro_yuan
        of[4] += billed_micro_yuan
        of[5] += held[0]
        of[6] += held[1]
        of[7] += held[2]
        of[8] += held[3]
        of[9] += held[4]

    @property
    def tenants(self) -> list[TenantId]:
        return list(self._of)

    def take(self, state: "State") -> None:
        """Tell the tally that plans of these tasks were committed; nothing is left here."""
        for tenant, (_, cores, cards, quote, _, *held) in self._of.items():
            one, two, three, four, five = held
            state.tally.take(tenant, quote, cores, cards, (one, two, three, four, five))
        self._of = {}

    def settle(self, state: "State") -> None:
        """Tell the tally; nothing is left here."""
        tally = state.tally
        for tenant, (count, cores, cards, quote, billed, *held) in self._of.items():
            one, two, three, four, five = held
            tally.let_go(tenant, quote, cores, cards, (one, two, three, four, five))
            tally.bill(tenant, billed)
            tally.live(tenant, -count, -cores, -cards)
        self._of = {}


def take_tasks(state: "State", at_us: int, tenant: TenantId, rows: Sequence[Taken]) -> list[Task]:
    """Tasks were submitted and admitted."""
    out = [state.add_task(at_us, tenant, row) for row in rows]
    cores, cards = sum(task.cores for task in out), sum(task.accelerators for task in out)
    state.tally.live(tenant, len(out), cores, cards)
    state.queue.update([(task.task_id, task) for task in out])
    return out


def make_plans(state: "State", plans: Sequence[CompactPlan]) -> list[Task]:
    """Plans were committed."""
    tasks = [state.tasks[plan.task_id] for plan in plans]
    if not quotas_hold(state, tasks):
        return [state.make_plan(plan) for plan in plans]
    sums = Sums()
    for plan, task in zip(plans, tasks, strict=True):
        quote = plan.quote_micro_yuan
        sums.add(task, quote, 0)
        state.plan_stands(task, plan)
        task.borrowed = False
    sums.take(state)
    return tasks


def quotas_hold(state: "State", tasks: Sequence[Task]) -> bool:
    """Whether plans of all these tasks stay within the quotas of their tenants and of those above them, with nothing
    borrowed."""
    cores, cards = sum([task.cores for task in tasks]), sum([task.accelerators for task in tasks])
    return all(has_quota_for(state.tally, tenant, cores, cards) for tenant in {task.tenant for task in tasks})


def open_attempts(state: "State", at_us: int, rows: Sequence[Opened]) -> None:
    """Attempts carry out the plans that stand."""
    for row in rows:
        state.open_attempt(at_us, row)


def hear(now_us: int, event: AnyEvent, task: Task) -> None:
    """A plain event of a live attempt takes effect; whoever calls moves its agent's cursor."""
    attempt, kind = task.attempt, event.kind
    assert attempt is not None, "a plain event is of a live attempt"
    attempt.seen = True
    if kind is EventKind.RUNNING:
        # By the agent's clock, unless that is plainly wrong: nothing runs before its order or after its report.
        attempt.run_us = event.at_us if attempt.opened_us <= event.at_us <= now_us else now_us
        task.began = True
    phase = PHASE_OF_EVENT.get(kind)
    if phase is not None and task.phase is not Phase.STOPPING:
        task.phase = phase


def end(state: "State", task: Task, event: AnyEvent, lease_id: LeaseId, billed_micro_yuan: int, sums: Sums) -> None:
    """A success, by its event: its attempt is closed and billed, and it ends. The tally is told by `sums`."""
    attempt, plan, task_id = task.attempt, task.plan, task.task_id
    assert attempt is not None and plan is not None, "the live attempt is closed"
    sums.add(task, plan.quote_micro_yuan, billed_micro_yuan)
    state.drop_lease(lease_id)
    state.placements.lift(task_id)
    state.broken.pop(task_id, None)
    state.by_attempt.pop(attempt.attempt_id, None)
    there = state.by_site.get(attempt.site)
    if there is not None and there.pop(task_id, None) is not None and not there:
        del state.by_site[attempt.site]
    if event.outputs:
        state.following.keep(task_id, task.part_of, attempt.site, event.outputs)
    if task.parting is not None:
        state.parting.pop(task.parting.attempt_id, None)
    del state.live[task_id]
    task.parent, task.billed_micro_yuan = plan.plan_id, task.billed_micro_yuan + billed_micro_yuan
    task.plan = task.attempt = task.resume = task.parting = task.request = task.delivery = None
    task.lies = ()
    task.borrowed, task.phase = False, Phase.SUCCEEDED
    state.ended[Phase.SUCCEEDED] = state.ended.get(Phase.SUCCEEDED, 0) + 1


def _taken(state: "State", record: TasksTaken) -> None:
    take_tasks(state, record.at_us, record.tenant, record.rows)


def _made(state: "State", record: PlansMade) -> None:
    record.bind(state.index)
    make_plans(state, record.rows)


def _opened(state: "State", record: AttemptsOpened) -> None:
    open_attempts(state, record.at_us, record.rows)


def _heard(state: "State", record: EventsHeard) -> None:
    sums, cursors = Sums(), state.cursors
    for event, closing in record.rows:
        task = state.tasks[state.by_attempt[event.attempt_id]]
        hear(record.at_us, event, task)
        cursors[event.agent] = max(cursors.get(event.agent, 0), event.sequence)
        if closing is not None:
            billed = sum([line.amount_micro_yuan for _, _, line in closing.charges])
            end(state, task, event, closing.lease_id, billed, sums)
    sums.settle(state)


FOLDS: dict[type, Callable[["State", Any], None]] = {
    TasksTaken: _taken,
    PlansMade: _made,
    AttemptsOpened: _opened,
    EventsHeard: _heard,
}
