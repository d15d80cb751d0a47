"""The planner: `plan(snapshot, tasks, now, seed, ids)`. See README.md."""

from suanwang.plan.ask import PlanAnswer, PlanAsk, PlanIds
from suanwang.plan.planner import plan, plan_batch, round_before
from suanwang.plan.report import explain_verdicts
from suanwang.plan.round import Round
from suanwang.plan.warm import warm

__all__ = [
    "PlanAnswer",
    "PlanAsk",
    "PlanIds",
    "Round",
    "explain_verdicts",
    "plan",
    "plan_batch",
    "round_before",
    "warm",
]
