"""The arrivals and the tenants after a change."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from suanwang.model.change import Changes
from suanwang.model.grid import Tenant
from suanwang.model.trace import Arrival
from suanwang.model.units import US_PER_MINUTE

# A task that comes again comes within this time after the first: not at the same instant, and in the same hour or so.
AGAIN_WITHIN_US = 30 * US_PER_MINUTE


def tenants_after(tenants: Iterable[Tenant], changes: Changes) -> tuple[Tenant, ...]:
    """Each tenant with what is given for it in place of what it has."""
    given = {one.id: one.model_dump(exclude={"id"}, exclude_none=True) for one in changes.tenants}
    return tuple(one.model_copy(update=given[one.id]) if one.id in given else one for one in tenants)


def arrivals_after(arrivals: Sequence[Arrival], changes: Changes, seed: int) -> tuple[Arrival, ...]:
    """The stream with the load, the hour and the policy changed; in the order of time."""
    out = list(arrivals)
    if changes.load is not None and changes.load != 1.0:
        out = _loaded(out, changes.load, random.Random(f"{seed}/load"))
    shift_us = changes.later - changes.earlier
    policy = _policy(changes)
    if shift_us or policy:
        out = [_changed(one, shift_us, policy) for one in out]
    return tuple(sorted(out, key=lambda one: (one.at_us, one.key)))


def _loaded(arrivals: Sequence[Arrival], factor: float, draw: random.Random) -> list[Arrival]:
    """Each task `factor` times on average; those that come again have keys of their own."""
    out: list[Arrival] = []
    for one in arrivals:
        copies = int(factor) + (draw.random() < factor - int(factor))
        delays_us = [0, *(draw.randrange(AGAIN_WITHIN_US) for _ in range(max(0, copies - 1)))]
        for number in range(copies):
            key = f"{one.key}+{number}" if number else one.key
            out.append(_changed(replace(one, key=key), delays_us[number], {}))
    return out


def _policy(changes: Changes) -> dict[str, Any]:
    update: dict[str, Any] = {}
    if changes.policy.preference is not None:
        update["preference"] = changes.policy.preference
    if changes.policy.owners is not None:
        update["owners"] = changes.policy.owners
    return update


def _changed(one: Arrival, shift_us: int, policy: dict[str, Any]) -> Arrival:
    """The task so much later, with its own instants, and with another policy."""
    if not shift_us and not policy:
        return one
    request, update = one.request, dict(policy)
    if request.deadline is not None:
        update["deadline"] = max(0, request.deadline + shift_us)
    if request.earliest_start is not None:
        update["earliest_start"] = max(0, request.earliest_start + shift_us)
    return replace(one, at_us=max(0, one.at_us + shift_us), request=request.model_copy(update=update))
