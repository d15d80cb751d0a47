"""One round of planning as it was decided: what there was before it, what was asked and which plans were committed."""

from collections.abc import Mapping
from typing import NamedTuple

from suanwang.model.compact import AnyPlan
from suanwang.model.ids import LinkId, SecurityPoolId, SiteId
from suanwang.model.snapshot import GridIndex, SiteState
from suanwang.net.network import Ints
from suanwang.plan.ask import PlanAsk


class Round(NamedTuple):
    """Copies: whoever looks at it later needs no lock. Plans are as the asks; none before it is planned."""

    grid_index: GridIndex
    sites: Mapping[SiteId, SiteState]
    links_down: frozenset[LinkId]
    security_down: frozenset[SecurityPoolId]
    held: Ints  # [pool, figure] of the pools at `now_us`, before the round
    asks: tuple[PlanAsk, ...]
    plans: tuple[AnyPlan | None, ...]  # None: not placed in this round
    now_us: int
