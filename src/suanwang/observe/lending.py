"""What tenants of one parent lend each other, now. Pure questions to `Loads`.

A tenant may go above its quota by what it may borrow, as long as the other children of its parent leave at least that
much of theirs unused and do not keep it for themselves. See `docs/guide/tenants.md`.
"""

from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.observe.loads import HELD_ACCELERATORS, HELD_CORES, Loads, quota


def may_hold(loads: Loads, tenant: TenantId, cores: int, accelerators: int) -> bool:
    """Whether a tenant may hold so much more: its quota, and of all above it, leaves it, or others lend it."""
    for figure, more in ((HELD_CORES, cores), (HELD_ACCELERATORS, accelerators)):
        if not more:
            continue
        for one, claim in loads.claims(tenant, figure):
            if not _fits(loads, one, figure, claim + more):
                return False
    return True


def has_quota_for(loads: Loads, tenant: TenantId, cores: int, accelerators: int) -> bool:
    """Whether the quotas of a tenant and of all above it leave room for so much more, with nothing borrowed. Then none of
    the tasks that take so much together is above a quota, whatever their order."""
    return all(
        claim + more <= quota(one, figure)
        for figure, more in ((HELD_CORES, cores), (HELD_ACCELERATORS, accelerators))
        for one, claim in loads.claims(tenant, figure)
    )


def _fits(loads: Loads, tenant: Tenant, figure: int, use: int) -> bool:
    above = use - quota(tenant, figure)
    return above <= 0 or (above <= _borrowed_max(tenant, figure) and above <= free_to_borrow(loads, tenant, figure))


def free_to_borrow(loads: Loads, tenant: Tenant, figure: int) -> int:
    """What the other children of the parent lend, less what others of them have borrowed already."""
    if tenant.parent is None or tenant.parent not in loads.tenants:
        return 0  # nobody beside it
    free = 0
    for one in loads.children(tenant.parent):
        if one != tenant.id:
            other = loads.tenants[one]
            unused = quota(other, figure) - held(loads, one, figure)
            free += min(unused, _lent_max(other, figure))
    return max(0, free)


def borrowed(loads: Loads, tenant: TenantId, figure: int) -> int:
    """What a tenant with all below it holds above its quota."""
    return max(0, held(loads, tenant, figure) - quota(loads.tenants[tenant], figure))


def lent(loads: Loads, tenant: TenantId, figure: int) -> int:
    """What of its unused quota is in use by the other children of its parent: its part of all that is borrowed there,
    by what each could lend."""
    one = loads.tenants[tenant]
    if one.parent is None or one.parent not in loads.tenants:
        return 0
    family = loads.children(one.parent)
    could = {name: _could_lend(loads, name, figure) for name in family}
    whole, taken = sum(could.values()), sum(borrowed(loads, name, figure) for name in family)
    return min(could[tenant], -(-taken * could[tenant] // whole)) if whole else 0


def _could_lend(loads: Loads, tenant: TenantId, figure: int) -> int:
    one = loads.tenants[tenant]
    return max(0, min(quota(one, figure) - held(loads, tenant, figure), _lent_max(one, figure)))


def held(loads: Loads, tenant: TenantId, figure: int) -> int:
    """Cores or accelerators that the plans of a tenant and of all below it hold."""
    load = loads.together(tenant)
    return load.held_cores if figure == HELD_CORES else load.held_accelerators


def _borrowed_max(tenant: Tenant, figure: int) -> int:
    return tenant.cores_borrowed_max if figure == HELD_CORES else tenant.accelerators_borrowed_max


def _lent_max(tenant: Tenant, figure: int) -> int:
    return tenant.cores_lent_max if figure == HELD_CORES else tenant.accelerators_lent_max
