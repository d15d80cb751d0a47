"""The planner: `plan(snapshot, tasks, now, seed, ids)`. See README.md."""

from suanwang.plan.ask import PlanAnswer, PlanAsk, PlanIds
from suanwang.plan.planner import plan, plan_batch
from suanwang.plan.report import explain_verdicts, report_of
from suanwang.plan.warm import warm

__all__ = ["PlanAnswer", "PlanAsk", "PlanIds", "explain_verdicts", "plan", "plan_batch", "report_of", "warm"]
