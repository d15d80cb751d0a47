"""Metrics of Computing-Aware Traffic Steering: what an ingress knows of each instance of a service.

After draft-ietf-cats-metric-definition: level 0 are raw figures, level 1 one score of each category, level 2 one score
of all. The draft is not an RFC yet; `draft` in the answer names the version that this follows.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import SiteId

DRAFT: Final = "draft-ietf-cats-metric-definition-11"
SCORE_MAX: Final = 10


class CatsCategory(StrEnum):
    COMPUTE = "compute"
    COMMUNICATION = "communication"
    COMPOSED = "composed"


class CatsMetric(Value):
    """One metric. Scores (levels 1 and 2) run from 0, the poorest, to 10, the best."""

    level: Annotated[int, Field(ge=0, le=2)]
    category: CatsCategory
    name: str
    format: Literal["uint"] = "uint"
    length_bytes: int = 8
    unit: str  # cores, bytes, accelerators, nodes, us, bps; "score" on levels 1 and 2
    source: Literal["nominal", "direct", "aggregation", "normalization"]
    statistics: Literal["cur"] = "cur"
    value: Annotated[int, Field(ge=0)]


class CatsInstance(Value):
    """One service at one site. A service is a kind of pool, with the accelerator's model where it has one."""

    site: SiteId
    service: str  # general, hpc, quantum, ai/<model>
    emulated: bool
    metrics: tuple[CatsMetric, ...]
    score: int  # level 2, again, to sort by


class CatsMetrics(Value):
    draft: str = DRAFT
    at_us: int
    ingress: SiteId
    instances: tuple[CatsInstance, ...]
