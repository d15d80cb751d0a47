"""The bulk kernel: joint decisions by the million over arrays of integers."""

from suanwang.plan.kernel.decide import RowsNotApplicableError, apply, decide, release
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import Classes, Decisions, Fabric, Guidance, Policy, Reason, Tasks

__all__ = [
    "Classes",
    "Decisions",
    "Fabric",
    "Guidance",
    "Policy",
    "Reason",
    "RowsNotApplicableError",
    "State",
    "Tasks",
    "apply",
    "decide",
    "release",
]
