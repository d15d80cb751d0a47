"""Asks of one batch that need the same: one decision serves them while its plan still fits.

Within a batch holds are only added, so no candidate of a need gets better from one ask to the next. The plan that was
best is the best again as long as there is room for it once more; when there is not, the need is decided anew. Where
nothing was feasible, nothing is.

This takes needs whose candidates do not depend on which moments are tried. A hold that is added brings a new moment at
which one ends, and a run from then on may catch a cheaper hour or a faster way for the data than any moment before it:
needs with a price or an owner to weigh against time, and needs with data to move, are decided one by one. A price limit
is such a price only where it keeps a candidate out; one that all that is feasible is within is as good as none, so the
tasks of a tenant with a budget share their decisions too.
"""

from dataclasses import replace

from suanwang.model.plan import Plan
from suanwang.model.reason import PoolReason
from suanwang.model.task import Preference
from suanwang.plan.ask import PlanAsk, PlanIds
from suanwang.plan.clauses import CODE
from suanwang.plan.decide import Decision
from suanwang.plan.ledger import Ledger
from suanwang.plan.need import Need

PRICE_LIMIT, WORSE = CODE[PoolReason.PRICE_LIMIT], CODE[PoolReason.WORSE]


class Alike:
    """The decisions of a batch by need."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._made: dict[Need, tuple[Decision, Plan | None]] = {}

    def find(self, need: Need) -> tuple[Decision, Plan | None] | None:
        """What an earlier ask of the same need was answered, if that can be said again."""
        found = self._made.get(_key(need)) if _is_timeless(need) else None
        if found is None or found[1] is None:
            return found
        return found if _within(need, found[0]) and self._ledger.has_room(found[1].holds) else None

    def note(self, need: Need, decision: Decision, made: Plan | None) -> None:
        if _is_timeless(need) and not (decision.verdicts() == PRICE_LIMIT).any():
            self._made[_key(need)] = (decision, made)


def once_more(made: Plan, ask: PlanAsk, ids: PlanIds) -> Plan:
    """The same plan for another task."""
    fresh = {
        "plan_id": ids.plan_id(),
        "task_id": ask.task_id,
        "lease_id": ids.lease_id(),
        "generation": ask.generation,
        "parent": ask.parent,
    }
    return made.model_copy(update=fresh)


def _within(need: Need, decision: Decision) -> bool:
    """Whether the price limit keeps no candidate out that the decision found feasible."""
    if need.price_limit is None:
        return True
    feasible = decision.best.code == WORSE
    return bool((decision.best.price[feasible] <= need.price_limit).all())


def _key(need: Need) -> Need:
    return need if need.price_limit is None else replace(need, price_limit=None)


def _is_timeless(need: Need) -> bool:
    if need.moves or need.standby is not None:
        return False
    return need.deadline_us is None or (need.preference is Preference.FASTEST and len(need.owners) < 2)
