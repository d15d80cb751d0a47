"""What tenants have of the grid, for people to see. Pure questions to the state."""

from collections.abc import Iterator

from suanwang.fair import Shares
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.model.share import totals_of
from suanwang.model.view import Quota, Share
from suanwang.observe.lending import borrowed, held, lent
from suanwang.observe.loads import HELD_ACCELERATORS, HELD_CORES
from suanwang.observe.state import State


def shares_of(state: State, viewer: TenantId | None) -> Iterator[Share]:
    """Of the viewer and all below it, or (None) of every tenant; by name."""
    shares = Shares.of(totals_of(state.index))
    for tenant in sorted(state.tenants):
        if viewer is None or viewer in state.tally.path(tenant):
            yield _share(state, shares, state.tenants[tenant])


def _share(state: State, shares: Shares, tenant: Tenant) -> Share:
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
