"""Wanted against seen, for one agent: which instructions go out now, and which attempts the agent has lost.

Level-triggered: nothing here remembers what was sent but `sent`, which only spares the wire; losing it costs a
repeated instruction, which an agent does once.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from suanwang.model.event import AttemptSeen, Heartbeat, InstructionKind
from suanwang.model.ids import AttemptId, PlanId, PoolId, TaskId
from suanwang.model.plan import Demand
from suanwang.model.record import Phase
from suanwang.model.rows import OrderRow, SeenRow
from suanwang.observe.resume import kept_of
from suanwang.observe.state import State, Task

# An instruction whose effect is not seen goes out again after this long.
RESEND_US = 2_000_000
NO_DEMAND = Demand()  # of an order that starts nothing

Sent = MutableMapping[tuple[AttemptId, InstructionKind], int]


@dataclass(frozen=True)
class Reconciled:
    instructions: tuple[OrderRow, ...]
    lost: tuple[Task, ...]  # the agent answered for their attempts once, and no longer knows them


def reconcile(state: State, heartbeat: Heartbeat, now_us: int, sent: Sent) -> Reconciled:
    """What this agent shall do now. Adds to `sent`; else pure."""
    seen = {(one.attempt_id, one.fence): one for one in heartbeat.attempts}
    instructions: list[OrderRow] = []
    lost: list[Task] = []
    for site in heartbeat.sites:
        for task in state.by_site.get(site, {}).values():
            wanted = _wanted(task, seen, bool(heartbeat.events), lost)
            if wanted is not None and _due(sent, wanted, now_us):
                instructions.append(wanted)
    instructions += _unwanted(state, heartbeat, now_us, sent)
    return Reconciled(tuple(instructions), tuple(lost))


def _wanted(
    task: Task, seen: Mapping[tuple[AttemptId, int], AttemptSeen | SeenRow], has_news: bool, lost: list[Task]
) -> OrderRow | None:
    if task.delivery is not None:
        return _deliver(task)
    attempt = task.attempt
    assert attempt is not None, "a task at a site has an attempt or a delivery there"
    known = seen.get((attempt.attempt_id, attempt.fence))
    over = known is not None and not known.live and not has_news  # it ended, and the word of its end is lost
    if over or (attempt.seen and known is None):
        lost.append(task)
        return None
    if task.phase is Phase.STOPPING:
        return _order(task, InstructionKind.STOP)
    return None if known is not None else _order(task, InstructionKind.START)


def _order(task: Task, kind: InstructionKind) -> OrderRow:
    attempt = task.attempt
    assert attempt is not None, "an order is about an attempt"
    starts = kind is InstructionKind.START
    return OrderRow(
        kind=kind,
        site=attempt.site,
        task_id=task.task_id,
        attempt_id=attempt.attempt_id,
        plan_id=attempt.plan.plan_id,
        fence=attempt.fence,
        pool=attempt.plan.pool,
        demand=attempt.plan.demand,
        request=task.request if starts else None,
        number=task.number if starts else 0,
        not_before_us=attempt.plan.run_start_us if starts else 0,
        kept=kept_of(task.request, task.resume) if starts and task.request is not None else None,
    )


def _deliver(task: Task) -> OrderRow:
    delivery = task.delivery
    assert delivery is not None, "a delivery order is about a delivery"
    return OrderRow(
        kind=InstructionKind.DELIVER,
        site=delivery.site,
        task_id=task.task_id,
        attempt_id=delivery.attempt_id,
        plan_id=delivery.plan_id,
        fence=delivery.fence,
        pool=PoolId(""),
        demand=NO_DEMAND,
        request=None,
        not_before_us=0,
        outputs=delivery.outputs,
    )


def _unwanted(state: State, heartbeat: Heartbeat, now_us: int, sent: Sent) -> list[OrderRow]:
    """Attempts that the agent holds and the brain has done with: stop what still runs, forget the rest."""
    out: list[OrderRow] = []
    if not heartbeat.sites:
        return out  # it speaks for no site, so no order could be addressed to it
    for one in heartbeat.attempts:
        task_id = state.by_attempt.get(one.attempt_id)
        if task_id is not None:
            holder = state.tasks[task_id].attempt or state.tasks[task_id].delivery
            if holder is not None and holder.fence == one.fence:
                continue
        kind = InstructionKind.STOP if one.live else InstructionKind.FORGET
        order = OrderRow(
            kind=kind,
            site=heartbeat.sites[0],
            task_id=TaskId(""),
            attempt_id=one.attempt_id,
            plan_id=PlanId(""),
            fence=one.fence,
            pool=PoolId(""),
            demand=NO_DEMAND,
            request=None,
            not_before_us=0,
            outputs=(),
            save=kind is InstructionKind.STOP and one.attempt_id in state.parting,
        )
        if _due(sent, order, now_us):
            out.append(order)
    return out


def _due(sent: Sent, order: OrderRow, now_us: int) -> bool:
    key = (order.attempt_id, order.kind)
    last_us = sent.get(key)
    if last_us is not None and _fresh(last_us, now_us):
        return False
    sent[key] = now_us
    return True


def _fresh(last_us: int, now_us: int) -> bool:
    """Sent a short while ago; what seems sent after now was sent before the clock was put back."""
    return 0 <= now_us - last_us < RESEND_US


def prune(sent: Sent, now_us: int) -> None:
    """Let go of what says nothing any more: such an instruction would go out again anyhow."""
    for key in [key for key, last_us in sent.items() if not _fresh(last_us, now_us)]:
        del sent[key]
