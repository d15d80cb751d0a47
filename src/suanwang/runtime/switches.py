"""The operator's switches: sites, links and security pools are taken out and put back."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from suanwang.flow import Road
from suanwang.model.error import ConflictError, NotAllowedError, NotFoundError
from suanwang.model.ids import LinkId, SecurityPoolId, SiteId
from suanwang.model.principal import Principal, Role
from suanwang.model.record import KeyRevoked
from suanwang.model.snapshot import SiteOrder
from suanwang.observe.task import Task


class Switches(ABC):
    """The part of the brain that switches. Each raises NotAllowedError for who is no operator, NotFoundError for a name
    that the grid does not have. To take out what is out already changes nothing."""

    @abstractmethod
    def _verb(self) -> AbstractContextManager[Road]:
        """The road, for a change."""

    def fail_site(self, principal: Principal, site: SiteId) -> None:
        """An operator takes a site out: its tasks are planned elsewhere."""
        operators_only(principal)
        with self._verb() as road:
            _site_known(road, site)
            road.lose_site(site, "operator_failed")
            road.commit()

    def heal_site(self, principal: Principal, site: SiteId) -> None:
        operators_only(principal)
        with self._verb() as road:
            _site_known(road, site)
            road.heal_site(site)
            road.commit()

    def order_site(self, principal: Principal, site: SiteId, order: SiteOrder) -> None:
        """Close a site to new work, have it emptied, let it go, or open it again.

        Raises ConflictError for a site that shall go and is not drained and empty yet.
        """
        operators_only(principal)
        with self._verb() as road:
            _site_known(road, site)
            if order is SiteOrder.LEFT:
                _check_empty(road, site)
            if road.order_site(site, order, principal.key_id):
                if order is SiteOrder.LEFT:
                    _void_keys(road, site, road.clock())
                road.commit()

    def fail_link(self, principal: Principal, link: LinkId) -> None:
        """What runs over it gets another path. It stays down until an operator puts it back, whatever agents say of it."""
        self._set_link(principal, link, up=False)

    def heal_link(self, principal: Principal, link: LinkId) -> None:
        """Put it back, whoever took it out. An agent that still sees it down takes it out again."""
        self._set_link(principal, link, up=True)

    def fail_security_pool(self, principal: Principal, pool: SecurityPoolId) -> None:
        """What passes it goes past another. It stays out until an operator puts it back, whatever agents say of it."""
        self._set_security_pool(principal, pool, up=False)

    def heal_security_pool(self, principal: Principal, pool: SecurityPoolId) -> None:
        """Put it back, whoever took it out. An agent that still sees its function dead takes it out again."""
        self._set_security_pool(principal, pool, up=True)

    def _set_link(self, principal: Principal, link: LinkId, up: bool) -> None:
        operators_only(principal)
        with self._verb() as road:
            if link not in road.state.index.links:
                raise NotFoundError("link_unknown", link=link)
            if road.set_link(link, up, principal.key_id):
                road.commit()

    def _set_security_pool(self, principal: Principal, pool: SecurityPoolId, up: bool) -> None:
        operators_only(principal)
        with self._verb() as road:
            if pool not in road.state.index.security_pools:
                raise NotFoundError("security_pool_unknown", pool=pool)
            if road.set_security_pool(pool, up, principal.key_id):
                road.commit()


def _check_empty(road: Road, site: SiteId) -> None:
    state = road.state
    if state.closed.get(site) not in (SiteOrder.DRAINED, SiteOrder.LEFT):
        raise ConflictError("site_not_drained", site=site)
    parting = [one for one in state.parting.values() if _parts_from(state.tasks[one], site)]
    busy = len({*state.by_site.get(site, {}), *parting})
    if busy:
        raise ConflictError("site_busy", site=site, tasks=busy)


def _parts_from(task: Task, site: SiteId) -> bool:
    return task.parting is not None and task.parting.site == site


def _void_keys(road: Road, site: SiteId, now_us: int) -> None:
    """The keys that are good for this site alone."""
    for key_id, one in list(road.state.keys.items()):
        if one.key.role == Role.AGENT.value and one.key.sites == (site,) and not one.revoked:
            road.emit(KeyRevoked(at_us=now_us, key_id=key_id))


def operators_only(principal: Principal) -> None:
    if principal.role is not Role.OPERATOR:
        raise NotAllowedError("role", role=principal.role.value)


def _site_known(road: Road, site: SiteId) -> None:
    if site not in road.state.index.sites:
        raise NotFoundError("site_unknown", site=site)
