"""Why: every pool's verdict, how many pools each clause removes, and the best that was found."""

import numpy as np

from suanwang.model.ids import TaskId
from suanwang.model.plan import ClauseCount, Plan, PlanReport, PoolVerdict, Relaxation
from suanwang.model.reason import PoolReason
from suanwang.model.snapshot import GridIndex
from suanwang.model.task import Preference
from suanwang.net.network import Ints
from suanwang.plan.build import alternatives, unpack
from suanwang.plan.clauses import CHOSEN, CODE, ORDER
from suanwang.plan.decide import Decision
from suanwang.plan.layout import Layout

KEYS = {
    Preference.CHEAPEST: ("price", "finish", "latency", "pool"),
    Preference.FASTEST: ("finish", "price", "latency", "pool"),
    Preference.GREENEST: ("carbon", "price", "finish", "pool"),
}


def build_report(
    task_id: TaskId, layout: Layout, decision: Decision, waits: bool, found: tuple[Relaxation, ...]
) -> PlanReport:
    """The report of one decision."""
    codes = decision.verdicts()
    at = decision.chosen
    chosen = None if at is None else layout.index.pool_order[int(decision.best.pools[at])]
    return PlanReport(
        task_id=task_id,
        chosen=chosen,
        verdicts=_verdicts(layout.index, codes.tolist()),
        clauses=clause_counts(layout, codes),
        alternatives=alternatives(layout, decision),
        relaxations=found,
        waits=waits,
        objective=_objective(layout, decision),
    )


def explain_verdicts(plan: Plan, index: GridIndex) -> list[PoolVerdict]:
    """The verdicts that a plan carries, pool by pool in the grid's order."""
    return list(_verdicts(index, unpack(plan.verdicts)))


def report_of(made: Plan, index: GridIndex) -> PlanReport:
    """The report of a plan that stands, from what it carries."""
    verdicts = tuple(explain_verdicts(made, index))
    clauses = []
    for reason in PoolReason:
        pools = [one.pool for one in verdicts if one.reason is reason]
        if pools and reason is not PoolReason.WORSE:
            sites = len({index.pools[pool][1].id for pool in pools})
            clauses.append(ClauseCount(reason=reason, pools=len(pools), sites=sites))
    return PlanReport(
        task_id=made.task_id,
        chosen=made.pool,
        verdicts=verdicts,
        clauses=tuple(clauses),
        alternatives=made.alternatives,
    )


def clause_counts(layout: Layout, codes: Ints) -> tuple[ClauseCount, ...]:
    """For each clause that removes any: how many pools, on how many sites."""
    out = []
    for code in np.unique(codes).tolist():
        if code in (CHOSEN, CODE[ORDER[-1]]):
            continue
        here = codes == code
        sites = len(np.unique(layout.node[here]))
        out.append(ClauseCount(reason=ORDER[code], pools=int(here.sum()), sites=sites))
    return tuple(out)


def _verdicts(index: GridIndex, codes: list[int] | bytes) -> tuple[PoolVerdict, ...]:
    assert len(codes) == len(index.pool_order), "a verdict for each pool of this grid"
    return tuple(
        PoolVerdict.model_construct(pool=pool, reason=None if code == CHOSEN else ORDER[code])
        for pool, code in zip(index.pool_order, codes, strict=True)
    )


def _objective(layout: Layout, decision: Decision) -> str:
    """The preference with the winning figures, first figure first: `cheapest: price 120, finish 17..., latency 90`.

    A task that names its owners has the owner before them.
    """
    at, preference = decision.chosen, decision.need.preference
    if at is None:
        return preference.value
    best = decision.best
    figures = {"price": best.price, "finish": best.end_us, "latency": best.latency_us, "carbon": best.carbon_mg}
    owner = [f"owner {layout.owners[best.pools[at]]}"] if decision.need.owners else []
    words = owner + [f"{key} {int(figures[key][at])}" for key in KEYS[preference] if key in figures]
    return f"{preference.value}: {', '.join(words)}"
