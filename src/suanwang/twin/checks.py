"""What must hold after every step of a simulated history, and what must hold at its end."""

from collections.abc import Iterable, Mapping

from suanwang.dispatch.watch import amounts, capacities
from suanwang.model.record import ENDS, Phase
from suanwang.observe.state import State, Task


class BrokenPromiseError(AssertionError):
    """A promise of the brain does not hold; the message says which, and the caller adds the seed."""


class Checker:
    """Safety after every step. Looks only at what changed, so that a long history stays cheap."""

    def __init__(self) -> None:
        self._seen = 0
        self._history_id = 0

    def after_step(self, state: State) -> None:
        """Capacity is never exceeded at any instant; who keeps apart stands apart; nothing runs over a cut link or past a security pool
        that is out unless it is known to have no other path; money is conserved; one live attempt at most."""
        if id(state.history) != self._history_id:
            self._history_id, self._seen = id(state.history), 0
        changed = state.history[self._seen :]
        self._seen = len(state.history)
        keys = {f"{hold.resource}|{hold.key}" for change in changed if change.added for hold in change.holds}
        for key, capacity in capacities(state, keys).items():
            _check_capacity(state, key, capacity)
        if keys:
            _check_company(state)
        _check_paths(state)
        _check_money(state)
        _check_attempts(state)


def _check_company(state: State) -> None:
    """Nobody stands where one stands that keeps apart from it."""
    there: dict[tuple[str, str], list[Task]] = {}
    for task in state.live.values():
        if task.plan is not None:
            there.setdefault((task.tenant, task.plan.site), []).append(task)
    for (_, site), group in there.items():
        for one in group:
            apart = one.request.apart_from if one.request is not None else {}
            for other in group if apart else ():
                tags = other.request.tags if other.request is not None else {}
                if other is not one and apart.items() <= tags.items():
                    raise BrokenPromiseError(f"{one.task_id} stands at {site} beside {other.task_id}")


def _check_capacity(state: State, key: str, capacity: tuple[int, ...]) -> None:
    edges: list[tuple[int, int, tuple[int, ...]]] = []
    for holds in state.by_key.get(key, {}).values():
        for hold in holds:
            if f"{hold.resource}|{hold.key}" == key:
                need = amounts(hold)
                edges += [(hold.start_us, 1, need), (hold.end_us, 0, tuple(-one for one in need))]
    held = [0] * len(capacity)
    for at_us, _, change in sorted(edges, key=lambda edge: edge[:2]):
        held = [one + more for one, more in zip(held, change, strict=True)]
        if any(one > most for one, most in zip(held, capacity, strict=True)):
            raise BrokenPromiseError(f"capacity of {key} exceeded at {at_us}: {held} of {capacity}")


def _check_paths(state: State) -> None:
    """Nothing runs over a cut link, or past a security pool that is out, but what is known to have no other path."""
    for task in state.live.values() if state.links_down or state.security_down else ():
        if task.attempt is None or task.phase is Phase.STOPPING or task.task_id in state.broken:
            continue
        cut = sorted(one.link for one in task.attempt.plan.path.links if one.link in state.links_down)
        if cut:
            raise BrokenPromiseError(f"{task.task_id} runs over {cut[0]}, which is cut")
        dead = [one.security_pool for one in task.attempt.plan.protection if one.security_pool in state.security_down]
        if dead:
            raise BrokenPromiseError(f"{task.task_id} runs past {dead[0]}, which is out")
    for task_id, broken in state.broken.items():
        plan = state.tasks[task_id].plan
        if plan is None or plan.plan_id != broken.plan_id:
            raise BrokenPromiseError(f"the broken path of {task_id} is of a plan that does not stand")


def _check_money(state: State) -> None:
    for tenant, load in state.loads.items():
        if load.billed_micro_yuan < 0 or load.quoted_micro_yuan < 0 or load.live_tasks < 0:
            raise BrokenPromiseError(f"a figure of {tenant} fell below zero: {load}")


def _check_attempts(state: State) -> None:
    """A live attempt where the phase says so, and no bill above what was agreed to."""
    for task in state.live.values():
        if (task.attempt is None) == (task.phase in _WITH_ATTEMPT):
            raise BrokenPromiseError(f"{task.task_id} is {task.phase} with attempt {task.attempt}")
        most = (task.first_quote_micro_yuan or 0) * (1 + task.own_failures)
        if task.billed_micro_yuan > most:
            raise BrokenPromiseError(f"{task.task_id} was billed {task.billed_micro_yuan} for quotes of {most}")
        if (task.plan is None) != (task.phase in (Phase.WAITING, Phase.DELIVERING)):
            raise BrokenPromiseError(f"{task.task_id} is {task.phase} with plan {task.plan is not None}")


_WITH_ATTEMPT = frozenset({Phase.DISPATCHED, Phase.STAGING, Phase.RUNNING, Phase.COLLECTING, Phase.STOPPING})


def at_the_end(state: State, effects: Mapping[str, int], charges: Iterable[tuple[str, int]]) -> None:
    """Every task ended, nothing held, nothing run twice to effect, charges equal to what tenants were billed."""
    left = [task.task_id for task in state.tasks.values() if task.phase not in ENDS]
    if left:
        phases = {state.tasks[one].phase.value for one in left}
        raise BrokenPromiseError(f"{len(left)} tasks did not end: {sorted(phases)}, first {left[0]}")
    if state.leases or state.by_key or state.by_attempt or state.by_site or state.parting:
        raise BrokenPromiseError(f"{len(state.leases)} leases and {len(state.by_attempt)} attempts are left over")
    twice = [task for task, count in effects.items() if count > 1]
    if twice:
        raise BrokenPromiseError(f"{twice[0]} took effect {effects[twice[0]]} times")
    # A task in parts takes effect by its parts: all of them, or it has not succeeded.
    succeeded = {
        one for task in state.tasks.values() if task.phase is Phase.SUCCEEDED for one in task.parts or (task.task_id,)
    }
    if not succeeded <= set(effects):
        raise BrokenPromiseError(f"{len(succeeded - set(effects))} tasks succeeded without effect")
    billed: dict[str, int] = {}
    for tenant, amount in charges:
        billed[tenant] = billed.get(tenant, 0) + amount
    for tenant, load in state.loads.items():
        if load.billed_micro_yuan != billed.get(tenant, 0):
            raise BrokenPromiseError(
                f"{tenant} was billed {load.billed_micro_yuan}, its charges sum to {billed.get(tenant, 0)}"
            )
        if load.quoted_micro_yuan or load.live_tasks or load.cores or load.accelerators:
            raise BrokenPromiseError(f"{tenant} has something live after the end: {load}")
