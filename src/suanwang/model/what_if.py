"""What a what-if answers: one day played twice, before and after a change, in figures."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from suanwang.model.base import Value
from suanwang.model.ids import LinkId, SiteId, TenantId


class Unit(StrEnum):
    """What a figure counts."""

    COUNT = "count"
    US = "us"
    MICRO_YUAN = "micro_yuan"
    MG = "mg"
    CORE_S = "core_s"
    CARD_S = "card_s"
    BYTES = "bytes"
    PPM = "ppm"  # of the whole capacity


class SiteUse(Value):
    """One site over the day. `use_ppm` is of its nodes, by what each pool is fullest in, while tasks arrived."""

    site: SiteId
    owner: str
    tasks: int  # that ran there last
    use_ppm: int
    cost_micro_yuan: int
    core_s: int
    card_s: int
    carbon_mg: int


class LinkUse(Value):
    """One link over the day, in its busier direction: bandwidth held and data moved, while tasks arrived."""

    link: LinkId
    use_ppm: int


class Slot(Value):
    """A slice of the time that was played. Waiting is of the tasks that arrived in it and ran."""

    at_us: int
    arrived: int
    wait_p50_us: int | None
    wait_p95_us: int | None
    cores: int  # held on average
    cards: int
    cost_micro_yuan: int
    carbon_mg: int


class Figures(Value):
    """One side."""

    tasks: int
    succeeded: int
    failed: int
    refused: int
    expired: int
    cancelled: int
    unended: int  # still waiting when nothing more could happen
    ran: int
    wait_p50_us: int
    wait_p95_us: int
    wait_max_us: int
    cost_micro_yuan: int
    carbon_mg: int
    core_s: int
    card_s: int
    moved_bytes: int
    cost_by_tenant: dict[TenantId, int]
    revenue_by_owner: dict[str, int]  # "network" is one of them
    sites: tuple[SiteUse, ...]  # that were used, the busiest first
    links: tuple[LinkUse, ...]  # the busiest first, twenty at most
    slots: tuple[Slot, ...]


class MetricRow(Value):
    """One row of the table. `of` is an owner, a site or a link, where the metric is of one."""

    metric: str
    of: str = ""
    unit: Unit
    before: int
    after: int
    difference: int
    change_permille: int | None  # None: there was nothing before


class Flow(Value):
    """Tasks that ran at one site before and at another after; no site: they did not run."""

    before: SiteId | None
    after: SiteId | None
    tasks: int
    core_s: int  # of the side that ran


class ReasonRow(Value):
    """How many tasks met a reason. `clause` is what bound, where a refusal or a wait names one."""

    kind: Literal["refused", "waited", "failed"]
    reason: str
    clause: str = ""
    before: int
    after: int


class Said(Value):
    """A text `whatif.<code>` of the catalogue with its figures."""

    code: str
    params: dict[str, str | int] = Field(default_factory=dict)


class Timing(Value):
    """By the real clock; the only figures that differ from run to run."""

    wall_s: float  # both sides, which may have been played at once
    before_s: float
    after_s: float
    plan_before_s: float
    plan_after_s: float
    tasks_per_s: float


class WhatIf(Value):
    """The whole answer. The same day, change and seed give the same answer but for `timing`."""

    seed: int
    grid: str
    source: str
    start_us: int
    span_us: int  # in which tasks arrived, before
    notes: tuple[Said, ...]
    changes: tuple[Said, ...]
    rows: tuple[MetricRow, ...]
    before: Figures
    after: Figures
    flows: tuple[Flow, ...]
    moved: int  # tasks in all that ran at another site
    reasons: tuple[ReasonRow, ...]
    timing: Timing
