"""The planner: `plan(snapshot, tasks, now, seed, ids)`. See README.md."""

from suanwang.plan.ask import PlanAnswer, PlanAsk, PlanIds
from suanwang.plan.improve import Improver, Standing, copy_of, is_gain, is_no_worse
from suanwang.plan.planner import plan, plan_batch, round_before
from suanwang.plan.repair import RepairAsk, repair
from suanwang.plan.report import explain_verdicts, report_of
from suanwang.plan.round import Round
from suanwang.plan.warm import warm

__all__ = [
    "Improver",
    "PlanAnswer",
    "PlanAsk",
    "PlanIds",
    "RepairAsk",
    "Round",
    "Standing",
    "copy_of",
    "explain_verdicts",
    "is_gain",
    "is_no_worse",
    "plan",
    "plan_batch",
    "repair",
    "report_of",
    "round_before",
    "warm",
]
