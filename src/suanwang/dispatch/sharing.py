"""What tenants have of the grid, for people to see. Pure questions to the state."""

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction

from suanwang.fair import Shares
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.model.share import totals_of
from suanwang.model.view import Quota, Share
from suanwang.observe.lending import borrowed, held, lent
from suanwang.observe.loads import HELD_ACCELERATORS, HELD_CORES
from suanwang.observe.state import State


def shares_of(state: State, viewer: TenantId | None, alone: Mapping[TenantId, int]) -> Iterator[Share]:
    """Of the viewer and all below it, or (None) of every tenant; by name. `alone`: waiting tasks of each tenant itself."""
    shares = Shares.of(totals_of(state.index))
    waiting: Counter[TenantId] = Counter()
    for tenant, count in alone.items():
        for one in state.tally.path(tenant):
            waiting[one] += count
    first = first_in_turn(state, shares, alone, waiting)
    for tenant in sorted(state.tenants):
        if viewer is None or viewer in state.tally.path(tenant):
            yield _share(state, shares, state.tenants[tenant], waiting[tenant], tenant in first)


def first_in_turn(
    state: State, shares: Shares, alone: Mapping[TenantId, int], waiting: Mapping[TenantId, int]
) -> frozenset[TenantId]:
    """Whose waiting task goes first by the shares, with everyone above it: from the top down the child with the least
    share by its weight, its own tasks beside it at weight 1. Who of equals had the last turn is the line's to know; here
    the name decides. Urgent tasks and what finds no room now are not looked at."""
    below: dict[TenantId | None, list[Tenant]] = {}
    for one in state.tenants.values():
        below.setdefault(one.parent if one.parent in state.tenants else None, []).append(one)
    out: list[TenantId] = []
    at: TenantId | None = None
    while True:
        ranks = [
            (Fraction(shares.dominant(state.tally.together(one.id).held), one.weight), str(one.id), one.id)
            for one in below.get(at, [])
            if waiting.get(one.id)
        ]
        if at is not None and alone.get(at):
            own = Fraction(shares.dominant(state.tally.alone(at).held))
            if not ranks or (own, f"{at}/") <= min(ranks)[:2]:
                return frozenset(out)
        if not ranks:
            return frozenset(out)
        at = min(ranks)[2]
        out.append(at)


def _share(state: State, shares: Shares, tenant: Tenant, waiting: int, turn: bool) -> Share:
    load = state.tally.together(tenant.id)
    return Share(
        tenant=tenant.id,
        name=tenant.name,
        parent=tenant.parent,
        weight=tenant.weight,
        share_ppm=shares.dominant(load.held) * 1_000_000 // shares.whole,
        resource=shares.resource(load.held),
        live_tasks=load.live_tasks,
        live_tasks_max=tenant.live_tasks_max,
        cores=_quota(state, tenant, HELD_CORES),
        accelerators=_quota(state, tenant, HELD_ACCELERATORS),
        budget_micro_yuan=tenant.budget_micro_yuan,
        spent_micro_yuan=load.billed_micro_yuan + load.quoted_micro_yuan,
        waiting=waiting,
        turn=turn,
    )


def _quota(state: State, tenant: Tenant, figure: int) -> Quota:
    load, cores = state.tally.together(tenant.id), figure == HELD_CORES
    return Quota(
        limit=tenant.cores_max if cores else tenant.accelerators_max,
        live=load.cores if cores else load.accelerators,
        held=held(state.tally, tenant.id, figure),
        borrowed=borrowed(state.tally, tenant.id, figure),
        borrowed_max=tenant.cores_borrowed_max if cores else tenant.accelerators_borrowed_max,
        lent=lent(state.tally, tenant.id, figure),
        lent_max=tenant.cores_lent_max if cores else tenant.accelerators_lent_max,
    )
