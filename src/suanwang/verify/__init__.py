"""Check a plan without the planner. See README.md."""

from collections.abc import Sequence

from suanwang.model.compact import AnyPlan
from suanwang.model.grid import DataSet
from suanwang.model.ids import TenantId
from suanwang.model.reason import PlanFault
from suanwang.model.snapshot import Snapshot
from suanwang.model.task import TaskRequest
from suanwang.verify.compact import sound
from suanwang.verify.company import company_faults
from suanwang.verify.data import data_faults
from suanwang.verify.holds import hold_faults
from suanwang.verify.money import money_faults
from suanwang.verify.path import maintenance_faults, path_faults
from suanwang.verify.place import place_faults, window_faults
from suanwang.verify.repair import verify_repair
from suanwang.verify.standby import standby_faults

__all__ = ["sound", "verify", "verify_repair"]

Found = list[tuple[PlanFault, str]]


def verify(
    plan: AnyPlan,
    request: TaskRequest,
    snapshot: Snapshot,
    tenant: TenantId | None = None,
    kept: Sequence[DataSet] = (),
) -> Found:
    """Every fault of a plan for a request on a snapshot that does not hold the plan itself.

    `tenant` is whose task it is; None: of one who has no other. `kept`: what an earlier attempt has saved, and what other
    tasks made for it.
    """
    known = snapshot.index.pools.get(plan.pool)
    if plan.site not in snapshot.index.sites:
        return [(PlanFault.UNKNOWN_SITE, plan.site)]
    if known is None:
        return [(PlanFault.UNKNOWN_POOL, plan.pool)]
    found: Found = []
    found += company_faults(plan, request, snapshot.placements.of(tenant) if tenant is not None else {})
    for check in (place_faults, window_faults, path_faults):
        found += check(plan, request, snapshot)
    found += maintenance_faults(plan, snapshot)
    found += data_faults(plan, request, snapshot, kept)
    if any(fault is PlanFault.PATH_BROKEN for fault, _ in found):
        return found  # links that do not exist have no price and no capacity
    found += standby_faults(plan, request, snapshot)
    if any(fault is PlanFault.PATH_BROKEN for fault, _ in found):
        return found
    return [*found, *hold_faults(plan, snapshot), *money_faults(plan, request, snapshot)]
