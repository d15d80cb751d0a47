"""The tree of tenants: who is below whom, and whether a tenant may stand where it says."""

from collections.abc import Mapping

from suanwang.model.error import Fault
from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId

# Deep enough for a ministry, its bureaus, their institutes, groups and projects; shallow enough to be walked for
# every task.
DEPTH_MAX = 8

Tenants = Mapping[TenantId, Tenant]


def path_of(tenant: TenantId, tenants: Tenants) -> tuple[TenantId, ...]:
    """The tenant, its parent and so on to the top. A parent that is not known ends the path."""
    path = [tenant]
    while (found := tenants.get(path[-1])) is not None and found.parent is not None and len(path) < DEPTH_MAX:
        if found.parent not in tenants:
            break
        path.append(found.parent)
    return tuple(path)


def path_fault(tenant: Tenant, tenants: Tenants, below: int = 0) -> Fault | None:
    """What is wrong on the way from `tenant`, with `below` levels under it, to the top; None: nothing."""
    seen, at = [tenant.id], tenant.parent
    while at is not None:
        if at in seen:
            return Fault("tenant_cycle", "parent", at, None, {"path": " < ".join([*seen, at])})
        if at not in tenants:
            return Fault("tenant_parent_unknown", "parent", at)
        seen.append(at)
        at = tenants[at].parent
    if len(seen) + below > DEPTH_MAX:
        return Fault("tenant_deep", "parent", str(tenant.parent), None, {"limit": DEPTH_MAX})
    return None


def tree_fault(tenant: Tenant, tenants: Tenants) -> Fault | None:
    """What would be wrong with the tree if `tenant` were set in it, new or instead of what it is; None: nothing."""
    after = {**tenants, tenant.id: tenant}
    fault = path_fault(tenant, after)
    return fault or path_fault(tenant, after, _levels_below(tenant.id, after))


def _levels_below(top: TenantId, tenants: Tenants) -> int:
    """How many levels of tenants are below `top`. There is no cycle above it."""
    levels, edge = 0, {top}
    while edge := {one.id for one in tenants.values() if one.parent in edge and one.id != top}:
        levels += 1
    return levels
