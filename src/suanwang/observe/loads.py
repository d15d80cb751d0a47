"""What tenants have live, hold, and have spent: each alone, and each with all below it in the tree. A fold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from suanwang.model.grid import Tenant
from suanwang.model.ids import TenantId
from suanwang.model.share import NOTHING, Amounts, minus, plus
from suanwang.model.tenants import path_of

# What a quota limits, live and held. The order of `Loads.within`.
LIVE_CORES, LIVE_ACCELERATORS, HELD_CORES, HELD_ACCELERATORS = range(4)


def quota(tenant: Tenant, figure: int) -> int:
    """What a tenant may use of one of the four without borrowing."""
    return tenant.cores_max if figure in (LIVE_CORES, HELD_CORES) else tenant.accelerators_max


@dataclass(slots=True)
class TenantLoad:
    """What a tenant has live, has been billed, has been quoted for what is live, and holds by plans that stand."""

    live_tasks: int = 0
    cores: int = 0
    accelerators: int = 0
    billed_micro_yuan: int = 0
    quoted_micro_yuan: int = 0
    held_cores: int = 0  # as the quota counts them, whatever the kind of pool
    held_accelerators: int = 0
    held: Amounts = NOTHING  # as shares count them

    def add(self, other: "TenantLoad") -> None:
        self.live_tasks += other.live_tasks
        self.cores += other.cores
        self.accelerators += other.accelerators
        self.billed_micro_yuan += other.billed_micro_yuan
        self.quoted_micro_yuan += other.quoted_micro_yuan
        self.held_cores += other.held_cores
        self.held_accelerators += other.held_accelerators
        self.held = plus(self.held, other.held)


@dataclass
class Loads:
    """`own` of each tenant alone; `whole` of each with all below it, kept up with every change of `own`.

    `within` is what counts against a quota: a tenant's own use and that of each child, but of no child more than the
    child's own quota. What one child has borrowed from another does not stand against those who use their own.
    """

    tenants: Mapping[TenantId, Tenant]
    own: dict[TenantId, TenantLoad] = field(default_factory=dict)
    whole: dict[TenantId, TenantLoad] = field(default_factory=dict)
    within: dict[TenantId, list[int]] = field(default_factory=dict)
    _children: dict[TenantId, list[TenantId]] = field(default_factory=dict)
    _paths: dict[TenantId, tuple[TenantId, ...]] = field(default_factory=dict)
    _ways: dict[TenantId, list[TenantLoad]] = field(default_factory=dict)
    _stale: bool = False

    def path(self, tenant: TenantId) -> tuple[TenantId, ...]:
        """The tenant and those above it, itself first."""
        if self._stale:
            self._sum_again()
        found = self._paths.get(tenant)
        if found is None:
            found = self._paths[tenant] = path_of(tenant, self.tenants)
        return found

    def alone(self, tenant: TenantId) -> TenantLoad:
        """Of the tenant without those below it."""
        return self.own.setdefault(tenant, TenantLoad())

    def together(self, tenant: TenantId) -> TenantLoad:
        """Of the tenant with those below it."""
        self._sum_again()
        return self.whole.setdefault(tenant, TenantLoad())

    def live(self, tenant: TenantId, tasks: int, cores: int, accelerators: int) -> None:
        """Tasks came (or ended: below zero) that ask for so much."""
        for load in self._each(tenant):
            load.live_tasks += tasks
            load.cores += cores
            load.accelerators += accelerators
        self._climb(tenant, LIVE_CORES, cores)
        self._climb(tenant, LIVE_ACCELERATORS, accelerators)

    def take(self, tenant: TenantId, quote_micro_yuan: int, cores: int, accelerators: int, held: Amounts) -> None:
        """A plan was committed."""
        for load in self._each(tenant):
            load.quoted_micro_yuan += quote_micro_yuan
            load.held_cores += cores
            load.held_accelerators += accelerators
            load.held = plus(load.held, held)
        self._climb(tenant, HELD_CORES, cores)
        self._climb(tenant, HELD_ACCELERATORS, accelerators)

    def let_go(self, tenant: TenantId, quote_micro_yuan: int, cores: int, accelerators: int, held: Amounts) -> None:
        """A plan stands no more."""
        for load in self._each(tenant):
            load.quoted_micro_yuan -= quote_micro_yuan
            load.held_cores -= cores
            load.held_accelerators -= accelerators
            load.held = minus(load.held, held)
        self._climb(tenant, HELD_CORES, -cores)
        self._climb(tenant, HELD_ACCELERATORS, -accelerators)

    def bill(self, tenant: TenantId, micro_yuan: int) -> None:
        """A charge was posted."""
        for load in self._each(tenant):
            load.billed_micro_yuan += micro_yuan

    def _each(self, tenant: TenantId) -> list[TenantLoad]:
        """The loads that a change of the tenant's counts in: its own, and of everyone on the way up."""
        if self._stale:  # before anything changes, else the sum would count the change, and then it would come again
            self._sum_again()
        found = self._ways.get(tenant)
        if found is None:
            found = self._ways[tenant] = [self.alone(tenant), *(self.together(one) for one in self.path(tenant))]
        return found

    def _climb(self, tenant: TenantId, figure: int, change: int) -> None:
        """Carry a change of use up the tree, at each step no more than the child's quota."""
        if not change:
            return
        path = self.path(tenant)
        self._within(tenant)[figure] += change
        for child, parent in pairwise(path):
            after = self._within(child)[figure]
            limit = quota(self.tenants[child], figure)
            change = min(after, limit) - min(after - change, limit)
            if not change:
                return
            self._within(parent)[figure] += change

    def _within(self, tenant: TenantId) -> list[int]:
        found = self.within.get(tenant)
        if found is None:
            found = self.within[tenant] = [0, 0, 0, 0]
        return found

    def claims(self, tenant: TenantId, figure: int) -> list[tuple[Tenant, int]]:
        """Each tenant on the way up with what this one's next task would stand beside there."""
        out: list[tuple[Tenant, int]] = []
        claim, below = 0, tenant
        for one in self.path(tenant):
            use = self._within(one)[figure]
            if one == tenant:
                claim = use
            else:
                in_child = self._within(below)[figure]
                claim += use - min(in_child, quota(self.tenants[below], figure))
            below = one
            limits = self.tenants.get(one)
            if limits is not None:
                out.append((limits, claim))
        return out

    def children(self, parent: TenantId) -> list[TenantId]:
        """The tenants right below one."""
        self._sum_again()
        if not self._children:
            for one in self.tenants.values():
                if one.parent is not None:
                    self._children.setdefault(one.parent, []).append(one.id)
        return self._children.get(parent, [])

    def tree_changed(self) -> None:
        """A tenant was set: what is above anyone is summed again when somebody asks."""
        self._stale = True

    def _sum_again(self) -> None:
        if not self._stale:
            return
        self._stale = False
        for made in (self._paths, self._ways, self._children, self.whole, self.within):
            made.clear()
        for tenant, load in self.own.items():
            for one in self.path(tenant):
                self.together(one).add(load)
            for figure, use in enumerate((load.cores, load.accelerators, load.held_cores, load.held_accelerators)):
                self._climb(tenant, figure, use)
