"""Guidance: how good decisions can be at best, where each class of tasks should go, and what scarcity is worth."""

from suanwang.guide.advice import advise, bid_costs, quotas
from suanwang.guide.batch import BatchProof, BatchProver, cost_of
from suanwang.guide.bound import Bound, certified_bound
from suanwang.guide.forecast import expected, remaining
from suanwang.guide.problem import Problem, room_of, whole_fabric
from suanwang.guide.program import Budget, Program, Solution, solve
from suanwang.guide.rolling import Optimiser
from suanwang.guide.rounds import Prices, RoundProver, prices_of
from suanwang.guide.scarcity import Scarce, scarce
from suanwang.guide.worth import priced_scarcity, scarcity_of

__all__ = [
    "BatchProof",
    "BatchProver",
    "Bound",
    "Budget",
    "Optimiser",
    "Prices",
    "Problem",
    "Program",
    "RoundProver",
    "Scarce",
    "Solution",
    "advise",
    "bid_costs",
    "certified_bound",
    "cost_of",
    "expected",
    "priced_scarcity",
    "prices_of",
    "quotas",
    "remaining",
    "room_of",
    "scarce",
    "scarcity_of",
    "solve",
    "whole_fabric",
]
