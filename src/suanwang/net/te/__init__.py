"""Whole-network optimisation: the segment lists of a demand matrix. See README.md."""

from suanwang.net.te.failures import Failure, Repair, failures_of, repair
from suanwang.net.te.optimise import Optimised, Settings, optimise
from suanwang.net.te.policies import Lists, Policies, WeightedList, no_policies

__all__ = [
    "Failure",
    "Lists",
    "Optimised",
    "Policies",
    "Repair",
    "Settings",
    "WeightedList",
    "failures_of",
    "no_policies",
    "optimise",
    "repair",
]
