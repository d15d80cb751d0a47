"""The bulk kernel: joint decisions by the million over arrays of integers."""

from suanwang.plan.kernel.decide import RowsNotApplicableError, apply, decide, release
from suanwang.plan.kernel.state import State
from suanwang.plan.kernel.types import (
    Asks,
    Classes,
    Decisions,
    Fabric,
    Ground,
    Guidance,
    Policy,
    Reason,
    Tasks,
)

__all__ = [
    "Asks",
    "Classes",
    "Decisions",
    "Fabric",
    "Ground",
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
