"""Who gives way to whom. Pure; `docs/decisions/0063-preemption.md` proves that it comes to an end.

A task may take the room of others when it cannot start otherwise, of those alone that said they may be stopped
(`preemptible`) and whose rank is lower. The rank is the priority, and at the same priority what runs within its
tenant's own quota stands above what runs on borrowed room.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from suanwang.dispatch import lifecycle
from suanwang.dispatch.lifecycle import Signal
from suanwang.dispatch.watch import amounts, capacities
from suanwang.fair.line import URGENT
from suanwang.model.ids import PoolId, TenantId
from suanwang.model.plan import Hold
from suanwang.model.share import amounts_of
from suanwang.observe.loads import HELD_ACCELERATORS, HELD_CORES, Loads
from suanwang.observe.state import State, Task

# Tasks that give way to one task at the most: what needs more waits for its turn.
VICTIMS_MAX = 16


@dataclass(frozen=True)
class Way:
    """Tasks that could give way in one pool, in the order in which they do."""

    pool: PoolId
    victims: tuple[Task, ...]
    lost: int  # micro-yuan of work that would be done again


def rank(priority: int, borrowed: bool) -> tuple[int, int]:
    """What only a higher one displaces. It does not change while a plan stands."""
    return priority, 0 if borrowed else 1


def may_displace(claimant: Task, victim: Task, tally: Loads) -> bool:
    """Whether the victim gives way to the claimant, whose plan would be within its tenant's own quota."""
    request = victim.request
    if request is None or not request.preemptible or victim.plan is None:
        return False
    if lifecycle.step(victim.phase, Signal.PREEMPTED) is None:
        return False  # it is being stopped already: its room comes by itself
    if rank(victim.priority, victim.borrowed) >= rank(claimant.priority, False):
        return False
    if victim.tenant == claimant.tenant or claimant.priority >= URGENT:
        return True
    return victim.borrowed and _parent(tally, victim.tenant) == _parent(tally, claimant.tenant) is not None


def _parent(tally: Loads, tenant: TenantId) -> TenantId | None:
    found = tally.tenants.get(tenant)
    return found.parent if found is not None else None


def lost_micro_yuan(victim: Task, now_us: int) -> int:
    """What the victim has used of its quote, and would use again: time run times the price of its whole plan."""
    plan, attempt = victim.plan, victim.attempt
    assert plan is not None, "a victim has its plan"
    if attempt is None or not attempt.run_us:
        return 0
    span_us = max(1, plan.end_us - plan.run_start_us)
    return plan.quote_micro_yuan * max(0, now_us - attempt.run_us) // span_us


def ways(
    claimant: Task, pools: frozenset[PoolId], candidates: Iterable[Task], state: State, now_us: int
) -> Iterator[Way]:
    """In each pool the least that has to go: first what loses least, until the claimant's need is free at this moment.
    The cheapest way first, then that of the fewest, then by name. Whether it fits in time and on the network too is
    the planner's word."""
    by_pool: dict[PoolId, list[Task]] = {}
    for task in candidates:
        if task.plan is not None and task.plan.pool in pools and may_displace(claimant, task, state.tally):
            by_pool.setdefault(task.plan.pool, []).append(task)
    found = []
    for pool, victims in by_pool.items():
        victims.sort(key=lambda one: (lost_micro_yuan(one, now_us), one.priority, -one.order))
        chosen = _enough(claimant, pool, victims[:VICTIMS_MAX], state, now_us)
        if chosen:
            found.append(Way(pool, chosen, sum(lost_micro_yuan(one, now_us) for one in chosen)))
    yield from sorted(found, key=lambda one: (one.lost, len(one.victims), one.pool))


def _enough(claimant: Task, pool: PoolId, victims: list[Task], state: State, now_us: int) -> tuple[Task, ...]:
    """As many of the victims as free what the claimant takes; none where all of them do not."""
    key = f"pool|{pool}"
    free = list(capacities(state, {key})[key])
    holders = state.by_key.get(key, {})
    for lease in holders:
        free = [have - used for have, used in zip(free, _used(holders[lease], pool, now_us), strict=True)]
    assert claimant.request is not None, "a live task has its request"
    cores, memory_bytes, cards, hpc, quantum = amounts_of(claimant.request.model_copy(update={"standby": None}))
    need = (cores, memory_bytes, cards, hpc + quantum)
    for count, victim in enumerate(victims, start=1):
        assert victim.plan is not None, "a victim has its plan"
        used = _used(victim.plan.holds, pool, now_us)
        free = [have + more for have, more in zip(free, used, strict=True)]
        if all(have >= want for have, want in zip(free, need, strict=True)):
            return tuple(victims[:count])
    return ()


def _used(holds: Iterable[Hold], pool: PoolId, now_us: int) -> tuple[int, ...]:
    """What a lease takes of a pool at this moment."""
    now = [one for one in holds if one.resource == "pool" and one.key == pool and one.start_us <= now_us < one.end_us]
    return amounts(now[0]) if now else (0, 0, 0, 0)


def is_within_quota(claimant: Task, tally: Loads) -> bool:
    """Whether a plan of the claimant would stay within its own quota and that of all above."""
    cores = all(use + claimant.cores <= one.cores_max for one, use in tally.claims(claimant.tenant, HELD_CORES))
    cards = tally.claims(claimant.tenant, HELD_ACCELERATORS)
    return cores and all(use + claimant.accelerators <= one.accelerators_max for one, use in cards)
