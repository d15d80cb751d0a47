"""Imported by the fork server alone: kernels are loaded once, not in every process that is killed."""

from suanwang.plan import warm

warm()
