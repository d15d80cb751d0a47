"""Questions about keys, tenants, the grid, its sites and agents, and what waits to be sent to them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from suanwang.model.event import Instruction
from suanwang.model.grid import Tenant
from suanwang.store import schema as s
from suanwang.store.outbox import read_outbox
from suanwang.store.reading import Reads
from suanwang.store.rows import GridRow, KeyRow, LinkRow, SecurityPoolRow, SiteRow


class GridQueries(Reads):
    """The part of the store that the doors and the dispatcher ask."""

    def key(self, key_id: str) -> KeyRow | None:
        found = self._all(select(s.api_keys).where(s.api_keys.c.key_id == key_id))
        return _key(found[0]) if found else None

    def keys(self, tenant: str | None = None) -> list[KeyRow]:
        query = select(s.api_keys).order_by(s.api_keys.c.key_id)
        return [_key(row) for row in self._all(query if tenant is None else query.where(s.api_keys.c.tenant == tenant))]

    def tenants(self) -> list[Tenant]:
        query = select(s.tenants.c.body).order_by(s.tenants.c.tenant)
        return [Tenant.model_validate_json(row["body"]) for row in self._all(query)]

    def tenant(self, tenant: str) -> Tenant | None:
        found = self._all(select(s.tenants.c.body).where(s.tenants.c.tenant == tenant))
        return Tenant.model_validate_json(found[0]["body"]) if found else None

    def grid(self) -> GridRow | None:
        """The grid that was adopted last."""
        c = s.grids.c
        query = select(c.grid_id, c.digest, c.text, c.at_us, c.position).order_by(c.position.desc(), c.ordinal.desc())
        found = self._all(query.limit(1))
        return GridRow(**found[0]) if found else None

    def sites(self) -> list[SiteRow]:
        """The sites that were ever heard of, with their state."""
        return [SiteRow(**row) for row in self._all(select(s.sites).order_by(s.sites.c.site))]

    def links(self) -> list[LinkRow]:
        """The links that were ever failed or healed."""
        return [LinkRow(**row) for row in self._all(select(s.links).order_by(s.links.c.link))]

    def security_pools(self) -> list[SecurityPoolRow]:
        """The security pools that were ever taken out or put back."""
        query = select(s.security_pools).order_by(s.security_pools.c.security_pool)
        return [SecurityPoolRow(**row) for row in self._all(query)]

    def agent_cursors(self) -> dict[str, int]:
        """Agent -> the sequence number of its last event that was applied."""
        query = select(s.agent_cursors.c.agent, s.agent_cursors.c.sequence)
        return {row["agent"]: row["sequence"] for row in self._all(query)}

    def leases_held(self) -> int:
        """How many plans hold capacity."""
        with self.reading() as connection:
            query = select(func.count()).select_from(s.plans).where(s.plans.c.released_us.is_(None))
            return int(connection.execute(query).scalar_one())

    def outbox(self, sites: Sequence[str] | None = None) -> list[Instruction]:
        """The instructions that wait for an agent of these sites (None: of any), oldest first."""
        with self.reading() as connection:
            return read_outbox(connection, sites, self.texts_of_plans)


def _key(row: Mapping[str, Any]) -> KeyRow:
    plain = {name: value for name, value in row.items() if name not in ("sites", "position")}
    return KeyRow(**plain, sites=tuple(json.loads(row["sites"])))
