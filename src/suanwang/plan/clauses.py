"""The clauses that a pool and its site decide alone, one function each, in the order of `PoolReason`.

Each says which pools fail it. `SITE_DOWN` stands apart, since it changes by the minute and the rest does not.
"""

from collections.abc import Callable

import numpy as np

from suanwang.model.ability import bits_of
from suanwang.model.reason import PoolReason
from suanwang.net.network import Flags, Ints
from suanwang.plan.layout import KINDS, Layout, amounts
from suanwang.plan.need import Need, in_regions, owner_place

ORDER = tuple(PoolReason)
CODE = {reason: at for at, reason in enumerate(ORDER)}
PASSED = 254
CHOSEN = 255


def kind(layout: Layout, need: Need) -> Flags:
    fails: Flags = layout.tariffs.kind != KINDS.index(need.kind)
    return fails


def site_list(layout: Layout, need: Need) -> Flags:
    """Not one of the sites that the task names, or one that it must not go to (again)."""
    fails = [
        (bool(need.sites) and site.id not in need.sites) or site.id in need.excluded for site in layout.index.grid.sites
    ]
    return np.array(fails, np.bool_)[layout.node]


def owner(layout: Layout, need: Need) -> Flags:
    fails: Flags = owner_places(layout, need) < 0
    return fails


def owner_places(layout: Layout, need: Need) -> Ints:
    """For each pool the place of its owner in the order that the task gives; -1 where it does not take that owner."""
    if not need.owners:
        return np.zeros(len(layout.pools), np.int64)
    known, at = np.unique(layout.owners, return_inverse=True)
    places = [owner_place(one, need.owners) for one in known.tolist()]
    return np.array([-1 if one is None else one for one in places], np.int64)[at]


def security_level(layout: Layout, need: Need) -> Flags:
    return layout.security_level < need.security_level


def residency(layout: Layout, need: Need) -> Flags:
    return _outside(layout, need.residency)


def data_residency(layout: Layout, need: Need) -> Flags:
    fails = np.zeros(len(layout.pools), np.bool_)
    for move in need.moves:
        fails |= _outside(layout, move.residency)
    return fails


def node_shape(layout: Layout, need: Need) -> Flags:
    fails = np.zeros(len(layout.pools), np.bool_)
    for figure, value in enumerate(need.node_figures):
        fails |= layout.tariffs.node_figures[:, figure] < value
    return fails


def accelerator(layout: Layout, need: Need) -> Flags:
    if need.model is None:
        return np.zeros(len(layout.pools), np.bool_)
    fails: Flags = layout.models != need.model
    return fails


def ability(layout: Layout, need: Need) -> Flags:
    fails: Flags = (layout.lacks & bits_of(need.abilities)) != 0
    return fails


def pool_size(layout: Layout, need: Need) -> Flags:
    fails = np.zeros(len(layout.pools), np.bool_)
    for figure, value in enumerate(amounts(need.demand)):
        fails |= layout.capacity[:, figure] < min(value, 2**63 - 1)
    return fails


def price_missing(layout: Layout, need: Need) -> Flags:
    return ~layout.priced


STATIC: tuple[tuple[PoolReason, Callable[[Layout, Need], Flags]], ...] = (
    (PoolReason.KIND, kind),
    (PoolReason.SITE_LIST, site_list),
    (PoolReason.OWNER, owner),
    (PoolReason.SECURITY_LEVEL, security_level),
    (PoolReason.RESIDENCY, residency),
    (PoolReason.DATA_RESIDENCY, data_residency),
    (PoolReason.NODE_SHAPE, node_shape),
    (PoolReason.ACCELERATOR, accelerator),
    (PoolReason.ABILITY, ability),
    (PoolReason.POOL_SIZE, pool_size),
    (PoolReason.PRICE_MISSING, price_missing),
)


def static_codes(layout: Layout, need: Need, skip: PoolReason | None = None) -> Ints:
    """For each pool the first of these clauses that it fails, or `PASSED`."""
    codes = np.full(len(layout.pools), PASSED, np.int64)
    for reason, fails in reversed(STATIC):
        if reason is not skip:
            codes[fails(layout, need)] = CODE[reason]
    return codes


def _outside(layout: Layout, allowed: tuple[str, ...]) -> Flags:
    if not allowed:
        return np.zeros(len(layout.pools), np.bool_)
    return np.array([not in_regions(region, allowed) for region in layout.regions.tolist()], np.bool_)
