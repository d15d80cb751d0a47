"""Outputs on their way, as the brain keeps them."""

from dataclasses import dataclass

from suanwang.model.event import OutputFile
from suanwang.model.ids import AttemptId, PlanId, SiteId


@dataclass(slots=True)
class Delivery:
    """Outputs of a closed attempt on their way to their targets."""

    attempt_id: AttemptId
    plan_id: PlanId
    site: SiteId
    fence: int
    outputs: tuple[OutputFile, ...]
    tries: int = 1
